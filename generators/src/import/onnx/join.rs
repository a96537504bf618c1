//! Operators that join tensors and take them apart.

use hdl::diag::Diagnostic;

use super::elementwise::shape;
use super::fold;
use super::movement::moved;
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use crate::import::lift::{Constant, Lift};
use crate::model::Op;

/// All operands one after the other.
pub(super) fn concat(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    if !node.has("axis") {
        return Err(node.error("its axis is missing"));
    }
    let axis = node.int("axis", 0)?;
    let operands: Vec<&Tensor> = (0..node.operands()).map(|k| node.operand(k)).collect::<Result<_, _>>()?;
    let Some(kind) = operands.first().map(|t| t.kind) else {
        return Err(node.error("there is nothing to join"));
    };
    if operands.iter().any(|t| t.kind != kind) {
        return Err(node.error("its operands differ in data type"));
    }
    let known = |t: &&Tensor| match &t.value {
        Value::Constant(constant) => Some(constant.clone()),
        Value::Real(_) => None,
    };
    let constants: Option<Vec<Constant>> = operands.iter().map(known).collect();
    if let Some(constants) = constants {
        let constants: Vec<&Constant> = constants.iter().collect();
        return Ok(vec![Tensor::constant(fold::joined(node, &constants, axis)?, kind)]);
    }
    let mut parts = Vec::new();
    for operand in operands {
        parts.push(match &operand.value {
            Value::Real(real) => real.clone(),
            Value::Constant(constant) => lift.constant(&node.name, constant)?,
        });
    }
    let rank = lift.shape(&parts[0]).len();
    let axis = node.axis(axis, rank)?;
    let joined = lift.concat(&node.name, parts, axis)?;
    Ok(vec![Tensor { value: Value::Real(joined), kind }])
}

/// Parts along an axis.
pub(super) fn split(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.operand(0)?.clone();
    let (axis, sizes) = parts(node, &shape(lift, &x))?;
    let mut first = 0;
    let mut results = Vec::with_capacity(sizes.len());
    for size in sizes {
        let indices = (first..first + size).collect();
        results.push(moved(lift, node, &x, vec![Op::Gather { axis, indices }])?);
        first += size;
    }
    Ok(results)
}

/// The axis and the number of elements of each part.
fn parts(node: &Node<'_>, shape: &[usize]) -> Result<(usize, Vec<usize>), Diagnostic> {
    let axis = node.axis(node.int("axis", 0)?, shape.len())?;
    let extent = shape[axis];
    let outputs = node.results().max(1);
    let count = node.int("num_outputs", outputs as i64)?;
    if count != outputs as i64 {
        return Err(node.error(format!("it names {outputs} results, but num_outputs is {count}")));
    }
    let given = match node.version < 13 {
        true => node.ints("split")?.map(<[i64]>::to_vec),
        false => node.optional_integers(1)?,
    };
    if node.version >= 18 && given.is_some() == node.has("num_outputs") {
        return Err(node.error("it has both split and num_outputs, or neither"));
    }
    let sizes: Option<Vec<usize>> = match given {
        Some(sizes) => sizes.iter().map(|s| usize::try_from(*s).ok()).collect(),
        None if node.version < 18 && !extent.is_multiple_of(outputs) => {
            return Err(node.error(format!("{extent} elements make no {outputs} equal parts")));
        }
        None => {
            let size = extent.div_ceil(outputs);
            Some((0..outputs).map(|k| size.min(extent.saturating_sub(k * size))).collect())
        }
    };
    let sizes = sizes.filter(|s| s.len() == outputs);
    let sizes = sizes.filter(|s| s.iter().try_fold(0usize, |n, s| n.checked_add(*s)) == Some(extent));
    sizes.map(|s| (axis, s)).ok_or_else(|| node.error(format!("its parts do not add up to {extent}")))
}
