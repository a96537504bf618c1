//! State machines: every encoding alike, and recovery from patterns that stand for no state.

use hdl::ModuleBuilder;
use hdl::dfg::eval::Stepper;
use hdl::dfg::{Module, Op};
use hdl::lang::{Encoding, States};
use hdl::random::Numbers;

use crate::support;

hdl::states! {
    /// A light that goes round, and a detour.
    enum Light { Red, Amber, Green, Flashing, Off }
}

/// Every encoding behaves alike, and a recovering machine leaves a pattern that stands for no state.
#[test]
fn machines_run_alike_in_every_encoding() {
    let mut runs = Vec::new();
    let mut seen = Vec::new();
    for (k, encoding) in [Encoding::Binary, Encoding::OneHot, Encoding::Gray].into_iter().enumerate() {
        for recovers in [false, true] {
            let m = ModuleBuilder::new(&format!("light{k}{recovers}"));
            let (go, fault) = (m.input("go", 0..=1), m.input("fault", 0..=1));
            let light = match recovers {
                true => m.recovering_machine::<Light>("light", encoding),
                false => m.machine::<Light>("light", encoding),
            };
            light.arms(|now| match now {
                Light::Red => {
                    m.when(go, || light.go(Light::Amber));
                }
                Light::Amber => light.go(Light::Green),
                Light::Green => {
                    m.when(!go, || light.go(Light::Red));
                }
                Light::Flashing => {
                    m.when(go & !fault, || light.go(Light::Off));
                }
                Light::Off => light.go(Light::Red),
            });
            m.when(fault, || light.go(Light::Flashing));
            for state in Light::ALL {
                m.output(&state.name().to_lowercase(), light.is(*state));
            }
            assert!(light.dot().contains("Off -> Red") && light.dot().contains("Amber -> Flashing"));
            let module = m.finish().unwrap();
            let mut numbers = Numbers::new(5);
            let mut stimulus = vec![(vec![0, 0], true)];
            stimulus
                .extend((0..80).map(|_| (vec![numbers.below(2) as i128, i128::from(numbers.below(7) == 0)], false)));
            let mut stepper = Stepper::new(&module).unwrap();
            let trace: Vec<_> = stimulus.iter().map(|(inputs, reset)| stepper.step(inputs, *reset)).collect();
            assert!(trace.iter().all(|states| states.iter().sum::<i128>() == 1));
            seen.push(trace);
            runs.push(support::run(module, stimulus));
        }
    }
    assert!(seen.iter().all(|trace| *trace == seen[0]));
    support::assert_lint_clean(&runs[3]);
    support::simulate(&runs);
}

/// The next state of every pattern of the register is that of a state, or the first.
#[test]
fn a_recovering_machine_leaves_every_other_pattern() {
    for (encoding, patterns) in [(Encoding::Binary, 8), (Encoding::OneHot, 32), (Encoding::Gray, 8)] {
        let m = ModuleBuilder::new("light");
        let light = m.recovering_machine::<Light>("light", encoding);
        light.arms(|now| light.go(Light::ALL[(now.number() + 1) % 5]));
        m.output("light", light.register());
        let module = m.finish().unwrap();
        assert_eq!(module.states[0].range.hi() + 1, patterns);
        let codes: Vec<i128> = {
            let mut stepper = Stepper::new(&module).unwrap();
            (0..5).map(|_| stepper.step(&[], false)[0]).collect()
        };
        let next = module.states[0].next.unwrap();
        for pattern in 0..patterns {
            let expected = match codes.iter().position(|code| *code == pattern) {
                Some(k) => codes[(k + 1) % 5],
                None => codes[0],
            };
            assert_eq!(value_of(&module, next, pattern), expected, "{encoding:?} {pattern}");
        }
    }
}

/// What `n` is while the only register of `module` holds `pattern`.
fn value_of(module: &Module, n: hdl::dfg::NodeId, pattern: i128) -> i128 {
    match module.graph.op(n) {
        Op::State(_) => pattern,
        Op::Const(k) => module.graph.constant_value(k),
        op => op.apply(|a| value_of(module, a, pattern)).unwrap(),
    }
}
