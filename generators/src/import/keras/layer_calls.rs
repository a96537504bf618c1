//! What a layer is called on, in all forms in which Keras has written it.
//!
//! Keras 2 lists, for each use of a layer, `["name", use, tensor, {keywords}]` for every tensor; Keras 3 writes
//! `{"args": […], "kwargs": {…}}` with tensors as `{"class_name": "__keras_tensor__", …}` anywhere inside.

use hdl::diag::Diagnostic;
use serde_json::{Map, Value as Json};

use crate::import::keras::settings::Settings;

/// Deepest list of arguments.
const MAX_DEPTH: usize = 8;

/// Keras 2's name of a constant among tensors.
const CONSTANT: &str = "_CONSTANT_VALUE";

/// A result of one use of a layer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Reference {
    /// The layer's name in its model.
    pub layer: String,
    /// Which use of it.
    pub node: usize,
    /// Which of that use's results.
    pub tensor: usize,
}

/// What is given for one parameter of a call; `R` is a [`Reference`], or a tensor when the call is carried out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument<R = Reference> {
    /// A tensor.
    Tensor(R),
    /// A list.
    List(Vec<Argument<R>>),
    /// Anything without a tensor.
    Constant(Json),
}

/// One use of a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call<R = Reference> {
    /// What stands in the parentheses without a name.
    pub positional: Vec<Argument<R>>,
    /// What has a name.
    pub keyword: Vec<(String, Argument<R>)>,
}

impl<R> Argument<R> {
    fn each<'a>(&'a self, found: &mut Vec<&'a R>) {
        match self {
            Self::Tensor(tensor) => found.push(tensor),
            Self::List(list) => list.iter().for_each(|a| a.each(found)),
            Self::Constant(_) => {}
        }
    }

    fn map<S, E>(&self, of: &mut dyn FnMut(&R) -> Result<S, E>) -> Result<Argument<S>, E> {
        Ok(match self {
            Self::Tensor(tensor) => Argument::Tensor(of(tensor)?),
            Self::List(list) => Argument::List(list.iter().map(|a| a.map(of)).collect::<Result<_, _>>()?),
            Self::Constant(value) => Argument::Constant(value.clone()),
        })
    }
}

impl<R> Call<R> {
    /// All tensors, in order.
    pub fn tensors(&self) -> Vec<&R> {
        let mut found = Vec::new();
        self.positional.iter().for_each(|a| a.each(&mut found));
        self.keyword.iter().for_each(|(_, a)| a.each(&mut found));
        found
    }

    /// The same call with other tensors.
    pub fn map<S, E>(&self, mut of: impl FnMut(&R) -> Result<S, E>) -> Result<Call<S>, E> {
        let keyword =
            |(name, a): &(String, Argument<R>), of: &mut dyn FnMut(&R) -> Result<S, E>| Ok((name.clone(), a.map(of)?));
        Ok(Call {
            positional: self.positional.iter().map(|a| a.map(&mut of)).collect::<Result<_, _>>()?,
            keyword: self.keyword.iter().map(|k| keyword(k, &mut of)).collect::<Result<_, _>>()?,
        })
    }
}

/// `["name", use, tensor]`, with or without something behind it.
fn reference(value: &Json) -> Option<(Reference, Option<&Json>)> {
    let list = value.as_array().filter(|list| (3..=4).contains(&list.len()))?;
    let layer = list[0].as_str()?.to_owned();
    let index = |v: &Json| v.as_u64().and_then(|v| usize::try_from(v).ok());
    let reference = Reference { layer, node: index(&list[1])?, tensor: index(&list[2])? };
    Some((reference, list.get(3)))
}

/// The references in a model's `input_layers` or `output_layers`: one, a list, or an object of such, in the order in which
/// Keras flattens them.
///
/// # Errors
/// Anything else.
pub(super) fn references(value: &Json, place: &Settings) -> Result<Vec<Reference>, Diagnostic> {
    let mut found = Vec::new();
    let fits = collect(value, MAX_DEPTH, &mut found);
    fits.then_some(found).ok_or_else(|| place.error("its lists of inputs and outputs do not name tensors"))
}

fn collect(value: &Json, depth: usize, found: &mut Vec<Reference>) -> bool {
    if let Some((reference, None)) = reference(value) {
        found.push(reference);
        return true;
    }
    match value {
        Json::Array(list) if depth > 0 => list.iter().all(|v| collect(v, depth - 1, found)),
        Json::Object(object) if depth > 0 => object.values().all(|v| collect(v, depth - 1, found)),
        _ => false,
    }
}

/// The uses of a layer in its `inbound_nodes`.
///
/// # Errors
/// Anything that is neither Keras 2's form nor Keras 3's.
pub(super) fn calls(nodes: &Json, place: &Settings) -> Result<Vec<Call>, Diagnostic> {
    let nodes = match nodes {
        Json::Null => return Ok(Vec::new()),
        Json::Array(nodes) => nodes,
        _ => return Err(place.error("its `inbound_nodes` are no list")),
    };
    nodes.iter().map(|node| call(node).map_err(|why| place.error(format!("a use of it {why}")))).collect()
}

fn call(node: &Json) -> Result<Call, String> {
    if let Json::Object(object) = node {
        if let Some(odd) = object.keys().find(|key| !matches!(key.as_str(), "args" | "kwargs")) {
            return Err(format!("has the key `{odd}`, which is not known"));
        }
        let (Some(Json::Array(args)), Some(Json::Object(kwargs))) = (object.get("args"), object.get("kwargs")) else {
            return Err("does not list its arguments".into());
        };
        let positional = args.iter().map(|v| argument(v, MAX_DEPTH)).collect::<Result<_, _>>()?;
        let keyword = |(name, v): (&String, &Json)| Ok((name.clone(), argument(v, MAX_DEPTH)?));
        return Ok(Call { positional, keyword: kwargs.iter().map(keyword).collect::<Result<_, String>>()? });
    }
    let mut keywords: Option<Map<String, Json>> = None;
    let first = match node {
        Json::Array(list) if reference(node).is_none() && list.len() == 1 => old(&list[0], MAX_DEPTH, &mut keywords)?,
        other => old(other, MAX_DEPTH, &mut keywords)?,
    };
    let named = |(name, v): (String, Json)| Ok((name, old_keyword(&v)?));
    let keyword = keywords.unwrap_or_default().into_iter().map(named).collect::<Result<_, String>>()?;
    Ok(Call { positional: vec![first], keyword })
}

/// An argument as Keras 3 writes it.
fn argument(value: &Json, depth: usize) -> Result<Argument, String> {
    let deeper = || depth.checked_sub(1).ok_or("nests its arguments too deeply");
    match value {
        Json::Object(object) if object.get("class_name").is_some_and(|c| c == "__keras_tensor__") => {
            let history = reference(&value["config"]["keras_history"]);
            history.map(|(r, _)| Argument::Tensor(r)).ok_or_else(|| "takes a tensor of nowhere".into())
        }
        Json::Array(list) if has_tensor(value, MAX_DEPTH) => {
            let depth = deeper()?;
            Ok(Argument::List(list.iter().map(|v| argument(v, depth)).collect::<Result<_, _>>()?))
        }
        Json::Object(_) if has_tensor(value, MAX_DEPTH) => {
            Err("takes tensors by name in an object, which is not supported".into())
        }
        constant => Ok(Argument::Constant(constant.clone())),
    }
}

fn has_tensor(value: &Json, depth: usize) -> bool {
    if value.get("class_name").is_some_and(|c| c == "__keras_tensor__") || depth == 0 {
        return true;
    }
    match value {
        Json::Array(list) => list.iter().any(|v| has_tensor(v, depth - 1)),
        Json::Object(object) => object.values().any(|v| has_tensor(v, depth - 1)),
        _ => false,
    }
}

/// The first argument of a call as Keras 2 writes it; keywords stand at each of its tensors.
fn old(value: &Json, depth: usize, keywords: &mut Option<Map<String, Json>>) -> Result<Argument, String> {
    const ODD: &str = "is written in a form that is not known";
    let list = value.as_array().ok_or(ODD)?;
    let constant = list.first().is_some_and(|name| name == CONSTANT) && list.len() >= 3;
    let (argument, own) = match reference(value) {
        Some((reference, own)) => (Argument::Tensor(reference), own),
        None if constant => (Argument::Constant(list[2].clone()), list.get(3)),
        None => {
            let depth = depth.checked_sub(1).ok_or("nests its arguments too deeply")?;
            let list: Result<_, String> = list.iter().map(|v| old(v, depth, keywords)).collect();
            return Ok(Argument::List(list?));
        }
    };
    let own = match own {
        None => Map::new(),
        Some(Json::Object(own)) => own.clone(),
        Some(_) => return Err(ODD.into()),
    };
    match keywords {
        Some(known) if *known != own => Err("gives different keywords with its tensors".into()),
        known => {
            *known = Some(own);
            Ok(argument)
        }
    }
}

/// A keyword argument as Keras 2 writes it.
fn old_keyword(value: &Json) -> Result<Argument, String> {
    match (reference(value), value) {
        (Some((reference, None)), _) => Ok(Argument::Tensor(reference)),
        (_, Json::Array(list)) if list.iter().any(|v| reference(v).is_some()) => {
            Ok(Argument::List(list.iter().map(old_keyword).collect::<Result<_, _>>()?))
        }
        _ => Ok(Argument::Constant(value.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tensor(layer: &str, node: usize) -> Argument {
        Argument::Tensor(Reference { layer: layer.to_owned(), node, tensor: 0 })
    }

    #[test]
    fn keras_2_lists_a_layer_at_each_tensor() {
        let one = call(&json!([["a", 1, 0, {"training": false}]])).unwrap();
        assert_eq!(one.positional, [tensor("a", 1)]);
        assert_eq!(one.keyword, [("training".to_owned(), Argument::Constant(json!(false)))]);
        let two = call(&json!([["a", 0, 0, {}], ["b", 0, 0, {}]])).unwrap();
        assert_eq!(two.positional, [Argument::List(vec![tensor("a", 0), tensor("b", 0)])]);
        let named = call(&json!([["a", 0, 0, {"y": ["b", 2, 0], "name": null}]])).unwrap();
        assert_eq!(named.keyword[1], ("y".to_owned(), tensor("b", 2)));
        let constant = call(&json!([["_CONSTANT_VALUE", -1, 2.0, {"y": ["b", 0, 0]}]])).unwrap();
        assert_eq!(constant.positional, [Argument::Constant(json!(2.0))]);
    }

    #[test]
    fn keras_3_writes_tensors_anywhere() {
        let t = |layer: &str| json!({"class_name": "__keras_tensor__", "config": {"keras_history": [layer, 0, 0]}});
        let node = json!({"args": [[t("a"), t("b")], 3], "kwargs": {"value": t("c"), "mask": null}});
        let call = call(&node).unwrap();
        let list = Argument::List(vec![tensor("a", 0), tensor("b", 0)]);
        assert_eq!(call.positional, [list, Argument::Constant(json!(3))]);
        assert_eq!(call.keyword[1], ("value".to_owned(), tensor("c", 0)));
        assert_eq!(call.tensors().len(), 3);
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let nested = (0..12).fold(json!(["a", 0, 0, {}]), |inner, _| json!([inner, inner]));
        for node in [
            json!(3),
            json!([["a", 0]]),
            json!([["a", 0, 0, 1]]),
            json!({"args": [], "kwargs": {}, "more": 1}),
            json!({"args": 1, "kwargs": {}}),
            json!([["a", 0, 0, {"x": 1}], ["b", 0, 0, {}]]),
            json!({"args": [{"class_name": "__keras_tensor__"}], "kwargs": {}}),
            json!({"args": [{"x": {"class_name": "__keras_tensor__"}}], "kwargs": {}}),
            nested,
        ] {
            assert!(call(&node).is_err(), "{node}");
        }
    }

    #[test]
    fn lists_of_outputs_may_be_one_a_list_or_named() {
        let place = Settings::new("model", Map::new());
        let count = |value: Json| references(&value, &place).map(|r| r.len()).ok();
        assert_eq!(count(json!(["x", 0, 0])), Some(1));
        assert_eq!(count(json!([["x", 0, 0], ["y", 1, 0]])), Some(2));
        assert_eq!(count(json!({"b": ["x", 0, 0], "a": [["y", 1, 0]]})), Some(2));
        assert_eq!(count(json!(["x", 0])), None);
        assert_eq!(count(json!(null)), None);
    }
}
