//! The module [`ADD3`](crate::lower::ADD3) out of an FPGA's own cells, for tools that do not find it in `a + b + c`.

use std::fmt;

/// The macro under which [`ADD3`](crate::lower::ADD3) is made of the cells of AMD's parts; without it, it is a sum that any
/// tool can take, and that simulators run fast.
pub const AMD_CELLS: &str = "HWGEN_AMD_CELLS";

/// A family's cell of its carry chain; all go with the dual-output look-up table LUT6_2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarryCell {
    /// Four bits, 7-series.
    Carry4,
    /// Eight bits, UltraScale and UltraScale+.
    Carry8,
}

impl CarryCell {
    /// The cell that a vendor calls so.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Carry4, Self::Carry8].into_iter().find(|cell| cell.to_string() == name)
    }

    /// Verilog of [`ADD3`](crate::lower::ADD3): a sum, and under [`AMD_CELLS`] cells, with models of them for simulators.
    pub fn add3(self) -> String {
        let (bits, entry, first, chain) = match self {
            Self::Carry4 => (
                4,
                "  input  wire CI,\n  input  wire CYINIT,",
                "CI | CYINIT",
                ".CI(i == 0 ? 1'b0 : carry[4*i]), .CYINIT(i == 0 ? carry[0] : 1'b0)",
            ),
            Self::Carry8 => (8, "  input  wire CI,\n  input  wire CI_TOP,", "CI", ".CI(carry[8*i]), .CI_TOP(1'b0)"),
        };
        let carry = format!(
            "      {self} cell_i (\n        {chain}, .DI(majority[{bits}*i+:{bits}]), .S(parity[{bits}*i+:{bits}]),\n        \
             .O(sum[{bits}*i+:{bits}]), .CO(carry[{bits}*i+1+:{bits}])\n      );"
        );
        include_str!("add3.v")
            .replace("@MACRO@", AMD_CELLS)
            .replace("@BITS@", &bits.to_string())
            .replace("@CELL@", &self.to_string())
            .replace("@ENTRY@", entry)
            .replace("@FIRST@", first)
            .replace("@CARRY@", &carry)
    }
}

impl fmt::Display for CarryCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Carry4 => "CARRY4",
            Self::Carry8 => "CARRY8",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_to_fill_in() {
        for cell in [CarryCell::Carry4, CarryCell::Carry8] {
            assert_eq!(CarryCell::named(&cell.to_string()), Some(cell));
            assert!(!cell.add3().contains('@'));
        }
        assert_eq!(CarryCell::named("CARRY16"), None);
    }
}
