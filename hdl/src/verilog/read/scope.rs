//! The names of one module, and expressions over them as nets.

use std::collections::HashMap;

use num_bigint::BigUint;

use super::Place;
use super::ast::{Expr, Function, ModuleText, Port, Range};
use super::elaborate::fail;
use super::parse::Parsed;
use crate::dfg::Reset;
use crate::rtl::{Builder, Cell, Memory, MemoryWrite, Module, Net, Output, Register};

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
enum Thing {
    Net(Net),
    /// A wire that an instance is still to drive, with its width.
    Undriven(u32),
    Parameter(i64),
    Memory(u32),
    /// A table's function, with the width of its index and of its words.
    Table(u32, u32, u32),
}

/// A module in the making.
pub(super) struct Scope<'a> {
    pub builder: Builder,
    /// Where the item stands that is being read.
    pub place: Place,
    things: HashMap<&'a str, Thing>,
    outputs: HashMap<&'a str, Option<Net>>,
    widths: HashMap<&'a str, u32>,
    /// Registers that have what they load.
    pub loaded: Vec<bool>,
    pub stored: Vec<bool>,
}

impl<'a> Scope<'a> {
    pub fn new(name: String, parameters: &[(&'a str, i64)]) -> Self {
        Self {
            builder: Builder::new(&name, vec![String::new()]),
            place: Place::default(),
            things: parameters.iter().map(|(name, value)| (*name, Thing::Parameter(*value))).collect(),
            outputs: HashMap::new(),
            widths: HashMap::new(),
            loaded: Vec::new(),
            stored: Vec::new(),
        }
    }

    pub fn clock(&mut self, name: &str) -> Parsed<()> {
        let place = self.place;
        match self.builder.module.clock.get_or_insert_with(|| name.to_owned()) == name {
            true => Ok(()),
            false => fail(place, format!("`{name}` is a second clock")),
        }
    }

    pub fn reset(&mut self, name: &str) -> Parsed<()> {
        let place = self.place;
        match self.builder.module.reset.get_or_insert_with(|| name.to_owned()) == name {
            true => Ok(()),
            false => fail(place, format!("`{name}` is a second reset")),
        }
    }

    /// Whether the name is that of clock or reset.
    pub fn is_clock(&self, name: &str) -> bool {
        let module = &self.builder.module;
        module.clock.iter().chain(&module.reset).any(|own| own == name)
    }

    fn define(&mut self, name: &'a str, thing: Thing) -> Parsed<()> {
        if self.outputs.contains_key(name) || self.things.insert(name, thing).is_some() {
            return fail(self.place, format!("`{name}` is declared twice"));
        }
        Ok(())
    }

    pub fn ports(&mut self, ports: &[Port<'a>]) -> Parsed<()> {
        for port in ports {
            self.place = port.place;
            let width = self.width(&port.range)?;
            let is = |own: &Option<String>| own.as_deref() == Some(port.name);
            let is_clock = is(&self.builder.module.clock) || is(&self.builder.module.reset);
            match (port.is_input, is_clock) {
                (true, true) if width != 1 => return fail(port.place, "clock and reset have one bit"),
                (true, true) => {}
                (true, false) => {
                    let net = self.builder.input(port.name, width);
                    self.define(port.name, Thing::Net(net))?;
                }
                (false, _) if self.things.contains_key(port.name) || self.outputs.contains_key(port.name) => {
                    return fail(port.place, format!("`{}` is declared twice", port.name));
                }
                (false, _) => {
                    self.outputs.insert(port.name, None);
                    self.widths.insert(port.name, width);
                }
            }
        }
        Ok(())
    }

    /// A number without width.
    fn plain(&self, value: &Expr<'a>) -> Parsed<i64> {
        let number = match value {
            Expr::Plain(number) => Some(*number),
            Expr::Name(name) => match self.things.get(name) {
                Some(Thing::Parameter(value)) => Some(*value),
                _ => None,
            },
            Expr::Binary(operator, both) => {
                let (a, b) = (self.plain(&both[0])?, self.plain(&both[1])?);
                match *operator {
                    "+" => a.checked_add(b),
                    "-" => a.checked_sub(b),
                    "==" => Some(i64::from(a == b)),
                    _ => None,
                }
            }
            _ => None,
        };
        number.map_or_else(|| fail(self.place, "a number without width is expected here"), Ok)
    }

    fn position(&self, value: &Expr<'a>) -> Parsed<u32> {
        let number = self.plain(value)?;
        match u32::try_from(number) {
            Ok(number) if number < super::MAX_WIDTH => Ok(number),
            _ => fail(self.place, format!("{number} is no place of a bit")),
        }
    }

    fn width(&self, range: &Range<'a>) -> Parsed<u32> {
        match range {
            None => Ok(1),
            Some((high, low)) => match self.position(low)? {
                0 => Ok(self.position(high)? + 1),
                _ => fail(self.place, "a range ends with 0"),
            },
        }
    }

    pub fn wire(&mut self, name: &'a str, range: &Range<'a>, value: Option<&Expr<'a>>) -> Parsed<()> {
        let width = self.width(range)?;
        let thing = match value {
            None => Thing::Undriven(width),
            // a second name of the reset
            Some(Expr::Name(port)) if self.builder.module.reset.as_deref() == Some(port) => return Ok(()),
            // the net that reads what nothing else reads
            Some(Expr::Unary("&", all)) if matches!(&**all, Expr::Concat(parts) if is_zero(&parts[0])) => {
                Thing::Net(self.builder.integer(0, 1))
            }
            Some(value) => Thing::Net(self.value(value, width)?),
        };
        self.define(name, thing)
    }

    pub fn register(&mut self, name: &'a str, range: &Range<'a>) -> Parsed<()> {
        let width = self.width(range)?;
        let index = self.builder.module.registers.len() as u32;
        let net = self.builder.add(Cell::Register(index), width);
        self.builder.name(net, name.to_owned());
        let register = Register { next: net, enable: None, reset: Reset::None, initial: BigUint::ZERO };
        self.builder.module.registers.push(register);
        self.loaded.push(false);
        self.define(name, Thing::Net(net))
    }

    pub fn memory(&mut self, name: &'a str, range: &Range<'a>, words: &Range<'a>) -> Parsed<()> {
        let width = self.width(range)?;
        let depth = match words {
            Some((first, last)) if self.position(first)? == 0 => self.position(last)? + 1,
            _ => return fail(self.place, "a register file begins with word 0"),
        };
        let index = self.builder.module.memories.len() as u32;
        let write = MemoryWrite { enable: Net(0), address: Net(0), data: Net(0) };
        self.builder.module.memories.push(Memory { name: name.to_owned(), depth, width, write });
        self.stored.push(false);
        self.define(name, Thing::Memory(index))
    }

    pub fn table(&mut self, function: &Function<'a>) -> Parsed<()> {
        let (width, bits) = (self.width(&function.range)?, self.width(&function.index)?);
        let mut words = Vec::with_capacity(function.cases.len());
        let sized = |word: &Expr<'a>| match word {
            Expr::Sized(w, value) if *w == width => Some(value.clone()),
            _ => None,
        };
        for (k, (at, word)) in function.cases.iter().enumerate() {
            match sized(word) {
                Some(word) if *at == BigUint::from(k) => words.push(word),
                _ => return fail(self.place, format!("case {k} of `{}` is expected in its place", function.name)),
            }
        }
        let whole = bits < 32 && words.len() as u64 == 1 << bits;
        let zero = function.default.as_ref().map(|word| sized(word).is_some_and(|v| v == BigUint::ZERO));
        if words.is_empty() || bits < 32 && words.len() as u64 > 1 << bits || zero != (!whole).then_some(true) {
            return fail(self.place, format!("the cases of `{}` are not all words, or a default of 0", function.name));
        }
        let table = self.builder.table(words);
        self.define(function.name, Thing::Table(table, bits, width))
    }

    pub fn assign(&mut self, name: &'a str, value: &Expr<'a>) -> Parsed<()> {
        let Some(&width) = self.widths.get(name) else {
            return fail(self.place, format!("`{name}` is no output port"));
        };
        let net = self.value(value, width)?;
        match self.outputs.insert(name, Some(net)) {
            Some(None) => Ok(()),
            _ => fail(self.place, format!("`{name}` is driven twice")),
        }
    }

    /// Lets `net` drive what an instance's output is connected to.
    pub fn drive(&mut self, target: &Expr<'a>, net: Net) -> Parsed<()> {
        let width = self.builder.module.width(net);
        match target {
            Expr::Name(name) => match self.things.get(name) {
                Some(Thing::Undriven(declared)) if *declared == width => {
                    self.things.insert(name, Thing::Net(net));
                    Ok(())
                }
                _ => fail(self.place, format!("`{name}` is no wire of {width} bits without driver")),
            },
            _ => fail(self.place, "an instance's output is connected to a wire"),
        }
    }

    /// The register behind a name.
    pub fn register_of(&self, name: &str) -> Option<usize> {
        match self.things.get(name) {
            Some(Thing::Net(net)) => match self.builder.module.cell(*net) {
                Cell::Register(r) => Some(r as usize),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn memory_of(&self, name: &str) -> Option<usize> {
        match self.things.get(name) {
            Some(Thing::Memory(m)) => Some(*m as usize),
            _ => None,
        }
    }

    /// The finished module; what must be driven is.
    pub fn finish(mut self, text: &ModuleText<'a>) -> Parsed<Module> {
        if let Some(r) = self.loaded.iter().position(|loaded| !loaded) {
            return fail(text.place, format!("register {r} of `{}` loads nothing", text.name));
        }
        let is_input = |name: &&String| text.ports.iter().any(|p| p.is_input && p.name == **name);
        let module = &self.builder.module;
        if let Some(other) = module.clock.iter().chain(&module.reset).find(|name| !is_input(name)) {
            return fail(text.place, format!("clock or reset `{other}` of `{}` is no input port", text.name));
        }
        if self.stored.iter().any(|stored| !stored) {
            return fail(text.place, format!("a register file of `{}` is never written", text.name));
        }
        for port in text.ports.iter().filter(|p| !p.is_input) {
            let Some(net) = self.outputs[port.name] else {
                return fail(port.place, format!("output `{}` is not driven", port.name));
            };
            let width = self.widths[port.name];
            self.builder.module.outputs.push(Output { name: port.name.to_owned(), width, net: Some(net) });
        }
        Ok(self.builder.module)
    }

    /// `value` as a net of `width` bits.
    pub fn value(&mut self, value: &Expr<'a>, width: u32) -> Parsed<Net> {
        let net = self.net(value)?;
        match self.builder.module.width(net) {
            found if found == width => Ok(net),
            found => fail(self.place, format!("{width} bits are wanted, these are {found} bits")),
        }
    }

    fn net(&mut self, value: &Expr<'a>) -> Parsed<Net> {
        match value {
            Expr::Name(name) => self.named(name),
            Expr::Sized(width, value) => Ok(self.builder.constant(value.clone(), *width)),
            Expr::Plain(_) => fail(self.place, "a number needs its width here"),
            Expr::Element(name, index) => match self.memory_of(name) {
                Some(m) => {
                    let address = self.net(index)?;
                    let width = self.builder.module.memories[m].width;
                    Ok(self.builder.add(Cell::Read(address, m as u32), width))
                }
                None => {
                    let bit = self.position(index)?;
                    self.part(name, bit, bit)
                }
            },
            Expr::Part(name, high, low) => {
                let (high, low) = (self.position(high)?, self.position(low)?);
                self.part(name, high, low)
            }
            Expr::Concat(parts) => {
                let parts = parts.iter().map(|part| self.net(part)).collect::<Parsed<Vec<_>>>()?;
                Ok(self.builder.concat(&parts))
            }
            Expr::Repeat(count, part) => {
                let (count, part) = (self.position(count)?, self.net(part)?);
                match u64::from(count) * u64::from(self.builder.module.width(part)) {
                    0 => fail(self.place, "nothing is repeated"),
                    wide if wide > u64::from(super::MAX_WIDTH) => fail(self.place, "this is too wide"),
                    _ => Ok(self.builder.concat(&vec![part; count as usize])),
                }
            }
            Expr::Unary(operator, a) => self.unary(operator, a),
            Expr::Binary(operator, both) => self.binary(operator, &both[0], &both[1]),
            Expr::Choice(parts) => self.choice(parts),
            Expr::Signed(_) => fail(self.place, "a signed value is compared or multiplied with another one only"),
            Expr::Call(name, index) => match self.things.get(name) {
                Some(&Thing::Table(table, bits, width)) => {
                    let index = self.value(index, bits)?;
                    Ok(self.builder.add(Cell::Table(index, table), width))
                }
                _ => fail(self.place, format!("there is no function `{name}`")),
            },
        }
    }

    fn named(&self, name: &str) -> Parsed<Net> {
        match self.things.get(name) {
            Some(Thing::Net(net)) => Ok(*net),
            Some(Thing::Undriven(_)) => fail(self.place, format!("`{name}` is read before it is driven")),
            _ => fail(self.place, format!("there is no net `{name}` here")),
        }
    }

    fn part(&mut self, name: &str, high: u32, low: u32) -> Parsed<Net> {
        let net = self.named(name)?;
        let width = self.builder.module.width(net);
        if high >= width || low > high {
            return fail(
                self.place,
                format!("`{name}` of {width} bits has no bit {high}, or none from there to {low}"),
            );
        }
        Ok(self.builder.slice(net, low, high - low + 1))
    }

    fn unary(&mut self, operator: &str, a: &Expr<'a>) -> Parsed<Net> {
        let a = self.net(a)?;
        let width = self.builder.module.width(a);
        Ok(match operator {
            "~" => self.builder.add(Cell::Not(a), width),
            "&" => self.builder.add(Cell::ReduceAnd(a), 1),
            "|" => self.builder.add(Cell::ReduceOr(a), 1),
            _ => {
                let zero = self.builder.integer(0, width);
                self.builder.add(Cell::Sub(zero, a), width)
            }
        })
    }

    fn binary(&mut self, operator: &str, a: &Expr<'a>, b: &Expr<'a>) -> Parsed<Net> {
        let (inner, signed) = match (a, b) {
            (Expr::Signed(a), Expr::Signed(b)) => ([&**a, &**b], true),
            _ => ([a, b], false),
        };
        let [a, b] = [self.net(inner[0])?, self.net(inner[1])?];
        let [wa, wb] = [a, b].map(|net| self.builder.module.width(net));
        if wa != wb {
            return fail(self.place, format!("`{operator}` joins {wa} and {wb} bits"));
        }
        let (cell, width) = match (operator, signed) {
            ("&", false) => (Cell::And(a, b), wa),
            ("|", false) => (Cell::Or(a, b), wa),
            ("^", false) => (Cell::Xor(a, b), wa),
            ("+", false) => (Cell::Add(a, b), wa),
            ("-", false) => (Cell::Sub(a, b), wa),
            ("*", _) => (Cell::Mul(a, b), wa),
            ("==", false) => (Cell::Eq(a, b), 1),
            ("<", false) => (Cell::LtUnsigned(a, b), 1),
            ("<", true) => (Cell::LtSigned(a, b), 1),
            _ => return fail(self.place, format!("`{operator}` of signed values is not written by hwgen")),
        };
        Ok(self.builder.add(cell, width))
    }

    /// A selection, or the one of two expressions that parameters choose.
    fn choice(&mut self, [condition, then, other]: &[Expr<'a>; 3]) -> Parsed<Net> {
        if let Ok(known) = self.plain(condition) {
            return self.net(if known != 0 { then } else { other });
        }
        let (s, a) = (self.value(condition, 1)?, self.net(then)?);
        let width = self.builder.module.width(a);
        let b = self.value(other, width)?;
        Ok(self.builder.add(Cell::Mux(s, a, b), width))
    }
}

fn is_zero(value: &Expr<'_>) -> bool {
    matches!(value, Expr::Sized(1, value) if *value == BigUint::ZERO)
}
