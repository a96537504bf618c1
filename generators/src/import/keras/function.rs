//! Keras' element-wise functions by name.

use super::quantiser::Dialect;
use crate::model::{Array, Function, Step};

/// The functions that every dialect has.
pub(super) const NAMES: [&str; 17] = [
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "sigmoid",
    "hard_sigmoid",
    "tanh",
    "hard_tanh",
    "exponential",
    "softplus",
    "softsign",
    "silu",
    "gelu",
    "mish",
    "softmax",
];

/// The function's operations; `None` if it is not known in that dialect.
pub(super) fn steps(name: &str, dialect: Dialect) -> Option<Vec<Step>> {
    let number = |v: f32| Array::scalar(v);
    let clip = |low: f32, high: f32| Step::Clip { low, high };
    let affine = |factor: f32| vec![Step::Mul(number(factor)), Step::Add(number(0.5)), clip(0.0, 1.0)];
    let around_zero = |steps: Vec<Step>| [steps, vec![Step::Mul(number(2.0)), Step::Add(number(-1.0))]].concat();
    let qkeras = dialect == Dialect::QKeras;
    let keras3 = dialect == Dialect::Keras3;
    Some(match name {
        "linear" => Vec::new(),
        "relu" => vec![Step::Relu],
        "relu6" => vec![clip(0.0, 6.0)],
        "leaky_relu" => vec![Step::LeakyRelu(number(0.2))],
        "sigmoid" => vec![Step::Sigmoid],
        "tanh" => vec![Step::Tanh],
        "exponential" => vec![Step::Exp],
        "elu" => vec![Step::Function(Function::Elu { alpha: 1.0 })],
        "selu" => vec![Step::Function(Function::SELU)],
        "softplus" => vec![Step::Function(Function::Softplus)],
        "softsign" => vec![Step::Function(Function::Softsign)],
        "silu" | "swish" => vec![Step::Function(Function::Swish { beta: 1.0 })],
        "gelu" => vec![Step::Function(Function::Gelu)],
        "mish" => vec![Step::Function(Function::Mish)],
        "hard_sigmoid" if qkeras => affine(0.5),
        "hard_tanh" if qkeras => around_zero(affine(0.5)),
        "smooth_sigmoid" if qkeras => affine(0.1875),
        "smooth_tanh" if qkeras => around_zero(affine(0.1875)),
        "hard_sigmoid" if keras3 => vec![Step::Add(number(3.0)), clip(0.0, 6.0), Step::Div(number(6.0))],
        "hard_sigmoid" => affine(0.2),
        "hard_tanh" if keras3 => vec![clip(-1.0, 1.0)],
        "hard_silu" | "hard_swish" if keras3 => vec![Step::Function(Function::HardSilu)],
        _ => return None,
    })
}
