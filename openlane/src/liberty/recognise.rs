//! Which cell of a library plays which part in arithmetic, found by function and not by name.

use super::function::{mask, truth_table};
use super::{Cell, Library};

/// A part that a cell can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `y = !a`
    Inverter,
    /// `y = a`
    Buffer,
    /// `y = !(a b)`
    Nand2,
    /// `y = !(a + b)`
    Nor2,
    /// `y = a b`
    And2,
    /// `y = a + b`
    Or2,
    /// `y = a ^ b`
    Xor2,
    /// `y = !(a ^ b)`
    Xnor2,
    /// `y = s ? b : a`, possibly inverted; inputs in the order a, b, s.
    Mux2,
    /// Outputs in the order sum, carry.
    HalfAdder,
    /// Inputs a, b and the fastest to the carry last; outputs in the order sum, carry.
    FullAdder,
    /// Rising-edge flip-flop without reset; inputs in the order d, clock.
    FlipFlop,
    /// Rising-edge flip-flop cleared while its last input is low; inputs in the order d, clock, reset.
    FlipFlopResetLow,
    /// Drives 0.
    TieLow,
    /// Drives 1.
    TieHigh,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 15] = [
        Self::Inverter,
        Self::Buffer,
        Self::Nand2,
        Self::Nor2,
        Self::And2,
        Self::Or2,
        Self::Xor2,
        Self::Xnor2,
        Self::Mux2,
        Self::HalfAdder,
        Self::FullAdder,
        Self::FlipFlop,
        Self::FlipFlopResetLow,
        Self::TieLow,
        Self::TieHigh,
    ];

    /// Truth tables of the outputs over the inputs, for the roles that have no state.
    fn tables(self) -> Option<(usize, &'static [u64])> {
        Some(match self {
            Self::Inverter => (1, &[0b01]),
            Self::Buffer => (1, &[0b10]),
            Self::Nand2 => (2, &[0b0111]),
            Self::Nor2 => (2, &[0b0001]),
            Self::And2 => (2, &[0b1000]),
            Self::Or2 => (2, &[0b1110]),
            Self::Xor2 => (2, &[0b0110]),
            Self::Xnor2 => (2, &[0b1001]),
            Self::Mux2 => (3, &[0b1100_1010]),
            Self::HalfAdder => (2, &[0b0110, 0b1000]),
            Self::FullAdder => (3, &[0b1001_0110, 0b1110_1000]),
            Self::TieLow => (0, &[0]),
            Self::TieHigh => (0, &[1]),
            Self::FlipFlop | Self::FlipFlopResetLow => return None,
        })
    }
}

/// Small inverters that the input of a buffer may weigh.
const BUFFER_INPUT: f64 = 2.5;
/// How much slower than the fastest a buffer may be at middling load.
const BUFFER_DELAY: f64 = 1.5;

/// A cell in a role.
#[derive(Debug, Clone, PartialEq)]
pub struct CellMatch {
    /// Name of the cell.
    pub cell: String,
    /// Area in square micrometres.
    pub area_um2: f64,
    /// Leakage in nanowatts.
    pub leakage_nw: f64,
    /// Input pins in the role's order.
    pub inputs: Vec<String>,
    /// Output pins in the role's order.
    pub outputs: Vec<String>,
    /// Whether the output is the complement of what the role says; only for [`Role::Mux2`].
    pub inverted: bool,
}

impl Library {
    /// The smallest cell that plays `role`; among equals the one that leaks least, then the first by name.
    pub fn find(&self, role: Role) -> Option<CellMatch> {
        self.cells.iter().filter(|c| !c.dont_use && !c.other_state).filter_map(|cell| matches(cell, role)).min_by(
            |a, b| {
                a.area_um2
                    .total_cmp(&b.area_um2)
                    .then(a.leakage_nw.total_cmp(&b.leakage_nw))
                    .then_with(|| a.cell.cmp(&b.cell))
            },
        )
    }

    /// The buffer for nets with many readers: the largest of those that load their driver with no more than
    /// [`BUFFER_INPUT`] small inverters and are no delay cells.
    pub fn strong_buffer(&self) -> Option<CellMatch> {
        let limit_ff = BUFFER_INPUT * self.inverter_ff()?;
        let light = |cell: &Cell| cell.inputs().all(|pin| pin.capacitance_ff <= limit_ff);
        let usable = self.cells.iter().filter(|c| !c.dont_use && !c.other_state);
        let buffers: Vec<(CellMatch, f64)> = usable
            .filter(|cell| light(cell))
            .filter_map(|cell| Some((matches(cell, Role::Buffer)?, cell.delay_ps.unwrap_or(0.0))))
            .collect();
        let delays = buffers.iter().map(|(_, delay)| *delay);
        let fast_ps = BUFFER_DELAY * delays.fold(f64::INFINITY, f64::min);
        let fast = buffers.into_iter().filter(|(_, delay)| *delay <= fast_ps);
        // the first of equals
        fast.map(|(cell, _)| cell).min_by(|a, b| b.area_um2.total_cmp(&a.area_um2))
    }

    /// Input capacitance of the smallest inverter, in fF.
    pub fn inverter_ff(&self) -> Option<f64> {
        let inverter = self.cell(&self.find(Role::Inverter)?.cell)?;
        inverter.inputs().map(|pin| pin.capacitance_ff).next()
    }
}

fn matches(cell: &Cell, role: Role) -> Option<CellMatch> {
    let (inputs, outputs, inverted) = match (role.tables(), &cell.flip_flop) {
        (Some((count, tables)), None) => combinational(cell, role, count, tables)?,
        (None, Some(_)) => flip_flop(cell, role)?,
        _ => return None,
    };
    Some(CellMatch {
        cell: cell.name.clone(),
        area_um2: cell.area_um2,
        leakage_nw: cell.leakage_nw,
        inputs: inputs.into_iter().map(str::to_owned).collect(),
        outputs: outputs.into_iter().map(str::to_owned).collect(),
        inverted,
    })
}

type Pins<'c> = (Vec<&'c str>, Vec<&'c str>, bool);

fn combinational<'c>(cell: &'c Cell, role: Role, count: usize, tables: &[u64]) -> Option<Pins<'c>> {
    let mut inputs: Vec<_> = cell.inputs().collect();
    let outputs: Vec<_> = cell.outputs().collect();
    if inputs.len() != count || outputs.len() != tables.len() {
        return None;
    }
    if role == Role::FullAdder {
        // The input that loads its driver least is the one the cell's designer meant for the carry.
        inputs.sort_by(|a, b| b.capacitance_ff.total_cmp(&a.capacitance_ff));
    }
    let names: Vec<&str> = inputs.iter().map(|p| p.name.as_str()).collect();
    orders(count).into_iter().find_map(|order| {
        let ordered: Vec<&str> = order.iter().map(|&i| names[i]).collect();
        let drives = |table: u64| {
            outputs.iter().find(|pin| {
                !pin.three_state && pin.function.as_deref().and_then(|f| truth_table(f, &ordered)) == Some(table)
            })
        };
        let find = |complement: u64| -> Option<Vec<&str>> {
            tables.iter().map(|&table| drives(table ^ complement).map(|p| p.name.as_str())).collect()
        };
        if let Some(found) = find(0) {
            return Some((ordered, found, false));
        }
        let inverted = (role == Role::Mux2).then(|| find(mask(count)))??;
        Some((ordered, inverted, true))
    })
}

/// Orders of up to three inputs, the natural one first.
fn orders(count: usize) -> Vec<Vec<usize>> {
    match count {
        3 => [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
            .iter()
            .map(|order| order.to_vec())
            .collect(),
        n => vec![(0..n).collect()],
    }
}

fn flip_flop(cell: &Cell, role: Role) -> Option<Pins<'_>> {
    let state = cell.flip_flop.as_ref()?;
    let inputs: Vec<&str> = cell.inputs().map(|p| p.name.as_str()).collect();
    let plain = |text: &str| -> Option<&str> {
        let table = truth_table(text, &inputs)?;
        inputs.iter().copied().find(|name| truth_table(name, &inputs) == Some(table))
    };
    let mut found = vec![plain(&state.next_state)?, plain(&state.clocked_on)?];
    match (role, &state.clear, &state.preset) {
        (Role::FlipFlop, None, None) => {}
        (Role::FlipFlopResetLow, Some(clear), None) => {
            let cleared = truth_table(clear, &inputs)? ^ mask(inputs.len());
            found.push(inputs.iter().copied().find(|name| truth_table(name, &inputs) == Some(cleared))?);
        }
        _ => return None,
    }
    if found.len() != inputs.len() {
        return None;
    }
    let [q, _] = &state.state;
    let drives_state = |function: &String| truth_table(function, &[q.as_str()]) == Some(0b10);
    let output = cell.outputs().find(|p| p.function.as_ref().is_some_and(drives_state))?;
    Some((found, vec![output.name.as_str()], false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(cells: &str) -> Library {
        Library::parse(&format!("library(l) {{ {cells} }}")).unwrap()
    }

    fn cell(name: &str, area: u32, inputs: &str, outputs: &[(&str, &str)]) -> String {
        let inputs: String = inputs.chars().map(|c| format!("pin({c}) {{ direction : input; }}")).collect();
        let outputs: String = outputs
            .iter()
            .map(|(pin, f)| format!("pin({pin}) {{ direction : output; function : \"{f}\"; }}"))
            .collect();
        format!("cell ({name}) {{ area : {area}; {inputs} {outputs} }}")
    }

    #[test]
    fn the_smallest_cell_of_the_function_is_found_whatever_it_is_called() {
        let library = library(
            &[
                cell("BIG", 9, "AB", &[("Y", "!(A B)")]),
                cell("ODD", 5, "AB", &[("Y", "A' + B'")]),
                cell("ADD", 7, "PQR", &[("C", "(P Q)+(Q R)+(R P)"), ("S", "P^Q^R")]),
                cell("HALF", 6, "AB", &[("C", "A B"), ("S", "A^B")]),
                cell("CHOOSE", 4, "SAB", &[("Y", "!((S A) + (!S B))")]),
            ]
            .concat(),
        );
        let name = |role| library.find(role).map(|m| m.cell);
        assert_eq!(name(Role::Nand2).as_deref(), Some("ODD"));
        let adder = library.find(Role::FullAdder).unwrap();
        assert_eq!(adder.outputs, ["S", "C"]);
        assert_eq!(library.find(Role::HalfAdder).unwrap().outputs, ["S", "C"]);
        let mux = library.find(Role::Mux2).unwrap();
        assert_eq!((mux.inputs.concat(), mux.inverted), ("BAS".into(), true));
        assert_eq!(name(Role::Xor2), None);
    }

    #[test]
    fn the_strong_buffer_is_neither_heavy_nor_slow() {
        let sized = |name: &str, kind: &str, area: u32, ff: f64, delay: f64| {
            let timing = format!("timing() {{ cell_rise(t) {{ values (\"{delay}\"); }} }} function");
            cell(name, area, "A", &[("Y", kind)])
                .replace("direction : input", &format!("capacitance : {ff}; direction : input"))
                .replace("function", &timing)
        };
        let cells = [
            sized("INV", "!A", 1, 0.002, 0.02),
            sized("SMALL", "A", 2, 0.001, 0.03),
            sized("GOOD", "A", 4, 0.004, 0.04),
            sized("HEAVY", "A", 8, 0.008, 0.03),
            sized("SLOW", "A", 6, 0.002, 0.4),
        ];
        let of = |cells: &[String]| library(&cells.concat()).strong_buffer().map(|c| c.cell);
        assert_eq!(of(&cells).as_deref(), Some("GOOD"));
        assert_eq!(of(&cells[..1]), None);
        assert_eq!(of(&cells[1..]), None, "without an inverter nothing is known");
    }

    #[test]
    fn near_misses_are_not_taken() {
        let library = library(
            &[
                cell("WRONG", 1, "ABC", &[("S", "A^B^C"), ("C", "(A B)+C")]),
                cell("FLOATS", 1, "A", &[("Y", "!A")]).replace("function", "three_state : \"E\"; function"),
                cell("BANNED", 1, "AB", &[("Y", "A^B")]).replace("area", "dont_use : true; area"),
            ]
            .concat(),
        );
        for role in Role::ALL {
            assert_eq!(library.find(role), None, "{role:?}");
        }
    }

    #[test]
    fn flip_flops_by_edge_and_reset() {
        let ff = |name: &str, more: &str, pins: &str| {
            cell(name, 3, pins, &[("Q", "IQ")])
                .replace("area", &format!("ff (IQ, IQN) {{ next_state : \"D\"; {more} }} area"))
        };
        let library = library(
            &[
                ff("FALLS", "clocked_on : \"!C\";", "DC"),
                ff("RISES", "clocked_on : \"C\";", "DC"),
                ff("CLEARS", "clocked_on : \"C\"; clear : \"!R\";", "DCR"),
                ff("SCANS", "clocked_on : \"C\";", "DCE"),
            ]
            .concat(),
        );
        assert_eq!(library.find(Role::FlipFlop).unwrap().cell, "RISES");
        assert_eq!(library.find(Role::FlipFlopResetLow).unwrap().inputs, ["D", "C", "R"]);
    }
}
