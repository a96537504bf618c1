//! Element-wise operators: with constants they join the chain of a tensor, with tensors they become layers.

use hdl::diag::Diagnostic;

use super::node::{Node, Value};
use super::tensor::data_type;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Step};

impl Lift {
    pub(super) fn binary(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        if node.operands() != 2 {
            return Err(node.error(format!("{} operands are not supported, only 2", node.operands())));
        }
        let operator = node.proto.op_type.as_str();
        match (node.operand(0)?, node.operand(1)?) {
            (Value::Real(x), Value::Real(y)) => {
                let (x, y) = (x.clone(), y.clone());
                match operator {
                    "Add" => self.combine(&node.name, Op::Add, x, y),
                    "Sub" => self.combine(&node.name, Op::Sub, x, y),
                    "Min" => self.combine(&node.name, Op::Min, x, y),
                    "Max" => self.combine(&node.name, Op::Max, x, y),
                    "Mul" => self.mul(&node.name, x, y),
                    _ => Err(node
                        .error("the quotient of two computed tensors is not supported")
                        .help("divide by a constant")),
                }
            }
            (Value::Real(x), Value::Constant(c)) => {
                let step = match operator {
                    "Add" => Step::Add(c.as_float()),
                    "Sub" => Step::Add(c.as_float().map(|v| -v)),
                    "Mul" => Step::Mul(c.as_float()),
                    "Div" => Step::Div(c.as_float()),
                    _ => limit(node, operator, &c.as_float())?,
                };
                self.step(&node.name, x.clone(), step)
            }
            (Value::Constant(c), Value::Real(x)) => {
                let step = match operator {
                    "Add" => Step::Add(c.as_float()),
                    "Sub" => Step::SubtractFrom(c.as_float()),
                    "Mul" => Step::Mul(c.as_float()),
                    "Div" => {
                        return Err(node.error("division by a computed tensor is not supported"));
                    }
                    _ => limit(node, operator, &c.as_float())?,
                };
                self.step(&node.name, x.clone(), step)
            }
            (Value::Constant(_), Value::Constant(_)) => Err(node.error("constants of these types are not supported")),
        }
    }

    pub(super) fn unary(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        let scalar = |v: f32| Array::scalar(v);
        let step = match node.proto.op_type.as_str() {
            "Relu" => Step::Relu,
            "LeakyRelu" => Step::LeakyRelu(scalar(node.float("alpha", 0.01))),
            "PRelu" => Step::LeakyRelu(node.floats(1)?),
            "Neg" => Step::Mul(scalar(-1.0)),
            "Abs" => Step::Abs,
            "Sigmoid" => Step::Sigmoid,
            "Tanh" => Step::Tanh,
            "Exp" => Step::Exp,
            "Clip" => self.clip(node)?,
            "HardSigmoid" => {
                let x = self.step(&node.name, x, Step::Mul(scalar(node.float("alpha", 0.2))))?;
                let x = self.step(&node.name, x, Step::Add(scalar(node.float("beta", 0.5))))?;
                return self.step(&node.name, x, Step::Clip { low: 0.0, high: 1.0 });
            }
            "Cast" if node.int("to", 0) != i64::from(data_type::FLOAT) => {
                return Err(node.error("computed tensors are only cast to float").help("use a quantiser to round"));
            }
            _ => return Ok(x),
        };
        self.step(&node.name, x, step)
    }

    fn clip(&self, node: &Node<'_>) -> Result<Step, Diagnostic> {
        let limit = |k: usize, name: &str, default: f32| -> Result<f32, Diagnostic> {
            match node.optional_constant(k)? {
                None => Ok(node.float(name, default)),
                Some(c) => c.as_float().as_scalar().copied().ok_or_else(|| node.error("its limits are numbers")),
            }
        };
        let (low, high) = (limit(1, "min", f32::MIN)?, limit(2, "max", f32::MAX)?);
        if low > high || low.is_nan() || high.is_nan() {
            return Err(node.error(format!("there is nothing between {low} and {high}")));
        }
        Ok(Step::Clip { low, high })
    }

    /// `x · s + t` in two roundings, with `s` and `t` computed in 32-bit floats as onnxruntime does.
    pub(super) fn batch_normalization(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let x = node.real(0)?;
        if node.int("training_mode", 0) != 0 {
            return Err(node.error("it is in training mode").help("export the model for inference"));
        }
        let rank = self.shape(&x).len();
        if rank < 2 {
            return Err(node.error("its operand has no channel axis"));
        }
        let epsilon = node.float("epsilon", 1e-5);
        let [gamma, beta, mean, variance] = [node.floats(1)?, node.floats(2)?, node.floats(3)?, node.floats(4)?];
        if variance.values.iter().any(|v| v + epsilon <= 0.0) {
            return Err(node.error("a variance is negative"));
        }
        let misfit = || node.error("its parameters differ in shape");
        let inverse = variance.map(|v| 1.0 / (v + epsilon).sqrt());
        let scale = gamma.zip(&inverse, |g, i| g * i).ok_or_else(misfit)?;
        let shift = mean.zip(&scale, |m, s| m * s).and_then(|ms| beta.zip(&ms, |b, ms| b - ms)).ok_or_else(misfit)?;
        let channels =
            |array: Array<f32>| Array { shape: [array.shape, vec![1; rank - 2]].concat(), values: array.values };
        let x = self.step(&node.name, x, Step::Mul(channels(scale)))?;
        self.step(&node.name, x, Step::Add(channels(shift)))
    }
}

/// `Min` and `Max` with a number.
fn limit(node: &Node<'_>, operator: &str, c: &Array<f32>) -> Result<Step, Diagnostic> {
    let &value =
        c.as_scalar().filter(|v| !v.is_nan()).ok_or_else(|| node.error("the constant operand is one number"))?;
    Ok(match operator {
        "Min" => Step::Clip { low: f32::MIN, high: value },
        _ => Step::Clip { low: value, high: f32::MAX },
    })
}
