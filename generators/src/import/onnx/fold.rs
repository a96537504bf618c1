//! Constant folding: weights behind reshapes, and the shape arithmetic that exporters leave behind.

use hdl::diag::Diagnostic;

use super::constant_of;
use super::node::{Node, Value};
use super::tensor::{self, data_type};
use crate::import::lift::{Constant, Lift};
use crate::model::{Array, elements};

/// The results of a node that computes nothing at run time; `None` if it does, or if it is a quantiser.
pub(super) fn fold(node: &Node<'_>, lift: &Lift) -> Result<Option<Vec<Constant>>, Diagnostic> {
    let integers = |values: Vec<i64>| Constant::Integer(Array { shape: vec![values.len()], values });
    let operator = node.proto.op_type.as_str();
    if operator == "Shape" {
        let shape = match node.operand(0)? {
            Value::Constant(constant) => constant.shape().to_vec(),
            Value::Real(real) => lift.shape(real).to_vec(),
        };
        return Ok(Some(vec![integers(shape.iter().map(|e| *e as i64).collect())]));
    }
    let mut operands = Vec::new();
    for k in 0..node.operands() {
        match node.optional(k)?.map(constant_of) {
            Some(Some(constant)) => operands.push(constant),
            Some(None) => return Ok(None),
            None => {}
        }
    }
    let (shape, first) = match operands.first() {
        Some(first) => (first.shape(), Some(*first)),
        None => (&[][..], None),
    };
    let folded = match (operator, first) {
        ("Constant", _) => constant(node)?,
        ("ConstantOfShape", Some(shape)) => filled(node, shape)?,
        ("Identity" | "Dropout", Some(x)) => x.clone(),
        ("Cast", Some(x)) => cast(node, x)?,
        ("Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" | "Slice" | "Gather", Some(x)) => {
            let moved = node.movements(shape)?.iter().try_fold(x.clone(), |x, op| x.moved(op));
            moved.map_err(|why| node.error(why))?
        }
        ("Concat", Some(_)) => concat(node, &operands)?,
        ("Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max", Some(_)) => binary(node, &operands)?,
        ("Sqrt" | "Neg" | "Floor" | "Ceil" | "Reciprocal" | "Abs", Some(x)) => unary(operator, x),
        ("ReduceProd", Some(Constant::Integer(x))) => {
            let product = x.values.iter().try_fold(1i64, |n, v| n.checked_mul(*v));
            let value = product.ok_or_else(|| node.error("the product overflows"))?;
            Constant::Integer(Array {
                shape: if node.int("keepdims", 1) != 0 { vec![1; shape.len()] } else { Vec::new() },
                values: vec![value],
            })
        }
        _ => return Ok(None),
    };
    Ok(Some(vec![folded]))
}

fn constant(node: &Node<'_>) -> Result<Constant, Diagnostic> {
    let ints = |values: &[i64], shape| Constant::Integer(Array { shape, values: values.to_vec() });
    if let Some(t) = node.tensor("value") {
        return tensor::constant(t).map_err(|why| node.error(why));
    }
    if let Some(values) = node.ints("value_ints") {
        return Ok(ints(values, vec![values.len()]));
    }
    if node.has("value_int") {
        return Ok(ints(&[node.int("value_int", 0)], Vec::new()));
    }
    if node.has("value_float") {
        return Ok(Constant::float(Vec::new(), vec![node.float("value_float", 0.0)]));
    }
    Err(node.error("its value is missing or of a type that is not supported"))
}

fn filled(node: &Node<'_>, shape: &Constant) -> Result<Constant, Diagnostic> {
    let Constant::Integer(dims) = shape else {
        return Err(node.error("a shape holds integers"));
    };
    let shape = tensor::shape(&dims.values).map_err(|why| node.error(why))?;
    let count = shape.iter().product();
    let value = node.tensor("value").map(tensor::constant).transpose().map_err(|why| node.error(why))?;
    Ok(match value {
        Some(Constant::Integer(v)) => {
            Constant::Integer(Array { shape, values: vec![v.values.first().copied().unwrap_or(0); count] })
        }
        Some(Constant::Float { array, .. }) => {
            Constant::float(shape, vec![array.values.first().copied().unwrap_or(0.0); count])
        }
        None => Constant::float(shape, vec![0.0; count]),
    })
}

fn cast(node: &Node<'_>, x: &Constant) -> Result<Constant, Diagnostic> {
    use data_type as t;
    Ok(match (node.int("to", 0) as i32, x) {
        (t::FLOAT, Constant::Integer(array)) => {
            Constant::float(array.shape.clone(), array.values.iter().map(|v| *v as f32).collect())
        }
        (t::INT32 | t::INT64, Constant::Float { array, .. }) => Constant::Integer(array.map(|v| *v as i64)),
        (t::FLOAT | t::INT32 | t::INT64, x) => x.clone(),
        (other, _) => {
            return Err(node.error(format!("a cast to data type {other} is not supported")));
        }
    })
}

fn concat(node: &Node<'_>, operands: &[&Constant]) -> Result<Constant, Diagnostic> {
    let rank = operands[0].shape().len();
    let axis = node.axis(node.int("axis", 0), rank)?;
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

fn binary(node: &Node<'_>, operands: &[&Constant]) -> Result<Constant, Diagnostic> {
    let &[a, b] = operands else {
        return Err(node.error(format!("{} operands are not supported, only 2", operands.len())));
    };
    let misfit = || node.error("its operands do not stretch to one shape");
    let operator = node.proto.op_type.as_str();
    if let (Constant::Integer(a), Constant::Integer(b)) = (a, b) {
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
        let values = values.ok_or_else(|| node.error("the result is no 64-bit integer"))?;
        return Ok(Constant::Integer(Array { shape: result.shape, values }));
    }
    let array = a.as_float().zip(&b.as_float(), |x, y| match operator {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Min" => x.min(*y),
        "Max" => x.max(*y),
        _ if *y == 0.5 => x.sqrt(),
        _ => f64::from(*x).powf(f64::from(*y)) as f32,
    });
    let array = array.ok_or_else(misfit)?;
    Ok(Constant::Float { array, grid: None })
}

fn unary(operator: &str, x: &Constant) -> Constant {
    let float = |f: fn(f32) -> f32| Constant::Float { array: x.as_float().map(|v| f(*v)), grid: None };
    match (operator, x) {
        ("Neg", Constant::Integer(a)) => Constant::Integer(a.map(|v| v.wrapping_neg())),
        ("Abs", Constant::Integer(a)) => Constant::Integer(a.map(|v| v.wrapping_abs())),
        ("Sqrt", _) => float(f32::sqrt),
        ("Neg", _) => float(|v| -v),
        ("Floor", _) => float(f32::floor),
        ("Ceil", _) => float(f32::ceil),
        ("Abs", _) => float(f32::abs),
        _ => float(|v| 1.0 / v),
    }
}
