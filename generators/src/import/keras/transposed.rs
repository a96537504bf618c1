//! Transposed convolutions.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS};
use super::convolution::{self, EXTENTS, SLIDING, filters};
use super::dense::{WEIGHTED, kernel_and_bias};
use super::quantiser::quantised;
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real, Shaped};
use crate::model::Window;

const KNOWN: &[Known] = &[Known::only("groups", &["1"], "all filters see all channels")];

/// Transposed convolutions.
pub(super) const CLASSES: &[LayerClass] = &[LayerClass {
    names: &["Conv1DTranspose", "Conv2DTranspose", "QConv2DTranspose"],
    keys: &[WEIGHTED, EXTENTS, SLIDING, &["output_padding"]],
    known: &[WEIGHTS, KNOWN],
    variables: kernel_and_bias,
    build: Build::One(Lift::keras_transposed),
}];

impl Lift {
    /// With a kernel of shape `[kernel…, filters, channels]`.
    fn keras_transposed(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = if layer.class.ends_with("1DTranspose") { 1 } else { 2 };
        let kernel = layer.floats("kernel")?;
        let shape = self.shape(&x).to_vec();
        let first = layer.channels_first()?;
        let channel = if first { 1 } else { shape.len() - 1 };
        if kernel.shape.len() != rank + 2 || shape.len() != rank + 2 || shape[channel] != kernel.shape[rank + 1] {
            return Err(layer.error(format!("a kernel of shape {:?} does not fit operands {shape:?}", kernel.shape)));
        }
        layer.agrees("kernel_size", &kernel.shape[..rank])?;
        layer.agrees("filters", &kernel.shape[rank..=rank])?;
        let extents = if first { &shape[2..] } else { &shape[1..=rank] };
        let (window, more) = transposed_window(layer, &kernel.shape[..rank], extents)?;
        let weights = quantised(layer, &kernel, &["kernel_quantizer"], "kq")?;
        // the filters of a convolution that has the channels as results
        let weights = filters(layer, &weights, false)?;
        let x = if first { x } else { self.channels_second(layer, x)? };
        let y = self.transposed_convolution(&layer.name, x, &weights, Shaped { window, groups: 1 }, &more)?;
        let y = self.channels_last(layer, y)?;
        let y = self.biased(layer, y, layer.bias(kernel.shape[rank])?)?;
        let y = self.activated(layer, y, "activation")?;
        if first { self.channels_second(layer, y) } else { Ok(y) }
    }
}

/// What of all results is left out at both ends, as pads of a window, and how many zeros come behind them.
fn transposed_window(
    layer: &KerasLayer,
    kernel: &[usize],
    spatial: &[usize],
) -> Result<(Window, Vec<usize>), Diagnostic> {
    let rank = kernel.len();
    let strides = layer.config.sizes("strides", rank)?.unwrap_or_else(|| vec![1; rank]);
    let given = layer.config.sizes("output_padding", rank)?;
    if layer.config.sizes("dilation_rate", rank)?.is_some_and(|d| d.iter().any(|d| *d != 1)) {
        return Err(layer.error("its `dilation_rate` is not 1, which is not supported"));
    }
    if strides.iter().chain(kernel).any(|v| *v == 0 || *v > convolution::MAX_EXTENT) {
        return Err(layer.error(format!("kernel and strides are from 1 to {}", convolution::MAX_EXTENT)));
    }
    let same = layer.config.choice("padding", &["valid", "same"], "valid")? == "same";
    let all = |a: usize| spatial[a].saturating_sub(1) * strides[a] + kernel[a];
    let wanted = |a: usize| match (&given, same) {
        (None, true) => Some(spatial[a] * strides[a]),
        (None, false) => Some(spatial[a] * strides[a] + kernel[a].saturating_sub(strides[a])),
        (Some(more), true) => (all(a) + more[a]).checked_sub(kernel[a] / 2 * 2),
        (Some(more), false) => Some(all(a) + more[a]),
    };
    let wanted: Option<Vec<usize>> = (0..rank).map(|a| wanted(a).filter(|n| *n > 0)).collect();
    let wanted = wanted.ok_or_else(|| layer.error("its padding leaves nothing"))?;
    let outside = |a: usize| all(a).saturating_sub(wanted[a]);
    let begin = |a: usize| if same { outside(a) / 2 } else { 0 };
    let window = Window {
        kernel: kernel.to_vec(),
        pads_begin: (0..rank).map(begin).collect(),
        pads_end: (0..rank).map(|a| outside(a) - begin(a)).collect(),
        strides: strides.clone(),
        dilations: vec![1; rank],
    };
    let more: Vec<usize> = (0..rank).map(|a| wanted[a].saturating_sub(all(a))).collect();
    // the framework wants results whose convolution has the operand's extent
    let fits = |a: usize| match same {
        true => wanted[a].div_ceil(strides[a]) == spatial[a],
        false => wanted[a] >= kernel[a] && (wanted[a] - kernel[a]) / strides[a] + 1 == spatial[a],
    };
    match (0..rank).all(fits) {
        true => Ok((window, more)),
        false => Err(layer.error("its `output_padding` does not fit its strides")),
    }
}
