//! A Keras model as its configuration says it: layers, inner models, and each use of one with what it is called on.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::{Map, Value as Json};

use super::class::{self, PLACE};
use super::layer_calls::{Argument, Call, Reference, calls, references};
use super::origin::{Class, Origin};
use super::weights::{Scope, Tensor, Tensors, Weights};
use super::{KerasLayer, error, operation, part, wrapper};
use crate::import::keras::settings::{Known, Settings};

/// Deepest model in a model.
const MAX_DEPTH: usize = 16;

/// Most layers of a model.
const MAX_LAYERS: usize = 10_000;

/// Keys beside the layers of a model.
const MODEL: [Known; 5] = [
    Known::any("name", "a name"),
    Known::any("trainable", "training"),
    Known { key: "dtype", accept: class::FLOAT32, why: "32-bit floats" },
    Known::any("build_input_shape", "the shape that the inputs have"),
    Known::any("shared_object_id", "a number of the file's own"),
];

/// A model, or one inside it.
#[derive(Debug)]
pub(super) struct Model {
    /// Its name.
    pub name: String,
    /// Its layers in the file's order.
    pub entries: Vec<Entry>,
    /// The results of `InputLayer`s that are its operands, in order.
    pub inputs: Vec<Reference>,
    /// Its results, in order.
    pub outputs: Vec<Reference>,
}

/// A layer of a model, with its uses in the order in which others refer to them.
#[derive(Debug)]
pub(super) struct Entry {
    /// Name in its model.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its uses; one without operands for an input.
    pub calls: Vec<Call>,
    /// The number by which layers refer to the first of its uses.
    pub first_use: usize,
    /// The number by which the model's list of results refers to it.
    first_result: usize,
}

/// What a layer is.
#[derive(Debug)]
pub(super) enum Kind {
    /// An input, with its shape if the file says one; the batch is 1.
    Input(Option<Vec<usize>>),
    /// A layer.
    Layer(Rc<KerasLayer>),
    /// A model.
    Model(Box<Model>),
}

/// Reads models and claims their tensors.
struct Reader<'w> {
    weights: &'w Weights,
}

/// The model of a configuration with the tensors in `weights`.
///
/// # Errors
/// A configuration that is none, keys of models and wrappers that are not known, tensors that do not belong to a layer.
pub(super) fn read(config: &Json, weights: &Weights) -> Result<Model, Diagnostic> {
    let Json::Object(entries) = config else {
        return Err(error("the model's configuration is no object"));
    };
    let outer = Settings::new("the model", entries.clone());
    let reader = Reader { weights };
    let class = Class::read(&outer)?.map_or_else(|| "Functional".to_owned(), |class| class.name);
    if !is_model(&class) {
        return Err(outer
            .error(format!("its class {} is not supported", quoted(&class)))
            .help("save a Sequential or functional model; one with a class of its own does not say its graph"));
    }
    let model = reader.model(&class, &outer, &mut Scope::default(), MAX_DEPTH)?;
    outer.finish(&PLACE)?;
    weights.finish()?;
    Ok(model)
}

fn is_model(class: &str) -> bool {
    matches!(class, "Functional" | "Model" | "Sequential")
}

/// The name of a layer's class, with `ops.` in front if it is one of Keras 3's functions.
fn layer_class(outer: &Settings) -> Result<String, Diagnostic> {
    let class = Class::read(outer)?.ok_or_else(|| outer.error("it has no class"))?;
    let (config, uses) = (outer.peek("config"), outer.peek("inbound_nodes"));
    // `.h5` files do not say the module; all layers that are called as a function is have `trainable`, functions have not
    let function = match class.origin {
        Origin::Unsaid => {
            let known = operation::class(&operation::name(&class.name)).is_some();
            known && uses[0].is_object() && config.is_object() && config["trainable"].is_null()
        }
        origin => origin == Origin::Operation,
    };
    Ok(if function { operation::name(&class.name) } else { class.name })
}

/// A shape whose first axis is the batch, which is 1.
fn shape(extents: &Json, place: &Settings) -> Result<Option<Vec<usize>>, Diagnostic> {
    let wrong = || place.error("the shape of the input is not fixed").help("give the model an Input with a shape");
    let extents = match extents {
        Json::Null => return Ok(None),
        other => other.as_array().ok_or_else(wrong)?,
    };
    let extent = |e: &Json| e.as_u64().filter(|e| (1..=1 << 24).contains(e)).map(|e| e as usize).ok_or_else(wrong);
    let extents: Vec<usize> = extents.iter().skip(1).map(extent).collect::<Result<_, _>>()?;
    Ok(Some([vec![1], extents].concat()))
}

impl Reader<'_> {
    /// The model whose outer configuration, with `class_name` and `config`, is `outer`.
    fn model(&self, class: &str, outer: &Settings, scope: &mut Scope, depth: usize) -> Result<Model, Diagnostic> {
        let depth = depth.checked_sub(1).ok_or_else(|| outer.error("models are nested too deeply"))?;
        // very old Sequential models are a bare list
        let config = match outer.value("config") {
            Json::Array(list) => {
                let entries = Map::from_iter([("layers".to_owned(), Json::Array(list.clone()))]);
                outer.part("config", entries)
            }
            _ => outer.object("config")?.ok_or_else(|| outer.error("it has no configuration"))?,
        };
        let list = config.list("layers")?.ok_or_else(|| outer.error("it lists no layers"))?;
        if list.len() > MAX_LAYERS {
            return Err(outer.error(format!("it has more than {MAX_LAYERS} layers")));
        }
        let name = config.text("name")?.unwrap_or("model").to_owned();
        let entries: Vec<Entry> = list.iter().map(|layer| self.entry(layer, scope, depth)).collect::<Result<_, _>>()?;
        let mut names = HashSet::new();
        if let Some(twice) = entries.iter().find(|e| !names.insert(&e.name)) {
            return Err(error(format!("two layers are called {}", quoted(&twice.name))));
        }
        let model = if class == "Sequential" {
            let shape_of_build = [config.value("build_input_shape"), &outer.peek("build_config")["input_shape"]];
            let shape_of_build = shape_of_build.into_iter().find(|s| !s.is_null()).unwrap_or(&Json::Null);
            chain(name, entries, list, shape(shape_of_build, outer)?, outer)?
        } else {
            let inputs = references(config.value("input_layers"), outer)?;
            let mut outputs = references(config.value("output_layers"), outer)?;
            for output in &mut outputs {
                if let Some(entry) = entries.iter().find(|entry| entry.name == output.layer) {
                    let none = || outer.error(format!("its results name no use of model {}", quoted(&entry.name)));
                    output.node = output.node.checked_sub(entry.first_result).ok_or_else(none)? + entry.first_use;
                }
            }
            Model { name, entries, inputs, outputs }
        };
        config.finish(&MODEL)?;
        if model.outputs.is_empty() {
            return Err(outer.error("it has no outputs"));
        }
        Ok(model)
    }

    fn entry(&self, json: &Json, scope: &mut Scope, depth: usize) -> Result<Entry, Diagnostic> {
        let Json::Object(entries) = json else {
            return Err(error("a layer of the model is no object"));
        };
        let outer = Settings::new("a layer", entries.clone());
        let class = outer.peek("class_name").as_str().ok_or_else(|| error("a layer has no class"))?.to_owned();
        let name = outer.text("name")?.or(outer.peek("config")["name"].as_str());
        let name = name.ok_or_else(|| error(format!("a layer of class {} has no name", quoted(&class))))?.to_owned();
        let place = format!("layer {} ({})", quoted(&name), class);
        let outer = Settings::new(place.clone(), entries.clone());
        outer.accept(&PLACE);
        let class = layer_class(&outer)?;
        let is_chain = class == "Sequential";
        let calls = calls(outer.value("inbound_nodes"), &outer)?;
        let group = match operation::is_one(&class) {
            true => String::new(),
            false => scope.next(self.weights, &class, &name),
        };
        let kind = match &*class {
            "InputLayer" => {
                let config = outer.object("config")?.ok_or_else(|| outer.error("it has no configuration"))?;
                let extents = ["batch_shape", "batch_input_shape"].map(|key| config.value(key));
                let extents = extents.into_iter().find(|e| !e.is_null()).unwrap_or(&Json::Null);
                let shape = shape(extents, &outer)?;
                config.finish(&class::INPUT)?;
                Kind::Input(shape)
            }
            _ if is_model(&class) => {
                let mut inner = Scope::inner(self.weights.layout, &group);
                Kind::Model(Box::new(self.model(&class, &outer, &mut inner, depth)?))
            }
            _ => Kind::Layer(Rc::new(self.layer(class, &name, &outer, &group)?)),
        };
        outer.value("name");
        outer.finish(&PLACE)?;
        // Keras counts the use by which an inner model was made, which it does not write: Keras 2 everywhere, Keras 3 in lists
        // of results and but for Sequential models
        let old = outer.peek("inbound_nodes").get(0).is_some_and(Json::is_array);
        let model = matches!(kind, Kind::Model(_));
        let first_result = usize::from(model && (old || !is_chain));
        Ok(Entry { name, kind, calls, first_use: usize::from(model && old), first_result })
    }

    /// A layer with its tensors, which stand in `group`; without one it has none. Its configuration is read when it is used.
    fn layer(&self, class: String, name: &str, outer: &Settings, group: &str) -> Result<KerasLayer, Diagnostic> {
        let Json::Object(config) = outer.value("config") else {
            return Err(outer.error("it has no configuration"));
        };
        let settings = Settings::new(outer.place().to_owned(), config.clone());
        let trained = settings.peek("trainable").as_bool().unwrap_or(true);
        let found = if group.is_empty() { Vec::new() } else { self.claim(name, outer, group, trained)? };
        let Some(inner) = wrapper::inner(&class, &settings)? else {
            let tensors = self.named(&class, &settings, found)?;
            return Ok(KerasLayer { class, name: name.to_owned(), config: settings, tensors, inner: None });
        };
        let (own, inside) = wrapper::parts(&class, found).map_err(|why| settings.error(why))?;
        let tensors = self.named(&inner.class, &inner.config, inside)?;
        let inner = Some(Rc::new(KerasLayer { tensors, ..inner }));
        let tensors = self.named(&class, &settings, own)?;
        Ok(KerasLayer { class, name: name.to_owned(), config: settings, tensors, inner })
    }

    /// The tensors in a layer's group.
    fn claim(
        &self,
        name: &str,
        outer: &Settings,
        group: &str,
        trained: bool,
    ) -> Result<Vec<(String, Tensor)>, Diagnostic> {
        if let Some(noted) = self.weights.noted_name(group).filter(|noted| noted != name) {
            return Err(outer.error(format!("its tensors in the file are those of layer {}", quoted(&noted))));
        }
        self.weights
            .claim(group, trained)
            .map_err(|why| Diagnostic { message: outer.error(why.message).message, ..why })
    }

    /// The tensors of a layer by name.
    fn named(&self, class: &str, config: &Settings, found: Vec<(String, Tensor)>) -> Result<Rc<Tensors>, Diagnostic> {
        let mut tensors = BTreeMap::new();
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        let names = part::names(class, config, self.weights.layout, &paths);
        for ((path, tensor), name) in found.into_iter().zip(names) {
            // a layer that is not supported is refused by its class when it is used
            if tensors.insert(name, tensor).is_some() && class::of(class).is_some() {
                return Err(config.error(format!("two of its tensors are called {}", quoted(&path))));
            }
        }
        Ok(Rc::new(Tensors::new(tensors)))
    }
}

/// The layers of a Sequential model, each called on the result of the one before it.
fn chain(
    name: String,
    mut entries: Vec<Entry>,
    list: &[Json],
    build: Option<Vec<usize>>,
    place: &Settings,
) -> Result<Model, Diagnostic> {
    let first = entries.first().ok_or_else(|| place.error("it has no layers"))?;
    if !matches!(first.kind, Kind::Input(_)) {
        let config = &list[0]["config"];
        let said = [&config["batch_shape"], &config["batch_input_shape"]].into_iter().find(|s| !s.is_null());
        let shape = match said {
            Some(extents) => shape(extents, place)?,
            None => build,
        };
        let mut input = "input".to_owned();
        while entries.iter().any(|e| e.name == input) {
            input.push('_');
        }
        entries.insert(
            0,
            Entry { name: input, kind: Kind::Input(shape), calls: Vec::new(), first_use: 0, first_result: 0 },
        );
    }
    let reference = |entry: &Entry| Reference { layer: entry.name.clone(), node: 0, tensor: 0 };
    let references: Vec<Reference> = entries.iter().map(reference).collect();
    for (k, entry) in entries.iter_mut().enumerate() {
        if k > 0 && matches!(entry.kind, Kind::Input(_)) {
            return Err(place.error("an input stands behind a layer of a Sequential model"));
        }
        let arguments = k.checked_sub(1).map(|before| Argument::Tensor(references[before].clone()));
        entry.calls = vec![Call { positional: arguments.into_iter().collect(), keyword: Vec::new() }];
    }
    let outputs = references.last().cloned().into_iter().collect();
    Ok(Model { name, inputs: vec![references[0].clone()], outputs, entries })
}
