//! What an operator of a given width costs on a target: closed formulas over the target's model.

use super::{AsicModel, FpgaModel, Target, Technology};

/// An operator of a data path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Carry-propagate addition or subtraction with that many computed result bits.
    Add(u32),
    /// Carry-propagate addition of three operands with that many computed result bits.
    Add3(u32),
    /// Three operands to two, in that many columns.
    Compress(u32),
    /// Two-to-one multiplexer.
    Mux(u32),
    /// Bitwise AND or OR.
    And(u32),
    /// Bitwise exclusive OR.
    Xor(u32),
    /// Magnitude or equality comparison of two operands of that width.
    Compare(u32),
    /// Registers; the delay is what they take from the clock period.
    Register(u32),
}

impl Operation {
    /// Its bits.
    pub fn width(self) -> u32 {
        match self {
            Self::Add(w) | Self::Add3(w) | Self::Compress(w) | Self::Mux(w) => w,
            Self::And(w) | Self::Xor(w) | Self::Compare(w) | Self::Register(w) => w,
        }
    }
}

/// A cost. FPGAs have no area in µm² and no energy; cells have no look-up tables.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Cost {
    /// Delay in ps, wires included.
    pub delay_ps: f64,
    /// Cell area in µm².
    pub area_um2: f64,
    /// Dynamic energy in fJ with every input bit changing with probability one half, clock included, no glitches.
    pub energy_fj: f64,
    /// Look-up tables.
    pub luts: f64,
    /// Flip-flops.
    pub flip_flops: f64,
}

impl Target {
    /// What `operation` costs; nothing if it is no bit wide.
    ///
    /// Carry-propagate adders are ripple chains on both technologies: on cells they are the smallest, and what is
    /// mapped for speed is a choice of its own.
    pub fn cost(&self, operation: Operation) -> Cost {
        match &self.technology {
            Technology::Asic { model, .. } => model.cost(operation),
            Technology::Fpga { model, .. } => model.cost(operation),
        }
    }
}

/// `per_bit` cells wide, with the delay given.
fn cells(width: u32, delay_ps: f64, per_bit: (f64, f64)) -> Cost {
    let n = f64::from(width);
    Cost { delay_ps, area_um2: n * per_bit.0, energy_fj: n * per_bit.1, ..Cost::default() }
}

impl AsicModel {
    /// What `operation` costs; nothing if it is no bit wide.
    pub fn cost(&self, operation: Operation) -> Cost {
        if operation.width() == 0 {
            return Cost::default();
        }
        let bitwise = |o: &super::Operator, width| cells(width, o.delay_ps, (o.area_um2, o.energy_fj));
        let ripple = |width: u32, first: f64, per_bit| {
            cells(width, first + f64::from(width.saturating_sub(1)) * self.ripple_ps, per_bit)
        };
        let adder = (self.full_adder.area_um2, self.full_adder.energy_fj);
        let raw = match operation {
            Operation::Add(w) => ripple(w, self.full_adder.delay_ps, adder),
            // A row of full adders before the chain.
            Operation::Add3(w) => {
                let both = (2.0 * adder.0, 2.0 * adder.1);
                ripple(w, 2.0 * self.full_adder.delay_ps, both)
            }
            Operation::Compress(w) => bitwise(&self.full_adder, w),
            Operation::Mux(w) => bitwise(&self.mux2, w),
            Operation::And(w) => bitwise(&self.and2, w),
            Operation::Xor(w) => bitwise(&self.xor2, w),
            // Only the carry of a subtraction is kept: an inverter and a majority gate a bit, taken as a full adder
            // less its exclusive OR.
            Operation::Compare(w) => {
                let saved = (self.full_adder.area_um2 - self.xor2.area_um2).max(self.nand2.area_um2);
                let energy = (adder.1 - self.xor2.energy_fj).max(self.nand2.energy_fj);
                ripple(w, self.ripple_ps, (saved, energy))
            }
            Operation::Register(w) => {
                let energy = self.flip_flop.energy_fj + self.flip_flop_clock_fj;
                let cost = cells(w, self.flip_flop.delay_ps, (self.flip_flop.area_um2, energy));
                return Cost { flip_flops: f64::from(w), ..cost };
            }
        };
        Cost { delay_ps: raw.delay_ps * (1.0 + self.wire_delay.value), ..raw }
    }
}

impl FpgaModel {
    /// What `operation` costs, one routed net included; nothing if it is no bit wide.
    pub fn cost(&self, operation: Operation) -> Cost {
        if operation.width() == 0 {
            return Cost::default();
        }
        let level = self.lut_ps.value + self.route_ps.value;
        let chain = |width: u32| {
            self.route_ps.value
                + self.carry_entry_ps.value
                + f64::from(width.saturating_sub(1)) * self.carry_ps.value
                + self.carry_exit_ps.value
        };
        let luts = |delay_ps, luts: f64| Cost { delay_ps, luts, ..Cost::default() };
        let whole = |width: u32| match width < self.carry_least {
            // without a chain about every other bit above the lowest two takes a table for the carry into it
            true => f64::from(width) + f64::from(width.saturating_sub(2)) / 2.0,
            false => f64::from(width.next_multiple_of(self.carry_bits)),
        };
        // Gates of two inputs share a look-up table with what follows: of `k` inputs, `k - 1` gates fill one.
        let packed = f64::from(self.lut_inputs.saturating_sub(1).max(1));
        match operation {
            Operation::Add(w) => luts(chain(w), whole(w)),
            // The majority of one bit goes to the next one's table, and that one's output onto the chain.
            Operation::Add3(w) if self.carry_cell.is_some() => luts(level + chain(w), w.into()),
            Operation::Add3(w) => luts(2.0 * chain(w), 2.0 * whole(w)),
            Operation::Compress(w) => luts(level, 2.0 * f64::from(w)),
            Operation::Mux(w) => luts(level, f64::from(w)),
            Operation::And(w) | Operation::Xor(w) => luts(level, f64::from(w) / packed),
            // With five inputs a look-up table takes two bits of both operands onto the chain. With six Yosys takes three,
            // by a table for whether they are equal and one for which is greater.
            Operation::Compare(w) => {
                let steps = match self.lut_inputs {
                    5.. => w.div_ceil(2),
                    _ => w,
                };
                let tables = match self.lut_inputs {
                    6.. => 2 * w.div_ceil(3),
                    _ => steps,
                };
                luts(chain(steps), f64::from(tables))
            }
            Operation::Register(w) => {
                Cost { delay_ps: self.register_ps.value, flip_flops: f64::from(w), ..Cost::default() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_grow_with_width_and_vanish_at_zero() {
        let all: [fn(u32) -> Operation; 8] = [
            Operation::Add,
            Operation::Add3,
            Operation::Compress,
            Operation::Mux,
            Operation::And,
            Operation::Xor,
            Operation::Compare,
            Operation::Register,
        ];
        for target in Target::all().unwrap() {
            for operation in all {
                assert_eq!(target.cost(operation(0)), Cost::default());
                let (narrow, wide) = (target.cost(operation(4)), target.cost(operation(16)));
                assert!(narrow.delay_ps > 0.0 && narrow.delay_ps <= wide.delay_ps);
                let size = |c: Cost| c.area_um2 + c.luts + c.flip_flops;
                assert!(size(narrow) > 0.0 && size(narrow) < size(wide), "{}", target.name);
            }
        }
    }

    #[test]
    fn carry_cells_of_two_bits_are_taken_whole() {
        let target = Target::load("ecp5-45k").unwrap();
        let luts = |width| target.cost(Operation::Add(width)).luts;
        assert_eq!([2, 3, 5, 6, 7].map(luts), [2.0, 3.5, 6.0, 6.0, 8.0]);
    }

    /// Yosys makes 4 LUT6 and 2 LUT4 of `a < b` at eight bits.
    #[test]
    fn three_bits_of_a_comparison_are_two_tables_of_six_inputs() {
        let target = Target::load("xcup").unwrap();
        let luts = |width| target.cost(Operation::Compare(width)).luts;
        assert_eq!([4, 8, 9].map(luts), [4.0, 6.0, 6.0]);
    }

    #[test]
    fn a_ripple_adder_is_a_sum_and_carries() {
        let target = Target::load("nangate45").unwrap();
        let Technology::Asic { model, .. } = &target.technology else { panic!("nangate45 is a cell library") };
        let cost = target.cost(Operation::Add(8));
        let unwired = model.full_adder.delay_ps + 7.0 * model.ripple_ps;
        assert!((cost.delay_ps - unwired * (1.0 + model.wire_delay.value)).abs() < 1e-6);
        assert!((cost.area_um2 - 8.0 * model.full_adder.area_um2).abs() < 1e-9);
    }
}
