//! Dense networks whose weights lie beside golden inputs and outputs.

use hdl::dfg::eval::evaluate;
use hwgen::import::dense::{Weights, read};
use hwgen::network::build;
use hwgen::network::dense::DenseNetwork;
use hwgen_tests::numpy::npz;
use hwgen_tests::shared;

const CASES: [&str; 4] = ["jt_dense_rs", "jt_dense_tw", "jt_sp50_rs", "jt_sp50_tw"];

/// Events that go through the hardware's own meaning; all go through the model's.
const HARDWARE_EVENTS: usize = 20;

#[test]
fn golden_events_are_exact_in_model_and_hardware() {
    for case in CASES {
        let Some(file) = shared(&format!("bench/cases/{case}.json")) else {
            return;
        };
        let golden = file.with_extension("npz");
        let Weights::Layers { layers, shifts, requantiser, activation_bits } = read(&[file]).unwrap() else {
            panic!("{case} holds matrices")
        };
        let network = DenseNetwork {
            input: (-128, 127),
            layers,
            shifts: shifts.unwrap(),
            activation_bits: activation_bits.unwrap(),
            requantiser: requantiser.unwrap(),
        };
        let graph = network.graph(case).unwrap();
        let module = build(&graph, case).unwrap();
        let (x, y) = (npz(&golden, "x"), npz(&golden, "y"));
        let integers = |row: &[f32]| row.iter().map(|v| *v as i64).collect::<Vec<_>>();
        for (k, (x, y)) in x.rows().zip(y.rows()).enumerate() {
            let (x, y) = (integers(x), integers(y));
            let got = graph.evaluate(std::slice::from_ref(&x)).unwrap();
            assert_eq!(got.outputs()[0], y, "{case}, event {k}");
            if k < HARDWARE_EVENTS {
                let x: Vec<i128> = x.iter().map(|v| i128::from(*v)).collect();
                let y: Vec<i128> = y.iter().map(|v| i128::from(*v)).collect();
                assert_eq!(evaluate(&module, &x).unwrap(), y, "{case}, event {k}");
            }
        }
    }
}
