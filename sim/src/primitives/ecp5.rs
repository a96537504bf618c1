//! Lattice's ECP5.

use super::{CHOOSE, XOR, combinational, look_up, product, single, text, value};
use crate::cell::{Cell, Function, Register, STATE};
use crate::netlist::Instance;

/// `S ? second : first` of second, first, S.
const CHOOSE_FIRST: u64 = 0xac;

/// What an instance does; `None` if it is no such primitive, or a parameter of it is not understood.
pub(super) fn cell(instance: &Instance) -> Option<Cell> {
    Some(match instance.cell.as_str() {
        "LUT4" => look_up(instance, "INIT", &["A", "B", "C", "D"], "Z")?,
        "PFUMX" => single("Z", Function::new(&["ALUT", "BLUT", "C0"], CHOOSE_FIRST)),
        "L6MUX21" => single("Z", Function::new(&["D0", "D1", "SD"], CHOOSE)),
        "CCU2C" => combinational(carry(instance)?),
        "TRELLIS_FF" => flip_flop(instance)?.cell(),
        PRODUCT => combinational(product()),
        _ => return None,
    })
}

/// Pins of a MULT18X18D that choose its operands from elsewhere.
const SOURCES: [&str; 2] = ["SOURCEA", "SOURCEB"];
/// A MULT18X18D without registers.
const PRODUCT: &str = "(product)";

/// The instance as a [`PRODUCT`]; `None` if it is no multiplier, or has registers or other operands.
pub(super) fn multiplier(instance: &Instance) -> Option<Instance> {
    let direct = product::is_constant(instance, SOURCES.map(str::to_owned).into_iter(), 0);
    let clocked = |(name, value): &(String, String)| name.ends_with("_CLK") && value != "\"NONE\"";
    let plain = instance.cell == "MULT18X18D" && direct && !instance.parameters.iter().any(clocked);
    plain.then(|| Instance { cell: PRODUCT.to_owned(), parameters: Vec::new(), ..instance.clone() })
}

/// The product; a factor has a sign if its pin says so.
fn product() -> Vec<(String, Function)> {
    let factor = |name: &str| -> Vec<String> {
        let bits = (0..18).map(|i| format!("{name}{i}"));
        bits.chain([format!("(sign {name})")]).collect()
    };
    let sign = |name: &str| {
        let pins = [format!("{name}17"), format!("SIGNED{name}")];
        let both = Function::new(&pins.each_ref().map(String::as_str), 0b1000);
        (format!("(sign {name})"), both)
    };
    let signs = ["A", "B"].map(sign).into_iter();
    let product = product::signed(&factor("A"), &factor("B"), 36, |i| format!("P{i}"));
    signs.chain(product).collect()
}

/// Two bits of a carry chain: each is a look-up table, whose output is added to the carry that comes in and tells whether
/// that goes on; if not, then the table's first four entries tell what does. `INJECT1` cuts both uses of the carry.
fn carry(instance: &Instance) -> Option<Vec<(String, Function)>> {
    let mut outputs = Vec::new();
    let mut before = "CIN".to_owned();
    for i in 0..2 {
        let table = value(instance, &format!("INIT{i}"))?;
        let injects = match text(instance, &format!("INJECT1_{i}"), "YES")? {
            "YES" => true,
            "NO" => false,
            _ => return None,
        };
        let pins = ["A", "B", "C", "D"].map(|pin| format!("{pin}{i}"));
        let pins = pins.each_ref().map(String::as_str);
        let [sum, generate] = ["sum", "generate"].map(|part| format!("({part} {i})"));
        let after = if i == 0 { "(carry)" } else { "COUT" };
        let (of_carry, of_pins) = match injects {
            true => (Function::pin(&sum, true), 0),
            false => (Function::new(&[&sum, &before], XOR), table & 0xf),
        };
        outputs.push((sum.clone(), Function::new(&pins, table)));
        outputs.push((generate.clone(), Function::new(&pins[..2], of_pins)));
        outputs.push((format!("S{i}"), of_carry));
        let carries = Function::new(&[&generate, &before, &sum], CHOOSE);
        outputs.push((after.to_owned(), carries));
        before = after.to_owned();
    }
    Some(outputs)
}

/// A flip-flop with a multiplexer before each of its pins, which inverts it or puts a constant in its place.
fn flip_flop(instance: &Instance) -> Option<Register> {
    let one_of = |name: &str, choices: [&str; 2]| {
        let chosen = text(instance, name, choices[0])?;
        choices.iter().position(|choice| *choice == chosen)
    };
    one_of("LSRMODE", ["LSR", "LSR"])?;
    let sets = one_of("REGSET", ["RESET", "SET"])? == 1;
    let is_asynchronous = one_of("SRMODE", ["LSR_OVER_CE", "ASYNC"])? == 1;
    let inverted_reset = one_of("LSRMUX", ["LSR", "INV"])? == 1;
    let enable: fn(bool) -> bool = match text(instance, "CEMUX", "1")? {
        "CE" => |ce| ce,
        "INV" => |ce| !ce,
        "1" => |_| true,
        "0" => |_| false,
        _ => return None,
    };
    let next =
        Function::of([STATE, "DI", "CE", "LSR"], |[state, data, ce, lsr]| match (lsr != inverted_reset, enable(ce)) {
            (true, _) => sets,
            (false, true) => data,
            (false, false) => state,
        });
    let if_meant = |is_meant: bool| match is_asynchronous && is_meant {
        true => Function::pin("LSR", !inverted_reset),
        false => Function::NEVER,
    };
    Some(Register {
        clock: Function::pin("CLK", one_of("CLKMUX", ["CLK", "INV"])? == 0),
        next,
        clear: if_meant(!sets),
        preset: if_meant(sets),
        initial: Some(sets),
    })
}
