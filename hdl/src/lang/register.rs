//! Registers and signals that are assigned under conditions, the last assignment holding.

use std::ops::Deref;
use std::panic::Location;

use super::control::Target;
use super::{Operand, Shape};
use crate::dfg::{ModuleBuilder, Op, RegisterStyle, Reset, StateHandle, Value};
use crate::num::{Format, Interval};

/// A value within a cycle that has a default and is assigned under conditions with [`Signal::set`].
///
/// It may be read before it is assigned: what is read is what the cycle ends with.
#[derive(Debug, Clone, Copy)]
pub struct Signal<'m> {
    value: Value<'m>,
    wire: u32,
}

impl<'m> Deref for Signal<'m> {
    type Target = Value<'m>;
    fn deref(&self) -> &Value<'m> {
        &self.value
    }
}

impl<'m> Deref for StateHandle<'m> {
    type Target = Value<'m>;
    fn deref(&self) -> &Value<'m> {
        self.content()
    }
}

impl ModuleBuilder {
    /// A register that holds what was last [`set`](StateHandle::set), in which it may read itself.
    ///
    /// It is reset synchronously to the number of its range that is nearest to 0; see [`StateHandle::reset`] for others.
    ///
    /// Its content is *timeless*: it belongs to no sample, and goes with values of any cycle without delay registers.
    /// What is set must all belong to one cycle, since the register keeps what it holds in between: an assignment that
    /// came a cycle later than its condition would be lost. Pipelining leaves the loop through a register as it is.
    ///
    /// ```
    /// use hdl::{ModuleBuilder, Stepper};
    ///
    /// let m = ModuleBuilder::new("decade");
    /// let count = m.reg("count", 0..=9);
    /// m.when(count.equals(9), || count.set(0)).otherwise(|| count.set(count + 1)); // here count is at most 8
    /// m.output("count", count);
    /// let mut decade = Stepper::new(&m.finish().unwrap()).unwrap();
    /// let counted: Vec<i128> = (0..12).map(|_| decade.step(&[], false)[0]).collect();
    /// assert_eq!(counted, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    /// ```
    #[track_caller]
    pub fn reg(&self, name: &str, shape: impl Shape) -> StateHandle<'_> {
        let format = self.format(name, shape);
        let initial = 0i128.clamp(format.range.lo(), format.range.hi());
        self.state(name, format, RegisterStyle { reset: Reset::Synchronous, initial, enable: None })
    }

    /// A signal that is `default` in every cycle in which nothing else is [`set`](Signal::set).
    ///
    /// ```
    /// use hdl::{ModuleBuilder, dfg::eval, u};
    ///
    /// let m = ModuleBuilder::new("highest");
    /// let requests = m.input("requests", u(4));
    /// let grant = m.signal("grant", 0..=4, 0);
    /// for k in 0..4 {
    ///     m.when(requests.bit(k), || grant.set(i128::from(k) + 1)); // the last one wins
    /// }
    /// m.output("grant", grant);
    /// let module = m.finish().unwrap();
    /// assert_eq!(eval::evaluate(&module, &[0b0110]).unwrap(), [3]);
    /// assert_eq!(eval::evaluate(&module, &[0]).unwrap(), [0]);
    /// ```
    #[track_caller]
    pub fn signal<'m>(&'m self, name: &str, shape: impl Shape, default: impl Operand<'m>) -> Signal<'m> {
        let place = Location::caller();
        let format = self.format(name, shape);
        let value = self.wire(name, format);
        let default = default.on(self).aligned_to(value.frac, place);
        let mut inner = self.inner.borrow_mut();
        let Op::Wire(wire) = inner.module.graph.op(value.n) else { unreachable!("a forward reference was declared") };
        let default = inner.known(default.n);
        inner.check_driven_range("signal", wire as usize, default, place);
        inner.control.defaults.insert(wire, default);
        Signal { value, wire }
    }

    /// The format of `shape`, or of a bit if it has none, which is then an error.
    #[track_caller]
    pub(crate) fn format(&self, name: &str, shape: impl Shape) -> Format {
        let place = Location::caller();
        shape.format().unwrap_or_else(|_| {
            let message = format!("`{name}` can hold no number: its range is empty or too wide");
            let error = crate::Diagnostic::error("bad-range", message).label(Some(place), "declared here");
            self.inner.borrow_mut().errors.push(
                error.help(format!("give the least number first, and no more than {} bits", crate::num::MAX_BITS)),
            );
            Format::BIT
        })
    }
}

impl<'m> StateHandle<'m> {
    /// Loads `next` at the clock edge, if the branches hold that this stands in; else keeps its value. A later `set`
    /// takes precedence.
    #[track_caller]
    pub fn set(&self, next: impl Operand<'m>) {
        let place = Location::caller();
        let next = next.on(self.builder()).aligned_to(self.frac(), place);
        self.builder().inner.borrow_mut().assign(Target::State(self.index()), next.n, place);
    }

    /// The same register with `value` under reset, in units of the last place.
    #[track_caller]
    #[must_use]
    pub fn reset(self, value: i128) -> Self {
        let place = Location::caller();
        let mut inner = self.builder().inner.borrow_mut();
        let state = &mut inner.module.states[self.index() as usize];
        state.style.initial = value;
        if !state.range.contains(value) {
            let (name, declared) = (state.name.clone(), state.range);
            let initial = Interval::point(value).unwrap_or(declared);
            let error = crate::dfg::range_overflow("register", &name, declared, initial, Some(place), place);
            inner.errors.push(error);
        }
        drop(inner);
        self
    }

    /// The same register, reset in another way.
    #[must_use]
    pub fn reset_by(self, reset: Reset) -> Self {
        self.builder().inner.borrow_mut().module.states[self.index() as usize].style.reset = reset;
        self
    }
}

impl<'m> Signal<'m> {
    /// Is `value` in this cycle, if the branches hold that this stands in. A later `set` takes precedence.
    #[track_caller]
    pub fn set(&self, value: impl Operand<'m>) {
        let place = Location::caller();
        let value = value.on(self.builder()).aligned_to(self.frac(), place);
        self.builder().inner.borrow_mut().assign(Target::Wire(self.wire), value.n, place);
    }
}
