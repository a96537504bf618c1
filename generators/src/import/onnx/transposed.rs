//! Transposed convolutions.

use hdl::diag::Diagnostic;

use super::linear::with_bias;
use super::node::{Node, Tensor};
use super::operators::Results;
use crate::import::lift::{Lift, Shaped};

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
    let y = lift.transposed_convolution(&node.name, x, weights, Shaped { window, groups }, &more)?;
    Ok(vec![Tensor::float(with_bias(lift, node, y)?)])
}
