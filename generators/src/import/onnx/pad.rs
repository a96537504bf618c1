//! Padding.

use hdl::diag::Diagnostic;

use super::elementwise::shape;
use super::movement::moved;
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use crate::import::lift::Lift;
use crate::model::{Op, elements};

/// Elements in front and behind for each axis; negative ones take elements away.
struct Pads {
    begin: Vec<i64>,
    end: Vec<i64>,
}

/// Constants around the operand, or its own elements again.
pub(super) fn pad(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.operand(0)?.clone();
    let extents = shape(lift, &x);
    let pads = pads(node, extents.len())?;
    let value = match node.version < 11 {
        true => node.float("value", 0.0)?,
        false => {
            if node.optional(2)?.is_some_and(|value| value.kind != x.kind) {
                return Err(node.error("the value to pad with has another data type than the operand"));
            }
            node.optional_number(2)?.unwrap_or(0.0)
        }
    };
    let mode = node.text("mode", "constant")?;
    if mode == "constant" {
        return Ok(vec![constant(lift, node, &x, &extents, &pads, value)?]);
    }
    let mut ops = Vec::new();
    for (axis, &extent) in extents.iter().enumerate() {
        let (begin, end) = (pads.begin[axis], pads.end[axis]);
        if (begin, end) != (0, 0) {
            let indices = repeated(&mode, extent as i64, begin, end).ok_or_else(|| match mode.as_str() {
                "reflect" | "edge" | "wrap" => {
                    node.error(format!("{begin} elements in front and {end} behind do not fit {extent} ({mode})"))
                }
                _ => node.unsupported("mode", "constant, reflect, edge and wrap"),
            })?;
            ops.push(Op::Gather { axis, indices });
        }
    }
    Ok(vec![moved(lift, node, &x, ops)?])
}

fn pads(node: &Node<'_>, rank: usize) -> Result<Pads, Diagnostic> {
    let pads = match node.version < 11 {
        true => node.ints("pads")?.map(<[i64]>::to_vec),
        false => node.optional_integers(1)?,
    };
    let axes = match node.optional_integers(3)? {
        Some(axes) => node.distinct_axes(&axes, rank)?,
        None => (0..rank).collect(),
    };
    let pads = pads.unwrap_or_default();
    if pads.len() != 2 * axes.len() || pads.iter().any(|p| p.unsigned_abs() > 1 << 24) {
        return Err(node.error(format!("{} pads are wanted, two for each of its axes", 2 * axes.len())));
    }
    let (mut begin, mut end) = (vec![0; rank], vec![0; rank]);
    for (k, &axis) in axes.iter().enumerate() {
        (begin[axis], end[axis]) = (pads[k], pads[k + axes.len()]);
    }
    Ok(Pads { begin, end })
}

fn constant(
    lift: &mut Lift,
    node: &Node<'_>,
    x: &Tensor,
    extents: &[usize],
    pads: &Pads,
    value: f32,
) -> Result<Tensor, Diagnostic> {
    let cut = |p: &i64| (-*p).max(0) as usize;
    let (front, back): (Vec<usize>, Vec<usize>) =
        (pads.begin.iter().map(cut).collect(), pads.end.iter().map(cut).collect());
    let count: Option<Vec<usize>> =
        (0..extents.len()).map(|a| extents[a].checked_sub(front[a])?.checked_sub(back[a])).collect();
    let count = count.ok_or_else(|| node.error("negative pads take away more elements than there are"))?;
    let slice = Op::Slice { begin: front, count, step: vec![1; extents.len()] };
    let x = moved(lift, node, x, vec![slice])?;
    let added = |pads: &[i64]| pads.iter().map(|p| (*p).max(0) as usize).collect::<Vec<usize>>();
    let (begin, end) = (added(&pads.begin), added(&pads.end));
    if begin.iter().chain(&end).all(|p| *p == 0) {
        return Ok(x);
    }
    match x.value {
        Value::Real(real) => {
            let value = Value::Real(lift.pad(&node.name, real, begin, end, value)?);
            Ok(Tensor { value, kind: x.kind })
        }
        Value::Constant(_) if value == 0.0 => moved(lift, node, &x, vec![Op::Pad { begin, end, value: 0 }]),
        Value::Constant(_) => Err(node.error("constants are padded with 0 only")),
    }
}

/// The elements that stand along an axis of `extent` behind the padding; `None` if it does not fit, or for other modes.
fn repeated(mode: &str, extent: i64, begin: i64, end: i64) -> Option<Vec<usize>> {
    let most = match mode {
        "reflect" => extent - 1,
        "edge" if extent > 0 => 1 << 24,
        "wrap" => extent,
        _ => return None,
    };
    if !(0..=most).contains(&begin) || !(0..=most).contains(&end) {
        return None;
    }
    elements(&[(begin + extent + end) as usize]).ok()?;
    let place = |i: i64| match mode {
        "reflect" if i < 0 => -i,
        "reflect" if i >= extent => 2 * (extent - 1) - i,
        "edge" => i.clamp(0, extent - 1),
        _ => i.rem_euclid(extent),
    };
    Some((-begin..extent + end).map(|i| place(i) as usize).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_come_again_as_in_numpy() {
        assert_eq!(repeated("reflect", 4, 2, 1), Some(vec![2, 1, 0, 1, 2, 3, 2]));
        assert_eq!(repeated("edge", 2, 2, 1), Some(vec![0, 0, 0, 1, 1]));
        assert_eq!(repeated("wrap", 3, 2, 1), Some(vec![1, 2, 0, 1, 2, 0]));
        assert_eq!(repeated("reflect", 2, 2, 0), None);
        assert_eq!(repeated("edge", 2, -1, 0), None);
        assert_eq!(repeated("mirror", 2, 1, 0), None);
    }
}
