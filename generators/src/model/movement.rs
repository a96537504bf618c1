//! Layers that only move elements: where each element of the result comes from.

use super::graph::MAX_ELEMENTS;
use super::op::Op;

/// The result of a movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Shape of the result.
    pub shape: Vec<usize>,
    /// For each element of the result the element of the operand, both row-major; `None` is padding.
    pub sources: Vec<Option<u32>>,
}

/// Where the elements of `op`'s result come from for an operand of `shape`; `None` if `op` computes something.
///
/// Several operands of a concatenation are handled by their owner, element blocks in order.
///
/// # Errors
/// Axes, indices or extents that do not fit the shape.
pub fn moved(op: &Op, shape: &[usize]) -> Option<Result<Moved, String>> {
    Some(match op {
        Op::Reshape { shape: new } => reshape(shape, new),
        Op::Transpose { axes } => transpose(shape, axes),
        Op::Slice { begin, count, step } => slice(shape, begin, count, step),
        Op::Gather { axis, indices } => gather(shape, *axis, indices),
        Op::Pad { begin, end, .. } => pad(shape, begin, end),
        _ => return None,
    })
}

/// Elements of `shape`.
///
/// # Errors
/// They are more than [`MAX_ELEMENTS`]. An extent of 0 counts as 1 here: it does not excuse the others.
pub fn elements(shape: &[usize]) -> Result<usize, String> {
    let bounded = shape.iter().try_fold(1usize, |n, e| n.checked_mul(*e.max(&1)).filter(|n| *n <= MAX_ELEMENTS));
    match bounded {
        Some(_) => Ok(shape.iter().product()),
        None => Err(format!("shape {shape:?} has more than {MAX_ELEMENTS} elements")),
    }
}

fn reshape(shape: &[usize], new: &[usize]) -> Result<Moved, String> {
    let (from, to) = (elements(shape)?, elements(new)?);
    if from != to {
        return Err(format!("{shape:?} has {from} elements, {new:?} has {to}"));
    }
    Ok(Moved { shape: new.to_vec(), sources: (0..from as u32).map(Some).collect() })
}

/// Combines, axis by axis, the source coordinates in `axes[k]` = (stride, coordinates).
fn select(shape: Vec<usize>, axes: &[(usize, Vec<Option<u32>>)]) -> Result<Moved, String> {
    elements(&shape)?;
    let mut sources = vec![Some(0u32)];
    for (stride, coordinates) in axes {
        sources = sources
            .iter()
            .flat_map(|base| {
                let place = move |c: &Option<u32>| Some((*base)? + (*c)? * *stride as u32);
                coordinates.iter().map(place)
            })
            .collect();
    }
    Ok(Moved { shape, sources })
}

fn strides(shape: &[usize]) -> Vec<usize> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

fn all(extent: usize) -> Vec<Option<u32>> {
    (0..extent as u32).map(Some).collect()
}

fn transpose(shape: &[usize], axes: &[usize]) -> Result<Moved, String> {
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..shape.len()) {
        return Err(format!("{axes:?} is no permutation of {} axes", shape.len()));
    }
    elements(shape)?;
    let strides = strides(shape);
    let picked: Vec<_> = axes.iter().map(|&a| (strides[a], all(shape[a]))).collect();
    select(axes.iter().map(|&a| shape[a]).collect(), &picked)
}

fn slice(shape: &[usize], begin: &[usize], count: &[usize], step: &[isize]) -> Result<Moved, String> {
    if [begin.len(), count.len(), step.len()] != [shape.len(); 3] {
        return Err(format!("one begin, count and step an axis: {} axes", shape.len()));
    }
    elements(count)?;
    let strides = strides(shape);
    let mut axes = Vec::with_capacity(shape.len());
    for axis in 0..shape.len() {
        let place = |i: usize| {
            let place = (i as isize).checked_mul(step[axis])?.checked_add_unsigned(begin[axis])?;
            let place = usize::try_from(place).ok().filter(|p| *p < shape[axis])?;
            Some(Some(place as u32))
        };
        let coordinates: Option<Vec<_>> = (0..count[axis]).map(place).collect();
        let coordinates = coordinates.ok_or_else(|| format!("the slice leaves axis {axis}"))?;
        axes.push((strides[axis], coordinates));
    }
    select(count.to_vec(), &axes)
}

fn gather(shape: &[usize], axis: usize, indices: &[usize]) -> Result<Moved, String> {
    let extent = *shape.get(axis).ok_or_else(|| format!("there is no axis {axis}"))?;
    if let Some(bad) = indices.iter().find(|i| **i >= extent) {
        return Err(format!("index {bad} is beyond the {extent} elements of axis {axis}"));
    }
    let mut axes: Vec<_> = strides(shape).into_iter().zip(shape.iter().map(|e| all(*e))).collect();
    axes[axis].1 = indices.iter().map(|i| Some(*i as u32)).collect();
    let mut new = shape.to_vec();
    new[axis] = indices.len();
    select(new, &axes)
}

fn pad(shape: &[usize], begin: &[usize], end: &[usize]) -> Result<Moved, String> {
    if [begin.len(), end.len()] != [shape.len(); 2] {
        return Err(format!("one pad in front and behind for each of {} axes", shape.len()));
    }
    if begin.iter().chain(end).any(|p| *p > MAX_ELEMENTS) {
        return Err("the padding is too large".into());
    }
    let new: Vec<usize> = (0..shape.len()).map(|a| shape[a] + begin[a] + end[a]).collect();
    elements(&new)?;
    let strides = strides(shape);
    let axis = |a: usize| {
        let mut coordinates = vec![None; begin[a]];
        coordinates.extend(all(shape[a]));
        coordinates.resize(new[a], None);
        (strides[a], coordinates)
    };
    let axes: Vec<_> = (0..shape.len()).map(axis).collect();
    select(new, &axes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(op: &Op, shape: &[usize]) -> Vec<Option<u32>> {
        moved(op, shape).unwrap().unwrap().sources
    }

    #[test]
    fn elements_come_from_the_right_places() {
        let transpose = Op::Transpose { axes: vec![1, 0] };
        assert_eq!(sources(&transpose, &[2, 3]), [0, 3, 1, 4, 2, 5].map(Some));
        let gather = Op::Gather { axis: 1, indices: vec![2, 0] };
        assert_eq!(sources(&gather, &[2, 3]), [2, 0, 5, 3].map(Some));
        let slice = Op::Slice { begin: vec![2], count: vec![2], step: vec![-2] };
        assert_eq!(sources(&slice, &[3]), [2, 0].map(Some));
        let pad = Op::Pad { begin: vec![1], end: vec![0], value: 0 };
        assert_eq!(sources(&pad, &[2]), [None, Some(0), Some(1)]);
    }

    #[test]
    fn movements_outside_the_operand_are_errors() {
        for op in [
            Op::Transpose { axes: vec![0, 0] },
            Op::Gather { axis: 1, indices: vec![3] },
            Op::Gather { axis: 2, indices: vec![] },
            Op::Reshape { shape: vec![7] },
            Op::Reshape { shape: vec![usize::MAX, 2] },
            Op::Slice { begin: vec![0, 0], count: vec![2, 2], step: vec![isize::MAX, 2] },
            Op::Pad { begin: vec![0, usize::MAX], end: vec![0, 0], value: 0 },
        ] {
            assert!(moved(&op, &[2, 3]).unwrap().is_err(), "{op:?}");
        }
    }
}
