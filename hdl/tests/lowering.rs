//! The register-transfer form of random modules means what the data-flow graph means, cycle by cycle.

use std::collections::HashMap;

use hdl::random::{self, Numbers};
use hdl::{dfg, lower, pack, rtl};
use proptest::prelude::*;

fn check(choices: &[u32], seed: u64) -> Result<(), TestCaseError> {
    let module = random::module("m", choices);
    let design = lower::lower(&module).map_err(|e| TestCaseError::fail(e.to_string()))?;
    prop_assert_eq!(&rtl::parse(&rtl::print(&design)).unwrap(), &design);
    let mut dfg = dfg::eval::Stepper::new(&module).unwrap();
    let mut rtl = rtl::eval::Stepper::new(&design, &HashMap::new()).unwrap();
    let mut numbers = Numbers::new(seed);
    for cycle in 0..12 {
        let inputs = numbers.inputs(&module);
        let reset = numbers.bits().is_multiple_of(8);
        let expected = dfg.step(&inputs, reset);
        let buses: Vec<_> =
            module.inputs.iter().map(|p| pack::pack(p.elements.iter().copied(), &inputs[p.first as usize..])).collect();
        let got: Vec<i128> = rtl
            .step(&buses, reset)
            .iter()
            .zip(&module.outputs)
            .flat_map(|(bus, port)| {
                let formats: Vec<_> = port.elements.iter().map(|e| e.format).collect();
                pack::unpack(formats, bus)
            })
            .collect();
        prop_assert_eq!(got, expected, "cycle {}", cycle);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn lowering_keeps_the_meaning(choices in prop::collection::vec(any::<u32>(), 0..250), seed: u64) {
        check(&choices, seed)?;
    }
}
