//! How the adders of a netlist become cells of a library, as a Yosys techmap file.

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::check_identifier;

use super::{CellMatch, Library, Role};

/// A techmap file that turns `hwgen_full_adder` (sum `Y` and carry `X` of `A`, `B`, `C`) into the library's full adder,
/// or into gates if an operand is constant or the library has no such cell.
///
/// An adder with a constant operand is left to ABC, which knows half adders as gates: with the half adder cells of
/// osu018 in their places a reduced encoder took 844,000 µm² instead of 796,000.
///
/// # Errors
/// `liberty-cells` if a name in the library is no plain identifier.
pub fn adder_cells(library: &Library) -> Result<String, Diagnostics> {
    let full = full_adder(library)?;
    Ok(format!(
        "(* techmap_celltype = \"hwgen_full_adder\" *)
module hwgen_full_adder_cells (A, B, C, X, Y);
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  parameter _TECHMAP_CONSTMSK_C_ = 0;
  input A, B, C;
  output X, Y;
  generate
    if (_TECHMAP_CONSTMSK_A_ || _TECHMAP_CONSTMSK_B_ || _TECHMAP_CONSTMSK_C_) begin
{GATES}    end else begin
{full}    end
  endgenerate
endmodule
"
    ))
}

/// A full adder as gates.
const GATES: &str = "      assign X = (A & B) | (C & (A | B));\n      assign Y = A ^ B ^ C;\n";

/// The statements of a full adder.
fn full_adder(library: &Library) -> Result<String, Diagnostics> {
    let Some(cell) = library.find(Role::FullAdder) else {
        return Ok(GATES.to_owned());
    };
    check_names(library, &cell)?;
    let inputs = cell.inputs.iter().zip(["A", "B", "C"]);
    let pins: Vec<String> =
        inputs.chain(cell.outputs.iter().zip(["Y", "X"])).map(|(pin, net)| format!(".{pin}({net})")).collect();
    Ok(format!("      {} full ({});\n", cell.cell, pins.join(", ")))
}

/// Names of a library go into scripts, so they must be plain.
fn check_names(library: &Library, cell: &CellMatch) -> Result<(), Diagnostics> {
    let names = [&cell.cell].into_iter().chain(&cell.inputs).chain(&cell.outputs);
    for name in names {
        check_identifier(name).map_err(|why| {
            let name = hdl::names::quoted(name);
            let message = format!("library {}: name {name} cannot be used: {why}", library.name);
            Diagnostics::from(Diagnostic::error("liberty-cells", message))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adders_take_the_cells_that_there_are() {
        let adder = "cell (ADD) { area : 7; pin(P) { direction : input; } pin(Q) { direction : input; } \
                     pin(R) { direction : input; } pin(S) { direction : output; function : \"P^Q^R\"; } \
                     pin(T) { direction : output; function : \"(P Q)+(Q R)+(R P)\"; } }";
        let library = Library::parse(&format!("library(l) {{ {adder} }}")).unwrap();
        let map = adder_cells(&library).unwrap();
        assert!(map.contains("ADD full (.P(A), .Q(B), .R(C), .S(Y), .T(X));"), "{map}");
        let hostile = adder.replace("(ADD)", "(\"A); $finish; //\")");
        let library = Library::parse(&format!("library(l) {{ {hostile} }}")).unwrap();
        assert!(adder_cells(&library).is_err());
    }
}
