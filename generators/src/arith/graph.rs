//! The adder graph: an arena of exact integer nodes, operands before users, with tables for sums of few bits.
//!
//! A node's value is an integer that is linear in the inputs. Nothing wraps and nothing is cut off: the range of
//! a node is derived from its linear form, not from its operands' ranges, so terms that cancel cost no width.

use hdl::num::Interval;

use crate::arith::problem::ends;

/// Index of a node in its [`AdderGraph`].
pub type NodeId = u32;

/// A use of a node: `±(value << shift)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// The node used.
    pub node: NodeId,
    /// Left shift.
    pub shift: u8,
    /// Whether the term is subtracted.
    pub neg: bool,
}

impl Term {
    /// The node as it is.
    pub fn plain(node: NodeId) -> Self {
        Self { node, shift: 0, neg: false }
    }

    /// The term's value, given the node's.
    pub fn apply(self, value: i64) -> i64 {
        let shifted = value << self.shift;
        if self.neg { -shifted } else { shifted }
    }

    /// The term's range, given the node's.
    pub fn range(self, range: (i64, i64)) -> (i64, i64) {
        let (lo, hi) = (range.0 << self.shift, range.1 << self.shift);
        if self.neg { (-hi, -lo) } else { (lo, hi) }
    }
}

/// How a node's value comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Entry `index` of the input vector.
    Input {
        /// Which entry.
        index: u32,
    },
    /// A constant.
    Constant {
        /// Its value.
        value: i64,
    },
    /// The sum of two terms; at most one of them is negative, and at least one has shift 0.
    Add {
        /// Left operand.
        a: Term,
        /// Right operand.
        b: Term,
    },
    /// Entry of [`AdderGraph::tables`] at the inputs' bits.
    Table {
        /// Which table.
        table: u32,
    },
}

/// The weighted sum of inputs of few bits, entry by entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What is summed. The index is the inputs' bit patterns side by side, the first one's lowest.
    pub terms: Vec<TableTerm>,
    /// A constant in the sum.
    pub bias: i64,
    /// The sum at each index; where no values of the inputs lead, any number in the node's range.
    pub entries: Vec<i64>,
}

/// An input in a [`Table`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableTerm {
    /// Entry of the input vector.
    pub input: u32,
    /// Its width.
    pub bits: u32,
    /// What it is multiplied by.
    pub weight: i64,
}

impl Table {
    /// Width of the index.
    pub fn index_bits(&self) -> u32 {
        self.terms.iter().map(|t| t.bits).sum()
    }

    /// The entry for one input vector.
    ///
    /// # Panics
    /// If `x` is shorter than an input index, or there are too few entries.
    pub fn eval(&self, x: &[i64]) -> i64 {
        let (mut index, mut place) = (0, 0);
        for t in &self.terms {
            let pattern = x[t.input as usize] & ((1 << t.bits) - 1);
            index |= (pattern as usize) << place;
            place += t.bits;
        }
        self.entries[index]
    }
}

/// A node with its exact range and the adder level at which it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// How the value comes about.
    pub op: Op,
    /// Least value.
    pub lo: i64,
    /// Greatest value.
    pub hi: i64,
    /// Adder levels from time zero; the latest operand's plus one.
    pub depth: u32,
}

/// An optimised constant matrix-vector product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdderGraph {
    /// All nodes, operands before users.
    pub nodes: Vec<Node>,
    /// One for each output; `None` is the constant zero.
    pub outputs: Vec<Option<Term>>,
    /// The tables of sums of few bits.
    pub tables: Vec<Table>,
}

impl AdderGraph {
    /// Appends a node whose operands are there.
    pub fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() as NodeId - 1
    }

    /// Appends the table of `bias` and the weighted sum `terms` of inputs with the ranges `inputs`.
    pub fn push_table(&mut self, terms: Vec<TableTerm>, bias: i64, inputs: &[Interval]) -> NodeId {
        let range = |t: &TableTerm| ends(inputs[t.input as usize]);
        let reach = |t: &TableTerm| (t.weight * range(t).0, t.weight * range(t).1);
        let (lo, hi) = terms.iter().map(reach).fold((bias, bias), |(lo, hi), (x, y)| (lo + x.min(y), hi + x.max(y)));
        let bits: u32 = terms.iter().map(|t| t.bits).sum();
        let entry = |index: usize| {
            let (mut sum, mut place) = (bias, 0);
            for t in &terms {
                let pattern = (index >> place & ((1 << t.bits) - 1)) as i64;
                place += t.bits;
                let negative = range(t).0 < 0 && pattern >> (t.bits - 1) == 1;
                let value = pattern - if negative { 1 << t.bits } else { 0 };
                sum += t.weight * value;
            }
            // a pattern that no value has may lead beyond
            sum.clamp(lo, hi)
        };
        let entries = (0..1 << bits).map(entry).collect();
        let table = self.tables.len() as u32;
        self.tables.push(Table { terms, bias, entries });
        self.push(Node { op: Op::Table { table }, lo, hi, depth: 0 })
    }

    /// The value of every output for one input vector.
    ///
    /// # Panics
    /// If `x` is shorter than an input index.
    pub fn eval(&self, x: &[i64]) -> Vec<i64> {
        let mut values: Vec<i64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            values.push(match node.op {
                Op::Input { index } => x[index as usize],
                Op::Constant { value } => value,
                Op::Add { a, b } => a.apply(values[a.node as usize]) + b.apply(values[b.node as usize]),
                Op::Table { table } => self.tables[table as usize].eval(x),
            });
        }
        self.outputs.iter().map(|o| o.map_or(0, |t| t.apply(values[t.node as usize]))).collect()
    }

    /// The latest output's adder level.
    pub fn depth(&self) -> u32 {
        self.outputs.iter().flatten().map(|t| self.nodes[t.node as usize].depth).max().unwrap_or(0)
    }

    /// The two-operand adders and subtractors with their nodes.
    pub fn adders(&self) -> impl Iterator<Item = (&Node, Term, Term)> {
        self.nodes.iter().filter_map(|n| match n.op {
            Op::Add { a, b } => Some((n, a, b)),
            _ => None,
        })
    }
}

/// A linear form over the inputs, sorted by input: the exact meaning of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Linear(pub Vec<(u32, i64)>);

impl Linear {
    /// One input by itself.
    pub fn input(index: u32) -> Self {
        Self(vec![(index, 1)])
    }

    /// `ta` applied to `a` plus `tb` applied to `b`.
    pub fn sum(a: &Self, ta: Term, b: &Self, tb: Term) -> Self {
        let (a, b) = (&a.0, &b.0);
        let mut out = Vec::with_capacity(a.len() + b.len());
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            let (ka, kb) = (a.get(i).map_or(u32::MAX, |e| e.0), b.get(j).map_or(u32::MAX, |e| e.0));
            let key = ka.min(kb);
            let mut coefficient = 0;
            if ka == key {
                coefficient += ta.apply(a[i].1);
                i += 1;
            }
            if kb == key {
                coefficient += tb.apply(b[j].1);
                j += 1;
            }
            if coefficient != 0 {
                out.push((key, coefficient));
            }
        }
        Self(out)
    }

    /// The form with every sign turned.
    pub fn negated(&self) -> Self {
        Self(self.0.iter().map(|&(i, c)| (i, -c)).collect())
    }

    /// The exact range over independent inputs.
    pub fn range(&self, inputs: &[Interval]) -> (i64, i64) {
        self.0.iter().fold((0, 0), |(lo, hi), &(i, c)| {
            let (least, greatest) = ends(inputs[i as usize]);
            let (x, y) = (c * least, c * greatest);
            (lo + x.min(y), hi + x.max(y))
        })
    }
}
