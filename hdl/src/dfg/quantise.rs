//! Changes of number format: the only operators that lose bits, each built from exact ones.

use std::panic::Location;

use super::{Op, Value};
use crate::num::{Interval, Overflow, Quantiser, Rounding};

type Place = &'static Location<'static>;

impl Value<'_> {
    /// With `frac` fraction bits, dropped ones truncated toward minus infinity.
    #[track_caller]
    pub fn truncate(self, frac: i32) -> Self {
        self.rounded(frac, Rounding::Floor, Location::caller())
    }

    /// With `frac` fraction bits, dropped ones rounded as `rounding` says.
    #[track_caller]
    pub fn round(self, frac: i32, rounding: Rounding) -> Self {
        self.rounded(frac, rounding, Location::caller())
    }

    /// Clamped into `range`, counted in units of the last place.
    #[track_caller]
    pub fn saturate(self, range: Interval) -> Self {
        self.clamped(range, Location::caller())
    }

    /// The low `width` bits, read as unsigned or two's complement.
    #[track_caller]
    pub fn wrap(self, width: u32, signed: bool) -> Self {
        self.make(Op::Wrap(self.n, width.min(u32::from(u8::MAX)) as u8, signed), self.frac, Location::caller())
    }

    /// In the format of `quantiser`: rounded first, then forced into its range.
    #[track_caller]
    pub fn quantise(self, quantiser: &Quantiser) -> Self {
        let place = Location::caller();
        let rounded = self.rounded(quantiser.frac, quantiser.rounding, place);
        let limits = quantiser.overflow.limits(quantiser.width, quantiser.signed);
        match quantiser.overflow {
            Overflow::Wrap => {
                rounded.make(Op::Wrap(rounded.n, quantiser.width as u8, quantiser.signed), rounded.frac, place)
            }
            Overflow::Saturate | Overflow::Symmetric => rounded.clamped(limits, place),
            Overflow::Zero => rounded.zero_outside(limits, place),
        }
    }

    fn clamped(self, range: Interval, place: Place) -> Self {
        let low = self.builder.constant(range.lo(), self.frac);
        let high = self.builder.constant(range.hi(), self.frac);
        let raised = self.make(Op::Max(self.n, low.n), self.frac, place);
        raised.make(Op::Min(raised.n, high.n), self.frac, place)
    }

    fn zero_outside(self, range: Interval, place: Place) -> Self {
        let zero = self.builder.constant(0, self.frac);
        let below = self.builder.constant(range.lo(), self.frac);
        let above = self.builder.constant(range.hi(), self.frac);
        let too_low = self.make(Op::Lt(self.n, below.n), 0, place);
        let too_high = self.make(Op::Lt(above.n, self.n), 0, place);
        let out = self.make(Op::Or(too_low.n, too_high.n), 0, place);
        let kept = self.clamped(range, place);
        self.make(Op::Mux(out.n, zero.n, kept.n), self.frac, place)
    }

    /// `floor((x + bias) / 2^drop)`, where the bias makes the floor the wanted rounding: a constant, and for some
    /// modes one bit of the operand (its sign, or the last place that is kept) times one.
    fn rounded(self, frac: i32, rounding: Rounding, place: Place) -> Self {
        if frac >= self.frac {
            return self.aligned_to(frac, place);
        }
        // Twice a value is less than 2^(width + 1): dropping more bits than that rounds alike in every mode.
        let drop = self.frac.abs_diff(frac).min(self.range().width() + 1);
        let constant = |value| self.builder.constant(value, 0);
        let negative = || self.make(Op::Lt(self.n, constant(0).n), 0, place);
        let positive = || self.make(Op::Xor(negative().n, constant(1).n), 0, place);
        let last_kept = || self.make(Op::Wrap(self.make(Op::Shr(self.n, drop), 0, place).n, 1, false), 0, place);
        let all_ones = (1i128 << drop) - 1;
        let half = 1i128 << (drop - 1);
        let all_ones_if = |bit: Self| bit.make(Op::Mux(bit.n, constant(all_ones).n, constant(0).n), 0, place);
        let (bias, extra) = match rounding {
            Rounding::Floor => (0, None),
            Rounding::Ceil => (all_ones, None),
            Rounding::TowardZero => (0, Some(all_ones_if(negative()))),
            Rounding::AwayFromZero => (0, Some(all_ones_if(positive()))),
            Rounding::HalfUp => (half, None),
            Rounding::HalfDown => (half - 1, None),
            Rounding::HalfTowardZero => (half - 1, Some(negative())),
            Rounding::HalfAwayFromZero => (half - 1, Some(positive())),
            Rounding::HalfEven => (half - 1, Some(last_kept())),
        };
        let biased = self.make(Op::Add(self.n, constant(bias).n), 0, place);
        let biased = extra.map_or(biased, |bit| biased.make(Op::Add(biased.n, bit.n), 0, place));
        biased.make(Op::Shr(biased.n, drop), frac, place)
    }
}

#[cfg(test)]
mod tests {
    use crate::dfg::{ModuleBuilder, eval};
    use crate::num::{Format, Interval, Overflow, Quantiser, Rounding};

    /// Every rounding with every overflow rule, on every value of a narrow format, against the definition.
    #[test]
    fn hardware_follows_the_definition() {
        for rounding in Rounding::ALL {
            for overflow in Overflow::ALL {
                for signed in [false, true] {
                    for (width, frac) in [(3, 1), (2, 3), (4, -2), (5, 4), (1, 0), (6, 5)] {
                        check(Quantiser { width, signed, frac, rounding, overflow });
                    }
                }
            }
        }
    }

    fn check(quantiser: Quantiser) {
        let frac = 3;
        let range = Interval::new(-40, 35).unwrap();
        let m = ModuleBuilder::new("quantise");
        let x = m.input("x", Format { range, frac });
        m.output_port("y", &[x.quantise(&quantiser)], &[quantiser.format()]);
        let module = m.finish().unwrap();
        for value in range.lo()..=range.hi() {
            let got = eval::evaluate(&module, &[value]).unwrap();
            assert_eq!(got, [quantiser.apply(value, frac)], "{value} under {quantiser:?}");
        }
    }
}
