use std::path::Path;

use hdl::num::{Overflow, Quantiser, Rounding};

use super::*;
use crate::encoder::arithmetic::Contract;
use crate::encoder::design::EncoderDesign;
use crate::encoder::model::Input as Begin;
use crate::encoder::network::{Parts, Storage};
use crate::encoder::weights::Choice;
use crate::interaction::network::Network;
use crate::interaction::random::Shape;
use crate::model::block::aggregate::Aggregation;
use crate::model::{self, Array, Encode, Graph, Input, Layer, Op, Output, Requantise, StepFunction, TensorId};
use crate::network::design::random_events;
use crate::network::small;

/// What the engine gives for random events is what the graph's evaluation gives.
fn check(graph: Graph, count: usize) {
    let engine = Engine::of(graph).unwrap();
    let graph = engine.graph();
    let events = random_events(graph, count, 3);
    let inputs: Vec<Vec<i64>> =
        (0..graph.inputs().len()).map(|k| events.iter().flat_map(|event| event[k].clone()).collect()).collect();
    let inputs: Vec<&[i64]> = inputs.iter().map(Vec::as_slice).collect();
    let results = engine.run_block(&inputs).unwrap();
    let evaluations: Vec<_> = events.iter().map(|event| graph.evaluate(event).unwrap()).collect();
    for (k, results) in results.iter().enumerate() {
        let expected: Vec<i64> = evaluations.iter().flat_map(|e| e.outputs()[k].to_vec()).collect();
        assert_eq!(*results, expected, "output {k} of {}", graph.name);
    }
}

fn layer(graph: &mut Graph, name: &str, op: Op, inputs: &[TensorId]) -> TensorId {
    graph.push(Layer { name: name.into(), op, inputs: inputs.to_vec(), scale: Some(0.5) }).unwrap()
}

fn output(graph: &mut Graph, name: &str, tensor: TensorId) {
    graph.output(Output { name: name.into(), tensor, decode: None }).unwrap();
}

/// A random chain of dense layers with different widths of sums, between quantisers, functions and tables.
pub(crate) fn chain(seed: u64) -> Graph {
    let mut random = fastrand::Rng::with_seed(seed);
    let lowest = -(1i64 << random.u32(1..24));
    let input = Input { name: "x".into(), shape: vec![2, 5], range: (lowest, -lowest / 2), encode: None };
    let mut graph = Graph::new("chain", vec![input]).unwrap();
    let mut x = TensorId(0);
    for k in 0..4 {
        let width = graph.info(x).shape[1];
        let bits = random.u32(1..10);
        let values = (0..3 * width).map(|_| random.i64(-1 << bits..1 << bits) * i64::from(random.bool())).collect();
        let bias = (0..3).map(|_| random.i64(-1 << bits..1 << bits)).collect();
        let weights = Array { shape: vec![3, width], values };
        x = layer(&mut graph, &format!("dense{k}"), Op::dense(weights, bias), &[x]);
        let width = graph.info(x).range.width() as i32;
        let x1 = match random.u32(0..4) {
            0 => layer(&mut graph, "relu", Op::Relu, &[x]),
            1 => layer(&mut graph, "leaky", Op::LeakyRelu { positive: 3, negative: -1 }, &[x]),
            2 => {
                let steps = (-9..9).map(|k| (k * k * k * random.i64(1..4) * 5 + k, (k * 3) % 7)).collect::<Vec<_>>();
                let mut function = StepFunction { first: 1, steps };
                function.steps.sort_unstable();
                function.steps.dedup_by_key(|step| step.0);
                layer(&mut graph, "steps", Op::Threshold { functions: Array::scalar(function) }, &[x])
            }
            _ => layer(&mut graph, "sum", Op::Add, &[x, x]),
        };
        let requantise = Requantise { drop: (width - 8).max(0), ..small::requantise(0) };
        x = layer(&mut graph, &format!("quant{k}"), Op::Requantise(requantise), &[x1]);
    }
    let table = Op::Table { first: -8, values: (0..16).map(|k| (k * 77) % 31 - 9).collect() };
    x = layer(&mut graph, "table", table, &[x]);
    output(&mut graph, "y", x);
    graph
}

#[test]
fn random_chains_are_what_they_evaluate_to() {
    (0..40).for_each(|seed| check(chain(seed), 70));
}

#[test]
fn convolutions_are_what_they_evaluate_to() {
    let (mut graph, [first, sum, third]) = small::residual();
    for (name, tensor) in [("first", first), ("sum", sum), ("third", third)] {
        output(&mut graph, name, tensor);
    }
    check(graph, 200);
}

fn encoder(storage: Storage, front_end: bool, contract: Contract) -> Graph {
    let choice = Choice { file: None, contract, input: Begin::Calq, bits: None, weight_bits: None, output_bits: None };
    let parts = Parts { storage, front_end };
    EncoderDesign { top: "encoder".into(), parts, model: choice.model().unwrap() }.network().unwrap().graph
}

/// Floored products, weights in registers, and the front end's own registers.
#[test]
fn encoders_are_what_they_evaluate_to() {
    for (storage, front_end) in [(Storage::Fixed, false), (Storage::Programmable, true)] {
        check(encoder(storage, front_end, Contract::Silicon), 100);
    }
}

#[test]
fn interaction_networks_are_what_they_evaluate_to() {
    let format = Quantiser { width: 8, signed: true, frac: 4, rounding: Rounding::Floor, overflow: Overflow::Saturate };
    let (aggregation, seed) = (Aggregation::Mean, 5);
    let sizes = Shape { nodes: 6, edges: 9, features: 3, layers: 1, sorted: false, aggregation, format, seed };
    let networks: [Network; 3] = [sizes.tracking().unwrap(), sizes.jedinet().unwrap(), sizes.deep_sets().unwrap()];
    networks.iter().for_each(|network| check(network.staged().unwrap().graph, 60));
}

/// `y = 3·x0 - x1`, of halves.
fn sum() -> Graph {
    let [scale, zero, low, high] = [0.5, 0.0, -8.0, 7.0].map(Array::scalar);
    let encode = Encode { steps: vec![], quantiser: model::Quantiser::Linear { scale, zero, low, high } };
    let input = Input { name: "x".into(), shape: vec![2], range: (-8, 7), encode: Some(encode) };
    let mut graph = Graph::new("sum", vec![input]).unwrap();
    let weights = Array { shape: vec![1, 2], values: vec![3, -1] };
    let y = layer(&mut graph, "y", Op::dense(weights, vec![0]), &[TensorId(0)]);
    let z = layer(&mut graph, "z", Op::Relu, &[y]);
    output(&mut graph, "out", z);
    graph
}

fn job<'a>(engine: &'a Engine, inputs: &'a [String], output: &'a Path) -> Job<'a> {
    Job { engine, inputs, output, integers: false, float: false, resume: false }
}

fn said(result: Result<Summary>) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.exit_code(), 2, "{failure}");
    failure.to_string()
}

/// Tables in, every form of file out and in again.
#[test]
fn files_of_every_form_give_the_same() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let input = |name: &str| vec![at(name).display().to_string()];
    std::fs::write(at("x.csv"), "a,b\n0.5,1\n-0.25,9\n3.5,-4\n").unwrap();
    let engine = Engine::of(sum()).unwrap().traced(&["y".into()]).unwrap();
    let run_to = |out: &str| run(job(&engine, &input("x.csv"), &at(out)));
    assert_eq!(run_to("y.csv").unwrap().events, 3);
    assert_eq!(std::fs::read_to_string(at("y.csv")).unwrap(), "out,y\n1,1\n0,-7\n29,29\n");
    let (table, decoded) = (input("x.csv"), at("f.csv"));
    run(Job { float: true, ..job(&engine, &table, &decoded) }).unwrap();
    // the last output has no scale; what is traced has its layer's
    assert_eq!(std::fs::read_to_string(at("f.csv")).unwrap(), "out,y\n1,0.5\n0,-3.5\n29,14.5\n");
    assert!(said(run_to("y.npy")).contains("2 outputs: out, y"));
    run_to("y.npz").unwrap();
    let plain = Engine::of(sum()).unwrap();
    // the results of one network as the events of another
    let mut next =
        Graph::new("next", vec![Input { name: "out".into(), shape: vec![1], range: (0, 29), encode: None }]).unwrap();
    let relu = layer(&mut next, "relu", Op::Relu, &[TensorId(0)]);
    output(&mut next, "same", relu);
    let next = Engine::of(next).unwrap();
    run(job(&next, &input("y.npz"), &at("same.npy"))).unwrap();
    run(job(&next, &input("same.npy"), &at("again.csv"))).unwrap();
    assert_eq!(std::fs::read_to_string(at("again.csv")).unwrap(), "same\n1\n0\n29\n");
    assert!(said(run(job(&plain, &input("y.npz"), &at("no.npy")))).contains("there is no array `x`; there are out, y"));
    assert!(!at("no.npy").exists());
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 6, "nothing is left behind");
}

#[test]
fn an_interrupted_run_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let lines: String = (0..MOST_EVENTS + 100).map(|k| format!("{},{}\n", k % 7, k % 5)).collect();
    std::fs::write(at("x.csv"), &lines).unwrap();
    let inputs = [at("x.csv").display().to_string()];
    let engine = Engine::of(sum()).unwrap();
    let (whole, broken) = (at("whole.npy"), at("broken.npy"));
    run(job(&engine, &inputs, &whole)).unwrap();
    let resumed = Job { resume: true, ..job(&engine, &inputs, &broken) };
    {
        let sources = resumed.sources().unwrap();
        let columns = engine.outputs();
        let plan = Plan { path: &broken, columns: &columns, events: MOST_EVENTS + 100, float: false };
        let mut sink = Sink::begin(plan, Some(resumed.name(&sources))).unwrap();
        sink.write(&[Values::Integers(vec![0; 7])], 7).unwrap();
        sink.keep().unwrap();
        // not put down any more
        sink.write(&[Values::Integers(vec![9; 7])], 7).unwrap();
    }
    assert!(said(run(Job { float: true, ..resumed })).contains("other options"));
    let summary = run(resumed).unwrap();
    assert_eq!(summary.computed, MOST_EVENTS + 93);
    let (whole, broken) = (std::fs::read(whole).unwrap(), std::fs::read(broken).unwrap());
    assert_eq!(whole.len(), broken.len());
    // the seven that were there are not computed again
    assert!(whole[whole.len() - 4 * (MOST_EVENTS + 93)..] == broken[broken.len() - 4 * (MOST_EVENTS + 93)..]);
    assert_ne!(whole, broken);
    assert!(!at("broken.npy.partial").exists());
}

#[test]
fn what_does_not_fit_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let engine = Engine::of(sum()).unwrap();
    let of = |text: &str, integers: bool| {
        std::fs::write(at("x.csv"), text).unwrap();
        let inputs = [at("x.csv").display().to_string()];
        said(run(Job { integers, ..job(&engine, &inputs, &at("y.csv")) }))
    };
    for (text, integers, why) in [
        ("1,2\n3\n", false, "line 2 has 1 numbers, an event has 2"),
        ("1,2\n3,NaN\n", false, "event 1: element 1 of input `x` is NaN"),
        ("1,2\n3,8\n", true, "event 1: element [1] of input `x` is 8, its range is -8…7"),
        ("1,2\n3,0.5\n", true, "leave --integers away"),
        ("1,2\n3,b\n", false, "`b` is no number"),
    ] {
        let said = of(text, integers);
        assert!(said.contains(why), "{said}");
        assert!(said.contains("x.csv") || integers, "{said}");
    }
    let inputs = ["x.parquet".to_owned()];
    assert!(said(run(job(&engine, &inputs, &at("y.csv")))).contains(".npy, .npz or .csv"));
    assert!(said(run(job(&engine, &[], &at("y.csv")))).contains("there is no file for input `x`"));
    assert!(engine.traced(&["w".into()]).unwrap_err().to_string().contains("the layers are y, z"));
    assert!(engine.run_block::<i64>(&[&[1, 2, 3]]).unwrap_err().to_string().contains("no whole number of events"));
    assert!(engine.run_block::<i8>(&[&[1, 9]]).unwrap_err().to_string().contains("event 0"));
    std::fs::write(at("x.npy"), b"\x93NUMPY\x02\x00\xff\xff\xff\x7f").unwrap();
    let inputs = [at("x.npy").display().to_string()];
    assert!(said(run(job(&engine, &inputs, &at("y.csv")))).contains("this is no .npy file"));
}
