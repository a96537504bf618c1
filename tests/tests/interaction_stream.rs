//! Edge classifiers that take an event in several beats, cycle by cycle against the integer model.

use std::sync::Arc;

use constraints::{Target, delay};
use hdl::analysis::Statistics;
use hdl::dfg::Module;
use hdl::dfg::eval::Stepper;
use hdl::passes::flatten;
use hdl::passes::pipeline::{self, Goal, Options};
use hwgen::arith::{Arithmetic, Fabric};
use hwgen::interaction::assembly::{Stages, Structure};
use hwgen::interaction::budget::{Sizes, beats_within};
use hwgen::interaction::design::InteractionDesign;
use hwgen::interaction::network::{Network, Tracking};
use hwgen::interaction::random::Shape;
use hwgen::interaction::stream::{Lanes, Timing};
use hwgen::model::block::aggregate::Aggregation;
use hwgen_tests::emitted;
use sim::tools::{Engine, Verdict};
use sim::vectors::{Held, Vectors};

fn shape(nodes: usize, edges: usize) -> Shape {
    Shape {
        nodes,
        edges,
        features: 3,
        layers: 1,
        sorted: false,
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
    let (design, module, _) = reported(network, beats);
    (design, module)
}

/// The same with the report of its stages.
fn reported(network: Tracking, beats: usize) -> (InteractionDesign, Arc<Module>, pipeline::Report) {
    let design = InteractionDesign {
        top: "net".into(),
        structure: Structure::Blocks,
        stream: Some(Timing { beats, latency: 0 }),
        network: Network::Tracking(network),
    };
    let target = Target::load(constraints::targets::DEFAULT).unwrap();
    let stages = Stages {
        arithmetic: Arithmetic::default(),
        delays: &delay::of(&target),
        options: Options::new(Goal::Clock(20_000)),
    };
    let (module, report, design) = design.build(stages).unwrap();
    (design, module, report)
}

/// What the emitted test bench finds in a design's Verilog.
fn simulated(engine: Engine, network: Tracking, beats: usize, events: usize) -> Verdict {
    let (design, module, pipeline) = reported(network, beats);
    let vectors = design.vectors(&design.random_events(events, 7)).unwrap();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("rtl");
    emitted::interaction(&folder, design, (&module, &pipeline), &vectors);
    emitted::verdict(engine, &folder, "net", vectors.len(), &[])
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

#[test]
fn the_verilog_of_a_stream_is_its_model() {
    for (nodes, edges, beats) in [(8, 16, 4), (12, 9, 3)] {
        let verdict = simulated(Engine::Icarus, tracking(shape(nodes, edges)), beats, 20);
        assert!(matches!(verdict, Verdict::Pass { .. }), "{verdict:?}");
    }
}

/// The size of the published streams. It takes minutes, so it is run when `HWGEN_STREAM_CAMPAIGN` is set.
#[test]
fn a_large_graph_is_streamed() {
    if std::env::var_os("HWGEN_STREAM_CAMPAIGN").is_none() {
        println!("skipped: HWGEN_STREAM_CAMPAIGN is not set");
        return;
    }
    let (design, module) = streamed(tracking(shape(448, 896)), 56);
    let vectors = design.vectors(&design.random_events(8, 5)).unwrap();
    assert_eq!(differing(&module, &vectors), 0);
    let verdict = simulated(Engine::Verilator, tracking(shape(448, 896)), 56, 40);
    println!("{verdict:?}");
    assert!(matches!(verdict, Verdict::Pass { .. }));
}

/// Sums that saturate instead of wrapping are kept whole.
#[test]
fn saturated_sums_are_their_model() {
    for quantiser in ["ap_fixed<6,2,RND,SAT>", "ap_fixed<6,3,TRN_ZERO>", "ap_fixed<5,4,RND>"] {
        let mut network = tracking(shape(8, 16));
        network.aggregate.quantiser = Some(quantiser.parse().unwrap());
        let (design, module) = streamed(network, 4);
        let vectors = design.vectors(&design.random_events(40, 6)).unwrap();
        assert_eq!(differing(&module, &vectors), 0, "{quantiser}");
    }
}

/// Every aggregation, sums that nothing narrows, and windows that keep edges from some nodes.
#[test]
fn aggregates_and_windows_of_streams_are_their_model() {
    for aggregation in [Aggregation::Mean, Aggregation::Max, Aggregation::Sum] {
        for (layers, quantised) in [(1, true), (4, true), (1, false)] {
            let mut network = tracking(Shape { aggregation, layers, ..shape(8, 12) });
            network.aggregate.quantiser = network.aggregate.quantiser.filter(|_| quantised);
            let (design, module) = streamed(network, 4);
            let vectors = design.vectors(&design.random_events(40, 8)).unwrap();
            assert_eq!(differing(&module, &vectors), 0, "{aggregation:?} {layers}");
        }
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
        assert!(differing(&streamed(other, 4).1, &vectors) > 0, "block {block}");
    }
    let mut late = design.clone();
    late.stream.as_mut().unwrap().latency += 1;
    let late = late.vectors(&design.random_events(40, 5)).unwrap();
    assert!(differing(&streamed(network, 4).1, &late) > 0);
}

/// The adder bits that a budget is compared with are those of the design, but for what the optimiser shares between
/// neurons, and few beats are taken where much fits.
#[test]
fn a_budget_decides_on_the_copies() {
    let network = tracking(shape(28, 56));
    let sizes = Sizes::of(&network, Fabric::default()).unwrap();
    for beats in [7, 14, 28] {
        let lanes = Lanes::of(&network, beats).unwrap();
        let counted = sizes.adder_bits(&network, Some(lanes));
        let (_, module) = streamed(network.clone(), beats);
        let built = Statistics::of(&flatten(&module).unwrap()).adder_bits;
        assert!(counted.abs_diff(built) * 5 < built, "{counted} {built}");
        assert_eq!(beats_within(&network, Fabric::default(), counted).unwrap(), beats);
        assert!(beats_within(&network, Fabric::default(), counted - 1).is_ok_and(|b| b > beats) || beats == 28);
    }
    assert_eq!(beats_within(&network, Fabric::default(), u64::MAX).unwrap(), 1);
    let refused = beats_within(&network, Fabric::default(), 10).unwrap_err().to_string();
    assert!(refused.contains("the least is"), "{refused}");
}

#[test]
fn networks_that_cannot_be_dealt_out_are_refused() {
    let refused = |shape: Shape, beats| Lanes::of(&tracking(shape), beats).unwrap_err().message;
    let uneven = "cannot be dealt out";
    assert!(refused(shape(8, 8), 3).contains(uneven));
    assert!(refused(shape(8, 8), 1).contains(uneven));
    assert!(refused(shape(12, 8), 4).contains(uneven));
    let mut sorted = tracking(shape(8, 8));
    sorted.sorted = true;
    assert!(Lanes::of(&sorted, 4).unwrap_err().message.contains("any order"));
}
