//! One side of a comparison in ABC's input format, BLIF.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use hdl::diag::Diagnostics;

use super::wrong;
use sim::cell::{Function, STATE};
use sim::netlist::{CONSTANTS, Instance};

/// The net on a pin, if there is one.
pub fn net_on<'a>(instance: &'a Instance, pin: &str) -> Option<&'a str> {
    let (_, net) = instance.pins.iter().find(|(name, _)| name == pin)?;
    (!net.is_empty()).then_some(net)
}

/// One side as it is written. Nets are numbered, since their names may hold what BLIF cannot.
#[derive(Default)]
pub struct Side<'a> {
    numbers: HashMap<&'a str, u32>,
    /// Nets with a driver, by number.
    has_driver: HashSet<u32>,
    count: u32,
    body: String,
}

impl<'a> Side<'a> {
    /// Drives nets by others as far as they are read: what nobody reads may have no driver.
    pub fn aliases(&mut self, aliases: &'a [(String, String)]) -> Result<(), Diagnostics> {
        let drivers: HashMap<&str, &str> = aliases.iter().map(|(a, b)| (&**a, &**b)).collect();
        let mut open: Vec<&str> = self.numbers.keys().copied().collect();
        open.sort_unstable();
        let mut seen: HashSet<&str> = open.iter().copied().collect();
        while let Some(net) = open.pop() {
            let Some(driver) = drivers.get(net).copied() else {
                continue;
            };
            let (from, to) = (self.used(driver), self.driven(net)?);
            let _ = writeln!(self.body, ".names n{from} n{to}\n1 1");
            if seen.insert(driver) {
                open.push(driver);
            }
        }
        Ok(())
    }

    /// A net without a name.
    pub fn fresh(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    /// The number of a net that is read.
    pub fn used(&mut self, net: &'a str) -> u32 {
        if let Some(number) = self.numbers.get(net) {
            return *number;
        }
        let number = self.fresh();
        self.numbers.insert(net, number);
        number
    }

    /// The number of a net that gets its driver.
    pub fn driven(&mut self, net: &'a str) -> Result<u32, Diagnostics> {
        let number = self.used(net);
        if !self.has_driver.insert(number) || CONSTANTS.contains(&net) {
            return Err(wrong(format!("the net `{net}` has two drivers")));
        }
        Ok(number)
    }

    /// Drives a net by an input that both sides have besides their ports.
    pub fn shared(&mut self, number: usize, output: u32) {
        let _ = writeln!(self.body, ".names s{number} n{output}\n1 1");
    }

    /// Drives `output` by a function of the instance's pins and its state, which is the shared input `state`.
    pub fn function(
        &mut self,
        instance: &'a Instance,
        state: Option<usize>,
        function: &Function,
        output: u32,
    ) -> Result<(), Diagnostics> {
        let mut line = String::from(".names");
        let width = function.pins.len();
        let rows: Vec<u64> = (0..1u64 << width).filter(|k| function.table >> k & 1 == 1).collect();
        if rows.is_empty() {
            // ABC refuses inputs without a row
            let _ = writeln!(self.body, "{line} n{output}");
            return Ok(());
        }
        for pin in &function.pins {
            if pin == STATE {
                let unknown = || wrong(format!("the register `{}` is not known", instance.name));
                let state = state.ok_or_else(unknown)?;
                let _ = write!(line, " s{state}");
                continue;
            }
            let net = net_on(instance, pin)
                .ok_or_else(|| wrong(format!("nothing is on pin {pin} of `{}`", instance.name)))?;
            let _ = write!(line, " n{}", self.used(net));
        }
        let _ = writeln!(self.body, "{line} n{output}");
        for k in rows {
            let row: String = (0..width).map(|i| if k >> i & 1 == 1 { '1' } else { '0' }).collect();
            // a constant has no inputs: its row is the value alone
            let gap = if width == 0 { "" } else { " " };
            let _ = writeln!(self.body, "{row}{gap}1");
        }
        Ok(())
    }

    /// Drives the constants that are read.
    pub fn constants(&mut self) {
        for (net, row) in CONSTANTS.into_iter().zip(["", "1\n"]) {
            if let Some(&number) = self.numbers.get(net) {
                self.has_driver.insert(number);
                let _ = write!(self.body, ".names n{number}\n{row}");
            }
        }
    }

    /// An error if a net is read that nothing drives.
    pub fn check(&self) -> Result<(), Diagnostics> {
        let loose =
            self.numbers.iter().filter(|(_, number)| !self.has_driver.contains(number)).map(|(net, _)| *net).min();
        match loose {
            Some(net) => Err(wrong(format!("nothing drives the net `{net}`"))),
            None => Ok(()),
        }
    }

    /// The model: `inputs` and as many shared inputs as said come in, the states first; the nets `outputs` go out as `o0`, `o1`, …
    pub fn text(&self, inputs: &[String], shared: usize, outputs: &[u32]) -> String {
        let mut text = String::from(".model side\n.inputs");
        for net in inputs {
            let _ = write!(text, " n{}", self.numbers[net.as_str()]);
        }
        text.extend((0..shared).map(|state| format!(" s{state}")));
        text += "\n.outputs";
        text.extend((0..outputs.len()).map(|output| format!(" o{output}")));
        text += "\n";
        text += &self.body;
        for (k, net) in outputs.iter().enumerate() {
            let _ = writeln!(text, ".names n{net} o{k}\n1 1");
        }
        text + ".end\n"
    }
}
