//! The operators that are read: everything that a node may hold is in its row, or the node is refused.
//!
//! The dispatch of nodes and `docs/importers-onnx.md` are both made from these tables.

/// Attributes of a window.
macro_rules! window {
    ($($more:expr),*) => {
        &[read("auto_pad"), read("kernel_shape"), read("pads"), read("strides"), $($more),*]
    };
}

mod custom;
mod standard;

use super::operators::{Domain, Operator};

const TRAINING: &str = "of training only; training mode is refused";
const SECOND_RESULT: &str = "orders the second result, which is refused";

/// Every operator.
pub(super) fn operators() -> impl Iterator<Item = &'static Operator> {
    standard::OPERATORS.iter().chain(custom::OPERATORS)
}

/// The operator of that name in a domain.
pub(super) fn find(domain: Domain, name: &str) -> Option<&'static Operator> {
    // files of old tools write QONNX operators without a domain; no ONNX operator has such a name
    let in_domain = |d: Domain| operators().find(move |o| o.domain == d && o.name == name);
    in_domain(domain).or_else(|| if domain == Domain::Onnx { in_domain(Domain::Qonnx) } else { None })
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::import::onnx::operators::Usage;

    /// The attributes and the number of operands that ONNX's own schema lists by operator and version, and QONNX' classes
    /// by operator: written by `tests/python/onnx_attributes.py --schema`.
    const SCHEMA: &str = include_str!("../schema.json");

    fn names(list: &Json) -> Vec<&str> {
        list.as_array().expect("a list").iter().map(|name| name.as_str().expect("a name")).collect()
    }

    fn of(domain: Domain) -> impl Iterator<Item = &'static Operator> {
        operators().filter(move |o| o.domain == domain)
    }

    #[test]
    fn every_attribute_of_the_schema_is_in_the_table_and_no_other() {
        let schema: Json = serde_json::from_str(SCHEMA).unwrap();
        for operator in of(Domain::Onnx) {
            let rows = schema["ai.onnx"][operator.name].as_array();
            for row in rows.unwrap_or_else(|| panic!("{} is not in the schema", operator.name)) {
                let version = row["version"].as_i64().unwrap();
                let wanted = names(&row["attributes"]);
                let there: Vec<&str> =
                    operator.attributes.iter().filter(|a| a.versions.contain(version)).map(|a| a.name).collect();
                let skipped = version < operator.since;
                let missing = wanted.iter().filter(|name| !there.contains(name)).count();
                let invented = there.iter().filter(|name| !wanted.contains(name)).count();
                assert!(skipped || missing + invented == 0, "{} {version}: {wanted:?}, {there:?}", operator.name);
                let operands = operator.operands.iter().filter(|o| o.versions.contain(version)).count();
                assert!(skipped || row["operands"] == operands, "{} {version}: {operands} operands", operator.name);
            }
        }
        for operator in of(Domain::Qonnx) {
            let mut there: Vec<&str> = operator.attributes.iter().map(|a| a.name).collect();
            there.sort_unstable();
            assert_eq!(there, names(&schema["qonnx.custom_op.general"][operator.name]), "{}", operator.name);
        }
    }

    #[test]
    fn names_are_told_apart() {
        for (k, a) in operators().enumerate() {
            assert!(!operators().take(k).any(|b| (a.domain, a.name) == (b.domain, b.name)), "{} twice", a.name);
            assert!(a.attributes.iter().all(|a| a.usage != Usage::Harmless("")), "{}: no reason", a.name);
        }
        assert!(find(Domain::Onnx, "Quant").is_some() && find(Domain::Qonnx, "Relu").is_none());
    }
}
