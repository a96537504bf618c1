//! Arithmetic on values, registers and signals, with each other and with literals.

use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Neg, Not, Shl, Shr, Sub};
use std::panic::Location;

use super::{Operand, Signal};
use crate::dfg::{NodeId, Op, StateHandle, Value};

impl<'m> Value<'m> {
    /// `op` of both, binary points aligned.
    #[track_caller]
    fn combined(self, other: Self, op: fn(NodeId, NodeId) -> Op) -> Self {
        let place = Location::caller();
        let (a, b) = self.aligned(other, place);
        a.make(op(a.n, b.n), a.frac, place)
    }

    /// The product. Fraction bits add up.
    #[track_caller]
    fn product(self, other: Self, op: fn(NodeId, NodeId) -> Op) -> Self {
        self.make(op(self.n, other.n), self.frac + other.frac, Location::caller())
    }
}

macro_rules! binary {
    ($type:ident: $($trait:ident $method:ident $made:ident $op:ident $doc:literal;)*) => {$(
        impl<'m, T: Operand<'m>> $trait<T> for $type<'m> {
            type Output = Value<'m>;
            #[doc = $doc]
            #[track_caller]
            fn $method(self, other: T) -> Value<'m> {
                let builder = self.builder();
                self.on(builder).$made(other.on(builder), Op::$op)
            }
        }
    )*};
}

macro_rules! operators {
    ($($type:ident)*) => {$(
        binary! { $type:
            Add add combined Add "The exact sum.";
            Sub sub combined Sub "The exact difference.";
            Mul mul product Mul "The exact product. Fraction bits add up.";
            BitAnd bitand combined And "Bitwise, binary points aligned.";
            BitOr bitor combined Or "Bitwise, binary points aligned.";
            BitXor bitxor combined Xor "Bitwise, binary points aligned.";
        }

        impl<'m> Neg for $type<'m> {
            type Output = Value<'m>;
            /// The exact negative.
            #[track_caller]
            fn neg(self) -> Value<'m> {
                let zero = self.builder().constant(0, self.frac());
                zero.combined(self.on(self.builder()), Op::Sub)
            }
        }

        impl<'m> Not for $type<'m> {
            type Output = Value<'m>;
            /// Every bit of the pattern inverted: `2^w - 1 - x` for a value that is never negative, `-1 - x` for others.
            /// The pattern has at least one bit, so that a condition that is known to be 0 becomes 1.
            #[track_caller]
            fn not(self) -> Value<'m> {
                let range = self.range();
                let mask = if range.signed() { -1 } else { (1 << range.width().max(1)) - 1 };
                let mask = self.builder().constant(mask, self.frac());
                self.on(self.builder()).combined(mask, Op::Xor)
            }
        }

        #[allow(clippy::suspicious_arithmetic_impl)] // only the binary point moves
        impl<'m> Shl<u32> for $type<'m> {
            type Output = Value<'m>;
            /// The value times `2^shift`. Only the binary point moves.
            fn shl(self, shift: u32) -> Value<'m> {
                self.with_frac(self.frac() - shift as i32)
            }
        }

        #[allow(clippy::suspicious_arithmetic_impl)] // only the binary point moves
        impl<'m> Shr<u32> for $type<'m> {
            type Output = Value<'m>;
            /// The value divided by `2^shift`, exactly. Only the binary point moves.
            fn shr(self, shift: u32) -> Value<'m> {
                self.with_frac(self.frac() + shift as i32)
            }
        }
    )*};
}

operators! { Value StateHandle Signal }

macro_rules! literal_first {
    ($($trait:ident $method:ident $doc:literal;)*) => {$(
        impl<'m> $trait<Value<'m>> for i128 {
            type Output = Value<'m>;
            #[doc = $doc]
            #[track_caller]
            fn $method(self, other: Value<'m>) -> Value<'m> {
                self.on(other.builder()).$method(other)
            }
        }
    )*};
}

literal_first! {
    Add add "The exact sum.";
    Sub sub "The exact difference.";
    Mul mul "The exact product.";
}

#[cfg(test)]
mod tests {
    use crate::dfg::ModuleBuilder;
    use crate::num::Interval;

    #[test]
    fn what_never_holds_is_inverted_to_what_always_does() {
        let m = ModuleBuilder::new("top");
        let never = m.constant(0, 0);
        assert_eq!((!never).range(), Interval::point(1).unwrap());
        assert_eq!((!!never).range(), Interval::point(0).unwrap());
    }
}
