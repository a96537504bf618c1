//! Random modules and inputs for property tests: valid by construction, with every operator, registers, state, register
//! files and instances.
//!
//! A module is a function of a list of numbers. A shorter list and smaller numbers give a simpler module, so a property-test
//! library that shrinks the list shrinks the module.

use std::sync::Arc;

use crate::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, StateHandle, Value};
use crate::num::{Format, Interval, Overflow, Quantiser, Rounding};

/// Widest value that is passed on without being wrapped.
const WIDE: u32 = 60;

/// A source of numbers that is the same on every machine (SplitMix64, Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence number `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    /// A number below `limit`.
    ///
    /// # Panics
    /// If `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// A value of `range`: often an end or near zero, else anything.
    pub fn value(&mut self, range: Interval) -> i128 {
        let span = (range.hi() - range.lo()) as u128 + 1;
        let any = (u128::from(self.bits()) << 64) | u128::from(self.bits());
        match self.bits() % 8 {
            0 => range.lo(),
            1 => range.hi(),
            2 => ((any % 3) as i128 - 1).clamp(range.lo(), range.hi()),
            _ => range.lo() + (any % span) as i128,
        }
    }

    /// One value for each input element of `module`.
    pub fn inputs(&mut self, module: &Module) -> Vec<i128> {
        let formats = module.input_formats();
        formats.map(|f| self.value(f.range)).collect()
    }

    /// `count` numbers to make a module of.
    pub fn choices(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|_| (self.bits() >> 32) as u32).collect()
    }
}

/// The module called `name` that `choices` stand for, with instances of a smaller one if there are enough of them.
pub fn module(name: &str, choices: &[u32]) -> Arc<Module> {
    let (inner, own) = choices.split_at(choices.len() / 4);
    let child = (inner.len() >= 16).then(|| module(&format!("{name}_inner"), inner));
    let builder = ModuleBuilder::new(name);
    let mut maker = Maker { m: &builder, choices: own.iter(), pool: Vec::new() };
    maker.inputs();
    let states = maker.states();
    let mut made = 0;
    while maker.choices.len() > 0 && made < own.len() {
        maker.step(child.as_ref(), made);
        made += 1;
    }
    maker.close(states);
    builder.finish().expect("random modules are valid")
}

struct Maker<'m, 'c> {
    m: &'m ModuleBuilder,
    choices: std::slice::Iter<'c, u32>,
    pool: Vec<Value<'m>>,
}

impl<'m> Maker<'m, '_> {
    /// A number below `count`; 0 once the choices have run out.
    fn below(&mut self, count: u32) -> u32 {
        self.choices.next().map_or(0, |c| c % count)
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    fn format(&mut self) -> Format {
        let width = self.below(11);
        let signed = self.flag();
        let full = Interval::of_width(width, signed).expect("narrow");
        let range = match self.below(3) {
            0 => full,
            _ => {
                let cut = i128::from(self.below(5));
                let (lo, hi) = (full.lo() + cut, full.hi() - i128::from(self.below(7)));
                Interval::new(lo.min(hi), hi.max(lo)).unwrap_or(full)
            }
        };
        Format { range, frac: self.below(4) as i32 - 1 }
    }

    fn inputs(&mut self) {
        for i in 0..=self.below(3) {
            let count = 1 + self.below(3);
            let formats = (0..count).map(|_| self.format()).collect();
            let stamp = crate::dfg::Stamp::at(0);
            let values = self.m.input_port(&format!("x{i}"), formats, stamp);
            self.pool.extend(values);
        }
        if self.below(4) == 1 {
            let enable = self.m.input("enable", Format::BIT);
            self.m.set_pipeline_enable(Some(enable));
        }
    }

    fn style(&mut self, range: Interval) -> RegisterStyle {
        let reset = [Reset::Synchronous, Reset::Asynchronous, Reset::None][self.below(3) as usize];
        let initial = i128::from(self.below(9)).clamp(range.lo(), range.hi());
        RegisterStyle { reset, initial, enable: None }
    }

    fn states(&mut self) -> Vec<(StateHandle<'m>, Format)> {
        let states: Vec<_> = (0..self.below(3))
            .map(|i| {
                let format = self.format();
                let style = self.style(format.range);
                let state = self.m.state(&format!("state{i}"), format, style);
                (state, format)
            })
            .collect();
        self.pool.extend(states.iter().map(|(s, _)| s.value()));
        states
    }

    /// One of the values so far.
    fn any(&mut self) -> Value<'m> {
        let len = self.pool.len();
        let back = self.below(len as u32) as usize;
        self.pool[len - 1 - back]
    }

    /// One that is narrow enough to multiply.
    fn narrow(&mut self) -> Value<'m> {
        let value = self.any();
        if value.range().width() > WIDE / 2 { value.wrap(12, true) } else { value }
    }

    fn bit(&mut self) -> Value<'m> {
        let value = self.any();
        match value.range().width() {
            1 if !value.range().signed() => value,
            _ => value.bit(0),
        }
    }

    /// A value forced into a format.
    fn fitted(&mut self, format: Format) -> Value<'m> {
        self.any().with_frac(format.frac).saturate(format.range)
    }

    fn constant(&mut self) -> Value<'m> {
        let value = i128::from(self.below(700)) - 350;
        let frac = self.below(3) as i32;
        match self.below(3) {
            0 => self.m.constant(0, frac),
            1 => self.m.constant(1 << (value.unsigned_abs() % 9), frac),
            _ => self.m.constant(value, frac),
        }
    }

    fn step(&mut self, child: Option<&Arc<Module>>, made: usize) {
        let scope = format!("part{}", made / 4);
        let values = self.m.scope(&scope, || match self.below(32) {
            28 | 29 => self.memory(made),
            30 | 31 => self.instance(child, made),
            kind => vec![self.operator(kind)],
        });
        for value in values {
            let value = if value.range().width() > WIDE { value.wrap(20, made.is_multiple_of(2)) } else { value };
            if made.is_multiple_of(5) {
                value.named("value");
            }
            self.pool.push(value);
        }
    }

    fn operator(&mut self, kind: u32) -> Value<'m> {
        let a = self.any();
        match kind {
            0 => self.m.full_adder(self.bit(), self.bit(), self.bit()),
            1 => a + self.any(),
            2 => a - self.any(),
            3 => self.narrow() * self.narrow(),
            4 => a + (self.any() << self.below(6)),
            5 => a - (self.any() << self.below(6)),
            6 => a + self.constant(),
            7 => self.constant() - a,
            8 => self.narrow() * self.constant(),
            9 => a & self.any(),
            10 => a | self.any(),
            11 => a ^ self.constant(),
            12 => !a,
            13 => a.lt(self.any()),
            14 => a.ge(self.constant()),
            15 => a.lt(self.constant()),
            16 => a.equals(self.constant()),
            17 => a.equals(self.any()),
            18 => self.any().mux(a, self.any()),
            19 => self.any().mux(self.constant(), a),
            20 => a.min(self.any()),
            21 => a.max(self.constant()),
            22 => a.relu().min(self.m.constant((1 << (1 + self.below(7))) - 1, a.frac())),
            23 => a.abs(),
            24 => self.quantised(),
            25 => self.slices(),
            26 => self.registered(),
            _ => self.lookup(),
        }
    }

    fn slices(&mut self) -> Value<'m> {
        let (a, b) = (self.narrow(), self.narrow());
        match self.below(4) {
            0 => a.concat(b, 1 + self.below(9)),
            1 => a.slice(self.below(12), self.below(6)),
            2 => a.wrap(1 + self.below(9), true),
            _ => a.slice(14, self.below(14)),
        }
    }

    fn quantised(&mut self) -> Value<'m> {
        let rounding = Rounding::ALL[self.below(9) as usize];
        let overflow = Overflow::ALL[self.below(4) as usize];
        self.narrow().quantise(&Quantiser {
            width: 1 + self.below(9),
            signed: self.flag(),
            frac: self.below(4) as i32 - 1,
            rounding,
            overflow,
        })
    }

    fn registered(&mut self) -> Value<'m> {
        let value = self.any();
        if self.flag() {
            return value.delay(1 + self.below(2));
        }
        let style = self.style(value.range());
        value.registered(style)
    }

    fn lookup(&mut self) -> Value<'m> {
        let bits = 1 + self.below(4);
        let scale = i128::from(self.below(40)) - 20;
        let words = 1i128 << bits;
        let table: Vec<i128> = (0..words).map(|i| i * i - scale * i + 3).collect();
        self.narrow().wrap(bits, false).lookup(&table, 1)
    }

    fn memory(&mut self, made: usize) -> Vec<Value<'m>> {
        let depth = 1 + self.below(7);
        let format = self.format();
        let memory = self.m.memory(&format!("file{made}"), depth, format);
        let last = Interval::new(0, i128::from(depth) - 1).expect("small");
        let address = Format::integer(last);
        let (enable, to, data) = (self.bit(), self.fitted(address), self.fitted(format));
        memory.write(enable, to, data);
        let reads = 1 + self.below(2);
        (0..reads).map(|_| memory.read(self.fitted(address))).collect()
    }

    fn instance(&mut self, child: Option<&Arc<Module>>, made: usize) -> Vec<Value<'m>> {
        let Some(child) = child else {
            return vec![self.any().delay(1)];
        };
        let formats: Vec<Format> = child.input_formats().collect();
        let inputs: Vec<Value<'m>> = formats.into_iter().map(|f| self.fitted(f)).collect();
        self.m.instance(child, &format!("u{made}"), &inputs)
    }

    /// Next states and outputs.
    fn close(mut self, states: Vec<(StateHandle<'m>, Format)>) {
        for (state, format) in states {
            let next = self.fitted(format);
            if self.flag() {
                state.set_next_when(self.bit(), next);
            } else {
                state.set_next(next);
            }
        }
        for i in 0..=self.below(3) {
            let count = 1 + self.below(4);
            let values: Vec<Value<'m>> = (0..count).map(|_| self.any()).collect();
            self.m.output_array(&format!("y{i}"), &values);
        }
        let all = Value::sum(&self.pool).expect("there are inputs");
        self.m.output("sum", all.wrap(24, false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::Op;

    #[test]
    fn every_operator_turns_up() {
        let mut numbers = Numbers::new(1);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let module = module("m", &numbers.choices(200));
            let ops = module.graph.nodes().map(|n| module.graph.op(n));
            seen.extend(ops.map(Op::mnemonic));
        }
        let all = "add adder and concat const delay eq input lt max min mul mux or output read shl shr state sub table wrap xor";
        assert_eq!(seen.into_iter().collect::<Vec<_>>().join(" "), all);
    }
}
