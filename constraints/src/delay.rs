//! The delay model that generators plan with, from a target's figures.

use hdl::passes::delay::GenericDelay;

use crate::target::{Target, Technology};

/// Delays of operators on `target`, an estimate: one level is a full adder's sum or a look-up table, wires included.
pub fn of(target: &Target) -> GenericDelay {
    let ps = |value: f64| value.round() as u32;
    match &target.technology {
        Technology::Asic { model, .. } => {
            let wired = |value: f64| ps(value * (1.0 + model.wire_delay.value));
            GenericDelay {
                register: wired(model.flip_flop.delay_ps),
                level: wired(model.full_adder.delay_ps),
                carry: wired(model.ripple_ps),
                lut_inputs: 2,
            }
        }
        Technology::Fpga { model, .. } => GenericDelay {
            register: ps(model.register_ps.value),
            level: ps(model.route_ps.value + model.lut_ps.value),
            carry: ps(model.carry_ps.value),
            lut_inputs: model.lut_inputs,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_delays() {
        for target in Target::all().unwrap() {
            let delay = of(&target);
            assert!(
                delay.register > 0 && delay.level > delay.carry && delay.carry > 0,
                "{delay:?}"
            );
        }
    }

    #[test]
    fn an_older_process_is_slower() {
        let delay = |name| of(&Target::load(name).unwrap());
        assert!(
            delay("osu018").level > delay("lp65").level
                && delay("lp65").level > delay("nangate45").level
        );
    }
}
