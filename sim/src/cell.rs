//! What a cell does: Boolean functions of its pins, and of its state if it has one.

use std::collections::HashMap;

/// The pin of a register's functions that stands for its state.
pub const STATE: &str = "(state)";

/// A Boolean function of pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Pins, or [`STATE`]; at most six.
    pub pins: Vec<String>,
    /// Bit `k` is its value if pin `i` has the value of bit `i` of `k`.
    pub table: u64,
}

impl Function {
    /// Zero.
    pub const NEVER: Self = Self { pins: Vec::new(), table: 0 };

    /// A function of these pins.
    pub fn new(pins: &[&str], table: u64) -> Self {
        Self { pins: pins.iter().map(|&pin| pin.to_owned()).collect(), table }
    }

    /// The function of these pins, at most six, with those left out that it does not depend on.
    pub fn of<const N: usize>(pins: [&str; N], value: impl Fn([bool; N]) -> bool) -> Self {
        let at = |k: u64| value(std::array::from_fn(|i| k >> i & 1 == 1));
        let all = 0..1u64 << N;
        let matters = |i: &usize| all.clone().any(|k| at(k) != at(k ^ 1 << i));
        let kept: Vec<usize> = (0..N).filter(matters).collect();
        let spread = |k: u64| -> u64 { kept.iter().zip(0..).map(|(to, i)| (k >> i & 1) << to).sum() };
        let ones = (0..1u64 << kept.len()).filter(|k| at(spread(*k)));
        Self { table: ones.map(|k| 1 << k).sum(), pins: kept.iter().map(|i| pins[*i].to_owned()).collect() }
    }

    /// The value of a pin, or its complement.
    pub fn pin(name: &str, active: bool) -> Self {
        Self::new(&[name], if active { 0b10 } else { 0b01 })
    }
}

/// What a cell does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// Output pins; a function may read other outputs of the cell.
    pub outputs: Vec<(String, Function)>,
    /// Its state, if it has one.
    pub register: Option<Register>,
}

/// Functions of a register: it loads `next` when `clock` rises, unless cleared or preset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Rises to load.
    pub clock: Function,
    /// What is loaded.
    pub next: Function,
    /// Clears while true.
    pub clear: Function,
    /// Sets while true.
    pub preset: Function,
    /// What it holds at first, if that is known.
    pub initial: Option<bool>,
}

impl Register {
    /// A flip-flop whose output is `Q`: it loads `next` when `clock` rises.
    pub fn plain(clock: Function, next: Function) -> Self {
        Self { clock, next, clear: Function::NEVER, preset: Function::NEVER, initial: None }
    }

    /// The flip-flop as a cell, whose output `Q` is its state.
    pub fn cell(self) -> Cell {
        Cell { outputs: vec![("Q".to_owned(), Function::pin(STATE, true))], register: Some(self) }
    }
}

/// Cells by type.
pub type Cells = HashMap<String, Cell>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_without_influence_are_left_out() {
        let f = Function::of(["a", "b", "c"], |[a, _, c]| a && !c);
        assert_eq!(f, Function::new(&["a", "c"], 0b0010));
        assert_eq!(Function::of(["a"], |_| false), Function::NEVER);
    }
}
