//! The file: a list of operations, each on results of earlier ones.

use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};
use serde::{Deserialize, Deserializer};

use super::{da4ml, error};
use crate::import::bounded;

/// The version of the format.
const VERSION: u64 = 4;

/// Largest shift, in bits.
pub(super) const MAX_SHIFT: i64 = 128;

/// A program. A list that is longer or shorter is an error.
#[derive(Debug, Deserialize)]
pub(super) struct Program(
    /// Inputs and outputs.
    pub (usize, usize),
    /// Shift of each input.
    Vec<i64>,
    /// Which result each output takes, -1 for the constant 0.
    pub Vec<i64>,
    /// Shift of each output.
    pub Vec<i64>,
    /// Whether the output is negated.
    pub Vec<bool>,
    /// The operations.
    pub Vec<Operation>,
    /// Bits of a carry of the tracer's cost model: no part of the function.
    #[serde(deserialize_with = "estimate")]
    (),
    /// Bits of an adder of the same.
    #[serde(deserialize_with = "estimate")]
    (),
    #[serde(default)] Option<Vec<Table>>,
);

/// Operands, kind, payload, range, and the tracer's estimates of when the result is ready and what it costs, which are no
/// part of the function.
#[derive(Debug, Deserialize)]
pub(super) struct Operation(
    pub Vec<usize>,
    pub i32,
    pub Vec<i64>,
    pub Range,
    #[serde(deserialize_with = "estimate")] (),
    #[serde(deserialize_with = "estimate")] (),
);

/// A number that is no part of the function.
pub(super) fn estimate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    f64::deserialize(deserializer).map(drop)
}

/// Least value, greatest value, step.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Range(pub f64, pub f64, pub f64);

/// A table of a function of one value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    spec: TableSpec,
    /// One integer for each operand, from the least on.
    pub table: Vec<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSpec {
    /// The tracer's name for the content, by which it finds equal tables: no part of the function.
    #[serde(rename = "hash")]
    _hash: String,
    out_qint: TableRange,
    /// Bits that number the entries.
    inp_width: u32,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableRange {
    min: f64,
    max: f64,
    step: f64,
}

/// What the file says of itself.
#[derive(Debug, Deserialize)]
struct Head {
    meta: String,
    spec_version: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Program,
    // read before the program is
    #[serde(rename = "meta")]
    _meta: String,
    #[serde(rename = "spec_version")]
    _spec_version: u64,
}

impl Range {
    /// Least and greatest value, counted in steps.
    fn integers(self) -> Option<(i64, i64)> {
        let Self(least, greatest, step) = self;
        if least == 0.0 && greatest == 0.0 {
            return Some((0, 0));
        }
        let exponent = step.log2();
        let count = |v: f64| {
            let n = v / step;
            (n.fract() == 0.0 && n.abs() < (1u64 << 52) as f64).then_some(n as i64)
        };
        let valid = step > 0.0 && exponent.fract() == 0.0 && exponent.abs() <= MAX_SHIFT as f64;
        let (low, high) = (count(least)?, count(greatest)?);
        (valid && low <= high).then_some((low, high))
    }

    /// The steps and what one is worth; 0 alone has steps of 1.
    fn format(self) -> Option<Format> {
        let (low, high) = self.integers()?;
        let range = Interval::new(low.into(), high.into()).ok()?;
        Some(Format { range, frac: if (low, high) == (0, 0) { 0 } else { -self.2.log2() as i32 } })
    }
}

/// Least and greatest integer of the narrowest pattern that holds the format's range.
pub(super) fn limits(format: &Format) -> (i64, i64) {
    let all = Interval::of_width(format.range.width(), format.range.signed()).expect("at most 53 bits");
    (all.lo() as i64, all.hi() as i64)
}

impl Operation {
    /// An operation without estimates.
    pub fn new(operands: Vec<usize>, kind: i32, numbers: Vec<i64>, range: Range) -> Self {
        Self(operands, kind, numbers, range, (), ())
    }

    /// The format of the result.
    pub fn format(&self) -> Result<Format, Diagnostic> {
        self.3.format().ok_or_else(|| self.no_range())
    }

    fn no_range(&self) -> Diagnostic {
        let Range(least, greatest, step) = self.3;
        error(format!("[{least}, {greatest}] in steps of {step} is no range of a fixed-point number"))
    }

    /// The only operands and numbers that there are.
    pub fn parts<const A: usize, const D: usize>(&self) -> Result<([usize; A], [i64; D]), Diagnostic> {
        let operands = self.0.as_slice().try_into().ok();
        operands.zip(self.2.as_slice().try_into().ok()).ok_or_else(|| {
            error(format!("it takes {A} operands and {D} numbers, not {} and {}", self.0.len(), self.2.len()))
        })
    }

    /// The result of a constant: an integer in steps of its range.
    pub fn constant(&self, integer: i64) -> f64 {
        integer as f64 * self.3.2
    }
}

impl Table {
    /// An error unless there is an entry for each operand from `low` to `high`, and as many bits number them as it says.
    pub fn check(&self, low: i64, high: i64) -> Result<(), Diagnostic> {
        let entries = self.table.len();
        let bits = entries.next_power_of_two().trailing_zeros();
        if bits != self.spec.inp_width {
            return Err(error(format!(
                "a table of {entries} entries has `inp_width` {}, not {bits}",
                self.spec.inp_width
            )));
        }
        let wanted = high.abs_diff(low) + 1;
        match entries as u64 == wanted {
            true => Ok(()),
            false => Err(error(format!("a table has {entries} entries for an operand of {wanted} values"))),
        }
    }

    /// The format of the results.
    pub fn format(&self) -> Result<Format, Diagnostic> {
        let TableRange { min, max, step } = self.spec.out_qint;
        Range(min, max, step).format().ok_or_else(|| error("a table has a range that is no fixed-point number's"))
    }
}

/// Whether the bytes are gzip's.
pub fn is_compressed(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b")
}

/// Whether the text is a JSON list, as da4ml writes a program.
pub fn is_list(bytes: &[u8]) -> bool {
    bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[')
}

fn unpacked(bytes: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    let unpacked = bounded::take(flate2::read::MultiGzDecoder::new(bytes), bounded::TEXT);
    let unpacked = unpacked.map_err(|e| error(format!("the file cannot be unpacked: {e}")))?;
    let too_long = || error(format!("the file has more than {} bytes when it is unpacked", bounded::TEXT));
    let unpacked = unpacked.ok_or_else(too_long)?;
    match is_compressed(&unpacked) {
        true => Err(error("the file is compressed twice")),
        false => Ok(unpacked),
    }
}

impl Program {
    /// A program without estimates of its cost.
    pub fn new(
        shape: (usize, usize),
        [input_shifts, results, output_shifts]: [Vec<i64>; 3],
        negated: Vec<bool>,
        operations: Vec<Operation>,
        tables: Option<Vec<Table>>,
    ) -> Self {
        Self(shape, input_shifts, results, output_shifts, negated, operations, (), (), tables)
    }

    /// Reads the JSON that `CombLogic.save` writes, packed with gzip or not: alkaid's, or the list that da4ml writes.
    ///
    /// # Errors
    /// Another version, fields that are not known, lists of the wrong lengths, shifted inputs.
    pub fn parse(bytes: &[u8]) -> Result<Self, Diagnostic> {
        if is_compressed(bytes) {
            return Self::parse(&unpacked(bytes)?);
        }
        let damaged = |e: serde_json::Error| error(format!("the program is damaged: {e}"));
        if is_list(bytes) {
            let written: da4ml::Program = serde_json::from_slice(bytes).map_err(damaged)?;
            return written.translated()?.checked();
        }
        let head: Head =
            serde_json::from_slice(bytes).map_err(|e| error(format!("this is no serialised CombLogic: {e}")))?;
        if head.meta != "ALIRModel" {
            let kind = hdl::names::quoted(&head.meta);
            return Err(
                error(format!("this is a {kind}, not an ALIRModel")).help("load it with alkaid 0.8 and save it again")
            );
        }
        if head.spec_version != VERSION {
            return Err(error(format!("this is version {} of the format, {VERSION} is wanted", head.spec_version))
                .help("load it with alkaid 0.8 and save it again"));
        }
        let file: File = serde_json::from_slice(bytes).map_err(damaged)?;
        file.model.checked()
    }

    fn checked(self) -> Result<Self, Diagnostic> {
        let program = self;
        let (inputs, outputs) = program.0;
        let lengths = [program.2.len(), program.3.len(), program.4.len()];
        if program.1.len() != inputs || lengths.iter().any(|n| *n != outputs) {
            return Err(error(format!("{inputs} inputs and {outputs} outputs do not fit the lists of their shifts")));
        }
        if program.1.iter().any(|s| *s != 0) {
            // alkaid's two interpreters disagree on what is wrapped first
            return Err(error("inputs with a shift are not supported")
                .help("trace the matrix instead of saving the solver's solution"));
        }
        Ok(program)
    }

    /// A table by its number.
    pub fn table(&self, number: i64) -> Result<&Table, Diagnostic> {
        let tables = self.8.as_deref().unwrap_or_default();
        let table = usize::try_from(number).ok().and_then(|n| tables.get(n));
        table.ok_or_else(|| error(format!("there is no table {number}")))
    }
}
