//! The front end: 48 seven-bit floats are put in order, expanded to the middle of their bins, and calibrated.

use hdl::dfg::{ModuleBuilder, Value};

use super::geometry::CELLS;
use super::normaliser::CALQ_BITS;
use crate::arith::multiply::DotProduct;

/// Bits of one trigger cell on the link: four of exponent above three of mantissa.
pub const CODE_BITS: u32 = 7;
/// Bits of one entry of the multiplexer register file.
pub const SELECT_BITS: u32 = 6;
/// Bits of a calibration factor; 2^11 is one.
pub const CALIBRATION_BITS: u32 = 12;
const MANTISSA_BITS: u32 = 3;
const CALIBRATION_FRAC: u32 = 11;
/// Dropped bits at low and at high density.
const DROPPED: [u32; 2] = [1, 3];

/// The run-time settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontEndSettings {
    /// For each cell the input that it takes, 0…47; 48…63 mean the input 16 places before.
    pub select: Vec<i64>,
    /// For each cell its factor in units of 2^-11.
    pub calibration: Vec<i64>,
    /// Whether the link's floats are the high-density ones.
    pub high_density: bool,
}

impl Default for FrontEndSettings {
    /// Every cell where it is, factor one, low density.
    fn default() -> Self {
        Self {
            select: (0..CELLS as i64).collect(),
            calibration: vec![1 << CALIBRATION_FRAC; CELLS],
            high_density: false,
        }
    }
}

/// The 48 charges for 48 link codes.
///
/// With exponent e, mantissa m and d dropped bits a code stands for
/// `(2·(m + 8·[e > 0]) + 1) · 2^(max(e - 1, 0) + d - 1)`, the middle of its bin.
pub fn evaluate(codes: &[i64], settings: &FrontEndSettings) -> Vec<i64> {
    let dropped = DROPPED[usize::from(settings.high_density)];
    let expand = |code: i64| {
        let (exponent, mantissa) = (code >> MANTISSA_BITS, code & 7);
        let significand = mantissa + if exponent > 0 { 8 } else { 0 };
        (2 * significand + 1) << ((exponent - 1).max(0) + i64::from(dropped) - 1)
    };
    let source = |select: i64| if select < CELLS as i64 { select } else { select - 16 } as usize;
    settings
        .select
        .iter()
        .zip(&settings.calibration)
        .map(|(&select, factor)| (expand(codes[source(select)]) * factor) >> CALIBRATION_FRAC)
        .collect()
}

/// The settings as values of a module under construction.
#[derive(Debug, Clone)]
pub struct Registers<'m> {
    /// 48 selects of 6 bits.
    pub select: Vec<Value<'m>>,
    /// 48 factors of 12 bits.
    pub calibration: Vec<Value<'m>>,
    /// One bit.
    pub high_density: Value<'m>,
}

/// Builds the front end on 48 link codes; returns 48 charges.
pub fn build<'m>(
    m: &'m ModuleBuilder,
    codes: &[Value<'m>],
    registers: &Registers<'m>,
    dot_product: DotProduct,
) -> Vec<Value<'m>> {
    let expanded: Vec<Value<'m>> = codes.iter().map(|code| expand(m, *code, registers.high_density)).collect();
    (0..CELLS)
        .map(|i| {
            m.scope(&format!("cell{i}"), || {
                let charge = registers.select[i].select(&expanded);
                let charge = dot_product.product(charge, registers.calibration[i]);
                (charge >> CALIBRATION_FRAC).truncate(0).wrap(CALQ_BITS, false)
            })
        })
        .collect()
}

fn expand<'m>(m: &'m ModuleBuilder, code: Value<'m>, high_density: Value<'m>) -> Value<'m> {
    let exponent = code.slice(CODE_BITS - 1, MANTISSA_BITS);
    let normal = exponent.differs(m.constant(0, 0));
    let significand = normal.concat(code.slice(MANTISSA_BITS - 1, 0), MANTISSA_BITS);
    let odd = significand.concat(m.constant(1, 0), 1);
    let shift = normal.mux(exponent - m.constant(1, 0), m.constant(0, 0)).wrap(CODE_BITS - MANTISSA_BITS, false);
    let doubled =
        |value: Value<'m>, times: u32, condition: Value<'m>| condition.mux((value << times).extended(0), value);
    let shifted = (0..CODE_BITS - MANTISSA_BITS).fold(odd, |value, k| doubled(value, 1 << k, shift.bit(k)));
    doubled(shifted, DROPPED[1] - DROPPED[0], high_density)
}
