//! The batch simulator: many samples a pass through a module's arithmetic, without its clock.
//!
//! A pipeline register only moves a value to a later cycle, so per sample it is transparent; when the outputs
//! appear is known from their stamps and proved by [`crate::stream`]. What remains is a list of instructions
//! ([`lower`]), each computed in the narrowest type that its value fits ([`typing`]), over few slots ([`allocate`]), each
//! slot holding one value for every lane of a block of samples ([`arena`]).
//!
//! What a matrix makes of values need not be adders at all: a [`Linked`] module leaves such sums to the simulator.

mod allocate;
mod arena;
mod content;
mod execute;
mod instruction;
mod lane;
mod linked;
mod lower;
mod rows;
mod sums;
mod tape;
mod typing;

use std::sync::Arc;

use hdl::dfg::{Module, Stamp};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::{Format, Interval};
use hdl::passes::flatten;

pub use content::Content;
pub use instruction::Code;
pub use lane::{Kind, Lane};
pub use linked::{Linked, Sum};
use rayon::prelude::*;
use tape::Tape;
pub use typing::{Act, Step, Typed};

/// A module, compiled.
#[derive(Debug, Clone)]
pub struct Batch {
    name: String,
    inputs: Vec<Format>,
    outputs: Vec<(Format, Stamp)>,
    initial: Content,
    content_ranges: content::Ranges,
    /// Elements of the ports that are inputs, and of those that are outputs.
    widths: [Vec<usize>; 2],
    tape: Tape,
}

/// What a compiled module is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Instructions a sample.
    pub instructions: usize,
    /// Slots, the peak of values alive at once.
    pub slots: usize,
    /// Bits of the widest lane: 8, 16, 32, 64 or 128.
    pub lane_bits: u32,
}

impl Batch {
    /// Compiles `module`.
    ///
    /// Instances are flattened first. Registers with feedback and register files stand for their content, which is constant over a run
    /// ([`Content`]): weight stores, not counters.
    ///
    /// # Errors
    /// A black box inside, no input element, or too many nodes without hierarchy.
    pub fn compile(module: &Module) -> Result<Self, Diagnostics> {
        let module = match module.instances.is_empty() {
            true => module.clone(),
            false => flatten(module)?,
        };
        let boxes = module.instances.iter().map(|i| &i.module);
        let mut boxes = boxes.map(|m| &m.name).chain(module.black_box.iter().map(|_| &module.name));
        if let Some(name) = boxes.next() {
            let message = format!("`{name}` is a black box: nothing says what it does");
            return Err(Diagnostic::error("black-box", message).into());
        }
        Self::compile_linked(&Linked::whole(Arc::new(module)))
    }

    /// Compiles a module with sums.
    ///
    /// # Errors
    /// No input element.
    pub fn compile_linked(linked: &Linked) -> Result<Self, Diagnostics> {
        let module = &*linked.module;
        if linked.inputs == 0 {
            let message = format!("`{}` has no inputs, so it has no samples to run", module.name);
            return Err(Diagnostic::error("no-inputs", message).into());
        }
        let ports = [
            ports(module.inputs.iter().map(|p| p.elements.len()), 0..linked.inputs),
            ports(module.outputs.iter().map(|p| p.elements.len()), linked.outputs.clone()),
        ];
        Ok(Self {
            name: module.name.clone(),
            inputs: module.input_formats().take(linked.inputs).collect(),
            outputs: module.output_formats()[linked.outputs.clone()].to_vec(),
            initial: Content::initial(module),
            content_ranges: content::Ranges::of(module),
            widths: ports,
            tape: Tape::new(module, &lower::lower(linked)),
        })
    }

    /// Elements of a row of inputs.
    pub fn input_count(&self) -> usize {
        self.inputs.len()
    }

    /// Elements of a row of outputs.
    pub fn output_count(&self) -> usize {
        self.outputs.len()
    }

    /// Format of each output element, with the cycle in which the hardware gives it.
    pub fn outputs(&self) -> &[(Format, Stamp)] {
        &self.outputs
    }

    /// Instructions, slots and lane width.
    pub fn size(&self) -> Size {
        self.tape.size()
    }

    /// The outputs of many samples, row after row, from their inputs, row after row; registers with feedback hold
    /// their initial values.
    ///
    /// # Errors
    /// As [`Batch::run_with`].
    pub fn run<S: Lane>(&self, inputs: &[S]) -> Result<Vec<S>, Diagnostics> {
        self.run_with(inputs, &self.initial)
    }

    /// The same, with registers and register files that hold `content`.
    ///
    /// # Errors
    /// Inputs that are no whole number of rows or out of range, content of another shape or out of range, outputs
    /// that `S` cannot hold.
    pub fn run_with<S: Lane>(&self, inputs: &[S], content: &Content) -> Result<Vec<S>, Diagnostics> {
        let widths = [&[self.inputs.len()][..], &[self.outputs.len()][..]];
        let mut outputs = self.run_widths(&[inputs], widths, content)?;
        Ok(outputs.pop().expect("the one port"))
    }

    /// The outputs of many samples port by port, from their inputs port by port; each port's elements sample after sample.
    ///
    /// # Errors
    /// As [`Batch::run_with`]; ports that have not the same number of samples.
    pub fn run_ports<S: Lane>(&self, inputs: &[&[S]]) -> Result<Vec<Vec<S>>, Diagnostics> {
        self.run_widths(inputs, [&self.widths[0], &self.widths[1]], &self.initial)
    }

    fn run_widths<S: Lane>(
        &self,
        inputs: &[&[S]],
        widths: [&[usize]; 2],
        content: &Content,
    ) -> Result<Vec<Vec<S>>, Diagnostics> {
        self.check_sample_type::<S>()?;
        self.check_rows(inputs, widths[0])?;
        self.content_ranges.check(content)?;
        Ok(self.tape.run(inputs, widths, content))
    }

    fn check_sample_type<S: Lane>(&self) -> Result<(), Diagnostics> {
        match self.outputs.iter().position(|(format, _)| !S::holds(format.range)) {
            None => Ok(()),
            Some(k) => Err(Diagnostic::error(
                "sample-type",
                format!(
                    "output element {k} of `{}` is {}, more than {} bits hold",
                    self.name,
                    self.outputs[k].0,
                    S::BITS
                ),
            )
            .help("run it on wider samples")
            .into()),
        }
    }

    /// Every row whole, as many in each port, and every element in its format.
    fn check_rows<S: Lane>(&self, inputs: &[&[S]], widths: &[usize]) -> Result<(), Diagnostics> {
        let wrong = |message: String| Err(Diagnostic::error("input-count", message).into());
        if inputs.len() != widths.len() {
            return wrong(format!("`{}` has {} input ports, {} are given", self.name, widths.len(), inputs.len()));
        }
        let mut first = 0;
        let mut samples = None;
        for (rows, &width) in inputs.iter().zip(widths) {
            if !rows.len().is_multiple_of(width) {
                let (name, given) = (&self.name, rows.len());
                return wrong(format!(
                    "`{name}` has {width} input elements, {given} values are no whole number of samples"
                ));
            }
            let count = rows.len() / width;
            if *samples.get_or_insert(count) != count {
                return wrong(format!("ports of `{}` are given different numbers of samples", self.name));
            }
            self.check_range(rows, first, width)?;
            first += width;
        }
        Ok(())
    }

    /// An error unless all values of the port whose first element is `first` are in their formats.
    fn check_range<S: Lane>(&self, rows: &[S], first: usize, width: usize) -> Result<(), Diagnostics> {
        let formats = &self.inputs[first..][..width];
        let limits: Vec<(S, S)> = formats.iter().map(|f| lane::limits(f.range)).collect();
        let fits = |row: &[S]| row.iter().zip(&limits).fold(true, |all, (v, (lo, hi))| all & (lo <= v) & (v <= hi));
        match rows.par_chunks_exact(width).position_first(|row| !fits(row)) {
            None => Ok(()),
            Some(sample) => Err(self.out_of_range(sample, &rows[sample * width..][..width], first).into()),
        }
    }

    fn out_of_range<S: Lane>(&self, sample: usize, row: &[S], first: usize) -> Diagnostic {
        let outside = |(v, range): &(i128, Interval)| !range.contains(*v);
        let (k, (value, range)) = row
            .iter()
            .map(|v| v.to_i128())
            .zip(self.inputs[first..].iter().map(|f| f.range))
            .enumerate()
            .find(|(_, pair)| outside(pair))
            .expect("a value of this row is out of range");
        let k = first + k;
        Diagnostic::error(
            "input-range",
            format!("sample {sample}: {value} at input element {k} of `{}` is not in {range}", self.name),
        )
    }
}

/// The widths of the ports whose elements are `within`, of ports of these `widths` one after the other.
fn ports(widths: impl Iterator<Item = usize>, within: std::ops::Range<usize>) -> Vec<usize> {
    let mut first = 0;
    let mut kept = Vec::new();
    for width in widths {
        if within.contains(&first) {
            kept.push(width);
        }
        first += width;
    }
    kept
}

#[cfg(test)]
mod tests;
