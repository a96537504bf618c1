//! The functions: names, parameters, and what is known to be without influence.

use super::elementwise::{activation, cast, clip, elu, gelu, leaky_relu, pair, softmax, square, through};
use super::movement::{
    concatenate, expand, flip, item, move_axis, pad, repeat, reshape, slice, split, squeeze, stack, swap, take, tile,
    transpose, unstack,
};
use super::reduction::{Reduction, arg_max, einsum, mat_mul, reduce};
use super::{Arguments, Function};
use crate::import::keras::class::Results;
use crate::import::keras::settings::Known;
use crate::import::lift::Lift;
use crate::model::{Array, Pairing, Step};

/// What the configurations of Keras 3's functions have.
pub(super) const KEYS: &[&str] = &[
    "axes",
    "axis",
    "axis1",
    "axis2",
    "keepdims",
    "newshape",
    "source",
    "destination",
    "x_min",
    "x_max",
    "negative_slope",
    "alpha",
    "approximate",
    "indices_or_sections",
    "pad_width",
    "mode",
    "repeats",
    "subscripts",
    "dtype",
    "initial",
    "constant_values",
    "num",
    "indices",
];

/// All functions.
pub(super) const FUNCTIONS: &[&[Function]] = &[ARITHMETIC, ACTIVATIONS, MOVEMENT, REDUCTIONS];

/// What TensorFlow has besides.
const NAME: &[Known] = &[Known::any("name", "a name")];

type Build = fn(&mut Lift, &mut Arguments) -> Results;

/// A function that has nothing without influence but a name.
const fn one(name: &'static str, parameters: &'static [&'static str], build: Build) -> Function {
    Function { name, parameters, known: NAME, build }
}

/// Arithmetic with the names of both operands.
macro_rules! two {
    ($name:literal, $x:literal, $y:literal, $operation:ident) => {
        one($name, &[$x, $y], |lift, a| pair(lift, a, Pairing::$operation))
    };
}

const ARITHMETIC: &[Function] = &[
    two!("ops.Add", "x1", "x2", Add),
    two!("ops.Subtract", "x1", "x2", Sub),
    two!("ops.Multiply", "x1", "x2", Mul),
    two!("ops.Divide", "x1", "x2", Div),
    two!("ops.TrueDivide", "x1", "x2", Div),
    two!("ops.Maximum", "x1", "x2", Max),
    two!("ops.Minimum", "x1", "x2", Min),
    two!("__operators__.add", "x", "y", Add),
    two!("math.add", "x", "y", Add),
    two!("math.subtract", "x", "y", Sub),
    two!("math.multiply", "x", "y", Mul),
    two!("math.truediv", "x", "y", Div),
    two!("math.divide", "x", "y", Div),
    two!("math.maximum", "x", "y", Max),
    two!("math.minimum", "x", "y", Min),
    one("ops.Negative", &["x"], |lift, a| through(lift, a, Step::Mul(Array::scalar(-1.0)))),
    one("math.negative", &["x"], |lift, a| through(lift, a, Step::Mul(Array::scalar(-1.0)))),
    one("ops.Absolute", &["x"], |lift, a| through(lift, a, Step::Abs)),
    one("ops.Abs", &["x"], |lift, a| through(lift, a, Step::Abs)),
    one("math.abs", &["x"], |lift, a| through(lift, a, Step::Abs)),
    one("ops.Square", &["x"], square),
    one("math.square", &["x"], square),
    one("ops.Clip", &["x", "x_min", "x_max"], clip),
    one("clip_by_value", &["t", "clip_value_min", "clip_value_max"], clip),
    one("ops.Cast", &["x", "dtype"], cast),
    one("cast", &["x", "dtype"], cast),
    one("identity", &["input"], |_, a| Ok(vec![a.tensor(0)?])),
];

const ACTIVATIONS: &[Function] = &[
    one("ops.Relu", &["x"], |lift, a| activation(lift, a, "relu")),
    one("nn.relu", &["features"], |lift, a| activation(lift, a, "relu")),
    one("ops.Relu6", &["x"], |lift, a| activation(lift, a, "relu6")),
    one("nn.relu6", &["features"], |lift, a| activation(lift, a, "relu6")),
    one("ops.LeakyRelu", &["x", "negative_slope"], leaky_relu),
    one("nn.leaky_relu", &["features", "alpha"], leaky_relu),
    one("ops.Sigmoid", &["x"], |lift, a| activation(lift, a, "sigmoid")),
    one("math.sigmoid", &["x"], |lift, a| activation(lift, a, "sigmoid")),
    one("ops.Tanh", &["x"], |lift, a| activation(lift, a, "tanh")),
    one("math.tanh", &["x"], |lift, a| activation(lift, a, "tanh")),
    one("ops.Exp", &["x"], |lift, a| activation(lift, a, "exponential")),
    one("math.exp", &["x"], |lift, a| activation(lift, a, "exponential")),
    one("ops.Softplus", &["x"], |lift, a| activation(lift, a, "softplus")),
    one("math.softplus", &["features"], |lift, a| activation(lift, a, "softplus")),
    one("ops.Softsign", &["x"], |lift, a| activation(lift, a, "softsign")),
    one("nn.softsign", &["features"], |lift, a| activation(lift, a, "softsign")),
    one("ops.Silu", &["x"], |lift, a| activation(lift, a, "silu")),
    one("nn.silu", &["features"], |lift, a| activation(lift, a, "silu")),
    one("ops.HardSigmoid", &["x"], |lift, a| activation(lift, a, "hard_sigmoid")),
    one("ops.HardSilu", &["x"], |lift, a| activation(lift, a, "hard_silu")),
    one("ops.HardTanh", &["x"], |lift, a| activation(lift, a, "hard_tanh")),
    one("ops.Selu", &["x"], |lift, a| activation(lift, a, "selu")),
    one("nn.selu", &["features"], |lift, a| activation(lift, a, "selu")),
    one("ops.Elu", &["x", "alpha"], elu),
    one("nn.elu", &["features"], |lift, a| activation(lift, a, "elu")),
    one("ops.Gelu", &["x", "approximate"], |lift, a| gelu(lift, a, true)),
    one("nn.gelu", &["features", "approximate"], |lift, a| gelu(lift, a, false)),
    one("ops.Softmax", &["x", "axis"], softmax),
    one("nn.softmax", &["logits", "axis"], softmax),
];

const MOVEMENT: &[Function] = &[
    one("ops.GetItem", &["x", "key"], item),
    one("__operators__.getitem", &["tensor", "slice_spec"], item),
    one("slice", &["input_", "begin", "size"], slice),
    one("ops.Reshape", &["x", "newshape"], reshape),
    one("reshape", &["tensor", "shape"], reshape),
    one("ops.Transpose", &["x", "axes"], transpose),
    Function {
        name: "compat.v1.transpose",
        parameters: &["a", "perm"],
        known: &[Known::any("name", "a name"), Known::only("conjugate", &["false"], "real numbers")],
        build: transpose,
    },
    one("ops.Swapaxes", &["x", "axis1", "axis2"], swap),
    one("ops.Moveaxis", &["x", "source", "destination"], move_axis),
    one("ops.Squeeze", &["x", "axis"], squeeze),
    one("compat.v1.squeeze", &["input", "axis"], squeeze),
    one("ops.ExpandDims", &["x", "axis"], expand),
    one("expand_dims", &["input", "axis"], expand),
    one("ops.Flip", &["x", "axis"], flip),
    one("reverse", &["tensor", "axis"], flip),
    Function {
        name: "ops.Pad",
        parameters: &["x", "pad_width"],
        known: &[
            Known::only("mode", &["\"constant\""], "numbers around the tensor"),
            Known::only("constant_values", &["null", "0"], "zeros"),
        ],
        build: pad,
    },
    Function {
        name: "compat.v1.pad",
        parameters: &["tensor", "paddings"],
        known: &[
            Known::any("name", "a name"),
            Known::only("mode", &["\"CONSTANT\""], "numbers around the tensor"),
            Known::only("constant_values", &["0"], "zeros"),
        ],
        build: pad,
    },
    one("ops.Repeat", &["x", "repeats", "axis"], repeat),
    one("repeat", &["input", "repeats", "axis"], repeat),
    one("ops.Tile", &["x", "repeats"], tile),
    one("tile", &["input", "multiples"], tile),
    one("ops.Take", &["x", "indices", "axis"], take),
    Function {
        name: "compat.v1.gather",
        parameters: &["params", "indices", "axis"],
        known: &[
            Known::any("name", "a name"),
            Known::only("validate_indices", &["null"], "TensorFlow does not use it any more"),
            Known::only("batch_dims", &["0"], "the same places for all samples"),
        ],
        build: take,
    },
    one("ops.Concatenate", &["xs", "axis"], concatenate),
    one("concat", &["values", "axis"], concatenate),
    one("ops.Stack", &["x", "axis"], stack),
    one("stack", &["values", "axis"], stack),
    one("ops.Split", &["x", "indices_or_sections", "axis"], |lift, a| split(lift, a, true)),
    one("split", &["value", "num_or_size_splits", "axis"], |lift, a| split(lift, a, false)),
    one("ops.Unstack", &["x", "axis", "num"], unstack),
    one("unstack", &["value", "axis", "num"], unstack),
];

const REDUCTIONS: &[Function] = &[
    one("ops.Sum", &["x", "axis", "keepdims"], |lift, a| reduce(lift, a, Reduction::Sum)),
    one("math.reduce_sum", &["input_tensor", "axis", "keepdims"], |lift, a| reduce(lift, a, Reduction::Sum)),
    one("ops.Mean", &["x", "axis", "keepdims"], |lift, a| reduce(lift, a, Reduction::Mean)),
    one("math.reduce_mean", &["input_tensor", "axis", "keepdims"], |lift, a| reduce(lift, a, Reduction::Mean)),
    extreme("ops.Max", |lift, a| reduce(lift, a, Reduction::Max)),
    one("math.reduce_max", &["input_tensor", "axis", "keepdims"], |lift, a| reduce(lift, a, Reduction::Max)),
    extreme("ops.Min", |lift, a| reduce(lift, a, Reduction::Min)),
    one("math.reduce_min", &["input_tensor", "axis", "keepdims"], |lift, a| reduce(lift, a, Reduction::Min)),
    one("ops.Argmax", &["x", "axis", "keepdims"], |lift, a| arg_max(lift, a, true)),
    one("math.argmax", &["input", "axis"], |lift, a| arg_max(lift, a, false)),
    one("ops.Matmul", &["x1", "x2"], |lift, a| mat_mul(lift, a, false)),
    one("linalg.matmul", &["a", "b", "transpose_a", "transpose_b"], |lift, a| mat_mul(lift, a, true)),
    one("ops.Einsum", &["x", "y", "subscripts"], einsum),
];

/// An extreme in Keras 3.
const fn extreme(name: &'static str, build: Build) -> Function {
    const KNOWN: &[Known] = &[Known::only("initial", &["null"], "the tensor's own elements only")];
    Function { name, parameters: &["x", "axis", "keepdims"], known: KNOWN, build }
}
