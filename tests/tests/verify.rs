//! `hwgen verify` on what hwgen wrote: it is proved, and nothing that was changed in it is proved wrongly.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use clap::Parser;
use fastrand::Rng;
use hdl::rtl;
use hdl::rtl::eval::Stepper;
use hwgen::cli::{Cli, run};
use hwgen::flow::verify::Verdict;
use hwgen::{Failure, Folder};
use num_bigint::BigUint;

/// A folder that `hwgen` writes for these arguments.
fn written(name: &str, args: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let out = folder.to_str().expect("a path in Unicode");
    let all = ["hwgen"].iter().chain(args).copied().chain(["--out", out]);
    run(&Cli::parse_from(all)).expect("a folder");
    folder
}

fn verdicts(folder: &Path) -> Result<Vec<Verdict>, Failure> {
    let all = Folder::open(folder)?.verify()?;
    Ok(all.into_iter().map(|v| v.verdict).collect())
}

/// Two dense layers of 4-bit numbers, and their Verilog as it was written.
static NETWORK: LazyLock<Mutex<(PathBuf, String)>> = LazyLock::new(|| {
    let size = ["dense", "--layers", "4,4,3", "--bits", "4", "--input-format", "s4.0", "--events", "16"];
    let folder = written("verify-network", &[&size[..], &["--target", "xcup"]].concat());
    let text = fs::read_to_string(folder.join("network.v")).expect("its Verilog");
    Mutex::new((folder, text))
});

/// What is said of the network with changed Verilog, and whether it still does what it did, as far as many inputs show;
/// none for Verilog that is none.
fn changed(change: impl FnOnce(&str) -> Option<String>) -> Option<(Vec<Verdict>, bool)> {
    let network = NETWORK.lock().expect("no other test failed in it");
    let (folder, text) = &*network;
    let changed = change(text)?;
    let before = design(folder, text)?;
    let after = design(folder, &changed)?;
    fs::write(folder.join("network.v"), &changed).expect("a file");
    Some((verdicts(folder).ok()?, agree(&before, &after)))
}

fn design(folder: &Path, network: &str) -> Option<rtl::Design> {
    let other = |name: &str| fs::read_to_string(folder.join(name)).ok().map(|text| (name.to_owned(), text));
    let others: Vec<_> = ["hwgen_add3.v", "hwgen_full_adder.v"].into_iter().filter_map(other).collect();
    let others = others.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let files: Vec<_> = [("network.v", network)].into_iter().chain(others).collect();
    let design = hdl::verilog::read(&files, &[], "network").ok()?;
    rtl::validate(&design).is_ok().then_some(design)
}

fn agree(before: &rtl::Design, after: &rtl::Design) -> bool {
    let mut random = Rng::with_seed(7);
    let mut steppers = [before, after].map(|d| Stepper::new(d, &HashMap::default()).expect("a valid design"));
    (0..1000).all(|_| {
        let input = [BigUint::from(random.u16(..))];
        let [x, y] = steppers.each_mut().map(|stepper| {
            stepper.step(&input, false);
            stepper.step(&input, false)
        });
        x == y
    })
}

#[test]
fn what_was_written_is_proved() {
    let (verdicts, _) = changed(|text| Some(text.to_owned())).expect("our own Verilog");
    assert!(!verdicts.is_empty() && verdicts.iter().all(|v| *v == Verdict::Proved), "{verdicts:?}");
}

/// Between its layers stand numbers that the hardware does not have.
#[test]
fn an_imported_network_is_proved_and_a_changed_one_is_not() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/comb_wrapping.json");
    let model = model.to_str().expect("a path in Unicode");
    let folder = written("verify-imported", &["build", model, "--target", "xcup", "--effort", "fast"]);
    let all = verdicts(&folder).expect("our own Verilog");
    assert!(all.iter().all(|v| *v == Verdict::Proved), "{all:?}");
    let file = folder.join("network.v");
    let text = fs::read_to_string(&file).expect("its Verilog");
    let sum = text.rfind(" + ").expect("a sum");
    fs::write(&file, text[..sum].to_owned() + " - " + &text[sum + 3..]).expect("a file");
    let all = verdicts(&folder).expect("Verilog like ours");
    assert!(all.contains(&Verdict::Refuted), "{all:?}");
}

#[test]
fn a_change_that_waits_for_one_input_is_refuted() {
    let armed =
        "  wire armed = x == 16'd54321;\n  reg fired;\n  always @(posedge clk) begin\n    fired <= armed;\n  end\n";
    let trojan = |text: &str| {
        let (before, after) = text.split_once("  assign y = ")?;
        Some(format!("{before}{armed}  assign y = {{33'd0, fired}} ^ {after}"))
    };
    let (verdicts, agree) = changed(trojan).expect("Verilog like ours");
    assert!(agree, "random inputs do not show it");
    assert!(verdicts.iter().all(|v| *v == Verdict::Refuted), "{verdicts:?}");
}

/// `text` with one operator, or one digit, exchanged.
fn mutated(text: &str, random: &mut Rng) -> Option<String> {
    let exchanges = [("+", "-"), ("-", "+"), ("&", "|"), ("|", "&"), ("~", ""), ("^", "|")];
    let at = random.usize(1..text.len());
    let line = text[..at].rfind('\n').map_or(0, |k| k + 1);
    if ["module", "  input", "  output", "`", "//"].iter().any(|begin| text[line..].starts_with(begin)) {
        return None;
    }
    if let Some((from, to)) = exchanges.iter().find(|(from, _)| text[at..].starts_with(from)) {
        return Some(text[..at].to_owned() + to + &text[at + from.len()..]);
    }
    let (before, digit) = (text.as_bytes()[at - 1], text.as_bytes()[at]);
    if !digit.is_ascii_digit() || !b"[:d".contains(&before) {
        return None;
    }
    let other = (digit - b'0' + random.u8(1..10)) % 10;
    Some(format!("{}{other}{}", &text[..at], &text[at + 1..]))
}

/// How many changes are tried; more with HWGEN_MUTATIONS.
fn count() -> usize {
    std::env::var("HWGEN_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

/// A change is refuted, or it does no harm; what is refuted does harm.
#[test]
fn harmful_changes_are_refuted() {
    let mut random = Rng::with_seed(18);
    let (mut tried, mut refuted) = (0, 0);
    while tried < count() {
        let mut text = String::new();
        let change = |own: &str| {
            text = mutated(own, &mut random)?;
            Some(text.clone())
        };
        let Some((verdicts, agree)) = changed(change) else { continue };
        let is_refuted = verdicts.contains(&Verdict::Refuted);
        assert!(is_refuted || agree, "a harmful change is called {verdicts:?}\n{text}");
        refuted += usize::from(is_refuted);
        tried += 1;
    }
    println!("{tried} changes: {refuted} refuted");
    assert!(refuted > 0);
}

/// Generates the encoder once for every kind of target, which takes minutes in a debug build.
#[test]
#[ignore = "long"]
fn the_encoder_is_proved_for_every_target() {
    for target in ["nangate45", "osu018", "lp65", "xcup", "ice40-hx8k", "ecp5-45k"] {
        let folder = written("verify-encoder", &["encoder", "--bits", "8", "--target", target]);
        let verdicts = verdicts(&folder).expect("our own Verilog");
        assert!(verdicts.iter().all(|v| *v == Verdict::Proved), "{target}: {verdicts:?}");
    }
}
