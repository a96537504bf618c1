//! A node of the file. What a reader takes of it is marked, and what nobody took stops the import.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::operators::{Attribute, Operator, Usage, Versions};
use super::proto::{AttributeProto, NodeProto, TensorProto};
use super::tensor::Kind;
use crate::import::lift::{Constant, Real};
use crate::model::Array;

/// Values of `AttributeProto.type`.
mod attribute_type {
    pub const FLOAT: i32 = 1;
    pub const INT: i32 = 2;
    pub const STRING: i32 = 3;
    pub const TENSOR: i32 = 4;
    pub const FLOATS: i32 = 6;
    pub const INTS: i32 = 7;
}

/// What is known about a tensor of the file.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Known numbers.
    Constant(Constant),
    /// Computed at run time.
    Real(Real),
}

/// A tensor of the file.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub value: Value,
    /// The data type that the file gives it.
    pub kind: Kind,
}

impl Tensor {
    /// A tensor that is computed in 32-bit floats.
    pub fn float(real: Real) -> Self {
        Self { value: Value::Real(real), kind: Kind::Float }
    }

    /// Known numbers.
    pub fn constant(constant: Constant, kind: Kind) -> Self {
        Self { value: Value::Constant(constant), kind }
    }
}

/// A node, its name and the tensors that stand before it.
pub(super) struct Node<'a> {
    proto: &'a NodeProto,
    pub name: String,
    /// What may be in it.
    pub operator: &'static Operator,
    /// Version of its domain's operator set.
    pub version: i64,
    tensors: &'a HashMap<String, Tensor>,
    taken: RefCell<HashSet<&'a str>>,
    taken_operands: RefCell<HashSet<usize>>,
}

impl<'a> Node<'a> {
    /// The node, if the table of operators knows all of it.
    ///
    /// # Errors
    /// Attributes, operands and results that the operator does not have in this version or that are not read.
    pub fn new(
        proto: &'a NodeProto,
        name: String,
        operator: &'static Operator,
        version: i64,
        tensors: &'a HashMap<String, Tensor>,
    ) -> Result<Self, Diagnostic> {
        let node = Self {
            proto,
            name,
            operator,
            version,
            tensors,
            taken: RefCell::default(),
            taken_operands: RefCell::default(),
        };
        node.check_attributes()?;
        node.check_operands()?;
        let wanted = proto.output.iter().rposition(|name| !name.is_empty()).map_or(0, |k| k + 1);
        if let Some(most) = operator.results.filter(|most| wanted > *most) {
            return Err(node.error(format!(
                "its output {} ({}) is not supported, only the first {most}",
                wanted - 1,
                quoted(&proto.output[wanted - 1])
            )));
        }
        Ok(node)
    }

    fn check_attributes(&self) -> Result<(), Diagnostic> {
        for (k, attribute) in self.proto.attribute.iter().enumerate() {
            let name = &attribute.name;
            let value = shown(attribute);
            if !attribute.ref_attr_name.is_empty() {
                return Err(self.error(format!("attribute {} refers to a function's attribute", quoted(name))));
            }
            if self.proto.attribute[..k].iter().any(|other| other.name == *name) {
                return Err(self.error(format!("attribute {} stands there twice", quoted(name))));
            }
            let named = |a: &&Attribute| a.name == name;
            let Some(known) = self.operator.attributes.iter().find(named) else {
                return Err(self
                    .error(format!("attribute {} = {value} is not known", quoted(name)))
                    .help(self.operator.attribute_list()));
            };
            if let Usage::Refused(why) = known.usage {
                return Err(self.error(format!("attribute {} = {value} is not supported", quoted(name))).help(why));
            }
            if !known.versions.contain(self.version) {
                return Err(
                    self.error(self.of_version(&format!("attribute {} = {value}", quoted(name)), known.versions))
                );
            }
        }
        Ok(())
    }

    fn check_operands(&self) -> Result<(), Diagnostic> {
        for (k, name) in self.proto.input.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let Some(known) = self.operator.operand(k) else {
                let most = self.operator.operands.len();
                return Err(
                    self.error(format!("operand {k} ({}) is not known, there are at most {most}", quoted(name)))
                );
            };
            if !known.versions.contain(self.version) {
                return Err(self.error(self.of_version(&format!("operand {k} ({})", known.name), known.versions)));
            }
            let Some(tensor) = self.tensors.get(name) else {
                return Err(self.error(format!("nothing before it computes {}", quoted(name))));
            };
            if !known.kinds.contain(tensor.kind) {
                return Err(self
                    .error(format!("operand {k} ({}) has data type {}", known.name, tensor.kind.name()))
                    .help(format!("supported here: {}", known.kinds)));
            }
        }
        Ok(())
    }

    fn of_version(&self, what: &str, versions: Versions) -> String {
        format!("{what} is not in version {} of the operator set, only in {versions}", self.version)
    }

    /// An error unless everything that the node holds was taken or is harmless.
    pub fn finish(&self) -> Result<(), Diagnostic> {
        let taken = self.taken.borrow();
        for attribute in &self.proto.attribute {
            let harmless = self
                .operator
                .attributes
                .iter()
                .any(|a| a.name == attribute.name && matches!(a.usage, Usage::Harmless(_)));
            if !harmless && !taken.contains(attribute.name.as_str()) {
                let message = format!("attribute {} = {} was not read", quoted(&attribute.name), shown(attribute));
                return Err(self.error(message).help("it has no meaning here: leave it out"));
            }
        }
        let taken = self.taken_operands.borrow();
        match (0..self.proto.input.len()).find(|k| !self.proto.input[*k].is_empty() && !taken.contains(k)) {
            Some(k) => Err(self.error(format!("operand {k} ({}) was not read", quoted(&self.proto.input[k])))),
            None => Ok(()),
        }
    }

    /// An error at this node.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("onnx", format!("node {} ({}): {}", quoted(&self.name), self.operator.name, message.into()))
    }

    /// An error about the value of an attribute.
    pub fn unsupported(&self, attribute: &str, supported: &str) -> Diagnostic {
        let found =
            self.proto.attribute.iter().find(|a| a.name == attribute).map_or_else(|| "its default".into(), shown);
        self.error(format!("attribute {} = {found} is not supported", quoted(attribute)))
            .help(format!("supported: {supported}"))
    }

    /// The attribute, which is of the type that is wanted. Files before version 2 of the format name no types.
    fn attribute(&self, name: &str, wanted: i32) -> Result<Option<&'a AttributeProto>, Diagnostic> {
        debug_assert!(self.operator.attributes.iter().any(|a| a.name == name), "{name} is not in the table");
        let Some(attribute) = self.proto.attribute.iter().find(|a| a.name == name) else {
            return Ok(None);
        };
        self.taken.borrow_mut().insert(&attribute.name);
        match attribute.r#type {
            0 => Ok(Some(attribute)),
            found if found == wanted => Ok(Some(attribute)),
            found => Err(self.error(format!("attribute {} has type {found}, not {wanted}", quoted(name)))),
        }
    }

    pub fn int(&self, name: &str, default: i64) -> Result<i64, Diagnostic> {
        Ok(self.attribute(name, attribute_type::INT)?.map_or(default, |a| a.i))
    }

    /// An integer attribute that is 0 or 1.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Diagnostic> {
        match self.int(name, default.into())? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.unsupported(name, "0 and 1")),
        }
    }

    /// An attribute of 0 or 1 without a default.
    pub fn required_flag(&self, name: &str) -> Result<bool, Diagnostic> {
        if !self.has(name) {
            return Err(self.error(format!("attribute {} is missing", quoted(name))).help("it has no default: 0 or 1"));
        }
        self.flag(name, false)
    }

    pub fn float(&self, name: &str, default: f32) -> Result<f32, Diagnostic> {
        Ok(self.attribute(name, attribute_type::FLOAT)?.map_or(default, |a| a.f))
    }

    pub fn floats_attribute(&self, name: &str) -> Result<Option<&'a [f32]>, Diagnostic> {
        Ok(self.attribute(name, attribute_type::FLOATS)?.map(|a| a.floats.as_slice()))
    }

    pub fn text(&self, name: &str, default: &str) -> Result<String, Diagnostic> {
        let text = self.attribute(name, attribute_type::STRING)?;
        Ok(text.map_or_else(|| default.to_owned(), |a| String::from_utf8_lossy(&a.s).into_owned()))
    }

    pub fn ints(&self, name: &str) -> Result<Option<&'a [i64]>, Diagnostic> {
        Ok(self.attribute(name, attribute_type::INTS)?.map(|a| a.ints.as_slice()))
    }

    pub fn tensor(&self, name: &str) -> Result<Option<&'a TensorProto>, Diagnostic> {
        match self.attribute(name, attribute_type::TENSOR)? {
            None => Ok(None),
            Some(a) => a.t.as_ref().map(Some).ok_or_else(|| self.error(format!("attribute {} is empty", quoted(name)))),
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.proto.attribute.iter().any(|a| a.name == name)
    }

    /// How many operands are given.
    pub fn operands(&self) -> usize {
        self.proto.input.len()
    }

    /// How many results are named.
    pub fn results(&self) -> usize {
        self.proto.output.len()
    }

    /// Operand `k` if it is given.
    pub fn optional(&self, k: usize) -> Result<Option<&'a Tensor>, Diagnostic> {
        match self.proto.input.get(k).filter(|name| !name.is_empty()) {
            None => Ok(None),
            Some(name) => {
                self.taken_operands.borrow_mut().insert(k);
                self.tensors.get(name).map(Some).ok_or_else(|| self.error(format!("nothing computes {}", quoted(name))))
            }
        }
    }

    /// Operand `k`.
    pub fn operand(&self, k: usize) -> Result<&'a Tensor, Diagnostic> {
        self.optional(k)?.ok_or_else(|| self.error(format!("operand {k} is missing")))
    }

    /// Operand `k`, computed at run time.
    pub fn real(&self, k: usize) -> Result<Real, Diagnostic> {
        match &self.operand(k)?.value {
            Value::Real(real) => Ok(real.clone()),
            Value::Constant(_) => Err(self.error(format!("operand {k} is a constant, which is not supported here"))),
        }
    }

    /// Operand `k`, known when the file is read; `None` if it is not given.
    pub fn optional_constant(&self, k: usize) -> Result<Option<&'a Constant>, Diagnostic> {
        match self.optional(k)?.map(|t| &t.value) {
            None => Ok(None),
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(Value::Real(_)) => Err(self
                .error(format!("operand {k} must be a constant, here it is computed"))
                .help("export the model with constants folded")),
        }
    }

    /// Operand `k`, known when the file is read.
    pub fn constant(&self, k: usize) -> Result<&'a Constant, Diagnostic> {
        self.optional_constant(k)?.ok_or_else(|| self.error(format!("operand {k} is missing")))
    }

    /// The floats of constant operand `k`.
    pub fn floats(&self, k: usize) -> Result<Array<f32>, Diagnostic> {
        Ok(self.constant(k)?.as_float())
    }

    /// The one number of constant operand `k`, if it is given.
    pub fn optional_number(&self, k: usize) -> Result<Option<f32>, Diagnostic> {
        let number = |c: &Constant| c.as_float().as_scalar().copied().ok_or_else(|| self.error("one number is wanted"));
        self.optional_constant(k)?.map(number).transpose()
    }

    /// The integers of constant operand `k`, if it is given.
    pub fn optional_integers(&self, k: usize) -> Result<Option<Vec<i64>>, Diagnostic> {
        Ok(match self.optional_constant(k)? {
            None => None,
            Some(Constant::Integer(array)) if array.shape.len() < 2 => Some(array.values.clone()),
            Some(_) => return Err(self.error(format!("operand {k} must be a list of integers"))),
        })
    }

    /// An axis from a possibly negative number.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Diagnostic> {
        let from_end = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
        from_end
            .and_then(|a| usize::try_from(a).ok())
            .filter(|a| *a < rank)
            .ok_or_else(|| self.error(format!("axis {axis} is none of the {rank} there are")))
    }

    /// Different axes from possibly negative numbers.
    pub fn distinct_axes(&self, axes: &[i64], rank: usize) -> Result<Vec<usize>, Diagnostic> {
        let axes: Vec<usize> = axes.iter().map(|a| self.axis(*a, rank)).collect::<Result<_, _>>()?;
        match (1..axes.len()).find(|k| axes[..*k].contains(&axes[*k])) {
            Some(k) => Err(self.error(format!("axis {} is named twice", axes[k]))),
            None => Ok(axes),
        }
    }
}

/// The attribute's value in messages.
fn shown(attribute: &AttributeProto) -> String {
    let short = |text: String| text.chars().take(60).collect();
    short(match attribute.r#type {
        attribute_type::FLOAT => attribute.f.to_string(),
        attribute_type::INT => attribute.i.to_string(),
        attribute_type::STRING => quoted(&String::from_utf8_lossy(&attribute.s)),
        attribute_type::FLOATS => format!("{:?}", attribute.floats),
        attribute_type::INTS => format!("{:?}", attribute.ints),
        attribute_type::TENSOR => "a tensor".into(),
        5 | 10 => "a graph".into(),
        11 | 12 => "a sparse tensor".into(),
        other => format!("a value of type {other}"),
    })
}
