use std::sync::Arc;

use hdl::dfg::eval::Stepper;
use hdl::dfg::{BlackBox, Module, ModuleBuilder, RegisterStyle, Stamp, Value};
use hdl::num::{Format, Interval};
use proptest::prelude::*;

use super::*;

/// One node of a random module: an operator and what it takes, modulo what there is.
type Choice = (u8, u16, u16, u16, i32);

/// A module with inputs of `bits` bits, a weight register, a register file, and one node a choice, all of them
/// outputs.
fn random_module(choices: &[Choice], bits: u32) -> Arc<Module> {
    let m = ModuleBuilder::new("random");
    let mut values = m.input_array("a", 2, Format::unsigned(bits, 0).unwrap());
    values.extend(m.input_array("b", 2, Format::signed(bits, 0).unwrap()));
    let weight = m.state("weight", Format::signed(5, 0).unwrap(), RegisterStyle::default());
    weight.set_next(weight.value());
    values.push(weight.value());
    let file = m.memory("file", 4, Format::signed(6, 0).unwrap());
    let off = m.constant(0, 0);
    file.write(off, off, off);
    for &(operator, x, y, z, k) in choices {
        let pick = |i: u16| values[usize::from(i) % values.len()];
        let made = match operator % 24 {
            23 => file.read(pick(x).wrap(2, false)),
            _ => operate(&m, operator % 24, [pick(x), pick(y), pick(z)], i128::from(k)),
        };
        // brought back to a width, or products of products would outgrow every type
        let grown = made.range().width() > 2 * bits;
        values.push(if grown { made.wrap(2 * bits, k % 2 == 0) } else { made });
    }
    m.output_array("y", &values);
    m.finish().unwrap()
}

fn operate<'m>(m: &'m ModuleBuilder, operator: u8, [x, y, z]: [Value<'m>; 3], k: i128) -> Value<'m> {
    let constant = m.constant(k, 0);
    let up = |v: Value<'m>| v * m.constant(1 << (k & 7), 0);
    match operator {
        0 => x + y,
        1 => x + up(y),
        2 => x - up(y),
        3 => up(x) - y,
        4 => x - y,
        5 => constant - x,
        6 => x + constant,
        7 => x * y,
        8 => x * constant,
        9 => (x + constant).with_frac(3).truncate(0),
        10 => x & y,
        11 => x | constant,
        12 => x ^ y,
        13 => x.lt(y),
        14 => constant.lt(x),
        15 => x.equals(y),
        16 => x.mux(y, z),
        17 => x.mux(constant, m.constant(3, 0)),
        18 => x.saturate(Interval::new(-9, k.max(-9)).unwrap()),
        19 => x.wrap(3, true),
        20 => x.concat(y.wrap(3, false), 3),
        21 => x.wrap(2, false).lookup(&[k, -1, 7, 100], 0),
        _ => x.min(y).max(z).delay(2),
    }
}

/// Rows within the module's input ranges, made from arbitrary numbers.
fn rows(module: &Module, seeds: &[i64]) -> Vec<i128> {
    let ranges: Vec<Interval> = module.input_formats().map(|f| f.range).collect();
    let whole = seeds.len() / ranges.len() * ranges.len();
    seeds[..whole]
        .iter()
        .zip(ranges.iter().cycle())
        .map(|(seed, r)| r.lo() + i128::from(*seed).rem_euclid(r.hi() - r.lo() + 1))
        .collect()
}

/// The outputs once the inputs were held for longer than any chain of registers, also of timeless ones.
fn settled(module: &Arc<Module>, row: &[i128]) -> Vec<i128> {
    let mut stepper = Stepper::new(module).unwrap();
    (0..130).for_each(|_| drop(stepper.step(row, false)));
    stepper.outputs(row, false)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the module and the lane type it needs, the batch says what the evaluator says.
    #[test]
    fn batch_is_the_evaluator(
        choices in prop::collection::vec(any::<Choice>(), 1..60),
        bits in prop::sample::select(vec![4u32, 9, 14, 20, 28]),
        seeds in prop::collection::vec(any::<i64>(), 4..400),
    ) {
        let choices: Vec<Choice> = choices.iter().map(|c| (c.0, c.1, c.2, c.3, c.4 % 1000)).collect();
        let module = random_module(&choices, bits);
        let batch = Batch::compile(&module).unwrap();
        let inputs = rows(&module, &seeds);
        let got = batch.run(&inputs).unwrap();
        for (row, got) in inputs.chunks(4).zip(got.chunks(batch.output_count())) {
            prop_assert_eq!(settled(&module, row), got);
        }
    }
}

/// The narrow formats run in 32 bits, the wide ones in 64 and 128.
#[test]
fn lanes_are_as_narrow_as_they_can_be() {
    for (bits, lane_bits) in [(15, 32), (16, 64), (31, 64), (32, 128), (50, 128)] {
        let m = ModuleBuilder::new("square");
        let x = m.input("x", Format::unsigned(bits, 0).unwrap());
        m.output("y", x * x);
        let batch = Batch::compile(&m.finish().unwrap()).unwrap();
        assert_eq!(batch.size().lane_bits, lane_bits, "{bits} bits");
    }
}

/// Samples keep their order over many blocks and an incomplete last one.
#[test]
fn many_samples_keep_their_order() {
    let m = ModuleBuilder::new("line");
    let x = m.input("x", Format::unsigned(20, 0).unwrap());
    m.output("y", (x * m.constant(3, 0) + m.constant(1, 0)).delay(4));
    let batch = Batch::compile(&m.finish().unwrap()).unwrap();
    let inputs: Vec<i32> = (0..100_001).collect();
    let expected: Vec<i32> = inputs.iter().map(|x| 3 * x + 1).collect();
    assert_eq!(batch.run(&inputs).unwrap(), expected);
    assert!(batch.run::<i64>(&[]).unwrap().is_empty());
}

/// What a branch makes with the range that its condition leaves.
#[test]
fn branches_select_what_is_right_in_them() {
    let m = ModuleBuilder::new("less");
    let x = m.input("x", 0..=9);
    let y = m.signal("y", 0..=90, 90);
    m.when(x.differs(0), || y.set((x - 1).lookup(&[8, 7, 6, 5, 4, 3, 2, 1, 0], 0)));
    m.output("y", y);
    let batch = Batch::compile(&m.finish().unwrap()).unwrap();
    let inputs: Vec<i32> = (0..10).collect();
    assert_eq!(batch.run(&inputs).unwrap(), [90, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
}

/// A weight given as content acts like a weight that was loaded by the clock.
#[test]
fn content_is_what_registers_hold() {
    let m = ModuleBuilder::new("weighted");
    let x = m.input("x", Format::signed(8, 0).unwrap());
    let load = m.input("load", Format::BIT);
    let value = m.input("value", Format::signed(6, 0).unwrap());
    let weight = m.state("weight", Format::signed(6, 0).unwrap(), RegisterStyle::default());
    weight.set_next_when(load, value);
    m.output("y", x * weight.value());
    let module = m.finish().unwrap();
    let mut stepper = Stepper::new(&module).unwrap();
    stepper.step(&[0, 1, -21], false);
    let content = Content::of(&module, &stepper);
    let batch = Batch::compile(&module).unwrap();
    let row = [100, 0, 0];
    assert_eq!(batch.run_with(&row, &content).unwrap(), [-2100]);
    assert_eq!(stepper.outputs(&row.map(i128::from), false), [-2100]);
    assert_eq!(batch.run(&row).unwrap(), [0]);
}

fn code<T: std::fmt::Debug>(result: Result<T, Diagnostics>) -> &'static str {
    result.unwrap_err().0[0].code
}

#[test]
fn what_cannot_run_is_an_error() {
    let m = ModuleBuilder::new("inner");
    let x = m.input("x", Format::unsigned(40, 0).unwrap());
    let weight = m.state("weight", Format::signed(6, 0).unwrap(), RegisterStyle::default());
    weight.set_next(weight.value());
    m.output("y", x + weight.value());
    let inner = m.finish().unwrap();
    let batch = Batch::compile(&inner).unwrap();
    assert_eq!(code(batch.run::<i32>(&[1])), "sample-type");
    assert_eq!(code(batch.run::<i64>(&[-1])), "input-range");
    let content = |states: Vec<i128>| Content { states, memories: vec![] };
    assert_eq!(code(batch.run_with::<i64>(&[1], &content(vec![]))), "content-count");
    assert_eq!(code(batch.run_with::<i64>(&[1], &content(vec![32]))), "content-range");

    let m = ModuleBuilder::new("outer");
    let x = m.input_array("x", 2, Format::unsigned(40, 0).unwrap());
    m.output("y", m.instance(&inner, "u", &x[..1])[0] + x[1]);
    let outer = m.finish().unwrap();
    let batch = Batch::compile(&outer).unwrap();
    assert_eq!(batch.run::<i64>(&[5, 6]).unwrap(), [11]);
    let mut opaque = Module::clone(&inner);
    opaque.black_box = Some(BlackBox::default());
    assert_eq!(code(Batch::compile(&opaque)), "black-box");

    let m = ModuleBuilder::new("pair");
    let x = m.input_array("x", 2, Format::unsigned(4, 0).unwrap());
    m.output("y", x[0] + x[1]);
    assert_eq!(code(Batch::compile(&m.finish().unwrap()).unwrap().run(&[1, 2, 3])), "input-count");

    let m = ModuleBuilder::new("source");
    m.output("y", m.constant(1, 0));
    assert_eq!(code(Batch::compile(&m.finish().unwrap())), "no-inputs");
}

/// Sums whose results take every type, with products that are cut and with weights beyond their operands' types.
#[test]
fn sums_are_what_they_say() {
    let mut numbers = hdl::random::Numbers::new(4);
    for (bits, weight_bits, cut) in
        [(3, 3, 0), (8, 3, 0), (8, 7, 0), (14, 6, 0), (20, 9, 0), (30, 30, 0), (50, 50, 0), (8, 6, 5), (20, 10, 7)]
    {
        let m = ModuleBuilder::new("sums");
        let format = Format::signed(bits, 0).unwrap();
        let x = m.input_array("x", 5, format);
        m.output_array("operands", &x);
        let weight = |numbers: &mut hdl::random::Numbers| {
            (numbers.bits() >> (64 - weight_bits)) as i64 - (1 << (weight_bits - 1))
        };
        let sums: Vec<Sum> =
            (0..3).map(|_| Sum { terms: (0..5).map(|i| (i, weight(&mut numbers))).collect(), bias: 5, cut }).collect();
        let width = bits + weight_bits as u32 + 3;
        let y = m.input_port("sums", vec![Format::signed(width, 0).unwrap(); 3], Stamp::at(0));
        // behind the sums, something that needs them whole
        let y: Vec<_> = y.into_iter().map(|y| y.max(m.constant(-1000, 0)) + x[0]).collect();
        m.output_array("y", &y);
        let linked = Linked { module: m.finish().unwrap(), inputs: 5, outputs: 5..8, sums };
        let batch = Batch::compile_linked(&linked).unwrap();
        let inputs: Vec<i128> = (0..5 * 333).map(|_| numbers.value(format.range)).collect();
        let got = batch.run(&inputs).unwrap();
        for (x, y) in inputs.chunks(5).zip(got.chunks(3)) {
            for (sum, y) in linked.sums.iter().zip(y) {
                let product = |&(i, w): &(u32, i64)| (x[i as usize] * i128::from(w)) >> cut;
                let total = sum.terms.iter().map(product).sum::<i128>() + 5;
                assert_eq!(*y, total.max(-1000) + x[0], "{bits} bits times {weight_bits}, cut by {cut}");
            }
        }
        assert_eq!(batch.run_ports(&[&inputs]).unwrap(), [got]);
    }
}

/// Ports stand side by side, each with its own samples.
#[test]
fn ports_are_separate() {
    let m = ModuleBuilder::new("ports");
    let a = m.input_array("a", 2, Format::signed(8, 0).unwrap());
    let b = m.input("b", Format::signed(8, 0).unwrap());
    m.output("sum", a[0] + a[1] + b);
    m.output_array("turned", &[b, a[1], a[0]]);
    let batch = Batch::compile(&m.finish().unwrap()).unwrap();
    let got = batch.run_ports(&[&[1, 2, 3, 4], &[10, 20]]).unwrap();
    assert_eq!(got, [vec![13, 27], vec![10, 2, 1, 20, 4, 3]]);
    assert_eq!(code(batch.run_ports::<i64>(&[&[1, 2], &[1, 2]])), "input-count");
    assert_eq!(code(batch.run_ports::<i64>(&[&[1, 2]])), "input-count");
    assert_eq!(code(batch.run_ports::<i64>(&[&[1, 2], &[200]])), "input-range");
}
