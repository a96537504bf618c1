//! Self-checking test benches in Verilog-2001.
//!
//! The bench makes its own clock, resets the module, plays the preamble, streams one sample a cycle and compares
//! every bit of every output in its stated cycle, just before the clock edge, so that an unknown bit or a value that
//! is a cycle early or late is a mismatch. Its last line is `PASS <n> vectors, latency <L>` or
//! `FAIL <n> mismatches in …`.
//!
//! It reads [`INPUTS`], [`EXPECTED`], and where there are [`PREAMBLE`] and [`ORDER`], from the folder [`FOLDER`], or from the one that the plusarg
//! `+vectors=` names; `+waves=` names a file for a value change dump. The parameter `VECTORS` is the number of
//! samples.

mod writer;

use std::collections::HashMap;

use hdl::dfg::{Module, OutputPort, Port};
use hdl::diag::Diagnostics;
use hdl::num::Format;

use crate::hex::Words;
use crate::preamble::{Preamble, Resolved};
use crate::vectors::{Held, Rows, Vectors};

/// Where the bench looks for its files.
pub const FOLDER: &str = "vectors";
/// One word a sample: the streamed input ports in the module's order, the first at the least significant end.
pub const INPUTS: &str = "inputs.hex";
/// One word a sample: the checked output ports, packed alike.
pub const EXPECTED: &str = "expected.hex";
/// Where words come again and again: one word a sample, the number of its word in [`INPUTS`] in the lower half, that in
/// [`EXPECTED`] in the upper one.
pub const ORDER: &str = "order.hex";
/// One word a cycle: driven ports, then ports that are looked at, then a bit that says whether to look.
pub const PREAMBLE: &str = "preamble.hex";

/// Cycles of reset before anything else, if the module has a reset.
pub const RESET_CYCLES: usize = 3;

/// A test bench and what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// The module `<top>_tb`.
    pub verilog: String,
    /// Text of [`INPUTS`].
    pub inputs: String,
    /// Text of [`EXPECTED`].
    pub expected: String,
    /// Text of [`ORDER`], if words are repeated.
    pub order: Option<String>,
    /// Text of [`PREAMBLE`], if there is one.
    pub preamble: Option<String>,
}

/// What the bench knows of the module and of the words in its files.
struct Plan<'a> {
    module: &'a Module,
    held: &'a Held,
    /// Streamed input ports, the groups of the words of [`INPUTS`].
    inputs: Vec<&'a Port>,
    input_words: Words,
    /// Checked output ports, the groups of the words of [`EXPECTED`].
    outputs: Vec<&'a OutputPort>,
    output_words: Words,
    preamble: Option<PreamblePlan<'a>>,
    samples: usize,
    /// Words in [`INPUTS`] and in [`EXPECTED`] where they are repeated.
    repeated: Option<[usize; 2]>,
}

/// The preamble's ports and the words of [`PREAMBLE`].
struct PreamblePlan<'a> {
    preamble: &'a Preamble,
    ports: Resolved<'a>,
    words: Words,
}

/// The bench that streams `vectors` through `module`, after `preamble`, with the other ports at `held`.
///
/// # Errors
/// Vectors, held values or a preamble that do not fit the module.
pub fn bench(
    module: &Module,
    vectors: &Vectors,
    held: &Held,
    preamble: Option<&Preamble>,
) -> Result<Bench, Diagnostics> {
    vectors.columns(module, held)?;
    let mut plan = Plan::new(module, vectors, held, preamble)?;
    let inputs: Vec<&Rows> = plan.inputs.iter().map(|p| &vectors.inputs[&p.name]).collect();
    let outputs: Vec<&Rows> = plan.outputs.iter().map(|p| &vectors.outputs[&p.name]).collect();
    let repeats = inputs.iter().chain(&outputs).any(|rows| rows.order().is_some());
    let [inputs, expected] =
        [(&plan.input_words, inputs), (&plan.output_words, outputs)].map(|(words, columns)| match repeats {
            true => SampleWords::distinct(words, &columns, plan.samples),
            false => SampleWords::each(words, &columns, plan.samples),
        });
    plan.repeated = repeats.then(|| [&inputs, &expected].map(|words| words.count));
    let order = plan.repeated.map(|_| {
        let pairs = expected.order.iter().zip(&inputs.order);
        pairs.fold(String::new(), |text, (expected, input)| text + &format!("{expected:08x}{input:08x}\n"))
    });
    Ok(Bench {
        verilog: writer::text(&plan),
        inputs: inputs.text,
        expected: expected.text,
        order,
        preamble: plan.preamble.as_ref().map(PreamblePlan::text),
    })
}

/// The lines of a file of words.
struct SampleWords {
    text: String,
    /// How many there are.
    count: usize,
    /// The word of each sample; empty if each has its own.
    order: Vec<usize>,
}

impl SampleWords {
    /// One word a sample.
    fn each(words: &Words, columns: &[&Rows], samples: usize) -> Self {
        let mut text = String::new();
        (0..samples).for_each(|i| words.write(&mut text, columns.iter().map(|rows| rows.row(i))));
        Self { text, count: samples, order: Vec::new() }
    }

    /// Each word once. Samples of the same rows in all ports have the same word; rows that are not repeated are told apart
    /// by what they are.
    fn distinct(words: &Words, columns: &[&Rows], samples: usize) -> Self {
        let mut written = Self { text: String::new(), count: 0, order: Vec::with_capacity(samples) };
        let mut known: HashMap<Vec<i128>, usize> = HashMap::new();
        for i in 0..samples {
            let key = |rows: &&Rows| match rows.order() {
                Some(order) => vec![order[i].into()],
                None => rows.row(i).to_vec(),
            };
            let key = columns.iter().flat_map(key).collect();
            let word = *known.entry(key).or_insert_with(|| {
                words.write(&mut written.text, columns.iter().map(|rows| rows.row(i)));
                written.count += 1;
                written.count - 1
            });
            written.order.push(word);
        }
        written
    }
}

fn output_formats(port: &OutputPort) -> Vec<Format> {
    port.elements.iter().map(|e| e.format).collect()
}

impl<'a> Plan<'a> {
    fn new(
        module: &'a Module,
        vectors: &Vectors,
        held: &'a Held,
        preamble: Option<&'a Preamble>,
    ) -> Result<Self, Diagnostics> {
        let inputs: Vec<&Port> = module.inputs.iter().filter(|p| vectors.inputs.contains_key(&p.name)).collect();
        let outputs: Vec<&OutputPort> =
            module.outputs.iter().filter(|p| vectors.outputs.contains_key(&p.name)).collect();
        Ok(Self {
            module,
            held,
            input_words: Words::new(inputs.iter().map(|p| p.elements.clone())),
            inputs,
            output_words: Words::new(outputs.iter().map(|p| output_formats(p))),
            outputs,
            preamble: preamble.map(|p| PreamblePlan::new(p, module)).transpose()?,
            samples: vectors.len(),
            repeated: None,
        })
    }
}

impl<'a> PreamblePlan<'a> {
    fn new(preamble: &'a Preamble, module: &'a Module) -> Result<Self, Diagnostics> {
        let ports = preamble.resolve(module)?;
        let drives = ports.drives.iter().map(|p| p.elements.clone());
        let reads = ports.reads.iter().map(|p| output_formats(p));
        let words = Words::new(drives.chain(reads).chain([vec![Format::BIT]]));
        Ok(Self { preamble, ports, words })
    }

    /// The words of all cycles; where nothing is looked at, the expected values are 0.
    fn text(&self) -> String {
        let mut text = String::new();
        let nothing = vec![0; self.ports.read_formats().len()];
        let sizes = self.ports.drives.iter().map(|p| p.elements.len());
        let sizes: Vec<usize> = sizes.chain(self.ports.reads.iter().map(|p| p.elements.len())).chain([1]).collect();
        for cycle in &self.preamble.cycles {
            let expected = cycle.expect.as_ref().unwrap_or(&nothing);
            let look = [i128::from(cycle.expect.is_some())];
            let values = [&cycle.drive, expected.as_slice(), &look].concat();
            let mut rest = values.as_slice();
            let groups = sizes.iter().map(|&size| {
                let (own, others) = rest.split_at(size);
                rest = others;
                own
            });
            self.words.write(&mut text, groups);
        }
        text
    }
}

#[cfg(test)]
mod tests;
