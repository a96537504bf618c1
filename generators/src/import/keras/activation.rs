//! Activations, as layers of their own and behind other layers.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use super::quantiser::{Activation, Dialect, activation};
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Function, Pairing, Step};

/// Activation layers.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["QActivation", "Activation"],
        keys: &[&["activation"]],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| lift.activated(layer, x, "activation")),
    },
    LayerClass {
        names: &["Softmax"],
        keys: &[&["axis"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_softmax),
    },
    LayerClass {
        names: &["ReLU"],
        keys: &[&["max_value", "negative_slope", "threshold"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_relu),
    },
    LayerClass {
        names: &["ThresholdedReLU"],
        keys: &[&["theta"]],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| {
            let theta = layer.config.finite("theta")?.unwrap_or(1.0) as f32;
            lift.step(&layer.name, x, Step::Above(Array::scalar(theta)))
        }),
    },
    LayerClass {
        names: &["ELU"],
        keys: &[&["alpha"]],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| {
            let alpha = layer.config.finite("alpha")?.unwrap_or(1.0) as f32;
            lift.step(&layer.name, x, Step::Function(Function::Elu { alpha }))
        }),
    },
    LayerClass {
        names: &["PReLU"],
        keys: &[],
        known: &[&[
            Known::any("alpha_initializer", "values before training"),
            Known::any("alpha_regularizer", "training"),
            Known::any("alpha_constraint", "limits of weights during training"),
            Known::any("shared_axes", "the slopes have extent 1 along those axes"),
        ]],
        variables: |_| vec!["alpha"],
        build: Build::One(|lift, layer, x| {
            let alpha = layer.floats("alpha")?;
            lift.step(&layer.name, x, Step::LeakyRelu(alpha))
        }),
    },
    LayerClass {
        names: &["Rescaling"],
        keys: &[&["scale", "offset"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_rescaling),
    },
    LayerClass {
        names: &["LeakyReLU"],
        keys: &[&["alpha", "negative_slope"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_leaky_relu),
    },
];

impl Lift {
    /// `x` through the activation that the layer has under `key`.
    pub(super) fn activated(&mut self, layer: &KerasLayer, x: Real, key: &str) -> Result<Real, Diagnostic> {
        match activation(&layer.config, key, Dialect::of(&layer.class, &layer.config))? {
            Activation::Softmax => {
                let last = self.shape(&x).len() - 1;
                self.softmax(&layer.name, x, last)
            }
            Activation::Chain(steps, quantiser) => {
                let through = steps.into_iter().try_fold(x, |x, step| self.step(&layer.name, x, step))?;
                match quantiser {
                    Some((quantiser, meaning)) => self.quantise(&layer.name, through, quantiser, meaning),
                    None => Ok(through),
                }
            }
            Activation::Part(part, quantiser, meaning) => {
                let quantised = self.quantise(&layer.name, x.clone(), quantiser, meaning)?;
                let quantised = self.step(&layer.name, quantised, Step::Mul(Array::scalar(part)))?;
                let rest = self.step(&layer.name, x, Step::Mul(Array::scalar(1.0 - part)))?;
                self.pair(&layer.name, Pairing::Add, rest, quantised)
            }
        }
    }

    fn keras_softmax(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let axis = layer.axis(Some(layer.config.integer("axis")?.unwrap_or(-1)), self.shape(&x).len())?;
        self.softmax(&layer.name, x, axis)
    }

    /// `max_value` above it, `x` from `threshold` on, below that `negative_slope · (x - threshold)`.
    fn keras_relu(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let most = layer.config.number("max_value")?.filter(|m| *m != f64::INFINITY);
        let slope = layer.config.finite("negative_slope")?.unwrap_or(0.0);
        let threshold = layer.config.finite("threshold")?.unwrap_or(0.0);
        let name = &layer.name;
        if threshold != 0.0 {
            if slope != 0.0 {
                return Err(layer.error("it has both a `threshold` and a `negative_slope`, which is not supported"));
            }
            let y = self.step(name, x, Step::Above(Array::scalar(threshold as f32)))?;
            return match most {
                Some(most) if most >= 0.0 => self.step(name, y, Step::Clip { low: 0.0, high: most as f32 }),
                Some(_) => Err(layer.error("its `max_value` is negative")),
                None => Ok(y),
            };
        }
        match most {
            Some(most) if most.is_nan() || most < 0.0 => Err(layer.error("its `max_value` is negative")),
            Some(most) if slope == 0.0 => self.step(name, x, Step::Clip { low: 0.0, high: most as f32 }),
            most => {
                let step = match slope {
                    0.0 => Step::Relu,
                    slope => Step::LeakyRelu(Array::scalar(slope as f32)),
                };
                let y = self.step(name, x, step)?;
                match most {
                    Some(most) => self.step(name, y, Step::Clip { low: f32::MIN, high: most as f32 }),
                    None => Ok(y),
                }
            }
        }
    }

    /// `x · scale + offset`, each one number or a list along the last axis.
    fn keras_rescaling(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let y = match layer.numbers("scale")? {
            Some(scale) => self.step(&layer.name, x, Step::Mul(scale))?,
            None => return Err(layer.error("its `scale` is missing")),
        };
        match layer.numbers("offset")? {
            Some(offset) if offset.values.iter().any(|v| *v != 0.0) => self.step(&layer.name, y, Step::Add(offset)),
            _ => Ok(y),
        }
    }

    fn keras_leaky_relu(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        // Keras 3 calls it otherwise
        let slopes = [layer.config.finite("alpha")?, layer.config.finite("negative_slope")?];
        let slope = match slopes {
            [Some(_), Some(_)] => return Err(layer.error("it has both `alpha` and `negative_slope`")),
            [one, other] => one.or(other).unwrap_or(0.3) as f32,
        };
        self.step(&layer.name, x, Step::LeakyRelu(Array::scalar(slope)))
    }
}

impl KerasLayer {
    /// One number, or a list of them; none if the key is missing or `null`.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Array<f32>>, Diagnostic> {
        let Json::Array(list) = self.config.value(key) else {
            return Ok(self.config.finite(key)?.map(|v| Array::scalar(v as f32)));
        };
        let values: Option<Vec<f32>> = list.iter().map(|v| v.as_f64().map(|v| v as f32)).collect();
        let values = values.ok_or_else(|| self.error(format!("its `{key}` is no list of numbers")))?;
        Ok(Some(Array { shape: vec![values.len()], values }))
    }
}
