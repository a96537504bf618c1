//! Cheap algebra: a node is rebuilt with what its operands have become, and a few rules that look one operand deep.

use super::clean::lost;
use crate::dfg::{GraphError, Module, NodeId, Op, Rewriter};
use crate::diag::Diagnostics;

/// `module` with every node made anew by the simplifying constructor, on its simplified operands.
///
/// # Errors
/// None but an internal one.
pub fn fold(module: &Module) -> Result<Module, Diagnostics> {
    let mut rewriter = Rewriter::new(module);
    for n in module.graph.nodes() {
        let new = folded(&mut rewriter, n).map_err(|error| lost(module, n, error))?;
        rewriter.set(n, new);
    }
    Ok(rewriter.finish())
}

/// What stands for the old node `n`.
fn folded(rewriter: &mut Rewriter<'_>, n: NodeId) -> Result<NodeId, GraphError> {
    let op = rewriter.old().graph.op(n);
    if matches!(op, Op::Table(..) | Op::Delay(..) | Op::Read(..)) || op.operands().next().is_none() {
        return rewriter.copy(n);
    }
    let op = op.map(|a| rewriter.get(a));
    let rules = [constants_together, negative_addend, common_shift, wrapped_twice, inverted_choice];
    for rule in rules {
        if let Some(new) = rule(rewriter, op) {
            return Ok(new);
        }
    }
    rewriter.add(op)
}

/// The simpler node; `None` if the rule does not apply, or if a number on the way would get too wide.
type Rule = Option<NodeId>;

/// `(a ± j) ± k` is `a + (±j ± k)`.
fn constants_together(rewriter: &mut Rewriter<'_>, op: Op) -> Rule {
    let g = rewriter.graph();
    let with_constant = |op: Op| match op {
        Op::Add(a, b) => match (g.as_constant(a), g.as_constant(b)) {
            (Some(k), None) => Some((b, k)),
            (None, Some(k)) => Some((a, k)),
            _ => None,
        },
        Op::Sub(a, b) => Some((a, -g.as_constant(b)?)),
        _ => None,
    };
    let (outer, k) = with_constant(op)?;
    let (inner, j) = with_constant(g.op(outer))?;
    let sum = rewriter.constant(j + k).ok()?;
    rewriter.add(Op::Add(inner, sum)).ok()
}

/// `a + (0 - b)` is `a - b`, and `a - (0 - b)` is `a + b`.
fn negative_addend(rewriter: &mut Rewriter<'_>, op: Op) -> Rule {
    let g = rewriter.graph();
    let negated = |n: NodeId| match g.op(n) {
        Op::Sub(zero, b) if g.as_constant(zero) == Some(0) => Some(b),
        _ => None,
    };
    let new = match op {
        Op::Add(a, b) => match (negated(a), negated(b)) {
            (_, Some(b)) => Op::Sub(a, b),
            (Some(a), None) => Op::Sub(b, a),
            _ => return None,
        },
        Op::Sub(a, b) => Op::Add(a, negated(b)?),
        _ => return None,
    };
    rewriter.add(new).ok()
}

/// `a·2^s ± b·2^t` with `s, t ≥ 1` is `(a·2^(s-m) ± b·2^(t-m))·2^m` with `m` the lesser of both: a narrower adder.
fn common_shift(rewriter: &mut Rewriter<'_>, op: Op) -> Rule {
    let g = rewriter.graph();
    let shifted = |n: NodeId| match g.op(n) {
        Op::Shl(a, s) => Some((a, s)),
        _ => None,
    };
    let (Op::Add(a, b) | Op::Sub(a, b)) = op else {
        return None;
    };
    let ((a, s), (b, t)) = (shifted(a)?, shifted(b)?);
    let m = s.min(t);
    let a = rewriter.add(Op::Shl(a, s - m)).ok()?;
    let b = rewriter.add(Op::Shl(b, t - m)).ok()?;
    let narrow = match op {
        Op::Add(..) => Op::Add(a, b),
        _ => Op::Sub(a, b),
    };
    let sum = rewriter.add(narrow).ok()?;
    rewriter.add(Op::Shl(sum, m)).ok()
}

/// Of two cuts only the narrower one counts.
fn wrapped_twice(rewriter: &mut Rewriter<'_>, op: Op) -> Rule {
    let Op::Wrap(a, w, signed) = op else {
        return None;
    };
    match rewriter.graph().op(a) {
        Op::Wrap(b, v, _) if v >= w => rewriter.add(Op::Wrap(b, w, signed)).ok(),
        _ => None,
    }
}

/// `mux(1 - s, a, b)`, the inverse written as `s xor 1` or `s = 0` of a bit, is `mux(s, b, a)`.
fn inverted_choice(rewriter: &mut Rewriter<'_>, op: Op) -> Rule {
    let Op::Mux(s, a, b) = op else {
        return None;
    };
    let g = rewriter.graph();
    let is = |n: NodeId, k: i128| g.as_constant(n) == Some(k);
    let bit = |n: NodeId| crate::num::Interval::BIT.covers(g.range(n));
    let original = match g.op(s) {
        Op::Xor(x, y) if is(y, 1) && bit(x) => x,
        Op::Xor(x, y) if is(x, 1) && bit(y) => y,
        Op::Eq(x, y) if is(y, 0) => x,
        Op::Eq(x, y) if is(x, 0) => y,
        _ => return None,
    };
    rewriter.add(Op::Mux(original, b, a)).ok()
}
