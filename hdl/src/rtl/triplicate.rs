//! Registers three times, with a majority voter behind: one upset copy changes nothing.
//!
//! The copies of a register `x` are the registers `x_tmr_a`, `x_tmr_b` and `x_tmr_c`, and `x` is their majority. All three
//! load the same in every cycle, so that an upset lasts one cycle. A register that loads only while it is enabled loads the
//! voted value in the other cycles. Copies under reset hold 0: where the register's initial value has ones, they hold the
//! inverted bits. All copies are [`kept`](Register::kept), since synthesis tools merge registers that load the same.

use num_bigint::BigUint;

use super::module::{Cell, List, Module, Net, Register};
use super::names::{Names, given};
use crate::dfg::{Reset, Voted};
use crate::names::Allocator;

/// How the names of a register's copies end.
pub const COPIES: [&str; 3] = ["_tmr_a", "_tmr_b", "_tmr_c"];

/// `source` with the registers that `voted` names three times.
pub fn triplicate(source: &Module, voted: &Voted) -> Module {
    let mut names = Allocator::default();
    given(source).for_each(|name| names.reserve(name));
    let mut pass = Pass { source, made: emptied(source), nets: Vec::with_capacity(source.len()), names };
    let known = Names::new(source);
    for net in source.nets() {
        let made = match source.cell(net) {
            Cell::Register(r) if voted.holds(&known.net(net)) => pass.copies(net, r, &known.net(net)),
            Cell::Register(r) => pass.register(net, r),
            cell => pass.cell(net, cell),
        };
        if let Some(name) = source.name(net) {
            pass.made.names.insert(made, name.to_owned());
        }
        pass.nets.push(made);
    }
    pass.connect();
    pass.made
}

/// The module without nets and registers.
fn emptied(source: &Module) -> Module {
    Module {
        cells: Vec::new(),
        widths: Vec::new(),
        net_scopes: Vec::new(),
        operands: Vec::new(),
        names: Default::default(),
        registers: Vec::new(),
        ..source.clone()
    }
}

struct Pass<'a> {
    source: &'a Module,
    made: Module,
    /// The new net of each net.
    nets: Vec<Net>,
    names: Allocator,
}

impl Pass<'_> {
    fn add(&mut self, like: Net, cell: Cell, width: u32) -> Net {
        let net = Net(self.made.cells.len() as u32);
        self.made.cells.push(cell);
        self.made.widths.push(width);
        self.made.net_scopes.push(self.source.scope(like));
        net
    }

    fn cell(&mut self, net: Net, cell: Cell) -> Net {
        let nets = &self.nets;
        let cell = match cell {
            Cell::Concat(list) => {
                let start = self.made.operands.len() as u32;
                self.made.operands.extend(self.source.list(list).iter().map(|part| nets[part.index()]));
                Cell::Concat(List { start, len: list.len })
            }
            cell => cell.map(|a| nets[a.index()]),
        };
        self.add(net, cell, self.source.width(net))
    }

    /// A register as it is; what it loads is connected when all nets are there.
    fn register(&mut self, net: Net, r: u32) -> Net {
        let k = self.made.registers.len() as u32;
        self.made.registers.push(self.source.registers[r as usize].clone());
        self.add(net, Cell::Register(k), self.source.width(net))
    }

    /// Three registers, and the net of the value that two of them hold.
    fn copies(&mut self, net: Net, r: u32, name: &str) -> Net {
        let width = self.source.width(net);
        let [a, b, c] = COPIES.map(|ending| {
            let copy = self.register(net, r);
            let unique = self.names.allocate(&format!("{name}{ending}"));
            self.made.names.insert(copy, unique);
            self.made.registers.last_mut().expect("just made").kept = true;
            copy
        });
        let both = self.add(net, Cell::And(a, b), width);
        let any = self.add(net, Cell::Or(a, b), width);
        let third = self.add(net, Cell::And(c, any), width);
        let majority = self.add(net, Cell::Or(both, third), width);
        self.inverted(net, r, majority)
    }

    /// `value` as the copies of register `r` hold it, or the other way round.
    fn inverted(&mut self, like: Net, r: u32, value: Net) -> Net {
        let register = &self.source.registers[r as usize];
        if register.reset == Reset::None || register.initial == BigUint::ZERO {
            return value;
        }
        let k = self.made.constants.len() as u32;
        self.made.constants.push(register.initial.clone());
        let width = self.source.width(like);
        let ones = self.add(like, Cell::Const(k), width);
        self.add(like, Cell::Xor(value, ones), width)
    }

    /// Connects what registers, register files, instances and outputs read to the new nets.
    fn connect(&mut self) {
        let mut made = 0;
        for net in self.source.nets() {
            let Cell::Register(r) = self.source.cell(net) else { continue };
            let register = &self.source.registers[r as usize];
            let next = self.nets[register.next.index()];
            let enable = register.enable.map(|net| self.nets[net.index()]);
            if !self.made.registers[made].kept {
                let register = &mut self.made.registers[made];
                (register.next, register.enable) = (next, enable);
                made += 1;
                continue;
            }
            let held = self.nets[net.index()];
            let next = enable.map_or(next, |s| self.add(net, Cell::Mux(s, next, held), self.source.width(net)));
            let next = self.inverted(net, r, next);
            for copy in &mut self.made.registers[made..made + COPIES.len()] {
                let initial = match copy.reset {
                    Reset::None => std::mem::take(&mut copy.initial),
                    _ => BigUint::ZERO,
                };
                *copy = Register { next, enable: None, initial, ..copy.clone() };
            }
            made += COPIES.len();
        }
        let nets = &self.nets;
        let moved = |net: &mut Net| *net = nets[net.index()];
        for memory in &mut self.made.memories {
            let write = &mut memory.write;
            [&mut write.enable, &mut write.address, &mut write.data].into_iter().for_each(moved);
        }
        self.made.instances.iter_mut().flat_map(|i| &mut i.inputs).for_each(moved);
        self.made.outputs.iter_mut().filter_map(|o| o.net.as_mut()).for_each(moved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::behaviour;
    use crate::lower::lower;
    use crate::random::{Numbers, module};
    use crate::rtl::eval::Stepper;
    use crate::rtl::{Design, ones, parse, validate};

    const COUNTER: &str = "\
module m
  clock clk
  reset rst
  input x 4
  input go 1
  %0 4 @0 input 0
  %1 1 @0 input 1
  %2 4 @0 reg 0 = total
  %3 4 @0 reg 1
  %4 4 @0 add %2 %0
  register %4 %1 synchronous 5
  register %2 - none 0
  output y 4 %3
end
";

    fn hardened(text: &str, voted: &Voted) -> Design {
        let mut design = parse(text).unwrap();
        design.modules.iter_mut().for_each(|m| *m = triplicate(m, voted));
        assert_eq!(validate(&design), Ok(()));
        design
    }

    #[test]
    fn chosen_registers_stand_three_times() {
        let named = Voted::Named(["reg3".to_owned()].into());
        let names = |design: &Design| {
            let m = design.top();
            let registers = m.nets().filter(|net| matches!(m.cell(*net), Cell::Register(_)));
            registers.map(|net| Names::new(m).net(net)).collect::<Vec<_>>()
        };
        assert_eq!(names(&hardened(COUNTER, &named)), ["total", "reg3_tmr_a", "reg3_tmr_b", "reg3_tmr_c"]);
        assert_eq!(names(&hardened(COUNTER, &Voted::All)).len(), 6);
        assert_eq!(names(&hardened(COUNTER, &Voted::None)).len(), 2);
    }

    /// Random designs do the same with and without copies, in every cycle.
    #[test]
    fn copies_change_nothing() {
        for seed in 0..40 {
            let mut numbers = Numbers::new(seed);
            let plain = lower(&behaviour(&module("m", &numbers.choices(100)))).unwrap();
            let mut hardened = plain.clone();
            hardened.modules.iter_mut().filter(|m| m.black_box.is_none()).for_each(|m| *m = triplicate(m, &Voted::All));
            assert_eq!(validate(&hardened), Ok(()), "seed {seed}");
            let widths: Vec<u32> = plain.top().inputs.iter().map(|p| p.width).collect();
            let mut both = [&plain, &hardened].map(|design| Stepper::new(design, &Default::default()).unwrap());
            for cycle in 0..12 {
                let inputs: Vec<BigUint> = widths
                    .iter()
                    .map(|&w| (0..w.div_ceil(64)).fold(BigUint::ZERO, |v, _| (v << 64) + numbers.bits()) & ones(w))
                    .collect();
                let [a, b] = both.each_mut().map(|stepper| stepper.step(&inputs, cycle % 5 == 0));
                assert_eq!(a, b, "seed {seed} cycle {cycle}");
            }
        }
    }

    /// Outputs of every cycle, with bit `upset.1` of register `upset.0` inverted before cycle `upset.2`.
    fn run(design: &Design, upset: Option<(usize, u64, usize)>) -> Vec<Vec<BigUint>> {
        let mut stepper = Stepper::new(design, &Default::default()).unwrap();
        let mut numbers = Numbers::new(7);
        let step = |cycle: usize| {
            if let Some((register, bit, at)) = upset
                && at == cycle
            {
                stepper.upset(register, bit);
            }
            let inputs = [BigUint::from(numbers.bits() & 15), BigUint::from(numbers.bits() & 1)];
            stepper.step(&inputs, cycle == 0)
        };
        (0..12).map(step).collect()
    }

    /// How many of all single upsets, of every bit in every cycle, are seen at the outputs.
    fn seen(design: &Design) -> (usize, usize) {
        let good = run(design, None);
        let registers = (0..design.top().registers.len()).flat_map(|r| (0..4).map(move |bit| (r, bit)));
        let upsets = registers.flat_map(|(r, bit)| (1..12).map(move |cycle| Some((r, bit, cycle))));
        upsets.fold((0, 0), |(seen, all), upset| (seen + usize::from(run(design, upset) != good), all + 1))
    }

    #[test]
    fn every_single_upset_is_masked_with_copies_and_none_without() {
        assert_eq!(seen(&hardened(COUNTER, &Voted::All)), (0, 6 * 4 * 11));
        // upset before the last cycle, a bit of the sum is not seen any more
        assert_eq!(seen(&hardened(COUNTER, &Voted::None)), (2 * 4 * 11 - 4, 2 * 4 * 11));
    }
}
