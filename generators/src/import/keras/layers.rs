//! Each Keras layer in terms of integer layers. Keras puts channels last, the convolutions here want them second.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::quantiser::{Activation, activation};
use crate::import::lift::{Constant, Grid, Lift, Noise, Real, Shaped};
use crate::model::{Array, Op, Step, Window};

/// Largest kernel, stride and dilation.
const MAX_EXTENT: usize = 1 << 12;

/// Roundings of a batch normalisation whose order Keras leaves to its back end.
const NORMALISATION_NOISE: f64 = 4.0 / 16_777_216.0;

impl Lift {
    /// The result of one layer, between the quantisers that HGQ2 has at both its ends.
    pub(super) fn keras_layer(&mut self, layer: &KerasLayer, mut operands: Vec<Real>) -> Result<Real, Diagnostic> {
        let several = layer.config["iq_confs"].as_array().map(Vec::len);
        if several.is_some_and(|count| count != operands.len()) {
            return Err(layer.error("there is not one quantiser for each operand"));
        }
        for (k, x) in operands.iter_mut().enumerate() {
            let role = match several {
                Some(_) => format!("iq{k}"),
                None => "iq".to_owned(),
            };
            *x = self.hgq(layer, &role, x.clone())?;
        }
        let y = self.keras_function(layer, operands)?;
        self.hgq(layer, "oq", y)
    }

    fn keras_function(&mut self, layer: &KerasLayer, mut operands: Vec<Real>) -> Result<Real, Diagnostic> {
        let class = layer.class.as_str();
        match class {
            _ if layer.is_merge() => return self.keras_merge(layer, operands),
            "Concatenate" => {
                let rank = operands.first().map_or(0, |x| self.shape(x).len()) as i64;
                let axis = layer.config["axis"].as_i64().unwrap_or(-1);
                let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
                let axis = usize::try_from(axis).ok().filter(|a| (*a as i64) < rank);
                let axis = axis.ok_or_else(|| layer.error("there is no such axis"))?;
                return self.concat(&layer.name, operands, axis);
            }
            _ => {}
        }
        if operands.len() != 1 {
            return Err(layer.error(format!("{} operands are not supported", operands.len())));
        }
        let x = operands.remove(0);
        let dimensions = if class.contains("1D") { 1 } else { 2 };
        match class {
            "QDense" | "Dense" | "QDenseBatchnorm" => self.keras_dense(layer, x),
            "QBatchNormDense" => self.hgq_normalised_dense(layer, x),
            "QEinsumDense" | "EinsumDense" => self.keras_einsum(layer, x),
            "QConv1D" | "Conv1D" | "QConv2D" | "Conv2D" | "QConv2DBatchnorm" => self.keras_convolution(layer, x, dimensions, false),
            "QDepthwiseConv2D" | "DepthwiseConv2D" => self.keras_convolution(layer, x, dimensions, true),
            "QBatchNormalization" if !layer.config["kq_conf"].is_null() => self.hgq_normalisation(layer, x),
            "BatchNormalization" | "QBatchNormalization" => self.keras_normalisation(layer, x),
            "Quantizer" => self.hgq(layer, "quantizer", x),
            "QActivation" | "Activation" | "QUnaryFunctionLUT" => self.activated(layer, x, "activation"),
            "Softmax" => self.keras_softmax(layer, x),
            "ReLU" => self.step(&layer.name, x, Step::Relu),
            "LeakyReLU" => {
                let slope = layer.config["alpha"].as_f64();
                let slope = slope.or(layer.config["negative_slope"].as_f64());
                let slope = slope.unwrap_or(0.3) as f32;
                self.step(&layer.name, x, Step::LeakyRelu(Array::scalar(slope)))
            }
            "Dropout" | "GaussianNoise" | "SpatialDropout2D" => Ok(x),
            "Flatten" => {
                let shape = vec![1, self.shape(&x)[1..].iter().product()];
                self.moved(&layer.name, x, Op::Reshape { shape })
            }
            "Reshape" => self.keras_reshape(layer, x),
            _ if layer.pooling().starts_with("Global") => {
                self.keras_global_pool(layer, x)
            }
            _ if !layer.pooling().is_empty() => self.keras_pool(layer, x, dimensions),
            "ZeroPadding1D" | "ZeroPadding2D" => self.keras_padding(layer, x),
            _ => Err(layer.error("this layer is not supported").help(
                "supported are dense, convolution, depthwise and batch normalisation layers with or without quantisers, \
                 activations, pooling, padding, reshaping and merging layers",
            )),
        }
    }

    pub(super) fn activated(&mut self, layer: &KerasLayer, x: Real, key: &str) -> Result<Real, Diagnostic> {
        match activation(&layer.config[key]).map_err(|why| layer.error(why))? {
            Activation::Linear => Ok(x),
            Activation::Softmax => self.keras_softmax(layer, x),
            Activation::Step(step) => self.step(&layer.name, x, step),
            Activation::Quantiser(quantiser, meaning) => self.quantise(&layer.name, x, *quantiser, meaning),
        }
    }

    /// Along the last axis unless a layer of its own says another one.
    fn keras_softmax(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len() as i64;
        let axis = match layer.class.as_str() {
            "Softmax" => layer.config["axis"].as_i64().unwrap_or(-1),
            _ => -1,
        };
        let axis = if axis < 0 { axis.saturating_add(rank) } else { axis };
        if !(0..rank).contains(&axis) {
            return Err(layer.error("there is no such axis"));
        }
        self.softmax(&layer.name, x, axis as usize)
    }

    fn keras_dense(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let kernel = layer.floats("kernel")?;
        let (kernel, bias) = layer.folded(kernel)?;
        let weights = quantised(layer, &kernel, &["kernel_quantizer"], "kq")?;
        let y = self.dense(&layer.name, x, &weights)?;
        let y = self.biased(layer, y, bias)?;
        self.activated(layer, y, "activation")
    }

    /// A dense layer that normalises its operand: rows of the kernel are scaled before they are quantised, and the means
    /// go into the bias through the kernel as it was.
    fn hgq_normalised_dense(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let misfit = || layer.error("its parameters differ in shape");
        let (kernel, bias) = (layer.floats("kernel")?, layer.floats("bias")?);
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

    pub(super) fn biased(&mut self, layer: &KerasLayer, y: Real, bias: Option<Array<f32>>) -> Result<Real, Diagnostic> {
        let Some(bias) = bias else {
            return Ok(y);
        };
        let bias = quantised(layer, &bias, &["bias_quantizer"], "bq")?.as_float();
        self.step(&layer.name, y, Step::Add(bias))
    }

    fn keras_convolution(
        &mut self,
        layer: &KerasLayer,
        x: Real,
        rank: usize,
        depthwise: bool,
    ) -> Result<Real, Diagnostic> {
        let kernel = layer.floats(if depthwise { "depthwise_kernel" } else { "kernel" })?;
        let shape = self.shape(&x).to_vec();
        if kernel.shape.len() != rank + 2 || shape.len() != rank + 2 {
            return Err(layer.error(format!("a kernel of shape {:?} does not fit operands {shape:?}", kernel.shape)));
        }
        if layer.config["data_format"].as_str().is_some_and(|f| f != "channels_last") {
            return Err(layer
                .error("channels first are not supported")
                .help("train with data_format=\"channels_last\""));
        }
        let (kernel, bias) = layer.folded(kernel)?;
        let weights = quantised(
            layer,
            &kernel,
            if depthwise { &["depthwise_quantizer", "kernel_quantizer"] } else { &["kernel_quantizer"] },
            "kq",
        )?;
        // Keras: kernel axes, channels, filters (or multiplier); here: filters, channels of a group, kernel axes
        let mut axes = vec![rank + 1, rank];
        axes.extend(0..rank);
        let mut weights = weights.moved(&Op::Transpose { axes }).map_err(|why| layer.error(why))?;
        let spatial = &kernel.shape[..rank];
        let groups = if depthwise { shape[rank + 1] } else { layer.sizes("groups", 1, 1)?[0] };
        if depthwise {
            // filter c · multiplier + m belongs to channel c
            let mut swap: Vec<usize> = (0..rank + 2).collect();
            swap.swap(0, 1);
            let filters = kernel.shape[rank] * kernel.shape[rank + 1];
            let new = [&[filters, 1], spatial].concat();
            let moved = weights.moved(&Op::Transpose { axes: swap }).and_then(|w| w.moved(&Op::Reshape { shape: new }));
            weights = moved.map_err(|why| layer.error(why))?;
        }
        let window = keras_window(layer, spatial, &shape[1..=rank], "strides", 1)?;
        let x = self.channels_second(layer, x)?;
        let y = self.convolution(&layer.name, x, &weights, Shaped { window, groups })?;
        let y = self.channels_last(layer, y)?;
        let y = self.biased(layer, y, bias)?;
        self.activated(layer, y, "activation")
    }

    fn channels_second(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        let mut axes = vec![0, rank - 1];
        axes.extend(1..rank - 1);
        self.moved(&layer.name, x, Op::Transpose { axes })
    }

    fn channels_last(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        let mut axes = vec![0];
        axes.extend(2..rank);
        axes.push(1);
        self.moved(&layer.name, x, Op::Transpose { axes })
    }

    fn keras_normalisation(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let (scale, shift) = layer.normalisation()?;
        for key in ["gamma_quantizer", "beta_quantizer", "mean_quantizer", "variance_quantizer", "inverse_quantizer"] {
            if !layer.config[key].is_null() {
                return Err(layer
                    .error(format!("`{key}` is not supported"))
                    .help("use BatchNormalization, or fold it with QDenseBatchnorm"));
            }
        }
        let mut y = self.step(&layer.name, x, Step::Mul(scale))?;
        y.noise = y.noise.max(Noise::of(NORMALISATION_NOISE * self.magnitude(&y)));
        self.step(&layer.name, y, Step::Add(shift))
    }

    /// `x · kq(scale) + bq(shift)`. HGQ2 takes 1 for the shift of a layer without `center`.
    fn hgq_normalisation(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len() as i64;
        let axis = layer.config["axis"].as_i64().unwrap_or(-1);
        if axis != -1 && axis != rank - 1 {
            return Err(layer.error("it does not normalise the last axis"));
        }
        let Normalisation { scale, mean, beta } = layer.normalisation_parts()?;
        let misfit = || layer.error("its parameters differ in shape");
        let beta = match layer.config["center"].as_bool() {
            Some(false) => mean.map(|_| 1.0),
            _ => beta,
        };
        let moved = mean.zip(&scale, |m, s| m * s).ok_or_else(misfit)?;
        let shift = beta.zip(&moved, |b, m| b - m).ok_or_else(misfit)?;
        let scale = quantised(layer, &scale, &[], "kq")?.as_float();
        let shift = quantised(layer, &shift, &[], "bq")?.as_float();
        let y = self.step(&layer.name, x, Step::Mul(scale))?;
        self.step(&layer.name, y, Step::Add(shift))
    }

    fn keras_reshape(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let total: usize = self.shape(&x).iter().product();
        let wanted = layer.config["target_shape"].as_array().ok_or_else(|| layer.error("its shape is missing"))?;
        let extents: Vec<i64> = wanted.iter().filter_map(|e| e.as_i64()).collect();
        let known: Option<i64> = extents.iter().filter(|e| **e > 0).try_fold(1i64, |n, e| n.checked_mul(*e));
        let known = known.filter(|n| *n > 0).ok_or_else(|| layer.error("its shape is too large"))? as usize;
        let shape =
            [1].into_iter().chain(extents.iter().map(|e| if *e > 0 { *e as usize } else { total / known })).collect();
        self.moved(&layer.name, x, Op::Reshape { shape })
    }

    fn keras_pool(&mut self, layer: &KerasLayer, x: Real, rank: usize) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        if shape.len() != rank + 2 {
            return Err(layer.error(format!("it does not fit operands of shape {shape:?}")));
        }
        let kernel = layer.sizes("pool_size", rank, 2)?;
        let window = keras_window(layer, &kernel, &shape[1..=rank], "strides", 0)?;
        let averages = layer.pooling().starts_with("Average");
        if averages && window.pads() {
            return Err(layer.error("averages over padding are not supported").help("use padding=\"valid\""));
        }
        let average = averages.then(|| Array::scalar(1.0 / kernel.iter().product::<usize>() as f64));
        let x = self.channels_second(layer, x)?;
        let y = self.pool(&layer.name, x, window, average)?;
        self.channels_last(layer, y)
    }

    fn keras_global_pool(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        if shape.len() < 3 {
            return Err(layer.error("its operand has no spatial axes"));
        }
        let axes: Vec<usize> = (1..shape.len() - 1).collect();
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        let factor = layer.pooling().starts_with("GlobalAverage").then(|| 1.0 / count as f64);
        let y = self.reduce(&layer.name, x, axes, factor)?;
        if layer.config["keepdims"].as_bool() == Some(true) {
            return Ok(y);
        }
        let shape = vec![1, shape[shape.len() - 1]];
        self.moved(&layer.name, y, Op::Reshape { shape })
    }

    fn keras_padding(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len().checked_sub(2).ok_or_else(|| layer.error("its operand has no spatial axes"))?;
        let small = |v: &serde_json::Value| v.as_u64().filter(|v| *v <= 1 << 16).map(|v| v as usize);
        let pair = |v: &serde_json::Value| Some((small(&v[0])?, small(&v[1])?));
        let padding = &layer.config["padding"];
        let pads: Option<Vec<(usize, usize)>> = match rank {
            1 => pair(padding).map(|p| vec![p]),
            _ => (0..rank).map(|a| pair(&padding[a])).collect(),
        };
        let pads = pads.ok_or_else(|| layer.error("its padding is no pair of numbers an axis"))?;
        let around = |of: fn(&(usize, usize)) -> usize| [vec![0], pads.iter().map(of).collect(), vec![0]].concat();
        self.pad(&layer.name, x, around(|p| p.0), around(|p| p.1), 0.0)
    }
}

/// A window with Keras' padding; `step` is the stride if none is given, 0 for the kernel's extent.
fn keras_window(
    layer: &KerasLayer,
    kernel: &[usize],
    spatial: &[usize],
    key: &str,
    step: usize,
) -> Result<Window, Diagnostic> {
    let rank = kernel.len();
    let mut strides = layer.sizes(key, rank, step)?;
    for (stride, kernel) in strides.iter_mut().zip(kernel) {
        if *stride == 0 {
            *stride = *kernel;
        }
    }
    let dilations = layer.sizes("dilation_rate", rank, 1)?;
    if strides.iter().chain(&dilations).chain(kernel).any(|v| *v == 0 || *v > MAX_EXTENT) {
        return Err(layer.error(format!("kernel, strides and dilations are from 1 to {MAX_EXTENT}")));
    }
    let same = match layer.config["padding"].as_str() {
        Some("same") => true,
        Some("valid") | None => false,
        Some(other) => {
            return Err(layer.error(format!("padding {} is not supported", hdl::names::quoted(other))));
        }
    };
    let total = |a: usize| {
        let reach = spatial[a].div_ceil(strides[a]).saturating_sub(1) * strides[a] + (kernel[a] - 1) * dilations[a] + 1;
        if same { reach.saturating_sub(spatial[a]) } else { 0 }
    };
    let pads_begin: Vec<usize> = (0..rank).map(|a| total(a) / 2).collect();
    let pads_end = (0..rank).map(|a| total(a) - total(a) / 2).collect();
    Ok(Window { kernel: kernel.to_vec(), strides, dilations, pads_begin, pads_end })
}

/// The numbers through the QKeras quantiser that the layer has under the first of `keys`, or through its HGQ2 quantiser of
/// that `role`; as they are if there is none.
pub(super) fn quantised(
    layer: &KerasLayer,
    numbers: &Array<f32>,
    keys: &[&str],
    role: &str,
) -> Result<Constant, Diagnostic> {
    if let Some(fixed) = layer.fixed(role)? {
        let misfit = || layer.error(format!("its quantiser `{role}` does not fit its tensor"));
        let quantised = fixed.weights(numbers).ok_or_else(misfit)?;
        return Ok(Constant::float(quantised.shape, quantised.values));
    }
    let config = keys.iter().map(|k| &layer.config[*k]).find(|c| !c.is_null());
    let quantiser = activation(config.unwrap_or(&serde_json::Value::Null)).map_err(|why| layer.error(why))?;
    let Activation::Quantiser(quantiser, meaning) = quantiser else {
        return Ok(Constant::float(numbers.shape.clone(), numbers.values.clone()));
    };
    let quantiser = quantiser.with(|p| p.values[0]);
    let integers: Vec<i64> = numbers.values.iter().map(|v| quantiser.code(*v)).collect();
    let unit = meaning.unit.values[0];
    Ok(Constant::Float {
        array: Array {
            shape: numbers.shape.clone(),
            values: integers.iter().map(|n| (*n as f64 * unit) as f32).collect(),
        },
        grid: Some(Grid { integers, unit: meaning.unit }),
    })
}

/// `(x - mean) · scale + beta`, one number a channel.
struct Normalisation {
    scale: Array<f32>,
    mean: Array<f32>,
    beta: Array<f32>,
}

impl KerasLayer {
    /// Which pooling the layer is, such as `MaxPooling`; empty if none.
    fn pooling(&self) -> &str {
        let class = self.class.strip_prefix('Q').unwrap_or(&self.class);
        let class = class.strip_suffix("1D").or(class.strip_suffix("2D"));
        match class.unwrap_or_default() {
            kind @ ("MaxPooling" | "AveragePooling" | "GlobalMaxPooling" | "GlobalAveragePooling") => kind,
            _ => "",
        }
    }

    /// A tensor with finite numbers.
    pub(super) fn floats(&self, name: &str) -> Result<Array<f32>, Diagnostic> {
        let tensor = self.tensors.get(name).ok_or_else(|| self.error(format!("its {name} is missing")))?;
        if tensor.data.iter().any(|v| !v.is_finite()) {
            return Err(self.error(format!("its {name} is not finite")));
        }
        let shape: Vec<usize> = tensor.shape.iter().map(|e| *e as usize).collect();
        if !tensor.is_whole() {
            return Err(self.error(format!("its {name} is damaged")));
        }
        Ok(Array { shape, values: tensor.data.clone() })
    }

    /// `gamma / sqrt(variance + epsilon)` and `beta - mean` times that.
    fn normalisation(&self) -> Result<(Array<f32>, Array<f32>), Diagnostic> {
        let Normalisation { scale, mean, beta } = self.normalisation_parts()?;
        let shift = mean.zip(&scale, |m, s| m * s).and_then(|ms| beta.zip(&ms, |b, ms| b - ms));
        Ok((scale, shift.ok_or_else(|| self.error("its parameters differ in shape"))?))
    }

    fn normalisation_parts(&self) -> Result<Normalisation, Diagnostic> {
        let epsilon = self.config["epsilon"].as_f64().unwrap_or(1e-3) as f32;
        let (mean, variance) = (self.floats("moving_mean")?, self.floats("moving_variance")?);
        if variance.values.iter().any(|v| v + epsilon <= 0.0) {
            return Err(self.error("a variance is negative"));
        }
        let optional = |key: &str, name: &str, default: f32| match self.config[key].as_bool() {
            Some(false) => Ok(mean.map(|_| default)),
            _ => self.floats(name),
        };
        let (gamma, beta) = (
            optional("scale", "gamma", 1.0)?,
            match self.class.as_str() {
                "QBatchNormDense" => mean.map(|_| 0.0),
                _ => optional("center", "beta", 0.0)?,
            },
        );
        let inverse = variance.map(|v| 1.0 / (v + epsilon).sqrt());
        let scale = inverse.zip(&gamma, |i, g| i * g).ok_or_else(|| self.error("its parameters differ in shape"))?;
        Ok(Normalisation { scale, mean, beta })
    }

    /// Kernel and bias, with a batch normalisation folded in if the layer has one.
    fn folded(&self, kernel: Array<f32>) -> Result<(Array<f32>, Option<Array<f32>>), Diagnostic> {
        let bias = match self.config["use_bias"].as_bool() {
            Some(false) => None,
            _ => Some(self.floats("bias")?),
        };
        if !self.class.ends_with("Batchnorm") {
            return Ok((kernel, bias));
        }
        let misfit = || self.error("its parameters differ in shape");
        let Normalisation { scale, mean, beta } = self.normalisation_parts()?;
        let bias = bias.unwrap_or_else(|| mean.map(|_| 0.0));
        let bias = bias
            .zip(&mean, |b, m| b - m)
            .and_then(|d| d.zip(&scale, |d, s| s * d))
            .and_then(|d| d.zip(&beta, |d, b| d + b));
        let kernel = kernel.zip(&scale, |k, s| s * k).ok_or_else(misfit)?;
        Ok((kernel, Some(bias.ok_or_else(misfit)?)))
    }
}
