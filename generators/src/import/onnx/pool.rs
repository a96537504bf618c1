//! Pooling, reductions and choices.

use hdl::diag::Diagnostic;

use super::fold::{reduce_constant, reduced_axes};
use super::linear::{first_last, last_first};
use super::node::{Node, Tensor, Value};
use super::operators::{Domain, Results};
use super::tensor::Kind;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Step, Window};

/// A window over all spatial axes.
pub(super) fn global_pool(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    let shape = lift.shape(&x).to_vec();
    if shape.len() < 3 {
        return Err(node.error("its operand has no spatial axes"));
    }
    let spatial: Vec<usize> = (2..shape.len()).collect();
    let count: usize = shape[2..].iter().product();
    let factor = (node.operator.name == "GlobalAveragePool").then(|| 1.0 / count as f64);
    Ok(vec![Tensor::float(lift.reduce(&node.name, x, spatial, factor)?)])
}

/// All elements along axes combined.
pub(super) fn reduce(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let operand = node.operand(0)?;
    let kind = operand.kind;
    let Value::Real(x) = &operand.value else {
        return reduce_constant(lift, node);
    };
    let x = x.clone();
    let shape = lift.shape(&x).to_vec();
    let (axes, keeps) = reduced_axes(node, shape.len())?;
    let Some(axes) = axes else {
        return Ok(vec![operand.clone()]);
    };
    let operator = node.operator.name;
    if kind != Kind::Float && operator == "ReduceSum" {
        return Err(node.error(format!("sums of computed tensors of data type {} are not supported", kind.name())));
    }
    let count = axes.iter().map(|&a| shape[a]).product::<usize>() as f64;
    let y = match operator {
        "ReduceMean" => lift.reduce(&node.name, x, axes.clone(), Some(1.0 / count))?,
        "ReduceSum" => lift.reduce(&node.name, x, axes.clone(), Some(1.0))?,
        "ReduceMax" => lift.reduce(&node.name, x, axes.clone(), None)?,
        _ => {
            let negated = lift.step(&node.name, x, Step::Mul(Array::scalar(-1.0)))?;
            let y = lift.reduce(&node.name, negated, axes.clone(), None)?;
            lift.step(&node.name, y, Step::Mul(Array::scalar(-1.0)))?
        }
    };
    let y = without_axes(lift, node, y, &axes, keeps)?;
    Ok(vec![Tensor { value: Value::Real(y), kind }])
}

/// Drops `axes` of extent 1 unless the node keeps them.
fn without_axes(lift: &mut Lift, node: &Node<'_>, y: Real, axes: &[usize], keeps: bool) -> Result<Real, Diagnostic> {
    if keeps {
        return Ok(y);
    }
    let shape = lift.shape(&y).iter().enumerate();
    let shape = shape.filter(|(a, _)| !axes.contains(a)).map(|(_, e)| *e).collect();
    lift.moved(&node.name, y, Op::Reshape { shape })
}

/// `MaxPool` and `AveragePool`.
pub(super) fn windowed(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let kind = node.operand(0)?.kind;
    let y = pooled(lift, node, node.real(0)?, node.operator.domain == Domain::ChannelsLast)?;
    Ok(vec![Tensor { value: Value::Real(y), kind }])
}

/// The averages or maxima of the windows that the node's attributes describe.
pub(super) fn pooled(lift: &mut Lift, node: &Node<'_>, mut x: Real, channels_last: bool) -> Result<Real, Diagnostic> {
    if channels_last {
        x = last_first(lift, node, x)?;
    }
    let shape = lift.shape(&x).to_vec();
    let spatial = shape.get(2..).ok_or_else(|| node.error("its operand has no spatial axes"))?;
    let average = node.operator.name != "MaxPool";
    let window = pooling_window(node, spatial, average)?;
    let factors = if average {
        if onnx_version(node) < 7 && window.pads() {
            return Err(node.error("before version 7 of the operator set it does not say whether padding counts"));
        }
        let counts = onnx_version(node) >= 7 && node.flag("count_include_pad", false)?;
        Some(average_factors(&window, spatial, counts).map_err(|why| node.error(why))?)
    } else {
        if window.misses(spatial).map_err(|why| node.error(why))? {
            return Err(node.error("a window sees only padding"));
        }
        None
    };
    let y = lift.pool(&node.name, x, window, factors)?;
    if channels_last { first_last(lift, node, y) } else { Ok(y) }
}

/// The version of ONNX's operator set whose pooling the node is; onnxruntime's own has all but dilations.
fn onnx_version(node: &Node<'_>) -> i64 {
    if node.operator.domain == Domain::Microsoft { 10 } else { node.version }
}

fn pooling_window(node: &Node<'_>, spatial: &[usize], average: bool) -> Result<Window, Diagnostic> {
    let kernel = node.ints("kernel_shape")?.unwrap_or(&[]).iter().map(|k| usize::try_from(*k).ok());
    let kernel: Vec<usize> =
        kernel.collect::<Option<_>>().ok_or_else(|| node.unsupported("kernel_shape", "numbers from 1"))?;
    let version = onnx_version(node);
    let has_dilations = if average { version >= 19 } else { version >= 10 };
    let window = node.window(&kernel, spatial, has_dilations)?;
    if node.text("auto_pad", "NOTSET")?.starts_with("SAME") {
        let too_far =
            |a: usize| (spatial[a].div_ceil(window.strides[a]) - 1) * window.strides[a] + kernel[a] < spatial[a];
        if window.dilations.iter().any(|d| *d != 1) || (0..kernel.len()).any(too_far) {
            return Err(node.unsupported("auto_pad", "without dilation, and with strides up to the kernel's extent"));
        }
    }
    if version >= 10 && node.flag("ceil_mode", false)? {
        let exact = |a: usize| {
            let reach = (kernel[a] - 1) * window.dilations[a] + 1;
            let free = (spatial[a] + window.pads_begin[a] + window.pads_end[a]).checked_sub(reach);
            free.is_some_and(|free| free % window.strides[a] == 0)
        };
        if !(0..kernel.len()).all(exact) {
            return Err(node
                .error("windows that reach over the end (ceil_mode = 1) are not supported")
                .help("pad explicitly"));
        }
    }
    Ok(window)
}

/// Position of the greatest element, or of the least.
pub(super) fn arg_max(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let mut x = node.real(0)?;
    if node.version >= 12 && node.flag("select_last_index", false)? {
        return Err(node.unsupported("select_last_index", "0, the first of equal elements"));
    }
    let axis = node.axis(node.int("axis", 0)?, lift.shape(&x).len())?;
    let keeps = node.flag("keepdims", true)?;
    if node.operator.name == "ArgMin" {
        x = lift.step(&node.name, x, Step::Mul(Array::scalar(-1.0)))?;
    }
    let y = lift.arg_max(&node.name, x, axis)?;
    let y = without_axes(lift, node, y, &[axis], keeps)?;
    Ok(vec![Tensor { value: Value::Real(y), kind: Kind::Int64 }])
}

/// Before version 13 all axes from `axis` on are one vector.
pub(super) fn softmax(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.real(0)?;
    let shape = lift.shape(&x).to_vec();
    let old = node.version < 13;
    let axis = node.axis(node.int("axis", if old { 1 } else { -1 })?, shape.len())?;
    if old && shape[axis + 1..].iter().any(|e| *e != 1) {
        return Err(node
            .error(format!(
                "before version 13 of the operator set it runs over all axes from {axis} on, here {shape:?}"
            ))
            .help("flatten in front of it, or use version 13"));
    }
    Ok(vec![Tensor::float(lift.softmax(&node.name, x, axis)?)])
}

/// Value and position of the greatest element.
pub(super) fn top_1(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let kind = node.operand(0)?.kind;
    let x = node.real(0)?;
    let k = match node.version < 10 {
        true => node.int("k", 0)?,
        false => node.optional_integers(1)?.and_then(|k| k.first().copied()).unwrap_or(0),
    };
    if k != 1 {
        return Err(node.error(format!("only one element is supported, k = 1, here it is {k}")));
    }
    if node.version >= 11 && !node.flag("largest", true)? {
        return Err(node.unsupported("largest", "1, the greatest element"));
    }
    let axis = node.axis(node.int("axis", -1)?, lift.shape(&x).len())?;
    let value = lift.reduce(&node.name, x.clone(), vec![axis], None)?;
    let place = lift.arg_max(&node.name, x, axis)?;
    Ok(vec![Tensor { value: Value::Real(value), kind }, Tensor { value: Value::Real(place), kind: Kind::Int64 }])
}

/// One over the number of elements that each position averages.
fn average_factors(window: &Window, spatial: &[usize], with_padding: bool) -> Result<Array<f64>, String> {
    let taps: usize = window.kernel.iter().product();
    if with_padding || !window.pads() {
        return Ok(Array::scalar(1.0 / taps as f64));
    }
    let shape = [vec![1, 1], window.output(spatial)?].concat();
    let positions = window.positions(spatial)?;
    if positions.iter().any(Vec::is_empty) {
        return Err("a window sees only padding".into());
    }
    let values = positions.iter().map(|p| 1.0 / p.len() as f64).collect();
    Ok(Array { shape, values }.compact())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_leave_padding_out() {
        let window =
            Window { kernel: vec![2], strides: vec![1], dilations: vec![1], pads_begin: vec![1], pads_end: vec![0] };
        assert_eq!(average_factors(&window, &[3], false).unwrap().values, [1.0, 0.5, 0.5]);
        assert_eq!(average_factors(&window, &[3], true).unwrap().values, [0.5]);
    }
}
