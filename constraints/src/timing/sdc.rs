//! Synopsys Design Constraints, as OpenSTA, OpenROAD, Quartus and Vivado (as XDC) read them.

use std::fmt::Write as _;

use hdl::diag::Diagnostics;
use serde::{Deserialize, Serialize};

use super::{Constraints, Limits, Picoseconds, PortTiming};

/// Units of a cell library, in which SDC gives its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Units {
    /// Picoseconds in the unit of time.
    pub time_ps: f64,
    /// Femtofarads in the unit of capacitance.
    pub capacitance_ff: f64,
}

impl Default for Units {
    /// Nanoseconds and picofarads.
    fn default() -> Self {
        Self { time_ps: 1000.0, capacitance_ff: 1000.0 }
    }
}

/// Who reads the file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Dialect {
    /// OpenSTA, OpenROAD and the commercial tools for cells, in the units of the library.
    Cells(Units),
    /// Intel Quartus.
    Quartus,
    /// AMD Vivado: XDC.
    Vivado,
}

impl Constraints {
    /// The constraint file for `dialect`.
    ///
    /// # Errors
    /// Those of [`Constraints::check`].
    pub fn to_sdc(&self, dialect: Dialect) -> Result<String, Diagnostics> {
        self.check()?;
        let units = match dialect {
            Dialect::Cells(units) => units,
            Dialect::Quartus | Dialect::Vivado => Units::default(),
        };
        let mut writer = Writer { text: String::new(), units, clock: format!("[get_clocks {{{}}}]", self.clock.name) };
        writer.clock(self, dialect);
        writer.reset(self);
        for port in &self.inputs {
            writer.delay("set_input_delay", port);
        }
        for port in &self.outputs {
            writer.delay("set_output_delay", port);
        }
        if matches!(dialect, Dialect::Cells(_)) {
            writer.limits(&self.limits);
        }
        Ok(writer.text)
    }
}

struct Writer {
    text: String,
    units: Units,
    clock: String,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn time(&self, time: Picoseconds) -> String {
        format!("{:.3}", time.0 as f64 / self.units.time_ps)
    }

    fn clock(&mut self, c: &Constraints, dialect: Dialect) {
        let unit = match self.units.time_ps.round() {
            1000.0 => String::from("nanoseconds"),
            ps => format!("units of {ps} ps"),
        };
        self.line(&format!("# Timing of {}; times in {unit}.", c.top));
        let source = c.clock.port.as_ref().map(|port| format!(" [get_ports {{{port}}}]"));
        let period = self.time(c.clock.period);
        self.line(&format!("create_clock -name {{{}}} -period {period}{}", c.clock.name, source.unwrap_or_default()));
        if c.clock.uncertainty.0 > 0 {
            let uncertainty = self.time(c.clock.uncertainty);
            let clock = self.clock.clone();
            // the same edge launches and captures for hold: its jitter is common, and skew is the clock tree's to add
            self.line(&format!("set_clock_uncertainty -setup {uncertainty} {clock}"));
        }
        if dialect == Dialect::Quartus {
            self.line("derive_clock_uncertainty");
        }
    }

    fn reset(&mut self, c: &Constraints) {
        let Some(reset) = &c.reset else { return };
        if reset.asynchronous {
            self.line("# The reset is asynchronous and released while the clock stands or by a synchroniser outside.");
            self.line(&format!("set_false_path -from [get_ports {{{}}}]", reset.port));
        } else {
            self.delay("set_input_delay", &PortTiming { name: reset.port.clone(), width: 1, delay: reset.delay });
        }
    }

    fn delay(&mut self, command: &str, port: &PortTiming) {
        let bits = if port.width > 1 { "[*]" } else { "" };
        let line =
            format!("{command} {} -clock {} [get_ports {{{}{bits}}}]", self.time(port.delay), self.clock, port.name);
        self.line(&line);
    }

    fn limits(&mut self, limits: &Limits) {
        if let Some(fan_out) = limits.max_fan_out {
            self.line(&format!("set_max_fanout {fan_out} [current_design]"));
        }
        if let Some(transition) = limits.max_transition {
            let line = format!("set_max_transition {} [current_design]", self.time(transition));
            self.line(&line);
        }
        if let Some(transition) = limits.input_transition {
            let line = format!("set_input_transition {} [all_inputs]", self.time(transition));
            self.line(&line);
        }
        if let Some(load) = limits.output_load_ff {
            let load = f64::from(load) / self.units.capacitance_ff;
            let _ = writeln!(self.text, "set_load {load:.6} [all_outputs]");
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hdl::dfg::Reset;

    use super::super::tests::adder;
    use super::super::{Budget, Constraints, Picoseconds};
    use super::*;

    fn constraints(registered: bool, reset: Reset) -> Constraints {
        let module = adder(registered, reset);
        Constraints::of(&module, Picoseconds(25_000), &Budget::default(), &[]).unwrap()
    }

    #[test]
    fn cells_asynchronous_reset() {
        expect![[r#"
            # Timing of adder; times in nanoseconds.
            create_clock -name {clk} -period 25.000 [get_ports {clk}]
            set_clock_uncertainty -setup 0.500 [get_clocks {clk}]
            # The reset is asynchronous and released while the clock stands or by a synchroniser outside.
            set_false_path -from [get_ports {rst}]
            set_input_delay 2.500 -clock [get_clocks {clk}] [get_ports {x[*]}]
            set_input_delay 2.500 -clock [get_clocks {clk}] [get_ports {carry_in}]
            set_output_delay 2.500 -clock [get_clocks {clk}] [get_ports {y[*]}]
            set_max_fanout 24 [current_design]
            set_max_transition 0.750 [current_design]
            set_input_transition 0.100 [all_inputs]
            set_load 0.020000 [all_outputs]
        "#]]
        .assert_eq(&constraints(true, Reset::Asynchronous).to_sdc(Dialect::Cells(Units::default())).unwrap());
    }

    #[test]
    fn vivado_synchronous_reset_and_quartus_combinational() {
        expect![[r#"
            # Timing of adder; times in nanoseconds.
            create_clock -name {clk} -period 25.000 [get_ports {clk}]
            set_clock_uncertainty -setup 0.500 [get_clocks {clk}]
            set_input_delay 2.500 -clock [get_clocks {clk}] [get_ports {rst}]
            set_input_delay 2.500 -clock [get_clocks {clk}] [get_ports {x[*]}]
            set_input_delay 2.500 -clock [get_clocks {clk}] [get_ports {carry_in}]
            set_output_delay 2.500 -clock [get_clocks {clk}] [get_ports {y[*]}]
        "#]]
        .assert_eq(&constraints(true, Reset::Synchronous).to_sdc(Dialect::Vivado).unwrap());
        expect![[r#"
            # Timing of adder; times in nanoseconds.
            create_clock -name {clk} -period 25.000
            derive_clock_uncertainty
            set_input_delay 0.000 -clock [get_clocks {clk}] [get_ports {x[*]}]
            set_input_delay 0.000 -clock [get_clocks {clk}] [get_ports {carry_in}]
            set_output_delay 0.000 -clock [get_clocks {clk}] [get_ports {y[*]}]
        "#]]
        .assert_eq(&constraints(false, Reset::None).to_sdc(Dialect::Quartus).unwrap());
    }

    #[test]
    fn numbers_follow_the_library_s_units() {
        let units = Units { time_ps: 1.0, capacitance_ff: 1.0 };
        let text = constraints(true, Reset::None).to_sdc(Dialect::Cells(units)).unwrap();
        assert!(text.contains("-period 25000.000 ") && text.contains("set_load 20.000000 "), "{text}");
    }

    #[test]
    fn a_name_that_could_run_code_is_refused() {
        let mut c = constraints(true, Reset::None);
        c.inputs[0].name = "x} ; exit ; {".into();
        assert!(c.to_sdc(Dialect::Vivado).is_err());
        assert!(c.to_pcf(&super::super::Pins::default()).is_err());
    }
}
