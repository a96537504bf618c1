//! Pooling, reductions and choices.

use hdl::diag::Diagnostic;

use super::node::Node;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Window};

impl Lift {
    pub(super) fn onnx_pool(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        let shape = self.shape(&x).to_vec();
        let operator = node.proto.op_type.as_str();
        let spatial: Vec<usize> = (2..shape.len()).collect();
        let count = |axes: &[usize]| axes.iter().map(|&a| shape[a]).product::<usize>() as f64;
        match operator {
            "GlobalMaxPool" => self.reduce(&node.name, x, spatial, None),
            "GlobalAveragePool" => {
                let factor = 1.0 / count(&spatial);
                self.reduce(&node.name, x, spatial, Some(factor))
            }
            "ReduceMean" | "ReduceSum" | "ReduceMax" => {
                let axes: Vec<usize> = match node.axes(1)?.filter(|a| !a.is_empty()) {
                    Some(axes) => axes.iter().map(|a| node.axis(*a, shape.len())).collect::<Result<_, _>>()?,
                    None => (0..shape.len()).collect(),
                };
                let factor = match operator {
                    "ReduceMean" => Some(1.0 / count(&axes)),
                    "ReduceSum" => Some(1.0),
                    _ => None,
                };
                let y = self.reduce(&node.name, x, axes.clone(), factor)?;
                self.without_axes(node, y, &axes)
            }
            _ => self.windowed(node, x, &shape),
        }
    }

    /// Drops `axes` of extent 1 unless the node keeps them.
    fn without_axes(&mut self, node: &Node<'_>, y: Real, axes: &[usize]) -> Result<Real, Diagnostic> {
        if node.int("keepdims", 1) != 0 {
            return Ok(y);
        }
        let shape = self.shape(&y).iter().enumerate();
        let shape = shape.filter(|(a, _)| !axes.contains(a)).map(|(_, e)| *e).collect();
        self.moved(&node.name, y, Op::Reshape { shape })
    }

    fn windowed(&mut self, node: &Node<'_>, x: Real, shape: &[usize]) -> Result<Real, Diagnostic> {
        let kernel: Option<Vec<usize>> =
            node.ints("kernel_shape").unwrap_or(&[]).iter().map(|k| usize::try_from(*k).ok()).collect();
        let kernel = kernel.ok_or_else(|| node.error("the kernel is negative"))?;
        let spatial = shape.get(2..).ok_or_else(|| node.error("its operand has no spatial axes"))?;
        let window = node.window(&kernel, spatial)?;
        if node.int("ceil_mode", 0) != 0 {
            let exact = |a: usize| {
                let reach = (kernel[a] - 1) * window.dilations[a] + 1;
                let free = (spatial[a] + window.pads_begin[a] + window.pads_end[a]).checked_sub(reach);
                free.is_some_and(|free| free % window.strides[a] == 0)
            };
            if !(0..kernel.len()).all(exact) {
                return Err(node
                    .error("windows that reach over the end (ceil_mode) are not supported")
                    .help("pad explicitly"));
            }
        }
        if node.proto.op_type == "MaxPool" {
            return self.pool(&node.name, x, window, None);
        }
        let factors =
            average_factors(&window, spatial, node.int("count_include_pad", 0) != 0).map_err(|why| node.error(why))?;
        self.pool(&node.name, x, window, Some(factors))
    }

    pub(super) fn onnx_arg_max(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        if node.int("select_last_index", 0) != 0 {
            return Err(node.error("the last of equal elements cannot be chosen").help("leave out select_last_index"));
        }
        let axis = node.axis(node.int("axis", 0), self.shape(&x).len())?;
        let y = self.arg_max(&node.name, x, axis)?;
        self.without_axes(node, y, &[axis])
    }

    /// Value and position of the greatest element.
    /// Along the last axis. Another one, and the default of a tensor with more axes than two, depend on the version of the
    /// operator set.
    pub(super) fn onnx_softmax(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        let rank = self.shape(&x).len();
        let axis = node.axis(node.int("axis", -1), rank)?;
        if axis + 1 != rank || (rank > 2 && !node.has("axis")) {
            return Err(node
                .error("only a softmax along the last axis is supported, named as an attribute")
                .help("transpose in front of it"));
        }
        self.softmax(&node.name, x, axis)
    }

    pub(super) fn top_1(&mut self, node: &Node<'_>) -> Result<Vec<Real>, Diagnostic> {
        let x = node.real(0)?;
        let k = match node.optional_integers(1)? {
            Some(k) => k.first().copied().unwrap_or(0),
            None => node.int("k", 0),
        };
        if k != 1 || node.int("largest", 1) != 1 {
            return Err(node.error(format!("only the greatest element is supported, k = 1, here it is {k}")));
        }
        let axis = node.axis(node.int("axis", -1), self.shape(&x).len())?;
        let value = self.reduce(&node.name, x.clone(), vec![axis], None)?;
        Ok(vec![value, self.arg_max(&node.name, x, axis)?])
    }
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
