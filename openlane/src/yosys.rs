//! Mapping to cells or to an FPGA's primitives with Yosys.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::lower::FULL_ADDER;
use hdl::verilog::AMD_CELLS;

use sim::tools::Meter;

use crate::buffers::Buffers;
use crate::quote::{self, identifier};
use crate::{ADDER_CELLS, FRONT, LIBERTY, NETLIST, Program};
use sim::netlist::json;
use sim::primitives::Primitives;

/// Adders as rows of `hwgen_full_adder`.
pub const ADDERS: &str = include_str!("techmap/adders.v");
/// Name of the file with [`ADDERS`].
pub const ADDERS_FILE: &str = "adders.v";
/// Additions of an FPGA as carry chains, one each.
pub const CARRY_CHAINS: &str = include_str!("techmap/carry_chains.v");
/// Name of the file with [`CARRY_CHAINS`].
pub const CARRY_CHAINS_FILE: &str = "carry_chains.v";
/// Name of the script.
pub const SCRIPT: &str = "map.ys";
/// Name of the script that writes the netlist of a cell library, with its buffers.
pub const WRITE_SCRIPT: &str = "write.ys";
/// What [`SCRIPT`] maps to a cell library, before it is buffered.
pub const MAPPED: &str = "mapped.json";

/// How many inputs one gate drives before buffers are put in.
const FAN_OUT: u32 = 16;

/// Writes [`FRONT`] from what an FPGA's script has made so far, and goes on from there: gates, and registers that do
/// nothing but load, or load where they are enabled. Nothing is simplified, since the proof is cut at sums: they must be
/// what the gates behind them read.
fn family_front() -> String {
    format!(
        "design -save words\ntechmap\nsimplemap\nsetundef -zero\n\
         dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01 -cell $_DFF_PP?_ 01\nopt_clean\n\
         write_verilog -noattr -noexpr {FRONT}\ndesign -load words\n"
    )
}

/// Cells and area of a netlist.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapped {
    /// How many cells there are of each type.
    pub cells: BTreeMap<String, usize>,
    /// Area in the library's unit, µm²; none for an FPGA.
    pub area_um2: Option<f64>,
}

/// How long ABC may think about the gates between adders and registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// It maps what it is given: three times as fast, 2 % larger.
    Fast,
    /// It looks for other structures first (`dch`).
    Full,
}

impl Effort {
    /// ABC's script, as Yosys takes it. ABC's default script for libraries neither buffers nor sizes: nets with 500
    /// sinks made a design of 12,000 cells miss its clock by 45 ns that meets it by 10 ns so.
    fn script(self, clock_ps: u64) -> String {
        let choices = match self {
            Self::Fast => "",
            Self::Full => "dch;",
        };
        format!("+strash;{choices}map,-B,0.9;topo;buffer,-c,-N,{FAN_OUT};upsize,-D,{clock_ps};dnsize,-D,{clock_ps}")
    }
}

/// What [`cell_script`] maps to.
#[derive(Debug, Clone, Copy)]
pub struct Mapping<'a> {
    /// The clock, which ABC sizes gates for.
    pub clock_ps: u64,
    /// ABC's script.
    pub effort: Effort,
    /// Cell and pin of the library's constants zero and one.
    pub ties: Option<[(&'a str, &'a str); 2]>,
}

/// What is mapped.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The top module.
    pub top: &'a str,
    /// Verilog files.
    pub files: &'a [String],
    /// Modules that are mapped by themselves, once each, however many copies there are; all others are flattened.
    pub kept: &'a [String],
}

/// The script that writes [`FRONT`], the design as gates, full adders and registers.
///
/// # Errors
/// `script-name` for a name that cannot stand in a script.
pub fn front_script(sources: &Sources<'_>) -> Result<String, Diagnostics> {
    let mut text = front(sources)?;
    // constants come to light when rows have been split, so that adders become cells only after `opt`; what a table leaves
    // open is settled here, since neither ABC's proof nor a netlist knows unknown levels
    let _ = writeln!(
        text,
        "techmap -map {ADDERS_FILE}\ntechmap\nopt -fast -mux_undef\nsetundef -zero\nopt -fast\n\
         dfflibmap -prepare -liberty {LIBERTY}\ntechmap\nsplitnets -format __\n\
         opt_clean -purge\nrename -enumerate -pattern register_%_ t:$_*FF*\nrename -enumerate -pattern adder_%_ t:{}\n\
         write_verilog -noattr -noexpr -simple-lhs {FRONT}",
        FULL_ADDER
    );
    Ok(text)
}

/// The script that writes the netlist in `file`, Verilog or Yosys's JSON by its ending, as [`NETLIST`].
///
/// # Errors
/// As [`front_script`].
pub fn given_script(file: &str, top: &str) -> Result<String, Diagnostics> {
    let read = if file.ends_with(".json") { "read_json" } else { "read_verilog" };
    // Yosys's JSON may hold the cells' ports too
    Ok(format!(
        "{read} {}\nread_liberty -lib -nooverwrite -ignore_miss_func -ignore_miss_dir {LIBERTY}\nhierarchy -check -top {}\n\
         write_verilog -noattr -noexpr -simple-lhs {NETLIST}\n",
        quote::yosys(file)?,
        identifier(top)?
    ))
}

/// The script that maps `sources` to the library's cells.
///
/// Everything that removes or merges registers runs before [`FRONT`] is written; from there on they keep their names,
/// by which the proof matches them.
///
/// # Errors
/// As [`front_script`].
pub fn cell_script(sources: &Sources<'_>, mapping: &Mapping<'_>) -> Result<String, Diagnostics> {
    let mut text = front_script(sources)?;
    let script = mapping.effort.script(mapping.clock_ps);
    let _ = writeln!(
        text,
        "techmap -map {ADDER_CELLS}\ntechmap\nopt_expr\nopt_clean -purge\ndfflibmap -map-only -liberty {LIBERTY}\n\
         abc -liberty {LIBERTY} -script {script}"
    );
    if let Some([(zero, zero_pin), (one, one_pin)]) = mapping.ties {
        [zero, zero_pin, one, one_pin].into_iter().try_for_each(|name| identifier(name).map(drop))?;
        let _ = writeln!(text, "hilomap -singleton -locell {zero} {zero_pin} -hicell {one} {one_pin}");
    }
    let _ = writeln!(
        text,
        "opt_clean -purge\nread_liberty -lib -ignore_miss_func -ignore_miss_dir {LIBERTY}\nwrite_json {MAPPED}"
    );
    Ok(text)
}

/// The script that writes [`NETLIST`] and its statistics once it is buffered.
pub fn write_script() -> String {
    format!(
        "read_json {}\ntee -o stat.txt stat -liberty {LIBERTY}\nwrite_verilog -noattr -noexpr -simple-lhs {NETLIST}\n",
        json::FILE
    )
}

/// The script that maps `sources` with the family's `synthesis` command.
///
/// # Errors
/// As [`cell_script`].
pub fn family_script(sources: &Sources<'_>, synthesis: &str) -> Result<String, Diagnostics> {
    let mut text = String::new();
    for file in sources.files {
        let file = quote::yosys(file)?;
        let _ = match Primitives::of(synthesis) {
            Some(Primitives::Amd) => writeln!(text, "read_verilog -D {AMD_CELLS} {file}"),
            _ => writeln!(text, "read_verilog {file}"),
        };
    }
    text += &keep(sources)?;
    let command = format!("{synthesis} -top {}", identifier(sources.top)?);
    let mut start = "begin";
    if splits_carry_chains(sources, synthesis) {
        let _ = writeln!(text, "{command} -run {start}:coarse\ntechmap -map {CARRY_CHAINS_FILE}");
        start = "coarse";
    }
    // memories are registers by then, adders are still words; what the rest begins with may remove registers
    let (words, first) = match Primitives::of(synthesis) {
        Some(Primitives::Amd) => ("fine", "opt -full\n"),
        _ => ("map_gates", ""),
    };
    let _ = writeln!(text, "{command} -run {start}:{words}\n{first}{}{command} -run {words}:", family_front());
    let _ = writeln!(text, "tee -o stat.txt stat\nwrite_verilog -noattr {NETLIST}\nwrite_json {}", json::FILE);
    Ok(text)
}

/// Whether the script uses [`CARRY_CHAINS`]: for AMD's families where modules are kept. A flattened network out of
/// three-operand adders has nothing to merge, and takes 0.6 % more inverters with them.
pub fn splits_carry_chains(sources: &Sources<'_>, synthesis: &str) -> bool {
    synthesis.starts_with("synth_xilinx") && !sources.kept.is_empty()
}

/// The file's name without its ending.
fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".v").unwrap_or(name)
}

/// Marks the modules that `flatten` leaves alone.
fn keep(sources: &Sources<'_>) -> Result<String, Diagnostics> {
    let kept = sources.kept.iter();
    kept.map(|module| Ok(format!("setattr -mod -set keep_hierarchy 1 {}\n", identifier(module)?))).collect()
}

/// A full adder that the sources instantiate stays a cell, as one that an adder is split into; inverters are logic, since
/// ABC buffers and sizes what it maps.
fn front(sources: &Sources<'_>) -> Result<String, Diagnostics> {
    let mut text = String::new();
    for file in sources.files {
        let how = match stem(file) {
            FULL_ADDER => "-lib ",
            _ => "",
        };
        let _ = writeln!(text, "read_verilog {how}{}", quote::yosys(file)?);
    }
    text += &keep(sources)?;
    let _ = writeln!(
        text,
        "hierarchy -check -top {}\nproc -norom\nflatten\nmemory\nopt -fine\nwreduce\nalumacc\nmaccmap\nopt -fine",
        identifier(sources.top)?
    );
    Ok(text)
}

/// Runs [`SCRIPT`] of an FPGA's family in `folder`.
///
/// # Errors
/// Those of running Yosys; `tool-output` if its statistics are not understood.
pub fn map(folder: &Path, meter: &Meter) -> Result<Mapped, Diagnostics> {
    Program::Yosys.run(folder, &["-q", "-l", "map.log", "-s", SCRIPT], meter)?;
    statistics(folder)
}

/// Runs [`SCRIPT`] of a cell library in `folder`, puts buffers into `modules`, each of which stands behind those that it
/// instantiates, and runs [`WRITE_SCRIPT`]. Gives the netlist's statistics and the number of buffers.
///
/// # Errors
/// Those of running Yosys; `tool-output` if its netlist or its statistics are not understood; `file` if the buffered
/// netlist cannot be written.
pub fn map_cells<'m>(
    folder: &Path,
    modules: impl Iterator<Item = &'m str>,
    buffers: Option<&Buffers>,
    meter: &Meter,
) -> Result<(Mapped, usize), Diagnostics> {
    Program::Yosys.run(folder, &["-q", "-l", "map.log", "-s", SCRIPT], meter)?;
    let file = |what: &str, e: std::io::Error| -> Diagnostics {
        Diagnostic::error("file", format!("cannot {what} the netlist: {e}")).into()
    };
    let text = std::fs::read_to_string(folder.join(MAPPED)).map_err(|e| file("read", e))?;
    let mut netlist = json::Netlist::parse(&text)?;
    let inserted = buffers.map(|buffers| buffers.insert(&mut netlist, modules));
    netlist.write(&folder.join(json::FILE)).map_err(|e| file("write", e))?;
    Program::Yosys.run(folder, &["-q", "-s", WRITE_SCRIPT], meter)?;
    Ok((statistics(folder)?, inserted.unwrap_or(0)))
}

fn statistics(folder: &Path) -> Result<Mapped, Diagnostics> {
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
    fn a_file_s_name_is_no_command() {
        let hostile = ["rtl/x.v; exec -- touch owned".to_owned()];
        let plain = ["rtl/x.v".to_owned()];
        let scripts = |top, files, kept| {
            let sources = Sources { top, files, kept };
            let mapping = Mapping { clock_ps: 1, effort: Effort::Fast, ties: None };
            [cell_script(&sources, &mapping), family_script(&sources, "synth_ice40")]
        };
        for script in scripts("top", &hostile, &[]).into_iter().chain(scripts("*", &plain, &[])) {
            assert_eq!(script.unwrap_err().0[0].code, "script-name");
        }
        assert!(scripts("top", &plain, &hostile).iter().all(Result::is_err));
        assert!(scripts("top", &plain, &[]).iter().all(Result::is_ok));
    }

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
