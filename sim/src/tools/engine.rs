//! Test benches in Icarus Verilog and in Verilator.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hdl::diag::{Diagnostic, Diagnostics};
use process::{Meter, Scratch, run, with_help};

/// Optimisation of Verilator's C++: none, since a bench runs once and compiling it is nearly all of the time. A network
/// of 5,000 adders builds in 40 % of the time that Verilator's own choice takes, and still runs 20,000 samples a second.
const COMPILER: &str = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0";

/// What Verilator is always asked for. Its propagation of values within a process (`life`) takes the bench's count of
/// mismatches for constant over the delays of its loop (version 5.006), and every bench would pass.
const VERILATOR: [&str; 11] = [
    "--timing",
    "-O3",
    "-fno-life",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "-Wno-fatal",
    "-j",
    "2",
    "-MAKEFLAGS",
];

/// The module that instantiates the bench of hierarchical blocks: parameters of the command line are given to all blocks.
const WRAPPER: &str = "hwgen_verilated";

/// A simulator that runs test benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Icarus Verilog: four-state, event-driven, starts at once.
    Icarus,
    /// Verilator: two-state, compiled, fast once it is built.
    Verilator,
}

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its command.
    pub command: &'static str,
    /// What it says about its version.
    pub version: String,
}

/// A test bench to be run.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The module under test; the bench is `<top>_tb`.
    pub top: &'a str,
    /// Verilog files, the test bench among them.
    pub sources: &'a [PathBuf],
    /// The folder of the files that the bench reads.
    pub vectors: &'a Path,
    /// How many samples those files hold.
    pub samples: usize,
    /// Modules that stand in a large design many times: Verilator compiles each of them once, if no waveforms are asked.
    pub blocks: &'a [String],
    /// Where to dump waveforms: FST if the name ends so, else VCD.
    pub waves: Option<&'a Path>,
    /// The longest that each of the two steps, building and running, may take.
    pub limit: Duration,
}

/// What a test bench found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every bit was right.
    Pass {
        /// Samples compared.
        vectors: usize,
        /// Latency in which they came.
        latency: u32,
    },
    /// Something differed; the bench's own words.
    Fail(String),
}

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What ran it.
    pub tool: Tool,
    /// Whether all was right.
    pub verdict: Verdict,
    /// The first mismatches, one a line.
    pub mismatches: Vec<String>,
    /// What the bench could not prove.
    pub notes: Vec<String>,
    /// Time of compiling the Verilog.
    pub build: Duration,
    /// Time of running it.
    pub run: Duration,
    /// Largest resident memory of either.
    pub peak_bytes: u64,
    /// Processor time of both.
    pub cpu: Duration,
}

impl Engine {
    /// The command and the Debian package that has it.
    fn command(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Icarus => ("iverilog", "-V", "iverilog"),
            Self::Verilator => ("verilator", "--version", "verilator"),
        }
    }

    /// The tool, or how to get it.
    ///
    /// # Errors
    /// `tool-missing`.
    pub fn find(self) -> Result<Tool, Diagnostics> {
        let (command, option, package) = self.command();
        let asked = run(Command::new(command).arg(option), Duration::from_secs(30));
        let said = asked.map_err(|error| installable(error, package))?.stdout;
        Ok(Tool { command, version: version(&said) })
    }

    /// Builds and runs the bench of `job` in a folder of its own, which is gone afterwards.
    ///
    /// # Errors
    /// `tool-missing`, `tool-failed` (the tool's output is shown), `tool-timeout`, or `no-verdict` if the bench
    /// ended without saying how it went.
    pub fn run(self, job: &Job<'_>) -> Result<Outcome, Diagnostics> {
        let tool = self.find()?;
        let folder = Scratch::new()
            .map_err(|error| Diagnostic::error("tool-failed", format!("no temporary folder to build in: {error}")))?;
        let start = Instant::now();
        let meter = Meter::new(job.limit);
        if self.by_blocks(job) {
            write_wrapper(job, folder.path()).map_err(|error| {
                let message = format!("{}: {error}", folder.path().display());
                Diagnostic::error("tool-failed", message)
            })?;
        }
        let built = meter.run(&mut self.build_command(job, folder.path()))?.success(tool.command)?;
        if !folder.path().join(self.program()).is_file() {
            let message = format!("{} ended well, but made no simulation", tool.command);
            let error = Diagnostic::error("tool-failed", message).label(None, built.said());
            return Err(error.help(format!("is `{}` in the PATH what it should be?", tool.command)).into());
        }
        let build = start.elapsed();
        let done = meter
            .run(&mut self.run_command(job, folder.path()))
            .map_err(|error| installable(error, self.command().2))?
            .success("the simulation")?;
        read(tool, &done.stdout, [build, done.elapsed], &meter).ok_or_else(|| {
            let error = Diagnostic::error("no-verdict", "the test bench ended without a verdict");
            error.label(None, done.said()).into()
        })
    }

    /// The file that building makes.
    fn program(self) -> &'static str {
        match self {
            Self::Icarus => "bench.vvp",
            Self::Verilator => "bench",
        }
    }

    /// Whether Verilator compiles the blocks of the design one by one.
    fn by_blocks(self, job: &Job<'_>) -> bool {
        self == Self::Verilator && !job.blocks.is_empty() && job.waves.is_none()
    }

    fn build_command(self, job: &Job<'_>, folder: &Path) -> Command {
        let mut command = Command::new(self.command().0);
        let bench = format!("{}_tb", job.top);
        match self {
            Self::Icarus => {
                command
                    .args(["-g2001", "-s", &bench])
                    .arg(format!("-P{bench}.VECTORS={}", job.samples))
                    .arg("-o")
                    .arg(folder.join(self.program()));
            }
            Self::Verilator => {
                command.args(VERILATOR).arg(COMPILER).args(["-o", self.program()]);
                command.arg("--Mdir").arg(folder);
                if self.by_blocks(job) {
                    command
                        .args(["--cc", "--exe", "--build", "--hierarchical"])
                        .args(["--prefix", "Vbench", "--top-module", WRAPPER])
                        .args(WRAPPER_FILES.map(|(name, _)| folder.join(name)));
                } else {
                    command.args(["--binary", "--top-module", &bench]).arg(format!("-GVECTORS={}", job.samples));
                }
                if let Some(waves) = job.waves {
                    command.arg(if is_fst(waves) { "--trace-fst" } else { "--trace" });
                }
            }
        }
        match job.sources.first().and_then(|source| source.parent()) {
            // Icarus writes the names of its sources into its program as they are, so only plain ones may reach it
            Some(root) if self == Self::Icarus && !root.as_os_str().is_empty() => {
                command.current_dir(root).args(job.sources.iter().map(|source| seen_from(root, source)));
            }
            _ => {
                command.args(job.sources);
            }
        }
        command
    }

    fn run_command(self, job: &Job<'_>, folder: &Path) -> Command {
        let mut command = match self {
            Self::Icarus => {
                let mut command = Command::new("vvp");
                command.arg("-n").arg(folder.join(self.program()));
                command
            }
            Self::Verilator => Command::new(folder.join(self.program())),
        };
        if self == Self::Icarus && job.waves.is_some_and(is_fst) {
            command.arg("-fst");
        }
        command.arg(plus("vectors", job.vectors));
        if let Some(waves) = job.waves {
            command.arg(plus("waves", waves));
        }
        command
    }
}

/// The name of a file for a program that runs in the folder `root`.
fn seen_from(root: &Path, file: &Path) -> PathBuf {
    match file.strip_prefix(root) {
        Ok(inner) => Path::new(".").join(inner),
        Err(_) => std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
    }
}

/// What makes the content of a file.
type Content = fn(&Job<'_>) -> String;

/// The files that hierarchical blocks need.
const WRAPPER_FILES: [(&str, Content); 3] = [
    ("blocks.vlt", |job| {
        let block = |name: &String| format!("hier_block -module \"{name}\"\n");
        let blocks: String = job.blocks.iter().map(block).collect();
        format!("`verilator_config\n{blocks}")
    }),
    ("wrapper.v", |job| {
        let (top, samples) = (job.top, job.samples);
        format!("`timescale 1ns / 1ps\nmodule {WRAPPER};\n  {top}_tb #(.VECTORS({samples})) bench ();\nendmodule\n")
    }),
    ("main.cpp", |_| include_str!("verilated.cpp").to_owned()),
];

fn write_wrapper(job: &Job<'_>, folder: &Path) -> std::io::Result<()> {
    WRAPPER_FILES.iter().try_for_each(|(name, content)| std::fs::write(folder.join(name), content(job)))
}

/// The first line; Icarus ends it with the name of a branch in brackets, which is empty in a release.
fn version(said: &str) -> String {
    let line = said.lines().next().unwrap_or_default().trim();
    line.strip_suffix("()").unwrap_or(line).trim_end().to_owned()
}

fn is_fst(waves: &Path) -> bool {
    waves.extension().is_some_and(|e| e == "fst")
}

/// The plusarg `+name=path`.
fn plus(name: &str, path: &Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(format!("+{name}="));
    argument.push(path);
    argument
}

/// The error with the package to install, if the program is missing.
pub fn installable(error: Diagnostics, package: &str) -> Diagnostics {
    let help = format!("install it, on Debian and Ubuntu with `sudo apt install {package}`");
    with_help(error, &help)
}

/// What the bench printed; `None` without a verdict.
fn read(tool: Tool, stdout: &str, [build, run]: [Duration; 2], meter: &Meter) -> Option<Outcome> {
    let lines = |start: &str| -> Vec<String> {
        let matching = stdout.lines().filter_map(|line| line.strip_prefix(start));
        matching.map(|line| line.trim().to_owned()).collect()
    };
    let mismatches = lines("MISMATCH ");
    let verdict = match (lines("PASS ").as_slice(), lines("FAIL ").as_slice()) {
        ([pass], []) if mismatches.is_empty() => {
            let (vectors, latency) = pass.split_once(" vectors, latency ")?;
            Verdict::Pass { vectors: vectors.parse().ok()?, latency: latency.parse().ok()? }
        }
        ([], [fail]) => Verdict::Fail(fail.clone()),
        _ => return None,
    };
    Some(Outcome {
        tool,
        verdict,
        mismatches,
        notes: lines("NOTE "),
        build,
        run,
        peak_bytes: meter.peak_bytes(),
        cpu: meter.cpu(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stdout: &str) -> Option<Outcome> {
        let tool = Tool { command: "vvp", version: String::new() };
        read(tool, stdout, [Duration::ZERO; 2], &Meter::new(Duration::ZERO))
    }

    #[test]
    fn versions_have_no_empty_brackets() {
        let icarus = "Icarus Verilog version 11.0 (stable) ()\n\nCopyright";
        assert_eq!(version(icarus), "Icarus Verilog version 11.0 (stable)");
        assert_eq!(version("Verilator 5.006 (x)\n"), "Verilator 5.006 (x)");
        assert_eq!(version(""), "");
    }

    #[test]
    fn the_verdict_is_read() {
        let pass = outcome("NOTE a\nPASS 12 vectors, latency 3\n").unwrap();
        assert_eq!(pass.verdict, Verdict::Pass { vectors: 12, latency: 3 });
        assert_eq!(pass.notes, ["a"]);
        let fail = outcome("MISMATCH x\nMISMATCH y\nFAIL 2 mismatches\n").unwrap();
        assert_eq!(fail.verdict, Verdict::Fail("2 mismatches".into()));
        assert_eq!(fail.mismatches, ["x", "y"]);
    }

    #[test]
    fn no_verdict_is_none() {
        for text in [
            "",
            "PASS",
            "PASS many vectors, latency 3",
            "PASS 1 vectors, latency 2\nFAIL 1 mismatches",
            "MISMATCH x\nPASS 1 vectors, latency 2",
        ] {
            assert_eq!(outcome(text), None, "{text}");
        }
    }

    #[test]
    fn a_missing_tool_comes_with_its_package() {
        let missing = run(&mut Command::new("no-such-tool"), Duration::from_secs(1)).unwrap_err();
        let text = installable(missing, "iverilog").to_string();
        assert!(text.contains("apt install iverilog"), "{text}");
    }
}
