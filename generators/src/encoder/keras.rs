//! An encoder that QKeras trained: `input → quantizer → QConv2D → quantizer → flatten → QDense → quantizer`.

use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval, Rounding};

use super::arithmetic::{Contract, LayerArithmetic, Product};
use super::geometry::{FILTERS, HIDDEN, KERNEL, OUTPUTS};
use super::model::{EncoderModel, Input};
use super::weights::{Choice, Tensors};
use crate::import::keras::{self, KerasLayer, QKerasQuantiser};

/// Real weights and the formats that go with them.
#[derive(Debug)]
pub struct KerasEncoder {
    tensors: Tensors,
    input: Format,
    weights: [Format; 2],
    outputs: [Format; 2],
}

/// Reads the network from the bytes of a Keras HDF5 file.
pub fn read(bytes: Vec<u8>) -> Result<KerasEncoder, Diagnostic> {
    let layers = keras::chain(bytes)?;
    let moves = |layer: &KerasLayer| ["Flatten", PADDING].contains(&&*layer.class);
    let computing: Vec<&KerasLayer> = layers.iter().filter(|l| !moves(l)).collect();
    let classes: Vec<&str> = computing.iter().map(|l| &*l.class).collect();
    let [input, conv, hidden, dense, output] = *computing.as_slice() else {
        return Err(not_an_encoder(&classes));
    };
    if classes != ["QActivation", "QConv2D", "QActivation", "QDense", "QActivation"] {
        return Err(not_an_encoder(&classes));
    }
    let strides = conv.config.sizes("strides", 2)?;
    let before = layers.iter().take_while(|l| l.name != conv.name).find(|l| l.class == PADDING);
    let padded = match before {
        None => conv.config.text("padding")? == Some("same"),
        Some(layer) => conv.config.text("padding")? == Some("valid") && pads_as_same(layer)?,
    };
    if strides != Some(vec![2, 2]) || !padded {
        let message = format!("layer `{}`: expected strides 2×2 and padding `same`", conv.name);
        return Err(Diagnostic::error("keras", message)
            .help("or padding `valid` behind a ZeroPadding2D of ((0, 1), (0, 1)), which is the same"));
    }
    let reals = |layer: &KerasLayer, name, shape: &[u64]| -> Result<Vec<f64>, Diagnostic> {
        Ok(layer.tensor(name, shape)?.data.iter().map(|v| f64::from(*v)).collect())
    };
    let dense_kernel = reals(dense, "kernel", &[HIDDEN as u64, OUTPUTS as u64])?;
    let encoder = KerasEncoder {
        tensors: Tensors {
            conv_weight: reals(conv, "kernel", &[KERNEL as u64, KERNEL as u64, 1, FILTERS as u64])?,
            conv_bias: reals(conv, "bias", &[FILTERS as u64])?,
            dense_weight: (0..OUTPUTS).flat_map(|o| dense_kernel.iter().skip(o).step_by(OUTPUTS).copied()).collect(),
            dense_bias: reals(dense, "bias", &[OUTPUTS as u64])?,
            registers: false,
        },
        input: number(input.quantiser("activation")?)?,
        weights: [weight_format(conv)?, weight_format(dense)?],
        outputs: [number(hidden.quantiser("activation")?)?, number(output.quantiser("activation")?)?],
    };
    conv.agrees("filters", &[FILTERS])?;
    conv.agrees("kernel_size", &[KERNEL; 2])?;
    dense.agrees("units", &[OUTPUTS])?;
    for layer in [conv, dense] {
        plain(layer)?;
    }
    for flatten in layers.iter().filter(|l| l.class == "Flatten") {
        flatten.config.choice("data_format", &["channels_last"], "channels_last")?;
    }
    layers.iter().try_for_each(KerasLayer::finish)?;
    Ok(encoder)
}

/// A layer that puts zeros around an image.
const PADDING: &str = "ZeroPadding2D";

/// Whether it pads as `same` does for a kernel of 3 and strides of 2 on an even extent: one zero behind each axis.
fn pads_as_same(layer: &KerasLayer) -> Result<bool, Diagnostic> {
    layer.config.choice("data_format", &["channels_last"], "channels_last")?;
    Ok(*layer.config.value("padding") == serde_json::json!([[0, 1], [0, 1]]))
}

/// Refuses what the encoder's own layers do not do; it reads those keys of a linear layer that [`read`] does not.
fn plain(layer: &KerasLayer) -> Result<(), Diagnostic> {
    let config = &layer.config;
    let dilations = config.sizes("dilation_rate", 2)?.unwrap_or_default();
    let fits = config.flag("use_bias")? != Some(false)
        && matches!(config.text("activation")?, None | Some("linear"))
        && dilations.iter().all(|d| *d == 1)
        && config.integer("groups")?.unwrap_or(1) == 1
        && config.choice("data_format", &["channels_last"], "channels_last").is_ok();
    if fits {
        return Ok(());
    }
    Err(Diagnostic::error("keras", format!("layer `{}`: this is not the encoder's layer", layer.name))
        .help("expected a bias, no activation, channels last, and neither groups nor dilations"))
}

fn not_an_encoder(classes: &[&str]) -> Diagnostic {
    Diagnostic::error("keras", format!("this is not the encoder: its layers are {}", classes.join(", ")))
        .help("expected QActivation, perhaps ZeroPadding2D, QConv2D, QActivation, QDense, QActivation")
}

/// The one format of kernel and bias.
fn weight_format(layer: &KerasLayer) -> Result<Format, Diagnostic> {
    let (kernel, bias) = (layer.quantiser("kernel_quantizer")?, layer.quantiser("bias_quantizer")?);
    if kernel != bias {
        return Err(Diagnostic::error("keras", format!("layer `{}`: kernel and bias differ in format", layer.name)));
    }
    number(kernel)
}

/// `quantized_bits(b, i)` counts in steps of `2^(i - (b - sign))`, `quantized_relu(b, i)` in steps of `2^(i - b)`.
fn number(quantiser: QKerasQuantiser) -> Result<Format, Diagnostic> {
    let (bits, integer, signed) = match quantiser {
        QKerasQuantiser::Bits { bits, integer, keep_negative, .. } => (bits, integer, keep_negative),
        QKerasQuantiser::Relu { bits, integer } => (bits, integer, false),
    };
    let frac = i64::from(bits) - i64::from(signed) - i64::from(integer);
    let range = Interval::of_width(bits, signed).ok();
    let format = range.zip(i32::try_from(frac).ok()).map(|(range, frac)| Format { range, frac });
    format.ok_or_else(|| {
        Diagnostic::error("keras", format!("a quantiser of {bits} bits, {integer} of them integer, is not supported"))
    })
}

impl KerasEncoder {
    /// The integer model. Formats are the network's own, so widths cannot be chosen.
    pub fn model(&self, choice: &Choice<'_>) -> Result<EncoderModel, Diagnostic> {
        let refuse = |message: &str, help: &str| Err(Diagnostic::error("keras", message).help(help));
        if choice.contract != Contract::Qkeras {
            return refuse("a QKeras network follows its own arithmetic", "add --contract qkeras");
        }
        if choice.bits.or(choice.weight_bits).or(choice.output_bits).is_some() {
            return refuse(
                "a QKeras network brings its own widths",
                "leave out --bits, --weight-bits and --output-bits",
            );
        }
        let normalised = match choice.input {
            Input::Normalised => self.input,
            // the input quantiser passes the normaliser's unsigned number below 2 unchanged if it has its fraction bits
            Input::Calq => {
                let fits = Format::unsigned(self.input.frac.unsigned_abs().saturating_add(1), self.input.frac);
                fits.map_err(|e| Diagnostic::error("keras", format!("quantiser {}: {e}", self.input)))?
            }
        };
        let layer = |input, i: usize| LayerArithmetic {
            input,
            weight: self.weights[i],
            product: Product::Exact,
            rounding: Rounding::HalfEven,
            output: self.outputs[i],
        };
        let arithmetic = [layer(normalised, 0), layer(self.outputs[0], 1)];
        self.tensors.model(Contract::Qkeras, choice.input, arithmetic)
    }
}
