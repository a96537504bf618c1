//! What a function of Keras' is called with, by parameter; nothing of it may be left unread.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::Value as Json;

use super::Function;
use crate::import::keras::KerasLayer;
use crate::import::keras::layer_calls::{Argument, Call};
use crate::import::lift::{Lift, Real};
use crate::model::Array;

/// Deepest list of numbers.
const MAX_DEPTH: usize = 8;

/// A parameter that is a tensor or numbers.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// Computed.
    Tensor(Real),
    /// Known.
    Constant(Array<f32>),
}

/// The arguments of one use of a function. A getter takes an argument, `k` counts the function's parameters.
pub(super) struct Arguments<'l> {
    pub layer: &'l KerasLayer,
    function: &'static Function,
    given: Vec<Option<Argument<Real>>>,
}

impl<'l> Arguments<'l> {
    /// The arguments of a call, and what Keras 3 keeps in the configuration.
    ///
    /// # Errors
    /// Parameters that the function does not have, or that are given twice.
    pub fn of(layer: &'l KerasLayer, function: &'static Function, call: Call<Real>) -> Result<Self, Diagnostic> {
        let mut arguments = Self { layer, function, given: vec![None; function.parameters.len()] };
        let positional = call.positional.into_iter().enumerate();
        let positional = positional.map(|(k, a)| (function.parameters.get(k).copied().map(str::to_owned), a));
        let keyword = call.keyword.into_iter().map(|(name, a)| (Some(name), a));
        for (name, argument) in positional.chain(keyword) {
            let name = name.ok_or_else(|| layer.error("it is called with more arguments than are supported"))?;
            if !arguments.harmless(&name, &argument) {
                arguments.give(&name, argument)?;
            }
        }
        // the configuration of Keras 2's layer is that of a layer
        let own = super::is_one(&layer.class);
        if own {
            layer.config.accept(function.known);
        }
        for name in function.parameters.iter().filter(|_| own) {
            if layer.config.has(name) {
                arguments.give(name, Argument::Constant(layer.config.value(name).clone()))?;
            }
        }
        Ok(arguments)
    }

    fn harmless(&self, name: &str, argument: &Argument<Real>) -> bool {
        let known = self.function.known.iter().find(|known| known.key == name);
        matches!((known, argument), (Some(known), Argument::Constant(value)) if known.accept.holds(value))
    }

    fn give(&mut self, name: &str, argument: Argument<Real>) -> Result<(), Diagnostic> {
        let place = self.function.parameters.iter().position(|parameter| *parameter == name);
        let place = place.ok_or_else(|| self.error(format!("its argument {} is not supported", quoted(name))))?;
        match self.given[place].replace(argument) {
            None => Ok(()),
            Some(_) => Err(self.error(format!("its argument {} is given twice", quoted(name)))),
        }
    }

    /// An error if an argument has not been taken.
    ///
    /// # Errors
    /// That argument.
    pub fn finish(&self) -> Result<(), Diagnostic> {
        let left =
            self.given.iter().position(|a| a.as_ref().is_some_and(|a| !matches!(a, Argument::Constant(Json::Null))));
        left.map_or(Ok(()), |k| Err(self.wrong(k, "left out")))
    }

    /// An error at the layer.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.layer.error(message)
    }

    /// An error at an argument.
    pub fn wrong(&self, k: usize, wanted: &str) -> Diagnostic {
        self.error(format!(
            "its argument {} is not supported; expected is {wanted}",
            quoted(self.function.parameters[k])
        ))
    }

    /// A tensor.
    pub fn tensor(&mut self, k: usize) -> Result<Real, Diagnostic> {
        match self.given[k].take() {
            Some(Argument::Tensor(x)) => Ok(x),
            _ => Err(self.wrong(k, "a tensor")),
        }
    }

    /// A list of tensors.
    pub fn tensors(&mut self, k: usize) -> Result<Vec<Real>, Diagnostic> {
        let tensor = |argument| match argument {
            Argument::Tensor(x) => Some(x),
            _ => None,
        };
        let tensors: Option<Vec<Real>> = match self.given[k].take() {
            Some(Argument::List(list)) => list.into_iter().map(tensor).collect(),
            Some(one) => tensor(one).map(|x| vec![x]),
            None => None,
        };
        tensors.ok_or_else(|| self.wrong(k, "a list of tensors"))
    }

    /// A tensor or numbers.
    pub fn operand(&mut self, k: usize) -> Result<Operand, Diagnostic> {
        match self.given[k].take() {
            Some(Argument::Tensor(x)) => Ok(Operand::Tensor(x)),
            Some(Argument::Constant(value)) => {
                let constant = array(&value).ok_or_else(|| self.wrong(k, "a tensor, or numbers of at most 32 bits"))?;
                Ok(Operand::Constant(constant))
            }
            _ => Err(self.wrong(k, "a tensor or numbers")),
        }
    }

    /// Anything without a tensor; null if it is not given.
    pub fn value(&mut self, k: usize) -> Result<Json, Diagnostic> {
        match self.given[k].take() {
            None => Ok(Json::Null),
            Some(Argument::Constant(value)) => Ok(value),
            Some(_) => Err(self.wrong(k, "no tensor")),
        }
    }

    /// A number, `default` if it is not given; `None` has a meaning of its own.
    pub fn number(&mut self, k: usize, default: f32) -> Result<f32, Diagnostic> {
        match self.given[k].take() {
            None => Ok(default),
            Some(Argument::Constant(Json::Number(number))) => Ok(number.as_f64().unwrap_or(f64::NAN) as f32),
            _ => Err(self.wrong(k, "a number")),
        }
    }

    /// True or false, `default` if it is not given.
    pub fn flag(&mut self, k: usize, default: bool) -> Result<bool, Diagnostic> {
        match self.given[k].take() {
            None => Ok(default),
            Some(Argument::Constant(Json::Bool(flag))) => Ok(flag),
            _ => Err(self.wrong(k, "true or false")),
        }
    }

    /// An integer or a list of them; none if it is not given.
    pub fn integers(&mut self, k: usize) -> Result<Option<Vec<i64>>, Diagnostic> {
        let integers = match self.value(k)? {
            Json::Null => return Ok(None),
            Json::Array(list) => list.iter().map(Json::as_i64).collect(),
            one => one.as_i64().map(|one| vec![one]),
        };
        let integers: Option<Vec<i64>> = integers;
        integers.map(Some).ok_or_else(|| self.wrong(k, "integers"))
    }

    /// Axes of a tensor with `rank` of them, none of which counts samples.
    pub fn axes(&mut self, k: usize, rank: usize) -> Result<Vec<usize>, Diagnostic> {
        let axes = self.integers(k)?.ok_or_else(|| self.wrong(k, "one axis or a list, without that of the samples"))?;
        let mut axes: Vec<usize> =
            axes.into_iter().map(|axis| self.layer.axis(Some(axis), rank)).collect::<Result<_, _>>()?;
        axes.sort_unstable();
        match axes.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(self.wrong(k, "axes that differ")),
            false => Ok(axes),
        }
    }

    /// One axis of a tensor with `rank` of them, which does not count samples.
    pub fn axis(&mut self, k: usize, rank: usize) -> Result<usize, Diagnostic> {
        match self.axes(k, rank)?.as_slice() {
            [axis] => Ok(*axis),
            _ => Err(self.wrong(k, "one axis")),
        }
    }

    /// As [`Arguments::axis`], the last one if it is not given.
    pub fn axis_or_last(&mut self, k: usize, lift: &Lift, x: &Real) -> Result<usize, Diagnostic> {
        let rank = lift.shape(x).len();
        match self.given[k] {
            None => self.layer.axis(Some(-1), rank),
            _ => self.axis(k, rank),
        }
    }
}

/// Numbers as Keras writes them: one, nested lists, or an array with its type.
fn array(value: &Json) -> Option<Array<f32>> {
    if value["class_name"] == "__numpy__" || value["class_name"] == "__tensor__" {
        let config = &value["config"];
        let kind = config["dtype"].as_str()?;
        let few_bits = matches!(kind, "float32" | "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32");
        return few_bits.then(|| nested(&config["value"], MAX_DEPTH)).flatten();
    }
    nested(value, MAX_DEPTH)
}

fn nested(value: &Json, depth: usize) -> Option<Array<f32>> {
    let Json::Array(list) = value else {
        let number = value.as_f64()? as f32;
        return number.is_finite().then(|| Array::scalar(number));
    };
    let depth = depth.checked_sub(1)?;
    let parts: Vec<Array<f32>> = list.iter().map(|v| nested(v, depth)).collect::<Option<_>>()?;
    let inner = &parts.first()?.shape;
    if parts.iter().any(|part| part.shape != *inner) {
        return None;
    }
    let shape = [&[parts.len()], inner.as_slice()].concat();
    Some(Array { shape, values: parts.into_iter().flat_map(|part| part.values).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_in_all_forms() {
        let shape = |value: Json| array(&value).map(|a| (a.shape, a.values));
        assert_eq!(shape(json!(0.5)), Some((vec![], vec![0.5])));
        assert_eq!(shape(json!([[1, 2], [3, 4]])), Some((vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])));
        let typed = |kind: &str| json!({"class_name": "__numpy__", "config": {"value": [1, 2], "dtype": kind}});
        assert_eq!(shape(typed("float32")), Some((vec![2], vec![1.0, 2.0])));
        for odd in [typed("float64"), json!([[1], 2]), json!([]), json!("a"), json!(true), json!(1e300)] {
            assert_eq!(shape(odd.clone()), None, "{odd}");
        }
    }
}
