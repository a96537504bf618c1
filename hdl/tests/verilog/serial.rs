//! A serial register interface: a state machine that takes frames of 1 start bit, 1 write bit, 3 address bits and
//! 8 data bits, most significant first, one bit a clock while `select` is 1, and answers a read bit by bit.
//!
//! A frame that `select` ends early is dropped.

use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder, RegisterStyle, Reset, eval::Stepper};
use hdl::num::Format;
use hdl::random::Numbers;

use crate::support;

const IDLE: i128 = 0;
const HEAD: i128 = 1;
const DATA: i128 = 2;

const ADDRESS_BITS: u32 = 3;
const DATA_BITS: u32 = 8;

fn serial() -> Arc<Module> {
    let m = ModuleBuilder::new("serial");
    let select = m.input("selected", Format::BIT);
    let bit = m.input("bit_in", Format::BIT);
    let style = RegisterStyle { reset: Reset::Asynchronous, ..RegisterStyle::default() };
    let bits = |width| Format::unsigned(width, 0).unwrap();
    let number = |value: u32| m.constant(i128::from(value), 0);
    let state = m.state("state", bits(2), style);
    let left = m.state("left", bits(4), style);
    let head = m.state("head", bits(1 + ADDRESS_BITS), style);
    let data = m.state("data", bits(DATA_BITS), style);
    let is = |value: i128| state.value().equals(m.constant(value, 0));
    let zero = m.constant(0, 0);

    let last = left.value().equals(zero).named("last_bit");
    let (in_head, in_data) = (is(HEAD).named("in_head"), is(DATA).named("in_data"));
    let head_done = (in_head & last).named("head_done");
    let frame_done = (in_data & last & select).named("frame_done");

    // head and data shift in from the right; a frame's data register starts with the word that a read answers
    let next_head = head.value().slice(ADDRESS_BITS - 1, 0).concat(bit, 1);
    let address = next_head.slice(ADDRESS_BITS - 1, 0).named("address");
    let words = m.memory("words", 1 << ADDRESS_BITS, bits(DATA_BITS));
    let shifted = data.value().slice(DATA_BITS - 2, 0).concat(bit, 1);
    head.set_next_when(in_head & select, next_head);
    data.set_next_when(select, head_done.mux(words.read(address), shifted));
    let stored = head.value().slice(ADDRESS_BITS - 1, 0);
    let write = head.value().bit(ADDRESS_BITS);
    words.write(frame_done & write, stored, shifted);

    let started = is(IDLE) & bit;
    let count = (left.value() - number(1)).max(zero);
    let next_left = started.mux(number(ADDRESS_BITS), head_done.mux(number(DATA_BITS - 1), count));
    left.set_next(next_left);
    let on = started.mux(
        m.constant(HEAD, 0),
        head_done.mux(m.constant(DATA, 0), frame_done.mux(m.constant(IDLE, 0), state.value())),
    );
    state.set_next(select.mux(on, m.constant(IDLE, 0)));

    m.output("bit_out", data.value().bit(DATA_BITS - 1) & in_data);
    m.output("busy", state.value().differs(m.constant(IDLE, 0)));
    m.finish().unwrap()
}

/// The bits of a frame, most significant first.
fn frame(write: bool, address: u32, data: u32) -> Vec<i128> {
    let word = 1 << 12 | u32::from(write) << 11 | address << 8 | data;
    (0..13).rev().map(|i| i128::from(word >> i & 1)).collect()
}

/// Sends a frame and returns what came back with its data bits.
fn send(stepper: &mut Stepper, frame: &[i128]) -> i128 {
    let sent = frame.iter().map(|bit| stepper.step(&[1, *bit], false)[0]);
    let answer: Vec<i128> = sent.collect();
    answer.iter().rev().take(8).rev().fold(0, |word, bit| word << 1 | bit)
}

#[test]
fn words_written_over_the_wire_read_back() {
    let module = serial();
    let mut stepper = Stepper::new(&module).unwrap();
    stepper.step(&[0, 0], true);
    for address in 0..8 {
        send(&mut stepper, &frame(true, address, 37 * address + 5));
    }
    assert_eq!(stepper.outputs(&[1, 0], false)[1], 0, "not busy after a frame");
    // a frame cut short writes nothing
    send(&mut stepper, &frame(true, 3, 0)[..12]);
    stepper.step(&[0, 0], false);
    for address in (0..8).rev() {
        let got = send(&mut stepper, &frame(false, address, 0xff));
        assert_eq!(got, i128::from((37 * address + 5) & 0xff), "word {address}");
    }
}

#[test]
fn serial_runs_in_icarus_as_evaluated() {
    let module = serial();
    let mut numbers = Numbers::new(61);
    let mut stimulus = vec![(vec![0, 0], true)];
    let bit = |bit: i128| (vec![1, bit], false);
    for _ in 0..60 {
        let random = numbers.bits() as u32;
        let frame = frame(random & 1 == 1, random >> 1 & 7, random >> 4 & 0xff);
        let sent = if random >> 12 & 7 == 0 { 9 } else { frame.len() };
        stimulus.extend(frame[..sent].iter().map(|b| bit(*b)));
        stimulus.extend(std::iter::repeat_n((vec![0, 1], false), random as usize >> 15 & 3));
    }
    let run = support::run(module, stimulus);
    support::assert_lint_clean(&run);
    support::simulate(&[run]);
}
