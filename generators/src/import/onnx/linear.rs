//! Matrix products and convolutions.

use hdl::diag::Diagnostic;

use super::node::{Node, Tensor, Value};
use super::operators::{Domain, Results};
use crate::import::lift::{Constant, Lift, Real, Shaped};
use crate::model::{Array, Op, Step, Window};

/// Depth of a block of onnxruntime's matrix product; a bias is added in the first block.
const BLOCK: usize = 128;

/// Most elements of a window.
const MAX_TAPS: usize = 1 << 20;

fn swapped_axes(rank: usize) -> Option<Op> {
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(rank.checked_sub(1)?, rank.checked_sub(2)?);
    Some(Op::Transpose { axes })
}

/// The tensor with the channels, its last axis, behind the batch.
pub(super) fn last_first(lift: &mut Lift, node: &Node<'_>, x: Real) -> Result<Real, Diagnostic> {
    let rank = lift.shape(&x).len();
    lift.moved(&node.name, x, channels_second(node, rank)?)
}

/// The tensor with the channels, its second axis, behind all others.
pub(super) fn first_last(lift: &mut Lift, node: &Node<'_>, x: Real) -> Result<Real, Diagnostic> {
    let rank = lift.shape(&x).len();
    lift.moved(&node.name, x, Op::Transpose { axes: (0..1).chain(2..rank).chain(1..2).collect() })
}

fn channels_second(node: &Node<'_>, rank: usize) -> Result<Op, Diagnostic> {
    if rank < 3 {
        return Err(node.error("its operand has no batch, spatial and channel axes"));
    }
    Ok(Op::Transpose { axes: (0..1).chain(rank - 1..rank).chain(1..rank - 1).collect() })
}

impl Node<'_> {
    fn transposed(&self, constant: &Constant) -> Result<Constant, Diagnostic> {
        let op = swapped_axes(constant.shape().len()).ok_or_else(|| self.error("a matrix is wanted"))?;
        constant.moved(&op).map_err(|why| self.error(why))
    }

    /// `len` numbers that are not negative from an attribute.
    pub(super) fn extents(&self, name: &str, default: usize, len: usize) -> Result<Vec<usize>, Diagnostic> {
        let Some(values) = self.ints(name)?.filter(|v| !v.is_empty()) else {
            return Ok(vec![default; len]);
        };
        let values: Option<Vec<usize>> = values.iter().map(|v| usize::try_from(*v).ok()).collect();
        values
            .filter(|v| v.len() == len && v.iter().all(|v| *v <= 1 << 20))
            .ok_or_else(|| self.unsupported(name, &format!("{len} numbers that are not negative")))
    }

    /// The window that the attributes describe, over these spatial extents.
    pub(super) fn window(&self, kernel: &[usize], spatial: &[usize], dilated: bool) -> Result<Window, Diagnostic> {
        let rank = spatial.len();
        let taps = kernel.iter().try_fold(1usize, |n, k| n.checked_mul(*k));
        let fits = taps.is_some_and(|taps| (1..=MAX_TAPS).contains(&taps));
        if kernel.len() != rank || !fits {
            return Err(self.error(format!("a kernel of shape {kernel:?} does not fit {rank} spatial axes")));
        }
        let strides = self.extents("strides", 1, rank)?;
        let dilations = if dilated { self.extents("dilations", 1, rank)? } else { vec![1; rank] };
        if strides.contains(&0) || dilations.contains(&0) {
            return Err(self.error("strides and dilations are at least 1"));
        }
        let pads = self.extents("pads", 0, 2 * rank)?;
        let (mut begin, mut end) = (pads[..rank].to_vec(), pads[rank..].to_vec());
        let auto = self.text("auto_pad", "NOTSET")?;
        if !matches!(auto.as_str(), "NOTSET" | "") && pads.iter().any(|p| *p > 0) {
            return Err(self.error("it has both pads and auto_pad").help("leave one out"));
        }
        match auto.as_str() {
            "" | "NOTSET" | "VALID" => {}
            "SAME_UPPER" | "SAME_LOWER" => {
                for a in 0..rank {
                    let output = spatial[a].div_ceil(strides[a]);
                    let reach = (output.saturating_sub(1)) * strides[a] + (kernel[a] - 1) * dilations[a] + 1;
                    let total = reach.saturating_sub(spatial[a]);
                    let less = total / 2;
                    (begin[a], end[a]) = if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
                }
            }
            _ => return Err(self.unsupported("auto_pad", "NOTSET, VALID, SAME_UPPER and SAME_LOWER")),
        }
        Ok(Window { kernel: kernel.to_vec(), strides, dilations, pads_begin: begin, pads_end: end })
    }

    /// The kernel's extents in the filters, which an attribute may repeat.
    pub(super) fn check_kernel(&self, kernel: &[usize]) -> Result<(), Diagnostic> {
        match self.ints("kernel_shape")?.filter(|k| !k.is_empty()) {
            Some(says) if !says.iter().copied().eq(kernel.iter().map(|k| *k as i64)) => {
                Err(self.unsupported("kernel_shape", &format!("the extents of the filters, {kernel:?}")))
            }
            _ => Ok(()),
        }
    }
}

/// A matrix product.
pub(super) fn mat_mul(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let product = match (&node.operand(0)?.value, &node.operand(1)?.value) {
        (Value::Real(x), Value::Real(y)) => lift.mat_mul(&node.name, x.clone(), y.clone())?,
        (Value::Real(x), Value::Constant(w)) => times(lift, node, x.clone(), w)?,
        (Value::Constant(w), Value::Real(x)) => {
            let swap = |rank: usize| swapped_axes(rank).ok_or_else(|| node.error("a matrix is wanted"));
            let turned = swap(lift.shape(x).len())?;
            let columns = lift.moved(&node.name, x.clone(), turned)?;
            let product = times(lift, node, columns, &node.transposed(w)?)?;
            let back = swap(lift.shape(&product).len())?;
            lift.moved(&node.name, product, back)?
        }
        (Value::Constant(_), Value::Constant(_)) => {
            return Err(node.error("the product of two constants is not supported"));
        }
    };
    Ok(vec![Tensor::float(product)])
}

/// `x · w` for constant matrices `w`, one for each index of the axes in front of the last two.
pub(super) fn times(lift: &mut Lift, node: &Node<'_>, x: Real, w: &Constant) -> Result<Real, Diagnostic> {
    let shape = w.shape().to_vec();
    if shape.len() < 2 || lift.shape(&x).len() < 2 {
        return Err(node.error(format!("matrices are wanted, found shapes {:?} and {shape:?}", lift.shape(&x))));
    }
    let (outer, matrix) = shape.split_at(shape.len() - 2);
    let mut x = x;
    if !outer.is_empty() {
        let wanted = [outer, &[1, 1]].concat();
        x = super::movement::expanded(lift, node, x, &wanted)?;
    }
    let parts = |constant: &Constant, k: usize| {
        let row = constant.moved(&Op::Gather { axis: 0, indices: vec![k] })?;
        row.moved(&Op::Reshape { shape: matrix.to_vec() })
    };
    let count: usize = outer.iter().product();
    let flat = w.moved(&Op::Reshape { shape: [&[count], matrix].concat() }).map_err(|why| node.error(why))?;
    let part = |k: usize| parts(&flat, k).map_err(|why| node.error(why));
    if count == 1 {
        return lift.dense(&node.name, x, &part(0)?);
    }
    let full = lift.shape(&x).to_vec();
    let (extents, operand) = full.split_at(full.len() - 2);
    let index = Array { shape: outer.to_vec(), values: (0..count).collect::<Vec<usize>>() };
    let index =
        index.stretched(extents).ok_or_else(|| node.error(format!("{full:?} and {shape:?} do not multiply")))?;
    let x = lift.moved(&node.name, x, Op::Reshape { shape: [&[index.len()], operand].concat() })?;
    let mut products = Vec::with_capacity(index.len());
    for (k, w) in index.iter().enumerate() {
        let row = lift.moved(&node.name, x.clone(), Op::Gather { axis: 0, indices: vec![k] })?;
        products.push(lift.dense(&node.name, row, &part(*w)?)?);
    }
    let joined = lift.concat(&node.name, products, 0)?;
    let matrix = lift.shape(&joined)[1..].to_vec();
    lift.moved(&node.name, joined, Op::Reshape { shape: [extents, &matrix].concat() })
}

/// `alpha · A · B + beta · C`.
pub(super) fn gemm(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let mut x = node.real(0)?;
    let weights = node.constant(1)?;
    if lift.shape(&x).len() != 2 || weights.shape().len() != 2 {
        return Err(node.error(format!("matrices are wanted, found {:?} and {:?}", lift.shape(&x), weights.shape())));
    }
    if node.flag("transA", false)? {
        x = lift.moved(&node.name, x, Op::Transpose { axes: vec![1, 0] })?;
    }
    let weights = if node.flag("transB", false)? { node.transposed(weights)? } else { weights.clone() };
    let depth = weights.shape()[0];
    let mut y = lift.dense(&node.name, x, &weights)?;
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    if node.version < 7 && beta != 1.0 {
        return Err(node.unsupported("beta", "1 before version 7 of the operator set, where implementations differ"));
    }
    if alpha != 1.0 {
        y = lift.step(&node.name, y, Step::Mul(Array::scalar(alpha)))?;
    }
    let stretches = node.version >= 7 || node.flag("broadcast", false)?;
    let Some(c) = node.optional(2)? else {
        return Ok(vec![Tensor::float(y)]);
    };
    let c_shape = super::elementwise::shape(lift, c);
    let fits = crate::model::broadcast(&c_shape, lift.shape(&y)).as_deref() == Some(lift.shape(&y));
    if !fits || (!stretches && c_shape != lift.shape(&y)) {
        return Err(node.error(format!("C of shape {c_shape:?} does not stretch to {:?}", lift.shape(&y))));
    }
    let y = match &c.value {
        Value::Real(c) if beta == 1.0 => lift.combine(&node.name, Op::Add, y, c.clone())?,
        Value::Real(_) => return Err(node.error("beta other than 1 with a computed C is not supported")),
        Value::Constant(c) => {
            let c = c.as_float().map(|v| v * beta);
            let on_grid = |unit: &f64| c.values.iter().all(|v| (f64::from(*v) / unit).fract() == 0.0);
            if depth > BLOCK && !y.unit.values.iter().all(on_grid) {
                y.noise += lift.block_noise(&y, depth.div_ceil(BLOCK));
            }
            lift.step(&node.name, y, Step::Add(c))?
        }
    };
    Ok(vec![Tensor::float(y)])
}

/// A convolution with constant filters; in QONNX' channels-last form filters have their channels last as well.
pub(super) fn conv(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let mut x = node.real(0)?;
    let mut weights = node.constant(1)?.clone();
    let rank = lift.shape(&x).len();
    if rank < 3 || weights.shape().len() != rank {
        let shape = lift.shape(&x);
        return Err(node.error(format!("filters {:?} do not fit operands {shape:?}", weights.shape())));
    }
    let channels_last = node.operator.domain == Domain::ChannelsLast;
    if channels_last {
        x = last_first(lift, node, x)?;
        weights = weights.moved(&channels_second(node, rank)?).map_err(|why| node.error(why))?;
    }
    let kernel = weights.shape()[2..].to_vec();
    node.check_kernel(&kernel)?;
    let window = node.window(&kernel, &lift.shape(&x)[2..].to_vec(), true)?;
    let groups = usize::try_from(node.int("group", 1)?).map_err(|_| node.unsupported("group", "numbers from 1"))?;
    let y = lift.convolution(&node.name, x, &weights, Shaped { window, groups })?;
    let mut y = with_bias(lift, node, y)?;
    if channels_last {
        y = first_last(lift, node, y)?;
    }
    Ok(vec![Tensor::float(y)])
}

/// Adds the constants of operand 2, one a channel.
pub(super) fn with_bias(lift: &mut Lift, node: &Node<'_>, y: Real) -> Result<Real, Diagnostic> {
    let Some(bias) = node.optional_constant(2)? else {
        return Ok(y);
    };
    let bias = bias.as_float();
    let shape = lift.shape(&y).to_vec();
    if bias.shape != [shape[1]] {
        return Err(node.error(format!("its bias {:?} is no list of {} numbers", bias.shape, shape[1])));
    }
    let bias = Array { shape: [bias.shape, vec![1; shape.len() - 2]].concat(), values: bias.values };
    lift.step(&node.name, y, Step::Add(bias))
}
