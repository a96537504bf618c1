//! Layers that only HGQ2 has: quantisers by themselves, functions, sums, and a dense layer that normalises its operand.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS, none};
use super::dense::{self, FOLDING};
use super::normalisation::Normalisation;
use super::quantiser::quantised;
use super::table::TABLES;
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Step};

/// Layers that only HGQ2 has.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["Quantizer"],
        keys: &[&["config"]],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| lift.hgq(layer, "quantizer", x)),
    },
    LayerClass {
        names: &["QUnaryFunctionLUT"],
        keys: &[&["activation"]],
        known: &[TABLES],
        variables: none,
        build: Build::One(|lift, layer, x| lift.activated(layer, x, "activation")),
    },
    LayerClass {
        names: &["QSum", "QMeanPow2"],
        keys: &[&["axes", "scale", "keepdims"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::hgq_sum),
    },
    LayerClass {
        names: &["QBatchNormDense"],
        keys: &[&["units", "use_bias", "activation"], dense::NORMALISED],
        known: &[WEIGHTS, FOLDING, NORMALISED],
        variables: normalised_dense,
        build: Build::One(Lift::hgq_normalised_dense),
    },
];

/// What a normalisation inside a dense layer adds.
const NORMALISED: &[Known] = &[
    Known::any("bn_gamma_initializer", "values before training"),
    Known::any("bn_gamma_regularizer", "training"),
    Known::any("bn_gamma_constraint", "limits of weights during training"),
    Known::any("synchronized", "training"),
];

fn normalised_dense(config: &Settings) -> Vec<&'static str> {
    let gamma = (config.peek("scale") != false).then_some("gamma");
    ["kernel", "bias"]
        .into_iter()
        .chain(gamma)
        .chain(counted(config))
        .chain(["moving_mean", "moving_variance"])
        .collect()
}

/// What HGQ2 counts in a layer before it makes variables of its own.
pub(super) fn counted(config: &Settings) -> impl Iterator<Item = &'static str> + use<> {
    let counts = config.peek("enable_ebops") == true;
    ["beta", "ebops"].into_iter().filter(move |_| counts)
}

impl Lift {
    /// The sum along axes, times a power of two; of a mean that which is nearest to one by the number of elements.
    fn hgq_sum(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let axes = layer.config.list("axes")?.map(<[Json]>::to_vec).unwrap_or_else(|| vec![Json::from(-1)]);
        let axes = axes.iter().map(|a| layer.axis(a.as_i64(), shape.len()));
        let axes: Vec<usize> = axes.collect::<Result<_, _>>()?;
        if axes.contains(&0) {
            return Err(layer.error("it sums over the samples of a batch"));
        }
        let count: usize = axes.iter().map(|a| shape[*a]).product();
        let scale = match layer.class.as_str() {
            "QMeanPow2" => 2f64.powf((1.0 / count as f64).log2().round_ties_even()),
            _ => layer.config.finite("scale")?.unwrap_or(1.0),
        };
        if scale <= 0.0 || scale.log2().fract() != 0.0 {
            return Err(layer.error(format!("its `scale` = {scale} is no power of two")));
        }
        let y = self.reduce(&layer.name, x, axes.clone(), Some(scale))?;
        if layer.config.flag("keepdims")? == Some(true) {
            return Ok(y);
        }
        let left = shape.iter().enumerate().filter(|(a, _)| !axes.contains(a)).map(|(_, e)| *e);
        let left: Vec<usize> = left.collect();
        self.moved(&layer.name, y, Op::Reshape { shape: left })
    }

    /// A dense layer that normalises its operand: rows of the kernel are scaled before they are quantised, and the means
    /// go into the bias through the kernel as it was.
    fn hgq_normalised_dense(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let misfit = || layer.error("its parameters differ in shape");
        let (kernel, bias) = (layer.floats("kernel")?, layer.floats("bias")?);
        layer.config.flag("use_bias")?;
        layer.config.flag("center")?;
        layer.agrees("units", &bias.shape)?;
        let rank = self.shape(&x).len();
        layer.require_normalised_axis(rank - 1, rank)?;
        let Normalisation { scale, mean, .. } = layer.normalisation_parts()?;
        let &[inputs, outputs] = kernel.shape.as_slice() else {
            return Err(misfit());
        };
        if mean.shape != [inputs] || bias.shape != [outputs] {
            return Err(misfit());
        }
        let column = |array: &Array<f32>| Array { shape: vec![inputs, 1], values: array.values.clone() };
        let scaled = column(&scale).zip(&kernel, |s, k| s * k).ok_or_else(misfit)?;
        let weights = quantised(layer, &scaled, &[], "kq")?;
        // the framework's float sum may be off by this
        let terms = |o: usize| {
            let column = kernel.values.iter().skip(o).step_by(outputs);
            let products = column.zip(&mean.values);
            products.map(|(k, m)| f64::from(*k) * f64::from(*m))
        };
        let moved = |direction: f64| Array {
            shape: vec![outputs],
            values: (0..outputs)
                .map(|o| {
                    let (sum, size) = terms(o).fold((0.0, 0.0), |(s, a), t| (s + t, a + t.abs()));
                    let noise = (inputs as f64 + 2.0) * size / 16_777_216.0;
                    (f64::from(bias.values[o]) - sum + direction * noise) as f32
                })
                .collect(),
        };
        let [below, exact, above] = [-1.0, 0.0, 1.0].map(moved);
        let shift = quantised(layer, &exact, &[], "bq")?.as_float();
        for other in [below, above] {
            if quantised(layer, &other, &[], "bq")?.as_float() != shift {
                return Err(layer
                    .error("a bias is so close to a rounding step that it depends on the order of the framework's additions")
                    .help("train on for a few steps"));
            }
        }
        let y = self.dense(&layer.name, x, &weights)?;
        let y = self.step(&layer.name, y, Step::Add(shift))?;
        self.activated(layer, y, "activation")
    }
}
