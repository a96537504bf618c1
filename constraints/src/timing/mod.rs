//! One description of clock, ports and limits of a design, from which every tool's constraint file is written.

mod check;
mod pins;
mod sdc;

use std::fmt;
use std::sync::Arc;

use hdl::dfg::{Module, Reset};
use hdl::diag::{Diagnostic, Diagnostics};
use serde::{Deserialize, Serialize};

pub use pins::Pins;
pub use sdc::{Dialect, Units};

/// A time in picoseconds. Whole numbers keep the files byte-identical and leave no room for NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Picoseconds(pub u64);

impl Picoseconds {
    /// Longest time that is taken: one second.
    const MAX: f64 = 1e12;

    /// Rounds a positive time in nanoseconds to the nearest picosecond.
    ///
    /// # Errors
    /// `clock-period` unless it is a number from 0.001 to 10⁹.
    pub fn from_ns(ns: f64) -> Result<Self, Diagnostics> {
        let ps = (ns * 1000.0).round();
        if (1.0..=Self::MAX).contains(&ps) {
            return Ok(Self(ps as u64));
        }
        Err(Diagnostic::error("clock-period", format!("{ns} ns is no clock period"))
            .help("give nanoseconds, from 0.001 to 1000000000")
            .into())
    }

    /// In nanoseconds.
    pub fn ns(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `percent` hundredths of it, rounded down.
    pub fn percent(self, percent: u8) -> Self {
        Self((u128::from(self.0) * u128::from(percent) / 100) as u64)
    }
}

/// Nanoseconds with three decimals.
impl fmt::Display for Picoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// The clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Name in constraint files.
    pub name: String,
    /// The port that it enters by; `None` for the virtual clock of a combinational design.
    pub port: Option<String>,
    /// Its period.
    pub period: Picoseconds,
    /// What jitter and skew take from the period.
    pub uncertainty: Picoseconds,
}

/// The reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetPort {
    /// The port, active while 1.
    pub port: String,
    /// Whether some register takes its initial value without a clock edge.
    pub asynchronous: bool,
    /// How long after the clock edge it may still change, if it is synchronous.
    pub delay: Picoseconds,
}

/// A port and the time that the outside takes of the clock period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortTiming {
    /// Name.
    pub name: String,
    /// Bits; a port of one bit is a scalar.
    pub width: u32,
    /// For an input, how long after the clock edge it settles; for an output, how long before the edge it must.
    pub delay: Picoseconds,
}

/// Electrical limits of cell-based designs. FPGA tools know their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Most inputs on one net.
    pub max_fan_out: Option<u32>,
    /// Slowest edge.
    pub max_transition: Option<Picoseconds>,
    /// Edge of the inputs.
    pub input_transition: Option<Picoseconds>,
    /// On every output, in femtofarads.
    pub output_load_ff: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_fan_out: Some(24),
            max_transition: Some(Picoseconds(750)),
            input_transition: Some(Picoseconds(100)),
            output_load_ff: Some(20),
        }
    }
}

/// Shares of the clock period, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Jitter and skew.
    pub uncertainty: u8,
    /// Before the inputs settle.
    pub inputs: u8,
    /// After the outputs settle.
    pub outputs: u8,
    /// Before the inputs, and after the outputs, of the register port settle.
    pub register_port: u8,
}

impl Default for Budget {
    /// For a block whose neighbours register what passes between them.
    fn default() -> Self {
        Self { uncertainty: 2, inputs: 10, outputs: 10, register_port: 40 }
    }
}

/// Everything that the tools need to know about a design's surroundings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// The top module.
    pub top: String,
    /// Its clock.
    pub clock: Clock,
    /// Its reset, if it has one.
    pub reset: Option<ResetPort>,
    /// Data inputs: all but clock and reset.
    pub inputs: Vec<PortTiming>,
    /// Outputs.
    pub outputs: Vec<PortTiming>,
    /// Ports among these through which slow control reads and writes registers.
    pub register_port: Vec<String>,
    /// Electrical limits.
    pub limits: Limits,
}

impl Constraints {
    /// The surroundings of `module` at a clock of `period`, shared as `budget` says.
    ///
    /// A combinational module gets a virtual clock and, as nothing else stands in its path, the whole of the period.
    /// `register_port` names the ports through which slow control reads and writes registers; none if it is empty.
    ///
    /// # Errors
    /// `constraint` if a name cannot be written, the period is too short for the budget, or the register port
    /// names a port that is not there.
    pub fn of(
        module: &Arc<Module>,
        period: Picoseconds,
        budget: &Budget,
        register_port: &[&str],
    ) -> Result<Self, Diagnostics> {
        let sequential = module.is_sequential();
        let percent = |p: u8| period.percent(if sequential { p } else { 0 });
        let reset = |style: Reset| uses_reset(module, style);
        let timing = |(name, width): (String, u32), share: u8| PortTiming {
            delay: percent(if register_port.contains(&name.as_str()) { budget.register_port } else { share }),
            name,
            width,
        };
        let constraints = Self {
            top: module.name.clone(),
            clock: Clock {
                name: String::from("clk"),
                port: sequential.then(|| clock_port(module)),
                period,
                uncertainty: percent(budget.uncertainty),
            },
            reset: module.has_reset().then(|| ResetPort {
                port: String::from("rst"),
                asynchronous: reset(Reset::Asynchronous),
                delay: percent(budget.inputs),
            }),
            inputs: input_ports(module).map(|p| timing(p, budget.inputs)).collect(),
            outputs: output_ports(module).map(|p| timing(p, budget.outputs)).collect(),
            register_port: register_port.iter().map(|&name| name.to_owned()).collect(),
            limits: Limits::default(),
        };
        constraints.check()?;
        Ok(constraints)
    }

    /// Inputs and outputs, in that order.
    pub fn ports(&self) -> impl Iterator<Item = &PortTiming> {
        self.inputs.iter().chain(&self.outputs)
    }

    /// Frequency of the clock in MHz.
    pub fn frequency_mhz(&self) -> f64 {
        1e6 / self.clock.period.0 as f64
    }
}

fn clock_port(module: &Module) -> String {
    let own = module.black_box.as_ref().and_then(|b| b.clock.clone());
    own.unwrap_or_else(|| String::from("clk"))
}

fn uses_reset(module: &Arc<Module>, reset: Reset) -> bool {
    module
        .hierarchy()
        .iter()
        .any(|m| m.styles.iter().any(|s| s.reset == reset) || m.states.iter().any(|s| s.style.reset == reset))
}

/// Names and widths of the input ports; a port that only holds constants has no bits and is left out.
fn input_ports(module: &Module) -> impl Iterator<Item = (String, u32)> {
    let width = |elements: &[hdl::num::Format]| elements.iter().map(|f| f.range.width()).sum();
    module.inputs.iter().map(move |p| (p.name.clone(), width(&p.elements))).filter(|(_, width)| *width > 0)
}

fn output_ports(module: &Module) -> impl Iterator<Item = (String, u32)> {
    let own = module.outputs.iter().map(|p| {
        let width = p.elements.iter().map(|e| e.format.range.width()).sum();
        (p.name.clone(), width)
    });
    let boxed = module
        .black_box
        .iter()
        .flat_map(|b| b.outputs.iter().map(|(name, format, _)| (name.clone(), format.range.width())));
    own.chain(boxed).filter(|(_, width): &(String, u32)| *width > 0)
}

#[cfg(test)]
pub(crate) mod tests {
    use hdl::dfg::{ModuleBuilder, RegisterStyle};
    use hdl::num::Format;

    use super::*;

    /// `y = x0 + x1` a cycle later, with an asynchronous reset if `reset`.
    pub(super) fn adder(registered: bool, reset: Reset) -> Arc<Module> {
        let b = ModuleBuilder::new("adder");
        let x = b.input_array("x", 2, Format::unsigned(4, 0).unwrap());
        let bit = b.input("carry_in", Format::BIT);
        let sum = x[0] + x[1] + bit;
        let style = RegisterStyle { reset, ..RegisterStyle::default() };
        b.output("y", if registered { sum.registered(style) } else { sum });
        b.finish().unwrap()
    }

    #[test]
    fn a_module_s_ports_and_reset_are_found() {
        let module = adder(true, Reset::Asynchronous);
        let period = Picoseconds::from_ns(25.0).unwrap();
        let c = Constraints::of(&module, period, &Budget::default(), &["carry_in"]).unwrap();
        assert_eq!(c.clock.port.as_deref(), Some("clk"));
        assert!(c.reset.as_ref().is_some_and(|r| r.asynchronous && r.port == "rst"));
        let ports: Vec<_> = c.ports().map(|p| (p.name.as_str(), p.width, p.delay.0)).collect();
        assert_eq!(ports, [("x", 8, 2500), ("carry_in", 1, 10_000), ("y", 5, 2500)]);
        assert!((c.frequency_mhz() - 40.0).abs() < 1e-9);
    }

    #[test]
    fn a_combinational_module_has_a_virtual_clock_and_the_whole_period() {
        let period = Picoseconds(5_000);
        let c = Constraints::of(&adder(false, Reset::None), period, &Budget::default(), &[]).unwrap();
        assert_eq!((c.clock.port, c.clock.uncertainty.0), (None, 0));
        assert!(c.inputs.iter().chain(&c.outputs).all(|p| p.delay.0 == 0));
    }

    #[test]
    fn times_are_positive_finite_numbers() {
        assert_eq!(Picoseconds::from_ns(3.1254).unwrap().to_string(), "3.125");
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e30, 1e-9] {
            let error = Picoseconds::from_ns(bad).unwrap_err().to_string();
            assert!(error.contains("no clock period"), "{error}");
        }
    }
}
