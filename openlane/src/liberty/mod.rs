//! What hwgen needs from a Liberty file: units, cells with area and leakage, pins with capacitance and function.
//!
//! Of timing tables the entry in the middle is kept; [`electrical`] has all tables. The registry's readers were weighed: `liberty-db` (MIT)
//! brings the whole data model and a minute of compile time for the dozen attributes used here, the others are
//! unmaintained or under the AGPL.

mod adders;
mod cells;
pub mod electrical;
mod function;
mod models;
mod recognise;
mod syntax;
pub mod table;

use std::fs;
use std::path::Path;

use constraints::timing::Units;
use hdl::diag::{Diagnostic, Diagnostics};

pub use adders::adder_cells;
pub use cells::{function, functions};
pub use function::{MAX_INPUTS, truth_table};
pub use models::{Models, models};
pub use recognise::{CellMatch, Role};
use syntax::{Event, Reader};

/// Larger files are refused; the largest public libraries have about 100 MB a corner.
const MAX_BYTES: u64 = 1 << 30;

/// Direction of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Read by the cell.
    Input,
    /// Driven by the cell.
    Output,
    /// Neither, or not stated.
    #[default]
    Other,
}

/// A pin of a cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pin {
    /// Name.
    pub name: String,
    /// Which way it goes.
    pub direction: Direction,
    /// Input capacitance in femtofarads.
    pub capacitance_ff: f64,
    /// What it drives, in Liberty's notation.
    pub function: Option<String>,
    /// Whether it can float.
    pub three_state: bool,
}

/// The `ff` group of a cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlipFlop {
    /// Names of the state and of its complement.
    pub state: [String; 2],
    /// Loads when this expression rises.
    pub clocked_on: String,
    /// What is loaded.
    pub next_state: String,
    /// Clears while true.
    pub clear: Option<String>,
    /// Sets while true.
    pub preset: Option<String>,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// Name.
    pub name: String,
    /// Area in square micrometres.
    pub area_um2: f64,
    /// Leakage averaged over its states, in nanowatts.
    pub leakage_nw: f64,
    /// Delay in picoseconds at middling load and slew, the mean of all arcs, rising and falling; if there are tables.
    pub delay_ps: Option<f64>,
    /// Signal pins, in the file's order.
    pub pins: Vec<Pin>,
    /// Its state if it is a flip-flop.
    pub flip_flop: Option<FlipFlop>,
    /// Whether it is a latch, a clock gate or a scan cell's state table.
    pub other_state: bool,
    /// Whether the library forbids automatic use.
    pub dont_use: bool,
}

impl Cell {
    /// Input pins, in the file's order.
    pub fn inputs(&self) -> impl Iterator<Item = &Pin> {
        self.pins.iter().filter(|p| p.direction == Direction::Input)
    }

    /// Output pins, in the file's order.
    pub fn outputs(&self) -> impl Iterator<Item = &Pin> {
        self.pins.iter().filter(|p| p.direction == Direction::Output)
    }
}

/// A cell library.
#[derive(Debug, Clone, PartialEq)]
pub struct Library {
    /// Name.
    pub name: String,
    /// Picoseconds in the library's unit of time.
    pub time_unit_ps: f64,
    /// Femtofarads in the library's unit of capacitance.
    pub capacitance_unit_ff: f64,
    /// Nanowatts in the library's unit of leakage.
    pub leakage_unit_nw: f64,
    /// Nominal voltage in volts, if stated.
    pub voltage: Option<f64>,
    /// Nominal temperature in degrees Celsius, if stated.
    pub temperature: Option<f64>,
    /// Cells, in the file's order.
    pub cells: Vec<Cell>,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            name: String::new(),
            time_unit_ps: 1000.0,
            capacitance_unit_ff: 1000.0,
            leakage_unit_nw: 1.0,
            voltage: None,
            temperature: None,
            cells: Vec::new(),
        }
    }
}

impl Library {
    /// Its units of time and capacitance, in which constraints for it are written.
    pub fn units(&self) -> Units {
        Units { time_ps: self.time_unit_ps, capacitance_ff: self.capacitance_unit_ff }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `liberty-file` if it cannot be read or is too large, and those of [`Library::parse`].
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let named =
            |e: std::io::Error| Diagnostic::error("liberty-file", format!("cannot read {}: {e}", path.display()));
        let bytes = fs::metadata(path).map_err(named)?.len();
        if bytes > MAX_BYTES {
            return Err(Diagnostic::error(
                "liberty-file",
                format!("{} has {bytes} bytes, {MAX_BYTES} are allowed", path.display()),
            )
            .into());
        }
        let text = fs::read(path).map_err(named)?;
        Self::parse(&String::from_utf8_lossy(&text)).map_err(|mut e| {
            for diagnostic in &mut e.0 {
                diagnostic.message = format!("{}: {}", path.display(), diagnostic.message);
            }
            e
        })
    }

    /// Reads the text of a Liberty file.
    ///
    /// # Errors
    /// `liberty-syntax` with the line if the text is cut off, no Liberty, holds no cell or an impossible number.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        let mut reader = Reader::new(text);
        let mut builder = Builder::default();
        while let Some(event) = reader.next()? {
            builder.take(event).map_err(|message| reader.error(&message))?;
        }
        if builder.library.cells.is_empty() {
            return Err(reader.error("no cell in the whole file"));
        }
        Ok(builder.library)
    }

    /// The cell of that name.
    pub fn cell(&self, name: &str) -> Option<&Cell> {
        self.cells.iter().find(|c| c.name == name)
    }
}

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Library,
    Cell,
    FlipFlop,
    Pin,
    Leakage,
    Timing,
    /// A table of delays.
    Delay,
    /// A group that is of no interest, with all that it holds.
    Skipped,
}

#[derive(Default)]
struct Builder {
    library: Library,
    places: Vec<Place>,
    /// State-dependent leakages of the present cell, which stand in for a missing average.
    leakages: Vec<f64>,
    /// The middle of each table of delays of the present cell, in the library's unit.
    delays: Vec<f64>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Open(group, arguments) => {
                let place = self.open(group, &arguments);
                self.places.push(place);
            }
            Event::Close => self.close(),
            Event::Simple(name, value) => self.simple(name, value)?,
            Event::Complex("capacitive_load_unit", arguments) if self.places == [Place::Library] => {
                self.library.capacitance_unit_ff = capacitance_unit(&arguments)?;
            }
            Event::Complex("values", rows) if self.places.last() == Some(&Place::Delay) => {
                self.delays.extend(middle(&rows)?);
            }
            Event::Complex(..) => {}
        }
        Ok(())
    }

    fn open(&mut self, group: &str, arguments: &[&str]) -> Place {
        let first = || arguments.first().copied().unwrap_or_default().to_owned();
        match (self.places.last(), group) {
            (None, "library") => {
                self.library.name = first();
                Place::Library
            }
            (Some(Place::Library), "cell") => {
                self.leakages.clear();
                self.delays.clear();
                self.library.cells.push(Cell { name: first(), ..Cell::default() });
                Place::Cell
            }
            // A bus or a bundle holds pins of the cell.
            (Some(Place::Cell), "bus" | "bundle") => Place::Cell,
            (Some(Place::Cell), "leakage_power") => Place::Leakage,
            (Some(Place::Pin), "timing") => Place::Timing,
            (Some(Place::Timing), "cell_rise" | "cell_fall") => Place::Delay,
            (Some(Place::Cell), _) => self.open_in_cell(group, arguments, first()),
            _ => Place::Skipped,
        }
    }

    fn open_in_cell(&mut self, group: &str, arguments: &[&str], first: String) -> Place {
        let Some(cell) = self.library.cells.last_mut() else {
            return Place::Skipped;
        };
        match group {
            "pin" => {
                cell.pins.push(Pin { name: first, ..Pin::default() });
                Place::Pin
            }
            "ff" => {
                let name = |k: usize| arguments.get(k).copied().unwrap_or_default().to_owned();
                cell.flip_flop = Some(FlipFlop { state: [name(0), name(1)], ..FlipFlop::default() });
                Place::FlipFlop
            }
            "latch" | "statetable" | "ff_bank" | "latch_bank" | "test_cell" => {
                cell.other_state = true;
                Place::Skipped
            }
            _ => Place::Skipped,
        }
    }

    fn close(&mut self) {
        let closed = self.places.pop();
        if closed != Some(Place::Cell) || self.places != [Place::Library] {
            return;
        }
        let Some(cell) = self.library.cells.last_mut() else {
            return;
        };
        if cell.leakage_nw == 0.0 {
            cell.leakage_nw = mean(&self.leakages).unwrap_or(0.0);
        }
        cell.delay_ps = mean(&self.delays).map(|delay| delay * self.library.time_unit_ps);
    }

    fn simple(&mut self, name: &str, value: &str) -> Result<(), String> {
        let Self { library, leakages, .. } = self;
        let (leakage_unit, capacitance_unit) = (library.leakage_unit_nw, library.capacitance_unit_ff);
        match self.places.last() {
            Some(Place::Library) => return library_attribute(library, name, value),
            Some(Place::Leakage) if name == "value" => {
                leakages.push(number(name, value)? * leakage_unit);
            }
            _ => {}
        }
        let Some(cell) = library.cells.last_mut() else {
            return Ok(());
        };
        match (self.places.last(), name) {
            (Some(Place::Cell), "area") => cell.area_um2 = number(name, value)?,
            (Some(Place::Cell), "cell_leakage_power") => {
                cell.leakage_nw = number(name, value)? * leakage_unit;
            }
            (Some(Place::Cell), "dont_use") => cell.dont_use = value == "true",
            (Some(Place::FlipFlop), _) => {
                flip_flop_attribute(cell.flip_flop.get_or_insert_default(), name, value);
            }
            (Some(Place::Pin), _) => {
                if let Some(pin) = cell.pins.last_mut() {
                    pin_attribute(pin, name, value, capacitance_unit)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn library_attribute(library: &mut Library, name: &str, value: &str) -> Result<(), String> {
    match name {
        "time_unit" => library.time_unit_ps = unit(value, "s", 1e12)?,
        "leakage_power_unit" => library.leakage_unit_nw = unit(value, "W", 1e9)?,
        "nom_voltage" => library.voltage = Some(number(name, value)?),
        "nom_temperature" => library.temperature = Some(number(name, value)?),
        _ => {}
    }
    Ok(())
}

fn flip_flop_attribute(flip_flop: &mut FlipFlop, name: &str, value: &str) {
    match name {
        "clocked_on" => flip_flop.clocked_on = value.to_owned(),
        "next_state" => flip_flop.next_state = value.to_owned(),
        "clear" => flip_flop.clear = Some(value.to_owned()),
        "preset" => flip_flop.preset = Some(value.to_owned()),
        _ => {}
    }
}

fn pin_attribute(pin: &mut Pin, name: &str, value: &str, unit_ff: f64) -> Result<(), String> {
    match name {
        "direction" => {
            pin.direction = match value {
                "input" => Direction::Input,
                "output" => Direction::Output,
                _ => Direction::Other,
            }
        }
        "capacitance" => pin.capacitance_ff = number(name, value)? * unit_ff,
        "function" => pin.function = Some(value.to_owned()),
        "three_state" => pin.three_state = true,
        _ => {}
    }
    Ok(())
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The number in the middle of a table; none of an empty one.
fn middle(rows: &[&str]) -> Result<Option<f64>, String> {
    let Some(row) = rows.get(rows.len() / 2) else {
        return Ok(None);
    };
    let is_blank = |c: char| c == ',' || c.is_whitespace();
    let entries: Vec<&str> = row.split(is_blank).filter(|entry| !entry.is_empty()).collect();
    let entry = entries.get(entries.len() / 2);
    entry.map(|entry| number("values", entry)).transpose()
}

fn number(name: &str, text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(n) if n.is_finite() => Ok(n),
        _ => Err(format!("`{name}` is {}, which is no number", hdl::names::quoted(text))),
    }
}

/// `1ns`, `100ps`, `1nW` in parts of which `per_base` make one base unit.
fn unit(text: &str, base: &str, per_base: f64) -> Result<f64, String> {
    let bad = || format!("{} is no unit of `{base}`", hdl::names::quoted(text));
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(bad)?;
    let count = number("unit", &text[..digits])?;
    let prefix = text[digits..].trim().strip_suffix(base).ok_or_else(bad)?;
    Ok(count * power_of_ten(prefix).ok_or_else(bad)? * per_base)
}

fn capacitance_unit(arguments: &[&str]) -> Result<f64, String> {
    let [count, unit] = arguments else {
        return Err("`capacitive_load_unit` takes a number and a unit".into());
    };
    let femtofarads = match unit.to_ascii_lowercase().as_str() {
        "ff" => 1.0,
        "pf" => 1000.0,
        _ => return Err(format!("{} is neither ff nor pf", hdl::names::quoted(unit))),
    };
    Ok(number("capacitive_load_unit", count)? * femtofarads)
}

fn power_of_ten(prefix: &str) -> Option<f64> {
    Some(match prefix {
        "" => 1.0,
        "m" => 1e-3,
        "u" => 1e-6,
        "n" => 1e-9,
        "p" => 1e-12,
        "f" => 1e-15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"library(small) {
        time_unit : "10ps"; leakage_power_unit : "1uW"; capacitive_load_unit (1, pf); nom_voltage : 1.8;
        cell (INV) { area : 2; pin (A) { direction : input; capacitance : 0.5; }
          pin (Y) { direction : output; function : "!A"; timing () { area : 77; cell_rise (t) {
          values ("1, 2, 3", "4, 5, 6", "7, 8, 9"); } cell_fall (t) { values ("3.5"); } fall_transition (t) { values ("99"); } } } }
        cell (FF) { area : 9; leakage_power () { value : 1; } leakage_power () { value : 3; }
          ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
          pin (C) { direction : input; } pin (D) { direction : input; } pin (Q) { direction : output; function : "IQ"; } }
    }"#;

    #[test]
    fn units_areas_and_leakages() {
        let library = Library::parse(SMALL).unwrap();
        assert_eq!(library.time_unit_ps.round(), 10.0);
        assert_eq!(library.voltage, Some(1.8));
        let inverter = library.cell("INV").unwrap();
        assert_eq!((inverter.area_um2, inverter.pins[0].capacitance_ff), (2.0, 500.0));
        assert_eq!(inverter.delay_ps.map(f64::round), Some(43.0), "of 50 and 35 ps");
        let flip_flop = library.cell("FF").unwrap();
        assert_eq!(flip_flop.delay_ps, None);
        assert!((flip_flop.leakage_nw - 2000.0).abs() < 1e-6);
        assert_eq!(flip_flop.flip_flop.as_ref().unwrap().next_state, "D");
    }

    #[test]
    fn bad_numbers_units_and_empty_files_are_errors() {
        for (from, to, reason) in [
            ("area : 2", "area : two", "`two`, which is no number"),
            ("area : 2", "area : inf", "no number"),
            ("\"10ps\"", "\"10 parsec\"", "no unit of `s`"),
            ("(1, pf)", "(1, farad)", "neither ff nor pf"),
            ("cell (", "cull (", "no cell in the whole file"),
        ] {
            let error = Library::parse(&SMALL.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        for end in (1..SMALL.len() - 1).step_by(7) {
            assert!(Library::parse(&SMALL[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Library::read(Path::new("/nonexistent/x.lib")).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/x.lib"), "{error}");
    }
}
