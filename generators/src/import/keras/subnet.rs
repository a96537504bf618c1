//! HGQ2's layers of tables, `QDenseT` and `QConvT`: each pair of an operand's element and a result has a small network of
//! its own from one number to one number, whose quantised results are summed.
//!
//! A network of one number is a table of the integers of the quantiser in front of it. Frameworks compute it in 32-bit
//! floats, in an order of their own; entries that may round to either side are counted as doubtful.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use super::layer_calls::Call;
use super::part::numbered;
use super::quantiser::{Activation, Dialect, activation};
use super::weights::Layout;
use crate::import::keras::settings::{Known, Settings};
use crate::import::lift::{About, Functions, Lift, Real};
use crate::model::{Array, Op, Step};

/// Half the relative distance of neighbouring 32-bit floats.
const HALF_ULP: f64 = 1.0 / 16_777_216.0;

/// Most integers of an operand without a quantiser of its own.
const ANY: (i64, i64) = (i64::MIN / 4, i64::MAX / 4);

/// Keys of the networks that become tables, and of the normalisation behind them.
const NETWORK: &[&str] = &[
    "n_hl",
    "d_hl",
    "subnn_activation",
    "activation",
    "use_bias",
    "batch_norm",
    "bn_center",
    "bn_scale",
    "bn_epsilon",
];

/// Layers of tables.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["QDenseT"],
        keys: &[NETWORK, &["n_out"]],
        known: &[TABLES],
        variables: none,
        build: Build::Called(|lift, layer, call| {
            let x = layer.operand(call)?;
            lift.hgq_tables(layer, x, "n_out")
        }),
    },
    LayerClass {
        names: &["QConvT1D", "QConvT2D"],
        keys: &[NETWORK, &["filters", "kernel_size", "strides", "padding", "dilation_rate"]],
        known: &[
            TABLES,
            &[
                Known::only("data_format", &["\"channels_last\"", "null"], "channels are the last axis"),
                Known::only("groups", &["1"], "HGQ2 has no others"),
            ],
        ],
        variables: none,
        build: Build::Called(Lift::hgq_table_convolution),
    },
];

const TABLES: &[Known] =
    &[Known::any("bn_momentum", "training"), Known::any("table_idxs", "a hint for the hardware of others")];

/// The name of a tensor of the networks, `module.LAYER.kernel`, or of the normalisation behind them, `bn.gamma`.
pub(super) fn variable(config: &Settings, layout: Layout, path: &str) -> Option<String> {
    if config.peek("toq_conf").is_null() {
        return None;
    }
    let parts: Vec<&str> = path.split('/').collect();
    match (layout, parts.as_slice()) {
        (Layout::Numbered, ["module", "layers", layer, "vars", number]) => {
            let name = ["kernel", "bias"].get(number.parse::<usize>().ok()?)?;
            let (_, layer) = numbered(layer);
            Some(format!("module.{layer}.{name}"))
        }
        (Layout::Numbered, ["bn_module", "vars", number]) => {
            let has = |key: &str, name: &'static str| (config.peek(key) != false).then_some(name);
            let names =
                [has("bn_scale", "gamma"), has("bn_center", "beta"), Some("moving_mean"), Some("moving_variance")];
            let name = names.into_iter().flatten().nth(number.parse().ok()?)?;
            Some(format!("bn.{name}"))
        }
        (Layout::Named, [.., _, layer, name]) => match numbered(layer) {
            ("einsum_dense", layer) => Some(format!("module.{layer}.{name}")),
            ("batch_normalization", _) => Some(format!("bn.{name}")),
            _ => None,
        },
        _ => None,
    }
}

/// One layer of all networks.
struct Dense {
    /// `[network, input, output]`.
    kernel: Vec<f32>,
    /// `[network, output]`.
    bias: Option<Vec<f32>>,
    inputs: usize,
    outputs: usize,
    /// What follows.
    steps: Vec<Step<f32>>,
}

/// The networks of a layer, `[operand, result]`.
struct Networks {
    layers: Vec<Dense>,
    /// Factor and summand of each result, and what both are divided by.
    normalisation: Option<(Vec<[f64; 2]>, f64)>,
    results: usize,
}

impl Dense {
    /// Sums of products, no farther than worst roundings in any order from the framework's.
    fn apply(&self, network: usize, x: &[About]) -> Vec<About> {
        let of = |o: usize| {
            let weight = |i: usize| f64::from(self.kernel[(network * self.inputs + i) * self.outputs + o]);
            let (mut sum, mut size, mut off) = (0.0, 0.0, 0.0);
            for (i, x) in x.iter().enumerate() {
                let product = weight(i) * f64::from(x.value);
                sum += product;
                size += product.abs();
                off += weight(i).abs() * f64::from(x.off);
            }
            if let Some(bias) = &self.bias {
                let bias = f64::from(bias[network * self.outputs + o]);
                sum += bias;
                size += bias.abs();
            }
            // a rounding for each product and each addition
            let off = off + (self.inputs + 1) as f64 * HALF_ULP * size;
            self.steps.iter().fold(About { value: sum as f32, off: off as f32 }, followed)
        };
        (0..self.outputs).map(of).collect()
    }
}

/// What a function makes of a number and of what it may be off.
fn followed(x: About, step: &Step<f32>) -> About {
    const APPROXIMATION: f32 = 4e-7;
    let value = step.apply(x.value);
    if !value.is_finite() {
        return About { value, off: 0.0 };
    }
    let moved = [x.value - x.off, x.value + x.off].map(|x| (step.apply(x) - value).abs());
    let own = match step {
        Step::Relu | Step::Clip { .. } | Step::Above(_) | Step::Abs => 0.0,
        Step::Function(_) if x.value != 0.0 => APPROXIMATION * value.abs().max(1.0),
        _ => APPROXIMATION * value.abs(),
    };
    About { value, off: moved[0].max(moved[1]) + own }
}

impl Networks {
    /// What network `k` makes of `x`.
    fn apply(&self, k: usize, x: f32) -> About {
        let start = vec![About { value: x, off: 0.0 }];
        let end = self.layers.iter().fold(start, |x, layer| layer.apply(k, &x));
        let Some((parts, divisor)) = &self.normalisation else {
            return end[0];
        };
        let [factor, summand] = parts[k % self.results];
        let scaled = f64::from(end[0].value) * factor;
        let size = scaled.abs() + summand.abs();
        let off = f64::from(end[0].off) * factor.abs() + 8.0 * HALF_ULP * size;
        About { value: ((scaled + summand) / divisor) as f32, off: (off / divisor) as f32 }
    }
}

impl KerasLayer {
    /// The networks between `inputs` elements and `results` results.
    fn networks(&self, inputs: usize, results: usize) -> Result<Networks, Diagnostic> {
        let hidden = self.config.integer("n_hl")?.unwrap_or(1).max(0) as usize;
        let numbers = self.tensors.numbers("module.");
        if numbers.len() != hidden + 1 {
            return Err(self.error(format!(
                "its networks have {} layers in the file, expected {}",
                numbers.len(),
                hidden + 1
            )));
        }
        let hidden_steps = self.steps("subnn_activation")?;
        let has_bias = self.config.flag("use_bias")?.unwrap_or(true);
        let mut layers: Vec<Dense> = Vec::new();
        // networks without hidden layers have no use for it
        self.config.value("d_hl");
        for (k, number) in numbers.iter().enumerate() {
            let kernel = self.floats(&format!("module.{number}.kernel"))?;
            let before = layers.last().map_or(1, |l| l.outputs);
            let outputs = if k < hidden { kernel.shape.last().copied().unwrap_or(1) } else { 1 };
            let wanted = match k < hidden {
                true => vec![inputs, results, before, outputs],
                false => vec![inputs, results, before],
            };
            if kernel.shape != wanted {
                return Err(
                    self.error(format!("a kernel of its networks has shape {:?}, expected {wanted:?}", kernel.shape))
                );
            }
            if k < hidden {
                self.agrees("d_hl", &[outputs])?;
            }
            let bias = if has_bias { Some(self.floats(&format!("module.{number}.bias"))?) } else { None };
            if bias.as_ref().is_some_and(|b| b.values.len() != inputs * results * outputs) {
                return Err(self.error("a bias of its networks does not fit its kernel"));
            }
            let steps = if k < hidden { hidden_steps.clone() } else { Vec::new() };
            let (kernel, bias) = (kernel.values, bias.map(|b| b.values));
            layers.push(Dense { kernel, bias, inputs: before, outputs, steps });
        }
        let normalisation = match self.config.flag("batch_norm")?.unwrap_or(false) {
            true => Some((self.normalised_results(results)?, (inputs as f64).sqrt())),
            false => {
                // without a normalisation its parameters have nothing to do
                for key in ["bn_center", "bn_scale", "bn_epsilon"] {
                    self.config.value(key);
                }
                None
            }
        };
        Ok(Networks { layers, normalisation, results })
    }

    /// Factor and summand of each result.
    fn normalised_results(&self, results: usize) -> Result<Vec<[f64; 2]>, Diagnostic> {
        let epsilon = self.config.finite("bn_epsilon")?.unwrap_or(1e-3) as f32;
        let read = |name: &str, there: bool, otherwise: f32| match there {
            true => self.floats(&format!("bn.{name}")).map(|a| a.values),
            false => Ok(vec![otherwise; results]),
        };
        let gamma = read("gamma", self.config.flag("bn_scale")?.unwrap_or(true), 1.0)?;
        let beta = read("beta", self.config.flag("bn_center")?.unwrap_or(true), 0.0)?;
        let (mean, variance) = (read("moving_mean", true, 0.0)?, read("moving_variance", true, 0.0)?);
        if [&gamma, &beta, &mean, &variance].iter().any(|a| a.len() != results) {
            return Err(self.error("the parameters of its normalisation differ in shape"));
        }
        if variance.iter().any(|v| v + epsilon <= 0.0) {
            return Err(self.error("a variance is negative"));
        }
        let of = |o: usize| {
            let factor = f64::from(gamma[o]) / (f64::from(variance[o]) + f64::from(epsilon)).sqrt();
            [factor, f64::from(beta[o]) - f64::from(mean[o]) * factor]
        };
        Ok((0..results).map(of).collect())
    }

    /// The function under `key`, of one number.
    fn steps(&self, key: &str) -> Result<Vec<Step<f32>>, Diagnostic> {
        match activation(&self.config, key, Dialect::Keras3)? {
            Activation::Chain(steps, None) => Ok(steps.iter().map(|s| s.with(|p| p.values[0])).collect()),
            _ => Err(self.error(format!("its `{key}` is no function of one number"))),
        }
    }
}

impl Lift {
    /// For each result the sum of the networks' results for all elements along the last axis of `x`.
    fn hgq_tables(&mut self, layer: &KerasLayer, x: Real, count: &str) -> Result<Real, Diagnostic> {
        let name = &layer.name;
        let shape = self.shape(&x).to_vec();
        let &[ref outer @ .., inputs] = shape.as_slice() else {
            return Err(layer.error("its operand has no axes"));
        };
        let results = layer.config.integer(count)?.unwrap_or(0).clamp(0, 1 << 20) as usize;
        let networks = layer.networks(inputs, results)?;
        let apart = self.moved(name, x, Op::Reshape { shape: [outer, &[inputs, 1]].concat() })?;
        let each = self.moved(name, apart, Op::Gather { axis: shape.len(), indices: vec![0; results] })?;
        let ranges = layer.hgq_fixed_point("iq")?.map(|q| q.ranges);
        let x = self.hgq(layer, "iq", each)?;
        let toq = layer.hgq_fixed_point("toq")?.ok_or_else(|| layer.error("it has no quantiser of its tables"))?;
        let of = |k: usize, x: f32| {
            let About { value, off } = networks.apply(k, x);
            About { value: value / toq.scaler, off: off / toq.scaler }
        };
        let functions = Functions {
            which: Array { shape: vec![inputs, results], values: (0..inputs * results).collect() },
            ranges: ranges.unwrap_or(Array::scalar(ANY)),
            of: &of,
        };
        let table = format!("{name}_toq");
        let y = self.tabulate(&table, x, &functions, &toq.quantiser, toq.meaning)?;
        let y = self.reduce(name, y, vec![outer.len()], Some(1.0))?;
        let y = self.moved(name, y, Op::Reshape { shape: [outer, &[results]].concat() })?;
        self.activated(layer, y, "activation")
    }

    /// The same of windows, whose elements are the last axis: along each window's axes, then channels.
    fn hgq_table_convolution(&mut self, layer: &KerasLayer, call: Call<Real>) -> Result<Real, Diagnostic> {
        let x = layer.operand(call)?;
        let rank = if layer.class.ends_with("1D") { 1 } else { 2 };
        let shape = self.shape(&x).to_vec();
        if shape.len() != rank + 2 {
            return Err(layer.error(format!("its operand has shape {shape:?}, expected {} axes", rank + 2)));
        }
        let (extents, channels) = (&shape[1..=rank], shape[rank + 1]);
        let sizes = |key: &str| layer.config.sizes(key, rank).map(|s| s.unwrap_or_else(|| vec![1; rank]));
        let (kernel, strides, dilation) = (sizes("kernel_size")?, sizes("strides")?, sizes("dilation_rate")?);
        let same = layer.config.choice("padding", &["valid", "same"], "valid")? == "same";
        let (mut begin, mut end) = (vec![0; rank + 2], vec![0; rank + 2]);
        let mut places = Vec::new();
        for axis in 0..rank {
            let reach = kernel[axis].saturating_sub(1).saturating_mul(dilation[axis]) + 1;
            let stride = strides[axis].max(1);
            let count = if same {
                extents[axis].div_ceil(stride)
            } else {
                (extents[axis] + stride).saturating_sub(reach) / stride
            };
            if count == 0 || reach == 0 {
                return Err(layer.error("its window does not fit its operand"));
            }
            let missing = if same { ((count - 1) * stride + reach).saturating_sub(extents[axis]) } else { 0 };
            (begin[axis + 1], end[axis + 1]) = (missing / 2, missing - missing / 2);
            places.push(count);
        }
        let name = &layer.name;
        let x = if same { self.pad(name, x, begin, end, 0.0)? } else { x };
        let padded = self.shape(&x)[1..=rank].to_vec();
        // as windows over two axes, of which the second may have extent 1
        let two = |list: &[usize]| [list[0], list.get(1).copied().unwrap_or(1)];
        let ([rows, columns], [_, width]) = (two(&places), two(&padded));
        let ([high, wide], [down, right], [apart, across]) = (two(&kernel), two(&strides), two(&dilation));
        let mut indices = Vec::new();
        for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
            for (i, j) in (0..high).flat_map(|i| (0..wide).map(move |j| (i, j))) {
                let place = (row * down + i * apart) * width + column * right + j * across;
                indices.extend((0..channels).map(|c| place * channels + c));
            }
        }
        let flat = padded.iter().product::<usize>() * channels;
        let x = self.moved(name, x, Op::Reshape { shape: vec![1, flat] })?;
        let x = self.moved(name, x, Op::Gather { axis: 1, indices })?;
        let elements = kernel.iter().product::<usize>() * channels;
        let x = self.moved(name, x, Op::Reshape { shape: [&[1], &places[..], &[elements]].concat() })?;
        self.hgq_tables(layer, x, "filters")
    }
}
