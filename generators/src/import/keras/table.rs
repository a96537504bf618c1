//! HGQ2's functions by tables, and the softmax that is made of two of them.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Step};

/// What HGQ2 adds to a divisor.
const EPSILON: f32 = 1e-7;

/// Layers of tables.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["QAffinedUnaryFunctionLUT"],
        keys: &[&["activation"]],
        known: &[TABLES],
        variables: |_| vec!["scale", "bias"],
        build: Build::One(Lift::hgq_affine_table),
    },
    LayerClass {
        names: &["QSoftmax"],
        keys: &[&["axes", "stable", "input_scaler", "exp_iq_conf", "exp_oq_conf", "inv_iq_conf", "inv_oq_conf"]],
        known: &[TABLES],
        variables: none,
        build: Build::One(Lift::hgq_softmax),
    },
];

/// What the shapes of the quantisers' tensors say as well.
pub(super) const TABLES: &[Known] = &[
    Known::any("allow_heterogeneous_table", "the quantisers' tensors have the shape that follows from it"),
    Known::any("allow_heterogeneous_input", "the quantisers' tensors have the shape that follows from it"),
];

impl Lift {
    /// A function of `x · scale + bias`.
    fn hgq_affine_table(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let [scale, bias] = ["scale", "bias"].map(|name| layer.floats(name));
        let y = self.step(&layer.name, x, Step::Mul(scale?))?;
        let y = self.step(&layer.name, y, Step::Add(bias?))?;
        self.activated(layer, y, "activation")
    }

    /// `e · inv(Σ e)` with `e = exp(s · (x - max x))`, where exponential and reciprocal are tables between quantisers. If it
    /// is not `stable`, `e = exp(s · x)`.
    fn hgq_softmax(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        let axes = layer.config.list("axes")?.map_or_else(|| vec![Json::from(-1)], <[Json]>::to_vec);
        let axes = axes.iter().map(|a| layer.axis(a.as_i64(), rank));
        let axes: Vec<usize> = axes.collect::<Result<_, _>>()?;
        if axes.contains(&0) {
            return Err(layer.error("its axis is that of the samples of a batch"));
        }
        let scaler = layer.config.finite("input_scaler")?.unwrap_or(1.0) as f32;
        let name = &layer.name;
        let (x, factor) = match layer.config.flag("stable")?.unwrap_or(true) {
            true => {
                let greatest = self.reduce(name, x.clone(), axes.clone(), None)?;
                let distance = self.combine(name, Op::Sub, greatest, x)?;
                (self.hgq(layer, "exp_iq", distance)?, -scaler)
            }
            false => {
                // nothing stands in front of the exponential then
                layer.config.value("exp_iq_conf");
                (x, scaler)
            }
        };
        let x = self.step(name, x, Step::Mul(Array::scalar(factor)))?;
        let x = self.step(name, x, Step::Exp)?;
        let exponentials = self.hgq(layer, "exp_oq", x)?;
        let sum = self.reduce(name, exponentials.clone(), axes, Some(1.0))?;
        let sum = self.hgq(layer, "inv_iq", sum)?;
        let sum = self.step(name, sum, Step::Add(Array::scalar(EPSILON)))?;
        let inverse = self.step(name, sum, Step::DivideInto(Array::scalar(1.0)))?;
        let inverse = self.hgq(layer, "inv_oq", inverse)?;
        self.mul(name, exponentials, inverse)
    }
}
