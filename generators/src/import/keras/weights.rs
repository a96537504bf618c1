//! The tensors of a Keras model in HDF5, in both of Keras' layouts, each claimed by exactly one layer.
//!
//! *Named*: a group for each layer of the model by its name, in it datasets by the variables' names (`.h5` of Keras 2 and
//! 3). *Numbered*: groups `layers/dense_1`, named after the layer's class with a number from its second use on, in them
//! `vars/0`, `vars/1` … in the order in which the layer made them (`.keras`, `.weights.h5` of Keras 3).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use hdf5_pure::{AttrValue, File, Group};
use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::error;
use crate::model::elements;

/// Most datasets of a file.
const MAX_DATASETS: usize = 200_000;

/// Deepest group.
const MAX_DEPTH: usize = 24;

/// Groups of a file that inference does not need.
const TRAINING: [&str; 3] = ["optimizer", "optimizer_weights", "_optimizer"];

/// Scalars that training keeps beside a layer's weights.
const TRAINING_SCALARS: [&str; 6] = ["beta", "ebops", "iteration", "i_decay_speed", "pruning_step", "threshold"];

/// A tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Extent of each axis.
    pub shape: Vec<u64>,
    /// The numbers.
    pub data: Vec<f32>,
}

impl Tensor {
    /// As many numbers as the shape says.
    pub(super) fn is_whole(&self) -> bool {
        self.shape.iter().product::<u64>() == self.data.len() as u64
    }
}

/// The tensors of a layer by name, with marks at those that were read.
#[derive(Debug, Default)]
pub struct Tensors {
    by_name: BTreeMap<String, Tensor>,
    read: RefCell<BTreeSet<String>>,
}

impl Tensors {
    /// Tensors by name.
    pub(super) fn new(by_name: BTreeMap<String, Tensor>) -> Self {
        Self { by_name, read: RefCell::default() }
    }

    /// A tensor, which counts as read.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let tensor = self.by_name.get(name)?;
        self.read.borrow_mut().insert(name.to_owned());
        Some(tensor)
    }

    /// All names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The numbers between `prefix` and the next point in names that begin with it, each once.
    pub(super) fn numbers(&self, prefix: &str) -> Vec<usize> {
        let number = |name: &str| name.strip_prefix(prefix)?.split('.').next()?.parse().ok();
        let numbers: BTreeSet<usize> = self.names().filter_map(number).collect();
        numbers.into_iter().collect()
    }

    /// Whether there is a tensor of that name; it does not count as read.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The name of a tensor that was not read, apart from numbers that only training uses.
    pub(super) fn unread(&self) -> Option<&str> {
        let read = self.read.borrow();
        let mut unread = self.by_name.iter().filter(|(name, _)| !read.contains(*name));
        unread.find(|(name, tensor)| !is_of_training(name, tensor)).map(|(name, _)| name.as_str())
    }
}

/// Whether only training uses the tensor: counters, single numbers that no variable of the layer stands for, and states
/// of generators of random numbers.
fn is_of_training(name: &str, tensor: &Tensor) -> bool {
    let last = name.rsplit(['/', '.']).next().unwrap_or(name);
    let numbered = last.bytes().all(|b| b.is_ascii_digit());
    tensor.shape.is_empty() && (numbered || TRAINING_SCALARS.contains(&last)) || name.contains("seed_generator")
}

/// How a file keeps its tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// By the names of layers and variables.
    Named,
    /// By classes and numbers.
    Numbered,
}

/// A file of tensors.
pub(super) struct Weights {
    file: File,
    /// Where the layers' groups stand.
    base: String,
    pub layout: Layout,
    /// Each dataset by its path below the base, and whether a layer has claimed it.
    datasets: RefCell<BTreeMap<String, bool>>,
}

/// Where a model's layers stand in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Group of the model itself, empty for the outermost.
    path: String,
    uses: HashMap<String, usize>,
}

impl Scope {
    /// The group of the model's next layer of `class`, whose name is `layer`.
    pub fn next(&mut self, layout: Layout, class: &str, layer: &str) -> String {
        match layout {
            Layout::Named if self.path.is_empty() => layer.to_owned(),
            Layout::Named => format!("{}\n{layer}", self.path),
            Layout::Numbered => {
                let base = snake_case(class);
                let uses = self.uses.entry(base.clone()).or_insert(0);
                *uses += 1;
                let name = if *uses == 1 { base } else { format!("{base}_{}", *uses - 1) };
                let parent = if self.path.is_empty() { String::new() } else { format!("{}/", self.path) };
                format!("{parent}layers/{name}")
            }
        }
    }

    /// The scope of a model that is a layer itself, and stands in `group`.
    pub fn inner(layout: Layout, group: &str) -> Self {
        // with names, all tensors of an inner model stand in the group of the outermost one
        let path = match layout {
            Layout::Named => group.split('\n').next().unwrap_or(group).to_owned(),
            Layout::Numbered => group.to_owned(),
        };
        Self { path, uses: HashMap::new() }
    }
}

/// `QBatchNormalization` as `q_batch_normalization`, `QConv2D` as `q_conv2d`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut text = String::new();
    for (k, letter) in letters.iter().enumerate() {
        let begins_word = letter.is_uppercase() && letters.get(k + 1).is_some_and(|next| next.is_lowercase());
        let follows_small = letter.is_uppercase() && k > 0 && letters[k - 1].is_lowercase();
        if k > 0 && (begins_word || follows_small) {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

impl Weights {
    /// The tensors in the bytes of an HDF5 file.
    ///
    /// # Errors
    /// No HDF5, neither layout, or too many datasets.
    pub fn open(bytes: Vec<u8>, what: &str) -> Result<Self, Diagnostic> {
        let file = File::from_bytes(bytes).map_err(|e| error(format!("{what} is no readable HDF5 file: {e}")))?;
        let damaged = |e: hdf5_pure::Error| error(format!("{what} is damaged: {e}"));
        let root = file.root();
        let groups = root.groups().map_err(damaged)?;
        let has = |name: &str| groups.iter().any(|g| g == name);
        let named_root = root.attrs().map_err(damaged)?.contains_key("layer_names");
        let (layout, base) = match () {
            () if has("model_weights") => (Layout::Named, "model_weights"),
            () if named_root => (Layout::Named, ""),
            () if has("layers") || groups.iter().all(|g| g == "vars" || TRAINING.contains(&&**g)) => {
                (Layout::Numbered, "")
            }
            () if has("_layer_checkpoint_dependencies") => {
                return Err(error(format!("{what} is in a layout that only Keras 2.12 to 2.14 wrote"))
                    .help("load the model and save it again with Keras 2.15 or 3, or as .h5"));
            }
            () => return Err(error(format!("{what} has no tensors in a layout of Keras"))),
        };
        let start = if base.is_empty() { root } else { file.group(base).map_err(damaged)? };
        let mut datasets = BTreeMap::new();
        collect(&start, "", MAX_DEPTH, &mut datasets).map_err(|why| error(format!("{what}: {why}")))?;
        Ok(Self { file, base: base.to_owned(), layout, datasets: RefCell::new(datasets) })
    }

    /// The text of the file's attribute `model_config`, if it has one.
    pub fn configuration(&self) -> Result<Option<String>, Diagnostic> {
        let attributes = self.file.root().attrs();
        let attributes = attributes.map_err(|e| error(format!("the file's attributes are damaged: {e}")))?;
        Ok(match attributes.get("model_config") {
            Some(AttrValue::VarLenString(t) | AttrValue::VarLenAsciiString(t) | AttrValue::String(t)) => {
                Some(t.clone())
            }
            _ => None,
        })
    }

    /// The layer's name that the file notes in a numbered group, if it does.
    pub fn noted_name(&self, group: &str) -> Option<String> {
        let vars = self.file.group(&format!("{group}/vars")).ok()?;
        match vars.attrs().ok()?.get("name") {
            Some(AttrValue::VarLenString(t) | AttrValue::VarLenAsciiString(t) | AttrValue::String(t)) => {
                Some(t.clone())
            }
            _ => None,
        }
    }

    /// The tensors of `group`, by their paths in it, which no other layer may claim.
    ///
    /// # Errors
    /// Tensors that are too large, no numbers, or claimed already.
    pub fn claim(&self, group: &str) -> Result<Vec<(String, Tensor)>, Diagnostic> {
        let (group, layer) = match group.split_once('\n') {
            Some((group, layer)) => (group, Some(layer)),
            None => (group, None),
        };
        let prefix = format!("{group}/");
        let mut found = Vec::new();
        for (path, claimed) in self.datasets.borrow_mut().range_mut(prefix.clone()..) {
            let Some(inner) = path.strip_prefix(&prefix) else { break };
            let in_layer = |layer: &str| inner.rsplit_once('/').is_some_and(|(f, _)| f.split('/').any(|p| p == layer));
            if !layer.is_none_or(in_layer) {
                continue;
            }
            if std::mem::replace(claimed, true) {
                return Err(error(format!("the tensor {} would belong to two layers", quoted(path)))
                    .help("give the layers of the inner and the outer model different names"));
            }
            found.push((inner.to_owned(), self.dataset(path)?));
        }
        Ok(found)
    }

    /// An error if there is a tensor that no layer has claimed.
    pub fn finish(&self) -> Result<(), Diagnostic> {
        match self.datasets.borrow().iter().find(|(_, claimed)| !**claimed) {
            Some((path, _)) => {
                Err(error(format!("the tensor {} in the file belongs to no layer of the model", quoted(path)))
                    .help("the weights and the configuration must be those of the same model"))
            }
            None => Ok(()),
        }
    }

    fn dataset(&self, path: &str) -> Result<Tensor, Diagnostic> {
        let full = if self.base.is_empty() { path.to_owned() } else { format!("{}/{path}", self.base) };
        let damaged = |why: String| error(format!("tensor {}: {why}", quoted(path)));
        let dataset = self.file.dataset(&full).map_err(|e| damaged(e.to_string()))?;
        let shape = dataset.shape().map_err(|e| damaged(e.to_string()))?;
        let extents: Vec<usize> = shape.iter().map(|e| usize::try_from(*e).unwrap_or(usize::MAX)).collect();
        elements(&extents).map_err(damaged)?;
        let data = dataset.read_f32().map_err(|e| damaged(e.to_string()))?;
        Ok(Tensor { shape, data })
    }
}

/// The paths of all datasets below `group`.
fn collect(group: &Group, path: &str, depth: usize, found: &mut BTreeMap<String, bool>) -> Result<(), String> {
    let damaged = |e: hdf5_pure::Error| e.to_string();
    for name in group.datasets().map_err(damaged)? {
        found.insert(format!("{path}{name}"), false);
        if found.len() > MAX_DATASETS {
            return Err(format!("there are more than {MAX_DATASETS} tensors"));
        }
    }
    let inner = group.iter_groups().map_err(damaged)?;
    for (name, inner) in inner {
        if path.is_empty() && TRAINING.contains(&&*name) {
            continue;
        }
        let deeper = depth.checked_sub(1).ok_or("its groups are nested too deeply")?;
        collect(&inner, &format!("{path}{name}/"), deeper, found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_as_keras_names_them() {
        let mut scope = Scope::default();
        for (class, name) in [
            ("QDense", "q_dense"),
            ("QDense", "q_dense_1"),
            ("QConv2D", "q_conv2d"),
            ("InputLayer", "input_layer"),
            ("QBatchNormalization", "q_batch_normalization"),
            ("ReLU", "re_lu"),
            ("MaxPooling2D", "max_pooling2d"),
        ] {
            assert_eq!(scope.next(Layout::Numbered, class, "any"), format!("layers/{name}"));
        }
        let mut inner = Scope::inner(Layout::Numbered, "layers/functional");
        assert_eq!(inner.next(Layout::Numbered, "Dense", "any"), "layers/functional/layers/dense");
    }

    #[test]
    fn a_tensor_that_nobody_reads_is_found() {
        let tensor = |shape: &[u64]| Tensor { shape: shape.to_vec(), data: vec![0.0] };
        let tensors = Tensors::new(BTreeMap::from([
            ("kernel".to_owned(), tensor(&[1])),
            ("iteration".to_owned(), tensor(&[])),
            ("vars/2".to_owned(), tensor(&[])),
        ]));
        assert_eq!(tensors.unread(), Some("kernel"));
        assert!(tensors.get("kernel").is_some());
        assert_eq!(tensors.unread(), None);
        let odd = Tensors::new(BTreeMap::from([("gain".to_owned(), tensor(&[]))]));
        assert_eq!(odd.unread(), Some("gain"));
    }
}
