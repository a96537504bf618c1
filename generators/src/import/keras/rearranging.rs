//! Layers that leave out, repeat or exchange elements.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use crate::import::lift::{Lift, Real};
use crate::model::Op;

/// Layers that leave out, repeat or exchange elements.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["Permute"],
        keys: &[&["dims"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_permutation),
    },
    LayerClass {
        names: &["Cropping1D", "Cropping2D"],
        keys: &[&["cropping", "data_format"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_cropping),
    },
    LayerClass {
        names: &["UpSampling1D", "UpSampling2D"],
        keys: &[&["size", "data_format", "interpolation"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_upsampling),
    },
    LayerClass {
        names: &["RepeatVector"],
        keys: &[&["n"]],
        known: &[],
        variables: none,
        build: Build::One(Lift::keras_repetition),
    },
];

impl Lift {
    /// `dims` counts axes from 1, without the batch.
    fn keras_permutation(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        let wrong = || layer.error(format!("its `dims` are no order of the axes 1 to {}", rank - 1));
        let dims = layer.config.list("dims")?.ok_or_else(wrong)?;
        let dims: Option<Vec<usize>> = dims.iter().map(|d| d.as_u64().and_then(|d| usize::try_from(d).ok())).collect();
        let axes = [vec![0], dims.ok_or_else(wrong)?].concat();
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..rank) {
            return Err(wrong());
        }
        self.moved(&layer.name, x, Op::Transpose { axes })
    }

    fn keras_cropping(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let (at, rank) = self.spatial(layer, &x)?;
        let cropping = layer.pairs("cropping", rank)?;
        let mut count = self.shape(&x).to_vec();
        let mut begin = vec![0; count.len()];
        for (k, (before, behind)) in cropping.into_iter().enumerate() {
            begin[at + k] = before;
            count[at + k] = count[at + k]
                .checked_sub(before + behind)
                .filter(|left| *left > 0)
                .ok_or_else(|| layer.error("its `cropping` leaves nothing"))?;
        }
        let step = vec![1; count.len()];
        self.moved(&layer.name, x, Op::Slice { begin, count, step })
    }

    fn keras_upsampling(&mut self, layer: &KerasLayer, mut x: Real) -> Result<Real, Diagnostic> {
        layer.config.choice("interpolation", &["nearest"], "nearest")?;
        let (at, rank) = self.spatial(layer, &x)?;
        let sizes = layer.config.sizes("size", rank)?.unwrap_or_else(|| vec![2; rank]);
        for (k, size) in sizes.into_iter().enumerate() {
            let axis = at + k;
            let extent = self.shape(&x)[axis];
            if size == 0 || extent.saturating_mul(size) > crate::model::MAX_ELEMENTS {
                return Err(layer.error("its `size` is 0 or too large"));
            }
            let indices = (0..extent * size).map(|i| i / size).collect();
            x = self.moved(&layer.name, x, Op::Gather { axis, indices })?;
        }
        Ok(x)
    }

    /// `[batch, features]` as `[batch, n, features]`.
    fn keras_repetition(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let [_, features] = *shape.as_slice() else {
            return Err(layer.error(format!("it does not fit operands of shape {shape:?}")));
        };
        let count = layer.config.sizes("n", 1)?.unwrap_or_default();
        let n = count.first().copied().filter(|n| *n > 0).ok_or_else(|| layer.error("its `n` is no count"))?;
        let x = self.moved(&layer.name, x, Op::Reshape { shape: vec![1, 1, features] })?;
        self.moved(&layer.name, x, Op::Gather { axis: 1, indices: vec![0; n] })
    }

    /// The first spatial axis and how many there are, as the class's name says.
    fn spatial(&self, layer: &KerasLayer, x: &Real) -> Result<(usize, usize), Diagnostic> {
        let rank = if layer.class.ends_with("1D") { 1 } else { 2 };
        let shape = self.shape(x);
        if shape.len() != rank + 2 {
            return Err(layer.error(format!("it does not fit operands of shape {shape:?}")));
        }
        // classes with one spatial axis have no such setting
        let first = rank > 1 && layer.channels_first()?;
        Ok((if first { 2 } else { 1 }, rank))
    }
}
