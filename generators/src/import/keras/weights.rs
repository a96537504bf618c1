//! The tensors of a Keras model in HDF5, in both of Keras' layouts, each claimed by exactly one layer.
//!
//! *Named*: a group for each layer of the model by its name, in it datasets by the variables' names (`.h5` of Keras 2 and
//! 3). *Numbered*: groups `layers/dense_1`, named after the layer's class with a number from its second use on, in them
//! `vars/0`, `vars/1` … in the order in which the layer made them (`.keras`, `.weights.h5`). Keras 2.12 to 2.14 called
//! `layers` after an attribute of theirs, and until 2.13 that attribute listed each layer with weights twice, so that it
//! takes two numbers of its class.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use hdf5_pure::{AttrValue, File, Group};
use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::error;
use super::part::numbered;
use crate::model::elements;

/// Most datasets of a file.
const MAX_DATASETS: usize = 200_000;

/// Deepest group.
const MAX_DEPTH: usize = 24;

/// Groups of a file that inference does not need.
const TRAINING: [&str; 3] = ["optimizer", "optimizer_weights", "_optimizer"];

/// What Keras 2.12 to 2.14 call the group of a model's layers.
const OLD_CONTAINER: &str = "_layer_checkpoint_dependencies";

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
    /// What the groups of a model's layers stand in, if they are numbered.
    container: &'static str,
    /// Whether a layer with weights takes two numbers.
    doubled: bool,
    /// Each dataset by its path below the base, and whether a layer has claimed it.
    datasets: RefCell<BTreeMap<String, bool>>,
    /// Up to where inner layers have claimed variables of one name in the list of their model's group.
    reached: RefCell<HashMap<Reached, usize>>,
}

/// A group, the name of a variable and whether it is trained: Keras lists what is trained first.
type Reached = (String, String, bool);

/// Where a model's layers stand in a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Group of the model itself, empty for the outermost.
    path: String,
    uses: HashMap<String, usize>,
}

impl Scope {
    /// The group of the model's next layer of `class`, whose name is `layer`, in the file of `weights`.
    pub fn next(&mut self, weights: &Weights, class: &str, layer: &str) -> String {
        match weights.layout {
            Layout::Named if self.path.is_empty() => layer.to_owned(),
            Layout::Named => format!("{}\n{layer}", self.path),
            Layout::Numbered => {
                let base = snake_case(class);
                let uses = self.uses.entry(base.clone()).or_insert(0);
                let name = if *uses == 0 { base } else { format!("{base}_{uses}") };
                let parent = if self.path.is_empty() { String::new() } else { format!("{}/", self.path) };
                let group = format!("{parent}{}/{name}", weights.container);
                *uses += if weights.doubled && weights.has_tensors(&group) { 2 } else { 1 };
                group
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

/// Whether layers of a class take more numbers than there are groups: then those with weights take two.
fn has_gaps<'g>(groups: impl Iterator<Item = &'g str>) -> bool {
    let mut numbers: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for (class, number) in groups.map(numbered) {
        numbers.entry(class).or_default().insert(number);
    }
    numbers.values().any(|numbers| numbers.last().is_some_and(|last| *last >= numbers.len()))
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
        let attributes = root.attrs().map_err(damaged)?;
        // a list that is too long for one attribute is cut into numbered ones
        let named_root = ["layer_names", "layer_names0"].iter().any(|key| attributes.contains_key(*key));
        let container = if has(OLD_CONTAINER) { OLD_CONTAINER } else { "layers" };
        let (layout, base) = match () {
            () if has("model_weights") => (Layout::Named, "model_weights"),
            () if named_root => (Layout::Named, ""),
            () if has(container) || groups.iter().all(|g| g == "vars" || TRAINING.contains(&&**g)) => {
                (Layout::Numbered, "")
            }
            () => return Err(error(format!("{what} has no tensors in a layout of Keras"))),
        };
        let start = if base.is_empty() { root } else { file.group(base).map_err(damaged)? };
        let mut datasets = BTreeMap::new();
        let doubled = collect(&start, "", MAX_DEPTH, &mut datasets).map_err(|why| error(format!("{what}: {why}")))?;
        let (base, datasets) = (base.to_owned(), RefCell::new(datasets));
        Ok(Self { file, base, layout, container, doubled, datasets, reached: RefCell::default() })
    }

    /// Whether there is a tensor below `group`.
    fn has_tensors(&self, group: &str) -> bool {
        let prefix = format!("{group}/");
        let datasets = self.datasets.borrow();
        datasets.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    /// The text of the file's attribute `model_config`, if it has one.
    pub fn configuration(&self) -> Result<Option<String>, Diagnostic> {
        let attributes = self.file.root().attrs();
        let attributes = attributes.map_err(|e| error(format!("the file's attributes are damaged: {e}")))?;
        Ok(attributes.get("model_config").and_then(AttrValue::as_str).map(str::to_owned))
    }

    /// The layer's name that the file notes in a numbered group, if it does.
    pub fn noted_name(&self, group: &str) -> Option<String> {
        let vars = self.file.group(&format!("{group}/vars")).ok()?;
        vars.attrs().ok()?.get("name").and_then(AttrValue::as_str).map(str::to_owned)
    }

    /// The tensors of `group`, by their paths in it, which no other layer may claim. The layer is `trained` or not.
    ///
    /// # Errors
    /// Tensors that are too large, no numbers, claimed already, or of another layer by their order.
    pub fn claim(&self, group: &str, trained: bool) -> Result<Vec<(String, Tensor)>, Diagnostic> {
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
        if layer.is_some() {
            self.in_order(group, found.iter().map(|(path, _)| path.as_str()), trained)?;
        }
        Ok(found)
    }

    /// An error if the tensors of an inner layer stand in front of those of a layer before it in the list of `group`: Keras
    /// takes them by that order, whatever their names.
    fn in_order<'p>(&self, group: &str, paths: impl Iterator<Item = &'p str>, trained: bool) -> Result<(), Diagnostic> {
        let listed = self.listed(group)?;
        let mut places: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for path in paths {
            let Some(place) = listed.get(path) else { continue };
            let variable = path.rsplit('/').next().unwrap_or(path);
            let (first, last) = places.entry(variable).or_insert((*place, *place));
            (*first, *last) = ((*first).min(*place), (*last).max(*place));
        }
        for (variable, (first, last)) in places {
            let key = (group.to_owned(), variable.to_owned(), trained);
            if self.reached.borrow_mut().insert(key, last).is_some_and(|before| first < before) {
                let why = "its tensors stand in front of those of a layer before it, to which Keras would give them";
                return Err(error(why).help("give the layers the names that their tensors have"));
            }
        }
        Ok(())
    }

    /// The places of the tensors in the list of `group`, which may be cut into numbered ones.
    fn listed(&self, group: &str) -> Result<HashMap<String, usize>, Diagnostic> {
        let full = self.full(group);
        let damaged = |e: hdf5_pure::Error| error(format!("group {}: {e}", quoted(group)));
        let attributes = self.file.group(&full).and_then(|g| g.attrs()).map_err(damaged)?;
        let part = |key: &str| attributes.get(key).and_then(AttrValue::as_strings);
        let numbered = (0..).map_while(|k| part(&format!("weight_names{k}")));
        let names = part("weight_names").into_iter().chain(numbered).flatten();
        Ok(names.enumerate().map(|(k, name)| (name.clone(), k)).collect())
    }

    fn full(&self, path: &str) -> String {
        if self.base.is_empty() { path.to_owned() } else { format!("{}/{path}", self.base) }
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
        let damaged = |why: String| error(format!("tensor {}: {why}", quoted(path)));
        let dataset = self.file.dataset(&self.full(path)).map_err(|e| damaged(e.to_string()))?;
        let shape = dataset.shape().map_err(|e| damaged(e.to_string()))?;
        let extents: Vec<usize> = shape.iter().map(|e| usize::try_from(*e).unwrap_or(usize::MAX)).collect();
        elements(&extents).map_err(damaged)?;
        let data = dataset.read_f32().map_err(|e| damaged(format!("{e}; tensors are of 32-bit floats")))?;
        Ok(Tensor { shape, data })
    }
}

/// The paths of all datasets below `group`. The result says whether layers in it take two numbers.
fn collect(group: &Group, path: &str, depth: usize, found: &mut BTreeMap<String, bool>) -> Result<bool, String> {
    let damaged = |e: hdf5_pure::Error| e.to_string();
    for name in group.datasets().map_err(damaged)? {
        found.insert(format!("{path}{name}"), false);
        if found.len() > MAX_DATASETS {
            return Err(format!("there are more than {MAX_DATASETS} tensors"));
        }
    }
    let mut inner: Vec<(String, Group)> = group.iter_groups().map_err(damaged)?.collect();
    inner.retain(|(name, _)| !(path.is_empty() && TRAINING.contains(&&**name)));
    let is_old = path.trim_end_matches('/').ends_with(OLD_CONTAINER);
    let mut doubled = is_old && has_gaps(inner.iter().map(|(name, _)| name.as_str()));
    for (name, inner) in inner {
        let deeper = depth.checked_sub(1).ok_or("its groups are nested too deeply")?;
        doubled |= collect(&inner, &format!("{path}{name}/"), deeper, found)?;
    }
    Ok(doubled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_as_keras_names_them() {
        for (class, name) in [
            ("QDense", "q_dense"),
            ("QConv2D", "q_conv2d"),
            ("InputLayer", "input_layer"),
            ("QBatchNormalization", "q_batch_normalization"),
            ("ReLU", "re_lu"),
            ("MaxPooling2D", "max_pooling2d"),
        ] {
            assert_eq!(snake_case(class), name);
        }
    }

    #[test]
    fn layers_that_take_two_numbers() {
        assert!(has_gaps(["dense", "dense_2", "conv1d"].into_iter()));
        assert!(has_gaps(["dense", "dense_1", "dense_3"].into_iter()));
        assert!(!has_gaps(["dense", "dense_1", "conv2d", "q_conv2d"].into_iter()));
    }

    /// A file of an inner model `inn` of layers `a` and `b`, whose tensors it lists in that order, in pieces.
    fn inner_model(listed: [&str; 2]) -> Weights {
        let mut file = hdf5_pure::FileBuilder::new();
        file.set_attr("layer_names0", AttrValue::VarLenStringArray(vec!["inn".into()]));
        let mut model = file.create_group("inn");
        for (piece, layer) in listed.into_iter().enumerate() {
            let names = vec![format!("{layer}/kernel:0")];
            model.set_attr(&format!("weight_names{piece}"), AttrValue::VarLenStringArray(names));
            let mut group = model.create_group(layer);
            group.create_dataset("kernel:0").with_f32_data(&[1.0]).with_shape(&[1]);
            model.add_group(group.finish());
        }
        file.add_group(model.finish());
        Weights::open(file.finish().unwrap(), "the file").unwrap()
    }

    #[test]
    fn inner_layers_have_the_order_of_their_tensors() {
        let in_order = inner_model(["a", "b"]);
        assert_eq!(in_order.claim("inn\na", true).unwrap().len(), 1);
        assert_eq!(in_order.claim("inn\nb", true).unwrap().len(), 1);
        let exchanged = inner_model(["b", "a"]);
        assert!(exchanged.claim("inn\na", true).is_ok());
        let why = exchanged.claim("inn\nb", true).expect_err("a refusal");
        assert!(why.message.contains("a layer before it"), "{}", why.message);
        // what is not trained is listed behind the rest
        let frozen = inner_model(["b", "a"]);
        assert!(frozen.claim("inn\na", false).is_ok() && frozen.claim("inn\nb", true).is_ok());
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
