//! How often a function of nets is one: what a cell's leakage and the energy of its clock pin depend on.

use super::circuit::Circuit;
use super::levels::Plane;
use super::program::{Program, Programs, Scratch};
use super::simulator::Simulator;

/// A function of at most six nets of a circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The nets.
    pub nets: Vec<u32>,
    /// Bit `k` is its value if net `i` has the value of bit `i` of `k`.
    pub table: u64,
}

/// Counts the cycles in which each of many conditions holds.
#[derive(Debug)]
pub(super) struct Conditions<'c> {
    conditions: &'c [Condition],
    programs: Programs,
    of_condition: Vec<Program>,
    counts: Vec<u64>,
    scratch: Scratch,
}

impl<'c> Conditions<'c> {
    pub fn new(conditions: &'c [Condition]) -> Self {
        let mut programs = Programs::default();
        let of_condition = conditions.iter().map(|c| programs.of(c.table, c.nets.len())).collect();
        Self { conditions, programs, of_condition, counts: vec![0; conditions.len()], scratch: Scratch::default() }
    }

    /// Counts the cycles that `counted` marks of a block that is settled; where it is not known whether a condition
    /// holds, it does not.
    pub fn run(&mut self, settled: &Simulator<'_>, counted: &Plane) {
        for (i, condition) in self.conditions.iter().enumerate() {
            let levels = self.programs.run(self.of_condition[i], &condition.nets, settled.all(), &mut self.scratch);
            let words = levels.one.iter().zip(&levels.zero).zip(counted);
            let holds: u32 = words.map(|((one, zero), counted)| (one & !zero & counted).count_ones()).sum();
            self.counts[i] += u64::from(holds);
        }
    }

    pub fn into_counts(self) -> Vec<u64> {
        self.counts
    }
}

impl Circuit {
    /// How many nets there are; they are numbered from zero.
    pub fn nets(&self) -> usize {
        self.nets
    }
}
