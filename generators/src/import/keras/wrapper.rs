//! Layers around a layer.

use std::rc::Rc;

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, PLACE, none};
use super::layer_calls::{Argument, Call};
use super::origin::Class;
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

/// Whether the tensor at `path` is the wrapper's own and not the inner layer's.
pub(super) fn owns(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or(path);
    matches!(last.trim_end_matches(":0"), "mask" | "threshold" | "pruning_step")
}

/// What decides during training which weights are pruned; the file has the weights that are left.
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
        names: &["PruneLowMagnitude"],
        keys: &[&["layer"]],
        known: &[PRUNING],
        variables: none,
        build: Build::One(|lift, layer, x| {
            // masks have been applied to the weights
            layer.tensors.get("mask");
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
