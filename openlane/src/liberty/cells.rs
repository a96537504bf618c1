//! What the cells of a library do, in the form in which netlists are simulated and proved.

use sim::cell::{Cell, Cells, Function, Register, STATE};

use super::{FlipFlop, Library, truth_table};

/// What the cells of a library do; those whose functions are not understood are missing.
pub fn functions(library: &Library) -> Cells {
    let cells = library.cells.iter().filter(|cell| !cell.other_state);
    cells.filter_map(|cell| Some((cell.name.clone(), of_cell(cell)?))).collect()
}

fn of_cell(cell: &super::Cell) -> Option<Cell> {
    let state = cell.flip_flop.as_ref().map(|f| &f.state);
    let outputs = cell.outputs().map(|pin| {
        let text = pin.function.as_deref().filter(|_| !pin.three_state)?;
        Some((pin.name.clone(), function(text, state)?))
    });
    let register = match &cell.flip_flop {
        Some(flip_flop) => Some(of_flip_flop(flip_flop)?),
        None => None,
    };
    Some(Cell { outputs: outputs.collect::<Option<_>>()?, register })
}

fn of_flip_flop(f: &FlipFlop) -> Option<Register> {
    let of = |text: &str| function(text, Some(&f.state));
    let optional = |text: &Option<String>| match text {
        Some(text) => of(text),
        None => Some(Function::NEVER),
    };
    Some(Register {
        clear: optional(&f.clear)?,
        preset: optional(&f.preset)?,
        ..Register::plain(of(&f.clocked_on)?, of(&f.next_state)?)
    })
}

/// A Liberty function of pins, and of the state and its complement if the cell has one.
pub fn function(text: &str, state: Option<&[String; 2]>) -> Option<Function> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_[].".contains(c);
    let mut names: Vec<&str> = Vec::new();
    for word in text.split(|c| !is_word(c)) {
        if !["", "0", "1"].contains(&word) && !names.contains(&word) {
            names.push(word);
        }
    }
    let [plus, minus] = state.map_or(["", ""], |[plus, minus]| [plus, minus]);
    // the complement is not free: it comes last, and only the half of the table stays in which it is the complement
    let inverted = names.contains(&minus) && !minus.is_empty();
    if inverted {
        names.retain(|name| *name != minus && *name != plus);
        names.extend([plus, minus]);
    }
    let mut table = truth_table(text, &names)?;
    if inverted {
        names.pop();
        let half = 1 << (names.len() - 1);
        let low = (1 << half) - 1;
        // state 0 has complement 1: the third quarter; state 1 has complement 0: the second
        table = (table >> (2 * half) & low) | (table >> half & low) << half;
    }
    let pin = |name: &&str| match *name == plus {
        true => STATE.to_owned(),
        false => (*name).to_owned(),
    };
    Some(Function { pins: names.iter().map(pin).collect(), table })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Function {
        let state = ["IQ".to_owned(), "IQN".to_owned()];
        function(text, Some(&state)).unwrap()
    }

    #[test]
    fn a_state_and_its_complement_are_one_input() {
        assert_eq!((of("IQ").pins, of("IQ").table), (vec![STATE.to_owned()], 0b10));
        assert_eq!((of("IQN").pins, of("IQN").table), (vec![STATE.to_owned()], 0b01));
        let enable = of("(E D) + (!E !IQN)");
        assert_eq!(enable.pins, ["E", "D", STATE]);
        assert_eq!(enable.table, of("(E D) + (!E IQ)").table);
    }

    #[test]
    fn pins_are_in_the_order_of_the_text() {
        let f = of("!(B * A) | 0");
        assert_eq!((f.pins, f.table), (vec!["B".to_owned(), "A".to_owned()], 0b0111));
        assert_eq!(function("A +", None), None);
    }
}
