//! Maxima and averages over windows and whole axes.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use super::convolution::keras_window;
use super::quantiser::quantised;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Step, Window};

const KEYS: &[&str] = &["pool_size", "strides", "padding", "data_format", "average_quantizer", "activation"];

const GLOBAL_KEYS: &[&str] = &["data_format", "keepdims", "average_quantizer", "activation"];

/// A pooling class.
const fn windowed(names: &'static [&'static str], build: Build) -> LayerClass {
    LayerClass { names, keys: KEYS, known: &[], variables: none, build }
}

/// A class that pools whole axes.
const fn global(names: &'static [&'static str], build: Build) -> LayerClass {
    LayerClass { names, keys: GLOBAL_KEYS, known: &[], variables: none, build }
}

/// Pooling layers.
pub(super) const CLASSES: &[LayerClass] = &[
    windowed(&["MaxPooling1D", "QMaxPooling1D"], Build::One(|lift, layer, x| lift.keras_pool(layer, x, 1, false))),
    windowed(&["MaxPooling2D", "QMaxPooling2D"], Build::One(|lift, layer, x| lift.keras_pool(layer, x, 2, false))),
    windowed(&["AveragePooling1D"], Build::One(|lift, layer, x| lift.keras_pool(layer, x, 1, true))),
    windowed(
        &["AveragePooling2D", "QAveragePooling2D", "QAveragePooling1D"],
        Build::One(|lift, layer, x| {
            let rank = if layer.class.ends_with("1D") { 1 } else { 2 };
            lift.keras_pool(layer, x, rank, true)
        }),
    ),
    global(
        &["GlobalMaxPooling1D", "GlobalMaxPooling2D", "QGlobalMaxPooling1D", "QGlobalMaxPooling2D"],
        Build::One(|lift, layer, x| lift.keras_global_pool(layer, x, false)),
    ),
    global(
        &["GlobalAveragePooling1D", "GlobalAveragePooling2D", "QGlobalAveragePooling1D", "QGlobalAveragePooling2D"],
        Build::One(|lift, layer, x| lift.keras_global_pool(layer, x, true)),
    ),
];

impl Lift {
    fn keras_pool(&mut self, layer: &KerasLayer, x: Real, rank: usize, averages: bool) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        if shape.len() != rank + 2 {
            return Err(layer.error(format!("it does not fit operands of shape {shape:?}")));
        }
        let first = layer.channels_first()?;
        let extents = if first { &shape[2..] } else { &shape[1..=rank] };
        let kernel = layer.config.sizes("pool_size", rank)?.unwrap_or_else(|| vec![2; rank]);
        let window = keras_window(layer, &kernel, extents, "strides", None)?;
        // averages are of the elements under the window, without padding
        let counts = averages.then(|| counts(&window, extents));
        let x = if first { x } else { self.channels_second(layer, x)? };
        let y = match counts {
            None => self.pool(&layer.name, x, window, None)?,
            Some(counts) => {
                let factor = layer.average_factor(kernel.iter().product())?;
                let average = match factor {
                    None => counts.map(|n| 1.0 / *n),
                    Some(_) => Array::scalar(1.0),
                };
                let sum = self.pool(&layer.name, x, window, Some(average))?;
                self.rescaled(layer, sum, counts, factor)?
            }
        };
        let y = if first { y } else { self.channels_last(layer, y)? };
        self.activated(layer, y, "activation")
    }

    /// QKeras' average with a quantised factor: it takes the average, multiplies it by the window's `area` again, and then by
    /// the quantised number nearest to `1 / area`.
    fn rescaled(
        &self,
        layer: &KerasLayer,
        sum: Real,
        counts: Array<f64>,
        factor: Option<(f32, f32)>,
    ) -> Result<Real, Diagnostic> {
        let Some((area, factor)) = factor else {
            return Ok(sum);
        };
        let y = self.step(&layer.name, sum, Step::Div(counts.map(|n| *n as f32)))?;
        let y = self.step(&layer.name, y, Step::Mul(Array::scalar(area)))?;
        self.step(&layer.name, y, Step::Mul(Array::scalar(factor)))
    }

    fn keras_global_pool(&mut self, layer: &KerasLayer, x: Real, averages: bool) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let spatial = if layer.class.ends_with("1D") { 1 } else { 2 };
        if shape.len() != spatial + 2 {
            return Err(layer.error(format!("it does not fit operands of shape {shape:?}")));
        }
        let (axes, channels) = match layer.channels_first()? {
            true => ((2..shape.len()).collect::<Vec<_>>(), shape[1]),
            false => ((1..shape.len() - 1).collect(), shape[shape.len() - 1]),
        };
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        let quantised = if averages { layer.average_factor(count)? } else { None };
        let factor = averages.then_some(if quantised.is_some() { 1.0 } else { 1.0 / count as f64 });
        let y = self.reduce(&layer.name, x, axes, factor)?;
        let y = self.rescaled(layer, y, Array::scalar(count as f64), quantised)?;
        let y = match layer.config.flag("keepdims")? {
            Some(true) => y,
            _ => self.moved(&layer.name, y, Op::Reshape { shape: vec![1, channels] })?,
        };
        self.activated(layer, y, "activation")
    }
}

impl KerasLayer {
    /// The window's area, and its inverse through the layer's quantiser of it, if the layer has one.
    fn average_factor(&self, area: usize) -> Result<Option<(f32, f32)>, Diagnostic> {
        if self.config.value("average_quantizer").is_null() {
            return Ok(None);
        }
        let inverse = Array::scalar((1.0 / area as f64) as f32);
        let quantised = quantised(self, &inverse, &["average_quantizer"], "")?.as_float();
        Ok(Some((area as f32, quantised.values[0])))
    }
}

/// How many elements lie under the window at each of its places, `[1, 1, place…]`; one number if they are as many
/// everywhere.
fn counts(window: &Window, extents: &[usize]) -> Array<f64> {
    let mut counts = Array { shape: vec![1, 1], values: vec![1.0] };
    for (axis, extent) in extents.iter().enumerate() {
        let (begin, kernel, stride) = (window.pads_begin[axis], window.kernel[axis], window.strides[axis]);
        let places = (begin + extent + window.pads_end[axis]).saturating_sub(kernel) / stride + 1;
        let under = |place: usize| {
            let from = place * stride;
            let (low, high) = (from.max(begin), (from + kernel).min(begin + extent));
            high.saturating_sub(low) as f64
        };
        counts.shape.push(places);
        counts.values =
            counts.values.iter().flat_map(|outer| (0..places).map(move |place| outer * under(place))).collect();
    }
    counts.compact()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_does_not_count() {
        let window = |pads: usize| Window {
            kernel: vec![3],
            strides: vec![2],
            dilations: vec![1],
            pads_begin: vec![pads],
            pads_end: vec![pads],
        };
        assert_eq!(counts(&window(1), &[5]).values, [2.0, 3.0, 2.0]);
        assert_eq!(counts(&window(0), &[5]).values, [3.0]);
    }
}
