//! A RISC-V core: RV32I, an instruction a cycle, with a program in a table and 256 bytes of memory. Loads and stores are
//! taken as aligned; `ecall` and `ebreak` stop it.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::random::Numbers;
use hdl::{ModuleBuilder, Operand, Value, u};

/// Words of the program and of the memory.
const WORDS: usize = 64;

/// The low 32 bits.
fn word(x: Value<'_>) -> Value<'_> {
    x.wrap(32, false)
}

/// `x` moved by `amount` places: each bit of it doubles the distance.
fn shifted<'m>(x: Value<'m>, amount: Value<'m>, step: impl Fn(Value<'m>, u32) -> Value<'m>) -> Value<'m> {
    (0..5).fold(x, |x, k| amount.bit(k).mux(step(x, 1 << k), x))
}

fn right(x: Value<'_>, places: u32) -> Value<'_> {
    (x >> places).truncate(0)
}

/// What an arithmetic instruction computes; `other` says that it subtracts or keeps the sign.
fn arithmetic<'m>(m: &'m ModuleBuilder, funct3: Value<'m>, other: Value<'m>, a: Value<'m>, b: Value<'m>) -> Value<'m> {
    let y = m.signal("alu", u(32), 0);
    let (signed_a, signed_b) = (a.wrap(32, true), b.wrap(32, true));
    m.switch(funct3)
        .case(0, || y.set(other.mux(word(a - b), word(a + b))))
        .case(1, || y.set(shifted(a, b, |x, places| word(x * (1 << places)))))
        .case(2, || y.set(signed_a.lt(signed_b)))
        .case(3, || y.set(a.lt(b)))
        .case(4, || y.set(a ^ b))
        .case(5, || y.set(other.mux(word(shifted(signed_a, b, right)), shifted(a, b, right))))
        .case(6, || y.set(a | b))
        .case(7, || y.set(a & b))
        .done();
    *y
}

fn core(program: &[u32]) -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("rv32i");
    let mut words: Vec<i128> = program.iter().map(|w| i128::from(*w)).collect();
    words.resize(WORDS, 0x73);
    let (pc, stopped) = (m.reg("pc", u(32)), m.reg("stopped", 0..=1));
    let code = pc.slice(7, 2).lookup(&words, 0).named("code");
    let (funct3, rd) = (code.slice(14, 12), code.slice(11, 7));
    let registers = m.memory("x", 32, u(32));
    let [a, b] = [15, 20].map(|low| code.slice(low + 4, low)).map(|rs| rs.equals(0).mux(0, registers.read(rs)));

    let immediate = code.slice(31, 20).wrap(12, true);
    let store_offset = code.slice(31, 25).concat(code.slice(11, 7), 5).wrap(12, true);
    let high = code.bit(31).concat(code.bit(7), 1).concat(code.slice(30, 25), 6);
    let branch_offset = high.concat(code.slice(11, 8), 4).concat(0, 1).wrap(13, true);
    let upper = code.slice(31, 12) * 4096;
    let high = code.bit(31).concat(code.slice(19, 12), 8).concat(code.bit(20), 1);
    let jump_offset = high.concat(code.slice(30, 21), 10).concat(0, 1).wrap(21, true);

    let following = word(pc + 4);
    let (next, result, writes) =
        (m.signal("next", u(32), following), m.signal("result", u(32), 0), m.signal("writes", 0..=1, 1));
    let is_immediate = code.slice(6, 0).equals(0x13);
    let operand = is_immediate.mux(word(immediate), b);
    let other = code.bit(30) & (!is_immediate | funct3.equals(5));
    let computed = arithmetic(&m, funct3, other, a, operand);

    let address = word(a + code.bit(5).mux(store_offset, immediate)).named("address");
    let lanes: Vec<_> = (0..4).map(|k| m.memory(&format!("lane{k}"), WORDS as u32, u(8))).collect();
    let loaded = (0..3)
        .rev()
        .fold(lanes[3].read(address.slice(7, 2)), |high, k| high.concat(lanes[k].read(address.slice(7, 2)), 8));
    let loaded = (0..2).fold(loaded, |x, k| address.bit(k).mux(right(x, 8 << k), x));
    let stores = code.slice(6, 0).equals(0x23) & !stopped;
    for (k, lane) in (0..4).zip(&lanes) {
        let byte = |of: u32| b.slice(8 * of + 7, 8 * of);
        let (low, size) = (address.slice(1, 0), funct3.slice(1, 0));
        let here = size.select(&[low.equals(i128::from(k)), low.bit(1).equals(i128::from(k / 2)), true.on(&m)]);
        let data = size.select(&[byte(0), byte(k % 2), byte(k)]);
        lane.write(stores & here, address.slice(7, 2), data);
    }

    m.switch(code.slice(6, 0))
        .case([0x13, 0x33], || result.set(computed))
        .case(0x37, || result.set(upper))
        .case(0x17, || result.set(word(pc + upper)))
        .case(0x6f, || {
            result.set(following);
            next.set(word(pc + jump_offset));
        })
        .case(0x67, || {
            result.set(following);
            next.set(word(a + immediate).slice(31, 1).concat(0, 1));
        })
        .case(0x63, || {
            writes.set(0);
            let less = funct3.bit(1).mux(a.lt(b), a.wrap(32, true).lt(b.wrap(32, true)));
            let holds = funct3.bit(2).mux(less, a.equals(b)) ^ funct3.bit(0);
            m.when(holds, || next.set(word(pc + branch_offset)));
        })
        .case(0x03, || {
            let (byte, half) = (loaded.slice(7, 0), loaded.slice(15, 0));
            let (signed_byte, signed_half) = (word(byte.wrap(8, true)), word(half.wrap(16, true)));
            result.set(funct3.select(&[signed_byte, signed_half, loaded, loaded, byte, half]));
        })
        .case(0x73, || {
            writes.set(0);
            next.set(pc);
            stopped.set(1);
        })
        .otherwise(|| writes.set(0)); // stores, and fences, of which a core without caches needs to do nothing
    registers.write(writes & rd.differs(0) & !stopped, rd, result);
    m.when(!stopped, || pc.set(next));
    m.output("pc", pc);
    m.output("stopped", stopped);
    m.output("result", *result);
    m.finish()
}

/// Registers, program counter and memory, as the manual's text has them.
#[derive(Default)]
struct Interpreter {
    x: [u32; 32],
    pc: u32,
    memory: Vec<u8>,
}

impl Interpreter {
    /// Runs one instruction of those that [`random_program`] makes.
    fn step(&mut self, code: u32) {
        let field = |low: u32, bits: u32| code >> low & ((1 << bits) - 1);
        let (a, b) = (self.x[field(15, 5) as usize], self.x[field(20, 5) as usize]);
        let immediate = (code as i32 >> 20) as u32;
        let (funct3, other) = (field(12, 3), field(30, 1) == 1);
        let compute = |b: u32, other: bool| match funct3 {
            0 if other => a.wrapping_sub(b),
            0 => a.wrapping_add(b),
            1 => a << (b & 31),
            2 => u32::from((a as i32) < b as i32),
            3 => u32::from(a < b),
            4 => a ^ b,
            5 if other => (a as i32 >> (b & 31)) as u32,
            5 => a >> (b & 31),
            6 => a | b,
            _ => a & b,
        };
        let mut next = self.pc.wrapping_add(4);
        let result = match field(0, 7) {
            0x13 => Some(compute(immediate, other && funct3 == 5)),
            0x33 => Some(compute(b, other)),
            0x37 => Some(code & 0xffff_f000),
            0x17 => Some(self.pc.wrapping_add(code & 0xffff_f000)),
            0x63 => {
                let less = if funct3 & 2 == 0 { (a as i32) < b as i32 } else { a < b };
                let holds = (if funct3 & 4 == 0 { a == b } else { less }) != (funct3 & 1 == 1);
                // the programs only jump over the next instruction
                next = self.pc.wrapping_add(if holds { 8 } else { 4 });
                None
            }
            0x6f => {
                next = self.pc.wrapping_add(8);
                Some(self.pc.wrapping_add(4))
            }
            0x23 => {
                let at = (field(25, 7) << 5 | field(7, 5)) as usize;
                self.memory[at..at + (1 << funct3)].copy_from_slice(&b.to_le_bytes()[..1 << funct3]);
                None
            }
            _ => {
                let byte = |k: u32| u32::from(self.memory[(immediate + k) as usize]);
                let half = || byte(1) << 8 | byte(0);
                Some(match funct3 {
                    0 => byte(0) as u8 as i8 as u32,
                    1 => half() as u16 as i16 as u32,
                    2 => byte(3) << 24 | byte(2) << 16 | half(),
                    4 => byte(0),
                    _ => half(),
                })
            }
        };
        if let Some(result) = result.filter(|_| field(7, 5) != 0) {
            self.x[field(7, 5) as usize] = result;
        }
        self.pc = next;
    }
}

/// Instructions of every kind, on few registers so that results meet; memory is addressed from register 0.
fn random_program(numbers: &mut Numbers) -> Vec<u32> {
    let instructions = (0..WORDS - 2).map(|_| {
        let mut below = |limit: usize| numbers.below(limit) as u32;
        let (rd, rs1, rs2, funct3) = (below(8), below(8), below(8), below(8));
        let registers = rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7;
        let size = below(3);
        let at = below(60) << size & 0xfc;
        match below(9) {
            0 | 1 if funct3 % 4 == 1 => below(32) << 20 | (below(2) * (funct3 / 4)) << 30 | registers & 0xf_ff80 | 0x13,
            0 | 1 => below(4096) << 20 | registers & 0xf_ff80 | 0x13,
            2 | 3 => (below(2) * u32::from(funct3 % 5 == 0)) << 30 | registers | 0x33,
            4 => below(1 << 20) << 12 | rd << 7 | if size == 0 { 0x17 } else { 0x37 },
            5 => 8 << 7 | (registers & !(7 << 12) & !(31 << 7)) | [0, 1, 4, 5, 6, 7][below(6) as usize] << 12 | 0x63,
            6 => 8 << 20 | rd << 7 | 0x6f,
            7 => at >> 5 << 25 | rs2 << 20 | size << 12 | (at & 31) << 7 | 0x23,
            _ => at << 20 | [0, 1, 2, 4, 5][below(5) as usize] << 12 | rd << 7 | 0x03,
        }
    });
    instructions.collect()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = Numbers::new(32);
    for _ in 0..12 {
        let program = random_program(&mut numbers);
        let mut bench = Bench::new(&core(&program)?)?;
        let mut expected = Interpreter { memory: vec![0; 4 * WORDS], ..Interpreter::default() };
        bench.reset();
        while let Some(code) = program.get(expected.pc as usize / 4) {
            assert_eq!(bench.get("pc"), i128::from(expected.pc));
            let result = bench.get("result");
            expected.step(*code);
            let rd = (*code >> 7 & 31) as usize;
            if rd != 0 && !matches!(code & 0x7f, 0x63 | 0x23) {
                assert_eq!(result, i128::from(expected.x[rd]), "{code:08x}");
            }
            bench.step();
        }
        bench.wait_for("stopped", 1, 4);
        bench.replay()?;
    }
    println!("twelve random programs ran as the manual says");
    Ok(())
}
