//! A node of the file with convenient access to its attributes and operands.

use std::collections::HashMap;

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::proto::{AttributeProto, NodeProto};
use crate::import::lift::{Constant, Real};
use crate::model::Array;

/// What is known about a tensor of the file.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Known numbers.
    Constant(Constant),
    /// Computed at run time.
    Real(Real),
}

/// A node, its name and the tensors that stand before it.
pub(super) struct Node<'a> {
    pub proto: &'a NodeProto,
    pub name: String,
    pub values: &'a HashMap<String, Value>,
    /// Data types of constants, where the file says them.
    pub types: &'a HashMap<String, i32>,
}

impl Node<'_> {
    /// An error at this node.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("onnx", format!("node {} ({}): {}", quoted(&self.name), self.proto.op_type, message.into()))
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.proto.attribute.iter().find(|a| a.name == name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i)
    }

    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f)
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.attribute(name).map(|a| String::from_utf8_lossy(&a.s).into_owned())
    }

    pub fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|a| a.ints.as_slice())
    }

    pub fn tensor(&self, name: &str) -> Option<&super::proto::TensorProto> {
        self.attribute(name).and_then(|a| a.t.as_ref())
    }

    pub fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The data type of constant operand `k`; bytes if it is not given.
    pub fn data_type(&self, k: usize) -> i32 {
        let name = self.proto.input.get(k).filter(|name| !name.is_empty());
        name.map_or(super::tensor::data_type::UINT8, |name| self.types.get(name).copied().unwrap_or(0))
    }

    /// How many operands are given.
    pub fn operands(&self) -> usize {
        self.proto.input.len()
    }

    /// Operand `k` if it is given.
    pub fn optional(&self, k: usize) -> Result<Option<&Value>, Diagnostic> {
        match self.proto.input.get(k).filter(|name| !name.is_empty()) {
            None => Ok(None),
            Some(name) => self
                .values
                .get(name)
                .map(Some)
                .ok_or_else(|| self.error(format!("nothing before it computes {}", quoted(name)))),
        }
    }

    /// Operand `k`.
    pub fn operand(&self, k: usize) -> Result<&Value, Diagnostic> {
        self.optional(k)?.ok_or_else(|| self.error(format!("operand {k} is missing")))
    }

    /// Operand `k`, computed at run time.
    pub fn real(&self, k: usize) -> Result<Real, Diagnostic> {
        match self.operand(k)? {
            Value::Real(real) => Ok(real.clone()),
            Value::Constant(_) => Err(self.error(format!("operand {k} is a constant, which is not supported here"))),
        }
    }

    /// Operand `k`, known when the file is read; `None` if it is not given.
    pub fn optional_constant(&self, k: usize) -> Result<Option<&Constant>, Diagnostic> {
        match self.optional(k)? {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(Value::Real(_)) => Err(self
                .error(format!("operand {k} must be a constant, here it is computed"))
                .help("export the model with constants folded")),
        }
    }

    /// Operand `k`, known when the file is read.
    pub fn constant(&self, k: usize) -> Result<&Constant, Diagnostic> {
        self.optional_constant(k)?.ok_or_else(|| self.error(format!("operand {k} is missing")))
    }

    /// The floats of constant operand `k`.
    pub fn floats(&self, k: usize) -> Result<Array<f32>, Diagnostic> {
        Ok(self.constant(k)?.as_float())
    }

    /// The integers of constant operand `k`, if it is given.
    pub fn optional_integers(&self, k: usize) -> Result<Option<Vec<i64>>, Diagnostic> {
        Ok(match self.optional_constant(k)? {
            None => None,
            Some(Constant::Integer(array)) => Some(array.values.clone()),
            Some(Constant::Float { .. }) => {
                return Err(self.error(format!("operand {k} must hold integers")));
            }
        })
    }

    /// An axis from a possibly negative number.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Diagnostic> {
        let axis = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        axis.and_then(|a| usize::try_from(a).ok())
            .filter(|a| *a < rank)
            .ok_or_else(|| self.error(format!("the axis is none of the {rank} there are")))
    }

    /// Axes from attribute or operand `k`, whichever the operator-set version uses.
    pub fn axes(&self, k: usize) -> Result<Option<Vec<i64>>, Diagnostic> {
        match self.ints("axes") {
            Some(axes) => Ok(Some(axes.to_vec())),
            None => self.optional_integers(k),
        }
    }
}
