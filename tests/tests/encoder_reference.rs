//! The encoder's integer model against the chip's vectors, and its data path against the integer model.

use std::path::Path;

use constraints::Target;
use hdl::dfg::eval;
use hwgen::arith::multiply::Multiplier;
use hwgen::arith::{Arithmetic, Fabric};
use hwgen::encoder::arithmetic::{Contract, Widths, layers};
use hwgen::encoder::geometry::place_of;
use hwgen::encoder::model::{EncoderModel, Input};
use hwgen::encoder::network::{EncoderNetwork, Parts, Storage, datapath};
use hwgen::encoder::weights::{Choice, Tensors};
use hwgen_tests::{shared, shared_json};
use serde_json::Value as Json;

fn integers(value: &Json) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

const FIXED: Parts = Parts { storage: Storage::Fixed, front_end: false };

/// Module sum, normalised, hidden and latent values of an event.
fn evaluate(network: &EncoderNetwork, event: &[i64]) -> [Vec<i64>; 4] {
    let evaluation = network.graph.evaluate(&[event.to_vec()]).unwrap();
    let sum = network.module_sum.map_or(Vec::new(), |sum| evaluation.tensor(sum).to_vec());
    let [normalised, hidden, encoded] =
        [network.normalised, network.hidden, network.encoded].map(|tensor| evaluation.tensor(tensor).to_vec());
    [sum, normalised, hidden, encoded]
}

fn golden_model(json: &Json) -> EncoderModel {
    let tensors = Tensors::parse(&json.to_string(), "golden").unwrap();
    assert!(tensors.registers);
    tensors.model(Contract::Silicon, Input::Calq, layers(Contract::Silicon, Widths::CHIP)).unwrap()
}

#[test]
fn every_golden_event_is_exact() {
    for file in ["econt_11", "econt_12", "econt_small"] {
        let Some(json) = shared_json(&format!("golden/{file}.json")) else {
            return;
        };
        let network = golden_model(&json).network(FIXED).unwrap();
        let events = json["calq"].as_array().unwrap();
        for (i, calq) in events.iter().enumerate() {
            let [sum, normalised, hidden, encoded] = evaluate(&network, &integers(calq));
            assert_eq!(sum, [json["module_sum_5e4m"][i].as_i64().unwrap()], "{file} event {i}");
            assert_eq!(normalised, integers(&json["normalised"][i]), "{file} event {i}");
            assert_eq!(encoded, integers(&json["encoded"][i]), "{file} event {i}");
            if !json["hidden"].is_null() {
                assert_eq!(hidden, integers(&json["hidden"][i]), "{file} event {i}");
            }
        }
    }
}

#[test]
fn a_flipped_weight_bit_is_seen() {
    let Some(json) = shared_json("golden/econt_small.json") else {
        return;
    };
    let sound = golden_model(&json);
    let events = json["calq"].as_array().unwrap();
    let seen = |model: &EncoderModel| {
        let network = model.network(FIXED).unwrap();
        let differs = |(i, calq): (usize, &Json)| {
            let [.., encoded] = evaluate(&network, &integers(calq));
            encoded != integers(&json["encoded"][i])
        };
        events.iter().enumerate().any(differs)
    };
    assert!(!seen(&sound));
    // the other filters and outputs never leave zero on these events
    for f in [0, 1, 2, 5, 7] {
        let mut model = sound.clone();
        model.conv.weights[f][4] ^= 16;
        assert!(seen(&model), "filter {f}");
    }
    for o in [1, 2, 4, 5, 10, 11] {
        let mut model = sound.clone();
        model.dense.bias[o] ^= 4;
        assert!(seen(&model), "output {o}");
    }
}

#[test]
fn the_data_path_is_the_model() {
    let shipped = Tensors::shipped();
    let fabrics = ["generic", "lp65", "xcup"].map(|t| Fabric::of(&Target::load(t).unwrap()));
    for (contract, bits, constants) in [
        (Contract::Silicon, 8, fabrics[0]),
        (Contract::Silicon, 8, fabrics[1]),
        (Contract::Silicon, 8, fabrics[2]),
        (Contract::Silicon, 4, fabrics[1]),
        (Contract::Qkeras, 8, fabrics[0]),
        (Contract::Qkeras, 4, fabrics[1]),
    ] {
        let widths = Widths { bits, ..Widths::CHIP };
        let layers = layers(contract, widths);
        let model = shipped.model(contract, Input::Calq, layers).unwrap();
        let network = model.network(FIXED).unwrap();
        let arithmetic = Arithmetic::of(constants, Multiplier::Operator);
        let fixed = datapath("encoder", &model, FIXED, arithmetic).unwrap();
        for seed in 0..20u64 {
            let calq: Vec<i64> = (0..48)
                .map(|i| (seed * 7919 + i * i * 104_729 * (seed + 1)) as i64 % (1 << (seed + 2)).min(1 << 22))
                .collect();
            let wide: Vec<i128> = calq.iter().map(|v| i128::from(*v)).collect();
            let [sum, .., encoded] = evaluate(&network, &calq);
            let outputs = eval::evaluate(&fixed, &wide).unwrap();
            let expected: Vec<i128> = sum.into_iter().chain(encoded).map(i128::from).collect();
            let case = format!("{contract:?} {bits} bits {constants:?} seed {seed}");
            assert_eq!(outputs, expected, "{case}");
        }
    }
}

/// The ten samples of the trained network; the arrays are read from the plain-number part of their `.npy` files.
#[test]
fn the_qkeras_samples_are_exact() {
    let Some(folder) = shared("models/econ-t-qkeras") else {
        return;
    };
    let choice = Choice {
        file: Some(&folder.join("keras_model.h5")),
        contract: Contract::Qkeras,
        input: Input::Normalised,
        bits: None,
        weight_bits: None,
        output_bits: None,
    };
    let model = choice.model().unwrap();
    let images = npy(&folder.join("hgcal_test_input.npy"), 8);
    let outputs = npy(&folder.join("hgcal_test_output.npy"), 4);
    let network = model.network(FIXED).unwrap();
    let data_path = datapath("encoder", &model, FIXED, Arithmetic::default()).unwrap();
    let mut exact = 0;
    for (image, expected) in images.chunks(64).zip(outputs.chunks(16)) {
        let cells: Vec<i64> = (0..48).map(place_of).map(|(r, c)| (image[8 * r + c] * 128.0) as i64).collect();
        let [.., encoded] = evaluate(&network, &cells);
        let wide: Vec<i128> = cells.iter().map(|v| i128::from(*v)).collect();
        assert_eq!(
            eval::evaluate(&data_path, &wide).unwrap(),
            encoded.iter().map(|v| i128::from(*v)).collect::<Vec<_>>()
        );
        exact += encoded.iter().zip(expected).filter(|(got, want)| **got as f64 == **want * 256.0).count();
    }
    assert_eq!(exact, 160);
}

/// The numbers of an `.npy` file of `size`-byte floats.
fn npy(path: &Path, size: usize) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let number = |b: &[u8]| match size {
        4 => f64::from(f32::from_le_bytes(b.try_into().unwrap())),
        _ => f64::from_le_bytes(b.try_into().unwrap()),
    };
    bytes[10 + header..].chunks(size).map(number).collect()
}
