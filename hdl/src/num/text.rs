//! Formats and quantisers as users write them: `s8.4`, and the vendors' HLS types `ap_fixed<W, I, Q, O>`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use super::{Format, Interval, Overflow, Quantiser, Rounding};
use crate::names::quoted;

/// Widest quantiser that has a written form, in bits; sums of what it gives stay within 64 bits.
const MAX_WIDTH: u32 = 32;
/// Most bits before the binary point, or behind it and not written, of a quantiser that has a written form.
const MAX_POINT: i32 = 48;

/// A text that is no number format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is no number format: {reason}", quoted(.text))]
pub struct NoFormat {
    text: String,
    reason: String,
}

impl NoFormat {
    fn new(text: &str, reason: impl Into<String>) -> Self {
        Self { text: text.to_owned(), reason: reason.into() }
    }
}

impl fmt::Display for Format {
    /// `uW.F` or `sW.F` of the narrowest pattern that holds its range.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.range.signed() { 's' } else { 'u' };
        write!(f, "{sign}{}.{}", self.range.width(), self.frac)
    }
}

impl FromStr for Format {
    type Err = NoFormat;

    /// Reads `uW.F` or `sW.F`, or `uW` and `sW` of integers: all values of such a pattern.
    fn from_str(text: &str) -> Result<Self, NoFormat> {
        let wrong = || NoFormat::new(text, "expected the sign, the bits and the fraction bits, such as u8.0 or s12.4");
        let signed = match text.as_bytes().first() {
            Some(b's') => true,
            Some(b'u') => false,
            _ => return Err(wrong()),
        };
        let (width, frac) = text[1..].split_once('.').unwrap_or((&text[1..], "0"));
        let width = width.parse().map_err(|_| wrong())?;
        let frac = frac.parse().map_err(|_| wrong())?;
        let range = Interval::of_width(width, signed).map_err(|e| NoFormat::new(text, e.to_string()))?;
        Ok(Self { range, frac })
    }
}

/// A format of all values of a pattern, as it stands in files.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    width: u32,
    frac: i32,
    signed: bool,
}

impl Serialize for Format {
    /// As `width`, `frac` and `signed`; an error if it does not hold all values of that pattern.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (width, signed) = (self.range.width(), self.range.signed());
        match Interval::of_width(width, signed) {
            Ok(whole) if whole == self.range => Pattern { width, frac: self.frac, signed }.serialize(serializer),
            _ => Err(serde::ser::Error::custom(format!("{} is not all values of a pattern", self.range))),
        }
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Pattern { width, frac, signed } = Pattern::deserialize(deserializer)?;
        let range = Interval::of_width(width, signed).map_err(serde::de::Error::custom)?;
        Ok(Self { range, frac })
    }
}

/// Names of the rounding modes; the last two are none of the vendors'.
const ROUNDINGS: [(&str, Rounding); 9] = [
    ("TRN", Rounding::Floor),
    ("TRN_ZERO", Rounding::TowardZero),
    ("RND", Rounding::HalfUp),
    ("RND_ZERO", Rounding::HalfTowardZero),
    ("RND_INF", Rounding::HalfAwayFromZero),
    ("RND_MIN_INF", Rounding::HalfDown),
    ("RND_CONV", Rounding::HalfEven),
    ("CEIL", Rounding::Ceil),
    ("AWAY_FROM_ZERO", Rounding::AwayFromZero),
];

const OVERFLOWS: [(&str, Overflow); 4] = [
    ("WRAP", Overflow::Wrap),
    ("SAT", Overflow::Saturate),
    ("SAT_ZERO", Overflow::Zero),
    ("SAT_SYM", Overflow::Symmetric),
];

impl fmt::Display for Quantiser {
    /// `ap_fixed<W,I,Q,O>`, or `ap_ufixed` without sign; `I` counts the bits before the binary point, the sign among
    /// them, and the modes are left out if they are `TRN` and `WRAP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, signed, frac, rounding, overflow } = *self;
        let name = if signed { "ap_fixed" } else { "ap_ufixed" };
        write!(f, "{name}<{width},{}", i64::from(width) - i64::from(frac))?;
        if (rounding, overflow) != (Rounding::Floor, Overflow::Wrap) {
            write!(f, ",{},{}", name_of(&ROUNDINGS, &rounding), name_of(&OVERFLOWS, &overflow))?;
        }
        f.write_str(">")
    }
}

impl FromStr for Quantiser {
    type Err = NoFormat;

    /// Reads what is displayed; spaces and `AP_` in front of a mode do not matter.
    fn from_str(text: &str) -> Result<Self, NoFormat> {
        let wrong =
            |reason: &str| NoFormat::new(text, format!("{reason}, such as ap_fixed<14,7> or ap_ufixed<8,0,RND,SAT>"));
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
        let width = width.parse().ok().filter(|w| (1..=MAX_WIDTH).contains(w));
        let width = width.ok_or_else(|| wrong(&format!("expected a width of 1 to {MAX_WIDTH}")))?;
        let integer = integer.parse().ok().filter(|i: &i32| i.unsigned_abs() <= MAX_POINT.unsigned_abs());
        let integer = integer.ok_or_else(|| wrong(&format!("expected -{MAX_POINT} to {MAX_POINT} integer bits")))?;
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
        Ok(Self { width, signed, frac: width as i32 - integer, rounding, overflow })
    }
}

fn named<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
}

fn name_of<T: PartialEq>(table: &[(&'static str, T)], value: &T) -> &'static str {
    table.iter().find(|(_, v)| v == value).expect("every mode is in its table").0
}

impl Quantiser {
    /// The narrowest signed quantiser that holds every value of `format`; `None` if it had no written form.
    pub fn holding(format: Format) -> Option<Self> {
        let width = format.range.width() + u32::from(!format.range.signed());
        (width <= MAX_WIDTH && (width as i32 - format.frac).abs() <= MAX_POINT).then_some(Self {
            width,
            signed: true,
            frac: format.frac,
            rounding: Rounding::Floor,
            overflow: Overflow::Wrap,
        })
    }
}

impl TryFrom<String> for Quantiser {
    type Error = NoFormat;

    fn try_from(text: String) -> Result<Self, NoFormat> {
        text.parse()
    }
}

impl From<Quantiser> for String {
    fn from(quantiser: Quantiser) -> Self {
        quantiser.to_string()
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
            assert_eq!(text.parse::<Quantiser>().unwrap().to_string(), text);
        }
        for (rounding, overflow) in Rounding::ALL.iter().flat_map(|r| Overflow::ALL.iter().map(move |o| (*r, *o))) {
            let quantiser = Quantiser { width: 8, signed: false, frac: 11, rounding, overflow };
            assert_eq!(quantiser.to_string().parse(), Ok(quantiser));
        }
        let spaced: Quantiser = " ap_ufixed< 8, 0, AP_RND, AP_SAT > ".parse().unwrap();
        assert_eq!(spaced.frac, 8);
        assert_eq!(spaced.apply(511, 9), 255);
    }

    #[test]
    fn text_and_format_are_the_same() {
        for text in ["u8.0", "s12.4", "s6.-3", "u0.0", "u4.7"] {
            assert_eq!(text.parse::<Format>().unwrap().to_string(), text);
        }
        assert_eq!("s6".parse(), Ok(Format::signed(6, 0).unwrap()));
        for text in ["", "8.0", "x8.0", "s8.", "s.4", "u121.0", "s-1.0", "ü8", "u8.4.2"] {
            assert!(text.parse::<Format>().is_err(), "{text}");
        }
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
            "ap_fixed<8,-2147483648>",
        ] {
            assert!(text.parse::<Quantiser>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_stands_in_files_is_read_again() {
        let quantiser: Quantiser = "ap_ufixed<8,0,RND,SAT>".parse().unwrap();
        let text = serde_json::to_string(&(quantiser, Format::signed(6, 5).unwrap(), Rounding::HalfEven)).unwrap();
        assert_eq!(text, r#"["ap_ufixed<8,0,RND,SAT>",{"width":6,"frac":5,"signed":true},"half_even"]"#);
        let read: (Quantiser, Format, Rounding) = serde_json::from_str(&text).unwrap();
        assert_eq!(read, (quantiser, Format::signed(6, 5).unwrap(), Rounding::HalfEven));
        let narrow = Format::integer(Interval::new(0, 5).unwrap());
        assert!(serde_json::to_string(&narrow).is_err());
        assert!(serde_json::from_str::<Format>(r#"{"width":300,"frac":5,"signed":true}"#).is_err());
    }

    #[test]
    fn a_real_number_finds_its_integer() {
        let format: Quantiser = "ap_fixed<8,1>".parse().unwrap();
        assert_eq!(format.nearest(-1.0), Some(-128));
        assert_eq!(format.nearest(1.0), None);
        assert_eq!(format.nearest(0.004), Some(1));
        assert_eq!(format.nearest(f64::NAN), None);
    }
}
