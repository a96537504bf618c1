//! What elementary operators cost on a target: the numbers that generators plan with.

use hdl::verilog::CarryCell;
use serde::{Deserialize, Serialize};

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Read from a library or a tool's timing data.
    Measured,
    /// A measured figure times a published factor.
    Scaled,
    /// From experience or from a figure of a similar part.
    Estimated,
}

/// A number with its origin. The unit stands in the name of the field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// How it was got.
    pub basis: Basis,
    /// By what, from what.
    pub source: String,
}

/// A logic cell in its typical surroundings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Cell area in µm².
    pub area_um2: f64,
    /// Delay of one level in a chain of the same cells in ps, worst input; the example `calibrate` of the crate `openlane` measures it and says the loads.
    pub delay_ps: f64,
    /// Energy in fJ of one operation, in which every pin changes with probability one half.
    pub energy_fj: f64,
    /// Leakage in nW.
    pub leakage_nw: f64,
}

/// Costs on a cell library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsicModel {
    /// How the operators below were got.
    pub basis: Basis,
    /// By what, from what.
    pub source: String,
    /// An inverter that drives four of its kind: its delay is the process's FO4.
    pub inverter: Operator,
    /// Two-input NAND: the gate equivalent.
    pub nand2: Operator,
    /// Two-input AND.
    pub and2: Operator,
    /// Two-input OR.
    pub or2: Operator,
    /// Two-input exclusive OR.
    pub xor2: Operator,
    /// Two-to-one multiplexer.
    pub mux2: Operator,
    /// Half adder, delay to the sum.
    pub half_adder: Operator,
    /// Full adder, delay to the sum.
    pub full_adder: Operator,
    /// Full adder in a ripple chain, carry to carry, in ps for each bit.
    pub ripple_ps: f64,
    /// Flip-flop: delay is clock to output plus set-up; energy without the clock's.
    pub flip_flop: Operator,
    /// Energy in fJ that the clock's two edges take inside one flip-flop in each cycle.
    pub flip_flop_clock_fj: f64,
    /// Share that wires add to every delay.
    pub wire_delay: Figure,
    /// Share of the core area that cells fill.
    pub utilisation: Figure,
}

/// Costs on an FPGA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FpgaModel {
    /// Inputs of a look-up table.
    pub lut_inputs: u32,
    /// Through a look-up table, in ps.
    pub lut_ps: Figure,
    /// Over one routed net, in ps.
    pub route_ps: Figure,
    /// From a look-up table's input onto the carry chain, in ps.
    pub carry_entry_ps: Figure,
    /// Along the carry chain, in ps for each bit.
    pub carry_ps: Figure,
    /// From the carry chain to a look-up table's output, in ps.
    pub carry_exit_ps: Figure,
    /// Flip-flop, clock to output plus set-up, in ps.
    pub register_ps: Figure,
    /// Widths of the hard multiplier's operands, if there is one.
    pub multiplier: Option<[u32; 2]>,
    /// Bits of the carry chain that are always taken together: an adder takes look-up tables for a multiple of them.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub carry_bits: u32,
    /// Bits from which on a sum is made of carry cells; a narrower one is gates.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub carry_least: u32,
    /// Whether the carry takes operands from before the look-up table, so that each bit of a value that is subtracted
    /// needs an inverter in a table of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inverters: bool,
    /// The cell of the carry chain, if look-up tables with two outputs beside it add three operands.
    #[serde(default, with = "carry_cell", skip_serializing_if = "Option::is_none")]
    pub carry_cell: Option<CarryCell>,
}

fn one() -> u32 {
    1
}

fn is_one(n: &u32) -> bool {
    *n == 1
}

/// A carry cell by its vendor's name.
mod carry_cell {
    use hdl::verilog::CarryCell;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(cell: &Option<CarryCell>, s: S) -> Result<S::Ok, S::Error> {
        match cell {
            Some(cell) => s.collect_str(cell),
            None => s.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<CarryCell>, D::Error> {
        let name = String::deserialize(d)?;
        let known = CarryCell::named(&name);
        known.map(Some).ok_or_else(|| D::Error::custom(format!("carry_cell is {name:?}, expected CARRY4 or CARRY8")))
    }
}

/// Factors from one process to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// On area.
    pub area: Figure,
    /// On delay.
    pub delay: Figure,
    /// On dynamic energy.
    pub energy: Figure,
    /// Upper figure for the area: µm² for one gate equivalent.
    pub gate_equivalent_um2: Figure,
    /// Other supply voltages that the target's process runs at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<OperatingPoint>,
}

/// Factors to the target's process at another voltage than that of its corner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// In volts.
    pub voltage: f64,
    /// On delay.
    pub delay: Figure,
    /// On dynamic energy.
    pub energy: Figure,
}

impl Operator {
    fn scaled(&self, by: &Scaling) -> Self {
        Self {
            area_um2: self.area_um2 * by.area.value,
            delay_ps: self.delay_ps * by.delay.value,
            energy_fj: self.energy_fj * by.energy.value,
            // Leakage depends on thresholds that differ between processes of one node: it is never scaled.
            leakage_nw: self.leakage_nw,
        }
    }

    /// Its numbers, by field name.
    pub fn numbers(&self) -> [(&'static str, f64); 4] {
        [
            ("area_um2", self.area_um2),
            ("delay_ps", self.delay_ps),
            ("energy_fj", self.energy_fj),
            ("leakage_nw", self.leakage_nw),
        ]
    }
}

impl AsicModel {
    /// The operators, by field name.
    pub fn operators(&self) -> [(&'static str, &Operator); 9] {
        [
            ("inverter", &self.inverter),
            ("nand2", &self.nand2),
            ("and2", &self.and2),
            ("or2", &self.or2),
            ("xor2", &self.xor2),
            ("mux2", &self.mux2),
            ("half_adder", &self.half_adder),
            ("full_adder", &self.full_adder),
            ("flip_flop", &self.flip_flop),
        ]
    }

    /// The same operators in the process that `by` leads to from `base`.
    pub(super) fn scaled(&self, base: &str, by: &Scaling) -> Self {
        Self {
            basis: Basis::Scaled,
            source: format!("{}; scaled from {}: {}", self.source, base, by.delay.source),
            inverter: self.inverter.scaled(by),
            nand2: self.nand2.scaled(by),
            and2: self.and2.scaled(by),
            or2: self.or2.scaled(by),
            xor2: self.xor2.scaled(by),
            mux2: self.mux2.scaled(by),
            half_adder: self.half_adder.scaled(by),
            full_adder: self.full_adder.scaled(by),
            ripple_ps: self.ripple_ps * by.delay.value,
            flip_flop: self.flip_flop.scaled(by),
            flip_flop_clock_fj: self.flip_flop_clock_fj * by.energy.value,
            wire_delay: self.wire_delay.clone(),
            utilisation: self.utilisation.clone(),
        }
    }
}

impl FpgaModel {
    /// The figures, by field name.
    pub fn figures(&self) -> [(&'static str, &Figure); 6] {
        [
            ("lut_ps", &self.lut_ps),
            ("route_ps", &self.route_ps),
            ("carry_entry_ps", &self.carry_entry_ps),
            ("carry_ps", &self.carry_ps),
            ("carry_exit_ps", &self.carry_exit_ps),
            ("register_ps", &self.register_ps),
        ]
    }
}
