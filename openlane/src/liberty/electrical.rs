//! The delays and energies of a library's cells: the tables that [`Library`](super::Library) leaves out, since only the
//! power step needs them and they are most of the file.

use std::collections::HashMap;

use hdl::diag::Diagnostics;

use super::syntax::{Event, Reader};
use super::table::{Axis, Table, Variable};

/// How an output follows an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sense {
    /// Rises with it.
    Positive,
    /// Falls when it rises.
    Negative,
    /// Either, by the other inputs.
    #[default]
    Either,
    /// When the clock at that input rises.
    Rising,
    /// When the clock at that input falls.
    Falling,
}

/// A rising and a falling table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edges {
    /// For a pin that rises.
    pub rise: Option<Table>,
    /// For a pin that falls.
    pub fall: Option<Table>,
}

/// Delays and transition times of an output pin, from one input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arc {
    /// The input.
    pub related: String,
    /// How the output follows.
    pub sense: Sense,
    /// Delays in the library's unit of time.
    pub delay: Edges,
    /// Transition times in the same unit.
    pub slew: Edges,
}

/// The energy inside a cell when a pin moves, in the library's unit of capacitance times volt².
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Internal {
    /// Inputs that it depends on; all of them if none is named.
    pub related: Vec<String>,
    /// In which states of the other pins, in Liberty's notation.
    pub when: Option<String>,
    /// The energies.
    pub energy: Edges,
}

/// A pin with tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pin {
    /// From which inputs it moves and when.
    pub arcs: Vec<Arc>,
    /// What it takes when it moves.
    pub internal: Vec<Internal>,
}

/// Leakage in some states, in the library's unit of leakage.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leakage {
    /// Which, in Liberty's notation; all that no other entry has if not stated.
    pub when: Option<String>,
    /// How much.
    pub value: f64,
}

/// A cell with tables.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell {
    /// Pins by name.
    pub pins: HashMap<String, Pin>,
    /// State by state.
    pub leakage: Vec<Leakage>,
}

/// Tables of all cells, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Electrical {
    /// Cells by name.
    pub cells: HashMap<String, Cell>,
}

impl Electrical {
    /// Reads the text of a Liberty file.
    ///
    /// # Errors
    /// `liberty-syntax` with the line for what is no table.
    pub fn parse(text: &str) -> Result<Self, Diagnostics> {
        let mut reader = Reader::new(text);
        let mut builder = Builder::default();
        while let Some(event) = reader.next()? {
            builder.take(event).map_err(|message| reader.error(&message))?;
        }
        Ok(builder.electrical)
    }
}

/// Where the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Library,
    Template,
    Cell,
    Leakage,
    Pin,
    Timing,
    Power,
    Table,
    Skipped,
}

#[derive(Default)]
struct Builder {
    electrical: Electrical,
    places: Vec<Place>,
    templates: HashMap<String, Template>,
    cell: (String, Cell),
    pin: (String, Pin),
    /// Names of the pins that a group of several stands for.
    timing: Timing,
    power: Internal,
    leakage: Leakage,
    table: Draft,
}

/// A template of tables: its variables and their points unless a table has its own.
#[derive(Debug, Clone, Default)]
struct Template {
    variables: [Option<Variable>; 2],
    points: [Vec<f64>; 2],
}

/// A `timing` group.
#[derive(Debug, Clone, Default)]
struct Timing {
    arc: Arc,
    kind: String,
}

/// A table that is being read.
#[derive(Debug, Clone, Default)]
struct Draft {
    group: String,
    template: Template,
    values: Vec<f64>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Open(group, arguments) => {
                let place = self.open(group, &arguments);
                self.places.push(place);
            }
            Event::Close => {
                if let Some(place) = self.places.pop() {
                    self.close(place)?;
                }
            }
            Event::Simple(name, value) => self.simple(name, value)?,
            Event::Complex(name, rows) => self.complex(name, &rows)?,
        }
        Ok(())
    }

    fn open(&mut self, group: &str, arguments: &[&str]) -> Place {
        let first = arguments.first().copied().unwrap_or_default();
        match (self.places.last(), group) {
            (None, "library") => Place::Library,
            (Some(Place::Library), "lu_table_template" | "power_lut_template") => {
                self.table = Draft { group: first.to_owned(), ..Draft::default() };
                Place::Template
            }
            (Some(Place::Library), "cell") => {
                self.cell = (first.to_owned(), Cell::default());
                Place::Cell
            }
            (Some(Place::Cell), "leakage_power") => {
                self.leakage = Leakage::default();
                Place::Leakage
            }
            (Some(Place::Cell), "pin") => {
                self.pin = (first.to_owned(), Pin::default());
                Place::Pin
            }
            (Some(Place::Pin), "timing") => {
                self.timing = Timing::default();
                Place::Timing
            }
            (Some(Place::Pin), "internal_power") => {
                self.power = Internal::default();
                Place::Power
            }
            (Some(Place::Timing), "cell_rise" | "cell_fall" | "rise_transition" | "fall_transition")
            | (Some(Place::Power), "rise_power" | "fall_power" | "power") => {
                let template = self.templates.get(first).cloned().unwrap_or_default();
                self.table = Draft { group: group.to_owned(), template, values: Vec::new() };
                Place::Table
            }
            _ => Place::Skipped,
        }
    }

    fn close(&mut self, place: Place) -> Result<(), String> {
        match place {
            Place::Template => {
                let draft = std::mem::take(&mut self.table);
                self.templates.insert(draft.group, draft.template);
            }
            Place::Cell => {
                let (name, cell) = std::mem::take(&mut self.cell);
                self.electrical.cells.insert(name, cell);
            }
            Place::Leakage => self.cell.1.leakage.push(std::mem::take(&mut self.leakage)),
            Place::Pin => {
                let (name, pin) = std::mem::take(&mut self.pin);
                self.cell.1.pins.insert(name, pin);
            }
            Place::Timing => {
                let Timing { arc, kind } = std::mem::take(&mut self.timing);
                if let Some(sense) = sense(&kind, arc.sense) {
                    self.pin.1.arcs.push(Arc { sense, ..arc });
                }
            }
            Place::Power => self.pin.1.internal.push(std::mem::take(&mut self.power)),
            Place::Table => self.close_table()?,
            Place::Library | Place::Skipped => {}
        }
        Ok(())
    }

    fn close_table(&mut self) -> Result<(), String> {
        let Draft { group, template, values } = std::mem::take(&mut self.table);
        let axes = template.variables.into_iter().zip(template.points);
        let axes: Vec<Axis> = axes.filter_map(|(variable, points)| Some((variable?, points))).collect();
        let table = Table::new(axes, values).ok_or_else(|| format!("the points and values of `{group}` do not match"));
        let Timing { arc, .. } = &mut self.timing;
        match group.as_str() {
            "cell_rise" => arc.delay.rise = Some(table?),
            "cell_fall" => arc.delay.fall = Some(table?),
            "rise_transition" => arc.slew.rise = Some(table?),
            "fall_transition" => arc.slew.fall = Some(table?),
            "rise_power" => self.power.energy.rise = Some(table?),
            "fall_power" => self.power.energy.fall = Some(table?),
            _ => {
                let table = table?;
                self.power.energy = Edges { rise: Some(table.clone()), fall: Some(table) };
            }
        }
        Ok(())
    }

    fn simple(&mut self, name: &str, value: &str) -> Result<(), String> {
        match (self.places.last(), name) {
            (Some(Place::Template), "variable_1") => self.table.template.variables[0] = variable(value),
            (Some(Place::Template), "variable_2") => self.table.template.variables[1] = variable(value),
            (Some(Place::Leakage), "when") => self.leakage.when = Some(value.to_owned()),
            (Some(Place::Leakage), "value") => self.leakage.value = super::number(name, value)?,
            (Some(Place::Timing), "related_pin") => self.timing.arc.related = value.to_owned(),
            (Some(Place::Timing), "timing_type") => self.timing.kind = value.to_owned(),
            (Some(Place::Timing), "timing_sense") => {
                self.timing.arc.sense = match value {
                    "positive_unate" => Sense::Positive,
                    "negative_unate" => Sense::Negative,
                    _ => Sense::Either,
                }
            }
            (Some(Place::Power), "related_pin") => {
                self.power.related = value.split_whitespace().map(str::to_owned).collect();
            }
            (Some(Place::Power), "when") => self.power.when = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn complex(&mut self, name: &str, rows: &[&str]) -> Result<(), String> {
        if !matches!(self.places.last(), Some(Place::Template | Place::Table)) {
            return Ok(());
        }
        let is_blank = |c: char| c == ',' || c.is_whitespace();
        let words = rows.iter().flat_map(|row| row.split(is_blank)).filter(|word| !word.is_empty());
        let numbers = words.map(|word| super::number(name, word)).collect::<Result<Vec<f64>, _>>()?;
        match name {
            "index_1" => self.table.template.points[0] = numbers,
            "index_2" => self.table.template.points[1] = numbers,
            "values" => self.table.values = numbers,
            _ => {}
        }
        Ok(())
    }
}

/// How an output follows by a timing group of this type; `None` if the group is a check, or an asynchronous input.
fn sense(kind: &str, given: Sense) -> Option<Sense> {
    match kind {
        "" | "combinational" | "combinational_rise" | "combinational_fall" => Some(given),
        "rising_edge" => Some(Sense::Rising),
        "falling_edge" => Some(Sense::Falling),
        _ => None,
    }
}

fn variable(name: &str) -> Option<Variable> {
    match name {
        "total_output_net_capacitance" => Some(Variable::Load),
        "input_net_transition" | "input_transition_time" => Some(Variable::Slew),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"library (l) {
      lu_table_template (d) { variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
        index_1 ("1, 2"); index_2 ("1, 2"); }
      power_lut_template (p) { variable_1 : input_transition_time; index_1 ("1, 2"); }
      cell (INV) {
        leakage_power () { when : "!A"; value : 3.5; }
        pin (A) { direction : input; internal_power () { when : "Y"; power (p) { values ("1, 3"); } } }
        pin (Y) { direction : output;
          timing () { related_pin : "A"; timing_sense : negative_unate;
            cell_rise (d) { index_2 ("10, 20"); values ("1, 2", "3, 4"); } cell_fall (scalar) { values ("7"); } }
          timing () { related_pin : "A"; timing_type : setup_rising; rise_constraint (d) { values ("0, 0", "0, 0"); } }
          internal_power () { related_pin : "A B"; rise_power (p) { values ("5, 6"); } } } } }"#;

    #[test]
    fn tables_are_found_with_their_axes() {
        let cells = Electrical::parse(TEXT).unwrap().cells;
        let cell = &cells["INV"];
        assert_eq!(cell.leakage, [Leakage { when: Some("!A".into()), value: 3.5 }]);
        let [arc] = cell.pins["Y"].arcs.as_slice() else { panic!("a check is no arc") };
        assert_eq!((arc.related.as_str(), arc.sense), ("A", Sense::Negative));
        assert_eq!(arc.delay.rise.as_ref().unwrap().at(15.0, 1.5), 2.5);
        assert_eq!(arc.delay.fall.as_ref().unwrap().at(15.0, 1.5), 7.0);
        let power = &cell.pins["Y"].internal[0];
        assert_eq!((power.related.len(), power.energy.rise.as_ref().unwrap().at(0.0, 1.5)), (2, 5.5));
        let hidden = &cell.pins["A"].internal[0];
        assert_eq!((hidden.when.as_deref(), hidden.energy.fall.as_ref().unwrap().at(0.0, 2.0)), (Some("Y"), 3.0));
    }

    #[test]
    fn a_table_with_a_value_too_few_is_an_error() {
        let error = Electrical::parse(&TEXT.replace("1, 2\", \"3, 4", "1, 2\", \"3")).unwrap_err().to_string();
        assert!(error.contains("points and values of `cell_rise` do not match"), "{error}");
    }
}
