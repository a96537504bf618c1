//! Runs the program in a folder of its own and writes down what it said.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Longest argument that a transcript shows.
const SHOWN: usize = 60;

/// A folder in which the program runs.
pub struct Home {
    folder: TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A new file; folders on its way are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// The shipped edge classifier for two nodes and two edges in the folder `rtl`: small, with modules of several copies.
    pub fn two_node_interaction(&self, options: &[&str]) {
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/interaction/tracking.json");
        let size = ["--nodes", "2", "--edges", "2", "--events", "4"];
        let fixed = ["interaction", "--no-verify", "--model", model, "--out", "rtl"];
        self.success(&[&fixed, &size[..], options].concat());
    }

    /// The program with these arguments, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hwgen"));
        command.args(args).current_dir(self.folder.path());
        command
    }

    /// What the program did with these arguments.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The same, which must go well; gives the standard output.
    pub fn success(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let transcript = self.transcript(args, &output);
        assert!(output.status.success(), "{transcript}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Command, output and exit code as text, without the place where it ran.
    pub fn transcript(&self, args: &[&str], output: &Output) -> String {
        let shown = |arg: &&str| match arg.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &arg[..end]),
            None if arg.is_empty() || arg.contains([' ', ';']) => format!("'{arg}'"),
            None => (*arg).to_owned(),
        };
        let args: Vec<String> = args.iter().map(shown).collect();
        let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        let home = self.folder.path().to_str().unwrap();
        let text = format!("$ hwgen {}\n{out}{err}", args.join(" ")).replace(home, "HOME");
        match output.status.code() {
            Some(code) => format!("{text}[exit code {code}]\n"),
            None => format!("{text}[{}]\n", output.status),
        }
    }

    /// Every file and folder below, with the files' content.
    pub fn tree(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        fn visit(path: &Path, found: &mut BTreeMap<PathBuf, Option<Vec<u8>>>) {
            for entry in fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    visit(&path, found);
                    found.insert(path, None);
                } else {
                    let content = fs::read(&path).unwrap();
                    found.insert(path, Some(content));
                }
            }
        }
        let mut found = BTreeMap::new();
        visit(self.folder.path(), &mut found);
        found
    }
}

/// Whether a program is installed; says so if not.
pub fn available(tool: &str, argument: &str) -> bool {
    let found = Command::new(tool).arg(argument).output().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// A file of the reference material that is not part of the project, or `None` with a message why the test is skipped.
///
/// It is looked for below the environment variable `HWGEN_SHARED`, else beside the workspace in `../shared`.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("HWGEN_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: {} is not there", found.display());
    None
}
