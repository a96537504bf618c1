//! Targets as data: for which cells or which FPGA a design is made, how these are obtained, and what operators cost.
//!
//! Every file in `targets/` is one target; they are part of the program. A file may build on another by `base`, from
//! which it takes the library, the corner and the model, and may scale the model to another process.

mod cost;
mod file;
mod model;
mod text;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use hdl::verilog::CarryCell;
use serde::{Deserialize, Serialize};

pub use cost::{Cost, Operation};
pub use model::{AsicModel, Basis, Figure, FpgaModel, OperatingPoint, Operator, Scaling};
pub use text::model_text;

/// The target files, by name.
const FILES: [(&str, &str); 11] = [
    ("custom", include_str!("../../targets/custom.toml")),
    ("ecp5-45k", include_str!("../../targets/ecp5-45k.toml")),
    ("ecp5-85k", include_str!("../../targets/ecp5-85k.toml")),
    ("generic", include_str!("../../targets/generic.toml")),
    ("ice40-hx8k", include_str!("../../targets/ice40-hx8k.toml")),
    ("lp65", include_str!("../../targets/lp65.toml")),
    ("nangate45", include_str!("../../targets/nangate45.toml")),
    ("osu018", include_str!("../../targets/osu018.toml")),
    ("sky130", include_str!("../../targets/sky130.toml")),
    ("xc7", include_str!("../../targets/xc7.toml")),
    ("xcup", include_str!("../../targets/xcup.toml")),
];

/// The target of a design that names none.
pub const DEFAULT: &str = "lp65";

/// A file of a library, below the root of the package that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibraryFile {
    /// Relative path.
    pub path: String,
    /// SHA-256 of the content, 64 hexadecimal digits.
    pub sha256: String,
}

/// How a library is obtained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "manager", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// From the Python package index.
    Pip {
        /// Name of the package.
        package: String,
        /// Exact version.
        version: String,
    },
    /// From a Debian archive; used where it is if it is installed.
    Apt {
        /// Name of the package.
        package: String,
        /// Version that was tried; others are taken if the files are the same.
        version: String,
    },
    /// The user gives a Liberty file.
    User {
        /// Where people get it.
        hint: String,
    },
    /// There is none: the target only serves to plan.
    None,
}

/// The library's full adder, for Verilog that instantiates it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdderCell {
    /// Name of the cell.
    pub cell: String,
    /// Pins of the addends, the fastest to the carry last.
    pub inputs: [String; 3],
    /// Pins of sum and carry.
    pub outputs: [String; 2],
}

/// An inverter of the library that drives four full adders, for Verilog that instantiates it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InverterCell {
    /// Name of the cell.
    pub cell: String,
    /// Its input pin.
    pub input: String,
    /// Its output pin.
    pub output: String,
    /// Area as a multiple of that of the model's inverter.
    pub relative_area: f64,
}

/// A cell library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellLibrary {
    /// What it is called.
    pub name: String,
    /// How it is obtained.
    pub source: Source,
    /// Timing, power and functions.
    pub liberty: Option<LibraryFile>,
    /// Simulation models.
    pub verilog: Option<LibraryFile>,
    /// Abstract layouts of the cells.
    pub lef: Option<LibraryFile>,
    /// Rules of the metal layers.
    pub technology_lef: Option<LibraryFile>,
    /// Layouts of the cells.
    pub gds: Option<LibraryFile>,
    /// The full adder, where it is known without the Liberty file.
    pub full_adder: Option<AdderCell>,
    /// The inverter between a net and the many full adders that read it.
    pub inverter: Option<InverterCell>,
}

impl CellLibrary {
    /// The files that it has, with what they are.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &LibraryFile)> {
        [
            ("liberty", &self.liberty),
            ("verilog", &self.verilog),
            ("lef", &self.lef),
            ("technology_lef", &self.technology_lef),
            ("gds", &self.gds),
        ]
        .into_iter()
        .filter_map(|(what, file)| Some((what, file.as_ref()?)))
    }
}

/// Where a library was characterised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corner {
    /// Name of the process corner.
    pub process: String,
    /// In volts.
    pub voltage: f64,
    /// In degrees Celsius.
    pub temperature: f64,
}

/// An FPGA family and the open tools for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// What it is called.
    pub name: String,
    /// The Yosys command that maps to it, with its switches, without `-top`.
    pub synthesis: String,
    /// The nextpnr program for it, with the switches that choose the part; `None` if only the vendor can place it.
    pub place_and_route: Option<Vec<String>>,
    /// Where that program comes from.
    pub tool: Option<Source>,
    /// The Python wheel that holds it, named as the index names it.
    pub wheel: Option<LibraryFile>,
}

/// A part of a family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Ordering code as the vendor's tool takes it.
    pub name: String,
    /// Look-up tables.
    pub luts: u32,
    /// Flip-flops.
    pub flip_flops: u32,
    /// Hard multipliers.
    pub multipliers: u32,
    /// Block memory in kilobits.
    pub memory_kbit: u32,
}

/// What a target is made of.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // a program holds a handful of targets
pub enum Technology {
    /// Standard cells.
    Asic {
        /// The cells that designs are mapped to.
        library: CellLibrary,
        /// Where they were characterised.
        corner: Corner,
        /// How figures of the library become figures of the target; the model is scaled already.
        scaling: Option<Scaling>,
        /// What operators cost.
        model: AsicModel,
    },
    /// Look-up tables and carry chains.
    Fpga {
        /// The family and its tools.
        family: Family,
        /// Parts, the default first; never empty.
        parts: Vec<Part>,
        /// What operators cost.
        model: FpgaModel,
    },
}

/// A target.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What the user calls it.
    pub name: String,
    /// One or two sentences.
    pub description: String,
    /// The target whose library, corner or model it takes, if any.
    pub base: Option<String>,
    /// What it is made of.
    pub technology: Technology,
}

impl Target {
    /// Names of all targets, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// All targets, sorted by name.
    ///
    /// # Errors
    /// As [`Target::load`]; a test keeps it from happening.
    pub fn all() -> Result<Vec<Self>, Diagnostics> {
        Self::names().map(Self::load).collect()
    }

    /// The target of that name.
    ///
    /// # Errors
    /// `target-unknown`, with the known names.
    pub fn load(name: &str) -> Result<Self, Diagnostics> {
        Self::parse(Self::text(name)?)
    }

    /// The file of the target of that name, as it ships.
    ///
    /// # Errors
    /// `target-unknown`, with the known names.
    pub fn text(name: &str) -> Result<&'static str, Diagnostics> {
        FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text).ok_or_else(|| {
            let known: Vec<_> = Self::names().collect();
            Diagnostic::error("target-unknown", format!("no target is called {}", quoted(name)))
                .help(format!("known targets: {}", known.join(", ")))
                .into()
        })
    }

    /// Reads the text of a target file.
    ///
    /// # Errors
    /// `target-file` with the field and what it must be.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        file::parse(text)
    }

    /// The carry cell with which three-operand adders are made, if the target has them.
    pub fn carry_cell(&self) -> Option<CarryCell> {
        match &self.technology {
            Technology::Asic { .. } => None,
            Technology::Fpga { model, .. } => model.carry_cell,
        }
    }

    /// The parts of an FPGA family; none for cell libraries.
    pub fn parts(&self) -> &[Part] {
        match &self.technology {
            Technology::Asic { .. } => &[],
            Technology::Fpga { parts, .. } => parts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_is_valid_sorted_and_named_as_listed() {
        let targets = Target::all().unwrap();
        let names: Vec<_> = targets.iter().map(|t| t.name.as_str()).collect();
        assert_eq!(names, Target::names().collect::<Vec<_>>());
        assert!(names.is_sorted() && names.contains(&DEFAULT));
        let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/targets"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<_> = names.iter().map(|n| format!("{n}.toml")).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn an_unknown_carry_cell_is_an_error() {
        let text = Target::text("xcup").unwrap();
        assert_eq!(Target::parse(text).unwrap().carry_cell(), Some(CarryCell::Carry8));
        let error = Target::parse(&text.replace("CARRY8\"", "CARRY9\"")).unwrap_err();
        assert!(error.to_string().contains("CARRY9"), "{error}");
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = Target::load("lp66").unwrap_err().to_string();
        assert!(error.contains("`lp66`") && error.contains("lp65, nangate45"), "{error}");
    }

    #[test]
    fn lp65_is_nangate45_scaled() {
        let of = |name| match Target::load(name).unwrap().technology {
            Technology::Asic { library, model, .. } => (library, model),
            Technology::Fpga { .. } => panic!("{name} is no FPGA"),
        };
        let (base, scaled) = (of("nangate45"), of("lp65"));
        assert_eq!(base.0, scaled.0);
        assert_eq!(scaled.1.basis, Basis::Scaled);
        assert!((scaled.1.inverter.delay_ps / base.1.inverter.delay_ps - 1.6).abs() < 1e-9);
        assert_eq!(scaled.1.nand2.leakage_nw, base.1.nand2.leakage_nw);
    }

    #[test]
    fn a_model_prints_as_it_parses() {
        let Technology::Asic { model, .. } = Target::load("osu018").unwrap().technology else {
            panic!("osu018 is a cell library")
        };
        let text = Target::text("osu018").unwrap();
        assert!(text.ends_with(&model_text(&model)), "{}", model_text(&model));
    }
}
