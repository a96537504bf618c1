//! The delay model that generators plan with, from a target's figures.

use hdl::passes::delay::GenericDelay;

use crate::targets::{Target, Technology};

/// Delays of operators on `target`, wires included.
///
/// Cells: an estimate from chains of one cell each, lengthened by the share of wires. Gates are the
/// smallest AND; four times as many readers take an inverter that drives four. FPGAs: every operator is a table with its
/// route, or a carry chain.
pub fn of(target: &Target) -> GenericDelay {
    let ps = |value: f64| value.round() as u32;
    match &target.technology {
        Technology::Asic { model, .. } => {
            let wired = |value: f64| ps(value * (1.0 + model.wire_delay.value));
            GenericDelay {
                register: wired(model.flip_flop.delay_ps),
                sum: wired(model.full_adder.delay_ps),
                carry: wired(model.ripple_ps),
                constant_carry: wired(model.and2.delay_ps),
                xor: wired(model.xor2.delay_ps),
                gate: wired(model.and2.delay_ps),
                mux: wired(model.mux2.delay_ps),
                inverter: wired(model.inverter.delay_ps),
                drive: wired(model.inverter.delay_ps),
                lut_inputs: 2,
            }
        }
        Technology::Fpga { model, .. } => GenericDelay::of_tables(
            ps(model.register_ps.value),
            ps(model.route_ps.value + model.lut_ps.value),
            ps(model.carry_ps.value),
            model.lut_inputs,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_delays() {
        for target in Target::all().unwrap() {
            let delay = of(&target);
            assert!(delay.register > 0 && delay.sum > delay.carry && delay.carry > 0, "{delay:?}");
        }
    }

    #[test]
    fn an_older_process_is_slower() {
        let delay = |name| of(&Target::load(name).unwrap());
        assert!(delay("osu018").sum > delay("lp65").sum && delay("lp65").sum > delay("nangate45").sum);
    }
}
