//! Mapping to cells or to an FPGA's primitives with Yosys.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};

use crate::tools::Meter;

use super::{ADDER_CELLS, FRONT, LIBERTY, NETLIST, Program, owners};

/// Adders as rows of `hwgen_full_adder`.
pub const ADDERS: &str = include_str!("adders.v");
/// Name of the file with [`ADDERS`].
pub const ADDERS_FILE: &str = "adders.v";
/// Name of the script.
pub const SCRIPT: &str = "map.ys";

/// How many inputs one gate drives before buffers are put in.
const FAN_OUT: u32 = 16;

/// Cells and area of a netlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapped {
    /// How many cells there are of each type.
    pub cells: BTreeMap<String, usize>,
    /// Area in the library's unit, µm²; none for an FPGA.
    pub area_um2: Option<f64>,
}

/// The script that maps `sources` to the library's cells for a clock of `clock_ps`.
///
/// `ties` are cell and pin of the library's constants zero and one. ABC's default script for libraries neither buffers
/// nor sizes: nets with 500 sinks made a design of 12,000 cells miss its clock by 45 ns that meets it by 10 ns so.
pub fn cell_script(
    top: &str,
    sources: &[String],
    clock_ps: u64,
    ties: Option<[(&str, &str); 2]>,
) -> String {
    let mut text = front(top, sources);
    // constants come to light when rows have been split, so that adders become cells only after `opt`
    let _ = writeln!(
        text,
        "techmap -map {ADDERS_FILE}\nopt -fast\ntechmap\nopt -fast\nsplitnets -format __\nopt_clean -purge\nwrite_rtlil {FRONT}\n\
         techmap -map {ADDER_CELLS}\nopt -fast\ntechmap\nopt -fast\ndfflibmap -liberty {LIBERTY}"
    );
    let _ = writeln!(
        text,
        "abc -liberty {LIBERTY} -script +strash;dch;map,-B,0.9;topo;buffer,-c,-N,{FAN_OUT};upsize,-D,{clock_ps};dnsize,-D,{clock_ps}"
    );
    if let Some([(zero, zero_pin), (one, one_pin)]) = ties {
        let _ = writeln!(
            text,
            "hilomap -singleton -locell {zero} {zero_pin} -hicell {one} {one_pin}"
        );
    }
    let _ = writeln!(
        text,
        "opt_clean -purge\ntee -o stat.txt stat -liberty {LIBERTY}\nwrite_verilog -noattr -noexpr -simple-lhs {NETLIST}"
    );
    text
}

/// The script that maps `sources` with the family's `synthesis` command.
pub fn family_script(top: &str, sources: &[String], synthesis: &str) -> String {
    let mut text = String::new();
    for source in sources {
        // without `SYNTHESIS` the full adder is logic, not a cell of a library
        let logic = if is_full_adder(source) {
            "-formal "
        } else {
            ""
        };
        let _ = writeln!(text, "read_verilog {logic}{source}");
    }
    let _ = writeln!(
        text,
        "{synthesis} -top {top}\ntee -o stat.txt stat\nwrite_verilog -noattr {NETLIST}\nwrite_json {}",
        owners::FILE
    );
    text
}

fn is_full_adder(source: &str) -> bool {
    source
        .rsplit('/')
        .next()
        .and_then(|name| name.strip_suffix(".v"))
        == Some(hdl::lower::FULL_ADDER)
}

/// A full adder that the sources instantiate stays a cell, as one that an adder is split into.
fn front(top: &str, sources: &[String]) -> String {
    let mut text = String::new();
    for source in sources {
        let kept = if is_full_adder(source) { "-lib " } else { "" };
        let _ = writeln!(text, "read_verilog {kept}{source}");
    }
    let _ = writeln!(
        text,
        "hierarchy -check -top {top}\nproc\nflatten\nopt -fine\nwreduce\nopt_clean\nalumacc\nopt -fine\nmaccmap\nopt -fine"
    );
    text
}

/// Runs [`SCRIPT`] in `folder`.
///
/// # Errors
/// Those of running Yosys; `tool-output` if its statistics are not understood.
pub fn map(folder: &Path, meter: &Meter) -> Result<Mapped, Diagnostics> {
    Program::Yosys.run(folder, &["-q", "-l", "map.log", "-s", SCRIPT], meter)?;
    let stat = std::fs::read_to_string(folder.join("stat.txt")).unwrap_or_default();
    read_statistics(&stat).ok_or_else(|| {
        Diagnostic::error("tool-output", "the statistics of Yosys are not understood")
            .at("stat.txt", "expected a list of cells")
            .into()
    })
}

/// The last table of `stat`: `NAME COUNT` a line after `Number of cells`, then the area.
fn read_statistics(text: &str) -> Option<Mapped> {
    let (_, table) = text.rsplit_once("Number of cells:")?;
    let mut lines = table.lines();
    let total: usize = lines.next()?.trim().parse().ok()?;
    let mut mapped = Mapped::default();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [name, count] => {
                mapped.cells.insert((*name).to_owned(), count.parse().ok()?);
            }
            ["Chip", "area", .., area] => mapped.area_um2 = Some(area.parse().ok()?),
            _ => {}
        }
    }
    (mapped.cells.values().sum::<usize>() == total).then_some(mapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_and_must_add_up() {
        let text = "\n   Number of cells:                  5\n     FAX1                            3\n     \
                    INVX1                           2\n\n   Chip area for module '\\top': 392.000000\n";
        let mapped = read_statistics(text).unwrap();
        assert_eq!(mapped.cells["FAX1"], 3);
        assert_eq!(mapped.area_um2, Some(392.0));
        assert_eq!(read_statistics(&text.replace("  5\n", "  6\n")), None);
        assert_eq!(read_statistics(""), None);
    }
}
