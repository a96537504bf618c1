//! Simplifications that hold whatever the operands are: one line a rule, tried when a node is made.

use super::{Graph, NodeId, Op};
use crate::num::Interval;

/// What an operator reduces to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folded {
    /// An existing node.
    Node(NodeId),
    /// A constant.
    Constant(i128),
    /// A cheaper or the canonical form of the operator.
    Op(Op),
}

/// The simpler form of `op`, if a rule applies.
pub(super) fn fold(g: &Graph, op: Op) -> Option<Folded> {
    use Folded::{Constant, Node, Op as Form};
    let is = |n: NodeId, value: i128| g.as_constant(n) == Some(value);
    let range = |n: NodeId| g.range(n);
    let bit = |n: NodeId| Interval::BIT.covers(range(n));
    if let Some(value) = constant_value(g, op) {
        return Some(Constant(value));
    }
    Some(match op {
        Op::Add(a, b) | Op::Xor(a, b) | Op::Or(a, b) if is(a, 0) => Node(b),
        Op::Add(a, b) | Op::Xor(a, b) | Op::Or(a, b) | Op::Sub(a, b) if is(b, 0) => Node(a),
        Op::Sub(a, b) if a == b => Constant(0),
        Op::Xor(a, b) if a == b => Constant(0),
        Op::Sub(a, b) if borrows_nowhere(g.as_constant(a), range(b)) => Form(Op::Xor(b, a)),
        Op::And(a, b) | Op::Or(a, b) | Op::Min(a, b) | Op::Max(a, b) if a == b => Node(a),
        Op::Eq(a, b) if a == b => Constant(1),
        Op::Lt(a, b) if a == b => Constant(0),

        Op::Mul(a, b) | Op::And(a, b) if is(a, 0) || is(b, 0) => Constant(0),
        Op::Mul(a, b) if is(a, 1) => Node(b),
        Op::Mul(a, b) if is(b, 1) => Node(a),
        Op::Mul(a, b) if power_of_two(g, b).is_some() => Form(Op::Shl(a, power_of_two(g, b)?)),
        Op::Mul(a, b) if power_of_two(g, a).is_some() => Form(Op::Shl(b, power_of_two(g, a)?)),

        Op::Shl(a, 0) | Op::Shr(a, 0) => Node(a),
        Op::Shl(a, s) => match g.op(a) {
            Op::Shl(b, t) => Form(Op::Shl(b, s.saturating_add(t))),
            _ => return None,
        },
        Op::Shr(a, s) => match g.op(a) {
            Op::Shr(b, t) => Form(Op::Shr(b, s.saturating_add(t))),
            Op::Shl(b, t) if t >= s => Form(Op::Shl(b, t - s)),
            Op::Shl(b, t) => Form(Op::Shr(b, s - t)),
            _ => return None,
        },

        Op::Lt(a, b) if range(a).hi() < range(b).lo() => Constant(1),
        Op::Lt(a, b) if range(a).lo() >= range(b).hi() => Constant(0),
        Op::Eq(a, b) if range(a).hi() < range(b).lo() || range(b).hi() < range(a).lo() => Constant(0),
        Op::Eq(a, b) if range(a).as_point().is_some() && range(a) == range(b) => Constant(1),
        Op::Eq(a, b) if is(b, 1) && bit(a) => Node(a),
        Op::Eq(a, b) if is(a, 1) && bit(b) => Node(b),

        Op::Mux(s, a, _) if !range(s).contains(0) => Node(a),
        Op::Mux(s, _, b) if is(s, 0) => Node(b),
        Op::Mux(_, a, b) if a == b => Node(a),
        Op::Mux(s, a, b) if bit(s) && is(a, 1) && is(b, 0) => Node(s),
        Op::Min(a, b) if range(a).hi() <= range(b).lo() => Node(a),
        Op::Min(a, b) if range(b).hi() <= range(a).lo() => Node(b),
        Op::Max(a, b) if range(a).lo() >= range(b).hi() => Node(a),
        Op::Max(a, b) if range(b).lo() >= range(a).hi() => Node(b),

        Op::Wrap(a, w, signed) => match Interval::of_width(u32::from(w), signed) {
            Ok(all) if all.covers(range(a)) => Node(a),
            _ => return None,
        },
        Op::Narrow(a, lo, hi) if range(a).lo() >= range(lo).hi() && range(a).hi() <= range(hi).lo() => Node(a),
        Op::Same(a, b) if a == b || g.as_constant(a).is_some() => Node(a),
        Op::Concat(a, b, w) if is(a, 0) => Form(Op::Wrap(b, w, false)),

        Op::Add(a, b) if b < a => Form(Op::Add(b, a)),
        Op::Mul(a, b) if b < a => Form(Op::Mul(b, a)),
        Op::And(a, b) if b < a => Form(Op::And(b, a)),
        Op::Or(a, b) if b < a => Form(Op::Or(b, a)),
        Op::Xor(a, b) if b < a => Form(Op::Xor(b, a)),
        Op::Eq(a, b) if b < a => Form(Op::Eq(b, a)),
        Op::Min(a, b) if b < a => Form(Op::Min(b, a)),
        Op::Max(a, b) if b < a => Form(Op::Max(b, a)),
        _ => return None,
    })
}

/// The value of an operator whose operands are all constants.
///
/// The range is asked first, so that nothing is computed that does not fit.
fn constant_value(g: &Graph, op: Op) -> Option<i128> {
    if op.operands().next().is_none() || !op.operands().all(|n| g.as_constant(n).is_some()) {
        return None;
    }
    op.range(|n| g.range(n))?.ok()?;
    op.apply(|n| g.as_constant(n).expect("checked above"))
}

/// Whether the constant has all bits that `x` may have, which is any pattern of a width, so that `constant - x` inverts each.
fn borrows_nowhere(constant: Option<i128>, x: Interval) -> bool {
    let any = Interval::of_width(x.width(), x.signed()) == Ok(x);
    any && constant == Some(if x.signed() { -1 } else { x.hi() })
}

fn power_of_two(g: &Graph, n: NodeId) -> Option<u32> {
    let value = g.as_constant(n)?;
    (value > 1 && value & (value - 1) == 0).then(|| value.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::Stamp;

    /// Every operator on small operands, with and without constants, keeps its value.
    #[test]
    fn folding_keeps_values() {
        let spans = [(-2, 1), (0, 1), (0, 3), (2, 5)];
        for (la, ha) in spans {
            for (lb, hb) in spans {
                for constants in 0..4 {
                    check(la..=ha, lb..=hb, constants);
                }
            }
        }
    }

    fn check(a: std::ops::RangeInclusive<i128>, b: std::ops::RangeInclusive<i128>, constants: u8) {
        for x in a.clone() {
            for y in b.clone() {
                let mut g = Graph::default();
                let mut node = |k: u32, value: i128, span: &std::ops::RangeInclusive<i128>, constant: bool| {
                    if constant {
                        return g.constant(value).unwrap();
                    }
                    let range = Interval::new(*span.start(), *span.end()).unwrap();
                    g.add_declared(Op::Input(k), range, Stamp::at(0))
                };
                let (m, n) = (node(0, x, &a, constants & 1 != 0), node(1, y, &b, constants & 2 != 0));
                for op in operators(m, n) {
                    let expected = op.apply(|k| if k == m { x } else { y }).unwrap();
                    let result = g.add(op).unwrap();
                    assert_eq!(evaluate(&g, result, x, y), expected, "{op:?} of {x} in {a:?}, {y} in {b:?}");
                    assert!(g.range(result).contains(expected));
                }
            }
        }
    }

    fn operators(m: NodeId, n: NodeId) -> Vec<Op> {
        let unary = |a| [Op::Shl(a, 0), Op::Shl(a, 2), Op::Shr(a, 1), Op::Wrap(a, 2, true), Op::Wrap(a, 2, false)];
        let binary = |a, b| {
            [
                Op::Add(a, b),
                Op::Sub(a, b),
                Op::Mul(a, b),
                Op::And(a, b),
                Op::Or(a, b),
                Op::Xor(a, b),
                Op::Lt(a, b),
                Op::Eq(a, b),
                Op::Mux(a, a, b),
                Op::Min(a, b),
                Op::Max(a, b),
                Op::Concat(a, b, 2),
            ]
        };
        let pairs = [(m, n), (n, m), (m, m)];
        [m, n].into_iter().flat_map(unary).chain(pairs.into_iter().flat_map(|(a, b)| binary(a, b))).collect()
    }

    fn evaluate(g: &Graph, n: NodeId, x: i128, y: i128) -> i128 {
        match g.op(n) {
            Op::Input(0) => x,
            Op::Input(_) => y,
            Op::Const(k) => g.constant_value(k),
            op => op.apply(|k| evaluate(g, k, x, y)).unwrap(),
        }
    }
}
