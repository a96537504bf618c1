//! Maxima and averages over windows and whole axes.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use super::convolution::keras_window;
use super::quantiser::quantised;
use crate::import::lift::{Lift, Noise, Real};
use crate::model::{Array, Op, Window};

const WINDOWED: &[&str] = &["pool_size", "strides", "padding", "data_format"];

const GLOBAL: &[&str] = &["data_format", "keepdims"];

const QUANTISED: &[&str] = &["average_quantizer", "activation"];

/// A pooling class.
const fn windowed(names: &'static [&'static str], build: Build) -> LayerClass {
    LayerClass { names, keys: &[WINDOWED], known: &[], variables: none, build }
}

/// A class that pools whole axes.
const fn global(names: &'static [&'static str], build: Build) -> LayerClass {
    LayerClass { names, keys: &[GLOBAL], known: &[], variables: none, build }
}

/// Pooling layers.
pub(super) const CLASSES: &[LayerClass] = &[
    windowed(&["MaxPooling1D", "QMaxPooling1D"], Build::One(|lift, layer, x| lift.keras_pool(layer, x, 1, false))),
    windowed(&["MaxPooling2D", "QMaxPooling2D"], Build::One(|lift, layer, x| lift.keras_pool(layer, x, 2, false))),
    windowed(&["AveragePooling1D"], Build::One(|lift, layer, x| lift.keras_pool(layer, x, 1, true))),
    windowed(
        &["AveragePooling2D", "QAveragePooling1D"],
        Build::One(|lift, layer, x| {
            let rank = if layer.class.ends_with("1D") { 1 } else { 2 };
            lift.keras_pool(layer, x, rank, true)
        }),
    ),
    global(
        &["GlobalMaxPooling1D", "GlobalMaxPooling2D", "QGlobalMaxPooling1D", "QGlobalMaxPooling2D"],
        Build::One(|lift, layer, x| lift.keras_global_pool(layer, x, false)),
    ),
    LayerClass {
        names: &["QAveragePooling2D"],
        keys: &[WINDOWED, QUANTISED],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| {
            let y = lift.keras_pool(layer, x, 2, true)?;
            lift.activated(layer, y, "activation")
        }),
    },
    global(
        &["GlobalAveragePooling1D", "GlobalAveragePooling2D", "QGlobalAveragePooling1D"],
        Build::One(|lift, layer, x| lift.keras_global_pool(layer, x, true)),
    ),
    LayerClass {
        names: &["QGlobalAveragePooling2D"],
        keys: &[GLOBAL, QUANTISED],
        known: &[],
        variables: none,
        build: Build::One(|lift, layer, x| {
            let y = lift.keras_global_pool(layer, x, true)?;
            lift.activated(layer, y, "activation")
        }),
    },
];

impl KerasLayer {
    /// What an average of `count` elements multiplies their sum by.
    fn average_factor(&self, count: usize) -> Result<f64, Diagnostic> {
        let factor = 1.0 / count as f64;
        if self.config.value("average_quantizer").is_null() {
            return Ok(factor);
        }
        let number = Array { shape: vec![1], values: vec![factor as f32] };
        let quantised = quantised(self, &number, &["average_quantizer"], "")?.as_float();
        match quantised.values.first() {
            Some(factor) if *factor > 0.0 => Ok(f64::from(*factor)),
            _ => Err(self.error(format!("its `average_quantizer` makes 0 or less of 1/{count}"))),
        }
    }
}

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
        let count = kernel.iter().product();
        let average = match (averages, window.pads()) {
            (false, _) => None,
            (true, false) => Some(Array::scalar(layer.average_factor(count)?)),
            (true, true) if !layer.config.value("average_quantizer").is_null() => {
                return Err(layer
                    .error("quantised averages over padding are not supported")
                    .help("use padding=\"valid\""));
            }
            // Keras counts the elements that are there
            (true, true) => Some(counts(&window, extents).map(|n| 1.0 / *n)),
        };
        let x = if first { x } else { self.channels_second(layer, x)? };
        let y = self.pool(&layer.name, x, window, average)?;
        let y = self.averaged(layer, y, count);
        if first { Ok(y) } else { self.channels_last(layer, y) }
    }

    /// With a quantised factor, QKeras divides by the number of elements and multiplies by it again. That gives the sum back
    /// if the number is a sum of two powers of two (Kahan), and may be off by two roundings otherwise.
    fn averaged(&self, layer: &KerasLayer, y: Real, count: usize) -> Real {
        if layer.config.peek("average_quantizer").is_null() || count.count_ones() <= 2 {
            return y;
        }
        let noise = y.noise + Noise::of(3.0 * self.magnitude(&y) / 16_777_216.0);
        Real { noise, ..y }
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
        let factor = if averages { Some(layer.average_factor(count)?) } else { None };
        let y = self.reduce(&layer.name, x, axes, factor)?;
        let y = self.averaged(layer, y, count);
        if layer.config.flag("keepdims")? == Some(true) {
            return Ok(y);
        }
        self.moved(&layer.name, y, Op::Reshape { shape: vec![1, channels] })
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
            high.saturating_sub(low).max(1) as f64
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
