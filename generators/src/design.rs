//! What every design that is read back from an output folder can do, whatever generated it.

use hdl::diag::Diagnostic;
use serde::{Deserialize, Serialize};
use sim::preamble::Preamble;
use sim::vectors::Vectors;

use crate::arith::design::MatrixDesign;
use crate::encoder::design::{EncoderDesign, REGISTER_PORT};
use crate::interaction::design::InteractionDesign;
use crate::model::Graph;
use crate::network::design::NetworkDesign;
use crate::network::ports::{START, VALID};

/// The content of `model.json`: an exact integer model; `design` says whose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "design", rename_all = "snake_case")]
pub enum Design {
    /// `hwgen encoder`.
    Encoder(EncoderDesign),
    /// `hwgen cmvm`.
    Matrix(MatrixDesign),
    /// `hwgen interaction`.
    Interaction(InteractionDesign),
    /// `hwgen dense` and `hwgen build`.
    Network(NetworkDesign),
}

/// A column of a user's file of events: its key, and the port that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Key in the file.
    pub key: String,
    /// Name of the port.
    pub port: String,
}

impl Column {
    /// A column that is called what its port is called.
    pub fn of_port(port: &str) -> Self {
        Self { key: port.to_owned(), port: port.to_owned() }
    }
}

/// What checks ask of an integer model.
pub trait Modelled {
    /// An error unless the model is one that the generator could have written.
    fn validate(&self) -> Result<(), Diagnostic>;

    /// What is done to control ports before samples stream; `None` if there are none.
    fn preamble(&self) -> Result<Option<Preamble>, Diagnostic> {
        Ok(None)
    }

    /// Ports of slow control, through which registers are written and read.
    fn register_port(&self) -> &'static [&'static str] {
        &[]
    }

    /// Random vectors with what the model gives.
    fn random_vectors(&self, count: usize, seed: u64) -> Result<Vectors, Diagnostic>;

    /// The columns of a user's file that go in; all must be there.
    fn inputs(&self) -> Vec<Column>;

    /// The columns of a user's file that must come out; one of them must be there.
    fn outputs(&self) -> Vec<Column>;
}

impl Design {
    /// The model behind it.
    pub fn model(&self) -> &dyn Modelled {
        match self {
            Self::Encoder(design) => design,
            Self::Matrix(design) => design,
            Self::Interaction(design) => design,
            Self::Network(design) => design,
        }
    }

    /// The model as an integer graph, whatever generated it; inputs and outputs are called as the model calls them.
    ///
    /// # Errors
    /// A bare matrix, whose elements have a range each, and parts that do not fit together.
    pub fn graph(&self) -> Result<Graph, Diagnostic> {
        match self {
            Self::Encoder(design) => Ok(design.network()?.graph),
            Self::Interaction(design) => Ok(design.network.staged()?.graph),
            Self::Network(design) => Ok(design.network.clone()),
            Self::Matrix(_) => Err(Diagnostic::error("model", "a bare matrix is no network")
                .help("its product is one line of NumPy; `hwgen sim` runs vectors through its hardware")),
        }
    }

    /// The content of `model.json`.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain data") + "\n"
    }
}

impl Modelled for EncoderDesign {
    fn validate(&self) -> Result<(), Diagnostic> {
        self.network().map(|_| ())
    }

    fn preamble(&self) -> Result<Option<Preamble>, Diagnostic> {
        self.preamble()
    }

    fn register_port(&self) -> &'static [&'static str] {
        if self.has_registers() { &REGISTER_PORT } else { &[] }
    }

    fn random_vectors(&self, count: usize, seed: u64) -> Result<Vectors, Diagnostic> {
        self.vectors(&self.random_events(count, seed)?)
    }

    fn inputs(&self) -> Vec<Column> {
        vec![Column::of_port(self.input_port())]
    }

    fn outputs(&self) -> Vec<Column> {
        let module_sum = Column { key: "module_sum_5e4m".into(), port: "module_sum".into() };
        vec![Column::of_port("encoded"), module_sum]
    }
}

impl Modelled for InteractionDesign {
    fn validate(&self) -> Result<(), Diagnostic> {
        self.validate()
    }

    fn random_vectors(&self, count: usize, seed: u64) -> Result<Vectors, Diagnostic> {
        self.vectors(&self.random_events(count, seed))
    }

    fn inputs(&self) -> Vec<Column> {
        let ports = self.network.inputs();
        ports.iter().map(|p| Column::of_port(p.name)).collect()
    }

    fn outputs(&self) -> Vec<Column> {
        vec![Column::of_port(self.network.output().0)]
    }
}

impl Modelled for NetworkDesign {
    fn validate(&self) -> Result<(), Diagnostic> {
        self.validate()
    }

    fn random_vectors(&self, count: usize, seed: u64) -> Result<Vectors, Diagnostic> {
        self.vectors(&self.random_events(count, seed))
    }

    fn inputs(&self) -> Vec<Column> {
        let ports = self.ports();
        let start = self.reuse.map(|_| Column::of_port(START));
        let inputs = ports.inputs.iter().map(|p| Column::of_port(p));
        start.into_iter().chain(inputs).collect()
    }

    fn outputs(&self) -> Vec<Column> {
        let ports = self.ports();
        let valid = self.reuse.map(|_| Column::of_port(VALID));
        let outputs = ports.outputs.iter().map(|p| Column::of_port(p));
        outputs.chain(valid).collect()
    }
}

impl Modelled for MatrixDesign {
    fn validate(&self) -> Result<(), Diagnostic> {
        self.validate()
    }

    fn random_vectors(&self, count: usize, seed: u64) -> Result<Vectors, Diagnostic> {
        Ok(self.vectors(count, seed))
    }

    fn inputs(&self) -> Vec<Column> {
        vec![Column::of_port("x")]
    }

    fn outputs(&self) -> Vec<Column> {
        vec![Column::of_port("y")]
    }
}
