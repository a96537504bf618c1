//! Pin and frequency files of the open FPGA tools: PCF for iCE40, LPF for ECP5.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;

use super::Constraints;

/// Package pins by port bit: `y[3]` for a bus, `clk` for a scalar. Bits without a pin are left to the tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins(pub BTreeMap<String, String>);

impl Pins {
    /// Pins in the order of `constraints`' port bits.
    ///
    /// # Errors
    /// `constraint` if a bit is no bit of the design, a pin's name is no word, or two bits share a pin.
    fn ordered<'p>(&'p self, c: &Constraints) -> Result<Vec<(String, &'p str)>, Diagnostics> {
        let wrong = |why: String| Err(Diagnostic::error("constraint", why).into());
        let bits = port_bits(c);
        let known: BTreeSet<&String> = bits.iter().collect();
        if let Some(bit) = self.0.keys().find(|bit| !known.contains(bit)) {
            return wrong(format!("pin of {}, which is no bit of a port", quoted(bit)));
        }
        let mut users = BTreeMap::new();
        let mut ordered = Vec::new();
        for bit in bits {
            let Some(pin) = self.0.get(&bit) else {
                continue;
            };
            if pin.is_empty() || !pin.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return wrong(format!("{} is no name of a pin", quoted(pin)));
            }
            if let Some(other) = users.insert(pin, bit.clone()) {
                return wrong(format!("{other} and {bit} share pin {pin}"));
            }
            ordered.push((bit, pin.as_str()));
        }
        Ok(ordered)
    }
}

/// Every bit of every port, clock and reset first.
fn port_bits(c: &Constraints) -> Vec<String> {
    let scalars = c.clock.port.iter().chain(c.reset.as_ref().map(|r| &r.port)).cloned();
    let buses = c.ports().flat_map(|p| {
        (0..p.width).map(move |k| match p.width {
            1 => p.name.clone(),
            _ => format!("{}[{k}]", p.name),
        })
    });
    scalars.chain(buses).collect()
}

impl Constraints {
    /// The physical constraints file of nextpnr-ice40.
    ///
    /// # Errors
    /// Those of [`Constraints::check`], and `constraint` for a bad pin.
    pub fn to_pcf(&self, pins: &Pins) -> Result<String, Diagnostics> {
        self.check()?;
        let mut text = format!("# Pins of {}.\n", self.top);
        if let Some(port) = &self.clock.port {
            let _ = writeln!(text, "set_frequency {port} {:.6}", self.frequency_mhz());
        }
        for (bit, pin) in pins.ordered(self)? {
            let _ = writeln!(text, "set_io {bit} {pin}");
        }
        Ok(text)
    }

    /// The preference file of nextpnr-ecp5.
    ///
    /// # Errors
    /// Those of [`Constraints::check`], and `constraint` for a bad pin.
    pub fn to_lpf(&self, pins: &Pins) -> Result<String, Diagnostics> {
        self.check()?;
        let mut text = format!("# Pins of {}.\n", self.top);
        if let Some(port) = &self.clock.port {
            let _ = writeln!(text, "FREQUENCY PORT \"{port}\" {:.6} MHZ;", self.frequency_mhz());
        }
        for (bit, pin) in pins.ordered(self)? {
            let _ = writeln!(text, "LOCATE COMP \"{bit}\" SITE \"{pin}\";");
            let _ = writeln!(text, "IOBUF PORT \"{bit}\" IO_TYPE=LVCMOS33;");
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use hdl::dfg::Reset;

    use super::super::tests::adder;
    use super::super::{Budget, Picoseconds};
    use super::*;

    fn constraints() -> Constraints {
        let module = adder(true, Reset::None);
        Constraints::of(&module, Picoseconds(30_000), &Budget::default(), &[]).unwrap()
    }

    fn pins(pairs: &[(&str, &str)]) -> Pins {
        Pins(pairs.iter().map(|(b, p)| ((*b).into(), (*p).into())).collect())
    }

    #[test]
    fn both_files() {
        let pins = pins(&[("y[4]", "B2"), ("clk", "J3"), ("carry_in", "A1")]);
        expect![[r#"
            # Pins of adder.
            set_frequency clk 33.333333
            set_io clk J3
            set_io carry_in A1
            set_io y[4] B2
        "#]]
        .assert_eq(&constraints().to_pcf(&pins).unwrap());
        expect![[r#"
            # Pins of adder.
            FREQUENCY PORT "clk" 33.333333 MHZ;
            LOCATE COMP "clk" SITE "J3";
            IOBUF PORT "clk" IO_TYPE=LVCMOS33;
            LOCATE COMP "carry_in" SITE "A1";
            IOBUF PORT "carry_in" IO_TYPE=LVCMOS33;
            LOCATE COMP "y[4]" SITE "B2";
            IOBUF PORT "y[4]" IO_TYPE=LVCMOS33;
        "#]]
        .assert_eq(&constraints().to_lpf(&pins).unwrap());
    }

    #[test]
    fn bad_pins_are_refused() {
        for (list, reason) in [
            (vec![("y[5]", "A1")], "`y[5]`, which is no bit"),
            (vec![("carry_in", "A1\nset_io")], "no name of a pin"),
            (vec![("carry_in", "A1"), ("clk", "A1")], "clk and carry_in share pin A1"),
        ] {
            let error = constraints().to_lpf(&pins(&list)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
