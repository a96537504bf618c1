//! The proof at the end of a generating command.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use verify::deadline::Deadline;

use super::{Claim, Verdict, Verification, refuted, unprovable};
use crate::failure::{Failure, Result};
use crate::flow::Generated;
use crate::flow::folder::is_source;
use crate::output::manifest::Manifest;
use crate::progress;

/// How long it may take.
const TIME: Duration = Duration::from_secs(2);
/// Verilog that is more than this, in bytes, is not begun with: reading it alone takes most of the time.
const MOST: u64 = 8 << 20;

/// Proves the Verilog that was just written to `folder`, if that is soon done; gives what came of it, in a line.
///
/// # Errors
/// It is refuted, which is an error of hwgen; the folder cannot be read.
pub fn prove_new(generated: &Generated, folder: &Path) -> Result<String> {
    let claim = Claim { top: &generated.built.top, design: &generated.built.design };
    let again = format!("run `hwgen verify {}`", folder.display());
    if let Some(reason) = unprovable(claim.top, claim.design) {
        let simulate = format!("`hwgen sim {} --engine icarus` runs its vectors", folder.display());
        return Ok(format!("the Verilog is not proved equal to its model: {reason}; {simulate}"));
    }
    let names = Manifest::read(folder)?.unwrap_or_default();
    let sources: Vec<PathBuf> = names.names().filter(|name| is_source(name)).map(|name| folder.join(name)).collect();
    let sizes = sources.iter().map(|path| fs::metadata(path).map_or(0, |found| found.len()));
    if sizes.sum::<u64>() > MOST {
        return Ok(format!("the Verilog is too long to prove it by the way: {again}"));
    }
    progress::at("the proof of the Verilog").map_err(Failure::check)?;
    let all = match claim.verify(&sources, Deadline::within(TIME)) {
        Ok(all) => all,
        Err(Failure::User(unread) | Failure::Check(unread)) => {
            return Ok(format!("the Verilog could not be read back to prove it: {}", unread.messages()));
        }
    };
    if let Some(wrong) = all.iter().find_map(|v| Some(refuted(v, v.counterexample.as_ref()?))) {
        let help = "this is an error of hwgen: please report it, with the command and its input";
        return Err(Failure::check(wrong.help(help)));
    }
    let seconds = all.iter().map(|v| v.seconds).fold(0.0, f64::max);
    let open = |v: &&Verification| v.verdict != Verdict::Proved;
    Ok(match all.iter().find(open) {
        None => format!("the Verilog is proved equal to its model for every input, in {seconds:.1} s"),
        Some(v) if v.is_cut_short => {
            format!("the Verilog was not proved equal to its model within {} s: {again}", TIME.as_secs())
        }
        Some(v) => {
            let first = v.not_proved.first().map_or("", String::as_str);
            let more = match v.not_proved.len() {
                0 | 1 => String::new(),
                more => format!(", and {} more", more - 1),
            };
            format!("the Verilog, as {} read it, is not proved equal to its model ({first}{more}): {again}", v.read_by)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::network::NetworkProject;
    use crate::flow::{Options, generate};
    use crate::model::{Array, Graph, Input, Layer, Op, Output, TensorId};
    use crate::output::staging::Staging;

    /// The sums and differences of two numbers.
    fn generated(folder: &Path) -> Generated {
        let input = Input { name: "x".into(), shape: vec![2], range: (-8, 7), encode: None };
        let mut graph = Graph::new("sums", vec![input]).unwrap();
        let op = Op::dense(Array { shape: vec![2, 2], values: vec![3, 5, 3, -5] }, vec![1, 0]);
        let y = graph.push(Layer { name: "y".into(), op, inputs: vec![TensorId(0)], scale: None }).unwrap();
        graph.output(Output { name: "y".into(), tensor: y, decode: None }).unwrap();
        let staging = Staging::begin(folder, Default::default()).unwrap();
        let project = NetworkProject { count: Some(2), ..NetworkProject::new("test", "network", graph) };
        let generated = generate(&project, &Options::on("xcup").unwrap(), &staging).unwrap();
        staging.finish().unwrap();
        generated
    }

    #[test]
    fn what_was_written_is_proved_and_an_error_of_ours_is_one() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("rtl");
        let generated = generated(&folder);
        let said = prove_new(&generated, &folder).unwrap();
        assert!(said.contains("is proved equal to its model for every input"), "{said}");
        let file = folder.join("network.v");
        let text = fs::read_to_string(&file).unwrap();
        let (before, after) = text.split_once("assign y = ").unwrap();
        fs::write(&file, format!("{before}assign y = ~{after}")).unwrap();
        let error = prove_new(&generated, &folder).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("is not its model") && error.to_string().contains("report"), "{error}");
    }

    #[test]
    fn what_there_is_no_time_for_is_not_called_proved() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("rtl");
        let generated = generated(&folder);
        let claim = Claim { top: &generated.built.top, design: &generated.built.design };
        let sources: Vec<PathBuf> =
            ["network.v", "hwgen_add3.v"].map(|name| folder.join(name)).into_iter().filter(|f| f.is_file()).collect();
        for v in claim.verify(&sources, Deadline::within(Duration::ZERO)).unwrap() {
            assert!(v.verdict == Verdict::NotProved && v.is_cut_short && !v.not_proved.is_empty(), "{v:?}");
        }
        assert!(claim.verify(&sources, Deadline::NONE).unwrap().iter().all(|v| v.verdict == Verdict::Proved));
    }
}
