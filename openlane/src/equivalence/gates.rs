//! What a design is made of before it is mapped: the cells of Yosys' own, and our full adder.

use sim::cell::{Cell, Cells, Function, Register, STATE};

/// Name, input pins, output pin, truth table.
const GATES: [(&str, &str, &str, u64); 13] = [
    ("$_BUF_", "A", "Y", 0b10),
    ("$_NOT_", "A", "Y", 0b01),
    ("$_AND_", "AB", "Y", 0b1000),
    ("$_NAND_", "AB", "Y", 0b0111),
    ("$_OR_", "AB", "Y", 0b1110),
    ("$_NOR_", "AB", "Y", 0b0001),
    ("$_XOR_", "AB", "Y", 0b0110),
    ("$_XNOR_", "AB", "Y", 0b1001),
    ("$_ANDNOT_", "AB", "Y", 0b0010),
    ("$_ORNOT_", "AB", "Y", 0b1011),
    ("$_MUX_", "ABS", "Y", 0xca),
    ("hwgen_full_adder", "ABC", "X", 0xe8),
    ("hwgen_full_adder", "ABC", "Y", 0x96),
];

/// What the cells of a design do that is split into gates and [`crate::yosys::ADDERS`].
pub fn gates() -> Cells {
    let mut cells = Cells::new();
    for (name, pins, output, table) in GATES {
        let pins: Vec<&str> = pins.split("").filter(|pin| !pin.is_empty()).collect();
        let function = Function::new(&pins, table);
        let cell: &mut Cell = cells.entry(name.to_owned()).or_default();
        cell.outputs.push((output.to_owned(), function));
    }
    cells.extend(flip_flops());
    cells
}

/// `$_DFF_P_`, `$_DFFE_PN_`, `$_DFF_NP0_`, `$_DFFSR_PNN_` and so on: a letter says whether a pin acts at one (P) or at
/// zero (N), a digit what a reset makes of the state.
fn flip_flops() -> Vec<(String, Cell)> {
    let polarities = [('N', false), ('P', true)];
    let mut cells = Vec::new();
    for (c, clock) in polarities {
        let plain = Register::plain(Function::pin("C", clock), Function::pin("D", true));
        cells.push((format!("$_DFF_{c}_"), plain.clone()));
        for (a, active) in polarities {
            let enabled = |[state, d, e]: [bool; 3]| if e == active { d } else { state };
            let loads = Register { next: Function::of([STATE, "D", "E"], enabled), ..plain.clone() };
            cells.push((format!("$_DFFE_{c}{a}_"), loads));
            let reset = || Function::pin("R", active);
            let clears = Register { clear: reset(), ..plain.clone() };
            let sets = Register { preset: reset(), ..plain.clone() };
            cells.push((format!("$_DFF_{c}{a}0_"), clears));
            cells.push((format!("$_DFF_{c}{a}1_"), sets));
            for (r, reset) in polarities {
                let both =
                    Register { preset: Function::pin("S", active), clear: Function::pin("R", reset), ..plain.clone() };
                cells.push((format!("$_DFFSR_{c}{a}{r}_"), both));
            }
        }
    }
    let cells = cells.into_iter();
    cells.map(|(name, register)| (name, register.cell())).collect()
}
