//! The JSON form of a model, as a JSON schema.

use schemars::schema_for;

use super::graph::Written;

/// The schema of what [`Graph::from_json`](super::Graph::from_json) reads and
/// [`Graph::to_json`](super::Graph::to_json) writes (JSON Schema, draft 2020-12).
pub fn schema() -> serde_json::Value {
    schema_for!(Written).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Graph;
    use crate::network::dense::{DenseLayer, DenseNetwork, Requantiser};

    /// Whether the schema takes `model`.
    fn valid(model: &serde_json::Value) -> bool {
        let mut compiler = boon::Compiler::new();
        let mut schemas = boon::Schemas::new();
        compiler.add_resource("model.json", schema()).unwrap();
        let index = compiler.compile("model.json", &mut schemas).unwrap();
        schemas.validate(model, index).is_ok()
    }

    #[test]
    fn what_is_written_is_valid_and_what_is_not_read_is_not() {
        let mut random = fastrand::Rng::with_seed(1);
        let layer = |shape| DenseLayer::random(&mut random, shape, 4, 4, 0.5);
        let network = DenseNetwork {
            input: (-8, 7),
            layers: [(3, 4), (4, 2)].map(layer).to_vec(),
            shifts: vec![3],
            activation_bits: 4,
            requantiser: Requantiser::TruncateWrap,
        };
        let written = network.graph("small").unwrap().to_json();
        let every = include_str!("../../../tests/tests/data/every_operator.json");
        for text in [written.as_str(), every] {
            let model: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(valid(&model));
            for (pointer, wrong) in [
                ("/name", serde_json::json!(5)),
                ("/inputs/0/range", serde_json::json!([1])),
                ("/layers/0/op", serde_json::json!("no_such_operator")),
                ("/outputs/0/tensor", serde_json::json!(-1)),
            ] {
                let mut broken = model.clone();
                *broken.pointer_mut(pointer).unwrap() = wrong;
                assert!(!valid(&broken), "{pointer}");
                assert!(Graph::from_json(&broken.to_string()).is_err(), "{pointer}");
            }
        }
    }
}
