//! What of a design is proved, what is simulated, and what is trusted.

use serde::Serialize;

use super::table::Table;

/// How far something is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// A proof for every input, which was run when the design was generated, or which the command runs.
    Proof,
    /// Some inputs were tried, or are tried by the command.
    Simulation,
    /// Nothing in hwgen checks it.
    Trust,
}

/// One thing that must be right for the hardware to be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trust {
    /// What.
    pub what: String,
    /// How far it is known.
    pub basis: Basis,
    /// For which inputs; empty for what is trusted.
    pub inputs: String,
    /// What checks it, and where its verdict is; for what is trusted, why it must be.
    pub by: String,
}

impl Trust {
    /// Something that a proof covers.
    pub fn proof(what: impl Into<String>, by: impl Into<String>) -> Self {
        Self { what: what.into(), basis: Basis::Proof, inputs: "every".into(), by: by.into() }
    }

    /// Something of which `inputs` are tried.
    pub fn simulation(what: impl Into<String>, inputs: impl Into<String>, by: impl Into<String>) -> Self {
        Self { what: what.into(), basis: Basis::Simulation, inputs: inputs.into(), by: by.into() }
    }

    /// Something that is taken as it is.
    pub fn trusted(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), basis: Basis::Trust, inputs: String::new(), by: why.into() }
    }
}

/// For people.
pub fn text(all: &[Trust]) -> String {
    let mut table = Table::new(["what must be right", "basis", "inputs", "by"]);
    for row in all {
        let basis = match row.basis {
            Basis::Proof => "proof",
            Basis::Simulation => "simulation",
            Basis::Trust => "trust",
        };
        table.row([row.what.clone(), basis.into(), row.inputs.clone(), row.by.clone()]);
    }
    table.to_string()
}
