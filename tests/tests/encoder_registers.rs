//! Programmable weights and the front end, loaded through the register port of the evaluator.

use std::sync::Arc;

use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use hwgen::arith::Arithmetic;
use hwgen::encoder::arithmetic::{Contract, Widths, layers};
use hwgen::encoder::model::{EncoderModel, Input};
use hwgen::encoder::network::{Parts, Storage, datapath};
use hwgen::encoder::registers;
use hwgen::encoder::store::{self, with_registers};
use hwgen::encoder::weights::{Tensors, registers_of};
use hwgen::model::HandMade;
use hwgen::model::block::front_end::FrontEndSettings;

fn model() -> EncoderModel {
    Tensors::shipped().model(Contract::Silicon, Input::Calq, layers(Contract::Silicon, Widths::CHIP)).unwrap()
}

/// Module sum and latent values of an event's charges.
fn evaluate(model: &EncoderModel, calq: &[i64]) -> Vec<i128> {
    let network = model.network(Parts { storage: Storage::Fixed, front_end: false }).unwrap();
    let evaluation = network.graph.evaluate(&[calq.to_vec()]).unwrap();
    evaluation.outputs().concat().iter().map(|v| i128::from(*v)).collect()
}

fn build(model: &EncoderModel, parts: Parts) -> Arc<Module> {
    let datapath = datapath("datapath", model, parts, Arithmetic::default()).unwrap();
    with_registers("encoder", &datapath, parts, model.conv.arithmetic.weight.range.width()).unwrap()
}

/// The inputs of a cycle in which nothing is written: stream, write, address, data.
fn inputs(stream: &[i64], write: i128, address: usize, data: u8) -> Vec<i128> {
    let stream = stream.iter().map(|v| i128::from(*v));
    stream.chain([write, address as i128, i128::from(data)]).collect()
}

fn address(block: usize, offset: usize) -> usize {
    block << store::OFFSET_BITS | offset
}

fn write(stepper: &mut Stepper, block: usize, bytes: &[u8]) {
    for (offset, byte) in bytes.iter().enumerate() {
        stepper.step(&inputs(&[0; 48], 1, address(block, offset), *byte), false);
    }
}

fn read(stepper: &mut Stepper, block: usize, offset: usize) -> u8 {
    let question = inputs(&[0; 48], 0, address(block, offset), 0);
    stepper.step(&question, false);
    *stepper.outputs(&question, false).last().unwrap() as u8
}

#[test]
fn weights_written_through_the_port_work_and_read_back() {
    let model = model();
    let module = build(&model, Parts { storage: Storage::Programmable, front_end: false });
    let mut stepper = Stepper::new(&module).unwrap();
    let image = registers::pack(&registers::stream(&registers_of(&model)), 6).unwrap();
    for (block, bytes) in image.chunks(registers::block_bytes(6)).enumerate() {
        write(&mut stepper, block, bytes);
    }
    assert_eq!(read(&mut stepper, 11, 133), *image.last().unwrap());
    assert_eq!(read(&mut stepper, 3, 17), image[3 * 134 + 17]);
    assert_eq!(read(&mut stepper, 3, 134), 0, "past the block");
    assert_eq!(read(&mut stepper, 12, 0), 0, "no such block");
    write(&mut stepper, 12, &[7]);
    for seed in 1..4 {
        let calq: Vec<i64> = (0..48).map(|i| (seed * 1_000_003 * (i + 1)) % (1 << (7 * seed))).collect();
        let outputs = stepper.outputs(&inputs(&calq, 0, 0, 0), false);
        assert_eq!(outputs[..17], evaluate(&model, &calq));
    }
}

#[test]
fn the_front_end_follows_its_settings() {
    let model = model();
    let parts = Parts { storage: Storage::Fixed, front_end: true };
    let module = build(&model, parts);
    let settings = FrontEndSettings {
        select: (0..48).map(|i| (i * 29 + 5) % 64).collect(),
        calibration: (0..48).map(|i| (i * 331 + 77) % 4096).collect(),
        high_density: true,
    };
    let mut stepper = Stepper::new(&module).unwrap();
    let select: Vec<u8> = settings.select.iter().map(|v| *v as u8).collect();
    let calibration: Vec<u8> = settings.calibration.iter().flat_map(|v| (*v as u16).to_le_bytes()).collect();
    write(&mut stepper, store::SELECT_BLOCK, &select);
    write(&mut stepper, store::CALIBRATION_BLOCK, &calibration);
    for high_density in [true, false] {
        write(&mut stepper, store::DENSITY_BLOCK, &[u8::from(high_density)]);
        let settings = FrontEndSettings { high_density, ..settings.clone() };
        for seed in 0..20 {
            let link: Vec<i64> = (0..48).map(|i| (seed * 37 + i * 11 + i * i * seed) % 128).collect();
            let outputs = stepper.outputs(&inputs(&link, 0, 0, 0), false);
            assert_eq!(outputs[..17], evaluate(&model, &settings.evaluate(&[&link])), "seed {seed}");
        }
    }
}

/// The formula of the unpacking, written out as the chip's description has it.
#[test]
fn a_float_is_the_middle_of_its_bin() {
    for high_density in [false, true] {
        let settings = FrontEndSettings { high_density, ..FrontEndSettings::default() };
        let d = if high_density { 3 } else { 1 };
        for code in 0..128i64 {
            let (e, m) = (code >> 3, code & 7);
            let significand = if e > 0 { (m << (e - 1)) + (1 << (e + 2)) } else { m };
            let expected = (significand << d) + (1 << ((e - 1).max(0) + d - 1));
            assert_eq!(settings.evaluate(&[&[code; 48]]), [expected; 48], "code {code}");
        }
    }
}
