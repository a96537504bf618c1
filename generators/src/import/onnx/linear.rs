//! Matrix products and convolutions.

use hdl::diag::Diagnostic;

use super::node::{Node, Value};
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

impl Node<'_> {
    fn transposed(&self, constant: &Constant) -> Result<Constant, Diagnostic> {
        let op = swapped_axes(constant.shape().len()).ok_or_else(|| self.error("a matrix is wanted"))?;
        constant.moved(&op).map_err(|why| self.error(why))
    }

    /// The window that the attributes describe, over these spatial extents.
    pub(super) fn window(&self, kernel: &[usize], spatial: &[usize]) -> Result<Window, Diagnostic> {
        let rank = spatial.len();
        let list = |name: &str, default: usize, len: usize| -> Result<Vec<usize>, Diagnostic> {
            let Some(values) = self.ints(name).filter(|v| !v.is_empty()) else {
                return Ok(vec![default; len]);
            };
            let values: Option<Vec<usize>> = values.iter().map(|v| usize::try_from(*v).ok()).collect();
            values
                .filter(|v| v.len() == len && v.iter().all(|v| *v <= 1 << 20))
                .ok_or_else(|| self.error(format!("attribute `{name}` needs {len} numbers that are not negative")))
        };
        let taps = kernel.iter().try_fold(1usize, |n, k| n.checked_mul(*k));
        let fits = taps.is_some_and(|taps| (1..=MAX_TAPS).contains(&taps));
        if kernel.len() != rank || !fits {
            return Err(self.error(format!("a kernel of shape {kernel:?} does not fit {rank} spatial axes")));
        }
        let (strides, dilations) = (list("strides", 1, rank)?, list("dilations", 1, rank)?);
        if strides.contains(&0) || dilations.contains(&0) {
            return Err(self.error("strides and dilations are at least 1"));
        }
        let pads = list("pads", 0, 2 * rank)?;
        let (mut begin, mut end) = (pads[..rank].to_vec(), pads[rank..].to_vec());
        let auto = self.text("auto_pad").unwrap_or_default();
        match auto.as_str() {
            "" | "NOTSET" => {}
            "VALID" => (begin, end) = (vec![0; rank], vec![0; rank]),
            "SAME_UPPER" | "SAME_LOWER" => {
                for a in 0..rank {
                    let output = spatial[a].div_ceil(strides[a]);
                    let reach = (output.saturating_sub(1)) * strides[a] + (kernel[a] - 1) * dilations[a] + 1;
                    let total = reach.saturating_sub(spatial[a]);
                    let less = total / 2;
                    (begin[a], end[a]) = if auto == "SAME_UPPER" { (less, total - less) } else { (total - less, less) };
                }
            }
            other => {
                return Err(self.error(format!("there is no padding {}", hdl::names::quoted(other))));
            }
        }
        Ok(Window { kernel: kernel.to_vec(), strides, dilations, pads_begin: begin, pads_end: end })
    }
}

impl Lift {
    pub(super) fn onnx_mat_mul(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        match (node.operand(0)?, node.operand(1)?) {
            (Value::Real(x), Value::Real(y)) => self.mat_mul(&node.name, x.clone(), y.clone()),
            (Value::Real(x), Value::Constant(w)) => self.dense(&node.name, x.clone(), w),
            (Value::Constant(w), Value::Real(x)) => {
                let swap = swapped_axes(self.shape(x).len()).ok_or_else(|| node.error("a matrix is wanted"))?;
                let columns = self.moved(&node.name, x.clone(), swap.clone())?;
                let product = self.dense(&node.name, columns, &node.transposed(w)?)?;
                self.moved(&node.name, product, swap)
            }
            (Value::Constant(_), Value::Constant(_)) => {
                Err(node.error("the product of two constants is not supported"))
            }
        }
    }

    /// `alpha · A · B + beta · C`.
    pub(super) fn gemm(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let mut x = node.real(0)?;
        if node.int("transA", 0) != 0 {
            let swap = swapped_axes(self.shape(&x).len()).ok_or_else(|| node.error("a matrix is wanted"))?;
            x = self.moved(&node.name, x, swap)?;
        }
        let weights = node.constant(1)?;
        let weights = if node.int("transB", 0) != 0 { node.transposed(weights)? } else { weights.clone() };
        let depth = weights.shape().first().copied().unwrap_or(0);
        let mut y = self.dense(&node.name, x, &weights)?;
        let (alpha, beta) = (node.float("alpha", 1.0), node.float("beta", 1.0));
        if alpha != 1.0 {
            y = self.step(&node.name, y, Step::Mul(Array::scalar(alpha)))?;
        }
        match node.optional(2)? {
            None => Ok(y),
            Some(Value::Real(c)) if beta == 1.0 => self.combine(&node.name, Op::Add, y, c.clone()),
            Some(Value::Real(_)) => Err(node.error("beta other than 1 with a computed C is not supported")),
            Some(Value::Constant(c)) => {
                let c = c.as_float().map(|v| v * beta);
                let on_grid = |unit: &f64| c.values.iter().all(|v| (f64::from(*v) / unit).fract() == 0.0);
                if depth > BLOCK && !y.unit.values.iter().all(on_grid) {
                    y.noise += self.block_noise(&y, depth.div_ceil(BLOCK));
                }
                self.step(&node.name, y, Step::Add(c))
            }
        }
    }

    pub(super) fn conv(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        let weights = node.constant(1)?;
        let shape = self.shape(&x).to_vec();
        if shape.len() < 3 || weights.shape().len() != shape.len() {
            return Err(node.error(format!("filters {:?} do not fit operands {shape:?}", weights.shape())));
        }
        let window = node.window(&weights.shape()[2..], &shape[2..])?;
        let groups = usize::try_from(node.int("group", 1)).map_err(|_| node.error("group is at least 1"))?;
        let y = self.convolution(&node.name, x, weights, Shaped { window, groups })?;
        let Some(bias) = node.optional_constant(2)? else {
            return Ok(y);
        };
        let bias = bias.as_float();
        let bias = Array { shape: [bias.shape, vec![1; shape.len() - 2]].concat(), values: bias.values };
        self.step(&node.name, y, Step::Add(bias))
    }
}
