//! Dense layers, and biases and folded normalisations of all linear layers.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS};
use super::normalisation::Normalisation;
use super::quantiser::{Dialect, quantised};
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Step};

/// Keys of QKeras' layers with a folded batch normalisation that only training needs.
pub(super) const FOLDING: &[Known] = &[
    Known::any("momentum", "training"),
    Known::any("ema_freeze_delay", "training"),
    Known::only("folding_mode", &["\"ema_stats_folding\"", "\"batch_stats_folding\""], "both fold the moving averages"),
    Known::any("beta_initializer", "values before training"),
    Known::any("gamma_initializer", "values before training"),
    Known::any("moving_mean_initializer", "values before training"),
    Known::any("moving_variance_initializer", "values before training"),
    Known::any("beta_regularizer", "training"),
    Known::any("gamma_regularizer", "training"),
    Known::any("beta_constraint", "limits of weights during training"),
    Known::any("gamma_constraint", "limits of weights during training"),
    Known::any("renorm_clipping", "training"),
    Known::any("renorm_momentum", "training"),
];

/// Keys of a layer with a kernel and a bias, both perhaps quantised by QKeras.
pub(super) const WEIGHTED: &[&str] = &["use_bias", "activation", "kernel_quantizer", "bias_quantizer"];

const UNITS: &[&str] = &["units"];

/// Keys of a batch normalisation.
pub(super) const NORMALISED: &[&str] = &["epsilon", "center", "scale", "axis"];

/// Dense layers.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["Dense", "QDense"],
        keys: &[WEIGHTED, UNITS],
        known: &[WEIGHTS],
        variables: kernel_and_bias,
        build: Build::One(Lift::keras_dense),
    },
    LayerClass {
        names: &["QDenseBatchnorm"],
        keys: &[WEIGHTED, UNITS, NORMALISED],
        known: &[WEIGHTS, FOLDING],
        variables: kernel_and_bias,
        build: Build::One(Lift::keras_dense),
    },
    LayerClass {
        names: &["BinaryDense", "TernaryDense"],
        keys: &[UNITS, &["use_bias", "activation", "H"]],
        known: &[WEIGHTS, RATES],
        variables: kernel_and_bias,
        build: Build::One(Lift::keras_dense),
    },
];

/// Keys of Binary- and TernaryDense that only training needs.
const RATES: &[Known] = &[Known::any("kernel_lr_multiplier", "training"), Known::any("bias_lr_multiplier", "training")];

/// Kernel and, if there is one, bias.
pub(super) fn kernel_and_bias(config: &Settings) -> Vec<&'static str> {
    with_bias(config, "kernel")
}

/// A kernel of that name and, if there is one, bias.
pub(super) fn with_bias(config: &Settings, kernel: &'static str) -> Vec<&'static str> {
    let bias = config.peek("use_bias") != false;
    [Some(kernel), bias.then_some("bias")].into_iter().flatten().collect()
}

impl Lift {
    fn keras_dense(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let kernel = layer.floats("kernel")?;
        layer.agrees("units", &kernel.shape[kernel.shape.len().saturating_sub(1)..])?;
        let rank = self.shape(&x).len();
        let (kernel, bias) = layer.folded(kernel, (rank - 1, rank))?;
        let weights = quantised(layer, &kernel, &["kernel_quantizer"], "kq")?;
        let y = self.dense(&layer.name, x, &weights)?;
        let y = self.biased(layer, y, bias)?;
        self.activated(layer, y, "activation")
    }

    /// `y`, whose channels are last, and the bias. With channels first, Keras 3's sum of a vector and a tensor in which two
    /// axes have the vector's extent depends on the backend.
    pub(super) fn biased(&mut self, layer: &KerasLayer, y: Real, bias: Option<Array<f32>>) -> Result<Real, Diagnostic> {
        let Some(bias) = bias else {
            // without a bias its quantiser has nothing to do
            for key in ["bias_quantizer", "bq_conf"] {
                layer.config.value(key);
            }
            return Ok(y);
        };
        if let [.., last, channels] = *self.shape(&y)
            && (last == channels && channels > 1 && layer.channels_first()?)
            && Dialect::of(&layer.class, &layer.config) == Dialect::Keras3
        {
            return Err(layer
                .error(format!("its bias of {channels} channels also fits the last axis of its result"))
                .help(
                    "Keras 3 adds it there on TensorFlow and to the channels elsewhere; use channels_last, or another \
                     number of filters",
                ));
        }
        let bias = quantised(layer, &bias, &["bias_quantizer"], "bq")?.as_float();
        self.step(&layer.name, y, Step::Add(bias))
    }
}

impl KerasLayer {
    /// The bias of `count` results, if the layer has one.
    pub(super) fn bias(&self, count: usize) -> Result<Option<Array<f32>>, Diagnostic> {
        match self.config.flag("use_bias")? {
            Some(false) => Ok(None),
            _ => self.list_of("bias", count).map(Some),
        }
    }

    /// Kernel and bias, with a batch normalisation folded in if the layer has one: of the axis `channel` of results with
    /// `rank` axes. Results are those of the kernel's last axis.
    pub(super) fn folded(
        &self,
        kernel: Array<f32>,
        (channel, rank): (usize, usize),
    ) -> Result<(Array<f32>, Option<Array<f32>>), Diagnostic> {
        let results = kernel.shape.last().copied().unwrap_or(0);
        let bias = self.bias(results)?;
        if !self.class.ends_with("Batchnorm") {
            return Ok((kernel, bias));
        }
        self.require_normalised_axis(channel, rank)?;
        let misfit = || self.error("its parameters differ in shape");
        let Normalisation { scale, mean, beta } = self.normalisation_parts()?;
        if scale.shape != [results] {
            return Err(misfit());
        }
        let bias = bias.unwrap_or_else(|| mean.map(|_| 0.0));
        let bias = bias
            .zip(&mean, |b, m| b - m)
            .and_then(|d| d.zip(&scale, |d, s| s * d))
            .and_then(|d| d.zip(&beta, |d, b| d + b));
        let kernel = kernel.zip(&scale, |k, s| s * k).ok_or_else(misfit)?;
        Ok((kernel, Some(bias.ok_or_else(misfit)?)))
    }
}
