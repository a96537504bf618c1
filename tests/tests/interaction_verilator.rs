//! Verilator on networks of blocks: compiled one by one or together, it must see what is wrong.

use std::path::Path;

use constraints::{Target, delay};
use hdl::passes::pipeline::{Goal, Options};
use hwgen::arith::Arithmetic;
use hwgen::interaction::assembly::{Stages, Structure};
use hwgen::interaction::design::InteractionDesign;
use hwgen::interaction::random::Shape;
use hwgen::model::block::aggregate::Aggregation;
use hwgen_tests::emitted;
use sim::tools::{Engine, Verdict};

const SAMPLES: usize = 64;

/// The folder of a small network whose `node` block stands in it four times.
fn emitted(folder: &Path) {
    let shape = Shape {
        nodes: 4,
        edges: 1,
        features: 2,
        layers: 1,
        sorted: false,
        aggregation: Aggregation::Sum,
        format: "ap_fixed<5,3>".parse().unwrap(),
        seed: 3,
    };
    let design = InteractionDesign {
        top: "net".into(),
        structure: Structure::Blocks,
        stream: None,
        network: shape.jedi_linear().unwrap(),
    };
    let target = Target::load(constraints::targets::DEFAULT).unwrap();
    let stages = Stages {
        arithmetic: Arithmetic::default(),
        delays: &delay::of(&target),
        options: Options::new(Goal::Clock(20_000)),
    };
    let (top, pipeline, design) = design.build(stages).unwrap();
    let vectors = design.vectors(&design.random_events(SAMPLES, 7)).unwrap();
    emitted::interaction(folder, design, (&top, &pipeline), &vectors);
}

fn verdict(folder: &Path, blocks: &[String]) -> Verdict {
    emitted::verdict(Engine::Verilator, folder, "net", SAMPLES, blocks)
}

/// Changes the last bit of one expected word.
fn spoil(folder: &Path) {
    let file = folder.join("vectors/expected.hex");
    let mut text = std::fs::read_to_string(&file).unwrap();
    let place = text.match_indices('\n').nth(SAMPLES / 2).unwrap().0 - 1;
    let digit = u8::from_str_radix(&text[place..=place], 16).unwrap() ^ 1;
    text.replace_range(place..=place, &format!("{digit:x}"));
    std::fs::write(file, text).unwrap();
}

#[test]
fn a_wrong_bit_is_seen_in_a_network_of_blocks() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("rtl");
    emitted(&folder);
    let blocks = ["net_node".to_owned()];
    let right = verdict(&folder, &blocks);
    assert!(matches!(right, Verdict::Pass { vectors: SAMPLES, .. }), "{right:?}");
    spoil(&folder);
    for blocks in [&blocks[..], &[]] {
        let wrong = verdict(&folder, blocks);
        assert!(matches!(wrong, Verdict::Fail(_)), "{wrong:?}");
    }
}
