//! A Keras model as a quantised network: each use of each layer in an order in which operands come first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::error;
use super::layer_calls::Reference;
use super::model::{Entry, Kind, Model};
use crate::import::lift::{Imported, InputFormat, Lift, Real};

/// Most uses of all layers.
const MAX_CALLS: usize = 10_000;

/// The network of `model`. `formats` are for inputs that the network does not quantise itself.
///
/// # Errors
/// References to what is not there, inputs without a shape, layers that are not supported: their name and what would make
/// them work.
pub(super) fn network(model: &Model, formats: &[InputFormat]) -> Result<Imported, Diagnostic> {
    let mut inputs = Vec::new();
    for reference in &model.inputs {
        let entry = model.entry(&reference.layer)?;
        let Kind::Input(shape) = &entry.kind else {
            return Err(error(format!("input {} is no InputLayer", quoted(&entry.name))));
        };
        let shape = shape.clone().ok_or_else(|| {
            error(format!("layer {}: the shape of the input is not fixed", quoted(&entry.name)))
                .help("give the model an Input with a shape")
        })?;
        inputs.push((entry.name.clone(), shape));
    }
    let mut names: HashSet<&str> = HashSet::new();
    if let Some((twice, _)) = inputs.iter().find(|(name, _)| !names.insert(name)) {
        return Err(error(format!("the model lists input {} twice", quoted(twice))));
    }
    let (mut lift, reals) = Lift::new("network", inputs, formats)?;
    let mut calls = MAX_CALLS;
    let results = model.results(&mut lift, "", reals, &mut calls)?;
    for (reference, real) in model.outputs.iter().zip(&results) {
        lift.output(&reference.layer, real)?;
    }
    lift.finish()
}

/// One use of a layer: its position in the model, and which of its uses.
type Use = (usize, usize);

impl Model {
    fn index(&self) -> HashMap<&str, usize> {
        self.entries.iter().enumerate().map(|(k, e)| (e.name.as_str(), k)).collect()
    }

    fn entry(&self, name: &str) -> Result<&Entry, Diagnostic> {
        let found = self.entries.iter().find(|e| e.name == name);
        found.ok_or_else(|| error(format!("the model refers to layer {}, which it does not list", quoted(name))))
    }

    /// The model's results for operands `given`; `prefix` stands in front of its layers' names.
    fn results(
        &self,
        lift: &mut Lift,
        prefix: &str,
        given: Vec<Real>,
        calls: &mut usize,
    ) -> Result<Vec<Real>, Diagnostic> {
        let index = self.index();
        let mut results: HashMap<Use, Vec<Real>> = HashMap::new();
        if given.len() != self.inputs.len() {
            let (name, wanted) = (quoted(&self.name), self.inputs.len());
            return Err(error(format!("model {name} is called on {} tensors and takes {wanted}", given.len())));
        }
        for (reference, real) in self.inputs.iter().zip(given) {
            let unknown = || error(format!("there is no input {}", quoted(&reference.layer)));
            results.insert((*index.get(&*reference.layer).ok_or_else(unknown)?, 0), vec![real]);
        }
        for (k, node) in self.ordered(&index)? {
            *calls =
                calls.checked_sub(1).ok_or_else(|| error(format!("layers are used more than {MAX_CALLS} times")))?;
            let entry = &self.entries[k];
            let name = match node {
                0 => format!("{prefix}{}", entry.name),
                n => format!("{prefix}{}#{n}", entry.name),
            };
            let call = entry.calls[node].map(|reference| self.find(&index, &results, reference))?;
            let result = match &entry.kind {
                Kind::Input(_) => continue,
                Kind::Layer(layer) => lift.keras_layer(&layer.named(name), call)?,
                Kind::Model(model) => {
                    let named = |(key, a): &(String, _)| match a {
                        super::layer_calls::Argument::Constant(value) => {
                            !(value.is_null() || key == "training" && *value == false)
                        }
                        _ => true,
                    };
                    if let Some((key, _)) = call.keyword.iter().find(|k| named(k)) {
                        return Err(error(format!(
                            "model {} is called with `{key}`, which is not supported",
                            quoted(&name)
                        )));
                    }
                    let given = call.tensors().into_iter().cloned().collect();
                    model.results(lift, &format!("{name}/"), given, calls)?
                }
            };
            results.insert((k, node), result);
        }
        self.outputs.iter().map(|reference| self.find(&index, &results, reference)).collect()
    }

    /// The use that the reference counts.
    fn used(&self, index: &HashMap<&str, usize>, reference: &Reference) -> Option<Use> {
        let k = *index.get(&*reference.layer)?;
        Some((k, reference.node.checked_sub(self.entries[k].first_use)?))
    }

    /// The tensor that `reference` names.
    fn find(
        &self,
        index: &HashMap<&str, usize>,
        results: &HashMap<Use, Vec<Real>>,
        reference: &Reference,
    ) -> Result<Real, Diagnostic> {
        let tensors = self.used(index, reference).and_then(|at| results.get(&at));
        tensors.and_then(|list| list.get(reference.tensor)).cloned().ok_or_else(|| {
            let name = quoted(&reference.layer);
            error(format!("use {} of layer {name} has no result {}", reference.node, reference.tensor))
        })
    }

    /// All uses that an output needs, operands first, otherwise in the file's order.
    ///
    /// # Errors
    /// References to what is not there, uses that wait for each other.
    fn ordered(&self, index: &HashMap<&str, usize>) -> Result<Vec<Use>, Diagnostic> {
        let at = |r: &Reference| -> Result<Use, Diagnostic> {
            let missing = || {
                error(format!(
                    "the model refers to use {} of layer {}, which it does not list",
                    r.node,
                    quoted(&r.layer)
                ))
            };
            let (k, node) = self.used(index, r).ok_or_else(missing)?;
            let uses = match self.entries[k].kind {
                Kind::Input(_) => 1,
                _ => self.entries[k].calls.len(),
            };
            (node < uses).then_some((k, node)).ok_or_else(missing)
        };
        let mut waiting: HashMap<Use, usize> = HashMap::new();
        let mut readers: HashMap<Use, Vec<Use>> = HashMap::new();
        let mut needed: Vec<Use> = self.outputs.iter().map(at).collect::<Result<_, _>>()?;
        let mut seen: HashSet<Use> = needed.iter().copied().collect();
        needed.sort_unstable();
        needed.dedup();
        while let Some((k, node)) = needed.pop() {
            let operands = match self.entries[k].kind {
                Kind::Input(_) => Vec::new(),
                _ => self.entries[k].calls[node].tensors(),
            };
            waiting.insert((k, node), operands.len());
            for operand in operands {
                let operand = at(operand)?;
                readers.entry(operand).or_default().push((k, node));
                if seen.insert(operand) {
                    needed.push(operand);
                }
            }
        }
        let mut ready: BinaryHeap<Reverse<Use>> =
            waiting.iter().filter(|(_, n)| **n == 0).map(|(u, _)| Reverse(*u)).collect();
        let mut sorted = Vec::with_capacity(waiting.len());
        while let Some(Reverse(next)) = ready.pop() {
            sorted.push(next);
            for reader in readers.remove(&next).unwrap_or_default() {
                let left = waiting.get_mut(&reader).expect("every reader waits");
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse(reader));
                }
            }
        }
        if sorted.len() < waiting.len() {
            let stuck = waiting.iter().filter(|(_, n)| **n > 0).map(|(u, _)| u.0).min().unwrap_or(0);
            return Err(error(format!("layer {} waits for its own result", quoted(&self.entries[stuck].name))));
        }
        sorted.retain(|(k, _)| !matches!(self.entries[*k].kind, Kind::Input(_)));
        Ok(sorted)
    }
}
