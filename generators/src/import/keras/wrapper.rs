//! Layers around a layer.

use std::rc::Rc;

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, PLACE, none};
use super::layer_calls::{Argument, Call};
use super::origin::Class;
use super::weights::Tensor;
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{Lift, Real};
use crate::model::Op;

/// The layer inside a layer of `class` with `config`, without its tensors; none if the class has none.
pub(super) fn inner(class: &str, config: &Settings) -> Result<Option<KerasLayer>, Diagnostic> {
    if !CLASSES.iter().any(|c| c.names.contains(&class)) {
        return Ok(None);
    }
    let missing = || config.error("its inner layer is missing");
    let outer = config.object("layer")?.ok_or_else(missing)?;
    outer.accept(&PLACE);
    let class = Class::read(&outer)?.ok_or_else(missing)?.name;
    let name = outer.peek("config")["name"].as_str().ok_or_else(missing)?.to_owned();
    let Json::Object(entries) = outer.value("config") else {
        return Err(missing());
    };
    let place = format!("{}, inner layer {} ({class})", config.place(), hdl::names::quoted(&name));
    let config = Settings::new(place, entries.clone());
    Ok(Some(KerasLayer { class, name, config, tensors: Rc::default(), inner: None }))
}

/// Tensors by their paths in a layer's group.
type Found = Vec<(String, Tensor)>;

/// The tensors of a wrapper of `class` itself, and those of the layer in it as the wrapper's mask leaves them.
///
/// # Errors
/// A mask whose weights cannot be told from others.
pub(super) fn parts(class: &str, found: Found) -> Result<(Found, Found), String> {
    let numbered = |path: &str| class == PRUNE && path.starts_with("vars/");
    let (mut own, inside): (Found, Found) =
        found.into_iter().partition(|(path, _)| numbered(path) || PRUNING_VARIABLES.contains(&variable(path)));
    let mut inside: Found =
        inside.into_iter().map(|(path, tensor)| (path.trim_start_matches("layer/").to_owned(), tensor)).collect();
    if own.iter().any(|(path, _)| numbered(path)) {
        // the weights stand there once more, in front of what belongs to pruning
        let first = own.remove(0).1;
        if own.len() != PRUNING_VARIABLES.len() || !inside.iter().any(|(_, weights)| *weights == first) {
            return Err("its tensors are not the weights, their mask, a threshold and a counter".into());
        }
        own.iter_mut().zip(PRUNING_VARIABLES).for_each(|((path, _), name)| name.clone_into(path));
    }
    mask(&own, &mut inside)?;
    Ok((own, inside))
}

/// Multiplies the weights of the inner layer, whose tensors are `inside`, by the wrapper's `own` mask, as the wrapper does
/// in every call: a file that was written in the middle of training has weights that the mask takes away.
fn mask(own: &[(String, Tensor)], inside: &mut [(String, Tensor)]) -> Result<(), String> {
    let mut masks = own.iter().filter(|(path, _)| variable(path) == PRUNING_VARIABLES[0]).map(|(_, mask)| mask);
    let Some(mask) = masks.next() else {
        return Ok(());
    };
    let mut pruned = inside.iter_mut().filter(|(_, weights)| weights.shape == mask.shape);
    let (Some((_, weights)), None, None) = (pruned.next(), pruned.next(), masks.next()) else {
        return Err(format!("which weights its mask of shape {:?} is for cannot be told", mask.shape));
    };
    weights.data.iter_mut().zip(&mask.data).for_each(|(weight, kept)| *weight *= kept);
    Ok(())
}

/// The last name of a path.
fn variable(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path).trim_end_matches(":0")
}

/// What prunes the weights of a layer.
const PRUNE: &str = "PruneLowMagnitude";

/// Its own variables, in their order.
const PRUNING_VARIABLES: [&str; 3] = ["mask", "threshold", "pruning_step"];

/// What decides during training which weights are pruned; the mask that came of it is in the file.
const PRUNING: &[Known] = &[
    Known::any("pruning_schedule", "training"),
    Known::any("block_size", "training"),
    Known::any("block_pooling_type", "training"),
    Known::any("sparsity_m_by_n", "training"),
];

/// Layers around a layer.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["TimeDistributed"],
        keys: &[&["layer"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_time_distributed),
    },
    LayerClass {
        names: &[PRUNE],
        keys: &[&["layer"]],
        known: &[PRUNING],
        variables: none,
        build: Build::One(|lift, layer, x| {
            // the weights were multiplied by it when they were read
            layer.tensors.get(PRUNING_VARIABLES[0]);
            lift.keras_inner(layer, layer.name.clone(), x)
        }),
    },
];

impl Lift {
    /// The inner layer on each slice along the axis behind the batch.
    fn keras_time_distributed(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        if shape.len() < 3 {
            return Err(layer.error(format!("shape {shape:?} has no axis of times")));
        }
        let mut slices = Vec::new();
        for time in 0..shape[1] {
            let name = format!("{}/{time}", layer.name);
            let begin = (0..shape.len()).map(|axis| if axis == 1 { time } else { 0 }).collect();
            let mut count = shape.clone();
            count[1] = 1;
            let slice = self.moved(&name, x.clone(), Op::Slice { begin, count, step: vec![1; shape.len()] })?;
            let operand = [&[1], &shape[2..]].concat();
            let slice = self.moved(&name, slice, Op::Reshape { shape: operand })?;
            let y = self.keras_inner(layer, name.clone(), slice)?;
            let result = [&[1, 1], &self.shape(&y)[1..]].concat();
            slices.push(self.moved(&name, y, Op::Reshape { shape: result })?);
        }
        self.concat(&layer.name, slices, 1)
    }

    fn keras_inner(&mut self, layer: &KerasLayer, name: String, x: Real) -> Result<Real, Diagnostic> {
        let inner = layer.inner.as_ref().ok_or_else(|| layer.error("it has no inner layer"))?;
        let call = Call { positional: vec![Argument::Tensor(x)], keyword: Vec::new() };
        self.keras_single(&Rc::clone(inner).named(name), call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(path: &str, shape: &[u64], data: &[f32]) -> (String, Tensor) {
        (path.to_owned(), Tensor { shape: shape.to_vec(), data: data.to_vec() })
    }

    #[test]
    fn a_mask_takes_weights_away() {
        let own = [tensor("p/mask:0", &[2], &[1.0, 0.0]), tensor("p/threshold:0", &[], &[0.5])];
        let found = |more: Vec<(String, Tensor)>| [own.to_vec(), more].concat();
        let (_, inside) =
            parts(PRUNE, found(vec![tensor("d/kernel:0", &[2], &[3.0, 4.0]), tensor("d/bias:0", &[1], &[5.0])]))
                .expect("weights");
        assert_eq!(inside[0].1.data, [3.0, 0.0]);
        assert_eq!(inside[1].1.data, [5.0]);
        // two tensors that it could be for
        let doubled = vec![tensor("d/kernel:0", &[2], &[3.0, 4.0]), tensor("d/bias:0", &[2], &[5.0, 6.0])];
        parts(PRUNE, found(doubled)).expect_err("a mask for one of two");
        // numbered, without the weights in front
        let numbered = vec![tensor("layer/vars/0", &[2], &[3.0, 4.0]), tensor("vars/0", &[2], &[1.0, 0.0])];
        parts(PRUNE, numbered).expect_err("no threshold and counter");
    }
}
