//! Outputs as plain numbers of a format that the user names.

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use crate::failure::{Failure, Result};
use crate::import::lift::InputFormat;
use crate::model::Graph;
use crate::output::report::Check;

/// Rounds outputs to `formats`, each `[NAME=]u8.4`, and says of each how far it is off at most.
///
/// # Errors
/// What is no format, a name that no output has, and an output that cannot be given so.
pub fn quantise_outputs(graph: &mut Graph, formats: &[String]) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for text in formats {
        let InputFormat { name: port, format } = InputFormat::parse(text).map_err(Failure::user)?;
        let names: Vec<String> = graph.outputs().iter().map(|o| o.name.clone()).collect();
        let wanted = |name: &String| port.as_ref().is_none_or(|n| n == name);
        if !names.iter().any(wanted) {
            let error = Diagnostic::error("output-format", format!("there is no output for {}", quoted(text)));
            return Err(Failure::user(error.help(format!("the outputs are {}", names.join(", ")))));
        }
        for (k, name) in names.iter().enumerate().filter(|(_, name)| wanted(name)) {
            let bound = graph.quantise_output(k, format.range, format.frac).map_err(Failure::user)?;
            let result = format!("at most {bound:.3e} from the framework's number");
            checks.push(Check { what: format!("output {} rounded to {text}", quoted(name)), result });
        }
    }
    Ok(checks)
}
