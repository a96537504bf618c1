//! What the trust in a generated design rests on, link by link from the trained network to the mapped netlist.
//!
//! It is the same on every machine: whether a proof ended within its time when the design was generated is none of it, only
//! whether there is one.

use constraints::Target;
use constraints::targets::Technology;
use hdl::dfg::Module;

use super::batch::Outcome;
use super::verify::unprovable;
use crate::arith::Kinds;
use crate::design::Design;
use crate::output::trust::Trust;

/// The links of `design`, whose graph `simulated` was checked in.
pub fn trust(top: &Module, design: &Design, kinds: Kinds, simulated: &Outcome, target: &Target) -> Vec<Trust> {
    let mut all = vec![Trust::trusted(
        "model.json is the network that was meant",
        "hwgen's readers of models and weights; `hwgen build --expected` compares with the framework's own results",
    )];
    if kinds.constants || matches!(design, Design::Matrix(_)) {
        let by = "linear certificate: every adder an identity, their sum the weights; run when this was generated";
        all.push(Trust::proof("sums of products with constants, where they are made of shared adders or cells", by));
    }
    let vectors = format!("{} vectors", simulated.vectors);
    all.push(Trust::simulation(
        "the data-flow graph is model.json",
        vectors.clone(),
        format!("{}, run when this was generated", simulated.engine),
    ));
    let verilog = "the Verilog is model.json";
    all.push(match unprovable(top, design) {
        None => Trust::proof(
            verilog,
            "`hwgen verify` says whether it ends; begun, and its result printed, by the command that wrote this",
        ),
        Some(reason) => Trust::simulation(
            verilog,
            vectors,
            format!("`hwgen sim --engine icarus`, or verilator; no proof: {reason}"),
        ),
    });
    all.push(Trust::proof("a mapped netlist is the Verilog", "`hwgen synth`, step equiv, register by register"));
    all.push(Trust::trusted(
        "the checkers",
        "hwgen's reader of Verilog, prover and simulator; ABC and Yosys's reader for netlists",
    ));
    match &target.technology {
        Technology::Asic { .. } => all.push(Trust::trusted(
            "the library's cells",
            "their functions as the Liberty file says; that the cells under HWGEN_CELLS_… are what their names say",
        )),
        Technology::Fpga { .. } => all.push(Trust::trusted(
            "the family's cells",
            "their models in hwgen and in Yosys; what the vendor's tools make of the Verilog is not seen",
        )),
    }
    all
}
