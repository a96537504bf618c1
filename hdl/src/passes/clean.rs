//! Takes away what no output depends on.

use crate::dfg::{Live, Module, Rewriter};
use crate::diag::{Diagnostic, Diagnostics};

/// `module` without dead nodes, registers, register files, instances, register styles and tables.
///
/// A register that only feeds itself is dead. An instance that holds a black box stays, since that may act on the world
/// outside.
///
/// # Errors
/// None but an internal one.
pub fn clean(module: &Module) -> Result<Module, Diagnostics> {
    let live = Live::of(module);
    let mut rewriter = Rewriter::keeping(module, &live);
    for n in module.graph.nodes().filter(|n| live.nodes[n.index()]) {
        let new = rewriter.copy(n).map_err(|error| lost(module, n, error))?;
        rewriter.set(n, new);
    }
    Ok(rewriter.finish())
}

/// The internal error of a node that was legal before it was rewritten.
pub(super) fn lost(module: &Module, n: crate::dfg::NodeId, error: crate::dfg::GraphError) -> Diagnostics {
    let message = format!("a legal node cannot be made again: {error}");
    Diagnostic::bug("rewrite", message).label(module.place_of(n), "made here").into()
}
