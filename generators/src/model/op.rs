//! What a layer computes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::array::Array;
use super::block::{Block, RegisterArray};
use super::multiply::Multiplication;
use super::requantise::Requantise;
use super::softmax::Softmax;
use super::step::StepFunction;
use super::window::Window;

/// How the elements of a window or axis are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolKind {
    /// The greatest; padding never wins.
    Max,
    /// The sum; padding counts as 0. An average is a sum with another scale.
    Sum,
}

/// A layer's function on integer tensors. `x` is the first operand, `y` the second.
///
/// Element-wise operators of two operands stretch axes of extent 1, as numpy does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// These integers, no operand.
    Constant(Array<i64>),
    /// `out[…, o] = bias[o] + Σ_i weights[o, i] · x[…, i]`.
    Dense {
        /// Shape `[outputs, inputs]`.
        weights: Array<i64>,
        /// One an output.
        bias: Vec<i64>,
        /// What of each product is added, and where the weights are.
        #[serde(default, skip_serializing_if = "Multiplication::is_plain")]
        multiplication: Multiplication,
    },
    /// Correlation of `x[n, channel, spatial…]` with zero padding.
    Convolution {
        /// Shape `[filters, channels / groups, kernel…]`.
        weights: Array<i64>,
        /// One a filter.
        bias: Vec<i64>,
        /// How the kernel slides.
        window: Window,
        /// Filters and channels are split into as many groups that do not see each other.
        groups: usize,
        /// What of each product is added, and where the weights are.
        #[serde(default, skip_serializing_if = "Multiplication::is_plain")]
        multiplication: Multiplication,
    },
    /// Matrix product of `x[…, m, k]` and `y[…, k, n]`, both computed at run time.
    MatMul,
    /// A window over `x[n, channel, spatial…]`, each channel by itself.
    Pool {
        /// How the elements are combined.
        kind: PoolKind,
        /// How the window slides.
        window: Window,
    },
    /// All elements along `axes` combined; those axes keep extent 1.
    Reduce {
        /// How.
        kind: PoolKind,
        /// Which axes.
        axes: Vec<usize>,
    },
    /// `x + y`.
    Add,
    /// `x - y`.
    Sub,
    /// `x · y`.
    Mul,
    /// The lesser.
    Min,
    /// The greater.
    Max,
    /// `x & y`, bit by bit on two's complement without end.
    And,
    /// `x | y`, likewise.
    Or,
    /// `x ^ y`, likewise.
    Xor,
    /// `max(x, 0)`.
    Relu,
    /// `positive · x` where `x ≥ 0`, else `negative · x`.
    LeakyRelu {
        /// Multiplier above zero.
        positive: i64,
        /// Multiplier below zero.
        negative: i64,
    },
    /// `x` forced into `lo…hi`.
    Clamp {
        /// Least value.
        lo: i64,
        /// Greatest value.
        hi: i64,
    },
    /// Rounding and overflow.
    Requantise(Requantise),
    /// Rounding and overflow by a format of its own for each element; the array stretches.
    RequantiseEach {
        /// The formats.
        formats: Array<Requantise>,
    },
    /// A step function for each element; the array stretches.
    Threshold {
        /// The functions.
        functions: Array<StepFunction>,
    },
    /// `values[x - first]`.
    Table {
        /// Least operand.
        first: i64,
        /// One value an operand.
        values: Vec<i64>,
    },
    /// The same elements in another shape.
    Reshape {
        /// The new shape.
        shape: Vec<usize>,
    },
    /// Axis `k` of the result is axis `axes[k]` of the operand.
    Transpose {
        /// A permutation.
        axes: Vec<usize>,
    },
    /// Elements `begin`, `begin + step`, … (`count` of them) along each axis.
    Slice {
        /// First element, one an axis.
        begin: Vec<usize>,
        /// Elements taken, one an axis.
        count: Vec<usize>,
        /// Distance, one an axis; may be negative.
        step: Vec<isize>,
    },
    /// `value` around the operand.
    Pad {
        /// Elements in front, one an axis.
        begin: Vec<usize>,
        /// Elements behind, one an axis.
        end: Vec<usize>,
        /// What they are.
        value: i64,
    },
    /// Elements `indices` along `axis`.
    Gather {
        /// The axis.
        axis: usize,
        /// Which of its elements, in order.
        indices: Vec<usize>,
    },
    /// All operands one after the other along `axis`.
    Concat {
        /// The axis.
        axis: usize,
    },
    /// Position of the greatest element along `axis`, the first of equals; the axis keeps extent 1.
    ArgMax {
        /// The axis.
        axis: usize,
    },
    /// The share of each element's exponential in the sum of all along an axis.
    Softmax(Softmax),
    /// A hand-made part.
    Block(Block),
}

impl Op {
    /// Whole products of fixed weights.
    pub fn dense(weights: Array<i64>, bias: Vec<i64>) -> Self {
        Self::Dense { weights, bias, multiplication: Multiplication::default() }
    }

    /// Whole products of fixed weights.
    pub fn convolution(weights: Array<i64>, bias: Vec<i64>, window: Window, groups: usize) -> Self {
        Self::Convolution { weights, bias, window, groups, multiplication: Multiplication::default() }
    }

    /// How it multiplies, if it has weights.
    pub fn multiplication(&self) -> Option<Multiplication> {
        match self {
            Self::Dense { multiplication, .. } | Self::Convolution { multiplication, .. } => Some(*multiplication),
            _ => None,
        }
    }

    /// The registers that are written at run time, with what they hold.
    ///
    /// Weights are followed by biases. Those of a dense layer stand output by output, those of a convolution tap by tap
    /// and channel by channel, with the filter fastest.
    pub fn registers(&self) -> Vec<RegisterArray> {
        match self {
            Self::Block(block) => block.part().registers(),
            Self::Dense { weights, bias, multiplication: Multiplication { store, .. } } => {
                store.registers(weights.values.iter().chain(bias).copied())
            }
            Self::Convolution { weights, bias, multiplication: Multiplication { store, .. }, .. } => {
                let places = filter_fastest(&weights.shape);
                store.registers(places.map(|i| weights.values[i]).chain(bias.iter().copied()))
            }
            _ => Vec::new(),
        }
    }

    /// The operator's name in JSON and in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Constant(_) => "constant",
            Op::Dense { .. } => "dense",
            Op::Convolution { .. } => "convolution",
            Op::MatMul => "mat_mul",
            Op::Pool { .. } => "pool",
            Op::Reduce { .. } => "reduce",
            Op::Add => "add",
            Op::Sub => "sub",
            Op::Mul => "mul",
            Op::Min => "min",
            Op::Max => "max",
            Op::And => "and",
            Op::Or => "or",
            Op::Xor => "xor",
            Op::Relu => "relu",
            Op::LeakyRelu { .. } => "leaky_relu",
            Op::Clamp { .. } => "clamp",
            Op::Requantise(_) => "requantise",
            Op::RequantiseEach { .. } => "requantise_each",
            Op::Threshold { .. } => "threshold",
            Op::Table { .. } => "table",
            Op::Reshape { .. } => "reshape",
            Op::Transpose { .. } => "transpose",
            Op::Slice { .. } => "slice",
            Op::Pad { .. } => "pad",
            Op::Gather { .. } => "gather",
            Op::Concat { .. } => "concat",
            Op::ArgMax { .. } => "arg_max",
            Op::Softmax(_) => "softmax",
            Op::Block(block) => block.part().name(),
        }
    }

    /// Whether elements only change their places.
    pub fn is_movement(&self) -> bool {
        use Op::{Concat, Gather, Pad, Reshape, Slice, Transpose};
        matches!(self, Reshape { .. } | Transpose { .. } | Slice { .. } | Pad { .. } | Gather { .. } | Concat { .. })
    }

    /// How many operands there are; `None` for any number from 1.
    pub fn arity(&self) -> Option<usize> {
        match self {
            Op::Constant(_) => Some(0),
            Op::MatMul => Some(2),
            Op::Add | Op::Sub | Op::Mul | Op::Min | Op::Max => Some(2),
            Op::And | Op::Or | Op::Xor => Some(2),
            Op::Concat { .. } => None,
            Op::Block(block) => Some(block.part().operands()),
            _ => Some(1),
        }
    }
}

/// The weights of a convolution of this shape tap by tap and channel by channel, with the filter fastest.
pub fn filter_fastest(shape: &[usize]) -> impl Iterator<Item = usize> + use<> {
    let (filters, channels) = (shape[0], shape[1]);
    let taps: usize = shape[2..].iter().product();
    let channel = move |tap: usize, c: usize| (0..filters).map(move |f| (f * channels + c) * taps + tap);
    (0..taps).flat_map(move |tap| (0..channels).flat_map(move |c| channel(tap, c)))
}
