//! Shapes of results.

use super::array::{Array, broadcast};
use super::graph::{TensorInfo, stretches};
use super::movement::{elements, moved};
use super::op::{Op, PoolKind};
use super::requantise::Requantise;
use super::window::Window;

/// The shape of `op`'s result, or what does not fit. Parameters are checked too.
pub(super) fn shape_of(op: &Op, operands: &[&TensorInfo]) -> Result<Vec<usize>, String> {
    let x = operands.first().map_or(&[][..], |x| &x.shape);
    if let Some(moved) = moved(op, x) {
        return moved.map(|m| m.shape);
    }
    let shape = match op {
        Op::Constant(array) => well_formed(array)?.shape.clone(),
        Op::Dense { weights, bias, multiplication } => {
            multiplication.check(weights.values.iter().chain(bias))?;
            dense(x, weights, bias)?
        }
        Op::Convolution { weights, bias, window, groups, multiplication } => {
            multiplication.check(weights.values.iter().chain(bias))?;
            convolution(x, weights, bias, window, *groups)?
        }
        Op::MatMul => matrix_product(x, &operands[1].shape)?,
        Op::Pool { kind, window } => {
            let (outer, spatial) = spatial(x)?;
            if *kind == PoolKind::Max && window.misses(spatial)? {
                return Err("a window that sees only padding has no greatest element".into());
            }
            [outer, &window.visited(spatial)?].concat()
        }
        Op::Reduce { axes, .. } => {
            let mut shape = x.to_vec();
            for &axis in axes {
                let extent = shape.get_mut(axis).ok_or_else(|| no_axis(axis, x))?;
                if *extent == 0 {
                    return Err("there is nothing to combine".into());
                }
                *extent = 1;
            }
            shape
        }
        Op::ArgMax { axis } => {
            let mut shape = x.to_vec();
            let extent = shape.get_mut(*axis).ok_or_else(|| no_axis(*axis, x))?;
            if *extent == 0 {
                return Err("there is nothing to choose from".into());
            }
            *extent = 1;
            shape
        }
        Op::Softmax(softmax) => {
            softmax.check()?;
            match x.get(softmax.axis) {
                None => return Err(no_axis(softmax.axis, x)),
                Some(0) => return Err("there is nothing to compare".into()),
                Some(_) => x.to_vec(),
            }
        }
        Op::Add | Op::Sub | Op::Mul | Op::Min | Op::Max | Op::And | Op::Or | Op::Xor => {
            let y = &operands[1].shape;
            broadcast(x, y).ok_or_else(|| format!("{x:?} and {y:?} do not stretch to one shape"))?
        }
        Op::Concat { axis } => concatenated(*axis, operands)?,
        Op::Threshold { functions } => {
            if !stretches(well_formed(functions)?, x) {
                return Err(format!("functions of shape {:?} do not stretch to {x:?}", functions.shape));
            }
            if !functions.values.iter().all(|f| f.is_ordered()) {
                return Err("the places of a step function rise".into());
            }
            x.to_vec()
        }
        Op::Requantise(r) => {
            r.check()?;
            x.to_vec()
        }
        Op::RequantiseEach { formats } => {
            if formats.values.is_empty() || !stretches(well_formed(formats)?, x) {
                return Err(format!("formats of shape {:?} do not stretch to {x:?}", formats.shape));
            }
            formats.values.iter().try_for_each(Requantise::check)?;
            x.to_vec()
        }
        Op::Block(block) => block.part().result(operands)?.shape,
        Op::Clamp { lo, hi } if lo > hi => return Err(format!("[{lo}, {hi}] is empty")),
        _ => x.to_vec(),
    };
    elements(&shape)?;
    Ok(shape)
}

fn no_axis(axis: usize, shape: &[usize]) -> String {
    format!("{shape:?} has no axis {axis}")
}

fn well_formed<V>(array: &Array<V>) -> Result<&Array<V>, String> {
    if array.well_formed() {
        Ok(array)
    } else {
        Err(format!("{} values cannot have shape {:?}", array.values.len(), array.shape))
    }
}

fn dense(x: &[usize], weights: &Array<i64>, bias: &[i64]) -> Result<Vec<usize>, String> {
    let [outputs, inputs] = *well_formed(weights)?.shape.as_slice() else {
        return Err("weights have two axes, outputs and inputs".into());
    };
    let Some((&last, outer)) = x.split_last().filter(|(last, _)| **last == inputs) else {
        return Err(format!("{inputs} weights an output do not fit operands of shape {x:?}"));
    };
    if last == 0 {
        return Err(format!("operands of shape {x:?} have no elements"));
    }
    if bias.len() != outputs {
        return Err(format!("{outputs} outputs need as many biases, found {}", bias.len()));
    }
    Ok([outer, &[outputs]].concat())
}

/// Batch and channel axes, and the spatial ones.
pub(super) fn spatial(x: &[usize]) -> Result<(&[usize], &[usize]), String> {
    if x.len() < 3 || x.len() > 5 {
        return Err(format!("expected batch, channel and 1 to 3 spatial axes, found {x:?}"));
    }
    Ok(x.split_at(2))
}

fn convolution(
    x: &[usize],
    weights: &Array<i64>,
    bias: &[i64],
    window: &Window,
    groups: usize,
) -> Result<Vec<usize>, String> {
    let (outer, spatial) = spatial(x)?;
    let [filters, channels, kernel @ ..] = well_formed(weights)?.shape.as_slice() else {
        return Err("weights have axes filters, channels and kernel".into());
    };
    if groups == 0 || filters % groups != 0 || channels.checked_mul(groups) != Some(outer[1]) {
        return Err(format!(
            "{filters} filters over {channels} channels in {groups} groups do not fit {} channels",
            outer[1]
        ));
    }
    if kernel != window.kernel {
        return Err(format!("weights of a {kernel:?} kernel do not fit {:?}", window.kernel));
    }
    if bias.len() != *filters {
        return Err(format!("{filters} filters need as many biases, found {}", bias.len()));
    }
    Ok([&[outer[0], *filters], &*window.visited(spatial)?].concat())
}

fn matrix_product(x: &[usize], y: &[usize]) -> Result<Vec<usize>, String> {
    let wrong = || format!("{x:?} and {y:?} do not multiply");
    let ([a @ .., m, k], [b @ .., l, n]) = (x, y) else {
        return Err(wrong());
    };
    if k != l || *k == 0 {
        return Err(wrong());
    }
    let outer = broadcast(a, b).ok_or_else(wrong)?;
    Ok([&*outer, &[*m, *n]].concat())
}

fn concatenated(axis: usize, operands: &[&TensorInfo]) -> Result<Vec<usize>, String> {
    let mut shape = operands[0].shape.clone();
    if axis >= shape.len() {
        return Err(no_axis(axis, &shape));
    }
    for operand in &operands[1..] {
        let other = &operand.shape;
        let alike = other.len() == shape.len() && (0..shape.len()).all(|a| a == axis || other[a] == shape[a]);
        if !alike {
            return Err(format!("{other:?} cannot follow {shape:?} along axis {axis}"));
        }
        shape[axis] = shape[axis].saturating_add(other[axis]);
    }
    Ok(shape)
}
