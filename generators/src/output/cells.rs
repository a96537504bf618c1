//! The cell of a library that stands behind the full adders of emitted Verilog.

use constraints::Target;
use constraints::target::{AdderCell, Technology};
use hdl::lower::FULL_ADDER;

use super::folder::Staging;
use crate::failure::Result;

/// Writes the module of the full adder anew if the target's library has a cell for it: synthesis, which defines
/// `SYNTHESIS`, takes the cell as it is, simulators see what it does.
pub fn write_full_adder(staging: &Staging, target: &Target) -> Result<()> {
    let Technology::Asic { library, .. } = &target.technology else {
        return Ok(());
    };
    match &library.full_adder {
        Some(adder) => staging.write(&format!("{FULL_ADDER}.v"), module(adder)),
        None => Ok(()),
    }
}

fn module(adder: &AdderCell) -> String {
    let pins = adder.inputs.iter().zip(["A", "B", "C"]);
    let pins = pins.chain(adder.outputs.iter().zip(["Y", "X"]));
    let pins: Vec<String> = pins.map(|(pin, net)| format!(".{pin}({net})")).collect();
    format!(
        "module {FULL_ADDER} (
  input  wire A,
  input  wire B,
  input  wire C,
  output wire X,
  output wire Y
);
`ifdef SYNTHESIS
  {} adder ({});
`else
  assign X = (A & B) | (C & (A ^ B));
  assign Y = A ^ B ^ C;
`endif
endmodule
",
        adder.cell,
        pins.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cell_stands_for_synthesis_only() {
        let Technology::Asic { library, .. } = Target::load("lp65").unwrap().technology else {
            panic!("lp65 is a cell library")
        };
        let text = module(&library.full_adder.unwrap());
        let (before, after) = text.split_once("`else").unwrap();
        assert!(before.contains("FA_X1 adder (.A(A), .B(B), .CI(C), .S(Y), .CO(X));"));
        assert!(!after.contains("FA_X1"));
    }
}
