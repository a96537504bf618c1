//! What must not matter to an interaction network does not, in hardware: the order of edges, the names of nodes, the
//! order of particles, and whatever is not there. Networks, formats and events are random.

use constraints::{Target, delay};
use hdl::passes::pipeline::{Goal, Options};
use hwgen::arith::Arithmetic;
use hwgen::interaction::assembly::{Stages, Structure};
use hwgen::interaction::design::InteractionDesign;
use hwgen::interaction::network::{Jedinet, Network};
use hwgen::interaction::random::{Shape, events};
use hwgen::model::block::aggregate::Aggregation;
use proptest::prelude::*;
use sim::batch::Batch;
use sim::vectors::Held;

/// Networks of each kind.
const CASES: u32 = 24;
/// Events of each network.
const EVENTS: usize = 24;
/// Features of a candidate segment.
const EDGE_FEATURES: usize = 4;

/// A clock of 20 ns: few stages, so that building does not take the time.
fn hardware(network: &Network, structure: Structure, events: &[Vec<i64>]) -> Vec<Vec<i128>> {
    let design = InteractionDesign { top: "net".into(), structure, stream: None, network: network.clone() };
    let target = Target::load(constraints::targets::DEFAULT).unwrap();
    let stages = Stages {
        arithmetic: Arithmetic::default(),
        delays: &delay::of(&target),
        options: Options::new(Goal::Clock(20_000)),
    };
    let module = design.clone().build(stages).unwrap().0;
    let vectors = design.vectors(events).unwrap();
    let rows = vectors.input_rows(&module, &Held::new()).unwrap();
    let outputs = Batch::compile(&module).unwrap().run(&rows).unwrap();
    let width = outputs.len() / events.len();
    outputs.chunks(width).map(<[i128]>::to_vec).collect()
}

fn shapes() -> impl Strategy<Value = Shape> {
    let formats = ["ap_fixed<5,3>", "ap_fixed<8,4>", "ap_fixed<8,3,RND,SAT>", "ap_fixed<14,7>"];
    let aggregations = [Aggregation::Sum, Aggregation::Mean, Aggregation::Max];
    let sizes = (2usize..6, 1usize..9, 1usize..4);
    let choices = (prop::sample::select(formats.to_vec()), prop::sample::select(aggregations.to_vec()), any::<u64>());
    (sizes, choices).prop_map(|((nodes, edges, features), (format, aggregation, seed))| Shape {
        nodes,
        edges,
        features,
        layers: 1,
        sorted: false,
        aggregation,
        format: format.parse().unwrap(),
        seed,
    })
}

fn structures() -> impl Strategy<Value = Structure> {
    prop::sample::select(&[Structure::Flat, Structure::Blocks])
}

fn shuffled(count: usize, random: &mut fastrand::Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    random.shuffle(&mut order);
    order
}

/// Item `k` of the result is item `order[k]`.
fn taken<T: Clone>(items: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|k| items[*k].clone()).collect()
}

/// An event of an edge classifier.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    nodes: Vec<Vec<i64>>,
    edges: Vec<Edge>,
}

/// An edge of it.
#[derive(Debug, Clone, PartialEq)]
struct Edge {
    features: Vec<i64>,
    sender: i64,
    receiver: i64,
    valid: i64,
}

impl Event {
    fn random(shape: &Shape, network: &Network, seed: u64) -> Vec<Self> {
        let flat = events(&network.inputs(), EVENTS, seed);
        flat.iter().map(|flat| Self::of(shape, flat)).collect()
    }

    fn of(shape: &Shape, flat: &[i64]) -> Self {
        let (nodes, rest) = flat.split_at(shape.nodes * shape.features);
        let (features, ends) = rest.split_at(shape.edges * EDGE_FEATURES);
        let edge = |(k, features): (usize, &[i64])| Edge {
            features: features.to_vec(),
            sender: ends[k],
            receiver: ends[shape.edges + k],
            valid: ends[2 * shape.edges + k],
        };
        let rows = features.chunks(EDGE_FEATURES).enumerate();
        Self { nodes: nodes.chunks(shape.features).map(<[i64]>::to_vec).collect(), edges: rows.map(edge).collect() }
    }

    fn flat(&self) -> Vec<i64> {
        let edges = || self.edges.iter();
        let features = edges().flat_map(|e| e.features.iter().copied());
        let nodes = self.nodes.iter().flatten().copied();
        let ends = edges().map(|e| e.sender).chain(edges().map(|e| e.receiver)).chain(edges().map(|e| e.valid));
        nodes.chain(features).chain(ends).collect()
    }

    fn is_live(&self, k: usize) -> bool {
        let Edge { sender, receiver, valid, .. } = self.edges[k];
        let nodes = self.nodes.len() as i64;
        valid == 1 && sender < nodes && receiver < nodes
    }

    /// An order of the edges in which the receivers of live ones rise, and which is random otherwise.
    fn sorted_order(&self, random: &mut fastrand::Rng) -> Vec<usize> {
        let order = shuffled(self.edges.len(), random);
        let is_live = |k: &usize| self.is_live(*k);
        let mut live: Vec<usize> = order.iter().copied().filter(is_live).collect();
        live.sort_by_key(|k| self.edges[*k].receiver);
        let mut live = live.into_iter();
        let place = |k: usize| match self.is_live(k) {
            true => live.next().unwrap(),
            false => k,
        };
        order.into_iter().map(place).collect()
    }

    fn in_order(&self, order: &[usize]) -> Self {
        Self { nodes: self.nodes.clone(), edges: taken(&self.edges, order) }
    }
}

/// How many events' results do not move with the edges. `order` gives the order in which an event is asked again.
fn not_permuted(
    network: &Network,
    structure: Structure,
    events: &[Event],
    mut order: impl FnMut(&Event) -> Vec<usize>,
) -> usize {
    let orders: Vec<Vec<usize>> = events.iter().map(&mut order).collect();
    let asked = events.iter().map(Event::flat);
    let again = events.iter().zip(&orders).map(|(e, o)| e.in_order(o).flat());
    let all: Vec<Vec<i64>> = asked.chain(again).collect();
    let results = hardware(network, structure, &all);
    let (before, after) = results.split_at(events.len());
    let pairs = before.iter().zip(&orders).zip(after);
    pairs.filter(|((b, o), a)| taken(b, o) != **a).count()
}

/// Results of `event` and of the event that `change` makes of it, for all events.
fn both(
    networks: [&Network; 2],
    structure: Structure,
    events: &[Vec<i64>],
    changed: &[Vec<i64>],
) -> [Vec<Vec<i128>>; 2] {
    let [first, second] = networks;
    [hardware(first, structure, events), hardware(second, structure, changed)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn permuted_edges_permute_the_results(shape in shapes(), structure in structures(), seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let network = shape.tracking().unwrap();
        let events = Event::random(&shape, &network, seed);
        let order = |event: &Event| shuffled(event.edges.len(), &mut random);
        prop_assert_eq!(not_permuted(&network, structure, &events, order), 0);
    }

    /// Edges of the same receiver change places, and those that do not count go anywhere.
    #[test]
    fn sorted_edges_permute_the_results(shape in shapes(), structure in structures(), seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let network = Shape { sorted: true, ..shape }.tracking().unwrap();
        let mut events = Event::random(&shape, &network, seed);
        for event in &mut events {
            *event = event.in_order(&event.sorted_order(&mut random));
        }
        let order = |event: &Event| event.sorted_order(&mut random);
        prop_assert_eq!(not_permuted(&network, structure, &events, order), 0);
    }

    #[test]
    fn renamed_nodes_change_nothing(shape in shapes(), structure in structures(), seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let network = shape.tracking().unwrap();
        let events = Event::random(&shape, &network, seed);
        let renamed: Vec<Vec<i64>> = events.iter().map(|event| {
            let order = shuffled(event.nodes.len(), &mut random);
            let named = |i: i64| order.iter().position(|k| *k as i64 == i).map_or(i, |k| k as i64);
            let edges = event.edges.iter().map(|e| Edge {
                sender: named(e.sender),
                receiver: named(e.receiver),
                ..e.clone()
            });
            let edges = edges.collect();
            Event { nodes: taken(&event.nodes, &order), edges }.flat()
        }).collect();
        let flat: Vec<Vec<i64>> = events.iter().map(Event::flat).collect();
        let [before, after] = both([&network, &network], structure, &flat, &renamed);
        prop_assert_eq!(before, after);
    }

    /// A larger network of the same weights, with edges that do not count between the others, and nodes that no edge names.
    #[test]
    fn dummies_change_nothing(shape in shapes(), more in (0usize..3, 1usize..5), structure in structures(), seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let larger = Shape { nodes: shape.nodes + more.0, edges: shape.edges + more.1, ..shape };
        let (network, padded) = (shape.tracking().unwrap(), larger.tracking().unwrap());
        let mut events = Event::random(&shape, &network, seed);
        let dummies = Event::random(&larger, &padded, !seed);
        let mut places = Vec::new();
        let mut with_dummies = Vec::new();
        for (event, dummy) in events.iter_mut().zip(&dummies) {
            // an index past the end would name a node of the larger network
            for k in 0..event.edges.len() {
                event.edges[k].valid = i64::from(event.is_live(k));
            }
            let mut place = shuffled(larger.edges, &mut random);
            place.truncate(shape.edges);
            let mut edges: Vec<Edge> = dummy.edges.iter().map(|e| Edge { valid: 0, ..e.clone() }).collect();
            for (at, edge) in place.iter().zip(&event.edges) {
                edges[*at] = edge.clone();
            }
            let extra = dummy.nodes[shape.nodes..].iter();
            let nodes = event.nodes.iter().chain(extra).cloned().collect();
            with_dummies.push(Event { nodes, edges }.flat());
            places.push(place);
        }
        let flat: Vec<Vec<i64>> = events.iter().map(Event::flat).collect();
        let [before, after] = both([&network, &padded], structure, &flat, &with_dummies);
        for ((before, after), place) in before.iter().zip(&after).zip(&places) {
            prop_assert_eq!(before, &taken(after, place));
            let others = (0..larger.edges).filter(|k| !place.contains(k));
            prop_assert!(others.into_iter().all(|k| after[k] == 0));
        }
    }

    /// Particles of a masked set move with their bits of the mask, and those that are not there may be anything.
    #[test]
    fn sets_have_no_order_and_no_absent_members(shape in shapes(), more in 0usize..3, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let larger = Shape { nodes: shape.nodes + more, ..shape };
        let (network, padded) = (shape.deep_sets().unwrap(), larger.deep_sets().unwrap());
        let sets = events(&network.inputs(), EVENTS, seed);
        let absent = events(&padded.inputs(), EVENTS, !seed);
        let changed: Vec<Vec<i64>> = sets.iter().zip(&absent).map(|(set, absent)| {
            let (rows, mask) = set.split_at(shape.nodes * shape.features);
            let extra = &absent[rows.len()..larger.nodes * shape.features];
            let rows = rows.chunks(shape.features).chain(extra.chunks(shape.features));
            let rows: Vec<Vec<i64>> = rows.map(<[i64]>::to_vec).collect();
            let mask = [mask, vec![0; more].as_slice()].concat();
            let order = shuffled(larger.nodes, &mut random);
            [taken(&rows, &order).concat(), taken(&mask, &order)].concat()
        }).collect();
        let [before, after] = both([&network, &padded], Structure::Blocks, &sets, &changed);
        prop_assert_eq!(before, after);
    }
}

proptest! {
    // the published shapes are large
    #![proptest_config(ProptestConfig::with_cases(CASES / 4))]

    #[test]
    fn jets_have_no_order(shape in shapes(), linear: bool, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let network = match linear {
            true => shape.jedi_linear(),
            false => shape.jedinet(),
        };
        let network = network.unwrap();
        let jets = events(&network.inputs(), EVENTS, seed);
        let shuffle = |jet: &Vec<i64>| {
            let mut rows: Vec<&[i64]> = jet.chunks(shape.features).collect();
            random.shuffle(&mut rows);
            rows.concat()
        };
        let changed: Vec<Vec<i64>> = jets.iter().map(shuffle).collect();
        let [before, after] = both([&network, &network], Structure::Blocks, &jets, &changed);
        prop_assert_eq!(before, after);
    }

    /// A committed list of edges is a set, and particles are names.
    #[test]
    fn static_edges_have_no_order(shape in shapes(), seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let Network::Jedinet(whole) = shape.jedinet().unwrap() else { unreachable!() };
        let of = |edges: &[[usize; 2]]| Network::Jedinet(Jedinet { edges: Some(edges.to_vec()), ..whole.clone() });
        let all = (0..shape.nodes).flat_map(|i| (0..shape.nodes).filter(move |j| *j != i).map(move |j| [i, j]));
        let edges: Vec<[usize; 2]> = all.filter(|_| random.bool()).collect();
        let order = shuffled(shape.nodes, &mut random);
        let named = |i: usize| order.iter().position(|k| *k == i).unwrap();
        let mut renamed: Vec<[usize; 2]> = edges.iter().map(|e| e.map(named)).collect();
        random.shuffle(&mut renamed);
        let jets = events(&of(&edges).inputs(), EVENTS, seed);
        let changed = jets.iter().map(|jet| {
            let rows: Vec<&[i64]> = jet.chunks(shape.features).collect();
            taken(&rows, &order).concat()
        });
        let changed: Vec<Vec<i64>> = changed.collect();
        let [before, after] = both([&of(&edges), &of(&renamed)], Structure::Flat, &jets, &changed);
        prop_assert_eq!(before, after);
    }
}

fn example(sorted: bool) -> (Shape, Network, Vec<Event>) {
    let shape = Shape {
        nodes: 4,
        edges: 6,
        features: 3,
        layers: 1,
        sorted,
        aggregation: Aggregation::Sum,
        format: "ap_fixed<8,4>".parse().unwrap(),
        seed: 3,
    };
    let network = shape.tracking().unwrap();
    let events = Event::random(&shape, &network, 17);
    (shape, network, events)
}

/// A network to which the order of its edges matters: what a promise is broken for does not count.
#[test]
fn a_network_that_sees_the_order_is_found() {
    let mut random = fastrand::Rng::with_seed(5);
    let (_, network, events) = example(true);
    let order = |event: &Event| shuffled(event.edges.len(), &mut random);
    assert!(not_permuted(&network, Structure::Flat, &events, order) > 0);
}

/// Results that move otherwise than the edges do.
#[test]
fn a_wrong_permutation_is_found() {
    let (_, network, events) = example(false);
    let turned = |event: &Event| {
        let mut order: Vec<usize> = (0..event.edges.len()).collect();
        order.rotate_left(1);
        order
    };
    assert_eq!(not_permuted(&network, Structure::Flat, &events, turned), 0);
    let moved: Vec<Event> = events.iter().map(|e| e.in_order(&turned(e))).collect();
    let flat = |events: &[Event]| events.iter().map(Event::flat).collect::<Vec<_>>();
    let before = hardware(&network, Structure::Flat, &flat(&events));
    let after = hardware(&network, Structure::Flat, &flat(&moved));
    assert_ne!(before, after, "the order of the results is seen");
}

/// One feature of a live edge is seen.
#[test]
fn what_counts_is_seen() {
    let (_, network, events) = example(false);
    let mut changed = events.clone();
    for event in &mut changed {
        let live: Vec<usize> = (0..event.edges.len()).filter(|k| event.is_live(*k)).collect();
        for k in live {
            event.edges[k].features[0] ^= 0x15;
        }
    }
    let flat = |events: &[Event]| events.iter().map(Event::flat).collect::<Vec<_>>();
    let [before, after] = both([&network, &network], Structure::Flat, &flat(&events), &flat(&changed));
    assert_ne!(before, after);
}
