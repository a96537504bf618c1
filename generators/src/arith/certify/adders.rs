//! An independent check of an adder graph: the linear certificate.
//!
//! Every adder is an identity over the integers, so adding them up gives each output as a linear form of the
//! inputs, which must be the matrix column and the bias. This holds for all inputs at once and takes time
//! linear in the forms' lengths; nothing is simulated. The ranges that the widths are taken from must contain
//! what the forms can reach, so that no adder wraps. The checker shares only the data types with the optimiser.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::arith::cells::compress::CarrySave;
use crate::arith::cells::sums::CellSums;
use crate::arith::certify::trees::{self, RefutedTree};
use crate::arith::graph::{AdderGraph, Node, Op, Table, Term};
use crate::arith::problem::{Problem, ends};

/// What the certificate found wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refuted {
    /// A node uses itself or a later one.
    #[error("node {node} uses node {operand}, which does not come before it")]
    Order {
        /// The user.
        node: usize,
        /// The used.
        operand: u32,
    },
    /// An input index beyond the matrix.
    #[error("node {node} reads input {input}, but the matrix has only {rows} rows")]
    Input {
        /// The node.
        node: usize,
        /// What it reads.
        input: u32,
        /// Inputs there are.
        rows: usize,
    },
    /// A shift or value that leaves 64-bit arithmetic.
    #[error("node {node} leaves the range of exact 64-bit arithmetic")]
    Overflow {
        /// The node.
        node: usize,
    },
    /// A range that the node's value can leave.
    #[error("node {node} is declared within {lo}..={hi} but reaches {least}..={greatest}")]
    Range {
        /// The node.
        node: usize,
        /// Declared least value.
        lo: i64,
        /// Declared greatest value.
        hi: i64,
        /// True least value.
        least: i128,
        /// True greatest value.
        greatest: i128,
    },
    /// A wrong adder level.
    #[error("node {node} is declared at adder level {declared} but is there at level {real}")]
    Depth {
        /// The node.
        node: usize,
        /// Declared level.
        declared: u32,
        /// Real level.
        real: u32,
    },
    /// A table without exactly one entry for each pattern of its inputs.
    #[error("the table of node {node} does not have one entry for each pattern of its inputs")]
    Patterns {
        /// The node.
        node: usize,
    },
    /// A table whose entry is not the sum of what its index stands for.
    #[error("entry {index} of the table of node {node} is {found}, expected {expected}")]
    Entry {
        /// The node.
        node: usize,
        /// The index.
        index: usize,
        /// What the table says.
        found: i64,
        /// What the inputs sum up to.
        expected: i128,
    },
    /// An output that is not the matrix column plus bias.
    #[error("output {output} has weight {found} for input {input}, expected {expected}")]
    Weight {
        /// The output.
        output: usize,
        /// The input.
        input: u32,
        /// Weight in the graph.
        found: i128,
        /// Weight in the matrix.
        expected: i64,
    },
    /// An output with a wrong constant.
    #[error("output {output} adds the constant {found}, expected {expected}")]
    Bias {
        /// The output.
        output: usize,
        /// Constant in the graph.
        found: i128,
        /// Constant asked for.
        expected: i64,
    },
    /// A wrong carry-save tree.
    #[error("the carry-save tree of output {output} is wrong: {error}")]
    Tree {
        /// The output.
        output: usize,
        /// What is wrong with it.
        error: RefutedTree,
    },
    /// A wrong tree of a shared sum.
    #[error("the cells of node {node} are wrong: {error}")]
    SharedTree {
        /// The node.
        node: usize,
        /// What is wrong with it.
        error: RefutedTree,
    },
    /// Cells that do not sum what their node does.
    #[error("the cells of node {node} do not sum its operands")]
    Summands {
        /// The node.
        node: usize,
    },
    /// A carry-save tree whose sum can leave its declared range.
    #[error("output {output} is declared within {lo}..={hi} but reaches beyond")]
    Sum {
        /// The output.
        output: usize,
        /// Declared least value.
        lo: i64,
        /// Declared greatest value.
        hi: i64,
    },
    /// Wrong number of outputs.
    #[error("the graph has {found} outputs, the matrix {expected} columns")]
    Outputs {
        /// Outputs of the graph.
        found: usize,
        /// Columns of the matrix.
        expected: usize,
    },
    /// An output that comes too late.
    #[error("output {output} comes at adder level {depth}, allowed are {allowed}")]
    Late {
        /// The output.
        output: usize,
        /// Its level.
        depth: u32,
        /// The bound.
        allowed: u32,
    },
}

/// The constant's key in a form; no input has it.
const ONE: u32 = u32::MAX;

type Form = BTreeMap<u32, i128>;

/// Proves that `graph` computes `x·W + bias` for every input within its range, without wrap and within the depth bound.
///
/// # Errors
/// The first violation found, in node order, then in output order.
pub fn check(problem: &Problem, graph: &AdderGraph) -> Result<(), Refuted> {
    let columns = problem.matrix.columns();
    if graph.outputs.len() != columns {
        return Err(Refuted::Outputs { found: graph.outputs.len(), expected: columns });
    }
    let forms = node_forms(problem, graph, graph.outputs.iter().flatten())?;
    for (output, term) in graph.outputs.iter().enumerate() {
        if let Some(depth) = term.map(|t| graph.nodes[t.node as usize].depth)
            && let Some(allowed) = problem.max_depth.filter(|&d| depth > d)
        {
            return Err(Refuted::Late { output, depth, allowed });
        }
        check_output(problem, &forms, output, term.as_slice(), 0)?;
    }
    Ok(())
}

/// Proves the same of sums that are made of cells: every shared sum's tree and every output's tree.
///
/// # Errors
/// The first violation found: in node order, then tree by tree.
pub fn check_cells(problem: &Problem, cells: &CellSums) -> Result<(), Refuted> {
    let (graph, trees) = (&cells.graph, &cells.outputs);
    let columns = problem.matrix.columns();
    if trees.len() != columns {
        return Err(Refuted::Outputs { found: trees.len(), expected: columns });
    }
    let used = trees.iter().flat_map(|t| &t.summands).map(|s| &s.term);
    let forms = node_forms(problem, graph, used)?;
    for (id, node) in graph.nodes.iter().enumerate() {
        check_shared(graph, id, node, cells.sums.get(id).and_then(Option::as_ref))?;
    }
    for (output, tree) in trees.iter().enumerate() {
        trees::check(tree).map_err(|error| Refuted::Tree { output, error })?;
        check_summands(graph, tree)?;
        let terms: Vec<Term> = tree.summands.iter().map(|s| s.term).collect();
        let form = check_output(problem, &forms, output, &terms, tree.bias)?;
        let overflow = Refuted::Overflow { node: graph.nodes.len() + output };
        let (least, greatest) = reach(problem, &form).ok_or(overflow)?;
        let bias = i128::from(tree.bias);
        if least + bias < i128::from(tree.lo) || greatest + bias > i128::from(tree.hi) {
            return Err(Refuted::Sum { output, lo: tree.lo, hi: tree.hi });
        }
    }
    Ok(())
}

/// Proves that a shared sum's tree sums the node's two operands, in the node's range; inputs have no tree.
fn check_shared(graph: &AdderGraph, id: usize, node: &Node, tree: Option<&CarrySave>) -> Result<(), Refuted> {
    let operands = match node.op {
        Op::Add { a, b } => [a, b],
        _ if tree.is_none() => return Ok(()),
        _ => return Err(Refuted::Summands { node: id }),
    };
    let tree = tree.ok_or(Refuted::Summands { node: id })?;
    let same = tree.summands.iter().map(|s| s.term).eq(operands);
    if !same || tree.bias != 0 || (tree.lo, tree.hi) != (node.lo, node.hi) {
        return Err(Refuted::Summands { node: id });
    }
    trees::check(tree).map_err(|error| Refuted::SharedTree { node: id, error })?;
    check_summands(graph, tree)
}

/// Proves that a tree takes each summand's node to be at least as wide as it is.
fn check_summands(graph: &AdderGraph, tree: &CarrySave) -> Result<(), Refuted> {
    for s in &tree.summands {
        let node = &graph.nodes[s.term.node as usize];
        if (node.lo, node.hi) != (s.lo, s.hi) {
            let (least, greatest) = (node.lo.into(), node.hi.into());
            return Err(Refuted::Range { node: s.term.node as usize, lo: s.lo, hi: s.hi, least, greatest });
        }
    }
    Ok(())
}

/// The linear form of every node, checked; forms that neither a later node nor `used` needs are let go.
fn node_forms<'a>(
    problem: &Problem,
    graph: &AdderGraph,
    used: impl Iterator<Item = &'a Term>,
) -> Result<Vec<Form>, Refuted> {
    let last_use = last_uses(graph, used)?;
    let mut forms: Vec<Form> = Vec::with_capacity(graph.nodes.len());
    for (id, node) in graph.nodes.iter().enumerate() {
        let (form, depth) = match node.op {
            Op::Input { index } => {
                let rows = problem.matrix.rows();
                problem.inputs.get(index as usize).ok_or(Refuted::Input { node: id, input: index, rows })?;
                (Form::from([(index, 1)]), 0)
            }
            Op::Constant { value } => (Form::from([(ONE, i128::from(value))]), 0),
            Op::Add { a, b } => {
                let mut form = Form::new();
                for t in [a, b] {
                    accumulate(&mut form, &forms[t.node as usize], t).ok_or(Refuted::Overflow { node: id })?;
                }
                for t in [a, b] {
                    if last_use[t.node as usize] == id {
                        forms[t.node as usize] = Form::new();
                    }
                }
                (form, level(graph, a, b))
            }
            Op::Table { table } => {
                let table = graph.tables.get(table as usize);
                (table_form(problem, id, node, table.ok_or(Refuted::Patterns { node: id })?)?, 0)
            }
        };
        if node.depth != depth {
            return Err(Refuted::Depth { node: id, declared: node.depth, real: depth });
        }
        let (least, greatest) = reach(problem, &form).ok_or(Refuted::Overflow { node: id })?;
        if least < i128::from(node.lo) || greatest > i128::from(node.hi) {
            return Err(Refuted::Range { node: id, lo: node.lo, hi: node.hi, least, greatest });
        }
        forms.push(form);
    }
    Ok(forms)
}

/// Widest index of a table that is checked.
const WIDEST_INDEX: u32 = 16;

/// Proves that each entry of a table is the sum that it stands for; the sum as a linear form.
fn table_form(problem: &Problem, id: usize, node: &Node, table: &Table) -> Result<Form, Refuted> {
    let patterns = Refuted::Patterns { node: id };
    let rows = problem.matrix.rows();
    let mut form = Form::from([(ONE, i128::from(table.bias))]);
    let mut bits = 0;
    for t in &table.terms {
        let input = t.input;
        let range = problem.inputs.get(input as usize).ok_or(Refuted::Input { node: id, input, rows })?;
        let (lo, hi) = ends(*range);
        let (least, greatest) = representable(lo < 0, t.bits).ok_or(patterns.clone())?;
        bits += t.bits;
        if lo < least || hi > greatest || bits > WIDEST_INDEX {
            return Err(patterns);
        }
        *form.entry(input).or_insert(0) += i128::from(t.weight);
    }
    if table.entries.len() != 1 << bits {
        return Err(patterns);
    }
    for (index, &found) in table.entries.iter().enumerate() {
        let mut sum = Some(i128::from(table.bias));
        let mut place = 0;
        for t in &table.terms {
            let (lo, hi) = ends(problem.inputs[t.input as usize]);
            let pattern = (index >> place & ((1 << t.bits) - 1)) as i64;
            place += t.bits;
            let signed = lo < 0 && t.bits > 0 && pattern >> (t.bits - 1) == 1;
            let value = if signed { pattern - (1 << t.bits) } else { pattern };
            let is_there = (lo..=hi).contains(&value);
            sum = sum.filter(|_| is_there).map(|s| s + i128::from(t.weight) * i128::from(value));
        }
        match sum {
            Some(expected) if expected != i128::from(found) => {
                return Err(Refuted::Entry { node: id, index, found, expected });
            }
            None if !(node.lo..=node.hi).contains(&found) => {
                return Err(Refuted::Range {
                    node: id,
                    lo: node.lo,
                    hi: node.hi,
                    least: found.into(),
                    greatest: found.into(),
                });
            }
            _ => {}
        }
    }
    form.retain(|_, c| *c != 0);
    Ok(form)
}

/// Least and greatest number of that many bits; `None` for more than a table's index has.
fn representable(signed: bool, bits: u32) -> Option<(i64, i64)> {
    if bits > WIDEST_INDEX || signed && bits == 0 {
        return None;
    }
    Some(match signed {
        true => (-(1 << (bits - 1)), (1 << (bits - 1)) - 1),
        false => (0, (1 << bits) - 1),
    })
}

/// The last adder that uses each node; what outputs use counts as later than any.
fn last_uses<'a>(graph: &AdderGraph, used: impl Iterator<Item = &'a Term>) -> Result<Vec<usize>, Refuted> {
    let mut last = vec![0; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        if let Op::Add { a, b } = node.op {
            for t in [a, b] {
                if t.node as usize >= id {
                    return Err(Refuted::Order { node: id, operand: t.node });
                }
                last[t.node as usize] = id;
            }
        }
    }
    for t in used {
        let slot = last.get_mut(t.node as usize).ok_or(Refuted::Order { node: graph.nodes.len(), operand: t.node })?;
        *slot = usize::MAX;
    }
    Ok(last)
}

/// The level of a sum; adding a constant takes no level of its own, as the problem's depth bound has it.
fn level(graph: &AdderGraph, a: Term, b: Term) -> u32 {
    let (na, nb) = (&graph.nodes[a.node as usize], &graph.nodes[b.node as usize]);
    let constant = |n: &Node| matches!(n.op, Op::Constant { .. });
    na.depth.max(nb.depth) + u32::from(!constant(na) && !constant(nb))
}

fn accumulate(into: &mut Form, from: &Form, term: Term) -> Option<()> {
    if term.shift > 62 {
        return None;
    }
    for (&key, &c) in from {
        let add = c.checked_mul(1 << term.shift)?;
        let slot = into.entry(key).or_insert(0);
        *slot = if term.neg { slot.checked_sub(add)? } else { slot.checked_add(add)? };
    }
    into.retain(|_, c| *c != 0);
    Some(())
}

fn reach(problem: &Problem, form: &Form) -> Option<(i128, i128)> {
    let (mut least, mut greatest) = (0i128, 0i128);
    for (&key, &c) in form {
        let (lo, hi) = match key {
            ONE => (1, 1),
            i => ends(problem.inputs[i as usize]),
        };
        let (x, y) = (c.checked_mul(i128::from(lo))?, c.checked_mul(i128::from(hi))?);
        least = least.checked_add(x.min(y))?;
        greatest = greatest.checked_add(x.max(y))?;
    }
    Some((least, greatest))
}

/// Compares the sum of `terms` and `bias` with a column of the matrix and its bias; returns the form.
fn check_output(problem: &Problem, forms: &[Form], output: usize, terms: &[Term], bias: i64) -> Result<Form, Refuted> {
    let mut form = Form::new();
    for t in terms {
        accumulate(&mut form, &forms[t.node as usize], *t).ok_or(Refuted::Overflow { node: t.node as usize })?;
    }
    let expected = problem.bias.as_ref().map_or(0, |b| b[output]);
    let found = form.get(&ONE).copied().unwrap_or(0) + i128::from(bias);
    if found != i128::from(expected) {
        return Err(Refuted::Bias { output, found, expected });
    }
    for input in 0..problem.matrix.rows() as u32 {
        let found = form.get(&input).copied().unwrap_or(0);
        let expected = problem.matrix.at(input as usize, output);
        if found != i128::from(expected) {
            return Err(Refuted::Weight { output, input, found, expected });
        }
    }
    Ok(form)
}

#[cfg(test)]
#[path = "adders_tests.rs"]
mod tests;
