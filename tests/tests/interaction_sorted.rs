//! Edge classifiers whose edges come in the order of their receivers.

use std::sync::Arc;

use constraints::{Target, delay};
use hdl::analysis::Statistics;
use hdl::dfg::Module;
use hdl::passes::pipeline::{Goal, Options};
use hwgen::arith::Arithmetic;
use hwgen::interaction::assembly::{Stages, Structure};
use hwgen::interaction::design::InteractionDesign;
use hwgen::interaction::network::{Network, Tracking};
use hwgen::interaction::random::Shape;
use hwgen::model::block::aggregate::Aggregation;
use hwgen::model::block::windows::Windows;
use sim::batch::Batch;
use sim::vectors::Held;

const AGGREGATIONS: [Aggregation; 3] = [Aggregation::Sum, Aggregation::Mean, Aggregation::Max];

fn sorted(nodes: usize, edges: usize, layers: usize, aggregation: Aggregation) -> Tracking {
    let shape = Shape {
        nodes,
        edges,
        features: 3,
        layers,
        sorted: true,
        aggregation,
        format: "ap_fixed<8,4>".parse().unwrap(),
        seed: 4,
    };
    match shape.tracking().unwrap() {
        Network::Tracking(network) => network,
        other => unreachable!("{other:?}"),
    }
}

/// The same without the promise.
fn any_order(network: &Tracking) -> Tracking {
    Tracking { sorted: false, ..network.clone() }
}

fn design(network: &Tracking, structure: Structure) -> InteractionDesign {
    InteractionDesign { top: "net".into(), structure, stream: None, network: Network::Tracking(network.clone()) }
}

/// Built for a 5 ns clock in the default technology.
fn build(design: &InteractionDesign) -> Arc<Module> {
    let target = Target::load(constraints::targets::DEFAULT).unwrap();
    let stages = Stages {
        arithmetic: Arithmetic::default(),
        delays: &delay::of(&target),
        options: Options::new(Goal::Clock(20_000)),
    };
    design.clone().build(stages).unwrap().0
}

/// What the hardware gives for each event.
fn results(design: &InteractionDesign, events: &[Vec<i64>]) -> Vec<Vec<i128>> {
    let module = build(design);
    let vectors = design.vectors(events).unwrap();
    let rows = vectors.input_rows(&module, &Held::new()).unwrap();
    let outputs = Batch::compile(&module).unwrap().run(&rows).unwrap();
    let width = outputs.len() / events.len();
    outputs.chunks(width).map(<[i128]>::to_vec).collect()
}

/// Features and ends of an event: `[receiver, sender, valid]` of each edge.
struct Event {
    features: Vec<i64>,
    ends: Vec<[i64; 3]>,
}

impl Event {
    /// Edges in their windows, of which some are not valid and some name any node or none.
    fn random(network: &Tracking, random: &mut fastrand::Rng) -> Self {
        let count = network.nodes * network.node_features + network.edges * network.edge_features;
        let any = 0..1 << network.index_bits();
        let ends = |k: usize| {
            let [to, from] = network.windows_of(k);
            let inside = [random.usize(to) as i64, random.usize(from) as i64];
            match random.u32(0..8) {
                0 => [random.i64(any.clone()), random.i64(any.clone()), 1],
                1 => [inside[0], inside[1], 0],
                _ => [inside[0], inside[1], 1],
            }
        };
        let ends = (0..network.edges).map(ends).collect();
        let features = (0..count).map(|_| random.i64(-40..40)).collect();
        Self { features, ends }
    }

    /// The same with the receivers of each window's live edges in order.
    fn in_order(mut self, network: &Tracking) -> Self {
        let start = |k: usize| network.windows_of(k)[0].start;
        let live = |k: usize, e: &[i64; 3]| e[2] == 1 && network.connects(k, e[0] as usize, e[1] as usize);
        let mut order: Vec<(usize, i64)> =
            (0..).zip(&self.ends).filter(|(k, e)| live(*k, e)).map(|(k, e)| (start(k), e[0])).collect();
        order.sort_unstable();
        for k in 0..self.ends.len() {
            if live(k, &self.ends[k]) {
                let next = order.iter().position(|(s, _)| *s == start(k)).unwrap();
                self.ends[k][0] = order.remove(next).1;
            }
        }
        self
    }

    fn flat(&self) -> Vec<i64> {
        let column = |c: usize| self.ends.iter().map(move |e| e[c]);
        let ends = column(1).chain(column(0)).chain(column(2));
        self.features.iter().copied().chain(ends).collect()
    }
}

/// Events in order and not, as many of each.
fn events(network: &Tracking, count: usize) -> Vec<Event> {
    let mut random = fastrand::Rng::with_seed(21);
    let mut event = |k: usize| {
        let event = Event::random(network, &mut random);
        match k % 2 {
            0 => event,
            _ => event.in_order(network),
        }
    };
    (0..count).map(&mut event).collect()
}

fn flat(events: &[Event]) -> Vec<Vec<i64>> {
    events.iter().map(Event::flat).collect()
}

/// Windows that overlap, so that several groups of edges reach a node.
fn overlapping() -> Tracking {
    let mut network = sorted(6, 9, 1, Aggregation::Max);
    network.windows =
        Some(Windows { size: 3, receivers: vec![0, 0, 2, 2, 0, 3, 2, 3, 0], senders: vec![3, 3, 0, 0, 2, 1, 0, 0, 1] });
    network
}

/// Whether the promise is kept or not, over single edges, one group and several, and nodes that none or several reach.
#[test]
fn sorted_edges_are_their_model() {
    let mut networks = vec![overlapping()];
    for aggregation in AGGREGATIONS {
        networks.push(sorted(5, 7, 1, aggregation));
        networks.push(sorted(8, 9, 4, aggregation));
        networks.push(Tracking { aggregate: networks[networks.len() - 2].aggregate, ..overlapping() });
    }
    networks.push(sorted(3, 1, 1, Aggregation::Max));
    for network in networks {
        for structure in [Structure::Flat, Structure::Blocks] {
            let design = design(&network, structure);
            let mut events = flat(&events(&network, 200));
            events.extend(design.random_events(100, 6));
            let expected: Vec<Vec<i128>> = events
                .iter()
                .map(|e| design.network.evaluate(e).unwrap())
                .map(|row| row.into_iter().map(i128::from).collect())
                .collect();
            assert_eq!(results(&design, &events), expected);
        }
    }
}

/// Edges in order change nothing, and one that is not is as if it were not valid.
#[test]
fn the_promise_is_only_a_promise() {
    for network in [sorted(5, 9, 1, Aggregation::Mean), overlapping()] {
        let (promised, free) = (Network::Tracking(network.clone()), Network::Tracking(any_order(&network)));
        let mut broken = 0;
        for mut event in events(&network, 400) {
            let results = promised.evaluate(&event.flat()).unwrap();
            let mut last = std::collections::BTreeMap::new();
            for (k, ends) in event.ends.iter_mut().enumerate() {
                let before = last.entry(network.windows_of(k)[0].start).or_insert(0);
                let connects = network.connects(k, ends[0] as usize, ends[1] as usize);
                if ends[2] == 0 || !connects {
                    continue;
                }
                if ends[0] < *before {
                    ends[2] = 0;
                    broken += 1;
                    assert_eq!(results[k], 0);
                } else {
                    *before = ends[0];
                }
            }
            assert_eq!(free.evaluate(&event.flat()).unwrap(), results);
        }
        assert!(broken > 100, "{broken}");
    }
}

/// In hardware, edges of one receiver may change places: their results do so too, and no other result changes.
#[test]
fn edges_of_a_receiver_are_exchanged() {
    let network = sorted(5, 9, 1, Aggregation::Sum);
    let design = design(&network, Structure::Blocks);
    let mut random = fastrand::Rng::with_seed(22);
    let (mut before, mut after, mut swaps) = (Vec::new(), Vec::new(), Vec::new());
    for event in events(&network, 300) {
        let mut event = event.in_order(&network);
        before.push(event.flat());
        let first = random.usize(0..event.ends.len());
        let same = |k: &usize| event.ends[*k][0] == event.ends[first][0];
        let second = (0..event.ends.len()).rev().find(same).unwrap();
        // dummies in between would have to name the receiver too
        let swap = match (first..=second).all(|k| same(&k)) {
            true => [first, second],
            false => [first, first],
        };
        event.ends.swap(swap[0], swap[1]);
        let (width, base) = (network.edge_features, network.nodes * network.node_features);
        for f in 0..width {
            event.features.swap(base + swap[0] * width + f, base + swap[1] * width + f);
        }
        after.push(event.flat());
        swaps.push(swap);
    }
    assert!(swaps.iter().filter(|s| s[0] != s[1]).count() > 50);
    let mut expected = results(&design, &before);
    expected.iter_mut().zip(&swaps).for_each(|(row, s)| row.swap(s[0], s[1]));
    assert_eq!(results(&design, &after), expected);
}

/// The promise saves most adders of the scatter: a scan in the place of a tree for each node.
#[test]
fn sorted_edges_take_fewer_adders() {
    let network = sorted(14, 28, 1, Aggregation::Sum);
    let adder_bits = |network: &Tracking| {
        let module = build(&design(network, Structure::Flat));
        Statistics::of(&module).adder_bits
    };
    let (with, without) = (adder_bits(&network), adder_bits(&any_order(&network)));
    println!("adder bits of 14 nodes and 28 edges: {without}, sorted {with}");
    // 14 trees of 27 adders of 8 bits, 4 columns, against 28 · log2(28) / 2 adders a column
    assert!(with + 14 * 27 * 4 * 8 / 2 < without, "{with} {without}");
}
