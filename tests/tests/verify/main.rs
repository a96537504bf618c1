//! `hwgen verify` on what hwgen wrote: it is proved, and nothing that was changed in it is proved wrongly.

mod mutations;

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
    let all = ["hwgen"].iter().chain(args).copied().chain(["--no-verify", "--out", out]);
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
    judged(folder, text, &change(text)?)
}

/// The same of the network in `folder`, whose Verilog was `text` and is `changed` now.
fn judged(folder: &Path, text: &str, changed: &str) -> Option<(Vec<Verdict>, bool)> {
    let before = design(folder, text)?;
    let after = design(folder, changed)?;
    fs::write(folder.join("network.v"), changed).expect("a file");
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
