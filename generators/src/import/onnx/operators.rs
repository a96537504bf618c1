//! What a row of the table of operators says.

use std::fmt;

use hdl::diag::Diagnostic;

use super::node::{Node, Tensor};
use super::tensor::Kind;
use crate::import::lift::Lift;

/// Where an operator's definition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Domain {
    /// `ai.onnx`, also written as nothing.
    Onnx,
    /// QONNX' general operators; FINN and Brevitas have names of their own for it, and old files none.
    Qonnx,
    /// QONNX' forms of ONNX operators whose channels are the last axis.
    ChannelsLast,
    /// onnxruntime's extensions.
    Microsoft,
}

impl Domain {
    /// The domain of that name, `None` if there is none that is read.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "" | "ai.onnx" => Self::Onnx,
            "qonnx.custom_op.general" | "finn.custom_op.general" | "onnx.brevitas" => Self::Qonnx,
            "qonnx.custom_op.channels_last" => Self::ChannelsLast,
            "com.microsoft" => Self::Microsoft,
            _ => return None,
        })
    }

    /// Versions of its operator set that are read.
    pub fn versions(self) -> Versions {
        let (from, to) = match self {
            Self::Onnx | Self::ChannelsLast => (6, 24),
            Self::Qonnx => (1, 2),
            Self::Microsoft => (1, 1),
        };
        Versions { from, to }
    }

    /// The name in messages and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnx => "ai.onnx",
            Self::Qonnx => "qonnx.custom_op.general",
            Self::ChannelsLast => "qonnx.custom_op.channels_last",
            Self::Microsoft => "com.microsoft",
        }
    }
}

/// Versions of an operator set, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Versions {
    pub from: i64,
    pub to: i64,
}

impl Versions {
    const ALL: Self = Self { from: 0, to: i64::MAX };

    pub fn contain(self, version: i64) -> bool {
        (self.from..=self.to).contains(&version)
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (0, i64::MAX) => f.write_str("all versions"),
            (0, to) => write!(f, "versions up to {to}"),
            (from, i64::MAX) => write!(f, "versions from {from}"),
            (from, to) => write!(f, "versions {from} to {to}"),
        }
    }
}

/// A set of data types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kinds(u32);

impl Kinds {
    pub const FLOAT: Self = Self(1 << Kind::Float as u32);
    pub const ANY: Self = Self(u32::MAX);
    pub const INDEX: Self = Self(1 << Kind::Int32 as u32 | 1 << Kind::Int64 as u32);
    pub const INTEGER: Self = Self(
        Self::INDEX.0
            | 1 << Kind::Uint8 as u32
            | 1 << Kind::Int8 as u32
            | 1 << Kind::Uint16 as u32
            | 1 << Kind::Int16 as u32
            | 1 << Kind::Uint32 as u32
            | 1 << Kind::Uint64 as u32,
    );
    pub const NUMBER: Self = Self(Self::FLOAT.0 | Self::INTEGER.0);
    /// What QuantizeLinear gives and DequantizeLinear takes.
    pub const CODE: Self = Self(
        1 << Kind::Uint4 as u32
            | 1 << Kind::Int4 as u32
            | 1 << Kind::Uint8 as u32
            | 1 << Kind::Int8 as u32
            | 1 << Kind::Uint16 as u32
            | 1 << Kind::Int16 as u32,
    );
    /// Integers of 8 bits.
    pub const BYTE: Self = Self(1 << Kind::Uint8 as u32 | 1 << Kind::Int8 as u32);
    pub const BYTE_OR_FLOAT: Self = Self(Self::BYTE.0 | Self::FLOAT.0);
    pub const INT32: Self = Self(1 << Kind::Int32 as u32);
    pub const CODE_OR_INT32: Self = Self(Self::CODE.0 | 1 << Kind::Int32 as u32);
    pub const BOOL: Self = Self(1 << Kind::Bool as u32);

    pub fn contain(self, kind: Kind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any data type");
        }
        let names: Vec<String> = Kind::ALL.into_iter().filter(|k| self.contain(*k)).map(Kind::name).collect();
        f.write_str(&names.join(", "))
    }
}

/// An attribute that an operator may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    pub name: &'static str,
    pub versions: Versions,
    pub usage: Usage,
}

/// What becomes of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// The reader takes it.
    Read,
    /// It changes nothing, for this reason.
    Harmless(&'static str),
    /// It stops the import, for this reason.
    Refused(&'static str),
}

/// An attribute that the reader takes.
pub(super) const fn read(name: &'static str) -> Attribute {
    Attribute { name, versions: Versions::ALL, usage: Usage::Read }
}

/// An attribute whose value changes nothing, for this reason.
pub(super) const fn harmless(name: &'static str, why: &'static str) -> Attribute {
    Attribute { name, versions: Versions::ALL, usage: Usage::Harmless(why) }
}

/// An attribute that is not supported, for this reason.
pub(super) const fn refused(name: &'static str, why: &'static str) -> Attribute {
    Attribute { name, versions: Versions::ALL, usage: Usage::Refused(why) }
}

impl Attribute {
    pub const fn since(mut self, from: i64) -> Self {
        self.versions.from = from;
        self
    }

    pub const fn until(mut self, to: i64) -> Self {
        self.versions.to = to;
        self
    }
}

/// An operand that an operator may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operand {
    pub name: &'static str,
    pub kinds: Kinds,
    pub versions: Versions,
}

/// An operand of these data types.
pub(super) const fn operand(name: &'static str, kinds: Kinds) -> Operand {
    Operand { name, kinds, versions: Versions::ALL }
}

/// An operand of 32-bit floats.
pub(super) const fn float(name: &'static str) -> Operand {
    operand(name, Kinds::FLOAT)
}

/// An operand of any data type.
pub(super) const fn any(name: &'static str) -> Operand {
    operand(name, Kinds::ANY)
}

/// An operand of shapes, axes or indices.
pub(super) const fn index(name: &'static str) -> Operand {
    operand(name, Kinds::INDEX)
}

impl Operand {
    pub const fn since(mut self, from: i64) -> Self {
        self.versions.from = from;
        self
    }
}

/// What the reader of an operator gives: one tensor for each output.
pub(super) type Results = Vec<Tensor>;

/// How a node of an operator joins the network.
pub(super) type Reader = fn(&mut Lift, &Node<'_>) -> Result<Results, Diagnostic>;

/// One operator: all that a node of it may hold, and its reader.
#[derive(Debug)]
pub(super) struct Operator {
    pub domain: Domain,
    pub name: &'static str,
    /// The first version that is read; later ones differ in what attributes and operands say.
    pub since: i64,
    pub attributes: &'static [Attribute],
    pub operands: &'static [Operand],
    /// Whether the last operand may come any number of times.
    pub variadic: bool,
    /// How many results are given; `None` for any number.
    pub results: Option<usize>,
    /// What of it is supported, if not all.
    pub limits: &'static str,
    pub reader: Reader,
}

/// An ONNX operator with one result and nothing that is not supported.
pub(super) const fn operator(
    name: &'static str,
    attributes: &'static [Attribute],
    operands: &'static [Operand],
    reader: Reader,
) -> Operator {
    Operator {
        domain: Domain::Onnx,
        name,
        since: 0,
        attributes,
        operands,
        variadic: false,
        results: Some(1),
        limits: "",
        reader,
    }
}

impl Operator {
    pub const fn of(mut self, domain: Domain) -> Self {
        self.domain = domain;
        self
    }

    pub const fn since(mut self, version: i64) -> Self {
        self.since = version;
        self
    }

    pub const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    pub const fn results(mut self, count: Option<usize>) -> Self {
        self.results = count;
        self
    }

    pub const fn limits(mut self, limits: &'static str) -> Self {
        self.limits = limits;
        self
    }

    /// Operand `k`, if there may be one.
    pub fn operand(&self, k: usize) -> Option<&Operand> {
        self.operands.get(k).or_else(|| self.operands.last().filter(|_| self.variadic))
    }

    /// Which attributes there are, in words.
    pub fn attribute_list(&self) -> String {
        let names: Vec<&str> = self.attributes.iter().map(|a| a.name).collect();
        match names.as_slice() {
            [] => "it has no attributes".into(),
            names => format!("its attributes are {}", names.join(", ")),
        }
    }
}
