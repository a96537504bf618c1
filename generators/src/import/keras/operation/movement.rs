//! Functions that move elements. The first axis counts samples; it stays where it is.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::Arguments;
use super::indexing::Indexed;
use crate::import::keras::class::Results;
use crate::import::lift::{Lift, Real};
use crate::model::{MAX_ELEMENTS, Op};

/// `x[key]`.
pub(super) fn item(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let Indexed { begin, count, step, shape } =
        Indexed::of(&a.value(1)?, lift.shape(&x)).map_err(|why| a.error(why))?;
    let y = lift.moved(&a.layer.name, x, Op::Slice { begin, count, step })?;
    Ok(vec![lift.moved(&a.layer.name, y, Op::Reshape { shape })?])
}

/// Elements from `begin` on, as many as `size` says, all that are left for -1.
pub(super) fn slice(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let shape = lift.shape(&x).to_vec();
    let (begin, size) = (a.integers(1)?.unwrap_or_default(), a.integers(2)?.unwrap_or_default());
    if begin.len() != shape.len() || size.len() != shape.len() || (begin[0], size[0]) != (0, -1) {
        return Err(a.wrong(2, "a size for each axis, and all samples"));
    }
    let place = |axis: usize| usize::try_from(begin[axis]).ok().filter(|b| *b < shape[axis]);
    let begin: Option<Vec<usize>> = (0..shape.len()).map(place).collect();
    let begin = begin.ok_or_else(|| a.wrong(1, "inside the tensor"))?;
    let count = |axis: usize| match size[axis] {
        -1 => Some(shape[axis] - begin[axis]),
        size => usize::try_from(size).ok().filter(|s| (1..=shape[axis] - begin[axis]).contains(s)),
    };
    let count: Option<Vec<usize>> = (0..shape.len()).map(count).collect();
    let count = count.ok_or_else(|| a.wrong(2, "inside the tensor"))?;
    let step = vec![1; shape.len()];
    Ok(vec![lift.moved(&a.layer.name, x, Op::Slice { begin, count, step })?])
}

/// All elements in a new shape, whose first extent is that of the samples: -1, or none.
pub(super) fn reshape(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let wanted = a.value(1)?;
    let fixed = |e: &Json| e.as_u64().and_then(|e| usize::try_from(e).ok()).filter(|e| *e > 0);
    let shape: Option<Vec<usize>> = match wanted.as_array().map(Vec::as_slice) {
        Some([samples, rest @ ..]) if samples.is_null() || *samples == -1 => rest.iter().map(fixed).collect(),
        _ => None,
    };
    let total: usize = lift.shape(&x).iter().product();
    let shape = shape.filter(|s| s.iter().try_fold(1usize, |n, e| n.checked_mul(*e)) == Some(total));
    let shape = shape.ok_or_else(|| a.wrong(1, &format!("-1 for the samples, then extents of {total} elements")))?;
    Ok(vec![lift.moved(&a.layer.name, x, Op::Reshape { shape: [vec![1], shape].concat() })?])
}

/// The axes in another order.
pub(super) fn transpose(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let rank = lift.shape(&x).len() as i64;
    let order = a.integers(1)?.unwrap_or_default();
    let axes: Vec<i64> = order.iter().map(|axis| if *axis < 0 { axis.saturating_add(rank) } else { *axis }).collect();
    reordered(lift, a, x, &axes)
}

/// Two axes change places.
pub(super) fn swap(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let rank = lift.shape(&x).len();
    let (one, other) = (a.axis(1, rank)?, a.axis(2, rank)?);
    let mut axes: Vec<i64> = (0..rank as i64).collect();
    axes.swap(one, other);
    reordered(lift, a, x, &axes)
}

/// One axis goes to another place.
pub(super) fn move_axis(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let rank = lift.shape(&x).len();
    let (from, to) = (a.axis(1, rank)?, a.axis(2, rank)?);
    let mut axes: Vec<i64> = (0..rank as i64).filter(|axis| *axis != from as i64).collect();
    axes.insert(to, from as i64);
    reordered(lift, a, x, &axes)
}

fn reordered(lift: &mut Lift, a: &Arguments, x: Real, axes: &[i64]) -> Results {
    let rank = lift.shape(&x).len();
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank as i64) || axes.first() != Some(&0) {
        return Err(a.error("its axes are no order in which that of the samples stays in front"));
    }
    let axes = axes.iter().map(|axis| *axis as usize).collect();
    Ok(vec![lift.moved(&a.layer.name, x, Op::Transpose { axes })?])
}

/// Axes of extent 1 are left out.
pub(super) fn squeeze(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let axes = a.axes(1, lift.shape(&x).len())?;
    if axes.iter().any(|axis| lift.shape(&x)[*axis] != 1) {
        return Err(a.wrong(1, "an axis with one element"));
    }
    Ok(vec![without(lift, a, x, &axes)?])
}

/// `x` without axes of extent 1.
pub(super) fn without(lift: &mut Lift, a: &Arguments, x: Real, axes: &[usize]) -> Result<Real, Diagnostic> {
    let shape = lift.shape(&x).iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, e)| *e).collect();
    lift.moved(&a.layer.name, x, Op::Reshape { shape })
}

/// A new axis.
pub(super) fn expand(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let axis = a.axis(1, lift.shape(&x).len() + 1)?;
    Ok(vec![with(lift, a, x, axis)?])
}

/// `x` with a new axis.
fn with(lift: &mut Lift, a: &Arguments, x: Real, axis: usize) -> Result<Real, Diagnostic> {
    let mut shape = lift.shape(&x).to_vec();
    shape.insert(axis, 1);
    lift.moved(&a.layer.name, x, Op::Reshape { shape })
}

/// Axes from their end to their start.
pub(super) fn flip(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let count = lift.shape(&x).to_vec();
    let axes = a.axes(1, count.len())?;
    let turned = |axis: usize| axes.contains(&axis);
    let begin = (0..count.len()).map(|axis| if turned(axis) { count[axis] - 1 } else { 0 }).collect();
    let step = (0..count.len()).map(|axis| if turned(axis) { -1 } else { 1 }).collect();
    Ok(vec![lift.moved(&a.layer.name, x, Op::Slice { begin, count, step })?])
}

/// Zeros around the tensor.
pub(super) fn pad(lift: &mut Lift, a: &mut Arguments) -> Results {
    const MOST: u64 = 1 << 16;
    let x = a.tensor(0)?;
    let rank = lift.shape(&x).len();
    let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
        Some([before, behind]) => {
            Some((before.as_u64().filter(|n| *n <= MOST)?, behind.as_u64().filter(|n| *n <= MOST)?))
        }
        _ => None,
    };
    let pairs: Option<Vec<(u64, u64)>> = a.value(1)?.as_array().and_then(|list| list.iter().map(pair).collect());
    let pairs = pairs.filter(|p| p.len() == rank && p[0] == (0, 0));
    let pairs = pairs.ok_or_else(|| a.wrong(1, "a pair for each axis, and none for the samples"))?;
    let (begin, end) = pairs.into_iter().map(|(b, e)| (b as usize, e as usize)).unzip();
    Ok(vec![lift.pad(&a.layer.name, x, begin, end, 0.0)?])
}

/// Each element `repeats` times in a row along an axis.
pub(super) fn repeat(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let times = a.integers(1)?.unwrap_or_default();
    let axis = a.axis(2, lift.shape(&x).len())?;
    let extent = lift.shape(&x)[axis];
    let times = count(&times, extent).ok_or_else(|| a.wrong(1, "one number of times"))?;
    let indices = (0..extent * times).map(|i| i / times).collect();
    Ok(vec![lift.moved(&a.layer.name, x, Op::Gather { axis, indices })?])
}

/// Whole axes several times.
pub(super) fn tile(lift: &mut Lift, a: &mut Arguments) -> Results {
    let mut x = a.tensor(0)?;
    let shape = lift.shape(&x).to_vec();
    let times = a.integers(1)?.filter(|t| t.len() == shape.len() && t[0] == 1);
    let times = times.ok_or_else(|| a.wrong(1, "a number for each axis, and 1 for the samples"))?;
    for axis in 1..shape.len() {
        let times = count(&times[axis..=axis], shape[axis]).ok_or_else(|| a.wrong(1, "numbers of times"))?;
        let indices = (0..shape[axis] * times).map(|i| i % shape[axis]).collect();
        x = lift.moved(&a.layer.name, x, Op::Gather { axis, indices })?;
    }
    Ok(vec![x])
}

/// How often an axis of that extent is repeated.
fn count(times: &[i64], extent: usize) -> Option<usize> {
    let times = <[i64; 1]>::try_from(times).ok().and_then(|[n]| usize::try_from(n).ok());
    times.filter(|n| *n > 0 && extent.checked_mul(*n).is_some_and(|all| all <= MAX_ELEMENTS))
}

/// The elements at some places along an axis.
pub(super) fn take(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let places = a.value(1)?;
    let axis = a.axis(2, lift.shape(&x).len())?;
    let extent = lift.shape(&x)[axis];
    let place = |v: &Json| v.as_u64().and_then(|v| usize::try_from(v).ok()).filter(|v| *v < extent);
    let indices: Option<Vec<usize>> = places.as_array().and_then(|list| list.iter().map(place).collect());
    let indices =
        indices.filter(|i| !i.is_empty()).ok_or_else(|| a.wrong(1, &format!("a list of places below {extent}")))?;
    Ok(vec![lift.moved(&a.layer.name, x, Op::Gather { axis, indices })?])
}

/// Several tensors one after the other along an axis.
pub(super) fn concatenate(lift: &mut Lift, a: &mut Arguments) -> Results {
    let parts = a.tensors(0)?;
    let rank = parts.first().map_or(0, |x| lift.shape(x).len());
    let axis = a.axis(1, rank)?;
    Ok(vec![lift.concat(&a.layer.name, parts, axis)?])
}

/// Several tensors along a new axis.
pub(super) fn stack(lift: &mut Lift, a: &mut Arguments) -> Results {
    let parts = a.tensors(0)?;
    let rank = parts.first().map_or(0, |x| lift.shape(x).len());
    let axis = a.axis(1, rank + 1)?;
    if parts.iter().any(|x| lift.shape(x) != lift.shape(&parts[0])) {
        return Err(a.error("its operands differ in shape"));
    }
    let parts = parts.into_iter().map(|x| with(lift, a, x, axis)).collect::<Result<_, _>>()?;
    Ok(vec![lift.concat(&a.layer.name, parts, axis)?])
}

/// Parts of an axis. A list of numbers means where they end in Keras 3, and how long they are in TensorFlow.
pub(super) fn split(lift: &mut Lift, a: &mut Arguments, of_places: bool) -> Results {
    let x = a.tensor(0)?;
    let parts = a.value(1)?;
    let axis = a.axis(2, lift.shape(&x).len())?;
    let extent = lift.shape(&x)[axis];
    let size = |v: &Json| v.as_u64().and_then(|v| usize::try_from(v).ok()).filter(|v| (1..=extent).contains(v));
    let ends: Option<Vec<usize>> = match &parts {
        Json::Array(list) => list.iter().map(size).collect::<Option<Vec<usize>>>().map(|list| match of_places {
            true => list.into_iter().chain([extent]).collect(),
            false => list
                .into_iter()
                .scan(0usize, |end, size| {
                    *end += size;
                    Some(*end)
                })
                .collect(),
        }),
        one => size(one).filter(|n| extent.is_multiple_of(*n)).map(|n| (1..=n).map(|k| k * extent / n).collect()),
    };
    let ends = ends.filter(|e| e.windows(2).all(|p| p[0] < p[1]) && e.last() == Some(&extent));
    let ends = ends.ok_or_else(|| a.wrong(1, &format!("parts of {extent} elements")))?;
    let mut begin = 0;
    ends.into_iter().map(|end| part(lift, a, x.clone(), axis, std::mem::replace(&mut begin, end)..end)).collect()
}

/// Each element of an axis, without the axis.
pub(super) fn unstack(lift: &mut Lift, a: &mut Arguments) -> Results {
    let x = a.tensor(0)?;
    let axis = a.axis(1, lift.shape(&x).len())?;
    let extent = lift.shape(&x)[axis];
    if a.integers(2)?.is_some_and(|n| n != [extent as i64]) {
        return Err(a.wrong(2, "as many as the axis has"));
    }
    let one = |place: usize, lift: &mut Lift| {
        let y = part(lift, a, x.clone(), axis, place..place + 1)?;
        without(lift, a, y, &[axis])
    };
    (0..extent).map(|place| one(place, lift)).collect()
}

fn part(
    lift: &mut Lift,
    a: &Arguments,
    x: Real,
    axis: usize,
    places: std::ops::Range<usize>,
) -> Result<Real, Diagnostic> {
    let mut count = lift.shape(&x).to_vec();
    let mut begin = vec![0; count.len()];
    (begin[axis], count[axis]) = (places.start, places.len());
    let step = vec![1; count.len()];
    lift.moved(&a.layer.name, x, Op::Slice { begin, count, step })
}
