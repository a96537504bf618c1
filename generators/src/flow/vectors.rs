//! The vectors that a folder is checked with: its own, random ones, or a user's.

use std::collections::BTreeMap;
use std::path::Path;

use hdl::diag::Diagnostic;
use sim::vectors::{Rows, Vectors};

use super::folder::Folder;
use crate::design::Column;
use crate::failure::{Failure, Result};
use crate::import::bounded;
use crate::output::emit::VECTORS_FILE;

/// Where vectors come from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The folder.
    Own,
    /// A user's file, an event a row.
    File(&'a Path),
    /// Random ones, with what the integer model gives.
    Random {
        /// How many.
        count: usize,
        /// Seed of the random numbers.
        seed: u64,
    },
}

impl Folder {
    /// The vectors from `source`, checked against the design: something goes in, and something must come out.
    ///
    /// # Errors
    /// A file that holds none or that do not fit; expected outputs that are missing.
    pub fn vectors(&self, source: &Source<'_>) -> Result<Vectors> {
        let vectors = match *source {
            Source::File(file) => self.events_of(file)?,
            Source::Random { count, seed } => self.design.model().random_vectors(count, seed).map_err(Failure::user)?,
            Source::Own => {
                let path = self.dir().join(VECTORS_FILE);
                let text = bounded::read_text("read the vectors", &path, bounded::OWN)?;
                let vectors: Vectors =
                    serde_json::from_str(&text).map_err(|e| self.not_vectors(&path, &e.to_string()))?;
                vectors.check(&self.top)?;
                if let Some(port) = self.unchecked(&vectors).first() {
                    return Err(self.not_vectors(&path, &format!("there are no expected values of `{port}`")));
                }
                vectors
            }
        };
        vectors.check(&self.top)?;
        Ok(vectors)
    }

    /// Outputs of which the vectors say nothing, so that nothing is checked of them.
    pub fn unchecked(&self, vectors: &Vectors) -> Vec<String> {
        let ports = self.design.model().outputs().into_iter().map(|column| column.port);
        let here = |port: &String| self.top.outputs.iter().any(|p| p.name == *port);
        let expected = |port: &String| vectors.outputs.get(port).is_some_and(|rows| !rows.is_empty());
        ports.filter(|port| here(port) && !expected(port)).collect()
    }

    /// Vectors in a user's file: an event a row under each input's key, expected values under the outputs'.
    fn events_of(&self, path: &Path) -> Result<Vectors> {
        let text = bounded::read_text("read the vectors", path, bounded::OWN)?;
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| self.not_vectors(path, &e.to_string()))?;
        let rows = |key: &str| -> Result<Option<Rows>> {
            let column = json.get(key).cloned().map(|column| match column {
                // one value an event may stand without brackets
                serde_json::Value::Array(items) if items.iter().all(serde_json::Value::is_number) => {
                    items.into_iter().map(|item| serde_json::json!([item])).collect()
                }
                other => other,
            });
            let parsed = column.map(serde_json::from_value).transpose();
            parsed.map_err(|e| self.not_vectors(path, &format!("`{key}`: {e}")))
        };
        let mut inputs = BTreeMap::new();
        for Column { key, port } in self.design.model().inputs() {
            let missing = || self.not_vectors(path, &format!("there is no `{key}`"));
            inputs.insert(port, rows(&key)?.ok_or_else(missing)?);
        }
        let mut outputs = BTreeMap::new();
        for Column { key, port } in self.design.model().outputs() {
            let known = self.top.outputs.iter().any(|p| p.name == port);
            if let Some(column) = rows(&key)?.filter(|_| known) {
                outputs.insert(port, column);
            }
        }
        if outputs.is_empty() {
            return Err(self.not_vectors(path, "there is no output to compare with"));
        }
        let vectors = Vectors { inputs, outputs };
        vectors.check(&self.top).map_err(|d| self.not_vectors(path, &d.messages()))?;
        Ok(vectors)
    }

    fn not_vectors(&self, path: &Path, reason: &str) -> Failure {
        let model = self.design.model();
        let shown: Vec<String> = model
            .inputs()
            .iter()
            .chain(&model.outputs())
            .map(|column| format!("\"{}\": [[integers], …]", column.key))
            .collect();
        let message = format!("these are no vectors for the design: {reason}");
        let error = Diagnostic::error("vectors", message)
            .at(path.display().to_string(), "in this file")
            .help(format!("expected JSON as {{{}}}", shown.join(", ")));
        Failure::user(error)
    }
}
