//! The cells of a library that stand behind the full adders and inverters of emitted Verilog.

use constraints::Target;
use constraints::targets::{AdderCell, InverterCell, Technology};
use hdl::lower::{FULL_ADDER, INVERTER};

use super::staging::Staging;
use crate::failure::Result;

/// The macro under which the modules of full adder and inverter are cells of a library: `HWGEN_CELLS_` and the target.
fn cells_macro(target: &Target) -> String {
    let letters = target.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    String::from("HWGEN_CELLS_") + &letters.collect::<String>()
}

/// Writes the modules of full adder and inverter anew where the design has them and the target's library has a cell for
/// them: gates, which every tool has, or the cell where [`cells_macro`] is defined.
pub fn write_cells(staging: &Staging, target: &Target) -> Result<()> {
    let Technology::Asic { library, .. } = &target.technology else {
        return Ok(());
    };
    let own = cells_macro(target);
    let modules = [
        (FULL_ADDER, library.full_adder.as_ref().map(|cell| full_adder(cell, &own))),
        (INVERTER, library.inverter.as_ref().map(|cell| inverter(cell, &own))),
    ];
    for (name, module) in modules {
        let file = format!("{name}.v");
        if let Some(module) = module.filter(|_| staging.path().join(&file).exists()) {
            staging.write(&file, module)?;
        }
    }
    Ok(())
}

fn full_adder(adder: &AdderCell, own: &str) -> String {
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
`ifdef {own}
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

fn inverter(InverterCell { cell, input, output, .. }: &InverterCell, own: &str) -> String {
    format!(
        "module {INVERTER} (
  input  wire A,
  output wire Y
);
`ifdef {own}
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
    fn the_cell_stands_under_its_macro_only() {
        let target = Target::load("lp65").unwrap();
        let own = cells_macro(&target);
        let Technology::Asic { library, .. } = target.technology else { panic!("lp65 is a cell library") };
        let text = inverter(&library.inverter.unwrap(), &own);
        let (before, after) = text.split_once("`else").unwrap();
        assert!(before.contains("`ifdef HWGEN_CELLS_LP65"));
        assert!(before.contains("INV_X2 inverter (.A(A), .ZN(Y));"));
        assert!(!after.contains("INV_X2"));
        let text = full_adder(&library.full_adder.unwrap(), &own);
        let (before, after) = text.split_once("`else").unwrap();
        assert!(before.contains("FA_X1 adder (.A(A), .B(B), .CI(C), .S(Y), .CO(X));"));
        assert!(!after.contains("FA_X1"));
    }
}
