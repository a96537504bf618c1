//! Running a program with a time limit: its output is kept, and with it die all programs that it started.

mod guard;
mod scratch;

use std::io::{self, ErrorKind, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use hdl::diag::{Cause, Diagnostic, Diagnostics};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use wait4::{ResourceUsage, Wait4};

pub use self::guard::{end_with_signals, is_stopped, resume, stop, uninterrupted};
pub use self::scratch::{PREFIX, Scratch, sweep};

/// Most bytes of each output stream that are kept.
const KEPT: u64 = 4 << 20;
/// Most bytes of them that an error shows: the last, where programs say why they gave up.
const SHOWN: usize = 4000;
/// Longest pause between two looks at a running program.
const PAUSE: Duration = Duration::from_millis(20);

/// What a program left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, the first 4 MiB.
    pub stdout: String,
    /// Its standard error, the first 4 MiB.
    pub stderr: String,
    /// How long it took.
    pub elapsed: Duration,
    /// Processor time of it and of the programs that it started and waited for.
    pub cpu: Duration,
    /// Largest resident memory of it or of any program that it started and waited for.
    pub peak_bytes: u64,
}

/// Runs the programs of one piece of work: each has the same time limit, and their memory is noted.
#[derive(Debug)]
pub struct Meter {
    limit: Duration,
    peak_bytes: AtomicU64,
    cpu_us: AtomicU64,
}

impl Meter {
    /// A meter for programs that run for at most `limit` each.
    pub fn new(limit: Duration) -> Self {
        Self { limit, peak_bytes: AtomicU64::new(0), cpu_us: AtomicU64::new(0) }
    }

    /// Time that a program may take.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Largest resident memory of a program until now; of those that ran at the same time, that of the larger.
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }

    /// Processor time of all programs until now.
    pub fn cpu(&self) -> Duration {
        Duration::from_micros(self.cpu_us.load(Ordering::Relaxed))
    }

    /// Notes a program that ran elsewhere.
    pub fn note(&self, peak_bytes: u64, cpu: Duration) {
        let cpu = u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX);
        self.peak_bytes.fetch_max(peak_bytes, Ordering::Relaxed);
        self.cpu_us.fetch_add(cpu, Ordering::Relaxed);
    }

    /// Runs `command`.
    ///
    /// # Errors
    /// Those of [`run`].
    pub fn run(&self, command: &mut Command) -> Result<Finished, Diagnostics> {
        let done = run(command, self.limit)?;
        self.note(done.peak_bytes, done.cpu);
        Ok(done)
    }
}

impl Finished {
    /// Itself if the program ended well.
    ///
    /// # Errors
    /// `tool-failed` with the program's output.
    pub fn success(self, what: &str) -> Result<Self, Diagnostics> {
        if self.status.success() {
            return Ok(self);
        }
        let error = Diagnostic::error("tool-failed", format!("{what} failed: {}", self.status));
        Err(error.label(None, end(&self.said())).into())
    }

    /// Both streams, without blank space around.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout.trim(), self.stderr.trim()).trim().to_owned()
    }
}

/// Runs `command` to its end or for at most `limit`, without standard input.
///
/// # Errors
/// `tool-missing` if there is no such program, `tool-timeout` if it was ended, `tool-failed` for anything else.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished, Diagnostics> {
    let name = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = guard::spawn(command).map_err(|error| not_started(&name, &error))?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let ended = wait(&mut child, start + limit);
    // what it started and left behind would keep the pipes open
    guard::end(&child);
    guard::forget(&child);
    let stdout = stdout.map_or_else(String::new, text);
    let stderr = stderr.map_or_else(String::new, text);
    let elapsed = start.elapsed();
    match ended.map_err(|error| not_started(&name, &error))? {
        Some((status, used)) => {
            Ok(Finished { status, stdout, stderr, elapsed, cpu: used.utime + used.stime, peak_bytes: used.maxrss })
        }
        None => {
            let message = format!("`{name}` did not end within {} s", limit.as_secs_f64());
            let error = Diagnostic::error("tool-timeout", message).because(Cause::TimedOut);
            let said = format!("{stdout}\n{stderr}");
            Err(error.label(None, end(said.trim())).into())
        }
    }
}

/// Its status and what it used, or `None` if the deadline passed and it was ended.
fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<(ExitStatus, ResourceUsage)>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(ErrorKind::InvalidInput)?;
    // it is looked at without being reaped, since only what reaps it learns of its memory
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let mut pause = Duration::from_millis(1);
    let in_time = loop {
        if waitid(WaitId::Pid(pid), look)?.is_some() {
            break true;
        }
        if Instant::now() >= deadline {
            guard::end(child);
            break false;
        }
        thread::sleep(pause);
        pause = (2 * pause).min(PAUSE);
    };
    let ended = child.wait4()?;
    Ok(in_time.then_some((ended.status, ended.rusage)))
}

/// Reads a stream to its end in a thread of its own, so that the program never waits; what is too much is dropped.
fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = stream.by_ref().take(KEPT).read_to_end(&mut kept);
        let _ = io::copy(&mut stream, &mut io::sink());
        kept
    })
}

fn text(reader: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
}

fn not_started(name: &str, error: &io::Error) -> Diagnostics {
    match error.kind() {
        ErrorKind::NotFound => {
            Diagnostic::error("tool-missing", format!("{name} is not installed")).because(Cause::ProgramMissing).into()
        }
        _ => Diagnostic::error("tool-failed", format!("`{name}` cannot be run: {error}")).into(),
    }
}

/// The end of a long text, from a character's beginning on.
fn end(text: &str) -> &str {
    let start = text.len().saturating_sub(SHOWN);
    let start = (start..text.len()).find(|&i| text.is_char_boundary(i));
    &text[start.unwrap_or(0)..]
}

/// The error of a program that is missing, with `help` that says how to get it; others as they are.
pub fn with_help(error: Diagnostics, help: &str) -> Diagnostics {
    let advise = |d: Diagnostic| match d.cause {
        Some(Cause::ProgramMissing) => d.help(help),
        _ => d,
    };
    Diagnostics(error.0.into_iter().map(advise).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn output_and_status_are_kept() {
        let done = run(&mut shell("echo out; echo err >&2; exit 3"), LIMIT).unwrap();
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
        let error = done.success("the shell").unwrap_err();
        assert_eq!(error.0[0].code, "tool-failed");
        assert!(error.to_string().contains("out\nerr"), "{error}");
    }

    #[test]
    fn an_error_shows_the_end_of_what_was_said() {
        let script = "head -c 9000 /dev/zero | tr '\\000' 'é'; echo; echo reason; exit 1";
        let done = run(&mut shell(script), LIMIT).unwrap();
        let error = done.success("the shell").unwrap_err().to_string();
        assert!(error.contains("reason") && error.len() < 9000, "{error}");
        assert_eq!(end(&"é".repeat(3000)).len(), 4000);
        assert_eq!(end(&("é".repeat(3000) + "x")).len(), 3999);
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let start = Instant::now();
        let error = run(&mut shell("echo begun; sleep 60 & sleep 60"), Duration::from_millis(200));
        let error = error.unwrap_err();
        assert_eq!(error.0[0].code, "tool-timeout");
        assert!(error.to_string().contains("begun"));
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_child_left_behind_does_not_keep_us() {
        let start = Instant::now();
        let done = run(&mut shell("sleep 60 & echo done"), LIMIT).unwrap();
        assert_eq!(done.stdout, "done\n");
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn memory_of_what_it_started_is_noted() {
        let meter = Meter::new(LIMIT);
        // the shell's child holds 64 MB in one line
        let script = "head -c 64000000 /dev/zero | tail -n 1 | wc -c; true";
        let done = meter.run(&mut shell(script)).unwrap();
        assert_eq!(done.stdout.trim(), "64000000");
        assert!(meter.peak_bytes() > 32_000_000, "{} bytes", meter.peak_bytes());
    }

    #[test]
    fn endless_output_is_cut() {
        let done = run(&mut shell("head -c 9000000 /dev/zero"), LIMIT).unwrap();
        assert_eq!(done.stdout.len(), 4 << 20);
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut Command::new("no-such-simulator"), LIMIT).unwrap_err();
        assert_eq!(error.0[0].code, "tool-missing");
        let text = with_help(error, "buy one").to_string();
        assert!(text.contains("no-such-simulator is not installed") && text.contains("buy one"));
    }
}
