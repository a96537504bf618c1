//! The batch simulator: many samples a pass through a module's arithmetic, without its clock.
//!
//! A pipeline register only moves a value to a later cycle, so per sample it is transparent; when the outputs
//! appear is known from their stamps and proved by [`crate::stream`]. What remains is a list of instructions
//! ([`lower`]) over few slots ([`allocate`]), each slot holding one value for every lane of a block of samples, in
//! the narrowest integer type that holds every value of the module ([`Lane`]).

mod allocate;
mod content;
mod execute;
mod lane;
mod lower;
mod tape;

use hdl::dfg::{Module, Stamp};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::{Format, Interval};
use hdl::passes::flatten;

pub use content::Content;
pub use lane::Lane;
use tape::Tape;

/// A module, compiled.
#[derive(Debug, Clone)]
pub struct Batch {
    name: String,
    inputs: Vec<Format>,
    outputs: Vec<(Format, Stamp)>,
    initial: Content,
    content_ranges: content::Ranges,
    tape: AnyTape,
}

/// The tape in the lane type that was chosen for it.
#[derive(Debug, Clone)]
enum AnyTape {
    Narrow(Tape<i32>),
    Wide(Tape<i64>),
    Widest(Tape<i128>),
}

/// What a compiled module is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Instructions a sample.
    pub instructions: usize,
    /// Slots, the peak of values alive at once.
    pub slots: usize,
    /// Bits of a lane: 32, 64 or 128.
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
        if module.instances.is_empty() {
            return Self::compile_flat(module);
        }
        Self::compile_flat(&flatten(module)?)
    }

    fn compile_flat(module: &Module) -> Result<Self, Diagnostics> {
        let boxes = module.instances.iter().map(|i| &i.module);
        let mut boxes = boxes.map(|m| &m.name).chain(module.black_box.iter().map(|_| &module.name));
        if let Some(name) = boxes.next() {
            let message = format!("`{name}` is a black box: nothing says what it does");
            return Err(Diagnostic::error("black-box", message).into());
        }
        if module.input_count() == 0 {
            let message = format!("`{}` has no inputs, so it has no samples to run", module.name);
            return Err(Diagnostic::error("no-inputs", message).into());
        }
        let program = lower::lower(module);
        let tape = match program.bits {
            0..=32 => AnyTape::Narrow(Tape::new(module, &program)),
            33..=64 => AnyTape::Wide(Tape::new(module, &program)),
            _ => AnyTape::Widest(Tape::new(module, &program)),
        };
        Ok(Self {
            name: module.name.clone(),
            inputs: module.input_formats().collect(),
            outputs: module.output_formats(),
            initial: Content::initial(module),
            content_ranges: content::Ranges::of(module),
            tape,
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
        match &self.tape {
            AnyTape::Narrow(tape) => tape.size(),
            AnyTape::Wide(tape) => tape.size(),
            AnyTape::Widest(tape) => tape.size(),
        }
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
        self.check_sample_type::<S>()?;
        self.check_rows(inputs)?;
        self.content_ranges.check(content)?;
        Ok(match &self.tape {
            AnyTape::Narrow(tape) => tape.run(inputs, content),
            AnyTape::Wide(tape) => tape.run(inputs, content),
            AnyTape::Widest(tape) => tape.run(inputs, content),
        })
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

    /// Every row whole and every element in its format.
    fn check_rows<S: Lane>(&self, inputs: &[S]) -> Result<(), Diagnostics> {
        let count = self.inputs.len();
        if !inputs.len().is_multiple_of(count) {
            let message = format!(
                "`{}` has {count} input elements, {} values are no whole number of samples",
                self.name,
                inputs.len()
            );
            return Err(Diagnostic::error("input-count", message).into());
        }
        let limits: Vec<(S, S)> = self.inputs.iter().map(|f| lane::limits(f.range)).collect();
        let fits = |row: &[S]| row.iter().zip(&limits).fold(true, |all, (v, (lo, hi))| all & (lo <= v) & (v <= hi));
        match inputs.chunks_exact(count).position(|row| !fits(row)) {
            None => Ok(()),
            Some(sample) => Err(self.out_of_range(sample, &inputs[sample * count..]).into()),
        }
    }

    fn out_of_range<S: Lane>(&self, sample: usize, row: &[S]) -> Diagnostic {
        let outside = |(v, range): &(i128, Interval)| !range.contains(*v);
        let (k, (value, range)) = row
            .iter()
            .map(|v| v.to_i128())
            .zip(self.inputs.iter().map(|f| f.range))
            .enumerate()
            .find(|(_, pair)| outside(pair))
            .expect("a value of this row is out of range");
        Diagnostic::error(
            "input-range",
            format!("sample {sample}: {value} at input element {k} of `{}` is not in {range}", self.name),
        )
    }
}

#[cfg(test)]
mod tests;
