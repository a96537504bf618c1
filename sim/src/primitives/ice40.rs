//! Lattice's iCE40.

use super::{CHOOSE, look_up, single};
use crate::cell::{Cell, Function, Register, STATE};
use crate::netlist::Instance;

/// Two of three.
const MAJORITY: u64 = 0xe8;

/// What an instance does; `None` if it is no such primitive, or a parameter of it is not understood.
pub(super) fn cell(instance: &Instance) -> Option<Cell> {
    Some(match instance.cell.as_str() {
        "SB_LUT4" => look_up(instance, "LUT_INIT", &["I0", "I1", "I2", "I3"], "O")?,
        "SB_CARRY" => single("CO", Function::new(&["I0", "I1", "CI"], MAJORITY)),
        "SB_GB" => single("GLOBAL_BUFFER_OUTPUT", Function::pin("USER_SIGNAL_TO_GLOBAL_BUFFER", true)),
        name => flip_flop(name.strip_prefix("SB_DFF")?)?.cell(),
    })
}

/// `N` for a falling clock, `E` for a clock enable, then how it is controlled: `SR` and `SS` reset and set with the
/// clock, `R` and `S` at once.
fn flip_flop(letters: &str) -> Option<Register> {
    let (falls, letters) = match letters.strip_prefix('N') {
        Some(rest) => (true, rest),
        None => (false, letters),
    };
    let (is_enabled, control) = match letters.strip_prefix('E') {
        Some(rest) => (true, rest),
        None => (false, letters),
    };
    let plain = match is_enabled {
        true => Function::new(&[STATE, "D", "E"], CHOOSE),
        false => Function::pin("D", true),
    };
    // the enable gates the reset as well
    let synchronous = |pin: &str, to: bool| {
        Function::of([STATE, "D", "E", pin], |[state, d, enable, control]| match (enable || !is_enabled, control) {
            (false, _) => state,
            (true, true) => to,
            (true, false) => d,
        })
    };
    let next = match control {
        "SR" => synchronous("R", false),
        "SS" => synchronous("S", true),
        "" | "R" | "S" => plain,
        _ => return None,
    };
    let if_is = |letter: &str| match control == letter {
        true => Function::pin(letter, true),
        false => Function::NEVER,
    };
    Some(Register {
        clock: Function::pin("C", !falls),
        next,
        clear: if_is("R"),
        preset: if_is("S"),
        initial: Some(false),
    })
}
