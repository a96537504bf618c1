//! The cycle-accurate stream: one sample a clock through the evaluator, outputs compared in their stated cycle.
//!
//! This is what proves a latency and an initiation interval of 1; the emitted test bench does the same in Verilog.

use std::fmt;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use hdl::diag::Diagnostics;

use crate::vectors::{Held, Vectors};

/// An output element that was not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Number of the sample.
    pub sample: usize,
    /// Name of the port.
    pub port: String,
    /// Element of the port.
    pub element: usize,
    /// What must come.
    pub expected: i128,
    /// What came.
    pub got: i128,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sample, port, element, expected, got } = self;
        write!(f, "sample {sample} port {port} element {element} expected {expected} got {got}")
    }
}

/// The levels at a module's ports in one cycle, before the clock edge.
#[derive(Debug, Clone, Copy)]
pub struct Cycle<'a> {
    /// Cycles since the first sample.
    pub number: usize,
    /// All input elements.
    pub inputs: &'a [i128],
    /// All output elements.
    pub outputs: &'a [i128],
}

/// Cycle `number` of sample `i` is `i` plus the cycle of the port's stamp; a timeless port goes with cycle 0.
///
/// Streams `vectors` through `module` as `stepper` has it, and returns what differs, sample by sample; `watch` sees
/// every cycle.
///
/// # Errors
/// Vectors or held values that do not fit the module.
pub fn stream(
    module: &Arc<Module>,
    stepper: &mut Stepper,
    vectors: &Vectors,
    held: &Held,
    mut watch: impl FnMut(Cycle<'_>),
) -> Result<Vec<Mismatch>, Diagnostics> {
    let columns = vectors.columns(module, held)?;
    let (samples, width) = (vectors.len(), module.input_count());
    let last_input = module.inputs.iter().filter_map(|p| p.stamp.cycle()).max().unwrap_or(0);
    let cycles = samples + module.latency().max(last_input) as usize;
    let mut found = Vec::new();
    let mut inputs = vec![0; width];
    for number in 0..cycles {
        for (port, column) in module.inputs.iter().zip(&columns) {
            // outside its samples a port keeps the nearest one: the values must not matter
            let sample = number.saturating_sub(delay(port.stamp.cycle())).min(samples - 1);
            let elements = port.first as usize..port.first as usize + port.elements.len();
            inputs[elements].copy_from_slice(column.row(sample));
        }
        let outputs = stepper.step(&inputs, false);
        watch(Cycle { number, inputs: &inputs, outputs: &outputs });
        compare(module, vectors, number, &outputs, &mut found);
    }
    found.sort_by_key(|m: &Mismatch| m.sample);
    Ok(found)
}

fn delay(cycle: Option<u32>) -> usize {
    cycle.unwrap_or(0) as usize
}

/// Adds what differs in this cycle.
fn compare(module: &Module, vectors: &Vectors, number: usize, outputs: &[i128], found: &mut Vec<Mismatch>) {
    let mut rest = outputs;
    for port in &module.outputs {
        let (own, others) = rest.split_at(port.elements.len());
        rest = others;
        let sample = number.checked_sub(delay(port.stamp.cycle())).filter(|i| *i < vectors.len());
        let (Some(sample), Some(expected)) = (sample, vectors.outputs.get(&port.name)) else {
            continue;
        };
        let pairs = expected.row(sample).iter().zip(own).enumerate();
        found.extend(pairs.filter(|(_, (e, g))| e != g).map(|(element, (e, g))| Mismatch {
            sample,
            port: port.name.clone(),
            element,
            expected: *e,
            got: *g,
        }));
    }
}

/// Output ports of which no two successive samples differ, so that no stream can prove their latency.
pub fn unproven(vectors: &Vectors) -> Vec<&str> {
    let constant = |rows: &crate::vectors::Rows| (1..rows.len()).all(|i| rows.row(i - 1) == rows.row(i));
    vectors.outputs.iter().filter(|(_, rows)| constant(rows)).map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::dfg::{ModuleBuilder, Stamp};
    use hdl::num::Format;

    /// `x · 3` after two cycles, plus an addend that arrives one cycle after `x`.
    fn module() -> Arc<Module> {
        let m = ModuleBuilder::new("mac");
        let format = Format::signed(6, 0).unwrap();
        let x = m.input("x", format);
        let c = m.input_port("c", vec![format], Stamp::at(1))[0];
        m.output("y", (x * m.constant(3, 0) + c).delay(1));
        m.output("early", x.delay(1));
        m.finish().unwrap()
    }

    fn vectors(shift: i128) -> Vectors {
        let text = |f: &dyn Fn(i128) -> i128| (0..20).map(|i| vec![f(i)]).collect::<Vec<_>>();
        let column = |f: &dyn Fn(i128) -> i128| text(f).try_into().unwrap();
        Vectors {
            inputs: [("x".into(), column(&|i| i - 9)), ("c".into(), column(&|i| i * 7 % 30))].into(),
            outputs: [
                ("y".into(), column(&|i| 3 * (i - shift - 9) + (i - shift) * 7 % 30)),
                ("early".into(), column(&|i| i - 9)),
            ]
            .into(),
        }
    }

    fn run(vectors: &Vectors) -> Vec<Mismatch> {
        let module = module();
        let mut stepper = Stepper::new(&module).unwrap();
        stream(&module, &mut stepper, vectors, &Held::new(), |_| ()).unwrap()
    }

    #[test]
    fn outputs_come_in_their_stated_cycles() {
        assert_eq!(run(&vectors(0)), []);
    }

    #[test]
    fn another_latency_is_caught() {
        assert_eq!(run(&vectors(1)).len(), 20);
        assert_eq!(run(&vectors(-1)).len(), 20);
    }

    #[test]
    fn a_wrong_value_is_caught() {
        let mut wrong = vectors(0);
        let mut rows: Vec<Vec<i128>> = wrong.outputs["early"].clone().into();
        rows[4][0] = 11;
        wrong.outputs.insert("early".into(), rows.try_into().unwrap());
        let found = run(&wrong);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "sample 4 port early element 0 expected 11 got -5");
    }

    #[test]
    fn a_constant_output_proves_no_latency() {
        let mut constant = vectors(0);
        assert_eq!(unproven(&constant), [""; 0]);
        constant.outputs.insert("y".into(), vec![vec![3]; 20].try_into().unwrap());
        assert_eq!(unproven(&constant), ["y"]);
    }
}
