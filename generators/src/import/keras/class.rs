//! The classes of layers: what of their configuration is read, what is known to be without influence, how their tensors are
//! called, and what builds them.
//!
//! A layer is built in one place, [`Lift::keras_layer`], which refuses what nobody has read.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::layer_calls::{Argument, Call};
use super::origin::Class;
use super::weights::Layout;
use super::{KerasLayer, hgq, part, refused};
use super::{
    activation, attention, convolution, dense, einsum, hgq_layers, merge, normalisation, operation, pooling,
    projection, rearranging, shaping, subnet, table, transposed, wrapper,
};
use crate::import::keras::settings::{Accept, Known, Settings};
use crate::import::lift::{Lift, Real};

/// What a use of a layer gives: one tensor or several.
pub(super) type Results = Result<Vec<Real>, Diagnostic>;

/// How a layer becomes operators.
#[derive(Clone, Copy)]
pub(super) enum Build {
    /// From its one operand.
    One(fn(&mut Lift, &KerasLayer, Real) -> Result<Real, Diagnostic>),
    /// From a list of operands.
    Many(fn(&mut Lift, &KerasLayer, Vec<Real>) -> Result<Real, Diagnostic>),
    /// From its call, before any quantiser of operands.
    Called(fn(&mut Lift, &KerasLayer, Call<Real>) -> Result<Real, Diagnostic>),
    /// From all that a function is called with, to one result or several; it has no quantisers.
    Function(fn(&mut Lift, &KerasLayer, Call<Real>) -> Results),
}

/// A class of layers.
pub(super) struct LayerClass {
    /// Its names in the frameworks.
    pub names: &'static [&'static str],
    /// Lists of keys that are read, beside [`HGQ_KEYS`].
    pub keys: &'static [&'static [&'static str]],
    /// Keys of this class that are without influence, beside [`COMMON`].
    pub known: &'static [&'static [Known]],
    /// Its variables in the order in which it makes them.
    pub variables: fn(&Settings) -> Vec<&'static str>,
    /// What builds it.
    pub build: Build,
}

impl LayerClass {
    /// Whether it reads the key.
    pub(super) fn reads(&self, key: &str) -> bool {
        self.keys.iter().copied().chain([&HGQ_KEYS[..]]).flatten().any(|k| *k == key)
    }
}

/// Policies of 32-bit floats.
pub(super) const FLOAT32: Accept = Accept::When("float32", is_float32);

fn is_float32(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(name) => name == "float32",
        policy => {
            let class = Class::of(policy).ok().flatten();
            let known = class.is_some_and(|class| matches!(&*class.name, "DTypePolicy" | "Policy"));
            known && policy["config"]["name"] == "float32"
        }
    }
}

/// Keys around a layer's or model's configuration; [`Class::read`] reads those that say whose class it is.
pub(super) const PLACE: [Known; 8] = [
    Known::any("build_config", "the shape that the operand has"),
    Known::any("compile_config", "training"),
    Known::any("shared_object_id", "a number of the file's own"),
    Known::any("keras_version", "the writer"),
    Known::any("backend", "the writer"),
    Known::any("name", "a name"),
    Known::any("inbound_nodes", "read with the graph"),
    Known::only("__passive_serialization__", &["true"], "how Keras 2 writes an object"),
];

/// Keys of an input.
pub(super) const INPUT: [Known; 6] = [
    Known::any("name", "a name"),
    Known { key: "dtype", accept: FLOAT32, why: "32-bit floats" },
    Known::only("sparse", &["false"], "dense tensors"),
    Known::only("ragged", &["false"], "dense tensors"),
    Known::only("optional", &["false"], "an operand that is always there"),
    Known::any("shared_object_id", "a number of the file's own"),
];

/// Keys that layers of any class may have.
pub(super) const COMMON: &[Known] = &[
    Known::any("name", "a name"),
    Known::any("trainable", "training"),
    Known { key: "dtype", accept: FLOAT32, why: "32-bit floats" },
    Known::any("batch_input_shape", "the shape that the operand has"),
    Known::any("batch_shape", "the shape that the operand has"),
    Known::any("input_shape", "the shape that the operand has"),
    Known::any("input_dtype", "the operand's type, which is that of the layer before"),
    Known::any("shared_object_id", "a number of the file's own"),
    Known::any("activity_regularizer", "training"),
    Known::only("quantization_config", &["null"], "no quantisation of Keras's own"),
];

/// The quantisers that a layer of HGQ2 may have.
pub(super) const HGQ_KEYS: [&str; 11] = [
    "iq_conf",
    "iq_confs",
    "kq_conf",
    "bq_conf",
    "oq_conf",
    "config",
    "exp_iq_conf",
    "exp_oq_conf",
    "inv_iq_conf",
    "inv_oq_conf",
    "toq_conf",
];

/// What HGQ2 adds to a layer beside its quantisers.
pub(super) const HGQ: &[Known] = &[
    Known::any("enable_ebops", "training"),
    Known::any("ebops_factor", "training"),
    Known::any("beta0", "training"),
    Known::any("parallelization_factor", "a hint for the hardware of others"),
    Known::any("enable_iq", "there is a quantiser exactly if its configuration is there"),
    Known::any("enable_oq", "there is a quantiser exactly if its configuration is there"),
];

/// Initial values, penalties and limits of weights: training uses them, and the file has the trained weights.
pub(super) const WEIGHTS: &[Known] = &[
    Known::any("kernel_initializer", "values before training"),
    Known::any("bias_initializer", "values before training"),
    Known::any("depthwise_initializer", "values before training"),
    Known::any("kernel_regularizer", "training"),
    Known::any("bias_regularizer", "training"),
    Known::any("depthwise_regularizer", "training"),
    Known::any("kernel_constraint", "limits of weights during training"),
    Known::any("bias_constraint", "limits of weights during training"),
    Known::any("depthwise_constraint", "limits of weights during training"),
    Known::only("kernel_range", &["null"], "QKeras does not use it any more"),
    Known::only("bias_range", &["null"], "QKeras does not use it any more"),
    Known::only("depthwise_range", &["null"], "QKeras does not use it any more"),
    Known::only("lora_rank", &["null"], "no adapter beside the kernel"),
    Known::only("lora_alpha", &["null"], "no adapter beside the kernel"),
    Known::only("gptq_unpacked_column_size", &["null"], "no packed kernel"),
    Known::only("quantization_mode", &["null"], "no quantisation of Keras's own"),
];

/// All tables of classes.
const TABLES: &[&[LayerClass]] = &[
    dense::CLASSES,
    convolution::CLASSES,
    normalisation::CLASSES,
    activation::CLASSES,
    pooling::CLASSES,
    shaping::CLASSES,
    rearranging::CLASSES,
    wrapper::CLASSES,
    merge::CLASSES,
    einsum::CLASSES,
    hgq_layers::CLASSES,
    table::CLASSES,
    subnet::CLASSES,
    attention::CLASSES,
    operation::CLASSES,
    projection::CLASSES,
    transposed::CLASSES,
];

/// The class of that name.
pub(super) fn of(name: &str) -> Option<&'static LayerClass> {
    let layer = || all().find(|class| class.names.contains(&name));
    if operation::is_one(name) { operation::class(name) } else { layer() }
}

/// All classes.
pub(super) fn all() -> impl Iterator<Item = &'static LayerClass> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// No variables.
pub(super) fn none(_: &Settings) -> Vec<&'static str> {
    Vec::new()
}

/// The name of a tensor that stands at `path` in the file's group of a layer.
///
/// Tensors of HGQ2 quantisers are called `role.variable`; one that is not known keeps its path.
pub(super) fn variable(class: &str, config: &Settings, layout: Layout, path: &str) -> String {
    if let Some(name) = part::variable(class, config, layout, path) {
        return name;
    }
    if let Some(name) = subnet::variable(config, layout, path).or_else(|| hgq::variable(config, layout, path)) {
        return name;
    }
    match layout {
        Layout::Named => {
            let last = path.rsplit('/').next().unwrap_or(path);
            last.strip_suffix(":0").unwrap_or(last).to_owned()
        }
        Layout::Numbered => {
            let number = path.strip_prefix("vars/").and_then(|n| n.parse::<usize>().ok());
            let names = of(class).map_or_else(Vec::new, |class| (class.variables)(config));
            number.and_then(|n| names.get(n)).map_or_else(|| path.to_owned(), |name| (*name).to_owned())
        }
    }
}

impl KerasLayer {
    /// An error unless everything that the file says about the layer has been read or is known to be without influence.
    ///
    /// # Errors
    /// A class that is not known, a key or tensor that was not read.
    pub fn finish(&self) -> Result<(), Diagnostic> {
        let class = of(&self.class).ok_or_else(|| self.unknown())?;
        let known: Vec<Known> = [class.known, &[COMMON, HGQ]].concat().concat();
        self.config.finish(&known)?;
        let listed = |key: &String| {
            let key = key.as_str();
            class.reads(key) || known.iter().any(|k| k.key == key)
        };
        if let Some(key) = self.config.read_keys().iter().find(|key| !listed(key)) {
            return Err(Diagnostic::bug("keras", format!("the table of {} does not list `{key}`", self.class)));
        }
        match self.tensors.unread() {
            Some(name) => Err(self
                .error(format!("its tensor {} is not used by what its configuration says", hdl::names::quoted(name)))
                .help("the weights and the configuration must be those of the same model")),
            None => Ok(()),
        }
    }

    fn unknown(&self) -> Diagnostic {
        if let Some((why, instead)) = refused::reason(&self.class) {
            return self.error(why).help(instead);
        }
        self.error("this layer is not supported").help(
            "supported are dense, convolution, depthwise and batch normalisation layers with or without quantisers, \
             activations, pooling, padding, reshaping and merging layers",
        )
    }
}

impl Lift {
    /// The results of one use of a layer, between the quantisers that HGQ2 has at both its ends.
    pub(super) fn keras_layer(&mut self, layer: &KerasLayer, call: Call<Real>) -> Results {
        let class = of(&layer.class).ok_or_else(|| layer.unknown())?;
        let y = match class.build {
            Build::One(build) => {
                let x = layer.operand(call)?;
                let mut operand = [x];
                self.hgq_operands(layer, &mut operand)?;
                let [x] = operand;
                build(self, layer, x)?
            }
            Build::Many(build) => {
                let mut operands = layer.operands(call)?;
                self.hgq_operands(layer, &mut operands)?;
                build(self, layer, operands)?
            }
            Build::Called(build) => build(self, layer, call)?,
            Build::Function(build) => {
                let results = build(self, layer, call)?;
                layer.finish()?;
                return Ok(results);
            }
        };
        let y = self.hgq(layer, "oq", y)?;
        layer.finish()?;
        Ok(vec![y])
    }
}

impl Lift {
    /// The only result of one use of a layer.
    pub(super) fn keras_single(&mut self, layer: &KerasLayer, call: Call<Real>) -> Result<Real, Diagnostic> {
        let [y] = <[Real; 1]>::try_from(self.keras_layer(layer, call)?)
            .map_err(|results| layer.error(format!("{} results are not supported here", results.len())))?;
        Ok(y)
    }
}

impl KerasLayer {
    /// The only tensor of a call.
    pub(super) fn operand(&self, call: Call<Real>) -> Result<Real, Diagnostic> {
        let mut operands = self.operands(call)?;
        let count = operands.len();
        let one = operands.pop().filter(|_| count == 1);
        one.ok_or_else(|| self.error(format!("{count} operands are not supported")))
    }

    /// The tensors of a call that has nothing else that matters.
    fn operands(&self, mut call: Call<Real>) -> Results {
        if call.positional.is_empty()
            && let Some(k) = call.keyword.iter().position(|(name, _)| name == "inputs")
        {
            call.positional.push(call.keyword.remove(k).1);
        }
        for (name, argument) in &call.keyword {
            let harmless = match argument {
                Argument::Constant(Json::Null) => true,
                Argument::Constant(Json::Bool(false)) => name == "training",
                _ => false,
            };
            if !harmless {
                return Err(self
                    .error(format!("it is called with `{name}`, which is not supported"))
                    .help("call it with its operands only; `training` may be False"));
            }
        }
        let mut operands = Vec::new();
        let count = call.positional.len();
        for argument in call.positional {
            match argument {
                Argument::Tensor(x) if count == 1 => operands.push(x),
                Argument::List(list) if count == 1 => {
                    for argument in list {
                        match argument {
                            Argument::Tensor(x) => operands.push(x),
                            _ => return Err(self.error("it is called on a list that has more than tensors in it")),
                        }
                    }
                }
                Argument::Constant(Json::Null) if !operands.is_empty() => {}
                _ => return Err(self.error("it is called with arguments that are not supported")),
            }
        }
        Ok(operands)
    }
}
