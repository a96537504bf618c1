//! Random models of every framework, with random settings of every key: each gives the framework's own results, or is
//! refused. The makers are in `tests/python`.
//!
//! `HWGEN_CAMPAIGN_MODELS` says how many models a maker makes (default 20), `HWGEN_CAMPAIGN_SEED` their seed,
//! `HWGEN_CAMPAIGN` a folder that keeps them (what is there already is not made again). `HWGEN_PYTHON_ONNX`,
//! `HWGEN_PYTHON_KERAS3`, `HWGEN_PYTHON_KERAS2` and `HWGEN_PYTHON_BREVITAS` name Pythons with the packages (default
//! `python3`); makers whose packages are missing are skipped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use hwgen_tests::framework::{Verdict, models, verdict};

/// What makes random models.
struct Maker {
    framework: &'static str,
    script: &'static str,
    /// Names the Python.
    variable: &'static str,
    /// Fails in a Python without the packages.
    needs: &'static str,
}

const KERAS3: &str = "import hgq";
const KERAS2: &str = "import qkeras, tensorflow as tf; assert tf.__version__ < '2.16'";

const MAKERS: [Maker; 6] = [
    Maker {
        framework: "onnx and qonnx",
        script: "onnx_models.py",
        variable: "HWGEN_PYTHON_ONNX",
        needs: "import onnxruntime, qonnx",
    },
    Maker { framework: "HGQ2", script: "hgq2_models.py", variable: "HWGEN_PYTHON_KERAS3", needs: KERAS3 },
    Maker { framework: "Keras 3", script: "keras_models.py", variable: "HWGEN_PYTHON_KERAS3", needs: KERAS3 },
    Maker { framework: "QKeras", script: "qkeras_models.py", variable: "HWGEN_PYTHON_KERAS2", needs: KERAS2 },
    Maker { framework: "Keras 2", script: "keras_models.py", variable: "HWGEN_PYTHON_KERAS2", needs: KERAS2 },
    Maker {
        framework: "Brevitas",
        script: "brevitas_models.py",
        variable: "HWGEN_PYTHON_BREVITAS",
        needs: "import brevitas",
    },
];

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

impl Maker {
    /// Makes the models in `folder` unless it is there. False, with a message, if the packages are missing.
    fn make(&self, folder: &Path) -> bool {
        if folder.exists() {
            return true;
        }
        let python = setting(self.variable, "python3");
        let available = Command::new(&python).args(["-c", self.needs]).output();
        if !available.is_ok_and(|o| o.status.success()) {
            println!("skipped: {python} ({}) has not what {} needs", self.variable, self.framework);
            return false;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(self.script);
        let count = setting("HWGEN_CAMPAIGN_MODELS", "20");
        let seed = setting("HWGEN_CAMPAIGN_SEED", "1");
        let mut command = Command::new(python);
        command.arg(script).arg(folder).args(["--models", &count, "--seed", &seed]);
        let done = command.output().expect("a process");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8_lossy(&done.stdout);
        println!("{}: {}", self.framework, said.lines().last().unwrap_or_default());
        true
    }
}

#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    close: usize,
    doubtful: usize,
    /// By message without names and numbers.
    refused: BTreeMap<String, usize>,
    different: Vec<String>,
}

impl Tally {
    fn count(&mut self, verdict: Verdict, model: &Path) {
        match verdict {
            Verdict::Equal => self.equal += 1,
            Verdict::Close => self.close += 1,
            Verdict::Doubtful => self.doubtful += 1,
            Verdict::Refused(message) => {
                let message = message.split_once(": ").map_or(&*message, |(_, rest)| rest).to_owned();
                *self.refused.entry(message).or_default() += 1;
            }
            Verdict::Different(how) => self.different.push(format!("{}: {how}", model.display())),
        }
    }

    fn refusals(&self) -> usize {
        self.refused.values().sum()
    }

    fn models(&self) -> usize {
        self.equal + self.close + self.doubtful + self.refusals() + self.different.len()
    }

    fn line(&self, name: &str) -> String {
        let Self { equal, close, doubtful, different, .. } = self;
        let (models, refused, different) = (self.models(), self.refusals(), different.len());
        format!("| {name} | {models} | {equal} | {close} | {doubtful} | {refused} | {different} |")
    }

    fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.close += other.close;
        self.doubtful += other.doubtful;
        other.refused.into_iter().for_each(|(message, count)| *self.refused.entry(message).or_default() += count);
        self.different.extend(other.different);
    }
}

#[test]
fn no_random_model_is_silently_different() {
    let made = tempfile::tempdir().expect("a folder");
    let kept = std::env::var_os("HWGEN_CAMPAIGN").map_or_else(|| made.path().to_owned(), PathBuf::from);
    let mut all = Tally::default();
    let (mut lines, mut poor) = (Vec::new(), Vec::new());
    for maker in &MAKERS {
        let folder = kept.join(maker.framework.replace(' ', "-"));
        if !maker.make(&folder) {
            continue;
        }
        let mut tally = Tally::default();
        models(&folder).iter().for_each(|model| tally.count(verdict(model), model));
        tally.refused.iter().for_each(|(message, count)| println!("{}: {count} refused: {message}", maker.framework));
        lines.push(tally.line(maker.framework));
        if tally.refusals() * 3 > tally.models() * 2 || tally.equal * 4 < tally.models() {
            poor.push(maker.framework);
        }
        all.add(tally);
    }
    println!(
        "| framework | models | equal | equal but for the last bits | within the stated bound | refused | different |"
    );
    println!("|---|---|---|---|---|---|---|");
    lines.iter().for_each(|line| println!("{line}"));
    println!("{}", all.line("all"));
    assert!(all.different.is_empty(), "{}", all.different.join("\n"));
    assert!(poor.is_empty(), "most models of {poor:?} are refused, or few are exact: they show little");
}
