//! Values: handles to nodes with a binary point, and the arithmetic on them.
//!
//! No operator loses bits. Where bits are to be dropped, the name says so: see the quantising methods.

use std::panic::Location;

use super::module::RegisterStyle;
use super::{ModuleBuilder, NodeId, Op, Stamp};
use crate::diag::Diagnostic;
use crate::lang::Operand;
use crate::num::{Format, Interval};

/// A number on its way through a module: `n · 2^-frac`.
#[derive(Debug, Clone, Copy)]
pub struct Value<'m> {
    pub(crate) builder: &'m ModuleBuilder,
    pub(crate) n: NodeId,
    pub(crate) frac: i32,
}

type Place = &'static Location<'static>;

impl<'m> Value<'m> {
    /// The node behind the value.
    pub fn node(&self) -> NodeId {
        self.n
    }

    /// The builder that the value belongs to.
    pub fn builder(&self) -> &'m ModuleBuilder {
        self.builder
    }

    /// Fraction bits.
    pub fn frac(&self) -> i32 {
        self.frac
    }

    /// Which integers stand on the wires; inside a branch, those that its condition leaves.
    pub fn range(&self) -> Interval {
        let inner = self.builder.inner.borrow();
        inner.module.graph.range(inner.known(self.n))
    }

    /// Range and binary point.
    pub fn format(&self) -> Format {
        Format { range: self.range(), frac: self.frac }
    }

    /// The cycle in which the value is there.
    pub fn stamp(&self) -> Stamp {
        self.builder.inner.borrow().module.graph.stamp(self.n)
    }

    /// Gives the value a name that shows in Verilog.
    #[track_caller]
    pub fn named(self, name: &str) -> Self {
        let mut inner = self.builder.inner.borrow_mut();
        inner.check_name("value", name, Location::caller());
        inner.module.side.names.entry(self.n).or_insert_with(|| name.to_owned());
        self
    }

    /// The same bits with the binary point moved so that there are `frac` fraction bits. Costs nothing.
    #[must_use]
    pub fn with_frac(self, frac: i32) -> Self {
        Self { frac, ..self }
    }

    /// The same number with `frac` fraction bits, zeros appended; an error if it has more already.
    #[track_caller]
    #[must_use]
    pub fn extended(self, frac: i32) -> Self {
        self.aligned_to(frac, Location::caller())
    }

    /// The value that this one is `2^s` times, and `s`, if it was made so.
    pub fn unshifted(self) -> (Self, u32) {
        match self.builder.inner.borrow().module.graph.op(self.n) {
            Op::Shl(n, s) => (Self { n, ..self }, s),
            _ => (self, 0),
        }
    }

    /// `cycles` cycles later.
    #[track_caller]
    #[must_use]
    pub fn delay(self, cycles: u32) -> Self {
        let place = Location::caller();
        let mut inner = self.builder.inner.borrow_mut();
        let style = inner.pipeline_style();
        let n = (0..cycles).fold(self.n, |n, _| inner.register(n, style, place));
        Self { n, ..self }
    }

    /// One cycle later, in a register that may have a reset; an enable is given by [`ModuleBuilder::state`].
    #[track_caller]
    #[must_use]
    pub fn registered(self, style: RegisterStyle) -> Self {
        let n = self.builder.inner.borrow_mut().register(self.n, style, Location::caller());
        Self { n, ..self }
    }

    /// 1 if the value is less.
    #[track_caller]
    pub fn lt(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        self.compare(other, Op::Lt, Location::caller())
    }

    /// 1 if the value is greater.
    #[track_caller]
    pub fn gt(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        other.compare(self, Op::Lt, Location::caller())
    }

    /// 1 if the value is less or equal.
    #[track_caller]
    pub fn le(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        let place = Location::caller();
        other.compare(self, Op::Lt, place).inverted(place)
    }

    /// 1 if the value is greater or equal.
    #[track_caller]
    pub fn ge(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        let place = Location::caller();
        self.compare(other, Op::Lt, place).inverted(place)
    }

    /// 1 if both are equal.
    #[track_caller]
    pub fn equals(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        self.compare(other, Op::Eq, Location::caller())
    }

    /// 1 if they differ.
    #[track_caller]
    pub fn differs(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        let place = Location::caller();
        self.compare(other, Op::Eq, place).inverted(place)
    }

    /// `then` if this value is not 0, else `otherwise`.
    #[track_caller]
    pub fn mux(self, then: impl Operand<'m>, otherwise: impl Operand<'m>) -> Self {
        let place = Location::caller();
        let (a, b) = then.on(self.builder).aligned(otherwise.on(self.builder), place);
        a.make(Op::Mux(self.n, a.n, b.n), a.frac, place)
    }

    /// The lesser of both.
    #[track_caller]
    pub fn min(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        let place = Location::caller();
        let (a, b) = self.aligned(other, place);
        a.make(Op::Min(a.n, b.n), a.frac, place)
    }

    /// The greater of both.
    #[track_caller]
    pub fn max(self, other: impl Operand<'m>) -> Self {
        let other = other.on(self.builder);
        let place = Location::caller();
        let (a, b) = self.aligned(other, place);
        a.make(Op::Max(a.n, b.n), a.frac, place)
    }

    /// The value without its sign.
    #[track_caller]
    pub fn abs(self) -> Self {
        self.max(-self)
    }

    /// `max(self, 0)`.
    #[track_caller]
    pub fn relu(self) -> Self {
        self.max(self.builder.constant(0, self.frac))
    }

    /// Bits `high` down to `low` of the two's-complement pattern, as an unsigned integer.
    #[track_caller]
    pub fn slice(self, high: u32, low: u32) -> Self {
        let place = Location::caller();
        let shifted = self.make(Op::Shr(self.n, low), 0, place);
        let width = (high + 1).saturating_sub(low).min(u32::from(u8::MAX)) as u8;
        shifted.make(Op::Wrap(shifted.n, width, false), 0, place)
    }

    /// Bit `index` of the two's-complement pattern.
    #[track_caller]
    pub fn bit(self, index: u32) -> Self {
        self.slice(index, index)
    }

    /// This value's pattern above the low `width` bits of `low`'s; the fraction bits are `low`'s.
    #[track_caller]
    pub fn concat(self, low: impl Operand<'m>, width: u32) -> Self {
        let low = low.on(self.builder);
        let width = width.min(u32::from(u8::MAX)) as u8;
        self.make(Op::Concat(self.n, low.n, width), low.frac, Location::caller())
    }

    /// Entry number `self` of `values`, each with `frac` fraction bits. The index is the integer on the wires.
    #[track_caller]
    pub fn lookup(self, values: &[i128], frac: i32) -> Self {
        let table = self.builder.inner.borrow_mut().module.graph.add_table(values.to_vec());
        self.make(Op::Table(self.n, table), frac, Location::caller())
    }

    /// Element number `self` of `values`, by a tree of multiplexers. The last one answers an index past the end.
    ///
    /// # Panics
    /// If `values` is empty.
    #[track_caller]
    pub fn select(self, values: &[Self]) -> Self {
        let place = Location::caller();
        let mut level = values.to_vec();
        let mut bit = 0;
        while level.len() > 1 {
            let choose = self.slice(bit, bit);
            level = level
                .chunks(2)
                .map(|pair| match *pair {
                    [even, odd] => {
                        let (odd, even) = odd.aligned(even, place);
                        odd.make(Op::Mux(choose.n, odd.n, even.n), odd.frac, place)
                    }
                    _ => pair[0],
                })
                .collect();
            bit += 1;
        }
        level[0]
    }

    /// Combines `values` pairwise in a balanced tree; `None` if there are none.
    pub fn tree(values: &[Self], mut combine: impl FnMut(Self, Self) -> Self) -> Option<Self> {
        let mut level = values.to_vec();
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| if let [a, b] = *pair { combine(a, b) } else { pair[0] }).collect();
        }
        level.first().copied()
    }

    /// The sum of `values` in a balanced tree; `None` if there are none.
    #[track_caller]
    pub fn sum(values: &[Self]) -> Option<Self> {
        let place = Location::caller();
        Self::tree(values, |a, b| {
            let (a, b) = a.aligned(b, place);
            a.make(Op::Add(a.n, b.n), a.frac, place)
        })
    }

    /// A new value of the same builder.
    pub(crate) fn make(self, op: Op, frac: i32, place: Place) -> Self {
        Self { builder: self.builder, n: self.builder.inner.borrow_mut().add(op, place), frac }
    }

    /// Both with the same binary point, the one with fewer fraction bits shifted up.
    pub(crate) fn aligned(self, other: Self, place: Place) -> (Self, Self) {
        let frac = self.frac.max(other.frac);
        (self.shifted_up(frac, place), other.shifted_up(frac, place))
    }

    fn shifted_up(self, frac: i32, place: Place) -> Self {
        self.make(Op::Shl(self.n, frac.abs_diff(self.frac)), frac, place)
    }

    /// With exactly `frac` fraction bits; an error if bits would be lost.
    pub(crate) fn aligned_to(self, frac: i32, place: Place) -> Self {
        if self.frac <= frac {
            return self.shifted_up(frac, place);
        }
        let mut inner = self.builder.inner.borrow_mut();
        let made = inner.module.place_of(self.n);
        inner.errors.push(
            Diagnostic::error("fraction-lost", format!("{} fraction bits do not fit {frac}", self.frac))
                .label(made, "made here")
                .label(Some(place), "used here")
                .help("round or truncate the value explicitly"),
        );
        Self { frac, ..self }
    }

    fn compare(self, other: Self, op: fn(NodeId, NodeId) -> Op, place: Place) -> Self {
        let (a, b) = self.aligned(other, place);
        a.make(op(a.n, b.n), 0, place)
    }

    fn inverted(self, place: Place) -> Self {
        let one = self.builder.constant(1, 0);
        self.make(Op::Xor(self.n, one.n), 0, place)
    }
}
