//! Convolutions. Keras puts channels last unless told otherwise, the operators here want them second.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS};
use super::dense::{FOLDING, NORMALISED, WEIGHTED, kernel_and_bias, with_bias};
use super::quantiser::quantised;
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{Constant, Lift, Real, Shaped};
use crate::model::{Op, Window};

/// Largest kernel, stride and dilation.
pub(super) const MAX_EXTENT: usize = 1 << 12;

const KNOWN: &[Known] = &[Known::only("mask", &["null"], "no part of the kernel is masked")];

/// What the kernel's extents are.
pub(super) const EXTENTS: &[&str] = &["filters", "kernel_size"];

/// Where windows lie.
pub(super) const SLIDING: &[&str] = &["strides", "padding", "dilation_rate", "data_format"];

const FULL: Form =
    Form { keys: &[WEIGHTED, EXTENTS, SLIDING, &["groups"]], known: &[WEIGHTS, KNOWN], variables: kernel_and_bias };

const DEPTHWISE: Form = Form {
    keys: &[WEIGHTED, SLIDING, &["kernel_size", "depthwise_quantizer", "groups", "depth_multiplier"]],
    known: &[WEIGHTS, KNOWN],
    variables: depthwise,
};

const SEPARATED: Form = Form {
    keys: &[
        EXTENTS,
        SLIDING,
        &["use_bias", "activation", "depthwise_quantizer", "pointwise_quantizer", "bias_quantizer", "depth_multiplier"],
    ],
    known: &[WEIGHTS, KNOWN, SEPARABLE],
    variables: separable,
};

/// What convolutions over one and over two axes have in common; see [`LayerClass`].
#[derive(Clone, Copy)]
struct Form {
    keys: &'static [&'static [&'static str]],
    known: &'static [&'static [Known]],
    variables: fn(&Settings) -> Vec<&'static str>,
}

type Construct = fn(&mut Lift, &KerasLayer, Real) -> Result<Real, Diagnostic>;

const fn class(names: &'static [&'static str], form: Form, build: Construct) -> LayerClass {
    LayerClass { names, keys: form.keys, known: form.known, variables: form.variables, build: Build::One(build) }
}

/// Convolutions.
pub(super) const CLASSES: &[LayerClass] = &[
    class(&["Conv1D", "QConv1D"], FULL, |lift, layer, x| lift.keras_convolution(layer, x, 1, false)),
    class(&["Conv2D", "QConv2D"], FULL, |lift, layer, x| lift.keras_convolution(layer, x, 2, false)),
    LayerClass {
        names: &["QConv2DBatchnorm"],
        keys: &[WEIGHTED, EXTENTS, SLIDING, &["groups"], NORMALISED],
        known: &[WEIGHTS, KNOWN, FOLDING],
        variables: kernel_and_bias,
        build: Build::One(|lift, layer, x| lift.keras_convolution(layer, x, 2, false)),
    },
    class(&["DepthwiseConv1D"], DEPTHWISE, |lift, layer, x| lift.keras_convolution(layer, x, 1, true)),
    class(&["DepthwiseConv2D", "QDepthwiseConv2D"], DEPTHWISE, |lift, layer, x| {
        lift.keras_convolution(layer, x, 2, true)
    }),
    class(&["SeparableConv1D", "QSeparableConv1D"], SEPARATED, |lift, layer, x| lift.keras_separable(layer, x, 1)),
    class(&["SeparableConv2D", "QSeparableConv2D"], SEPARATED, |lift, layer, x| lift.keras_separable(layer, x, 2)),
];

const SEPARABLE: &[Known] = &[
    Known::only("groups", &["1"], "all filters see all channels"),
    Known::any("pointwise_initializer", "values before training"),
    Known::any("pointwise_regularizer", "training"),
    Known::any("pointwise_constraint", "limits of weights during training"),
    Known::only("pointwise_range", &["null"], "QKeras does not use it any more"),
    Known::only("depthwise_activation", &["null"], "nothing between both convolutions"),
    Known::only("pointwise_activation", &["null"], "nothing beside the activation"),
];

fn separable(config: &Settings) -> Vec<&'static str> {
    [vec!["depthwise_kernel", "pointwise_kernel"], kernel_and_bias(config)[1..].to_vec()].concat()
}

fn depthwise(config: &Settings) -> Vec<&'static str> {
    with_bias(config, "depthwise_kernel")
}

impl Lift {
    fn keras_convolution(
        &mut self,
        layer: &KerasLayer,
        x: Real,
        rank: usize,
        depthwise: bool,
    ) -> Result<Real, Diagnostic> {
        // HGQ2 calls a depthwise kernel `kernel`
        let name = if depthwise && !layer.tensors.has("kernel") { "depthwise_kernel" } else { "kernel" };
        let kernel = layer.floats(name)?;
        let shape = self.shape(&x).to_vec();
        if kernel.shape.len() != rank + 2 || shape.len() != rank + 2 {
            return Err(layer.error(format!("a kernel of shape {:?} does not fit operands {shape:?}", kernel.shape)));
        }
        let first = layer.channels_first()?;
        let channel = if first { 1 } else { rank + 1 };
        layer.agrees("kernel_size", &kernel.shape[..rank])?;
        let (kernel, bias) = if depthwise {
            let count = kernel.shape[rank].saturating_mul(kernel.shape[rank + 1]);
            (kernel, layer.bias(count)?)
        } else {
            layer.agrees("filters", &kernel.shape[rank + 1..])?;
            layer.folded(kernel, (channel, rank + 2))?
        };
        let keys: &[&str] =
            if depthwise { &["depthwise_quantizer", "kernel_quantizer"] } else { &["kernel_quantizer"] };
        let weights = quantised(layer, &kernel, keys, "kq")?;
        let weights = filters(layer, &weights, depthwise)?;
        let spatial = &kernel.shape[..rank];
        let (channels, extents) = match first {
            true => (shape[1], &shape[2..]),
            false => (shape[rank + 1], &shape[1..=rank]),
        };
        let mut groups = layer.config.integer("groups")?.unwrap_or(1).clamp(0, 1 << 20) as usize;
        if depthwise {
            let multiplier = layer.config.integer("depth_multiplier")?;
            if groups != 1 || multiplier.is_some_and(|m| m != kernel.shape[rank + 1] as i64) {
                return Err(layer.error("its groups or depth multiplier do not fit its kernel"));
            }
            groups = channels;
        }
        let window = keras_window(layer, spatial, extents, "strides", Some(1))?;
        let x = if first { x } else { self.channels_second(layer, x)? };
        let y = self.convolution(&layer.name, x, &weights, Shaped { window, groups })?;
        let y = self.channels_last(layer, y)?;
        let y = self.biased(layer, y, bias)?;
        let y = self.activated(layer, y, "activation")?;
        if first { self.channels_second(layer, y) } else { Ok(y) }
    }

    /// A depthwise convolution and one of single elements behind it.
    fn keras_separable(&mut self, layer: &KerasLayer, x: Real, rank: usize) -> Result<Real, Diagnostic> {
        let (depthwise, pointwise) = (layer.floats("depthwise_kernel")?, layer.floats("pointwise_kernel")?);
        let shape = self.shape(&x).to_vec();
        if [depthwise.shape.len(), pointwise.shape.len(), shape.len()] != [rank + 2; 3] {
            return Err(layer.error(format!("its kernels do not fit operands {shape:?}")));
        }
        if layer.config.integer("depth_multiplier")?.is_some_and(|m| m != depthwise.shape[rank + 1] as i64) {
            return Err(layer.error("its depth multiplier does not fit its kernel"));
        }
        layer.agrees("kernel_size", &depthwise.shape[..rank])?;
        layer.agrees("filters", &pointwise.shape[rank + 1..])?;
        let first = layer.channels_first()?;
        let (groups, extents) = match first {
            true => (shape[1], &shape[2..]),
            false => (shape[rank + 1], &shape[1..=rank]),
        };
        let window = keras_window(layer, &depthwise.shape[..rank], extents, "strides", Some(1))?;
        let x = if first { x } else { self.channels_second(layer, x)? };
        let weights = quantised(layer, &depthwise, &["depthwise_quantizer"], "")?;
        let weights = filters(layer, &weights, true)?;
        let y = self.convolution(&layer.name, x, &weights, Shaped { window, groups })?;
        let weights = quantised(layer, &pointwise, &["pointwise_quantizer"], "")?;
        let weights = filters(layer, &weights, false)?;
        let one = || vec![1; rank];
        let still = || vec![0; rank];
        let single = Window { kernel: one(), strides: one(), dilations: one(), pads_begin: still(), pads_end: still() };
        let y = self.convolution(&layer.name, y, &weights, Shaped { window: single, groups: 1 })?;
        let y = self.channels_last(layer, y)?;
        let y = self.biased(layer, y, layer.bias(pointwise.shape[rank + 1])?)?;
        let y = self.activated(layer, y, "activation")?;
        if first { self.channels_second(layer, y) } else { Ok(y) }
    }

    pub(super) fn channels_second(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        let mut axes = vec![0, rank - 1];
        axes.extend(1..rank - 1);
        self.moved(&layer.name, x, Op::Transpose { axes })
    }

    pub(super) fn channels_last(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        let mut axes = vec![0];
        axes.extend(2..rank);
        axes.push(1);
        self.moved(&layer.name, x, Op::Transpose { axes })
    }
}

/// Weights of shape `[kernel…, channels, filters]`, or `[kernel…, channels, multiplier]` of a depthwise convolution, as
/// `[filters, channels of a group, kernel…]`.
pub(super) fn filters(layer: &KerasLayer, weights: &Constant, depthwise: bool) -> Result<Constant, Diagnostic> {
    let shape = weights.shape().to_vec();
    let rank = shape.len() - 2;
    // filter c · multiplier + m belongs to channel c
    let mut axes = if depthwise { vec![rank, rank + 1] } else { vec![rank + 1, rank] };
    axes.extend(0..rank);
    let mut weights = weights.moved(&Op::Transpose { axes }).map_err(|why| layer.error(why))?;
    if depthwise {
        let new = [&[shape[rank] * shape[rank + 1], 1], &shape[..rank]].concat();
        weights = weights.moved(&Op::Reshape { shape: new }).map_err(|why| layer.error(why))?;
    }
    Ok(weights)
}

impl KerasLayer {
    /// Whether channels stand in front of the spatial axes.
    pub(super) fn channels_first(&self) -> Result<bool, Diagnostic> {
        let format = self.config.choice("data_format", &["channels_last", "channels_first"], "channels_last")?;
        Ok(format == "channels_first")
    }
}

/// A window with Keras' padding over `spatial` extents; `step` is the stride if the file gives none, the kernel's extent
/// if that is none either.
pub(super) fn keras_window(
    layer: &KerasLayer,
    kernel: &[usize],
    spatial: &[usize],
    key: &str,
    step: Option<usize>,
) -> Result<Window, Diagnostic> {
    let rank = kernel.len();
    let given = layer.config.sizes(key, rank)?;
    let strides = given.unwrap_or_else(|| step.map_or_else(|| kernel.to_vec(), |step| vec![step; rank]));
    let dilations = layer.config.sizes("dilation_rate", rank)?.unwrap_or_else(|| vec![1; rank]);
    if strides.iter().chain(&dilations).chain(kernel).any(|v| *v == 0 || *v > MAX_EXTENT) {
        return Err(layer.error(format!("kernel, strides and dilations are from 1 to {MAX_EXTENT}")));
    }
    let padding = layer.config.choice("padding", &["valid", "same", "causal"], "valid")?;
    let reach = |a: usize| (kernel[a] - 1) * dilations[a];
    let total = |a: usize| {
        let reach = spatial[a].div_ceil(strides[a]).saturating_sub(1) * strides[a] + reach(a) + 1;
        reach.saturating_sub(spatial[a])
    };
    let around = |a: usize| match padding {
        "same" => Ok((total(a) / 2, total(a) - total(a) / 2)),
        "causal" if rank == 1 && step.is_some() => Ok((reach(a), 0)),
        "causal" => Err(layer.error("causal padding is for one axis only")),
        _ => Ok((0, 0)),
    };
    let pads: Vec<(usize, usize)> = (0..rank).map(around).collect::<Result<_, _>>()?;
    let (pads_begin, pads_end) = pads.into_iter().unzip();
    Ok(Window { kernel: kernel.to_vec(), strides, dilations, pads_begin, pads_end })
}
