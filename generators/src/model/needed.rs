//! What is known of single elements: which integers they can be, and whether an output depends on them.

use hdl::num::Interval;

use super::array::Array;
use super::graph::{Graph, Layer, TensorInfo};
use super::movement::moved;
use super::op::Op;
use super::range::range_of;
use super::step::StepFunction;

/// The element-wise function of one element.
enum Function<'a> {
    Own(Box<Op>),
    Steps(&'a StepFunction),
}

impl Function<'_> {
    /// The range of its results, of the whole tensor's if no better is known.
    fn range(&self, x: Interval, whole: Interval) -> Interval {
        match self {
            Self::Own(op) => range_of(op, &[&TensorInfo { shape: Vec::new(), range: x }]).unwrap_or(whole),
            Self::Steps(steps) => {
                let ends = steps.values(x).fold(None, |ends: Option<(i64, i64)>, v| {
                    Some(ends.map_or((v, v), |(lo, hi)| (lo.min(v), hi.max(v))))
                });
                ends.and_then(|(lo, hi)| Interval::new(lo.into(), hi.into()).ok()).unwrap_or(whole)
            }
        }
    }
}

/// For each element of a result of `shape` the function that `op` is there; `None` if it is none of one element.
fn functions<'a>(op: &'a Op, shape: &[usize]) -> Option<Vec<Function<'a>>> {
    let count = shape.iter().product();
    let of_each = |indices: Option<Vec<u32>>, f: &dyn Fn(usize) -> Function<'a>| {
        indices.map(|indices| indices.into_iter().map(|i| f(i as usize)).collect())
    };
    match op {
        Op::Relu | Op::LeakyRelu { .. } | Op::Clamp { .. } | Op::Requantise(_) => {
            Some((0..count).map(|_| Function::Own(Box::new(op.clone()))).collect())
        }
        Op::RequantiseEach { formats } => {
            of_each(formats.indices(shape), &|i| Function::Own(Box::new(Op::Requantise(formats.values[i]))))
        }
        Op::Threshold { functions } => of_each(functions.indices(shape), &|i| Function::Steps(&functions.values[i])),
        _ => None,
    }
}

impl Graph {
    /// The range of each element of each tensor.
    pub(super) fn element_ranges(&self) -> Vec<Vec<Interval>> {
        let interval = |(lo, hi): (i64, i64)| Interval::new(lo.into(), hi.into()).expect("checked when it was built");
        let inputs = self.inputs.iter().map(|input| input.ranges().into_iter().map(interval).collect());
        let mut all: Vec<Vec<Interval>> = inputs.collect();
        for (k, layer) in self.layers.iter().enumerate() {
            let info = self.info(self.result(k));
            let known = self.layer_ranges(layer, info, &all);
            let whole = || vec![info.range; info.shape.iter().product()];
            all.push(known.unwrap_or_else(whole));
        }
        all
    }

    /// The ranges of a layer's elements, if they follow from those of single operands or weights.
    fn layer_ranges(&self, layer: &Layer, info: &TensorInfo, all: &[Vec<Interval>]) -> Option<Vec<Interval>> {
        if let Op::Constant(array) = &layer.op {
            return array.values.iter().map(|v| Interval::point((*v).into()).ok()).collect();
        }
        let first = *layer.inputs.first()?;
        let x = &all[first.index()];
        match &layer.op {
            Op::Dense { weights, bias, multiplication } if multiplication.is_plain() => {
                let row = |x: &[Interval], o: usize| {
                    let weights = &weights.values[o * x.len()..(o + 1) * x.len()];
                    weights.iter().zip(x).try_fold(Interval::point(bias[o].into()).ok()?, |sum, (w, x)| {
                        sum.add(x.mul(Interval::point((*w).into()).ok()?).ok()?).ok()
                    })
                };
                let rows = x.chunks(weights.shape[1]).flat_map(|x| (0..bias.len()).map(move |o| row(x, o)));
                rows.collect()
            }
            Op::Mul => {
                let [a, b] = [0, 1].map(|k| {
                    let shape = self.info(layer.inputs[k]).shape.clone();
                    Array { shape, values: all[layer.inputs[k].index()].clone() }.stretched(&info.shape)
                });
                a?.iter().zip(b?).map(|(a, b)| a.mul(b).ok()).collect()
            }
            Op::Pad { value, .. } => {
                let fill = Interval::point((*value).into()).ok()?;
                let sources = moved(&layer.op, &self.info(first).shape)?.ok()?.sources;
                Some(sources.iter().map(|s| s.map_or(fill, |i| x[i as usize])).collect())
            }
            op => match moved(op, &self.info(first).shape) {
                Some(moved) => moved.ok()?.sources.iter().map(|s| s.map(|i| x[i as usize])).collect(),
                None => {
                    let functions = functions(op, &info.shape)?;
                    Some(functions.iter().zip(x).map(|(f, x)| f.range(*x, info.range)).collect())
                }
            },
        }
    }

    /// For each element of each tensor, of these `ranges`, whether an output depends on it, as far as is known.
    ///
    /// What can be one integer only depends on nothing itself.
    pub(super) fn needed_elements(&self, ranges: &[Vec<Interval>]) -> Vec<Vec<bool>> {
        let mut needed: Vec<Vec<bool>> = ranges.iter().map(|elements| vec![false; elements.len()]).collect();
        self.outputs.iter().for_each(|output| needed[output.tensor.index()].fill(true));
        for (k, layer) in self.layers.iter().enumerate().rev() {
            let result = self.result(k).index();
            let elements = needed[result].iter().zip(&ranges[result]);
            let reads: Vec<bool> = elements.map(|(read, range)| *read && range.as_point().is_none()).collect();
            if reads.contains(&true) {
                self.mark(k, layer, &reads, &mut needed);
            }
        }
        needed
    }

    /// Marks what the elements of layer `k` that are read depend on.
    fn mark(&self, k: usize, layer: &Layer, reads: &[bool], needed: &mut [Vec<bool>]) {
        let read = || (0..reads.len()).filter(|i| reads[*i]);
        let shape = &self.info(self.result(k)).shape;
        let first = layer.inputs.first().copied();
        let moved = first.and_then(|t| moved(&layer.op, &self.info(t).shape)?.ok());
        match (&layer.op, first) {
            (_, Some(t)) if moved.is_some() => {
                let sources = moved.expect("just checked").sources;
                read().filter_map(|i| sources[i]).for_each(|i| needed[t.index()][i as usize] = true);
            }
            (Op::Dense { weights, bias, .. }, Some(t)) => {
                let columns = weights.shape[1];
                for i in read() {
                    let (vector, row) = (i / bias.len() * columns, i % bias.len() * columns);
                    let used = (0..columns).filter(|c| weights.values[row + c] != 0);
                    used.for_each(|c| needed[t.index()][vector + c] = true);
                }
            }
            (Op::Add | Op::Sub | Op::Mul | Op::Min | Op::Max | Op::And | Op::Or | Op::Xor, _) => {
                for t in &layer.inputs {
                    let extents = self.info(*t).shape.clone();
                    let places = Array { values: vec![(); extents.iter().product()], shape: extents }.indices(shape);
                    let places = places.expect("checked when the graph was built");
                    read().for_each(|i| needed[t.index()][places[i] as usize] = true);
                }
            }
            (op, Some(t)) if functions(op, shape).is_some() || matches!(op, Op::Table { .. }) => {
                read().for_each(|i| needed[t.index()][i] = true);
            }
            _ => layer.inputs.iter().for_each(|t| needed[t.index()].fill(true)),
        }
    }
}
