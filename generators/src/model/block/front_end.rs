//! The front end: 48 seven-bit floats are put in order, expanded to the middle of their bins, and calibrated.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::normaliser::{CALQ_BITS, CELLS};
use super::{HandMade, RegisterArray, Site};
use crate::model::TensorInfo;

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

/// The run-time settings, and the block that follows them: 48 charges for 48 link codes.
///
/// With exponent e, mantissa m and d dropped bits a code stands for
/// `(2·(m + 8·[e > 0]) + 1) · 2^(max(e - 1, 0) + d - 1)`, the middle of its bin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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

impl FrontEndSettings {
    /// What is wrong with it.
    fn check(&self) -> Result<(), String> {
        let fits =
            |values: &[i64], bits: u32| values.len() == CELLS && values.iter().all(|v| (0..1 << bits).contains(v));
        match fits(&self.select, SELECT_BITS) && fits(&self.calibration, CALIBRATION_BITS) {
            true => Ok(()),
            false => Err(format!(
                "{CELLS} selects of {SELECT_BITS} bits and {CELLS} factors of {CALIBRATION_BITS} are wanted"
            )),
        }
    }
}

impl HandMade for FrontEndSettings {
    fn name(&self) -> &'static str {
        "front_end"
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        self.check()?;
        let TensorInfo { shape, range } = x[0];
        if *shape != [CELLS] || !bits(CODE_BITS).covers(*range) {
            return Err(format!("{CELLS} codes of {CODE_BITS} bits are wanted, found {shape:?} in {range}"));
        }
        Ok(TensorInfo { shape: vec![CELLS], range: bits(CALQ_BITS) })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let codes = x[0];
        let dropped = DROPPED[usize::from(self.high_density)];
        let expand = |code: i64| {
            let (exponent, mantissa) = (code >> MANTISSA_BITS, code & 7);
            let significand = mantissa + if exponent > 0 { 8 } else { 0 };
            (2 * significand + 1) << ((exponent - 1).max(0) + i64::from(dropped) - 1)
        };
        let source = |select: i64| if select < CELLS as i64 { select } else { select - 16 } as usize;
        let cells = self.select.iter().zip(&self.calibration);
        cells.map(|(&select, factor)| (expand(codes[source(select)]) * factor) >> CALIBRATION_FRAC).collect()
    }

    /// 48 selects, 48 factors, and one bit of density.
    fn registers(&self) -> Vec<RegisterArray> {
        let density = vec![i64::from(self.high_density)];
        vec![
            RegisterArray { port: "select", range: bits(SELECT_BITS), values: self.select.clone() },
            RegisterArray { port: "calibration", range: bits(CALIBRATION_BITS), values: self.calibration.clone() },
            RegisterArray { port: "high_density", range: bits(1), values: density },
        ]
    }

    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, registers, products } = at;
        let [select, calibration, high_density] = registers else { unreachable!("three arrays of registers") };
        let expanded: Vec<Value<'m>> = x[0].iter().map(|code| expand(m, *code, high_density[0])).collect();
        let cell = |i: usize| {
            m.scope(&format!("cell{i}"), || {
                let charge = products.arithmetic().variables.product(select[i].select(&expanded), calibration[i]);
                (charge >> CALIBRATION_FRAC).truncate(0).wrap(CALQ_BITS, false)
            })
        };
        (0..CELLS).map(cell).collect()
    }
}

/// All integers of so many bits.
fn bits(width: u32) -> Interval {
    Interval::of_width(width, false).expect("a few bits")
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
