//! Batch normalisations, by themselves and folded into other layers.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass};
use super::dense::{FOLDING, NORMALISED};
use super::quantiser::quantised;
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{Lift, Noise, Real};
use crate::model::{Array, Step};

/// Roundings of a batch normalisation whose order Keras leaves to its back end.
const NORMALISATION_NOISE: f64 = 4.0 / 16_777_216.0;

/// What `epsilon` is if the file does not say it.
const EPSILON: f64 = 1e-3;

/// Keys that only training needs, and variants that are not built.
const TRAINING: &[Known] = &[
    Known::only("renorm", &["false"], "means and variances as they are"),
    Known::only("virtual_batch_size", &["null"], "one batch"),
    Known::any("synchronized", "training"),
    Known::any("fused", "which kernel computes it"),
    Known::only("gamma_range", &["null"], "QKeras does not use it any more"),
    Known::only("beta_range", &["null"], "QKeras does not use it any more"),
];

/// Normalisations.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["BatchNormalization", "QBatchNormalization", "BatchNormalizationV1", "SyncBatchNormalization"],
        keys: &[
            NORMALISED,
            &["gamma_quantizer", "beta_quantizer", "mean_quantizer", "variance_quantizer", "inverse_quantizer"],
        ],
        known: &[FOLDING, TRAINING],
        variables,
        build: Build::One(Lift::keras_normalisation),
    },
    LayerClass {
        names: &["Normalization"],
        keys: &[&["axis", "mean", "variance"]],
        known: &[&[Known::only("invert", &["false"], "it normalises")]],
        variables: |_| vec!["mean", "variance", "count"],
        build: Build::One(Lift::keras_standardisation),
    },
];

fn variables(config: &Settings) -> Vec<&'static str> {
    let kept = |key: &str| config.peek(key) != false;
    let trained = [kept("scale").then_some("gamma"), kept("center").then_some("beta")];
    trained.into_iter().flatten().chain(["moving_mean", "moving_variance"]).collect()
}

/// `(x - mean) · scale + beta`, one number a channel.
pub(super) struct Normalisation {
    pub scale: Array<f32>,
    pub mean: Array<f32>,
    pub beta: Array<f32>,
}

impl Lift {
    fn keras_normalisation(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        if !layer.config.peek("kq_conf").is_null() {
            return self.hgq_normalisation(layer, x);
        }
        for key in ["gamma_quantizer", "beta_quantizer", "mean_quantizer", "variance_quantizer", "inverse_quantizer"] {
            if !layer.config.value(key).is_null() {
                return Err(layer
                    .error(format!("`{key}` is not supported"))
                    .help("use BatchNormalization, or fold it with QDenseBatchnorm"));
            }
        }
        let (scale, shift) = layer.normalisation()?;
        let along = self.normalised_axis(layer, &x, scale.values.len())?;
        let mut y = self.step(&layer.name, x, Step::Mul(along(scale)))?;
        y.noise = y.noise.max(Noise::of(NORMALISATION_NOISE * self.magnitude(&y)));
        self.step(&layer.name, y, Step::Add(along(shift)))
    }

    /// `x · kq(scale) + bq(shift)`. HGQ2 takes 1 for the shift of a layer without `center`.
    fn hgq_normalisation(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let Normalisation { scale, mean, beta } = layer.normalisation_parts()?;
        let along = self.normalised_axis(layer, &x, scale.values.len())?;
        let misfit = || layer.error("its parameters differ in shape");
        let beta = match layer.config.flag("center")? {
            Some(false) => mean.map(|_| 1.0),
            _ => beta,
        };
        let moved = mean.zip(&scale, |m, s| m * s).ok_or_else(misfit)?;
        let shift = beta.zip(&moved, |b, m| b - m).ok_or_else(misfit)?;
        let scale = quantised(layer, &scale, &[], "kq")?.as_float();
        let shift = quantised(layer, &shift, &[], "bq")?.as_float();
        let y = self.step(&layer.name, x, Step::Mul(along(scale)))?;
        self.step(&layer.name, y, Step::Add(along(shift)))
    }

    /// `(x - mean) / max(√variance, 10⁻⁷)`, with both in the configuration or, if they were adapted to data, in the file.
    fn keras_standardisation(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        const LEAST: f32 = 1e-7;
        layer.tensors.get("count");
        let parameter = |key: &str| match layer.numbers(key)? {
            Some(numbers) => Ok(numbers),
            None => layer.floats(key),
        };
        let (mean, variance) = (parameter("mean")?, parameter("variance")?);
        if variance.values.iter().any(|v| *v < 0.0) {
            return Err(layer.error("a variance is negative"));
        }
        let last = match layer.config.value("axis") {
            Json::Null => true,
            Json::Array(axes) => {
                matches!(axes.as_slice(), [one] if layer.axis(one.as_i64(), self.shape(&x).len())? + 1 == self.shape(&x).len())
            }
            _ => layer.axis(layer.config.integer("axis")?, self.shape(&x).len())? + 1 == self.shape(&x).len(),
        };
        if !last && (mean.values.len(), variance.values.len()) != (1, 1) {
            return Err(layer.error("an `axis` other than the last one is not supported"));
        }
        let flat = |array: Array<f32>| Array { shape: vec![array.values.len()], values: array.values };
        let deviation = flat(variance.map(|v| v.sqrt().max(LEAST)));
        let y = self.step(&layer.name, x, Step::Add(flat(mean.map(|m| -m))))?;
        self.step(&layer.name, y, Step::Div(deviation))
    }

    /// What lays `count` parameters along the axis that the layer normalises.
    fn normalised_axis(
        &self,
        layer: &KerasLayer,
        x: &Real,
        count: usize,
    ) -> Result<impl Fn(Array<f32>) -> Array<f32> + use<>, Diagnostic> {
        let shape = self.shape(x);
        let axis = layer.normalised_axis(shape.len())?;
        if shape[axis] != count {
            return Err(layer.error(format!("{count} parameters do not fit axis {axis} of shape {shape:?}")));
        }
        let mut along = vec![1; shape.len()];
        along[axis] = count;
        Ok(move |array: Array<f32>| Array { shape: along.clone(), values: array.values })
    }
}

impl KerasLayer {
    /// An axis of a tensor of `rank` axes, not that of the samples; negative ones count from the end.
    pub(super) fn axis(&self, axis: Option<i64>, rank: usize) -> Result<usize, Diagnostic> {
        let rank = rank as i64;
        let axis = axis.map(|axis| if axis < 0 { axis.saturating_add(rank) } else { axis });
        let axis = axis.filter(|axis| (1..rank).contains(axis));
        axis.map(|axis| axis as usize).ok_or_else(|| {
            self.error(format!("its `axis` is not from 1 to {}", rank - 1))
                .help("axis 0 counts samples, which hardware does not see together")
        })
    }

    /// The axis of a tensor of `rank` axes that the layer normalises, the last one if it does not say.
    pub(super) fn normalised_axis(&self, rank: usize) -> Result<usize, Diagnostic> {
        // older versions write a list with one axis
        let axis = match self.config.list("axis") {
            Ok(Some([one])) => one.as_i64(),
            Ok(None) => Some(-1),
            _ => self.config.integer("axis")?,
        };
        self.axis(axis, rank)
    }

    /// An error unless the layer normalises `axis` of a tensor of `rank` axes.
    pub(super) fn require_normalised_axis(&self, axis: usize, rank: usize) -> Result<(), Diagnostic> {
        match self.normalised_axis(rank)? {
            normalised if normalised == axis => Ok(()),
            other => Err(self.error(format!("it normalises axis {other} of {rank}, supported is axis {axis} here"))),
        }
    }

    /// `gamma / sqrt(variance + epsilon)` and `beta - mean` times that.
    fn normalisation(&self) -> Result<(Array<f32>, Array<f32>), Diagnostic> {
        let Normalisation { scale, mean, beta } = self.normalisation_parts()?;
        let shift = mean.zip(&scale, |m, s| m * s).and_then(|ms| beta.zip(&ms, |b, ms| b - ms));
        Ok((scale, shift.ok_or_else(|| self.error("its parameters differ in shape"))?))
    }

    pub(super) fn normalisation_parts(&self) -> Result<Normalisation, Diagnostic> {
        let epsilon = self.config.finite("epsilon")?.unwrap_or(EPSILON) as f32;
        let mean = self.floats("moving_mean")?;
        if mean.shape.len() != 1 {
            return Err(self.error("its parameters are no lists"));
        }
        let variance = self.list_of("moving_variance", mean.values.len())?;
        if variance.values.iter().any(|v| v + epsilon <= 0.0) {
            return Err(self.error("a variance is negative"));
        }
        let gamma = match self.config.flag("scale")? {
            Some(false) => mean.map(|_| 1.0),
            _ => self.list_of("gamma", mean.values.len())?,
        };
        let beta = match self.config.flag("center")? {
            _ if self.class == "QBatchNormDense" => mean.map(|_| 0.0),
            Some(false) => mean.map(|_| 0.0),
            _ => self.list_of("beta", mean.values.len())?,
        };
        let inverse = variance.map(|v| 1.0 / (v + epsilon).sqrt());
        let scale = inverse.zip(&gamma, |i, g| i * g).ok_or_else(|| self.error("its parameters differ in shape"))?;
        Ok(Normalisation { scale, mean, beta })
    }
}
