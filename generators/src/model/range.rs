//! Ranges of results: one interval for all elements of a tensor.

use hdl::num::{Interval, OutOfRange};

use super::array::Array;
use super::graph::TensorInfo;
use super::multiply::Multiplication;
use super::op::{Op, PoolKind};

/// The range of `op`'s result. Shapes have been checked.
pub(super) fn range_of(op: &Op, operands: &[&TensorInfo]) -> Result<Interval, String> {
    interval(op, operands).map_err(|e| e.to_string())
}

fn interval(op: &Op, operands: &[&TensorInfo]) -> Result<Interval, OutOfRange> {
    let zero = Interval::point(0)?;
    let x = operands.first().map_or(zero, |x| x.range);
    let y = operands.get(1).map_or(zero, |y| y.range);
    let bounds = |lo: i64, hi: i64| Interval::new(lo.into(), hi.into());
    match op {
        Op::Constant(array) => hull(array.values.iter().copied()),
        Op::Dense { weights, bias, multiplication } => rows(weights, bias, multiplication, x),
        Op::Convolution { weights, bias, window, multiplication, .. } => {
            rows(weights, bias, multiplication, if window.pads() { x.union(zero) } else { x })
        }
        Op::MatMul => times(x.mul(y)?, operands[0].shape.last().copied().unwrap_or(1)),
        Op::Pool { kind: PoolKind::Sum, window } => {
            let padded = if window.pads() { x.union(zero) } else { x };
            times(padded, window.kernel.iter().product())
        }
        Op::Reduce { kind: PoolKind::Sum, axes } => {
            let mut axes = axes.clone();
            axes.sort_unstable();
            axes.dedup();
            times(x, axes.iter().map(|&a| operands[0].shape[a]).product())
        }
        Op::Add => x.add(y),
        Op::Sub => x.sub(y),
        Op::Mul => x.mul(y),
        Op::Min => Ok(x.min(y)),
        Op::Max => Ok(x.max(y)),
        Op::And => x.and(y),
        Op::Or => x.or(y),
        Op::Xor => x.xor(y),
        Op::Relu => Ok(x.max(zero)),
        Op::LeakyRelu { positive, negative } => {
            let scaled = |part: Interval, factor: i64| part.mul(Interval::point(factor.into())?);
            Ok(match (x.hi() >= 0, x.lo() < 0) {
                (true, true) => scaled(x.max(zero), *positive)?.union(scaled(x.min(zero), *negative)?),
                (true, false) => scaled(x, *positive)?,
                _ => scaled(x, *negative)?,
            })
        }
        Op::Clamp { lo, hi } => Ok(x.max(bounds(*lo, *lo)?).min(bounds(*hi, *hi)?)),
        Op::Requantise(r) => r.range(x),
        Op::RequantiseEach { formats } => {
            let mut ranges = formats.values.iter().map(|r| r.range(x));
            let first = ranges.next().unwrap_or(Ok(x))?;
            ranges.try_fold(first, |hull, range| Ok(hull.union(range?)))
        }
        Op::Threshold { functions } => hull(functions.values.iter().flat_map(|f| f.values(x))),
        Op::Table { first, values } => {
            let end = i128::from(*first) + values.len() as i128 - 1;
            if x.lo() < (*first).into() || x.hi() > end {
                return Err(OutOfRange);
            }
            let part = (x.lo() - i128::from(*first)) as usize..=(x.hi() - i128::from(*first)) as usize;
            hull(values[part].iter().copied())
        }
        Op::Pad { value, .. } => Ok(x.union(bounds(*value, *value)?)),
        Op::Concat { .. } => Ok(operands[1..].iter().fold(x, |hull, o| hull.union(o.range))),
        Op::ArgMax { axis } => Interval::new(0, operands[0].shape[*axis] as i128 - 1),
        Op::Softmax(softmax) => Interval::new(0, 1 << softmax.frac),
        Op::Block(block) => Ok(block.part().result(operands).map_or(x, |result| result.range)),
        Op::Pool { .. }
        | Op::Reduce { .. }
        | Op::Reshape { .. }
        | Op::Transpose { .. }
        | Op::Slice { .. }
        | Op::Gather { .. } => Ok(x),
    }
}

fn hull(values: impl Iterator<Item = i64>) -> Result<Interval, OutOfRange> {
    let ends =
        values.fold(None, |ends: Option<(i64, i64)>, v| Some(ends.map_or((v, v), |(lo, hi)| (lo.min(v), hi.max(v)))));
    let (lo, hi) = ends.unwrap_or((0, 0));
    Interval::new(lo.into(), hi.into())
}

fn times(x: Interval, count: usize) -> Result<Interval, OutOfRange> {
    x.mul(Interval::point(count as i128)?)
}

/// The hull of `bias[o] + Σ weights[o, …] · x` over all rows, with products and weights as `multiplication` says.
fn rows(
    weights: &Array<i64>,
    bias: &[i64],
    multiplication: &Multiplication,
    x: Interval,
) -> Result<Interval, OutOfRange> {
    let len = weights.values.len().checked_div(bias.len()).unwrap_or(0);
    let mut hull: Option<Interval> = None;
    for (o, &bias) in bias.iter().enumerate() {
        let mut row = multiplication.bias_range(bias)?;
        for &weight in &weights.values[o * len..(o + 1) * len] {
            row = row.add(multiplication.product_range(weight, x)?)?;
        }
        hull = Some(hull.map_or(row, |hull| hull.union(row)));
    }
    Ok(hull.unwrap_or(Interval::point(0)?))
}
