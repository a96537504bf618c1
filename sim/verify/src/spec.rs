//! What a design is to compute, number by number: the integer model with its tensors taken apart.

use std::fmt;
use std::sync::Arc;

/// A number of a [`Spec`], by position.
pub type Id = usize;

/// A function of one number.
pub type Function = Arc<dyn Fn(i64) -> i64 + Send + Sync>;

/// A function of two numbers.
pub type Function2 = Arc<dyn Fn(i64, i64) -> i64 + Send + Sync>;

/// A bit of a result whose operand has been scaled by a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This.
    Known(bool),
    /// Bit of the operand.
    Operand(u32),
    /// Bit of the sum.
    Sum(u32),
}

/// How a number follows from others.
#[derive(Clone)]
pub enum Op {
    /// From outside.
    Input,
    /// Always the same.
    Constant(i64),
    /// `bias + Σ ⌊weight · x / 2^cut⌋`
    Sum {
        /// Added.
        bias: i64,
        /// Numbers and their weights.
        terms: Vec<(Id, i64)>,
        /// Bits that each product loses.
        cut: u32,
    },
    /// A function of one number; monotone ones are known by the ends of their range.
    Map {
        /// Of what.
        x: Id,
        /// Which.
        function: Function,
        /// Whether it never falls, or never rises.
        monotone: bool,
    },
    /// A function of two numbers.
    Join {
        /// The first.
        x: Id,
        /// The second.
        y: Id,
        /// Which function.
        function: Function2,
    },
    /// A number scaled by the power of two below a sum that it is a part of, or the sum itself; none of the sum's parts is
    /// negative. One list of bits for the sum 0, then one for each place of the sum's leading one.
    Scaled {
        /// The number; the sum itself if there is none.
        x: Option<Id>,
        /// The sum.
        sum: Id,
        /// The bits, least significant first.
        cases: Arc<Vec<Vec<Source>>>,
    },
}

impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => f.write_str("input"),
            Self::Constant(value) => write!(f, "constant {value}"),
            Self::Sum { terms, .. } => write!(f, "sum of {}", terms.len()),
            Self::Map { x, .. } => write!(f, "function of {x}"),
            Self::Join { x, y, .. } => write!(f, "function of {x} and {y}"),
            Self::Scaled { sum, .. } => write!(f, "scaled by {sum}"),
        }
    }
}

impl Op {
    /// The numbers that it is computed of.
    pub fn operands(&self) -> Vec<Id> {
        match self {
            Self::Input | Self::Constant(_) => Vec::new(),
            Self::Sum { terms, .. } => terms.iter().map(|(x, _)| *x).collect(),
            Self::Map { x, .. } => vec![*x],
            Self::Join { x, y, .. } => vec![*x, *y],
            Self::Scaled { x, sum, .. } => x.iter().copied().chain([*sum]).collect(),
        }
    }
}

/// A number.
#[derive(Debug, Clone)]
pub struct Number {
    /// How it is computed.
    pub op: Op,
    /// Which layer it belongs to.
    pub layer: u32,
    /// Which element of the layer's result it is.
    pub element: u32,
    /// Least and greatest value.
    pub range: (i64, i64),
}

/// An element of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// The number that it carries.
    pub number: Id,
    /// Its first bit in the port.
    pub low: u32,
    /// How many bits it has.
    pub width: u32,
}

/// A port of the design.
#[derive(Debug, Clone)]
pub struct PortSpec {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub elements: Vec<Element>,
}

/// What a design is to compute.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// Numbers, operands first.
    pub numbers: Vec<Number>,
    /// Names of the layers.
    pub layers: Vec<String>,
    /// What goes in.
    pub inputs: Vec<PortSpec>,
    /// What comes out.
    pub outputs: Vec<PortSpec>,
    /// Cycles from inputs to outputs.
    pub latency: u32,
}

/// Bits of a number of that range, and whether it has a sign.
pub fn width((lo, hi): (i64, i64)) -> (u32, bool) {
    let bits = |v: i64| i64::BITS - if v < 0 { !v } else { v }.leading_zeros();
    match lo < 0 {
        true => (bits(lo).max(bits(hi)) + 1, true),
        false => (bits(hi), false),
    }
}

/// Arguments up to which a function's range is found by asking for every one.
const ENUMERATED: i64 = 1 << 16;

impl Spec {
    /// Adds a number, unless its range is beyond 62 bits.
    pub fn push(&mut self, op: Op, layer: u32, element: u32, bounds: (i64, i64)) -> Id {
        let range = self.range(&op).map_or(bounds, |(lo, hi)| (lo.max(bounds.0), hi.min(bounds.1)));
        let op = if range.0 == range.1 && !matches!(op, Op::Input) { Op::Constant(range.0) } else { op };
        self.numbers.push(Number { op, layer, element, range });
        self.numbers.len() - 1
    }

    fn range(&self, op: &Op) -> Option<(i64, i64)> {
        let of = |x: &Id| self.numbers[*x].range;
        Some(match op {
            Op::Input | Op::Scaled { .. } | Op::Join { .. } => return None,
            Op::Constant(value) => (*value, *value),
            Op::Sum { bias, terms, cut } => terms.iter().fold((*bias, *bias), |(lo, hi), (x, weight)| {
                let ends = [of(x).0, of(x).1].map(|v| (weight * v) >> cut);
                (lo + ends[0].min(ends[1]), hi + ends[0].max(ends[1]))
            }),
            Op::Map { x, function, monotone } => {
                let (lo, hi) = of(x);
                let ends = |values: &mut dyn Iterator<Item = i64>| {
                    values.fold((i64::MAX, i64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)))
                };
                match (monotone, hi - lo < ENUMERATED) {
                    (true, _) => ends(&mut [lo, hi].into_iter().map(|v| function(v))),
                    (false, true) => ends(&mut (lo..=hi).map(|v| function(v))),
                    _ => return None,
                }
            }
        })
    }

    /// Which numbers an output depends on: others may be left out of a design.
    pub fn needed(&self) -> Vec<bool> {
        let mut needed = vec![false; self.numbers.len()];
        self.outputs.iter().flat_map(|p| &p.elements).for_each(|element| needed[element.number] = true);
        for id in (0..self.numbers.len()).rev() {
            if needed[id] {
                self.numbers[id].op.operands().into_iter().for_each(|x| needed[x] = true);
            }
        }
        needed
    }

    /// What a person calls number `id`.
    pub fn name(&self, id: Id) -> String {
        let number = &self.numbers[id];
        format!("element {} of `{}`", number.element, self.layers[number.layer as usize])
    }

    /// The value of number `id`, given those of all before it.
    pub fn value(&self, id: Id, values: &[i64]) -> i64 {
        match &self.numbers[id].op {
            Op::Input => values[id],
            Op::Constant(value) => *value,
            Op::Sum { bias, terms, cut } => bias + terms.iter().map(|(x, w)| (w * values[*x]) >> cut).sum::<i64>(),
            Op::Map { x, function, .. } => function(values[*x]),
            Op::Join { x, y, function } => function(values[*x], values[*y]),
            Op::Scaled { x, sum, cases } => {
                let total = values[*sum];
                let case = (64 - total.leading_zeros()) as usize;
                let bit = |source: &Source| match source {
                    Source::Known(bit) => i64::from(*bit),
                    Source::Sum(k) => total >> k & 1,
                    Source::Operand(k) => values[x.unwrap_or(*sum)] >> k & 1,
                };
                cases[case].iter().enumerate().map(|(k, source)| bit(source) << k).sum()
            }
        }
    }
}
