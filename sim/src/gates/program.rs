//! Truth tables as chains of decisions, which work on all cycles of a block at once.

use std::collections::HashMap;

use super::faults::{Lanes, NO_LANES};
use super::levels::Levels;

/// Where `variable` is one, the value is that of `one`, else that of `zero`.
///
/// Values 0 and 1 are the constants, value `k + 2` is that of decision `k` of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Decision {
    variable: u8,
    zero: u8,
    one: u8,
}

/// A table's decisions among all [`Programs`]; the last of them is the table's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    first: u32,
    /// None for a constant, whose value is then `value`.
    length: u8,
    value: u8,
}

/// Decision diagrams of all tables of a circuit, each table once.
///
/// Every variable stands at most once on a way through a diagram, so that a value is unknown only if the unknown inputs
/// can really change it.
#[derive(Debug, Default)]
pub struct Programs {
    decisions: Vec<Decision>,
    of_table: HashMap<(u64, u8), Program>,
}

/// The values of a program's decisions.
#[derive(Debug)]
pub struct Scratch(Vec<Levels>);

impl Default for Scratch {
    fn default() -> Self {
        let mut values = vec![Levels::UNKNOWN; 2 + u8::MAX as usize];
        values[0] = Levels::constant(false);
        values[1] = Levels::constant(true);
        Self(values)
    }
}

impl Programs {
    /// The program of a table over `variables`, of which bit `k` is the value if variable `i` has the value of bit `i`
    /// of `k`.
    pub fn of(&mut self, table: u64, variables: usize) -> Program {
        let table = table & mask(variables);
        let key = (table, variables as u8);
        if let Some(program) = self.of_table.get(&key) {
            return *program;
        }
        let first = self.decisions.len();
        let mut known = HashMap::new();
        let value = self.decide(table, variables, first, &mut known);
        let program = Program { first: first as u32, length: (self.decisions.len() - first) as u8, value };
        self.of_table.insert(key, program);
        program
    }

    /// The value of a table; decides on the last variable first, so that recursion is as deep as there are variables.
    fn decide(&mut self, table: u64, variables: usize, first: usize, known: &mut HashMap<(u64, usize), u8>) -> u8 {
        if table == 0 {
            return 0;
        }
        if table == mask(variables) {
            return 1;
        }
        if let Some(value) = known.get(&(table, variables)) {
            return *value;
        }
        let rest = variables - 1;
        let (low, high) = (table & mask(rest), table >> (1 << rest));
        let zero = self.decide(low, rest, first, known);
        let value = match low == high {
            true => zero,
            false => {
                let one = self.decide(high, rest, first, known);
                self.decisions.push(Decision { variable: rest as u8, zero, one });
                (self.decisions.len() - first + 1) as u8
            }
        };
        known.insert((table, variables), value);
        value
    }

    /// The value of `program`, whose variables are the nets `inputs`.
    #[inline]
    pub fn run(&self, program: Program, inputs: &[u32], nets: &[Levels], scratch: &mut Scratch) -> Levels {
        let first = program.first as usize;
        let decisions = &self.decisions[first..first + program.length as usize];
        for (k, decision) in decisions.iter().enumerate() {
            let selector = &nets[inputs[decision.variable as usize] as usize];
            let (zero, one) = (decision.zero as usize, decision.one as usize);
            scratch.0[k + 2] = Levels::choose(selector, &scratch.0[zero], &scratch.0[one]);
        }
        scratch.0[program.value as usize]
    }

    /// The same where all levels are known, in lanes: `inputs` are those of the variables, `scratch` is that of [`known`].
    #[inline]
    pub fn run_known(&self, program: Program, inputs: &[Lanes], scratch: &mut [Lanes]) -> Lanes {
        let first = program.first as usize;
        let decisions = &self.decisions[first..first + program.length as usize];
        for (k, decision) in decisions.iter().enumerate() {
            let selector = &inputs[decision.variable as usize];
            let (zero, one) = (&scratch[decision.zero as usize], &scratch[decision.one as usize]);
            let chosen = std::array::from_fn(|w| zero[w] ^ (selector[w] & (zero[w] ^ one[w])));
            scratch[k + 2] = chosen;
        }
        scratch[program.value as usize]
    }
}

/// Room for the decisions of [`Programs::run_known`].
pub fn known() -> Vec<Lanes> {
    let mut values = vec![NO_LANES; 2 + u8::MAX as usize];
    values[1] = NO_LANES.map(|word| !word);
    values
}

/// All assignments of so many variables.
fn mask(variables: usize) -> u64 {
    u64::MAX >> (64 - (1 << variables))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::levels::State;
    use super::*;

    /// Most variables of a table.
    const VARIABLES: usize = 6;

    /// The level of `table` for inputs of which `known` are known to be `assignment`.
    fn value(table: u64, variables: usize, assignment: usize, known: usize) -> State {
        let mut programs = Programs::default();
        let program = programs.of(table, variables);
        let net = |i: usize| match known >> i & 1 {
            1 => Levels::constant(assignment >> i & 1 == 1),
            _ => Levels::UNKNOWN,
        };
        let nets: Vec<Levels> = (0..VARIABLES).map(net).collect();
        let levels = programs.run(program, &[0, 1, 2, 3, 4, 5], &nets, &mut Scratch::default());
        levels.at(0)
    }

    proptest! {
        #[test]
        fn a_program_gives_what_its_table_says(table: u64, variables in 0..=VARIABLES, assignment in 0_usize..64, known in 0_usize..64) {
            let relevant = (1 << variables) - 1;
            let fitting = (0..=relevant).filter(|k| (k ^ assignment) & known & relevant == 0);
            let possible: Vec<bool> = fitting.map(|k| table >> k & 1 == 1).collect();
            let expected = match (possible.contains(&false), possible.contains(&true)) {
                (true, false) => State::Zero,
                (false, true) => State::One,
                _ => State::Unknown,
            };
            prop_assert_eq!(value(table, variables, assignment, known), expected);
        }
    }

    #[test]
    fn the_same_table_is_the_same_program() {
        let mut programs = Programs::default();
        let carry = programs.of(0xe8, 3);
        let decisions = programs.decisions.len();
        assert_eq!(programs.of(0xe8, 3), carry);
        assert_eq!(programs.decisions.len(), decisions);
        assert_eq!(decisions, 4, "three variables, the middle one twice");
    }
}
