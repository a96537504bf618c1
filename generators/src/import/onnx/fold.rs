//! Constant folding: weights behind reshapes, and the shape arithmetic that exporters leave behind.
//!
//! Only what every implementation computes alike is folded: integers without overflow, floats by operations that are
//! rounded once.

use hdl::diag::Diagnostic;

use super::elementwise::shape;
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use super::tensor::{self, Kind};
use crate::import::lift::{Constant, Lift};
use crate::model::{Array, broadcast, elements};

fn integers(values: Vec<i64>) -> Constant {
    Constant::Integer(Array { shape: vec![values.len()], values })
}

/// The shape of the operand, or part of it.
pub(super) fn shape_of(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let extents: Vec<i64> = shape(lift, node.operand(0)?).iter().map(|e| *e as i64).collect();
    let rank = extents.len() as i64;
    let within = |v: i64| if v < 0 { v.saturating_add(rank) } else { v }.clamp(0, rank) as usize;
    let (start, end) = (within(node.int("start", 0)?), within(node.int("end", rank)?));
    let part = extents.get(start..end).unwrap_or_default().to_vec();
    Ok(vec![Tensor::constant(integers(part), Kind::Int64)])
}

/// The number of elements of the operand.
pub(super) fn size_of_tensor(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let count = shape(lift, node.operand(0)?).iter().product::<usize>() as i64;
    let count = Constant::Integer(Array { shape: Vec::new(), values: vec![count] });
    Ok(vec![Tensor::constant(count, Kind::Int64)])
}

/// The numbers in the attributes.
pub(super) fn constant(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let mut found = Vec::new();
    if let Some(t) = node.tensor("value")? {
        let (constant, kind) = tensor::constant(t).map_err(|why| node.error(why))?;
        found.push(Tensor::constant(constant, kind));
    }
    if node.has("value_int") {
        let value = Constant::Integer(Array { shape: Vec::new(), values: vec![node.int("value_int", 0)?] });
        found.push(Tensor::constant(value, Kind::Int64));
    }
    if let Some(values) = node.ints("value_ints")? {
        found.push(Tensor::constant(integers(values.to_vec()), Kind::Int64));
    }
    if node.has("value_float") {
        let value = Constant::float(Vec::new(), vec![node.float("value_float", 0.0)?]);
        found.push(Tensor::constant(value, Kind::Float));
    }
    if let Some(values) = node.floats_attribute("value_floats")? {
        found.push(Tensor::constant(Constant::float(vec![values.len()], values.to_vec()), Kind::Float));
    }
    match found.len() {
        1 => Ok(found),
        count => Err(node.error(format!("it has {count} values instead of one"))),
    }
}

/// One number all over.
pub(super) fn filled(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let dims = node.optional_integers(0)?.ok_or_else(|| node.error("its shape is missing"))?;
    let shape = tensor::shape(&dims).map_err(|why| node.error(why))?;
    let count = shape.iter().product();
    let value = node.tensor("value")?.map(tensor::constant).transpose().map_err(|why| node.error(why))?;
    let (value, kind) = value.unwrap_or((Constant::float(vec![1], vec![0.0]), Kind::Float));
    let wanted = || node.error("its value is one number");
    let constant = match value {
        Constant::Integer(v) => {
            Constant::Integer(Array { shape, values: vec![*v.as_scalar().ok_or_else(wanted)?; count] })
        }
        Constant::Float { array, .. } => Constant::float(shape, vec![*array.as_scalar().ok_or_else(wanted)?; count]),
    };
    Ok(vec![Tensor::constant(constant, kind)])
}

/// A constant in another data type that holds its numbers.
pub(super) fn cast(node: &Node<'_>, x: &Constant, from: Kind, to: Kind) -> Result<Constant, Diagnostic> {
    let refused = || node.error(format!("a cast of {} to {} is not exact here", from.name(), to.name()));
    let within = |values: Vec<i64>| {
        let (low, high) = to.limits().unwrap_or((i64::MIN, i64::MAX));
        if values.iter().all(|v| (low..=high).contains(v)) { Ok(values) } else { Err(refused()) }
    };
    let shape = x.shape().to_vec();
    if from == to {
        return Ok(x.clone());
    }
    match (x, to) {
        (Constant::Integer(array), Kind::Bool) => Ok(Constant::Integer(array.map(|v| i64::from(*v != 0)))),
        (Constant::Float { array, .. }, Kind::Bool) => Ok(Constant::Integer(array.map(|v| i64::from(*v != 0.0)))),
        (Constant::Integer(array), Kind::Float) => {
            Ok(Constant::float(shape, array.values.iter().map(|v| *v as f32).collect()))
        }
        (Constant::Integer(array), Kind::Double) => {
            let exact = array.values.iter().all(|v| (*v as f32) as i64 == *v && v.unsigned_abs() < 1 << 53);
            let floats = array.values.iter().map(|v| *v as f32).collect();
            if exact { Ok(Constant::float(shape, floats)) } else { Err(refused()) }
        }
        (Constant::Float { .. }, Kind::Float) => Ok(x.clone()),
        (Constant::Float { .. }, Kind::Double) if from == Kind::Float => Ok(x.clone()),
        (Constant::Float { array, .. }, to) if to.limits().is_some() => {
            let whole = |v: &f32| (v.is_finite() && v.abs() < 9e18).then_some(v.trunc() as i64);
            let values: Option<Vec<i64>> = array.values.iter().map(whole).collect();
            Ok(Constant::Integer(Array { shape, values: within(values.ok_or_else(refused)?)? }))
        }
        (Constant::Integer(array), to) if to.limits().is_some() => {
            Ok(Constant::Integer(Array { shape, values: within(array.values.clone())? }))
        }
        _ => Err(refused()),
    }
}

/// An operator of two constants of data type `kind`.
pub(super) fn arithmetic(
    node: &Node<'_>,
    operator: &str,
    a: &Constant,
    b: &Constant,
    kind: Kind,
) -> Result<Constant, Diagnostic> {
    let misfit = || node.error("its operands do not stretch to one shape");
    if let (Constant::Integer(a), Constant::Integer(b)) = (a, b) {
        let (low, high) = kind.limits().unwrap_or((i64::MIN, i64::MAX));
        let result = a.zip(b, |x, y| match operator {
            "Add" => x.checked_add(*y),
            "Sub" => x.checked_sub(*y),
            "Mul" => x.checked_mul(*y),
            "Div" => x.checked_div(*y),
            "Min" => Some(*x.min(y)),
            "Max" => Some(*x.max(y)),
            _ => u32::try_from(*y).ok().and_then(|y| x.checked_pow(y)),
        });
        let result = result.ok_or_else(misfit)?;
        let values: Option<Vec<i64>> = result.values.into_iter().collect();
        let values = values.filter(|v| v.iter().all(|v| (low..=high).contains(v)));
        let values = values.ok_or_else(|| node.error(format!("the result is no {}", kind.name())))?;
        return Ok(Constant::Integer(Array { shape: result.shape, values }));
    }
    if kind != Kind::Float {
        return Err(node.error(format!("arithmetic on constants of data type {} is not supported", kind.name())));
    }
    let array = a.as_float().zip(&b.as_float(), |x, y| match operator {
        "Add" => Some(x + y),
        "Sub" => Some(x - y),
        "Mul" => Some(x * y),
        "Div" => Some(x / y),
        "Min" => Some(x.min(*y)),
        "Max" => Some(x.max(*y)),
        _ => power(*x, *y),
    });
    let array = array.ok_or_else(misfit)?;
    let values: Option<Vec<f32>> = array.values.into_iter().collect();
    let values = values.ok_or_else(|| node.error("a power that is no 32-bit float is rounded in different ways"))?;
    Ok(Constant::float(array.shape, values))
}

/// `x` to the power of `y` if libraries agree on it: squares and roots are rounded once, others must be exact.
fn power(x: f32, y: f32) -> Option<f32> {
    let wide = f64::from(x).powf(f64::from(y));
    if y == 2.0 {
        return Some(x * x);
    }
    if y == 0.5 {
        return Some(x.sqrt());
    }
    (f64::from(wide as f32) == wide).then_some(wide as f32)
}

/// A function of a constant.
pub(super) fn function(node: &Node<'_>, x: &Constant, kind: Kind) -> Result<Constant, Diagnostic> {
    let refused = || node.error(format!("it is not supported for constants of data type {}", kind.name()));
    let integer = |f: fn(i64) -> Option<i64>| match x {
        Constant::Integer(a) => {
            let (low, high) = kind.limits().ok_or_else(refused)?;
            let values: Option<Vec<i64>> = a.values.iter().map(|v| f(*v)).collect();
            let values = values.filter(|v| v.iter().all(|v| (low..=high).contains(v))).ok_or_else(refused)?;
            Ok(Constant::Integer(Array { shape: a.shape.clone(), values }))
        }
        Constant::Float { .. } => Err(refused()),
    };
    let float = |f: fn(f32) -> f32| match x {
        Constant::Float { array, .. } if kind == Kind::Float => {
            Ok(Constant::float(array.shape.clone(), array.values.iter().map(|v| f(*v)).collect()))
        }
        _ => Err(refused()),
    };
    let is_integer = matches!(x, Constant::Integer(_));
    match node.operator.name {
        "Neg" if is_integer => integer(i64::checked_neg),
        "Abs" if is_integer => integer(i64::checked_abs),
        "Relu" if is_integer => integer(|v| Some(v.max(0))),
        "Neg" => float(|v| -v),
        "Abs" => float(f32::abs),
        "Relu" => float(|v| v.max(0.0)),
        "Sqrt" => float(f32::sqrt),
        "Floor" => float(f32::floor),
        "Ceil" => float(f32::ceil),
        "Round" => float(f32::round_ties_even),
        "Sign" => float(|v| if v == 0.0 { 0.0 } else { v.signum() }),
        "Reciprocal" => {
            let inverse = float(|v| 1.0 / v)?;
            // libraries divide, or approximate the inverse and refine it: they agree where it is exact
            let exact = inverse.as_float().zip(&x.as_float(), |i, x| f64::from(*i) * f64::from(*x) == 1.0);
            match exact.is_some_and(|e| e.values.iter().all(|e| *e)) {
                true => Ok(inverse),
                false => Err(node.error("a reciprocal that is no 32-bit float is rounded in different ways")),
            }
        }
        _ => Err(node.error("it is not supported for constants")),
    }
}

/// Constants one after the other.
pub(super) fn joined(node: &Node<'_>, operands: &[&Constant], axis: i64) -> Result<Constant, Diagnostic> {
    let rank = operands[0].shape().len();
    let axis = node.axis(axis, rank)?;
    let mut shape = operands[0].shape().to_vec();
    shape[axis] = 0;
    for operand in operands {
        let other = operand.shape();
        if other.len() != rank || (0..rank).any(|a| a != axis && other[a] != shape[a]) {
            return Err(node.error("its operands do not fit each other"));
        }
        shape[axis] += other[axis];
    }
    elements(&shape).map_err(|why| node.error(why))?;
    let outer: usize = shape[..axis].iter().product();
    fn joined<V: Copy>(parts: &[(&[V], usize)], outer: usize) -> Vec<V> {
        let row = |o: usize| parts.iter().flat_map(move |(v, block)| v[o * block..(o + 1) * block].iter().copied());
        (0..outer).flat_map(row).collect()
    }
    let block = |c: &Constant| c.shape()[axis..].iter().product();
    let all_integers: Option<Vec<(&[i64], usize)>> = operands
        .iter()
        .map(|c| if let Constant::Integer(a) = c { Some((&*a.values, block(c))) } else { None })
        .collect();
    if let Some(parts) = all_integers {
        return Ok(Constant::Integer(Array { shape, values: joined(&parts, outer) }));
    }
    let arrays: Vec<Array<f32>> = operands.iter().map(|c| c.as_float()).collect();
    let parts: Vec<(&[f32], usize)> = arrays.iter().zip(operands).map(|(a, c)| (&*a.values, block(c))).collect();
    Ok(Constant::float(shape, joined(&parts, outer)))
}

/// The axes of a reduction and whether they stay; `None` if nothing is reduced.
pub(super) fn reduced_axes(node: &Node<'_>, rank: usize) -> Result<(Option<Vec<usize>>, bool), Diagnostic> {
    let keeps = node.flag("keepdims", true)?;
    let known =
        |name: &str| node.operator.attributes.iter().any(|a| a.name == name && a.versions.contain(node.version));
    let noop = known("noop_with_empty_axes") && node.flag("noop_with_empty_axes", false)?;
    let axes = if known("axes") { node.ints("axes")?.map(<[i64]>::to_vec) } else { node.optional_integers(1)? };
    match axes.filter(|axes| !axes.is_empty()) {
        Some(axes) => Ok((Some(node.distinct_axes(&axes, rank)?), keeps)),
        None if noop => Ok((None, keeps)),
        None => Ok((Some((0..rank).collect()), keeps)),
    }
}

/// The combination of all integers of a constant along axes.
pub(super) fn reduce_constant(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let kind = node.operand(0)?.kind;
    let Constant::Integer(x) = node.constant(0)? else {
        return Err(node.error("reductions of constants are supported for integers"));
    };
    let (axes, keeps) = reduced_axes(node, x.shape.len())?;
    let Some(axes) = axes else {
        return Ok(vec![node.operand(0)?.clone()]);
    };
    if axes.len() != x.shape.len() || x.values.is_empty() {
        return Err(node.error("reductions of constants are supported over all axes"));
    }
    let combine = |a: i64, b: i64| match node.operator.name {
        "ReduceProd" => a.checked_mul(b),
        "ReduceSum" => a.checked_add(b),
        "ReduceMax" => Some(a.max(b)),
        _ => Some(a.min(b)),
    };
    let (low, high) = kind.limits().unwrap_or((i64::MIN, i64::MAX));
    let value = x.values[1..].iter().try_fold(x.values[0], |a, b| combine(a, *b));
    let value = value.filter(|v| (low..=high).contains(v));
    let value = value.ok_or_else(|| node.error(format!("the result is no {}", kind.name())))?;
    let shape = if keeps { vec![1; x.shape.len()] } else { Vec::new() };
    Ok(vec![Tensor::constant(Constant::Integer(Array { shape, values: vec![value] }), kind)])
}

/// Whether the elements of two constants are equal.
pub(super) fn equal(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let (Constant::Integer(a), Constant::Integer(b)) = (node.constant(0)?, node.constant(1)?) else {
        return Err(node.error("only integers are compared"));
    };
    if node.operand(0)?.kind != node.operand(1)?.kind {
        return Err(node.error("its operands differ in data type"));
    }
    let equal = a.zip(b, |a, b| i64::from(a == b));
    let equal = equal.ok_or_else(|| node.error("its operands do not stretch to one shape"))?;
    Ok(vec![Tensor::constant(Constant::Integer(equal), Kind::Bool)])
}

/// Elements of one constant or of another.
pub(super) fn where_constant(_: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let misfit = || node.error("its operands do not stretch to one shape");
    let constant = |k: usize| match &node.operand(k)?.value {
        Value::Constant(Constant::Integer(a)) => Ok(a),
        _ => Err(node.error("only constants of integers are chosen from")),
    };
    let (condition, x, y) = (constant(0)?, constant(1)?, constant(2)?);
    let kind = node.operand(1)?.kind;
    if kind != node.operand(2)?.kind {
        return Err(node.error("its operands differ in data type"));
    }
    let shape = broadcast(&x.shape, &y.shape).and_then(|s| broadcast(&s, &condition.shape)).ok_or_else(misfit)?;
    let full = |a: &Array<i64>| a.stretched(&shape).ok_or_else(misfit);
    let (condition, x, y) = (full(condition)?, full(x)?, full(y)?);
    let values = condition.iter().zip(x.iter().zip(&y)).map(|(c, (x, y))| if *c != 0 { *x } else { *y }).collect();
    Ok(vec![Tensor::constant(Constant::Integer(Array { shape, values }), kind)])
}
