//! Layers of HGQ2 that are made of other layers, which the file has only as tensors.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hdl::diag::Diagnostic;
use serde_json::{Map, Value as Json};

use super::class::{self, LayerClass};
use super::weights::{Layout, Tensor, Tensors};
use super::{KerasLayer, attention, hgq};
use crate::import::keras::settings::Settings;

/// Where the tensors of a layer inside another stand.
pub(super) struct Folder {
    /// The attribute under which it is kept, in files with numbers.
    pub numbered: &'static str,
    /// Its name without a number, in files with names.
    pub named: &'static str,
    /// Which of those with that name, in the order of their numbers.
    pub order: usize,
}

/// `dense_12` as `dense` and 12; 0 without a number.
pub(super) fn numbered(name: &str) -> (&str, usize) {
    match name.rsplit_once('_').map(|(base, number)| (base, number.parse())) {
        Some((base, Ok(number))) => (base, number),
        _ => (name, 0),
    }
}

/// Whether a layer of that class is made of others.
fn is_composed(class: &str) -> bool {
    attention::CLASSES.iter().any(|c: &LayerClass| c.names.contains(&class))
}

/// The name of a tensor of a layer that is made of others: its path, but for those of the layer itself. None for other
/// classes.
pub(super) fn variable(class: &str, config: &Settings, layout: Layout, path: &str) -> Option<String> {
    if !is_composed(class) {
        return None;
    }
    let own = match layout {
        Layout::Numbered => path.starts_with("oq/"),
        Layout::Named => {
            let owner = format!("{}_oq", config.peek("name").as_str().unwrap_or_default());
            path.split('/').rev().nth(2) == Some(&owner)
        }
    };
    let name = if own { hgq::variable(config, layout, path) } else { None };
    Some(name.unwrap_or_else(|| path.to_owned()))
}

/// The names of the tensors that stand at `paths` in a layer's group.
///
/// Quantisers of several operands have numbers that go on from layer to layer, so that their order says which is whose.
pub(super) fn names(class: &str, config: &Settings, layout: Layout, paths: &[&str]) -> Vec<String> {
    let operand = |path: &str| {
        let mut parts = path.split('/').skip_while(|p| numbered(p).0 != "multiple_quantizers").skip(1);
        let (base, number) = numbered(parts.next()?);
        let variable = parts.nth(1)?;
        (layout == Layout::Named && base == "quantizer").then(|| (number, variable.to_owned()))
    };
    let quantisers: BTreeSet<usize> = paths.iter().filter_map(|path| operand(path)).map(|(number, _)| number).collect();
    let name = |path: &&str| match operand(path) {
        Some((number, variable)) => format!("iq{}.{variable}", quantisers.range(..number).count()),
        None => class::variable(class, config, layout, path),
    };
    paths.iter().map(name).collect()
}

/// The folders that all paths have in common.
fn common<'p>(paths: &[&'p str]) -> Vec<&'p str> {
    let folders = |path: &'p str| path.split('/').rev().skip(1).collect::<Vec<_>>().into_iter().rev();
    let mut paths = paths.iter();
    let first: Vec<&str> = paths.next().map(|p| folders(p).collect()).unwrap_or_default();
    paths.fold(first, |common, path| {
        common.into_iter().zip(folders(path)).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    })
}

impl KerasLayer {
    /// The tensors in `folder` by their paths in it, and how the file names them. They count as read.
    fn tensors_in(&self, folder: &Folder) -> (Layout, Vec<(String, Tensor)>) {
        let paths: Vec<&str> = self.tensors.names().filter(|name| name.contains('/')).collect();
        let by_number = |path: &&str| path.rsplit_once("vars/").is_some_and(|(_, n)| n.parse::<usize>().is_ok());
        let (layout, prefix) = match paths.iter().any(by_number) {
            true => (Layout::Numbered, format!("{}/", folder.numbered)),
            false => {
                let common = common(&paths);
                let inside = |path: &&str| path.split('/').nth(common.len()).map(str::to_owned);
                let mut folders: Vec<String> = paths.iter().filter_map(inside).collect();
                folders.retain(|f| numbered(f).0 == folder.named);
                folders.sort_by_key(|f| numbered(f).1);
                folders.dedup();
                let one = folders.get(folder.order).cloned().unwrap_or_default();
                (Layout::Named, common.into_iter().chain([&*one, ""]).collect::<Vec<_>>().join("/"))
            }
        };
        let inside = |path: &str| path.strip_prefix(&prefix).map(str::to_owned);
        let found = paths.iter().filter_map(|path| Some((inside(path)?, self.tensors.get(path)?.clone())));
        (layout, found.collect())
    }

    /// The tensors by name of a layer of `class` with `config` in `folder`.
    pub(super) fn part_tensors(
        &self,
        folder: &Folder,
        class: &str,
        config: &Map<String, Json>,
    ) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
        let settings = Settings::new(self.config.place(), config.clone());
        let (layout, found) = self.tensors_in(folder);
        let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
        let names = names(class, &settings, layout, &paths);
        let mut tensors = BTreeMap::new();
        for ((path, tensor), name) in found.into_iter().zip(names) {
            if tensors.insert(name, tensor).is_some() {
                return Err(self.error(format!(
                    "two tensors in its {} are called {}",
                    folder.named,
                    hdl::names::quoted(&path)
                )));
            }
        }
        Ok(tensors)
    }

    /// A layer inside this one.
    pub(super) fn part(
        &self,
        name: &str,
        class: &str,
        config: Map<String, Json>,
        tensors: BTreeMap<String, Tensor>,
    ) -> Self {
        let place = format!("{}, {name}", self.config.place());
        Self {
            class: class.to_owned(),
            name: format!("{}/{name}", self.name),
            config: Settings::new(place, config),
            tensors: Rc::new(Tensors::new(tensors)),
            inner: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_common() {
        assert_eq!(common(&["m/a/query/kernel", "m/a/beta"]), ["m", "a"]);
        assert_eq!(common(&["a/query/kernel"]), ["a", "query"]);
        assert!(common(&[]).is_empty());
        assert_eq!((numbered("einsum_dense_12"), numbered("q_softmax")), (("einsum_dense", 12), ("q_softmax", 0)));
    }
}
