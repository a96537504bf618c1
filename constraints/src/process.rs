//! Running another program with a time limit.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hdl::diag::{Diagnostic, Diagnostics};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Bytes of output shown when a program fails.
const SHOWN: usize = 2000;

/// Runs `program arguments` in `directory` and returns what it wrote to its standard output.
///
/// `help` says how to get the program if it is missing. Both output streams go through files in `directory`, so that
/// a program that floods them cannot exhaust memory or block.
///
/// # Errors
/// `tool-missing`, `tool-timeout` after `limit` (the program and its children are killed), `tool-failed` with the end
/// of its output.
pub(crate) fn run<S: AsRef<OsStr>>(
    program: &Path,
    arguments: &[S],
    directory: &Path,
    limit: Duration,
    help: &str,
) -> Result<String, Diagnostics> {
    let name = program.display();
    let failed = |e: std::io::Error| Diagnostic::error("tool-failed", format!("{name}: {e}"));
    let (out_path, err_path) = (directory.join("stdout.log"), directory.join("stderr.log"));
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&out_path).map_err(failed)?)
        .stderr(fs::File::create(&err_path).map_err(failed)?)
        .process_group(0)
        .spawn()
        .map_err(|e| match e.kind() {
            ErrorKind::NotFound => {
                Diagnostic::error("tool-missing", format!("{name} is not installed")).help(help)
            }
            _ => failed(e),
        })?;
    let Some(status) = wait(&mut child, limit).map_err(failed)? else {
        return Err(Diagnostic::error(
            "tool-timeout",
            format!("{name} did not finish within {} s", limit.as_secs()),
        )
        .into());
    };
    let read = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let output = read(&out_path).map_err(failed)?;
    if status.success() {
        return Ok(output);
    }
    let errors = read(&err_path).map_err(failed)?;
    let text = if errors.trim().is_empty() {
        &output
    } else {
        &errors
    };
    Err(Diagnostic::error(
        "tool-failed",
        format!("{name} failed ({status}):\n{}", tail(text)),
    )
    .into())
}

/// Waits, or kills the whole process group after `limit` and returns `None`.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            // The standard library kills one process only; `kill` reaches the group that `process_group` made.
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn tail(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.len().saturating_sub(SHOWN);
    let start = (start..text.len()).find(|&i| text.is_char_boundary(i));
    &text[start.unwrap_or(0)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<String, String> {
        let directory = tempfile::tempdir().unwrap();
        run(
            Path::new("sh"),
            &["-c", script],
            directory.path(),
            limit,
            "none",
        )
        .map_err(|e| e.to_string())
    }

    #[test]
    fn output_failure_and_absence() {
        let limit = Duration::from_secs(10);
        assert_eq!(shell("echo yes", limit), Ok("yes\n".into()));
        let error = shell("echo reason >&2; exit 3", limit).unwrap_err();
        assert!(error.contains("reason") && error.contains('3'), "{error}");
        let absent = run::<&str>(
            Path::new("no-such-program"),
            &[],
            Path::new("/tmp"),
            limit,
            "buy one",
        );
        let error = absent.unwrap_err().to_string();
        assert!(
            error.contains("not installed") && error.contains("buy one"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children() {
        let start = Instant::now();
        let error = shell(
            "sleep 60 & sleep 60; echo never",
            Duration::from_millis(200),
        )
        .unwrap_err();
        assert!(error.contains("did not finish"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
