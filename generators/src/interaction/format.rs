//! Number formats as their users write them, `ap_fixed<W, I, Q, O>`.

use std::fmt;
use std::str::FromStr;

use hdl::num::{Format, Overflow, Quantiser, Rounding};
use serde::{Deserialize, Serialize};

/// Widest format, in bits; keeps the sums of any network that can be built within 64 bits.
const MAX_WIDTH: u32 = 32;
/// Most integer bits beyond either end of a format.
const MAX_POINT: i32 = 48;

/// A quantiser in the notation of the vendors' HLS types: `ap_fixed<W, I, Q, O>`, or `ap_ufixed` without sign.
///
/// `I` counts the bits before the binary point, the sign among them; `Q` is `TRN` and `O` is `WRAP` unless given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApFixed(pub Quantiser);

const ROUNDINGS: [(&str, Rounding); 7] = [
    ("TRN", Rounding::Floor),
    ("TRN_ZERO", Rounding::TowardZero),
    ("RND", Rounding::HalfUp),
    ("RND_ZERO", Rounding::HalfTowardZero),
    ("RND_INF", Rounding::HalfAwayFromZero),
    ("RND_MIN_INF", Rounding::HalfDown),
    ("RND_CONV", Rounding::HalfEven),
];

const OVERFLOWS: [(&str, Overflow); 4] = [
    ("WRAP", Overflow::Wrap),
    ("SAT", Overflow::Saturate),
    ("SAT_ZERO", Overflow::Zero),
    ("SAT_SYM", Overflow::Symmetric),
];

impl ApFixed {
    /// Fraction bits.
    pub fn frac(self) -> i32 {
        self.0.frac
    }

    /// The format of its results.
    pub fn format(self) -> Format {
        self.0.format()
    }

    /// The narrowest signed format that holds every value of `format`; `None` if it were too wide.
    pub fn holding(format: Format) -> Option<Self> {
        let width = format.range.width() + u32::from(!format.range.signed());
        (width <= MAX_WIDTH && (width as i32 - format.frac).abs() <= MAX_POINT).then_some(Self(Quantiser {
            width,
            signed: true,
            frac: format.frac,
            rounding: Rounding::Floor,
            overflow: Overflow::Wrap,
        }))
    }

    /// Least and greatest integer of its results.
    pub fn limits(self) -> (i64, i64) {
        let range = self.format().range;
        (range.lo() as i64, range.hi() as i64)
    }

    /// The integer for `value · 2^-frac`, quantised.
    pub fn apply(self, value: i64, frac: i32) -> i64 {
        self.0.apply(i128::from(value), frac) as i64
    }

    /// The integer nearest to the real number `value`, ties to even; `None` if the format cannot hold it.
    pub fn nearest(self, value: f64) -> Option<i64> {
        let scaled = (value * f64::from(self.frac()).exp2()).round_ties_even();
        let (lo, hi) = self.limits();
        ((lo as f64)..=(hi as f64)).contains(&scaled).then_some(scaled as i64)
    }
}

impl FromStr for ApFixed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |reason: &str| {
            format!(
                "{} is no number format: {reason}, such as ap_fixed<14,7> or ap_ufixed<8,0,RND,SAT>",
                hdl::names::quoted(text)
            )
        };
        let (name, arguments) = text
            .trim()
            .strip_suffix('>')
            .and_then(|rest| rest.split_once('<'))
            .ok_or_else(|| wrong("expected ap_fixed<W,I,Q,O>"))?;
        let signed = match name.trim() {
            "ap_fixed" => true,
            "ap_ufixed" => false,
            _ => return Err(wrong("expected ap_fixed or ap_ufixed")),
        };
        let fields: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let (Some(&width), Some(&integer), ..=4) = (fields.first(), fields.get(1), fields.len()) else {
            return Err(wrong("expected a width, integer bits, at most two modes"));
        };
        let width: u32 = width
            .parse()
            .ok()
            .filter(|w| (1..=MAX_WIDTH).contains(w))
            .ok_or_else(|| wrong(&format!("expected a width of 1 to {MAX_WIDTH}")))?;
        let integer: i32 = integer
            .parse()
            .ok()
            .filter(|i: &i32| i.abs() <= MAX_POINT)
            .ok_or_else(|| wrong(&format!("expected -{MAX_POINT} to {MAX_POINT} integer bits")))?;
        let mode = |k: usize| {
            let name = fields.get(k).copied().unwrap_or_default();
            name.strip_prefix("AP_").unwrap_or(name)
        };
        let rounding = match mode(2) {
            "" => Rounding::Floor,
            name => named(&ROUNDINGS, name).ok_or_else(|| wrong("expected a rounding mode"))?,
        };
        let overflow = match mode(3) {
            "" => Overflow::Wrap,
            name => named(&OVERFLOWS, name).ok_or_else(|| wrong("expected an overflow mode"))?,
        };
        Ok(Self(Quantiser { width, signed, frac: width as i32 - integer, rounding, overflow }))
    }
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    let entry = table.iter().find(|(_, v)| v == value);
    entry.expect("every mode of this notation is in its table").0
}

impl fmt::Display for ApFixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quantiser { width, signed, frac, rounding, overflow } = self.0;
        let name = if signed { "ap_fixed" } else { "ap_ufixed" };
        write!(f, "{name}<{width},{}", width as i32 - frac)?;
        if (rounding, overflow) != (Rounding::Floor, Overflow::Wrap) {
            let (q, o) = (name_of(&ROUNDINGS, &rounding), name_of(&OVERFLOWS, &overflow));
            write!(f, ",{q},{o}")?;
        }
        f.write_str(">")
    }
}

impl TryFrom<String> for ApFixed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ApFixed> for String {
    fn from(format: ApFixed) -> Self {
        format.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_quantiser_are_the_same() {
        for text in
            ["ap_fixed<14,7>", "ap_ufixed<8,0,RND,SAT>", "ap_fixed<16,6,RND_CONV,SAT_SYM>", "ap_fixed<4,-3,TRN,SAT>"]
        {
            assert_eq!(text.parse::<ApFixed>().unwrap().to_string(), text);
        }
        let spaced: ApFixed = " ap_ufixed< 8, 0, AP_RND, AP_SAT > ".parse().unwrap();
        assert_eq!(spaced.0.frac, 8);
        assert_eq!(spaced.apply(511, 9), 255);
    }

    #[test]
    fn mistakes_are_refused() {
        for text in [
            "",
            "fixed<3,1>",
            "ap_fixed<0,0>",
            "ap_fixed<33,1>",
            "ap_fixed<8>",
            "ap_fixed<8,1,UP>",
            "ap_fixed<8,1,RND,SAT,1>",
            "ap_fixed<8,1",
            "ap_fixed<8,999999999>",
        ] {
            assert!(text.parse::<ApFixed>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_real_number_finds_its_integer() {
        let format: ApFixed = "ap_fixed<8,1>".parse().unwrap();
        assert_eq!(format.nearest(-1.0), Some(-128));
        assert_eq!(format.nearest(1.0), None);
        assert_eq!(format.nearest(0.004), Some(1));
        assert_eq!(format.nearest(f64::NAN), None);
    }
}
