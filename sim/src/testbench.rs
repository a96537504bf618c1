//! Self-checking test benches in Verilog-2001.
//!
//! The bench makes its own clock, resets the module, plays the preamble, streams one sample a cycle and compares
//! every bit of every output in its stated cycle, just before the clock edge, so that an unknown bit or a value that
//! is a cycle early or late is a mismatch. Its last line is `PASS <n> vectors, latency <L>` or `FAIL <n> mismatches`.
//!
//! It reads [`INPUTS`], [`EXPECTED`] and [`PREAMBLE`] from the folder [`FOLDER`], or from the one that the plusarg
//! `+vectors=` names; `+waves=` names a file for a value change dump. The parameter `VECTORS` is the number of
//! samples.

use std::fmt::Write;

use hdl::dfg::{Module, Port};
use hdl::diag::Diagnostics;
use hdl::num::Format;

use crate::preamble::{Preamble, Resolved};
use crate::vectors::{Held, Vectors, Word, idle};

/// Where the bench looks for its files.
pub const FOLDER: &str = "vectors";
/// One word a sample: the streamed input ports in the module's order, the first at the least significant end.
pub const INPUTS: &str = "inputs.hex";
/// One word a sample: the checked output ports, packed alike.
pub const EXPECTED: &str = "expected.hex";
/// One word a cycle: driven ports, then ports that are looked at, then a bit that says whether to look.
pub const PREAMBLE: &str = "preamble.hex";

/// A test bench and what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// The module `<top>_tb`.
    pub verilog: String,
    /// Text of [`INPUTS`].
    pub inputs: String,
    /// Text of [`EXPECTED`].
    pub expected: String,
    /// Text of [`PREAMBLE`], if there is one.
    pub preamble: Option<String>,
}

/// The bench that streams `vectors` through `module`, after `preamble`, with the other ports at `held`.
///
/// # Errors
/// Vectors, held values or a preamble that do not fit the module.
pub fn bench(
    module: &Module,
    vectors: &Vectors,
    held: &Held,
    preamble: Option<&Preamble>,
) -> Result<Bench, Diagnostics> {
    vectors.input_rows(module, held)?;
    let layout = Layout::of(module, vectors);
    let resolved = preamble.map(|p| p.resolve(module).map(|ports| (p, ports))).transpose()?;
    let writer = Writer { module, layout: &layout, held, preamble: resolved.as_ref() };
    Ok(Bench {
        verilog: writer.text(vectors.len()),
        inputs: layout.inputs.iter().map(|f| f.port).collect::<Columns>().hex(|n| &vectors.inputs[n], vectors.len()),
        expected: layout.outputs.iter().map(|f| f.port).collect::<Columns>().hex(|n| &vectors.outputs[n], vectors.len()),
        preamble: resolved.as_ref().map(|(p, ports)| preamble_hex(p, ports)),
    })
}
