//! AMD's primitives.

use super::{CHOOSE, XOR, combinational, look_up, parameter, product, single, text, value};
use crate::cell::{Cell, Function, Register, STATE};
use crate::netlist::{CONSTANTS, Instance};

const INPUTS: [&str; 6] = ["I0", "I1", "I2", "I3", "I4", "I5"];
/// One flip-flop of a shift register.
const STAGE: &str = "(stage)";
/// A DSP block that does nothing but multiply.
const PRODUCT: &str = "(product)";

/// What an instance does; `None` if it is no such primitive, or a parameter of it is not understood.
pub(super) fn cell(instance: &Instance) -> Option<Cell> {
    if has_inverted_pin(instance) {
        return None;
    }
    let flip_flop = |pin: &str, to: bool| Register {
        initial: value(instance, "INIT").map(|value| value == 1),
        ..Register::plain(
            Function::pin("C", true),
            Function::of([STATE, "D", "CE", pin], |[state, d, enable, control]| match (control, enable) {
                (true, _) => to,
                (false, true) => d,
                (false, false) => state,
            }),
        )
    };
    Some(match instance.cell.as_str() {
        "GND" => single("G", Function::NEVER),
        "VCC" => single("P", Function::new(&[], 1)),
        "INV" => single("O", Function::pin("I", false)),
        "BUF" | "IBUF" | "OBUF" | "BUFG" => single("O", Function::pin("I", true)),
        "MUXF7" | "MUXF8" | "MUXF9" => single("O", Function::new(&["I0", "I1", "S"], CHOOSE)),
        "CARRY4" => combinational(carry(4, &["CI", "CYINIT"])),
        "CARRY8" if text(instance, "CARRY_TYPE", "SINGLE_CY8")? == "SINGLE_CY8" => combinational(carry(8, &["CI"])),
        "LUT6_2" => combinational(two_outputs(value(instance, "INIT")?)),
        "FDRE" => flip_flop("R", false).cell(),
        "FDSE" => flip_flop("S", true).cell(),
        "FDCE" => {
            let clear = Function::pin("CLR", true);
            let register = flip_flop("CLR", false);
            Register { clear, ..register }.cell()
        }
        "FDPE" => {
            let preset = Function::pin("PRE", true);
            let register = flip_flop("PRE", true);
            Register { preset, ..register }.cell()
        }
        PRODUCT => {
            let pins = |bus: &str, bits| -> Vec<String> { (0..bits).map(|i| format!("{bus}[{i}]")).collect() };
            let outputs = product::signed(&pins("A", 27), &pins("B", 18), 48, |i| format!("P[{i}]"));
            combinational(outputs)
        }
        STAGE => Register {
            initial: value(instance, "INIT").map(|value| value == 1),
            ..Register::plain(Function::pin("CLK", true), Function::new(&[STATE, "D", "CE"], CHOOSE))
        }
        .cell(),
        name => {
            let inputs: usize = name.strip_prefix("LUT")?.parse().ok()?;
            let pins = (inputs > 0).then(|| INPUTS.get(..inputs))??;
            look_up(instance, "INIT", pins, "O")?
        }
    })
}

fn has_inverted_pin(instance: &Instance) -> bool {
    let inverts = |name: &str| name.starts_with("IS_") && name.ends_with("_INVERTED");
    let names = instance.parameters.iter().map(|(name, _)| name);
    names.filter(|name| inverts(name)).any(|name| value(instance, name) != Some(0))
}

/// Registers of a DSP48E2, which stand for none if they are 0.
const DSP_REGISTERS: [&str; 14] = [
    "ACASCREG",
    "ADREG",
    "ALUMODEREG",
    "AREG",
    "BCASCREG",
    "BREG",
    "CARRYINREG",
    "CARRYINSELREG",
    "CREG",
    "DREG",
    "INMODEREG",
    "MREG",
    "OPMODEREG",
    "PREG",
];
/// What a DSP48E2 that multiplies is set to.
const DSP_SETTINGS: [(&str, &str); 6] = [
    ("USE_MULT", "MULTIPLY"),
    ("USE_SIMD", "ONE48"),
    ("A_INPUT", "DIRECT"),
    ("B_INPUT", "DIRECT"),
    ("AMULTSEL", "A"),
    ("BMULTSEL", "B"),
];
/// Its modes: pin, bits, value.
const DSP_MODES: [(&str, u32, u64); 4] =
    [("OPMODE", 9, 0b101), ("ALUMODE", 4, 0), ("INMODE", 5, 0), ("CARRYINSEL", 3, 0)];

/// The instance as a [`PRODUCT`]; `None` if it is no DSP48E2, or does more than multiply.
pub(super) fn multiplier(instance: &Instance) -> Option<Instance> {
    let registers = DSP_REGISTERS.iter().all(|name| value(instance, name) == Some(0));
    let settings = DSP_SETTINGS.iter().all(|(name, set)| text(instance, name, set) == Some(set));
    let modes = DSP_MODES
        .iter()
        .all(|(pin, bits, mode)| product::is_constant(instance, (0..*bits).map(|i| format!("{pin}[{i}]")), *mode));
    let carry = product::is_constant(instance, ["CARRYIN".to_owned()].into_iter(), 0);
    let plain = instance.cell == "DSP48E2" && registers && settings && modes && carry && !has_inverted_pin(instance);
    plain.then(|| Instance { cell: PRODUCT.to_owned(), parameters: Vec::new(), ..instance.clone() })
}

/// The flip-flops of a shift register of constant length; `None` if it is none.
pub(super) fn stages(instance: &Instance) -> Option<Vec<Instance>> {
    let address: &[&str] = match instance.cell.as_str() {
        "SRL16E" => &["A0", "A1", "A2", "A3"],
        "SRLC32E" => &["A[0]", "A[1]", "A[2]", "A[3]", "A[4]"],
        _ => return None,
    };
    let on = |pin: &str| {
        let mut pins = instance.pins.iter();
        pins.find_map(|(name, net)| (name == pin).then_some(net))
    };
    if has_inverted_pin(instance) || on("Q31").is_some() {
        return None;
    }
    let mut last = 0;
    for (pin, i) in address.iter().zip(0..) {
        let bit = CONSTANTS.iter().position(|constant| on(pin).is_some_and(|net| net == constant))?;
        last |= bit << i;
    }
    let initial = match parameter(instance, "INIT") {
        Some(_) => value(instance, "INIT")?,
        None => 0,
    };
    let between = |i: usize| format!("({} {i})", instance.name);
    let stage = |i: usize| -> Option<Instance> {
        let data = if i == 0 { on("D")?.clone() } else { between(i - 1) };
        let output = if i == last { on("Q")?.clone() } else { between(i) };
        let [clock, enable] = [on("CLK")?, on("CE")?].map(String::clone);
        let pins = [("CLK", clock), ("CE", enable), ("D", data), ("Q", output)];
        Some(Instance {
            cell: STAGE.to_owned(),
            name: format!("{}.stage[{i}]", instance.name),
            parameters: vec![("INIT".to_owned(), format!("1'h{}", initial >> i & 1))],
            pins: pins.map(|(pin, net)| (pin.to_owned(), net)).into(),
        })
    };
    (0..=last).map(stage).collect()
}

/// A look-up table whose lower half is a table of its own, of the first five inputs.
fn two_outputs(table: u64) -> Vec<(String, Function)> {
    vec![
        ("O5".to_owned(), Function::new(&INPUTS[..5], table & 0xffff_ffff)),
        ("O6".to_owned(), Function::new(&INPUTS, table)),
    ]
}

/// A chain of so many bits: `CO` is what is carried out of each, `O` the sum. What goes into the first is `(in)`: one of
/// `from`, of which all but one are constant zero.
fn carry(bits: usize, from: &[&str]) -> Vec<(String, Function)> {
    let any = (1 << (1 << from.len())) - 2;
    let mut outputs = vec![("(in)".to_owned(), Function::new(from, any))];
    let mut before = "(in)".to_owned();
    for i in 0..bits {
        let [di, s, o, co] = ["DI", "S", "O", "CO"].map(|pin| format!("{pin}[{i}]"));
        outputs.push((o, Function::new(&[&s, &before], XOR)));
        outputs.push((co.clone(), Function::new(&[&di, &before, &s], CHOOSE)));
        before = co;
    }
    outputs
}
