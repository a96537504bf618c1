//! Interaction networks: the integer model's symmetries, and data paths against it.

use std::rc::Rc;
use std::sync::Arc;

use constraints::{Target, delay};
use hdl::analysis::Statistics;
use hdl::dfg::{Module, ModuleBuilder, Stamp};
use hdl::num::Format;
use hdl::passes::pipeline::{Goal, Options};
use hwgen::arith::multiply::Multiplier;
use hwgen::arith::{Arithmetic, Effort, Fabric, Products};
use hwgen::design::Design;
use hwgen::interaction::assembly::{Stages, Structure};
use hwgen::interaction::design::InteractionDesign;
use hwgen::interaction::hardware::perceptron;
use hwgen::interaction::jedinet;
use hwgen::interaction::mlp::{Layer, Mlp};
use hwgen::interaction::network::{Jedinet, Network, Tracking};
use hwgen::interaction::random::Shape;
use hwgen::model::block::aggregate::Aggregation;
use hwgen::model::block::windows::Windows;
use hwgen_tests::shared_json;
use sim::batch::Batch;
use sim::vectors::{Held, Vectors};

fn shape() -> Shape {
    Shape {
        nodes: 5,
        edges: 7,
        features: 3,
        layers: 1,
        sorted: false,
        aggregation: Aggregation::Sum,
        format: "ap_fixed<8,4>".parse().unwrap(),
        seed: 3,
    }
}

/// The shape with `change` made to it.
fn shaped(change: impl FnOnce(&mut Shape)) -> Shape {
    let mut shape = shape();
    change(&mut shape);
    shape
}

fn tracking(shape: Shape) -> Tracking {
    match shape.tracking().unwrap() {
        Network::Tracking(network) => network,
        other => unreachable!("{other:?}"),
    }
}

fn jedinet_of(network: Network) -> Jedinet {
    match network {
        Network::Jedinet(network) => network,
        other => unreachable!("{other:?}"),
    }
}

/// Checks a network in both structures.
fn check_both(network: &Network, events: usize) {
    for structure in [Structure::Flat, Structure::Blocks] {
        check(network.clone(), structure, events);
    }
}

fn design(network: Network, structure: Structure) -> InteractionDesign {
    InteractionDesign { top: "net".into(), structure, stream: None, network }
}

/// Built for a 5 ns clock in the default technology.
fn build(design: &InteractionDesign) -> Arc<Module> {
    build_at(design, 20_000, Arithmetic::default())
}

/// Built of `arithmetic` for a clock of so many delay units in the default technology.
fn build_at(design: &InteractionDesign, clock: u32, arithmetic: Arithmetic) -> Arc<Module> {
    let target = Target::load(constraints::targets::DEFAULT).unwrap();
    let stages = Stages { arithmetic, delays: &delay::of(&target), options: Options::new(Goal::Clock(clock)) };
    design.clone().build(stages).unwrap().0
}

/// How many samples of the module differ from what `vectors` expect.
fn differing(module: &Arc<Module>, vectors: &Vectors) -> usize {
    let rows = vectors.input_rows(module, &Held::new()).unwrap();
    let outputs = Batch::compile(module).unwrap().run(&rows).unwrap();
    let expected = vectors.outputs.values().next().unwrap();
    let pairs = expected.iter().zip(outputs.chunks(expected.width()));
    assert_eq!(outputs.len(), vectors.len() * expected.width());
    pairs.filter(|(want, got)| want != got).count()
}

fn check(network: Network, structure: Structure, events: usize) {
    let design = design(network, structure);
    let vectors = design.vectors(&design.random_events(events, 5)).unwrap();
    assert_eq!(differing(&build(&design), &vectors), 0);
}

const AGGREGATIONS: [Aggregation; 3] = [Aggregation::Sum, Aggregation::Mean, Aggregation::Max];

#[test]
fn edge_classifiers_are_their_model() {
    for aggregation in AGGREGATIONS {
        let shape = shaped(|s| s.aggregation = aggregation);
        check_both(&shape.tracking().unwrap(), 500);
    }
}

/// On a library with a full adder and on an FPGA; means over a set without mask have constant divisors.
#[test]
fn networks_are_their_model_whatever_their_products_are_made_of() {
    for target in ["nangate45", "xcup"] {
        let target = Target::load(target).unwrap();
        let arithmetic = Arithmetic::of(Fabric::of(&target), Multiplier::Booth);
        let shape = shaped(|s| {
            (s.nodes, s.edges, s.aggregation) = (3, 4, Aggregation::Mean);
            s.format = "ap_fixed<5,3>".parse().unwrap();
        });
        for network in [shape.tracking(), shape.jedinet(), shape.deep_sets()] {
            let design = design(network.unwrap(), Structure::Blocks);
            let vectors = design.vectors(&design.random_events(200, 5)).unwrap();
            let module = build_at(&design, 20_000, arithmetic);
            assert_eq!(differing(&module, &vectors), 0);
        }
    }
}

#[test]
fn a_graph_of_one_node_or_a_full_index_is_no_special_case() {
    for nodes in [1, 2, 4] {
        let shape = shaped(|s| (s.nodes, s.edges) = (nodes, 3));
        check(shape.tracking().unwrap(), Structure::Blocks, 300);
    }
}

#[test]
fn layered_hits_are_their_model() {
    for (nodes, layers) in [(12, 4), (8, 2), (3, 3)] {
        let shape = shaped(|s| (s.nodes, s.layers, s.edges) = (nodes, layers, 9));
        check_both(&shape.tracking().unwrap(), 500);
    }
}

/// A geometry that every live edge keeps to changes no result.
#[test]
fn windows_that_are_kept_to_change_nothing() {
    let mut random = fastrand::Rng::with_seed(13);
    let windowed = tracking(shaped(|s| (s.nodes, s.layers) = (12, 4)));
    let free = Network::Tracking(Tracking { windows: None, ..windowed.clone() });
    let features = 12 * 3 + 7 * 4;
    for _ in 0..200 {
        let mut event: Vec<i64> = (0..features).map(|_| random.i64(-40..40)).collect();
        let ends: Vec<[usize; 2]> = (0..7).map(|k| windowed.windows_of(k).map(|window| random.usize(window))).collect();
        event.extend([1, 0].iter().flat_map(|end| ends.iter().map(|e| e[*end] as i64)));
        event.extend([1; 7]);
        let network = Network::Tracking(windowed.clone());
        assert_eq!(network.evaluate(&event).unwrap(), free.evaluate(&event).unwrap());
        // the same edge the other way round leaves its windows
        event[features] = ends[0][0] as i64;
        event[features + 7] = ends[0][1] as i64;
        assert_eq!(network.evaluate(&event).unwrap()[0], 0);
    }
}

#[test]
fn deep_sets_are_their_model() {
    for aggregation in AGGREGATIONS {
        let shape = shaped(|s| s.aggregation = aggregation);
        check_both(&shape.deep_sets().unwrap(), 300);
    }
}

#[test]
fn static_graphs_are_their_model() {
    for aggregation in AGGREGATIONS {
        let shape = shaped(|s| s.aggregation = aggregation);
        let complete = jedinet_of(shape.jedinet().unwrap());
        // node 4 has no sender, node 0 two, one of them twice
        let edges = vec![[0, 1], [0, 2], [0, 2], [1, 3], [2, 0], [3, 4]];
        let mut sparse = complete.clone();
        sparse.edges = Some(edges);
        for network in [complete, sparse] {
            check_both(&Network::Jedinet(network), 200);
        }
    }
}

#[test]
fn a_linear_relation_takes_linear_time() {
    let linear = shape().jedi_linear().unwrap();
    let network = jedinet_of(linear.clone());
    assert!(network.is_linear());
    let mut sparse = network.clone();
    sparse.edges = Some(vec![[0, 1]]);
    assert!(!sparse.is_linear());
    check_both(&linear, 1000);
    let adders = |nodes| {
        let network = shaped(|s| s.nodes = nodes).jedi_linear().unwrap();
        let module = build(&design(network, Structure::Flat));
        Statistics::of(&module).adders
    };
    let (few, twice, thrice) = (adders(4), adders(8), adders(12));
    assert!(2 * (thrice - few) < 5 * (twice - few), "{few} {twice} {thrice}");
}

/// Adders of the layers by themselves.
fn adders_of(layers: &[Layer], inputs: &[Format]) -> usize {
    let m = ModuleBuilder::new("layers");
    let products = Rc::new(Products::new(Arithmetic::default(), Some(Effort::Fast)));
    let mlp = Mlp { layers: layers.to_vec() };
    let inputs = m.input_port("inputs", inputs.to_vec(), Stamp::at(0));
    m.output_array("outputs", &perceptron(&m, &products, &mlp, &inputs).unwrap());
    Statistics::of(&m.finish().unwrap()).adders
}

/// The first layer of f_R is computed for each particle at either end, and not for each pair.
#[test]
fn pairs_share_the_first_layer() {
    let network = shaped(|s| s.nodes = 8).jedinet().unwrap();
    let blocks = network.blocks().unwrap();
    let adders = |k: usize| adders_of(&blocks[k].mlp.layers, &blocks[k].inputs);
    let first = adders_of(&blocks[0].mlp.layers[..1], &blocks[0].inputs);
    let pairs = 8 * 7;
    let sums = 8 * 6 * 6 + 7 * 6;
    let pair_by_pair = pairs * adders(0) + 8 * adders(1) + adders(2) + sums;
    let built = Statistics::of(&build(&design(network.clone(), Structure::Flat))).adders;
    println!("adders pair by pair: {pair_by_pair}, built: {built}, first layer: {first}");
    assert!(built + pairs * first / 2 < pair_by_pair, "{built} {pair_by_pair}");
}

#[test]
fn another_weight_is_seen() {
    let sound = design(shape().tracking().unwrap(), Structure::Blocks);
    let vectors = sound.vectors(&sound.random_events(200, 5)).unwrap();
    let change = |change: &dyn Fn(&mut [&mut Mlp; 3])| {
        let mut other = sound.clone();
        let Network::Tracking(network) = &mut other.network else { unreachable!() };
        change(&mut [&mut network.relation, &mut network.object, &mut network.score]);
        differing(&build(&other), &vectors)
    };
    assert_eq!(change(&|_| ()), 0);
    for block in 0..3 {
        assert!(change(&|mlps| mlps[block].layers[2].weights[0][1] ^= 1) > 0, "block {block}");
    }
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    let refused = |change: &dyn Fn(&mut Shape)| shaped(change).tracking().unwrap_err().message;
    assert!(refused(&|s| s.nodes = 0).contains("0 nodes"));
    assert!(refused(&|s| s.edges = 5000).contains("5000 edges"));
    assert!(refused(&|s| s.features = usize::MAX).contains("features"));
    assert!(refused(&|s| (s.nodes, s.edges) = (4096, 4096)).contains("pairs"));
    assert!(refused(&|s| s.layers = 2).contains("2 layers"));
    let sound = tracking(shaped(|s| (s.nodes, s.layers) = (6, 2)));
    let broken = |change: &dyn Fn(&mut Windows)| {
        let mut network = sound.clone();
        change(network.windows.as_mut().unwrap());
        Network::Tracking(network).validate().unwrap_err().message
    };
    assert!(broken(&|w| w.senders[0] = 4).contains("a window of 3 nodes from 4"));
    assert!(broken(&|w| w.size = 0).contains("a window of 0"));
    assert!(broken(&|w| w.receivers.clear()).contains("[0, 7] windows"));
}

#[test]
fn a_design_is_read_back_as_it_was_written() {
    let layered = shaped(|s| (s.nodes, s.layers) = (6, 2));
    let networks = [layered.tracking(), shape().jedi_linear(), shape().deep_sets()];
    for network in networks {
        let design = Design::Interaction(design(network.unwrap(), Structure::Flat));
        let text = design.to_json();
        assert_eq!(serde_json::from_str::<Design>(&text).unwrap(), design);
        let other = text.replace("\"top\"", "\"tip\"");
        assert!(serde_json::from_str::<Design>(&other).is_err());
    }
}

/// The five ports of an edge classifier's event.
struct Event {
    nodes: Vec<Vec<i64>>,
    edges: Vec<Vec<i64>>,
    ends: Vec<[i64; 3]>,
}

impl Event {
    fn random(random: &mut fastrand::Rng) -> Self {
        let Shape { nodes, edges, features, .. } = shape();
        let mut row = |n: usize| (0..n).map(|_| random.i64(-40..40)).collect();
        let nodes = (0..nodes).map(|_| row(features)).collect();
        let edge_rows = (0..edges).map(|_| row(4)).collect();
        let end = |_| [random.i64(0..8), random.i64(0..8), random.i64(0..2)];
        Self { nodes, edges: edge_rows, ends: (0..edges).map(end).collect() }
    }

    fn flat(&self) -> Vec<i64> {
        let ends = (0..3).flat_map(|k| self.ends.iter().map(move |e| e[k]));
        let features = self.nodes.iter().chain(&self.edges).flatten().copied();
        features.chain(ends).collect()
    }
}

#[test]
fn permuted_edges_permute_the_results() {
    let mut random = fastrand::Rng::with_seed(9);
    for aggregation in AGGREGATIONS {
        let network = shaped(|s| s.aggregation = aggregation).tracking().unwrap();
        for _ in 0..200 {
            let mut event = Event::random(&mut random);
            let before = network.evaluate(&event.flat()).unwrap();
            let mut order: Vec<usize> = (0..event.edges.len()).collect();
            random.shuffle(&mut order);
            event.edges = order.iter().map(|k| event.edges[*k].clone()).collect();
            event.ends = order.iter().map(|k| event.ends[*k]).collect();
            let expected: Vec<i64> = order.iter().map(|k| before[*k]).collect();
            assert_eq!(network.evaluate(&event.flat()).unwrap(), expected);
        }
    }
}

#[test]
fn renamed_nodes_change_nothing() {
    let mut random = fastrand::Rng::with_seed(10);
    let network = shape().tracking().unwrap();
    for _ in 0..200 {
        let mut event = Event::random(&mut random);
        let before = network.evaluate(&event.flat()).unwrap();
        let mut place: Vec<usize> = (0..event.nodes.len()).collect();
        random.shuffle(&mut place);
        let old = event.nodes.clone();
        place.iter().zip(old).for_each(|(to, row)| event.nodes[*to] = row);
        for end in event.ends.iter_mut().flat_map(|e| &mut e[..2]) {
            *end = place.get(*end as usize).map_or(*end, |to| *to as i64);
        }
        assert_eq!(network.evaluate(&event.flat()).unwrap(), before);
    }
}

/// Whatever stands in an edge that is not valid or out of range, and in a node that no edge names, only that edge's own
/// result is known: 0.
#[test]
fn dummies_change_nothing() {
    let mut random = fastrand::Rng::with_seed(11);
    let mut live_edges = 0;
    for aggregation in AGGREGATIONS {
        let network = shaped(|s| s.aggregation = aggregation).tracking().unwrap();
        for _ in 0..200 {
            let mut event = Event::random(&mut random);
            let before = network.evaluate(&event.flat()).unwrap();
            let nodes = event.nodes.len() as i64;
            let live: Vec<bool> = event.ends.iter().map(|e| e[2] == 1 && e[0].max(e[1]) < nodes).collect();
            live_edges += live.iter().filter(|l| **l).count();
            for k in (0..live.len()).filter(|k| !live[*k]) {
                assert_eq!(before[k], 0);
                event.edges[k].fill_with(|| random.i64(-40..40));
                event.ends[k] = match random.bool() {
                    true => [random.i64(0..8), random.i64(0..8), 0],
                    false => [random.i64(nodes..8), random.i64(0..8), 1],
                };
            }
            let named = |i: i64| (0..live.len()).any(|k| live[k] && event.ends[k][..2].contains(&i));
            for i in (0..nodes).filter(|i| !named(*i)) {
                event.nodes[i as usize].fill_with(|| random.i64(-40..40));
            }
            assert_eq!(network.evaluate(&event.flat()).unwrap(), before);
        }
    }
    assert!(live_edges > 500);
}

#[test]
fn permuted_particles_change_nothing() {
    let mut random = fastrand::Rng::with_seed(12);
    for network in [shape().jedinet().unwrap(), shape().deep_sets().unwrap()] {
        for _ in 0..200 {
            let mut particles: Vec<Vec<i64>> =
                (0..5).map(|_| (0..3).map(|_| random.i64(-128..128)).collect()).collect();
            let mask: Vec<i64> = vec![1; network.inputs().get(1).map_or(0, |p| p.count)];
            let event = |p: &[Vec<i64>]| [p.concat(), mask.clone()].concat();
            let before = network.evaluate(&event(&particles)).unwrap();
            random.shuffle(&mut particles);
            assert_eq!(network.evaluate(&event(&particles)).unwrap(), before);
        }
    }
}

/// The published eight-particle network: 10,000 events in the batch simulator.
#[test]
fn the_eight_particle_network_is_exact() {
    let Some(json) = shared_json("models/jedinet-8p/weights.json") else {
        return;
    };
    let network = Network::Jedinet(jedinet::import(&json, Some(8), None).unwrap());
    check_both(&network, 10_000);
}

/// The published fifty-particle network: 10,000 events in the batch simulator. They take a minute, so they are run when
/// `HWGEN_INTERACTION_CAMPAIGN` is set.
#[test]
fn the_fifty_particle_network_is_exact() {
    if std::env::var_os("HWGEN_INTERACTION_CAMPAIGN").is_none() {
        println!("skipped: HWGEN_INTERACTION_CAMPAIGN is not set");
        return;
    }
    let Some(json) = shared_json("models/jedinet-50p/weights.json") else {
        return;
    };
    let format = "ap_fixed<24,12>".parse().unwrap();
    let network = jedinet::import(&json, None, Some(format)).unwrap();
    let design = design(Network::Jedinet(network), Structure::Blocks);
    let vectors = design.vectors(&design.random_events(10_000, 5)).unwrap();
    let module = build_at(&design, 40_000, Arithmetic::default());
    assert_eq!(differing(&module, &vectors), 0);
}

/// A dense layer in floating point, from a matrix that lies row-major `[input][output]`.
fn dense(x: &[f64], weights: &[f64], bias: &[f64], relu: bool) -> Vec<f64> {
    let neuron = |(k, b): (usize, &f64)| {
        let column = weights.iter().skip(k).step_by(bias.len());
        let sum: f64 = b + x.iter().zip(column).map(|(x, w)| x * w).sum::<f64>();
        if relu { sum.max(0.0) } else { sum }
    };
    bias.iter().enumerate().map(neuron).collect()
}

/// The published fifty-particle network scores the jets that stay within its formats as it does in floating point, to
/// their precision. On the other three jets a pre-activation leaves `ap_fixed<24,12>` and wraps, as the contract has it.
#[test]
fn the_fifty_particle_network_follows_its_floats() {
    let Some(json) = shared_json("models/jedinet-50p/weights.json") else {
        return;
    };
    let format = "ap_fixed<24,12>".parse().unwrap();
    let network = Network::Jedinet(jedinet::import(&json, None, Some(format)).unwrap());
    let numbers = |key: &str| serde_json::from_value::<Vec<f64>>(json["arrays"][key].clone()).unwrap();
    let layer = |k: usize| (numbers(&format!("w{k}")), numbers(&format!("b{k}")));
    let layers = [1, 4, 5, 6, 7, 8, 9].map(layer);
    let through = |x: Vec<f64>, range: std::ops::Range<usize>| {
        let step = |x: Vec<f64>, k: usize| dense(&x, &layers[k].0, &layers[k].1, k < 6);
        range.fold(x, step)
    };
    let add = |sum: Vec<f64>, v: Vec<f64>| sum.iter().zip(v).map(|(a, b)| a + b).collect();
    let input = numbers("input");
    for jet in input.chunks(800).skip(1).take(2) {
        // the file lists one feature of all particles after the other
        let x: Vec<Vec<f64>> = (0..50).map(|i| jet.iter().skip(i).step_by(50).copied().collect()).collect();
        let mut pooled = vec![0.0; 14];
        for i in 0..50 {
            let others = (0..50).filter(|j| *j != i);
            let message = |j: usize| through([&x[i][..], &x[j][..]].concat(), 0..1);
            let aggregate = others.map(message).fold(vec![0.0; 12], add);
            pooled = add(pooled, through([&x[i][..], &aggregate].concat(), 1..4));
        }
        let expected = through(pooled, 4..7);
        let event: Vec<i64> = x.iter().flatten().map(|v| format.nearest(*v).unwrap()).collect();
        let scores = network.evaluate(&event).unwrap();
        for (score, expected) in scores.iter().zip(&expected) {
            let score = *score as f64 / 4096.0;
            assert!((score - expected).abs() < 0.5, "{score} {expected}");
        }
    }
}
