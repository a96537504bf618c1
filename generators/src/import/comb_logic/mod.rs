//! Programs that alkaid's front ends trace (`CombLogic.save`, version 4 of its format), and those of da4ml 0.5 and 0.6
//! before it ([`da4ml`]), as quantised networks.
//!
//! The file lists adders, and what stands between them: quantisers, rectifiers, multiplexers, products, tables, operations
//! on bits. A tree of adders is a linear map of the values that are not sums, so it is multiplied out again into the rows
//! of a matrix, for our own optimiser to build; what is not linear becomes a layer with all of its kind that need no later
//! one. Inverting every bit is linear: what is left of all ones.

mod bits;
mod da4ml;
mod form;
mod layers;
mod program;

use std::collections::BTreeMap;

use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};

use self::bits::Gate;
use self::form::Form;
use self::layers::Layers;
use self::program::{MAX_SHIFT, Operation, Program};
use super::lift::Imported;

pub use self::program::is_compressed;

/// Most factors of all matrices together.
const MAX_TERMS: usize = 1 << 23;

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("comb-logic", message)
}

/// The network in the bytes of a serialised `CombLogic`, packed with gzip or not: one input `x` and one output `y`, both with one row.
///
/// # Errors
/// No such file, another version of the format, and operations that are not supported: their number and what they are.
pub fn read(bytes: &[u8]) -> Result<Imported, Diagnostic> {
    let program = Program::parse(bytes)?;
    let sources = Sources::of(&program)?;
    let mut layers = Layers::new(&sources.inputs)?;
    for ((level, kind), tasks) in &sources.tasks {
        layers.perform(*level, kind, tasks, &program)?;
    }
    let outputs: Vec<&Form> = sources.outputs.iter().collect();
    Ok(Imported {
        traced_adders: Some(program.5.iter().map(adders).sum()),
        ..Imported::exact(layers.finish(&outputs)?)
    })
}

/// Adders that an operation is: sums and differences, and constants that are added.
fn adders(operation: &Operation) -> u64 {
    match operation.1 {
        0 | 1 | 4 => 1,
        11 => (operation.0.len() as u64).saturating_sub(1),
        _ => 0,
    }
}

/// What is done to sums.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Rounded down and wrapped.
    Quantise,
    /// Negative ones are 0, then rounded down and wrapped.
    Relu,
    /// The first one where the third is negative (its highest bit is set), else the second; then quantised.
    Select,
    /// The product of two.
    Multiply,
    /// The value of a table for operands of that format.
    Lookup { table: i64, operand: Format },
    /// Two bit patterns, binary points aligned; then wrapped.
    Gates(Gate),
    /// 1 where any bit of the pattern is 1, else 0.
    Any,
    /// 1 where all bits of the pattern are 1, else 0.
    All,
}

/// One operation that is no sum.
#[derive(Debug)]
struct Task {
    /// The value that it gives.
    value: u32,
    /// Its operands.
    forms: Vec<Form>,
    /// The formats of the first operands, as far as their bits are looked at.
    patterns: Vec<Format>,
    /// The format of the result.
    format: Format,
}

/// All values that are no sums, and the sums between them.
struct Sources {
    /// One format an input; values `0…inputs`.
    inputs: Vec<Format>,
    /// Operations by how many of them stand in front, and kind.
    tasks: BTreeMap<(u32, Kind), Vec<Task>>,
    outputs: Vec<Form>,
}

/// Sources that are being collected.
struct Collector<'p> {
    program: &'p Program,
    forms: Vec<Form>,
    /// How many operations other than sums stand in front of a value.
    levels: Vec<u32>,
    terms: usize,
    tasks: BTreeMap<(u32, Kind), Vec<Task>>,
}

impl Sources {
    fn of(program: &Program) -> Result<Self, Diagnostic> {
        let inputs = input_formats(program)?;
        let mut collector = Collector {
            program,
            forms: Vec::with_capacity(program.5.len()),
            levels: vec![0; inputs.len()],
            terms: 0,
            tasks: BTreeMap::new(),
        };
        for (k, operation) in program.5.iter().enumerate() {
            let form = collector
                .form(operation)
                .map_err(|why| Diagnostic { message: format!("operation {k}: {}", why.message), ..why })?;
            collector.count(&form)?;
            collector.forms.push(form);
        }
        let output = |k: usize| {
            let index = program.2[k];
            let form = match usize::try_from(index) {
                Ok(index) => collector.operand(index)?.clone(),
                Err(_) => Form::default(),
            };
            let sign = if program.4[k] { -1.0 } else { 1.0 };
            Ok(form.scaled(sign * power(program.3[k])?))
        };
        Ok(Self {
            outputs: (0..program.0.1).map(output).collect::<Result<_, Diagnostic>>()?,
            inputs,
            tasks: collector.tasks,
        })
    }
}

fn input_formats(program: &Program) -> Result<Vec<Format>, Diagnostic> {
    if program.0.0 > crate::model::MAX_ELEMENTS {
        return Err(error("there are too many inputs"));
    }
    let mut formats: Vec<Option<Format>> = vec![None; program.0.0];
    for operation in program.5.iter().filter(|o| o.1 == -1) {
        let ([], [input]) = operation.parts::<0, 1>()?;
        let place = usize::try_from(input).ok().and_then(|i| formats.get_mut(i));
        let place = place.ok_or_else(|| error(format!("there is no input {input}")))?;
        let format = operation.format()?;
        let pattern = |f: Format| (f.range.signed(), f.range.width(), f.frac);
        if place.replace(format).is_some_and(|other| pattern(other) != pattern(format)) {
            return Err(error(format!("input {input} is read in two formats")));
        }
    }
    let unused = Format::integer(Interval::of_width(0, false).expect("no bits"));
    Ok(formats.into_iter().map(|f| f.unwrap_or(unused)).collect())
}

/// `2^shift`.
fn power(shift: i64) -> Result<f64, Diagnostic> {
    if shift.unsigned_abs() > MAX_SHIFT as u64 {
        return Err(error(format!("a shift by {shift} bits is too far")));
    }
    Ok(2f64.powi(shift as i32))
}

impl Collector<'_> {
    fn operand(&self, index: usize) -> Result<&Form, Diagnostic> {
        self.forms.get(index).ok_or_else(|| error(format!("operand {index} does not stand before it")))
    }

    /// Counts the memory that forms take.
    fn count(&mut self, form: &Form) -> Result<(), Diagnostic> {
        self.terms += form.terms.len();
        if self.terms > MAX_TERMS {
            return Err(error(format!("its sums have more than {MAX_TERMS} terms when they are multiplied out")));
        }
        Ok(())
    }

    /// What an operation gives, by the numbers that its format has for each kind.
    fn form(&mut self, operation: &Operation) -> Result<Form, Diagnostic> {
        match operation.1 {
            -2 => {
                let ([x], []) = operation.parts()?;
                Ok(self.operand(x)?.scaled(-1.0))
            }
            -1 => {
                let ([], [input]) = operation.parts::<0, 1>()?;
                Ok(Form::value(input as u32))
            }
            code @ (0 | 1) => {
                let ([x, y], [shift]) = operation.parts()?;
                let sign = if code == 0 { 1.0 } else { -1.0 };
                self.operand(x)?.plus(self.operand(y)?, sign * power(shift)?)
            }
            2 => {
                let ([x], []) = operation.parts()?;
                let forms = vec![self.operand(x)?.clone()];
                self.task(Kind::Relu, forms, Vec::new(), operation.format()?)
            }
            3 => {
                let ([x], [shift]) = operation.parts()?;
                let forms = vec![self.operand(x)?.scaled(power(shift)?)];
                self.task(Kind::Quantise, forms, Vec::new(), operation.format()?)
            }
            4 => {
                let ([x], [integer, frac]) = operation.parts()?;
                let constant = Form::constant(integer as f64 * power(frac.saturating_neg())?);
                self.operand(x)?.plus(&constant, 1.0)
            }
            5 => {
                let ([], [integer]) = operation.parts::<0, 1>()?;
                Ok(Form::constant(operation.constant(integer)))
            }
            6 => self.selection(operation),
            7 => {
                let ([x, y], []) = operation.parts()?;
                let forms = vec![self.operand(x)?.clone(), self.operand(y)?.clone()];
                self.task(Kind::Multiply, forms, Vec::new(), operation.format()?)
            }
            8 => {
                let ([x], [table]) = operation.parts()?;
                let forms = vec![self.operand(x)?.clone()];
                let (format, operand) = (self.program.table(table)?.format()?, self.program.5[x].format()?);
                let range = self.program.5[x].format()?.range;
                self.program.table(table)?.check(range.lo() as i64, range.hi() as i64)?;
                self.task(Kind::Lookup { table, operand }, forms, vec![operand], format)
            }
            9 => self.unary_bits(operation),
            10 => self.binary_bits(operation),
            11 => {
                if operation.2.len() != 2 * operation.0.len() {
                    return Err(error("its numbers do not fit its operands"));
                }
                let mut sum = Form::default();
                for (&x, pair) in operation.0.iter().zip(operation.2.chunks(2)) {
                    let sign = if pair[0] == 0 { -1.0 } else { 1.0 };
                    sum = sum.plus(self.operand(x)?, sign * power(pair[1])?)?;
                }
                Ok(sum)
            }
            other => Err(error(format!("there is no operation of kind {other}"))),
        }
    }

    fn selection(&mut self, operation: &Operation) -> Result<Form, Diagnostic> {
        let ([met, else_, condition], [shift]) = operation.parts()?;
        let other = self.operand(else_)?.scaled(power(shift)?);
        let difference = self.operand(met)?.plus(&other, -1.0)?;
        let forms = vec![self.operand(condition)?.clone(), difference, other];
        let tested = self.program.5[condition].format()?;
        self.task(Kind::Select, forms, vec![tested], operation.format()?)
    }

    /// Appends an operation that is no sum; its value is a new one.
    fn task(
        &mut self,
        kind: Kind,
        forms: Vec<Form>,
        patterns: Vec<Format>,
        format: Format,
    ) -> Result<Form, Diagnostic> {
        if format.range.width() == 0 && !matches!(kind, Kind::Multiply) {
            return Ok(Form::default());
        }
        forms.iter().try_for_each(|form| self.count(form))?;
        let operands = forms.iter().flat_map(|f| &f.terms);
        let level = operands.map(|(v, _)| self.levels[*v as usize] + 1).max().unwrap_or(1);
        let value = self.levels.len() as u32;
        self.levels.push(level);
        self.tasks.entry((level, kind)).or_default().push(Task { value, forms, patterns, format });
        Ok(Form::value(value))
    }
}
