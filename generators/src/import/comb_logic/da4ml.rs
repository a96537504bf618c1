//! The form of a program in da4ml 0.5 and 0.6, before the project was called alkaid: a list without a head.
//!
//! An operation there has two operands, -1 for none, and one number into which several are packed. It is told in alkaid's
//! operations; a negated operand becomes an operation of its own.

use hdl::diag::Diagnostic;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::error;
use super::program::{self, Range, Table, estimate};

/// Inputs and outputs, shifts of inputs, results, shifts and signs of outputs, operations, two sizes of a cost model that are
/// no part of the function, tables.
#[derive(Debug, Deserialize)]
pub(super) struct Program(
    (usize, usize),
    Vec<i64>,
    Vec<i64>,
    Vec<i64>,
    Vec<bool>,
    Vec<Operation>,
    #[serde(deserialize_with = "estimate")] (),
    #[serde(deserialize_with = "estimate")] (),
    #[serde(default)] Option<Vec<Table>>,
);

/// Two operands, kind, number, range, and estimates of when the result is ready and what it costs.
#[derive(Debug, Deserialize)]
struct Operation(
    i64,
    i64,
    i32,
    #[serde(deserialize_with = "word")] i64,
    Range,
    #[serde(deserialize_with = "estimate")] (),
    #[serde(deserialize_with = "estimate")] (),
);

/// A 64-bit word, which da4ml writes with or without sign.
fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = i128::deserialize(deserializer)?;
    let signed = i64::try_from(number).ok();
    let word = signed.or_else(|| u64::try_from(number).ok().map(u64::cast_signed));
    word.ok_or_else(|| D::Error::custom(format!("{number} is no number of 64 bits")))
}

/// Operations that are being translated.
#[derive(Default)]
struct Translator {
    operations: Vec<program::Operation>,
    /// Where the result of each operation of the file is now.
    places: Vec<usize>,
}

impl Program {
    /// The same program in alkaid's operations.
    ///
    /// # Errors
    /// Operations that do not exist, operands that are not there or not wanted.
    pub fn translated(self) -> Result<program::Program, Diagnostic> {
        let Self(shape, input_shifts, results, output_shifts, negated, operations, (), (), tables) = self;
        let mut translator = Translator::default();
        for (k, operation) in operations.iter().enumerate() {
            let place = translator.translate(operation);
            let place =
                place.map_err(|why| Diagnostic { message: format!("operation {k}: {}", why.message), ..why })?;
            translator.places.push(place);
        }
        let place = |index: i64| match index {
            -1 => Ok(-1),
            index => translator.place(index).map(|place| place as i64),
        };
        let results = results.into_iter().map(place).collect::<Result<_, _>>()?;
        let lists = [input_shifts, results, output_shifts];
        Ok(program::Program::new(shape, lists, negated, translator.operations, tables))
    }
}

impl Translator {
    fn place(&self, index: i64) -> Result<usize, Diagnostic> {
        let place = usize::try_from(index).ok().and_then(|k| self.places.get(k)).copied();
        place.ok_or_else(|| error(format!("operand {index} does not stand before it")))
    }

    fn push(&mut self, operands: Vec<usize>, kind: i32, numbers: Vec<i64>, range: Range) -> usize {
        self.operations.push(program::Operation::new(operands, kind, numbers, range));
        self.operations.len() - 1
    }

    /// The operand, or its negative as an operation of its own.
    fn signed(&mut self, index: i64, negative: bool) -> Result<usize, Diagnostic> {
        let place = self.place(index)?;
        if !negative {
            return Ok(place);
        }
        let Range(low, high, step) = self.operations[place].3;
        Ok(self.push(vec![place], -2, Vec::new(), Range(-high, -low, step)))
    }

    /// Appends an operation; gives its place.
    fn translate(&mut self, operation: &Operation) -> Result<usize, Diagnostic> {
        let &Operation(first, second, kind, number, range, ..) = operation;
        let wants_second = matches!(kind, 0 | 1 | 6 | -6 | 7 | 10);
        if !wants_second && second != -1 {
            return Err(error(format!("an operation of kind {kind} has no second operand, here it is {second}")));
        }
        let wants_number = !matches!(kind, -1 | 2 | -2 | 3 | -3 | 7);
        if !wants_number && number != 0 {
            return Err(error(format!("an operation of kind {kind} has no number, here it is {number}")));
        }
        let (operands, kind, numbers) = match kind {
            -1 => (Vec::new(), -1, vec![first]),
            0 | 1 => (vec![self.place(first)?, self.place(second)?], kind, vec![number]),
            2 | -2 => (vec![self.signed(first, kind < 0)?], 2, Vec::new()),
            3 | -3 => (vec![self.signed(first, kind < 0)?], 3, vec![0]),
            4 => (vec![self.place(first)?], 4, vec![number, fraction_bits(range)?]),
            5 if first == -1 => (Vec::new(), 5, vec![number]),
            6 | -6 => {
                // the condition below, the shift of the second operand above
                let (condition, shift) = (i64::from(number as u32), i64::from((number >> 32) as i32));
                let other = self.signed(second, kind < 0)?;
                (vec![self.place(first)?, other, self.place(condition)?], 6, vec![shift])
            }
            7 => (vec![self.place(first)?, self.place(second)?], 7, Vec::new()),
            8 => (vec![self.place(first)?], 8, vec![number]),
            9 => (vec![self.place(first)?], 9, vec![number]),
            10 => {
                // the shift of the second operand below, the gate in the highest byte, signs of operands between them
                let (shift, gate) = (i64::from(number as i32), number >> 56);
                if number & 0x00ff_ffff_0000_0000 != 0 {
                    return Err(error("a gate on a negated operand is not supported").help("trace it with alkaid 0.8"));
                }
                (vec![self.place(first)?, self.place(second)?], 10, vec![shift, gate])
            }
            other => {
                return Err(error(format!("there is no operation of kind {other}")).help("trace it with alkaid 0.8"));
            }
        };
        Ok(self.push(operands, kind, numbers, range))
    }
}

/// Fraction bits of a range's step, in which a constant is counted.
fn fraction_bits(Range(low, high, step): Range) -> Result<i64, Diagnostic> {
    let bits = -step.log2();
    match bits.fract() == 0.0 && bits.abs() <= program::MAX_SHIFT as f64 {
        true => Ok(bits as i64),
        false => Err(error(format!("[{low}, {high}] in steps of {step} is no range of a fixed-point number"))),
    }
}
