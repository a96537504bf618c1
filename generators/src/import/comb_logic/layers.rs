//! Sums as rows of matrices, and what is done to them as layers.

use hdl::diag::Diagnostic;
use hdl::num::Rounding;

use super::bits::{all_bits, any_bit};
use super::form::Form;
use super::program::{Format, Program};
use super::{Kind, Task, error};
use crate::import::lift::last_place;
use crate::model::{
    Array, Decode, Encode, Graph, Input, Layer, Limit, MAX_ELEMENTS, Op, Output, Quantiser, Requantise, StepFunction,
    TensorId,
};

/// Most bits of a table's operand.
const MAX_TABLE_BITS: u32 = 16;

/// Greatest factor of a matrix.
const MAX_FACTOR: f64 = (1u64 << 48) as f64;

/// Most fraction bits of a sum.
const MAX_FRAC: i32 = 512;

/// A value's place: element of a tensor, whose integers have `frac` fraction bits.
#[derive(Debug, Clone, Copy)]
struct Place {
    tensor: TensorId,
    element: usize,
    frac: i32,
}

/// The network under construction.
pub(super) struct Layers {
    graph: Graph,
    /// Where each value is, once it is there.
    places: Vec<Option<Place>>,
}

impl Layers {
    /// A network with one input, whose elements have formats of their own.
    pub fn new(formats: &[Format]) -> Result<Self, Diagnostic> {
        let shape = vec![1, formats.len()];
        let each = |of: &dyn Fn(&Format) -> f32| {
            Array { shape: shape.clone(), values: formats.iter().map(of).collect() }.compact()
        };
        let quantiser = Quantiser::Wrapping {
            scale: each(&|f| 2f32.powi(-f.frac)),
            low: each(&|f| f.limits().0 as f32),
            high: each(&|f| f.limits().1 as f32),
            rounding: Rounding::Floor,
        };
        let low = formats.iter().map(|f| f.limits().0).min().unwrap_or(0);
        let high = formats.iter().map(|f| f.limits().1).max().unwrap_or(0);
        let input = Input {
            name: "x".to_owned(),
            shape: shape.clone(),
            range: (low, high),
            encode: Some(Encode { steps: Vec::new(), quantiser }),
        };
        let mut layers = Self { graph: Graph::new("comb_logic", vec![input])?, places: Vec::new() };
        let differ = formats.iter().any(|f| f.limits() != (low, high));
        // the port is as wide as the widest element; what an element does not use is cut off at once
        let tensor = if differ {
            let narrow = |f: &Format| wrapped(0, f);
            layers.each("x_formats", TensorId(0), formats.iter().map(narrow).collect())?
        } else {
            TensorId(0)
        };
        let places = formats.iter().enumerate();
        layers.places = places.map(|(element, format)| Some(Place { tensor, element, frac: format.frac })).collect();
        Ok(layers)
    }

    pub(super) fn push(&mut self, name: &str, op: Op, inputs: Vec<TensorId>) -> Result<TensorId, Diagnostic> {
        self.graph.push(Layer { name: name.to_owned(), op, inputs, scale: None })
    }

    /// One format an element.
    pub(super) fn each(&mut self, name: &str, x: TensorId, formats: Vec<Requantise>) -> Result<TensorId, Diagnostic> {
        let formats = Array { shape: vec![1, formats.len()], values: formats };
        let formats = formats.compact();
        let op = match formats.as_scalar() {
            Some(one) => Op::Requantise(*one),
            None => Op::RequantiseEach { formats },
        };
        self.push(name, op, vec![x])
    }

    /// The place of a value that an earlier layer gave.
    fn place(&self, value: u32) -> Result<Place, Diagnostic> {
        let place = self.places.get(value as usize).copied().flatten();
        place.ok_or_else(|| Diagnostic::bug("comb-logic", "a value is used before it is there"))
    }

    /// Fewest fraction bits that hold the sum.
    fn frac(&self, form: &Form) -> Result<i32, Diagnostic> {
        let mut frac = None;
        let mut needs = |bits: i32| frac = Some(frac.map_or(bits, |f: i32| f.max(bits)));
        for (value, factor) in &form.terms {
            needs(self.place(*value)?.frac - last_place(*factor));
        }
        if form.constant != 0.0 {
            needs(-last_place(form.constant));
        }
        let frac = frac.unwrap_or(0);
        if frac.abs() > MAX_FRAC {
            return Err(error(format!("a sum has {frac} fraction bits")));
        }
        Ok(frac)
    }

    /// A tensor with the sums, as integers with those fraction bits.
    fn rows(&mut self, name: &str, forms: &[&Form], fracs: &[i32]) -> Result<TensorId, Diagnostic> {
        let mut columns: Vec<(TensorId, usize, u32)> = Vec::new();
        for (value, _) in forms.iter().flat_map(|f| &f.terms) {
            let place = self.place(*value)?;
            columns.push((place.tensor, place.element, *value));
        }
        columns.sort_unstable();
        columns.dedup();
        let constants = forms.iter().zip(fracs).map(|(form, frac)| integer(form.constant, *frac));
        let bias: Vec<i64> = constants.collect::<Result<_, _>>()?;
        if columns.is_empty() {
            let array = Array { shape: vec![1, bias.len()], values: bias };
            return self.push(name, Op::Constant(array), Vec::new());
        }
        let (rows, width) = (forms.len(), columns.len());
        if rows.checked_mul(width).is_none_or(|n| n > MAX_ELEMENTS) {
            return Err(error(format!("a matrix of {rows} by {width} factors is too large")));
        }
        let column_of: rustc_hash::FxHashMap<u32, usize> = columns.iter().enumerate().map(|(k, c)| (c.2, k)).collect();
        let mut weights = vec![0; rows * width];
        for (row, (form, frac)) in forms.iter().zip(fracs).enumerate() {
            for (value, factor) in &form.terms {
                let bits = frac - self.place(*value)?.frac;
                weights[row * width + column_of[value]] = integer(*factor, bits)?;
            }
        }
        let columns: Vec<(TensorId, usize)> = columns.into_iter().map(|(t, k, _)| (t, k)).collect();
        let x = self.columns(name, &columns)?;
        let weights = Array { shape: vec![rows, width], values: weights };
        self.push(name, Op::dense(weights, bias), vec![x])
    }

    /// One tensor of elements that may stand in several.
    fn columns(&mut self, name: &str, columns: &[(TensorId, usize)]) -> Result<TensorId, Diagnostic> {
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by_key(|k| columns[*k].0);
        let mut parts = Vec::new();
        for part in order.chunk_by(|a, b| columns[*a].0 == columns[*b].0) {
            let indices = part.iter().map(|k| columns[*k].1).collect();
            parts.push(self.gathered(name, columns[part[0]].0, indices)?);
        }
        let together = match parts.as_slice() {
            [one] => *one,
            _ => self.push(name, Op::Concat { axis: 1 }, parts)?,
        };
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(k, c)| places[*c] = k);
        self.gathered(name, together, places)
    }

    /// These elements of a tensor.
    fn gathered(&mut self, name: &str, x: TensorId, indices: Vec<usize>) -> Result<TensorId, Diagnostic> {
        let whole = 0..self.graph.info(x).shape[1];
        if indices.iter().copied().eq(whole) {
            return Ok(x);
        }
        self.push(name, Op::Gather { axis: 1, indices }, vec![x])
    }

    /// The sums with as few fraction bits as hold them. Where none has two terms, no matrix is needed.
    pub(super) fn natural_rows(&mut self, name: &str, forms: &[&Form]) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let fracs = forms.iter().map(|f| self.frac(f));
        let fracs: Vec<i32> = fracs.collect::<Result<_, _>>()?;
        let tensor = match forms.iter().all(|f| is_value(f) || f.terms.is_empty()) {
            true => self.values(name, forms, &fracs)?,
            false => self.rows(name, forms, &fracs)?,
        };
        Ok((tensor, fracs))
    }

    /// A tensor of constants, and of values each of which is a form by itself.
    fn values(&mut self, name: &str, forms: &[&Form], fracs: &[i32]) -> Result<TensorId, Diagnostic> {
        let constants = forms.iter().zip(fracs).filter(|(f, _)| f.terms.is_empty());
        let constants: Vec<i64> =
            constants.map(|(form, frac)| integer(form.constant, *frac)).collect::<Result<_, _>>()?;
        let array = Array { shape: vec![1, constants.len()], values: constants };
        let any = !array.values.is_empty();
        let constants = any.then(|| self.push(name, Op::Constant(array), Vec::new()));
        let constants = constants.transpose()?.into_iter();
        let mut constants = constants.flat_map(|tensor| (0..).map(move |k| (tensor, k)));
        let column = |form: &&Form| match form.terms.first() {
            Some((value, _)) => self.place(*value).map(|place| (place.tensor, place.element)),
            None => Ok(constants.next().expect("one for each form without terms")),
        };
        let columns = forms.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        self.columns(name, &columns)
    }

    /// All operations of a kind that stand behind equally many others.
    pub fn perform(&mut self, level: u32, kind: &Kind, tasks: &[Task], program: &Program) -> Result<(), Diagnostic> {
        let (tensor, fracs) = match kind {
            Kind::Quantise => self.quantised(&format!("quantise{level}"), tasks, false)?,
            Kind::Relu => self.quantised(&format!("relu{level}"), tasks, true)?,
            Kind::Select => self.selected(&format!("select{level}"), tasks)?,
            Kind::Multiply => {
                let name = format!("multiply{level}");
                let (x, a) = self.natural_rows(&name, &operands(tasks, 0))?;
                let (y, b) = self.natural_rows(&name, &operands(tasks, 1))?;
                let fracs = a.iter().zip(&b).map(|(a, b)| a + b).collect();
                (self.push(&name, Op::Mul, vec![x, y])?, fracs)
            }
            Kind::Lookup { table, operand } => {
                let name = format!("table{table}_{level}");
                self.looked_up(&name, tasks, *operand, *table, program)?
            }
            Kind::Gates(gate) => self.gates(level, *gate, tasks)?,
            Kind::Any => self.tested(&format!("any{level}"), tasks, any_bit)?,
            Kind::All => self.tested(&format!("all{level}"), tasks, all_bits)?,
        };
        for (element, (task, frac)) in tasks.iter().zip(fracs).enumerate() {
            let value = task.value as usize;
            if self.places.len() <= value {
                self.places.resize(value + 1, None);
            }
            self.places[value] = Some(Place { tensor, element, frac });
        }
        Ok(())
    }

    fn quantised(&mut self, name: &str, tasks: &[Task], relu: bool) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let (mut tensor, fracs) = self.natural_rows(name, &operands(tasks, 0))?;
        if relu {
            tensor = self.push(name, Op::Relu, vec![tensor])?;
        }
        self.formatted(name, tensor, &fracs, tasks)
    }

    /// Rounded down and wrapped into the formats of the results.
    pub(super) fn formatted(
        &mut self,
        name: &str,
        x: TensorId,
        fracs: &[i32],
        tasks: &[Task],
    ) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let of = |(frac, task): (&i32, &Task)| wrapped(frac - task.format.frac, &task.format);
        let formats = fracs.iter().zip(tasks).map(of).collect();
        let tensor = self.each(name, x, formats)?;
        Ok((tensor, tasks.iter().map(|t| t.format.frac).collect()))
    }

    /// `other + met · difference` with `met` 0 or 1.
    fn selected(&mut self, name: &str, tasks: &[Task]) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let (condition, condition_fracs) = self.natural_rows(name, &operands(tasks, 0))?;
        // the highest bit: the sign, or what is at least half of the range
        let place = |(task, frac): (&Task, &i32)| match &task.patterns[0] {
            tested if tested.signed => Ok(StepFunction { first: 1, steps: vec![(0, 0)] }),
            tested => Ok(StepFunction { first: 0, steps: vec![(ceiling(highest_bit(tested), *frac)?, 1)] }),
        };
        let functions = tasks.iter().zip(&condition_fracs).map(place);
        let functions = Array { shape: vec![1, tasks.len()], values: functions.collect::<Result<_, Diagnostic>>()? };
        let functions = functions.compact();
        let met = self.push(name, Op::Threshold { functions }, vec![condition])?;
        let (difference, other) = (operands(tasks, 1), operands(tasks, 2));
        let mut fracs = Vec::with_capacity(tasks.len());
        for (a, b) in difference.iter().zip(&other) {
            fracs.push(self.frac(a)?.max(self.frac(b)?));
        }
        let difference = self.rows(name, &difference, &fracs)?;
        let other = self.rows(name, &other, &fracs)?;
        let chosen = self.push(name, Op::Mul, vec![met, difference])?;
        let sum = self.push(name, Op::Add, vec![chosen, other])?;
        self.formatted(name, sum, &fracs, tasks)
    }

    fn looked_up(
        &mut self,
        name: &str,
        tasks: &[Task],
        operand: Format,
        table: i64,
        program: &Program,
    ) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let table = program.table(table)?;
        if operand.width > MAX_TABLE_BITS {
            return Err(error(format!(
                "a table with operands of {} bits is too large, {MAX_TABLE_BITS} are allowed",
                operand.width
            )));
        }
        let forms = operands(tasks, 0);
        for form in &forms {
            if self.frac(form)? > operand.frac {
                return Err(error("the operand of a table has more fraction bits than its range says"));
            }
        }
        let x = self.rows(name, &forms, &vec![operand.frac; forms.len()])?;
        // the sum of the rows' ranges is wider than what the operands can be together
        let x = self.push(name, Op::Requantise(wrapped(0, &operand)), vec![x])?;
        let (first, last) = operand.limits();
        let result = table.format()?;
        let wrap = wrapped(0, &result);
        let value = |n: i64| {
            let entry = usize::try_from(n - operand.least).ok();
            let entry = entry.and_then(|k| table.table.get(k)).copied().unwrap_or(0);
            wrap.apply(entry.into()) as i64
        };
        let values = (first..=last).map(value).collect();
        let tensor = self.push(name, Op::Table { first, values }, vec![x])?;
        Ok((tensor, vec![result.frac; tasks.len()]))
    }

    /// The network with these outputs.
    pub fn finish(mut self, outputs: &[&Form]) -> Result<Graph, Diagnostic> {
        if outputs.is_empty() {
            return Err(error("the program has no outputs"));
        }
        let (tensor, fracs) = self.natural_rows("outputs", outputs)?;
        let unit = Array { shape: vec![1, fracs.len()], values: fracs.iter().map(|f| 2f64.powi(-f)).collect() };
        self.graph.output(Output {
            name: "y".to_owned(),
            tensor,
            decode: Some(Decode { unit: unit.compact(), steps: Vec::new(), softmax: None }),
        })?;
        self.graph.check()?;
        Ok(self.graph.pruned())
    }
}

/// Whether the form is one value, moved by some bits at most.
fn is_value(form: &Form) -> bool {
    match form.terms.as_slice() {
        [(_, factor)] => form.constant == 0.0 && *factor == 2f64.powi(last_place(*factor)),
        _ => false,
    }
}

/// The place of a pattern's highest bit.
fn highest_bit(format: &Format) -> f64 {
    2f64.powi(format.width as i32 - 1 - format.frac)
}

/// Operand `k` of each task.
pub(super) fn operands(tasks: &[Task], k: usize) -> Vec<&Form> {
    tasks.iter().map(|t| &t.forms[k]).collect()
}

/// Rounded down by `drop` bits and wrapped into a format.
pub(super) fn wrapped(drop: i32, format: &Format) -> Requantise {
    let limit = match format.width {
        0 => Limit::Saturate { lo: 0, hi: 0 },
        width => Limit::Wrap { width, signed: format.signed },
    };
    Requantise { drop, rounding: Rounding::Floor, limit }
}

/// `value · 2^frac`, which is an integer.
fn integer(value: f64, frac: i32) -> Result<i64, Diagnostic> {
    let n = value * 2f64.powi(frac);
    if n.fract() == 0.0 && n.abs() < MAX_FACTOR {
        Ok(n as i64)
    } else {
        Err(error(format!("a factor of {value} with {frac} more bits is too large")))
    }
}

/// The least integer that is at least `value · 2^frac`.
fn ceiling(value: f64, frac: i32) -> Result<i64, Diagnostic> {
    integer((value * 2f64.powi(frac)).ceil(), 0)
}
