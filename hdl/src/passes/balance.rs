//! Lets all timed outputs come in one cycle.

use super::clean::lost;
use crate::dfg::{Module, Rewriter, Stamp};
use crate::diag::Diagnostics;

/// `module` with every timed output in the cycle of the latest one; the earlier wait in shared delay registers.
///
/// # Errors
/// None but an internal one.
pub fn balance(module: &Module) -> Result<Module, Diagnostics> {
    let mut rewriter = Rewriter::new(module);
    for n in module.graph.nodes() {
        let new = rewriter.copy(n).map_err(|error| lost(module, n, error))?;
        rewriter.set(n, new);
    }
    rewriter.set_outputs_at(Stamp::at(module.latency()));
    Ok(rewriter.finish())
}
