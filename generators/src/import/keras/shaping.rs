//! Layers that move elements, and layers that do nothing when a network is used.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real};
use crate::model::Op;

/// Largest padding.
const MAX_PADDING: u64 = 1 << 16;

const DROPPING: &[Known] = &[
    Known::any("rate", "it drops nothing when the network is used"),
    Known::any("stddev", "it adds nothing when the network is used"),
    Known::any("seed", "training"),
    Known::any("noise_shape", "training"),
    Known::any("data_format", "it changes nothing when the network is used"),
];

/// Layers that move elements.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &[
            "Dropout",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "GaussianNoise",
            "GaussianDropout",
            "AlphaDropout",
            "ActivityRegularization",
        ],
        keys: &[],
        known: &[DROPPING, &[Known::any("l1", "training"), Known::any("l2", "training")]],
        variables: none,
        build: Build::One(|_, _, x| Ok(x)),
    },
    LayerClass {
        names: &["Flatten", "QFlatten"],
        keys: &[&["data_format"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_flatten),
    },
    LayerClass {
        names: &["Reshape", "QReshape"],
        keys: &[&["target_shape"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_reshape),
    },
    LayerClass {
        names: &["ZeroPadding1D", "ZeroPadding2D"],
        keys: &[&["padding", "data_format"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_padding),
    },
];

impl Lift {
    /// Keras moves the channels to the end first if they are not there.
    fn keras_flatten(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let first = layer.channels_first()? && self.shape(&x).len() > 2;
        let x = if first { self.channels_last(layer, x)? } else { x };
        let shape = vec![1, self.shape(&x)[1..].iter().product()];
        self.moved(&layer.name, x, Op::Reshape { shape })
    }

    fn keras_reshape(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let total: usize = self.shape(&x).iter().product();
        let wrong = || layer.error(format!("its `target_shape` does not fit {total} elements"));
        let wanted = layer.config.list("target_shape")?.ok_or_else(wrong)?;
        let extents: Option<Vec<i64>> = wanted.iter().map(Json::as_i64).collect();
        let extents = extents.ok_or_else(wrong)?;
        let open = extents.iter().filter(|e| **e == -1).count();
        let known = extents.iter().filter(|e| **e != -1).try_fold(1usize, |n, e| {
            let extent = usize::try_from(*e).ok().filter(|e| *e > 0)?;
            n.checked_mul(extent)
        });
        let known = known.filter(|n| if open == 0 { *n == total } else { open == 1 && total.is_multiple_of(*n) });
        let rest = total / known.ok_or_else(wrong)?;
        let extent = |e: &i64| usize::try_from(*e).unwrap_or(rest);
        let shape = [1].into_iter().chain(extents.iter().map(extent)).collect();
        self.moved(&layer.name, x, Op::Reshape { shape })
    }

    fn keras_padding(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = if layer.class.ends_with("1D") { 1 } else { 2 };
        let pads = layer.pairs("padding", rank)?;
        let shape = self.shape(&x).to_vec();
        if shape.len() != rank + 2 {
            return Err(layer.error(format!("it does not fit operands of shape {shape:?}")));
        }
        let at = if layer.channels_first()? { 2 } else { 1 };
        let around = |of: fn(&(usize, usize)) -> usize| {
            let mut all = vec![0; rank + 2];
            all[at..at + rank].iter_mut().zip(&pads).for_each(|(all, pad)| *all = of(pad));
            all
        };
        self.pad(&layer.name, x, around(|p| p.0), around(|p| p.1), 0.0)
    }
}

impl KerasLayer {
    /// For each of `rank` axes how much lies before and behind it: one number, a number an axis, or a pair an axis.
    pub(super) fn pairs(&self, key: &str, rank: usize) -> Result<Vec<(usize, usize)>, Diagnostic> {
        let small = |v: &Json| v.as_u64().filter(|v| *v <= MAX_PADDING).map(|v| v as usize);
        let pair = |v: &Json| match v {
            Json::Array(list) if list.len() == 2 => Some((small(&list[0])?, small(&list[1])?)),
            one => small(one).map(|v| (v, v)),
        };
        let pairs: Option<Vec<(usize, usize)>> = match (self.config.value(key), rank) {
            (one @ Json::Number(_), _) => pair(one).map(|p| vec![p; rank]),
            (both @ Json::Array(_), 1) => pair(both).map(|p| vec![p]),
            (Json::Array(list), _) => list.iter().map(pair).collect(),
            _ => None,
        };
        let pairs = pairs.filter(|p| p.len() == rank);
        pairs.ok_or_else(|| self.error(format!("its `{key}` is no pair of numbers for each of {rank} axes")))
    }
}
