//! Registers with feedback and register files: what control logic and weight stores are made of.

use std::panic::Location;

use super::builder::{Inner, SinkPlaces, anything_in, multiply_driven, range_overflow};
use super::module::{Memory, MemoryWrite, RegisterStyle, State};
use super::{ModuleBuilder, NodeId, Op, Stamp, Value};
use crate::diag::Diagnostic;
use crate::lang::{Operand, Shape};
use crate::num::{Format, Interval};

/// A register whose next value is given later with [`StateHandle::set_next`].
#[derive(Debug, Clone, Copy)]
pub struct StateHandle<'m> {
    value: Value<'m>,
    index: u32,
}

/// A register file.
#[derive(Debug, Clone, Copy)]
pub struct MemoryHandle<'m> {
    builder: &'m ModuleBuilder,
    index: u32,
    format: Format,
}

impl ModuleBuilder {
    /// A register that holds a value of `format` and may depend on itself. Its content is timeless.
    #[track_caller]
    pub fn state(&self, name: &str, format: Format, style: RegisterStyle) -> StateHandle<'_> {
        let place = Location::caller();
        let mut inner = self.inner.borrow_mut();
        inner.check_name("register", name, place);
        if !format.range.contains(style.initial) {
            let initial = Interval::point(style.initial).unwrap_or(format.range);
            let overflow = range_overflow("register", name, format.range, initial, Some(place), place);
            inner.errors.push(overflow);
        }
        let index = inner.module.states.len() as u32;
        inner.module.states.push(State { name: name.to_owned(), range: format.range, next: None, style });
        inner.state_places.push(SinkPlaces { declared: place, driven: None });
        let n = inner.declare(Op::State(index), format.range, Stamp::TIMELESS, place);
        inner.contents.push(n);
        StateHandle { value: Value { builder: self, n, frac: format.frac }, index }
    }

    /// A register file of `depth` words of `format`, written at clock edges and read in the same cycle.
    ///
    /// A word that was never written may read as 0, so its range holds 0 even if `format` does not.
    #[track_caller]
    pub fn memory(&self, name: &str, depth: u32, shape: impl Shape) -> MemoryHandle<'_> {
        let place = Location::caller();
        let format = self.format(name, shape);
        let mut inner = self.inner.borrow_mut();
        inner.check_name("register file", name, place);
        if depth == 0 {
            let message = format!("register file `{name}` has no words");
            inner.errors.push(Diagnostic::error("empty-memory", message).label(Some(place), "declared here"));
        }
        let zero = Interval::point(0).expect("zero is in range");
        let format = Format { range: format.range.union(zero), ..format };
        let index = inner.module.memories.len() as u32;
        inner.module.memories.push(Memory { name: name.to_owned(), depth, range: format.range, write: None });
        inner.memory_places.push(SinkPlaces { declared: place, driven: None });
        MemoryHandle { builder: self, index, format }
    }
}

impl<'m> StateHandle<'m> {
    /// What the register holds in this cycle.
    pub fn value(&self) -> Value<'m> {
        self.value
    }

    /// Loads `next` at every clock edge.
    #[track_caller]
    pub fn set_next(&self, next: impl Operand<'m>) {
        self.drive(next.on(self.value.builder), None, Location::caller());
    }

    /// Loads `next` at clock edges while `enable` is 1.
    #[track_caller]
    pub fn set_next_when(&self, enable: impl Operand<'m>, next: impl Operand<'m>) {
        let builder = self.value.builder;
        self.drive(next.on(builder), Some(enable.on(builder).n), Location::caller());
    }

    pub(crate) fn content(&self) -> &Value<'m> {
        &self.value
    }

    /// Its number in the module.
    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    fn drive(&self, next: Value<'m>, enable: Option<NodeId>, place: &'static Location<'static>) {
        let next = next.aligned_to(self.value.frac, place);
        let mut inner = self.value.builder.inner.borrow_mut();
        inner.check_right_anywhere(next.n, place);
        let (next, enable) = match enable {
            Some(enable) => {
                let [enable, next] = inner.meet([enable, next.n], place);
                (next, Some(enable))
            }
            None => (next.n, None),
        };
        let range = inner.module.graph.range(next);
        let made = inner.module.place_of(next);
        let first = inner.state_places[self.index as usize].driven.replace(place);
        let state = &mut inner.module.states[self.index as usize];
        let error = if let Some(first) = first {
            Some(multiply_driven("register", &state.name, first, place))
        } else if !state.range.covers(range) {
            Some(range_overflow("register", &state.name, state.range, range, made, place))
        } else {
            None
        };
        state.next = Some(next);
        state.style.enable = enable;
        inner.errors.extend(error);
    }
}

impl<'m> MemoryHandle<'m> {
    /// Word `address` in this cycle.
    #[track_caller]
    pub fn read(&self, address: impl Operand<'m>) -> Value<'m> {
        let place = Location::caller();
        let address = address.on(self.builder);
        let mut inner = self.builder.inner.borrow_mut();
        let address = inner.known(address.n);
        inner.check_still_right(&[address], place);
        let error = address_error(&inner, self.index, address, place);
        inner.errors.extend(error);
        let stamp = inner.module.graph.stamp(address);
        let (op, first) = (Op::Read(address, self.index), inner.module.graph.len());
        let n = inner.declare(op, self.format.range, stamp, place);
        inner.mark_as_operands(n, op, first);
        Value { builder: self.builder, n, frac: self.format.frac }
    }

    /// Word `address` becomes `data` at clock edges while `enable` is 1 and the branches hold that this stands in. There
    /// is one write port.
    #[track_caller]
    pub fn write(&self, enable: impl Operand<'m>, address: impl Operand<'m>, data: impl Operand<'m>) {
        let place = Location::caller();
        let (enable, address, data) = (enable.on(self.builder), address.on(self.builder), data.on(self.builder));
        let data = data.aligned_to(self.format.frac, place);
        let mut inner = self.builder.inner.borrow_mut();
        let [address, data] = [address.n, data.n].map(|n| inner.known(n));
        inner.check_still_right(&[address, data], place);
        let error = address_error(&inner, self.index, address, place);
        inner.errors.extend(error);
        let enable = match inner.taken(place) {
            Some(taken) => inner.both(taken, enable.n, place),
            None => enable.n,
        };
        let [enable, address, data] = inner.meet([enable, address, data], place);
        let data_range = inner.module.graph.range(data);
        let made = inner.module.place_of(data);
        let first = inner.memory_places[self.index as usize].driven.replace(place);
        let memory = &mut inner.module.memories[self.index as usize];
        let error = if let Some(first) = first {
            Some(multiply_driven("register file", &memory.name, first, place))
        } else if !memory.range.covers(data_range) {
            Some(range_overflow("register file", &memory.name, memory.range, data_range, made, place))
        } else {
            None
        };
        memory.write = Some(MemoryWrite { enable, address, data });
        inner.errors.extend(error);
    }
}

/// The error of an address that can lie past the last word.
fn address_error(inner: &Inner, memory: u32, address: NodeId, place: &'static Location<'static>) -> Option<Diagnostic> {
    let memory = &inner.module.memories[memory as usize];
    let words = Interval::new(0, i128::from(memory.depth.max(1)) - 1).ok()?;
    let range = inner.module.graph.range(address);
    let made = inner.module.place_of(address);
    (!words.covers(range)).then(|| {
        let message = format!("an address of register file `{}` lies past its last word", memory.name);
        Diagnostic::error("range-overflow", message)
            .label(made, anything_in(range))
            .label(Some(place), format!("`{}` has the addresses {words}", memory.name))
            .help("saturate or wrap the address, or give the register file more words")
    })
}
