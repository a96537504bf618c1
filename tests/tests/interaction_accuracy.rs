//! Events with known truth, and how well networks do on them.

use std::path::{Path, PathBuf};

use hwgen::interaction::accuracy::{Accuracy, Decision};
use hwgen::interaction::events::{Event, Labelled, Tracks, Truth, jets, parse, tracking::Barrel};
use hwgen::interaction::float::Overflows;
use hwgen::interaction::network::Network;
use hwgen::interaction::roc;
use hwgen::model::block::windows::Windows;

/// Where the trained networks lie, with a hundred events each.
fn shipped(name: &str) -> PathBuf {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../generators/weights/interaction");
    weights.join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(shipped(name)).unwrap()
}

fn network(name: &str) -> Network {
    let network: Network = serde_json::from_str(&read(name)).unwrap();
    network.validate().unwrap();
    network
}

fn labelled(network: &Network, events: &[Event]) -> Vec<Labelled> {
    let event = |event: &Event| event.quantised(network).unwrap();
    events.iter().map(event).collect()
}

fn tracks(seed: u64) -> Tracks {
    let barrel = Barrel::new(28, 56, 7).unwrap();
    barrel.event(&mut fastrand::Rng::with_seed(seed))
}

#[test]
fn the_shipped_edge_classifier_finds_tracks() {
    let network = network("tracking.json");
    let events = labelled(&network, &parse(&read("tracking-events.jsonl")).unwrap());
    let accuracy = Accuracy::of(&network, &events, 0.5).unwrap();
    let [edges] = &accuracy.separations[..] else { panic!("{accuracy:?}") };
    assert_eq!(accuracy.events, 100);
    let (auc, float) = (edges.auc.unwrap(), edges.float_auc.unwrap());
    assert!(auc > 0.96 && (auc - float).abs() < 0.005, "{auc} {float}");
    let found = |threshold| match Accuracy::of(&network, &events, threshold).unwrap().decision {
        Decision::Threshold { efficiency, .. } => efficiency.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(found(0.0), 1.0);
    assert!(found(0.2) > found(0.8));
}

#[test]
fn the_shipped_jet_tagger_tells_jets_apart() {
    let network = network("jets.json");
    let events = labelled(&network, &parse(&read("jets-events.jsonl")).unwrap());
    let accuracy = Accuracy::of(&network, &events, 0.5).unwrap();
    let (Decision::Accuracy(share), Decision::Accuracy(float)) = (accuracy.decision, accuracy.float_decision) else {
        panic!("{accuracy:?}")
    };
    assert!(share > 0.6 && (share - float).abs() < 0.05, "{share} {float}");
    let picture = roc::svg(&accuracy);
    let curves = picture.matches("<polyline").count();
    assert_eq!(curves, 2 * jets::CLASSES.len());
}

/// An untrained network does not find tracks, so the figures mean something.
#[test]
fn other_weights_find_nothing() {
    let mut other = network("tracking.json");
    let Network::Tracking(tracking) = &mut other else { panic!("an edge classifier") };
    for layer in &mut tracking.relation.layers {
        layer.weights.iter_mut().for_each(|row| row.rotate_left(1));
    }
    let events = labelled(&other, &parse(&read("tracking-events.jsonl")).unwrap());
    let accuracy = Accuracy::of(&other, &events, 0.5).unwrap();
    assert!(accuracy.separations[0].auc.unwrap() < 0.9);
}

#[test]
fn events_lie_in_the_windows_of_their_layers() {
    let windows = Windows::between_layers(28, 56, 7).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let barrel = Barrel::new(28, 56, 7).unwrap();
    let (mut segments, mut truths) = (0, 0);
    for _ in 0..200 {
        let event = barrel.event(&mut random);
        for k in 0..56 {
            let [from, to] = [windows.senders[k], windows.receivers[k]];
            assert!((from..from + 4).contains(&event.sender[k]));
            assert!((to..to + 4).contains(&event.receiver[k]));
            let is_dummy = event.edges[k].iter().all(|f| *f == 0.0);
            assert_eq!(event.valid[k] == 0, is_dummy);
            assert!(event.truth[k] <= event.valid[k]);
        }
        segments += event.valid.iter().filter(|v| **v == 1).count();
        truths += event.truth.iter().filter(|t| **t == 1).count();
    }
    assert!(2 * truths > segments && 10 * truths < 9 * segments, "{truths} {segments}");
}

/// Successive segments of a helix turn the same way and climb at the same slope, to the resolution.
#[test]
fn true_segments_follow_a_helix() {
    let radii = |event: &Tracks, node: usize| event.nodes[node][0];
    let slope = |event: &Tracks, k: usize| {
        let [from, to] = [event.sender[k], event.receiver[k]];
        (event.nodes[to][2] - event.nodes[from][2]) / (radii(event, to) - radii(event, from))
    };
    let (mut pairs, mut alike) = (0, 0);
    for event in (0..100).map(tracks) {
        let true_edges = || (0..56).filter(|k| event.truth[*k] == 1);
        for (a, b) in true_edges().flat_map(|a| true_edges().map(move |b| (a, b))) {
            if event.receiver[a] == event.sender[b] {
                pairs += 1;
                alike += usize::from((slope(&event, a) - slope(&event, b)).abs() < 0.1);
            }
        }
    }
    assert!(pairs > 500 && 20 * alike > 19 * pairs, "{alike} of {pairs}");
}

#[test]
fn a_seed_says_all() {
    assert_eq!(tracks(1), tracks(1));
    assert_ne!(tracks(1), tracks(2));
    let jet = |seed| jets::jet(8, &mut fastrand::Rng::with_seed(seed));
    assert_eq!(jet(1), jet(1));
    assert_ne!(jet(1), jet(2));
}

#[test]
fn events_that_do_not_fit_are_refused() {
    let network = network("tracking.json");
    let refused = |change: &dyn Fn(&mut Tracks)| {
        let mut event = tracks(1);
        change(&mut event);
        Event::Tracks(event).quantised(&network).unwrap_err().message
    };
    assert!(refused(&|e| e.nodes[3][1] = 1000.0).contains("1000 in `nodes` does not fit"));
    assert!(refused(&|e| e.edges.truncate(55)).contains("`edges` must be 56 rows"));
    assert!(refused(&|e| e.truth.truncate(55)).contains("56 entries"));
    assert!(refused(&|e| e.sender[0] = 99).contains("99 in `sender`"));
    assert!(refused(&|e| e.valid[0] = 2).contains("2 in `valid`"));
    let jet = Event::Jet(jets::jet(8, &mut fastrand::Rng::with_seed(1)));
    assert!(jet.quantised(&network).unwrap_err().message.contains("a jet"));
    let unknown = Labelled { inputs: vec![0; 24], truth: Truth::Class(5) };
    let jets = self::network("jets.json");
    let error = Accuracy::of(&jets, &[unknown], 0.5).unwrap_err();
    assert!(error.message.contains("class 5"));
}

/// Where no quantiser loses anything, both evaluations are one.
#[test]
fn floating_point_is_the_same_network() {
    let mut jets = network("jets.json");
    let Network::Jedinet(network) = &mut jets else { panic!("a JEDI-net") };
    let exact = "ap_fixed<32,12>".parse().unwrap();
    network.input = "ap_fixed<6,4>".parse().unwrap();
    for mlp in [&mut network.relation, &mut network.object, &mut network.classifier] {
        for layer in &mut mlp.layers {
            (layer.pre_activation, layer.relu) = (exact, layer.relu.map(|_| exact));
        }
    }
    jets.validate().unwrap();
    let frac = jets.output_frac();
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..50 {
        let event: Vec<i64> = (0..24).map(|_| random.i64(-3..=3)).collect();
        let integers = jets.evaluate(&event).unwrap().into_iter().map(|v| v as f64 / f64::from(frac).exp2());
        for (integer, float) in integers.zip(jets.in_floats(&event, &Overflows::default())) {
            assert!((integer - float).abs() < 1e-3, "{integer} {float}");
        }
    }
}
