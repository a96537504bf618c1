//! Edge classifiers that take an event in several beats, cycle by cycle against the integer model.

use std::sync::Arc;

use constraints::{Target, delay};
use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use hdl::passes::flatten;
use hdl::passes::pipeline::{Goal, Options};
use hwgen::interaction::aggregate::Aggregation;
use hwgen::interaction::assembly::{Stages, Structure};
use hwgen::interaction::design::InteractionDesign;
use hwgen::interaction::network::{Network, Tracking};
use hwgen::interaction::random::Shape;
use hwgen::interaction::stream::{Lanes, Timing};
use sim::vectors::{Held, Vectors};

fn shape(nodes: usize, edges: usize) -> Shape {
    Shape {
        nodes,
        edges,
        features: 3,
        layers: 1,
        aggregation: Aggregation::Sum,
        format: "ap_fixed<8,4>".parse().unwrap(),
        seed: 3,
    }
}

fn tracking(shape: Shape) -> Tracking {
    match shape.tracking().unwrap() {
        Network::Tracking(network) => network,
        other => unreachable!("{other:?}"),
    }
}

/// The design in beats and its module, for a 5 ns clock in the default technology.
fn streamed(network: Tracking, beats: usize) -> (InteractionDesign, Arc<Module>) {
    let mut design = InteractionDesign {
        top: "net".into(),
        structure: Structure::Blocks,
        stream: Some(Timing { beats, latency: 0 }),
        network: Network::Tracking(network),
    };
    let target = Target::load(constraints::target::DEFAULT).unwrap();
    let stages = Stages {
        delays: &delay::of(&target),
        options: Options::new(Goal::Clock(20_000)),
    };
    let (module, _) = design.build(stages).unwrap();
    (design, module)
}

/// Cycles and ports that are not as `vectors` has them.
fn differing(module: &Module, vectors: &Vectors) -> usize {
    let flat = Arc::new(flatten(module).unwrap());
    let mut stepper = Stepper::new(&flat).unwrap();
    let found = sim::stream::stream(&flat, &mut stepper, vectors, &Held::new(), |_| ());
    found.unwrap().len()
}

/// One lane and several, beats that are a power of two and not, events that follow each other with and without pause.
#[test]
fn streams_are_their_model() {
    for (nodes, edges, beats) in [(8, 8, 8), (8, 16, 4), (4, 6, 2), (12, 9, 3), (28, 56, 7)] {
        let (design, module) = streamed(tracking(shape(nodes, edges)), beats);
        let vectors = design.vectors(&design.random_events(24, 5)).unwrap();
        assert_eq!(differing(&module, &vectors), 0, "{nodes} {edges} {beats}");
    }
}

/// Sums that saturate instead of wrapping are kept whole.
#[test]
fn saturated_sums_are_their_model() {
    for quantiser in [
        "ap_fixed<6,2,RND,SAT>",
        "ap_fixed<6,3,TRN_ZERO>",
        "ap_fixed<5,4,RND>",
    ] {
        let mut network = tracking(shape(8, 16));
        network.aggregate.quantiser = Some(quantiser.parse().unwrap());
        let (design, module) = streamed(network, 4);
        let vectors = design.vectors(&design.random_events(40, 6)).unwrap();
        assert_eq!(differing(&module, &vectors), 0, "{quantiser}");
    }
}

#[test]
fn another_weight_is_seen() {
    let network = tracking(shape(8, 8));
    let (design, _) = streamed(network.clone(), 4);
    let vectors = design.vectors(&design.random_events(40, 5)).unwrap();
    for block in 0..3 {
        let mut other = network.clone();
        let mlps = [&mut other.relation, &mut other.object, &mut other.score];
        mlps.into_iter().nth(block).unwrap().layers[2].weights[0][1] ^= 1;
        assert!(
            differing(&streamed(other, 4).1, &vectors) > 0,
            "block {block}"
        );
    }
    let mut late = design.clone();
    late.stream.as_mut().unwrap().latency += 1;
    let late = late.vectors(&design.random_events(40, 5)).unwrap();
    assert!(differing(&streamed(network, 4).1, &late) > 0);
}

#[test]
fn networks_that_cannot_be_dealt_out_are_refused() {
    let refused = |shape: Shape, beats| Lanes::of(&tracking(shape), beats).unwrap_err().message;
    let uneven = "cannot be dealt out";
    assert!(refused(shape(8, 8), 3).contains(uneven));
    assert!(refused(shape(8, 8), 1).contains(uneven));
    assert!(refused(shape(12, 8), 4).contains(uneven));
    let layered = Shape {
        layers: 2,
        ..shape(8, 8)
    };
    assert!(refused(layered, 4).contains("any two nodes"));
    let greatest = Shape {
        aggregation: Aggregation::Max,
        ..shape(8, 8)
    };
    assert!(refused(greatest, 4).contains("only sums"));
    let mut exact = tracking(shape(8, 8));
    exact.aggregate.quantiser = None;
    assert!(
        Lanes::of(&exact, 4)
            .unwrap_err()
            .message
            .contains("too wide")
    );
}
