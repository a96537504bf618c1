//! A trained network as a user asks for it: from which file, which part of it, and what must be said of its numbers.

use std::path::{Path, PathBuf};

use hdl::diag::Diagnostic;
use serde_json::{Value as Json, json};

use super::exactness::{bounds, doubts, outside};
use super::network::NetworkProject;
use super::outputs::quantise_outputs;
use super::reference;
use crate::failure::{Failure, Result};
use crate::import::file::read;
use crate::import::lift::{Imported, InputFormat};
use crate::output::report::Check;

/// A network's file, and what it leaves open.
#[derive(Debug, Clone, Default)]
pub struct NetworkFile {
    /// The network.
    pub file: PathBuf,
    /// The weights of a Keras model whose configuration is `file`.
    pub weights: Option<PathBuf>,
    /// Formats of inputs that the network does not quantise itself, each `[NAME=]u8.4`.
    pub input_formats: Vec<String>,
}

/// Which part of a network is wanted, and how exact.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Whether steps of quantisers may be taken at the exact sum where the framework's own depends on the order of its
    /// additions.
    pub accept_rounding: bool,
    /// The first layer; its operand becomes the input.
    pub from: Option<String>,
    /// The last layer; its result becomes the output.
    pub to: Option<String>,
    /// Formats of outputs that are given as plain numbers, each `[NAME=]u8.8`.
    pub output_formats: Vec<String>,
}

/// A network that can be evaluated and built.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Its integers.
    pub network: Imported,
    /// What the user chose, for the report.
    pub parameters: Vec<(&'static str, String)>,
    /// What is approximate in it, and how far off at most.
    pub checks: Vec<Check>,
    /// What a user must know of its numbers, in lines.
    pub remarks: String,
    /// Whether its outputs are rounded to formats that the user named.
    has_rounded_outputs: bool,
}

impl NetworkFile {
    /// Reads the network.
    ///
    /// # Errors
    /// Those of [`read`], and what is no format.
    pub fn read(&self) -> Result<Imported> {
        let formats = self.input_formats.iter().map(|text| InputFormat::parse(text));
        let formats: Vec<InputFormat> = formats.collect::<std::result::Result<_, _>>().map_err(Failure::user)?;
        read(&self.file, self.weights.as_deref(), &formats)
    }

    /// Reads the part of it that is wanted.
    ///
    /// # Errors
    /// Also layers that are not there, sums that are not exact unless that is accepted, and outputs that cannot be given so.
    pub fn part(&self, part: &Part) -> Result<Trained> {
        let cut = self.read()?.cut(part.from.as_deref(), part.to.as_deref());
        let mut network = cut.map_err(|d| self.wrong(d))?;
        let (mut checks, mut remarks) = (Vec::new(), String::new());
        if let Err(inexact) = network.require_exact() {
            if !part.accept_rounding {
                return Err(self.wrong(inexact.help(
                    "train with scales that are powers of two, or take steps at the exact sums with --accept-rounding",
                )));
            }
            remarks += &(doubts(&network) + &bounds(&network)?);
            let result = remarks.trim_end().replace('\n', "; ");
            checks.push(Check { what: "exactness of the framework's own sums".into(), result });
        }
        for check in quantise_outputs(&mut network.graph, &part.output_formats)? {
            remarks += &format!("{}: {}\n", check.what, check.result);
            checks.push(check);
        }
        remarks += &outside(&network.graph);
        let ends = [("from layer", &part.from), ("to layer", &part.to)];
        let mut parameters = self.parameters();
        parameters.extend(ends.into_iter().filter_map(|(key, layer)| Some((key, layer.clone()?))));
        Ok(Trained { network, parameters, checks, remarks, has_rounded_outputs: !part.output_formats.is_empty() })
    }

    /// What the report says of it.
    fn parameters(&self) -> Vec<(&'static str, String)> {
        let name = |path: &Path| path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let mut parameters = vec![("model", name(&self.file))];
        parameters.extend(self.weights.as_ref().map(|file| ("weights", name(file))));
        if !self.input_formats.is_empty() {
            parameters.push(("input format", self.input_formats.join(", ")));
        }
        parameters
    }

    fn wrong(&self, mistake: Diagnostic) -> Failure {
        Failure::user(mistake.at(self.file.display().to_string(), "in this file"))
    }
}

impl Trained {
    /// The project that builds it, with the events of `inputs` in front of its test bench's and checked against the
    /// framework's results of `expected`, each `[NAME=]FILE`.
    ///
    /// # Errors
    /// Those of [`reference::events`] and [`reference::compare`]; results for outputs that are rounded otherwise.
    pub fn project(self, inputs: &[String], expected: &[String]) -> Result<NetworkProject> {
        if self.has_rounded_outputs && !expected.is_empty() {
            let message = "the framework's results are not those of outputs that are rounded with --output-format";
            return Err(Failure::user(Diagnostic::error("expected", message).help("leave one of the two away")));
        }
        let Imported { graph, traced_adders, .. } = self.network;
        let events = reference::events(inputs, &graph)?;
        let mut checks = self.checks;
        checks.extend(reference::compare(expected, &graph, &events)?);
        let project = NetworkProject::new("build", "network", graph);
        Ok(NetworkProject { parameters: self.parameters, checks, events, traced_adders, ..project })
    }
}

/// What a network consists of, and where the framework's own sums are not exact, as JSON.
pub fn inspection(network: &Imported) -> Json {
    let doubts = network.doubts.iter().map(|d| json!({"layer": d.layer, "steps": d.steps, "of": d.of}));
    let mut all = serde_json::to_value(network.graph.inspect()).expect("plain data");
    all["doubts"] = doubts.collect();
    all
}
