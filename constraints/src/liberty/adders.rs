//! How the adders of a netlist become cells of a library, as a Yosys techmap file.

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::check_identifier;

use super::{CellMatch, Library, Role};

/// A techmap file that turns `hwgen_full_adder` (sum `Y` and carry `X` of `A`, `B`, `C`) into the library's full adder,
/// into its half adder if one operand is the constant zero, or into gates if an operand is known otherwise or the
/// library has no such cell.
///
/// # Errors
/// `liberty-cells` if a name in the library is no plain identifier.
pub fn adder_cells(library: &Library) -> Result<String, Diagnostics> {
    let full = adder(library, Role::FullAdder, "full", &["A", "B", "C"])?;
    let half = |operands| adder(library, Role::HalfAdder, "half", operands);
    let [bc, ac, ab] = [half(&["B", "C"])?, half(&["A", "C"])?, half(&["A", "B"])?];
    Ok(format!(
        "(* techmap_celltype = \"hwgen_full_adder\" *)
module hwgen_full_adder_cells (A, B, C, X, Y);
  parameter _TECHMAP_CONSTMSK_A_ = 0;
  parameter _TECHMAP_CONSTMSK_B_ = 0;
  parameter _TECHMAP_CONSTMSK_C_ = 0;
  parameter _TECHMAP_CONSTVAL_A_ = 0;
  parameter _TECHMAP_CONSTVAL_B_ = 0;
  parameter _TECHMAP_CONSTVAL_C_ = 0;
  input A, B, C;
  output X, Y;
  localparam [2:0] KNOWN = {{_TECHMAP_CONSTMSK_C_[0], _TECHMAP_CONSTMSK_B_[0], _TECHMAP_CONSTMSK_A_[0]}};
  localparam [2:0] ONE = KNOWN & {{_TECHMAP_CONSTVAL_C_[0], _TECHMAP_CONSTVAL_B_[0], _TECHMAP_CONSTVAL_A_[0]}};
  generate
    if (KNOWN == 3'b000) begin
{full}    end else if (KNOWN == 3'b001 && ONE == 3'b000) begin
{bc}    end else if (KNOWN == 3'b010 && ONE == 3'b000) begin
{ac}    end else if (KNOWN == 3'b100 && ONE == 3'b000) begin
{ab}    end else begin
      assign X = (A & B) | (C & (A | B));
      assign Y = A ^ B ^ C;
    end
  endgenerate
endmodule
"
    ))
}

/// The statements that add `operands` to sum `Y` and carry `X`.
fn adder(
    library: &Library,
    role: Role,
    instance: &str,
    operands: &[&str],
) -> Result<String, Diagnostics> {
    let Some(cell) = library.find(role) else {
        let carry = match operands {
            [a, b] => format!("{a} & {b}"),
            _ => "(A & B) | (C & (A | B))".to_owned(),
        };
        let sum = operands.join(" ^ ");
        return Ok(format!("      assign X = {carry};\n      assign Y = {sum};\n"));
    };
    check_names(library, &cell)?;
    let inputs = cell.inputs.iter().zip(operands.iter().copied());
    let pins: Vec<String> = inputs
        .chain(cell.outputs.iter().zip(["Y", "X"]))
        .map(|(pin, net)| format!(".{pin}({net})"))
        .collect();
    Ok(format!(
        "      {} {instance} ({});\n",
        cell.cell,
        pins.join(", ")
    ))
}

/// Names of a library go into scripts, so they must be plain.
fn check_names(library: &Library, cell: &CellMatch) -> Result<(), Diagnostics> {
    let names = [&cell.cell]
        .into_iter()
        .chain(&cell.inputs)
        .chain(&cell.outputs);
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
        assert!(map.contains("assign X = B & C;"), "no half adder: gates\n{map}");
        let hostile = adder.replace("(ADD)", "(\"A); $finish; //\")");
        let library = Library::parse(&format!("library(l) {{ {hostile} }}")).unwrap();
        assert!(adder_cells(&library).is_err());
    }
}
