//! What is done to a module's control ports before samples stream: weights written through a register port, and
//! read back.

use std::sync::Arc;

use hdl::dfg::eval::Stepper;
use hdl::dfg::{Module, OutputPort, Port};
use hdl::diag::Diagnostics;
use hdl::num::Format;

use crate::vectors::{check_row, idle, unknown};

/// A sequence of cycles on named ports. All other inputs idle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preamble {
    /// Input ports that are driven.
    pub drives: Vec<String>,
    /// Output ports that are looked at.
    pub reads: Vec<String>,
    /// One entry a clock cycle.
    pub cycles: Vec<PreambleCycle>,
}

/// One clock cycle of a preamble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreambleCycle {
    /// Elements of the driven ports, one port after the other.
    pub drive: Vec<i128>,
    /// What the ports that are looked at must give in this cycle, before its clock edge.
    pub expect: Option<Vec<i128>>,
}

/// The ports of a preamble, found and checked.
#[derive(Debug)]
pub(crate) struct Resolved<'a> {
    pub drives: Vec<&'a Port>,
    pub reads: Vec<&'a OutputPort>,
}

impl Resolved<'_> {
    /// Formats of all driven elements.
    pub fn drive_formats(&self) -> Vec<Format> {
        self.drives.iter().flat_map(|p| p.elements.iter().copied()).collect()
    }

    /// Formats of all elements that are looked at.
    pub fn read_formats(&self) -> Vec<Format> {
        self.reads.iter().flat_map(|p| p.elements.iter().map(|e| e.format)).collect()
    }
}

impl Preamble {
    /// The ports by name; an error unless all are `module`'s and every cycle fits them.
    pub(crate) fn resolve<'a>(&self, module: &'a Module) -> Result<Resolved<'a>, Diagnostics> {
        let input = |name: &String| {
            let port = module.inputs.iter().find(|p| p.name == *name);
            port.ok_or_else(|| Diagnostics::from(unknown("input", name, module)))
        };
        let output = |name: &String| {
            let port = module.outputs.iter().find(|p| p.name == *name);
            port.ok_or_else(|| Diagnostics::from(unknown("output", name, module)))
        };
        let resolved = Resolved {
            drives: self.drives.iter().map(input).collect::<Result<_, _>>()?,
            reads: self.reads.iter().map(output).collect::<Result<_, _>>()?,
        };
        let (driven, read) = (resolved.drive_formats(), resolved.read_formats());
        let (into, from) = (self.drives.join("+"), self.reads.join("+"));
        for (i, cycle) in self.cycles.iter().enumerate() {
            check_row(&into, &driven, &cycle.drive, &|| format!("preamble cycle {i}"))?;
            if let Some(expected) = &cycle.expect {
                check_row(&from, &read, expected, &|| format!("preamble cycle {i}"))?;
            }
        }
        Ok(resolved)
    }

    /// Plays the preamble on the evaluator; returns the cycles whose outputs are not what they must be.
    ///
    /// # Errors
    /// A port that `module` does not have, or values that do not fit a port.
    pub fn play(&self, module: &Arc<Module>, stepper: &mut Stepper) -> Result<Vec<usize>, Diagnostics> {
        let resolved = self.resolve(module)?;
        let mut inputs: Vec<i128> = module.inputs.iter().flat_map(idle).collect();
        let mut wrong = Vec::new();
        for (i, cycle) in self.cycles.iter().enumerate() {
            let mut rest = cycle.drive.as_slice();
            for port in &resolved.drives {
                let (own, others) = rest.split_at(port.elements.len());
                inputs[port.first as usize..][..own.len()].copy_from_slice(own);
                rest = others;
            }
            let outputs = stepper.step(&inputs, false);
            if cycle.expect.as_ref().is_some_and(|e| *e != resolved.pick(module, &outputs)) {
                wrong.push(i);
            }
        }
        Ok(wrong)
    }
}

impl Resolved<'_> {
    /// The elements of the ports that are looked at, of all `outputs`.
    fn pick(&self, module: &Module, outputs: &[i128]) -> Vec<i128> {
        let mut picked = Vec::new();
        for read in &self.reads {
            let before = module.outputs.iter().take_while(|p| p.name != read.name);
            let first: usize = before.map(|p| p.elements.len()).sum();
            picked.extend_from_slice(&outputs[first..first + read.elements.len()]);
        }
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::dfg::{ModuleBuilder, RegisterStyle};

    /// A weight behind a port: written while `load` is 1, always visible at `held`.
    fn module() -> Arc<Module> {
        let m = ModuleBuilder::new("store");
        let load = m.input("load", Format::BIT);
        let value = m.input("value", Format::signed(6, 0).unwrap());
        let weight = m.state("weight", Format::signed(6, 0).unwrap(), RegisterStyle::default());
        weight.set_next_when(load, value);
        m.output("held", weight.value());
        m.finish().unwrap()
    }

    fn preamble(expected: i128) -> Preamble {
        Preamble {
            drives: vec!["value".into(), "load".into()],
            reads: vec!["held".into()],
            cycles: vec![
                PreambleCycle { drive: vec![-7, 1], expect: None },
                PreambleCycle { drive: vec![9, 0], expect: Some(vec![expected]) },
            ],
        }
    }

    #[test]
    fn writes_arrive_and_are_read_back() {
        let module = module();
        let mut stepper = Stepper::new(&module).unwrap();
        assert_eq!(preamble(-7).play(&module, &mut stepper).unwrap(), [0; 0]);
        assert_eq!(stepper.state(0), -7);
        assert_eq!(preamble(-6).play(&module, &mut stepper).unwrap(), [1]);
    }

    #[test]
    fn mistakes_are_named() {
        let module = module();
        let code = |preamble: &Preamble| preamble.resolve(&module).unwrap_err().0[0].code;
        let mut unknown = preamble(0);
        unknown.drives[0] = "nothing".into();
        assert_eq!(code(&unknown), "unknown-port");
        assert_eq!(code(&preamble(32)), "vector-range");
        let mut short = preamble(0);
        short.cycles[0].drive.pop();
        assert_eq!(code(&short), "element-count");
    }
}
