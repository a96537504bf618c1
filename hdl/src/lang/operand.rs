//! What an operator takes besides a value: a register, a signal, a literal.

use super::Signal;
use crate::dfg::{ModuleBuilder, StateHandle, Value};

/// Something that stands for a value of the module under construction.
///
/// A literal is an exact integer whatever the binary point of the other operand: `x + 1` adds one, not one unit of the
/// last place. Literals are `i128`; numbers of other types are converted with `i128::from`.
pub trait Operand<'m>: Copy {
    /// The value in `m`.
    fn on(self, m: &'m ModuleBuilder) -> Value<'m>;
}

impl<'m> Operand<'m> for Value<'m> {
    fn on(self, _: &'m ModuleBuilder) -> Value<'m> {
        self
    }
}

impl<'m> Operand<'m> for StateHandle<'m> {
    fn on(self, _: &'m ModuleBuilder) -> Value<'m> {
        self.value()
    }
}

impl<'m> Operand<'m> for Signal<'m> {
    fn on(self, _: &'m ModuleBuilder) -> Value<'m> {
        *self
    }
}

impl<'m> Operand<'m> for i128 {
    #[track_caller]
    fn on(self, m: &'m ModuleBuilder) -> Value<'m> {
        m.constant(self, 0)
    }
}

impl<'m> Operand<'m> for bool {
    #[track_caller]
    fn on(self, m: &'m ModuleBuilder) -> Value<'m> {
        m.constant(i128::from(self), 0)
    }
}
