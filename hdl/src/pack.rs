//! Elements side by side on one bus, element 0 at the least significant end.
//!
//! An element is as wide as its format; one of width 0 occupies no bit. A bus of no bits at all is one bit that is always 0,
//! since Verilog has no empty port.

use num_bigint::BigUint;

use crate::num::Format;
use crate::rtl::pattern;

/// Where the elements lie: least bit and width of each.
pub fn layout(formats: impl IntoIterator<Item = Format>) -> impl Iterator<Item = (u32, u32)> {
    formats.into_iter().scan(0, |low, format| {
        let width = format.range.width();
        let place = (*low, width);
        *low += width;
        Some(place)
    })
}

/// Bits of the bus, at least one.
pub fn width(formats: impl IntoIterator<Item = Format>) -> u32 {
    layout(formats).map(|(_, w)| w).sum::<u32>().max(1)
}

/// The bus that holds `values`, one a format.
pub fn pack(formats: impl IntoIterator<Item = Format>, values: &[i128]) -> BigUint {
    layout(formats).zip(values).fold(BigUint::ZERO, |bus, ((low, width), &value)| bus | (pattern(value, width) << low))
}

/// The values on a bus.
pub fn unpack(formats: impl IntoIterator<Item = Format> + Clone, bus: &BigUint) -> Vec<i128> {
    layout(formats.clone())
        .zip(formats)
        .map(|((low, width), format)| {
            let bits = (bus >> low) & crate::rtl::ones(width);
            let digits = bits.to_u64_digits();
            let digit = |i: usize| i128::from(digits.get(i).copied().unwrap_or(0));
            crate::num::wrap(digit(0) | digit(1) << 64, width, format.range.signed())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Interval;

    #[test]
    fn packing_is_undone() {
        let range = |lo, hi| Format::integer(Interval::new(lo, hi).unwrap());
        let formats = [range(-3, 2), range(0, 0), range(0, 9), range(-(1 << 119), 0)];
        for values in [[-3, 0, 9, -(1 << 119)], [2, 0, 0, 0], [-1, 0, 5, -77]] {
            let bus = pack(formats, &values);
            assert!(bus.bits() <= u64::from(width(formats)));
            assert_eq!(unpack(formats, &bus), values);
        }
        assert_eq!(pack(formats, &[1, 0, 2, 0]), BigUint::from(0b10_001u8));
        assert_eq!(width([range(0, 0)]), 1);
    }
}
