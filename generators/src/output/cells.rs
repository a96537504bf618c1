//! The cells of a library that stand behind the full adders and inverters of emitted Verilog.

use constraints::Target;
use constraints::targets::{AdderCell, InverterCell, Technology};
use hdl::lower::{FULL_ADDER, INVERTER};

use super::folder::Staging;
use crate::failure::Result;

/// Writes the modules of full adder and inverter anew where the design has them and the target's library has a cell for
/// them: synthesis, which defines `SYNTHESIS`, takes the cell as it is, simulators see what it does.
pub fn write_cells(staging: &Staging, target: &Target) -> Result<()> {
    let Technology::Asic { library, .. } = &target.technology else {
        return Ok(());
    };
    let modules = [
        (FULL_ADDER, library.full_adder.as_ref().map(full_adder)),
        (INVERTER, library.inverter.as_ref().map(inverter)),
    ];
    for (name, module) in modules {
        let file = format!("{name}.v");
        if let Some(module) = module.filter(|_| staging.path().join(&file).exists()) {
            staging.write(&file, module)?;
        }
    }
    Ok(())
}

fn full_adder(adder: &AdderCell) -> String {
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

fn inverter(InverterCell { cell, input, output, .. }: &InverterCell) -> String {
    format!(
        "module {INVERTER} (
  input  wire A,
  output wire Y
);
`ifdef SYNTHESIS
  {cell} inverter (.{input}(A), .{output}(Y));
`else
  assign Y = ~A;
`endif
endmodule
"
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
        let text = inverter(&library.inverter.unwrap());
        let (before, after) = text.split_once("`else").unwrap();
        assert!(before.contains("INV_X2 inverter (.A(A), .ZN(Y));"));
        assert!(!after.contains("INV_X2"));
        let text = full_adder(&library.full_adder.unwrap());
        let (before, after) = text.split_once("`else").unwrap();
        assert!(before.contains("FA_X1 adder (.A(A), .B(B), .CI(C), .S(Y), .CO(X));"));
        assert!(!after.contains("FA_X1"));
    }
}
