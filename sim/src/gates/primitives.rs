//! The primitives of AMD's FPGAs, as far as mapped logic is made of them: look-up tables, carry chains, flip-flops.

use super::levels::State;
use super::program::VARIABLES;
use crate::synth::equivalence::{Cell, Function, Register, STATE};
use crate::synth::netlist::{Instance, number};

/// `S ? carry : DI` of the inputs DI, carry, S.
const CHOOSE: u64 = 0xca;
const XOR: u64 = 0b0110;
const SAME: u64 = 0b10;
const NOT: u64 = 0b01;

/// What an instance does; `None` if it is no such primitive, or a parameter of it is not understood.
pub(super) fn cell(instance: &Instance) -> Option<Cell> {
    let combinational = |outputs: Vec<(String, Function)>| Cell {
        outputs,
        register: None,
    };
    let single = |output: &str, function| combinational(vec![(output.to_owned(), function)]);
    Some(match instance.cell.as_str() {
        "GND" => single("G", Function::NEVER),
        "VCC" => single("P", function(&[], 1)),
        "INV" => single("O", function(&["I"], NOT)),
        "BUF" | "IBUF" | "OBUF" | "BUFG" => single("O", function(&["I"], SAME)),
        "MUXF7" | "MUXF8" | "MUXF9" => single("O", function(&["I0", "I1", "S"], CHOOSE)),
        "CARRY4" => combinational(carry(4, &["CI", "CYINIT"])),
        "CARRY8" if is_whole(instance) => combinational(carry(8, &["CI"])),
        "LUT6_2" => combinational(two_outputs(parameter(instance, "INIT")?)),
        "FDRE" => flip_flop(gated("R", 0), [None, None]),
        "FDSE" => flip_flop(gated("S", 1), [None, None]),
        "FDCE" => flip_flop(gated("CLR", 0), [Some("CLR"), None]),
        "FDPE" => flip_flop(gated("PRE", 1), [None, Some("PRE")]),
        name => {
            let inputs: usize = name.strip_prefix("LUT")?.parse().ok()?;
            let pins: Vec<String> = (0..inputs).map(|i| format!("I{i}")).collect();
            let table = parameter(instance, "INIT")?;
            (1..=VARIABLES).contains(&inputs).then_some(())?;
            single("O", Function { pins, table })
        }
    })
}

/// What a flip-flop holds when an FPGA begins; not known for a cell without such a parameter.
pub(super) fn initial(instance: &Instance) -> State {
    match parameter(instance, "INIT") {
        Some(0) => State::Zero,
        Some(1) => State::One,
        _ => State::Unknown,
    }
}

fn parameter(instance: &Instance, name: &str) -> Option<u64> {
    let mut parameters = instance.parameters.iter();
    parameters.find_map(|(n, value)| (n == name).then(|| number(value))?)
}

fn function(pins: &[&str], table: u64) -> Function {
    Function {
        pins: pins.iter().map(|&pin| pin.to_owned()).collect(),
        table,
    }
}

/// Whether a chain of eight bits is one, and not two of four.
fn is_whole(instance: &Instance) -> bool {
    let is_other =
        |(name, value): &(String, String)| name == "CARRY_TYPE" && value != "\"SINGLE_CY8\"";
    !instance.parameters.iter().any(is_other)
}

/// A look-up table whose lower half is a table of its own, of the first five inputs.
fn two_outputs(table: u64) -> Vec<(String, Function)> {
    let inputs = ["I0", "I1", "I2", "I3", "I4", "I5"];
    vec![
        ("O5".to_owned(), function(&inputs[..5], table & 0xffff_ffff)),
        ("O6".to_owned(), function(&inputs, table)),
    ]
}

/// A chain of so many bits: `CO` is what is carried out of each, `O` the sum. What goes into the first is `(in)`: one of
/// `from`, of which all but one are constant zero.
fn carry(bits: usize, from: &[&str]) -> Vec<(String, Function)> {
    let any = (1 << (1 << from.len())) - 2;
    let mut outputs = vec![("(in)".to_owned(), function(from, any))];
    let mut before = "(in)".to_owned();
    for i in 0..bits {
        let [di, s, o, co] = ["DI", "S", "O", "CO"].map(|pin| format!("{pin}[{i}]"));
        outputs.push((o, function(&[&s, &before], XOR)));
        outputs.push((co.clone(), function(&[&di, &before, &s], CHOOSE)));
        before = co;
    }
    outputs
}

/// `control ? value : CE ? D : state`.
fn gated(control: &str, value: u64) -> Function {
    let loads: u64 = 0xe2; // of state, CE, D: D if CE, else the state
    let all = if value == 1 { 0xff } else { 0 };
    function(&[STATE, "CE", "D", control], loads | all << 8)
}

fn flip_flop(next: Function, controls: [Option<&str>; 2]) -> Cell {
    let [clear, preset] =
        controls.map(|pin| pin.map_or(Function::NEVER, |pin| function(&[pin], SAME)));
    Cell {
        outputs: vec![("Q".to_owned(), function(&[STATE], SAME))],
        register: Some(Register {
            clock: function(&["C"], SAME),
            next,
            clear,
            preset,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(cell: &str, init: Option<u64>) -> Instance {
        Instance {
            cell: cell.to_owned(),
            parameters: init
                .map(|value| ("INIT".to_owned(), format!("64'h{value:x}")))
                .into_iter()
                .collect(),
            ..Instance::default()
        }
    }

    #[test]
    fn look_up_tables_need_their_content() {
        let lut = cell(&instance("LUT3", Some(0x96))).unwrap();
        assert_eq!(lut.outputs[0].1, function(&["I0", "I1", "I2"], 0x96));
        for (name, init) in [
            ("LUT3", None),
            ("LUT7", Some(1)),
            ("LUT0", Some(1)),
            ("DSP48E2", None),
        ] {
            assert_eq!(cell(&instance(name, init)), None, "{name}");
        }
        assert_eq!(initial(&instance("FDRE", Some(1))), State::One);
        assert_eq!(initial(&instance("DFFPOSX1", None)), State::Unknown);
    }

    #[test]
    fn carry_chains_and_tables_of_two_outputs() {
        let outputs = carry(8, &["CI"]);
        assert_eq!(outputs[0].1.table, 0b10);
        assert_eq!(outputs.len(), 17);
        assert_eq!(carry(4, &["CI", "CYINIT"])[0].1.table, 0b1110);
        let mut chain = instance("CARRY8", None);
        assert!(cell(&chain).is_some());
        let double = ("CARRY_TYPE".to_owned(), "\"DUAL_CY4\"".to_owned());
        chain.parameters.push(double);
        assert_eq!(cell(&chain), None);
        let both = two_outputs(0x6996_6996_e8e8_e8e8);
        assert_eq!(both[0].1.table, 0xe8e8_e8e8);
    }

    #[test]
    fn a_flip_flop_loads_only_if_enabled_and_not_reset() {
        let table = gated("R", 0).table;
        // bits: state, CE, D, R
        for (inputs, value) in [
            (0b0001, 1),
            (0b0011, 0),
            (0b0110, 1),
            (0b0100, 0),
            (0b1111, 0),
        ] {
            assert_eq!(table >> inputs & 1, value, "{inputs:04b}");
        }
        assert_eq!(gated("S", 1).table >> 0b1000 & 1, 1);
    }
}
