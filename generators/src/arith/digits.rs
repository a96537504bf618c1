//! Signed-digit forms of an integer.
//!
//! A signed-digit form writes `v = Σ ±2^s`. The *weight* is the least number of non-zero digits of any
//! form; the canonical (non-adjacent) form reaches it. Most values have several forms of least weight,
//! e.g. `3 = 4 - 1 = 2 + 1`, and which one is best depends on what can be shared.

/// A set of signed digits: bit `s` of `plus` stands for `+2^s`, of `minus` for `-2^s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digits {
    /// Positions of the digits `+1`.
    pub plus: u64,
    /// Positions of the digits `-1`.
    pub minus: u64,
}

impl Digits {
    /// Number of digits in the set.
    pub fn count(self) -> u32 {
        self.plus.count_ones() + self.minus.count_ones()
    }

    /// The digits as `(shift, negative)`, by rising shift; a position that holds both signs yields both.
    pub fn iter(self) -> impl Iterator<Item = (u8, bool)> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let shift = (rest.plus | rest.minus).trailing_zeros();
            if shift == 64 {
                return None;
            }
            let bit = 1u64 << shift;
            let negative = rest.plus & bit == 0;
            *(if negative { &mut rest.minus } else { &mut rest.plus }) &= !bit;
            Some((shift as u8, negative))
        })
    }
}

/// The canonical signed digits of `v` (no two neighbours non-zero), for `|v| < 2^61`.
///
/// Reitwiesner's form: `3v` against `v`, bit by bit, gives the signs.
pub fn canonical(v: i64) -> Digits {
    let magnitude = v.unsigned_abs();
    let triple = 3 * magnitude;
    let plus = (triple & !magnitude) >> 1;
    let minus = (magnitude & !triple) >> 1;
    if v < 0 { Digits { plus: minus, minus: plus } } else { Digits { plus, minus } }
}

/// Least number of non-zero signed digits of `v`, for `|v| < 2^61`.
pub fn weight(v: i64) -> u32 {
    let magnitude = v.unsigned_abs();
    (magnitude ^ (3 * magnitude)).count_ones()
}

/// Every digit that stands in some form of least weight: `±2^s` such that taking it away lowers the weight.
/// One position may offer both signs (`11 = 8 + 2 + 1 = 8 + 4 - 1`).
pub fn alternatives(v: i64) -> Digits {
    let target = weight(v);
    let mut set = Digits::default();
    if target == 0 {
        return set;
    }
    let top = 64 - v.unsigned_abs().leading_zeros();
    for shift in v.trailing_zeros()..=top {
        if weight(v - (1 << shift)) < target {
            set.plus |= 1 << shift;
        }
        if weight(v + (1 << shift)) < target {
            set.minus |= 1 << shift;
        }
    }
    set
}

/// The form of least weight whose leading digit is lowest, hence the narrowest terms: `3 = 2 + 1`, not `4 - 1`.
pub fn narrowest(v: i64) -> Digits {
    let mut rest = v;
    let mut form = Digits::default();
    while rest != 0 {
        let set = alternatives(rest);
        let (mask, sign) = if rest < 0 { (set.minus, -1) } else { (set.plus, 1) };
        let top = 63 - rest.unsigned_abs().leading_zeros();
        // Either the leading bit itself may lead, or the form must start one position above it.
        let shift = if mask >> top & 1 == 1 { top } else { top + 1 };
        *(if rest < 0 { &mut form.minus } else { &mut form.plus }) |= 1 << shift;
        rest -= sign << shift;
    }
    form
}

/// A form of least weight with a positive digit, if there is one: `-3 = 1 - 4`.
pub fn with_plus(v: i64) -> Option<Digits> {
    let positive = alternatives(v).plus;
    if positive == 0 {
        return None;
    }
    let lowest = 1 << positive.trailing_zeros();
    let form = narrowest(v - lowest);
    Some(Digits { plus: form.plus | lowest as u64, ..form })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(d: Digits) -> i64 {
        d.plus as i64 - d.minus as i64
    }

    #[test]
    fn canonical_digits_sum_to_the_value_and_are_not_adjacent() {
        for v in -5000..5000 {
            let d = canonical(v);
            let used = d.plus | d.minus;
            assert_eq!(value(d), v);
            assert_eq!(used & (used << 1), 0, "{v}");
            assert_eq!(d.count(), weight(v));
        }
    }

    #[test]
    fn narrowest_has_least_weight() {
        for v in -5000..5000 {
            let d = narrowest(v);
            assert_eq!((value(d), d.count()), (v, weight(v)));
        }
        assert_eq!(narrowest(3), Digits { plus: 3, minus: 0 });
        assert_eq!(narrowest(7), Digits { plus: 8, minus: 1 });
    }

    #[test]
    fn a_positive_digit_where_least_weight_allows_it() {
        for v in -5000..5000 {
            match with_plus(v) {
                Some(d) => assert!(value(d) == v && d.count() == weight(v) && d.plus != 0),
                None => assert!(v <= 0 && alternatives(v).plus == 0),
            }
        }
        assert_eq!(with_plus(-3), Some(Digits { plus: 1, minus: 4 }));
        assert_eq!(with_plus(-5), None);
    }

    #[test]
    fn alternatives_of_three_and_eleven() {
        assert_eq!(alternatives(3), Digits { plus: 7, minus: 1 });
        let eleven: Vec<_> = alternatives(11).iter().collect();
        assert!(eleven.contains(&(0, false)) && eleven.contains(&(0, true)));
        assert_eq!(alternatives(0), Digits::default());
    }
}
