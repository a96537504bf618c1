//! Activations, as layers of their own and behind other layers.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use super::quantiser::{Activation, Dialect, activation};
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Step};

/// Activation layers.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["QActivation", "Activation"],
        keys: &["activation"],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| lift.activated(layer, x, "activation")),
    },
    LayerClass {
        names: &["Softmax"],
        keys: &["axis"],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_softmax),
    },
    LayerClass {
        names: &["ReLU"],
        keys: &["max_value", "negative_slope", "threshold"],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_relu),
    },
    LayerClass {
        names: &["LeakyReLU"],
        keys: &["alpha", "negative_slope"],
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
        if threshold != 0.0 {
            return Err(layer.error(format!("its `threshold` = {threshold} is not supported")));
        }
        let name = &layer.name;
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
