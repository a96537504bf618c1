//! Transposed convolutions: the operand's elements are spread by the strides, and flipped filters slide over them.

use hdl::diag::Diagnostic;

use super::linear::with_bias;
use super::node::{Node, Tensor};
use super::operators::Results;
use crate::import::lift::{Constant, Lift, Real, Shaped};
use crate::model::{Op, Window};

/// `ConvTranspose` with constant filters of shape `[channels, filters / groups, kernel…]`.
pub(super) fn conv_transpose(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    let weights = node.constant(1)?;
    let shape = lift.shape(&x).to_vec();
    if shape.len() < 3 || weights.shape().len() != shape.len() || weights.shape()[0] != shape[1] {
        return Err(node.error(format!("filters {:?} do not fit operands {shape:?}", weights.shape())));
    }
    let spatial = &shape[2..];
    let kernel = weights.shape()[2..].to_vec();
    node.check_kernel(&kernel)?;
    if !matches!(node.text("auto_pad", "NOTSET")?.as_str(), "NOTSET" | "" | "VALID") {
        return Err(node.unsupported("auto_pad", "NOTSET and VALID").help("name the pads"));
    }
    if node.ints("output_shape")?.is_some_and(|shape| !shape.is_empty()) {
        return Err(node.unsupported("output_shape", "pads and output_padding"));
    }
    let window = node.window(&kernel, spatial, true)?;
    let more = node.extents("output_padding", 0, spatial.len())?;
    if (0..spatial.len()).any(|a| more[a] >= window.strides[a].max(window.dilations[a])) {
        return Err(node.unsupported("output_padding", "numbers below the strides"));
    }
    let groups = usize::try_from(node.int("group", 1)?).ok().filter(|g| *g > 0 && shape[1].is_multiple_of(*g));
    let groups = groups.ok_or_else(|| node.unsupported("group", &format!("divisors of {}", shape[1])))?;
    let filters = flipped(weights, groups).map_err(|why| node.error(why))?;
    let x = spread(lift, node, x, &window.strides)?;
    let reach = |a: usize| (kernel[a] - 1) * window.dilations[a];
    let pads = |given: &[usize], more: &[usize]| -> Vec<i64> {
        (0..given.len()).map(|a| (reach(a) + more[a]) as i64 - given[a] as i64).collect()
    };
    let (begin, end) = (pads(&window.pads_begin, &vec![0; more.len()]), pads(&window.pads_end, &more));
    let x = cut(lift, node, x, &begin, &end)?;
    let outside = |pads: &[i64]| pads.iter().map(|p| (*p).max(0) as usize).collect();
    let window = Window {
        strides: vec![1; kernel.len()],
        pads_begin: outside(&begin),
        pads_end: outside(&end),
        kernel,
        dilations: window.dilations,
    };
    let y = lift.convolution(&node.name, x, &filters, Shaped { window, groups })?;
    Ok(vec![Tensor::float(with_bias(lift, node, y)?)])
}

/// Filters of shape `[filters, channels / groups, kernel…]` that run from the kernel's end to its start.
fn flipped(weights: &Constant, groups: usize) -> Result<Constant, String> {
    let [channels, filters, kernel @ ..] = weights.shape() else {
        return Err("filters have axes channels, filters and kernel".into());
    };
    let (channels, filters, kernel) = (channels / groups, *filters, kernel.to_vec());
    let axes = [0, 2, 1].into_iter().chain(3..3 + kernel.len()).collect();
    let last = |k: &usize| k.saturating_sub(1);
    [
        Op::Reshape { shape: [vec![groups, channels, filters], kernel.clone()].concat() },
        Op::Transpose { axes },
        Op::Reshape { shape: [vec![groups * filters, channels], kernel.clone()].concat() },
        Op::Slice {
            begin: [0, 0].into_iter().chain(kernel.iter().map(last)).collect(),
            count: [vec![groups * filters, channels], kernel.clone()].concat(),
            step: [1, 1].into_iter().chain(kernel.iter().map(|_| -1)).collect(),
        },
    ]
    .iter()
    .try_fold(weights.clone(), |w, op| w.moved(op))
}

/// The operand with `stride - 1` zeros between neighbours along each spatial axis.
fn spread(lift: &mut Lift, node: &Node<'_>, x: Real, strides: &[usize]) -> Result<Real, Diagnostic> {
    let name = &node.name;
    let mut x = x;
    for (k, &stride) in strides.iter().enumerate().filter(|(_, s)| **s > 1) {
        let (axis, shape) = (k + 2, lift.shape(&x).to_vec());
        let split = [&shape[..=axis], &[1], &shape[axis + 1..]].concat();
        x = lift.moved(name, x, Op::Reshape { shape: split.clone() })?;
        let mut behind = vec![0; split.len()];
        behind[axis + 1] = stride - 1;
        x = lift.pad(name, x, vec![0; split.len()], behind, 0.0)?;
        let mut joined = shape.clone();
        joined[axis] *= stride;
        x = lift.moved(name, x, Op::Reshape { shape: joined.clone() })?;
        joined[axis] = joined[axis].saturating_sub(stride - 1);
        let rank = joined.len();
        x = lift.moved(name, x, Op::Slice { begin: vec![0; rank], count: joined, step: vec![1; rank] })?;
    }
    Ok(x)
}

/// The operand without the elements that negative pads take away.
fn cut(lift: &mut Lift, node: &Node<'_>, x: Real, begin: &[i64], end: &[i64]) -> Result<Real, Diagnostic> {
    let shape = lift.shape(&x).to_vec();
    let taken = |pads: &[i64], a: usize| if a < 2 { 0 } else { (-pads[a - 2]).max(0) as usize };
    let count: Option<Vec<usize>> =
        (0..shape.len()).map(|a| shape[a].checked_sub(taken(begin, a))?.checked_sub(taken(end, a))).collect();
    let count = count.ok_or_else(|| node.error("its pads take away more elements than there are"))?;
    let begin = (0..shape.len()).map(|a| taken(begin, a)).collect();
    lift.moved(&node.name, x, Op::Slice { begin, count, step: vec![1; shape.len()] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_turned_around() {
        let weights = Constant::float(vec![2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let turned = flipped(&weights, 1).unwrap();
        assert_eq!((turned.shape(), turned.as_float().values), (&[1, 2, 2][..], vec![2.0, 1.0, 4.0, 3.0]));
        let grouped = flipped(&weights, 2).unwrap();
        assert_eq!((grouped.shape(), grouped.as_float().values), (&[2, 1, 2][..], vec![2.0, 1.0, 4.0, 3.0]));
    }
}
