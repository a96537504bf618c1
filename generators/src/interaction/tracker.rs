//! Trained edge classifiers from the arrays of a PyTorch state dictionary, saved with `numpy.savez`.
//!
//! `R1`, `O` and `R2` are `nn.Sequential`s of linear layers with ReLUs between them: `R1.layers.0.weight` of shape
//! `[outputs, inputs]`, `R1.layers.0.bias`, `R1.layers.2.weight` and so on. R1 takes `[x_receiver, x_sender, e]`, its
//! messages are summed over the edges of a receiver, O takes `[x, sum]`, R2 `[x'_receiver, x'_sender, e']`.

use std::collections::BTreeMap;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::Quantiser;

use crate::model::block::aggregate::{Aggregate, Aggregation};

use super::jedinet::Formats;
use super::mlp::{Layer, Mlp};
use super::network::Tracking;
use super::sigmoid::Sigmoid;
use crate::import::numpy::Numbers;

/// Arrays by name.
pub type Arrays = BTreeMap<String, Numbers>;

/// The three perceptrons.
const BLOCKS: [&str; 3] = ["R1", "O", "R2"];

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("model", message)
}

/// Whether these are the arrays of such a network.
pub fn recognise(arrays: &Arrays) -> bool {
    arrays.keys().any(|name| BLOCKS.iter().any(|block| name.starts_with(&format!("{block}."))))
}

/// The network with weights rounded to nearest in `format`, which all its numbers have, for as many nodes and edges.
///
/// # Errors
/// Arrays that are missing, not known or of another shape, weights that do not fit the format, no format.
pub fn import(
    arrays: &Arrays,
    format: Option<Quantiser>,
    (nodes, edges): (usize, usize),
) -> Result<Tracking, Diagnostic> {
    let help = "say which number format to round to, such as --format ap_fixed<14,7>";
    let format = format.ok_or_else(|| error("trained weights are real numbers").help(help))?;
    let [relation, object, score] = read(arrays, Formats::uniform(format))?;
    let (message, result) = (relation.outputs(), object.outputs());
    let node_features = object.inputs().checked_sub(message).filter(|n| *n > 0);
    let node_features =
        node_features.ok_or_else(|| misfit("O", object.inputs(), "node features and messages", message))?;
    let edge_features = relation.inputs().checked_sub(2 * node_features);
    let edge_features =
        edge_features.ok_or_else(|| misfit("R1", relation.inputs(), "the features of two nodes", 2 * node_features))?;
    if (score.inputs(), score.outputs()) != (2 * result + message, 1) {
        let found = format!("{} inputs and {} outputs", score.inputs(), score.outputs());
        return Err(error(format!(
            "`R2` has {found}, two results of O and a message are {} and 1",
            2 * result + message
        )));
    }
    Ok(Tracking {
        nodes,
        edges,
        node_features,
        edge_features,
        input: format,
        windows: None,
        sorted: false,
        relation,
        aggregate: Aggregate { how: Aggregation::Sum, quantiser: None },
        object,
        score,
        sigmoid: Sigmoid::new(
            "ap_fixed<10,4,RND,SAT>".parse().expect("a constant"),
            "ap_ufixed<8,0,RND,SAT>".parse().expect("a constant"),
        )?,
    })
}

fn misfit(block: &str, inputs: usize, what: &str, least: usize) -> Diagnostic {
    error(format!("`{block}` has {inputs} inputs, {what} alone are {least}"))
}

/// All blocks; every array belongs to one.
fn read(arrays: &Arrays, formats: Formats) -> Result<[Mlp; 3], Diagnostic> {
    let mut layers: [BTreeMap<u32, [Option<&Numbers>; 2]>; 3] = Default::default();
    for (name, array) in arrays {
        let unknown = || {
            error(format!("the array {} is not known", quoted(name)))
                .help("known are R1.layers.K.weight and .bias, and the same of O and R2")
        };
        let parts: Vec<&str> = name.split('.').collect();
        let [block, "layers", number, what] = *parts.as_slice() else {
            return Err(unknown());
        };
        let block = BLOCKS.iter().position(|b| *b == block).ok_or_else(unknown)?;
        let number = number.parse().map_err(|_| unknown())?;
        let what = ["weight", "bias"].iter().position(|w| *w == what).ok_or_else(unknown)?;
        layers[block].entry(number).or_default()[what] = Some(array);
    }
    let mut blocks = Vec::with_capacity(BLOCKS.len());
    for (name, layers) in BLOCKS.iter().zip(layers) {
        blocks.push(block(name, &layers, formats)?);
    }
    Ok(blocks.try_into().expect("one for each name"))
}

/// Linear layers with ReLUs between them.
fn block(name: &str, layers: &BTreeMap<u32, [Option<&Numbers>; 2]>, formats: Formats) -> Result<Mlp, Diagnostic> {
    let last =
        layers.len().checked_sub(1).ok_or_else(|| error(format!("there is no array `{name}.layers.0.weight`")))?;
    let mut read: Vec<Layer> = Vec::with_capacity(layers.len());
    for (k, (number, arrays)) in layers.iter().enumerate() {
        let place = format!("{name}.layers.{number}");
        // between two linear layers stands a ReLU, which has no arrays
        if *number as usize != 2 * k {
            return Err(error(format!("there is no array `{name}.layers.{}.weight`", 2 * k)));
        }
        let [Some(weights), Some(bias)] = arrays else {
            return Err(error(format!("`{place}` has no weight or no bias")));
        };
        let (&[outputs, inputs], &[biases]) = (&*weights.shape, &*bias.shape) else {
            let shapes = (&weights.shape, &bias.shape);
            return Err(error(format!("`{place}` has arrays of shapes {shapes:?}, no matrix and vector")));
        };
        let fits = read.last().is_none_or(|before| before.outputs() == inputs);
        if outputs == 0 || inputs == 0 || biases != outputs || !fits {
            return Err(error(format!(
                "`{place}` of shape {:?} does not fit its bias or what stands before it",
                weights.shape
            )));
        }
        let integer = |v: &f64| {
            let misfit = || error(format!("{v} in `{place}` does not fit {}", formats.weight));
            formats.weight.nearest(*v).ok_or_else(misfit)
        };
        let integers = |values: &[f64]| values.iter().map(integer).collect::<Result<Vec<i64>, _>>();
        let rows = weights.values.chunks(inputs).map(integers).collect::<Result<_, _>>()?;
        read.push(formats.layer(rows, integers(&bias.values)?, k != last));
    }
    Ok(Mlp { layers: read })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two node features, one edge feature, two messages, one result.
    fn arrays() -> Arrays {
        let shapes = [("R1", [3, 5], [2, 3]), ("O", [4, 4], [1, 4]), ("R2", [3, 4], [1, 3])];
        let mut arrays = Arrays::new();
        for (block, first, second) in shapes {
            for (number, [outputs, inputs]) in [(0, first), (2, second)] {
                let place = format!("{block}.layers.{number}");
                let weights = (0..outputs * inputs).map(|k| k as f64 / 4.0 - 1.0).collect();
                arrays.insert(format!("{place}.weight"), Numbers { shape: vec![outputs, inputs], values: weights });
                arrays.insert(format!("{place}.bias"), Numbers { shape: vec![outputs], values: vec![0.5; outputs] });
            }
        }
        arrays
    }

    fn format() -> Option<Quantiser> {
        Some("ap_fixed<8,5>".parse().unwrap())
    }

    #[test]
    fn a_small_network() {
        let network = import(&arrays(), format(), (4, 6)).unwrap();
        assert_eq!((network.nodes, network.edges, network.node_features, network.edge_features), (4, 6, 2, 1));
        assert_eq!(network.relation.layers[0].weights[0], [-8, -6, -4, -2, 0]);
        assert_eq!(network.relation.layers[0].bias, [4, 4, 4]);
        assert!(network.relation.layers[0].relu.is_some() && network.relation.layers[1].relu.is_none());
        assert_eq!(crate::interaction::network::Network::Tracking(network).validate(), Ok(()));
    }

    #[test]
    fn what_is_no_such_network_is_refused() {
        let refused = |change: &dyn Fn(&mut Arrays)| {
            let mut arrays = arrays();
            change(&mut arrays);
            import(&arrays, format(), (4, 6)).unwrap_err().message
        };
        let numbers = |shape: &[usize]| Numbers { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] };
        let insert = |name: &str, shape: &[usize]| {
            let (name, numbers) = (name.to_owned(), numbers(shape));
            refused(&|arrays| drop(arrays.insert(name.clone(), numbers.clone())))
        };
        assert!(insert("R3.layers.0.weight", &[1, 1]).contains("not known"));
        assert!(insert("R1.layers.0.scale", &[1]).contains("not known"));
        assert!(insert("R1.layers.2.bias", &[3]).contains("does not fit"));
        assert!(insert("R2.layers.0.weight", &[3, 5]).contains("R2"));
        assert!(refused(&|arrays| drop(arrays.remove("O.layers.0.bias"))).contains("no bias"));
        assert!(refused(&|arrays| arrays.retain(|name, _| !name.starts_with('O'))).contains("O.layers.0"));
        assert!(import(&arrays(), None, (4, 6)).unwrap_err().help.unwrap().contains("--format"));
    }
}
