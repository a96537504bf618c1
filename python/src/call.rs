//! How a call of the library is one of Python's: without the interpreter's lock, interruptible, with exceptions.

use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use clap::Parser;
use hwgen::failure::Result;
use hwgen::{Failure, progress};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use serde::Serialize;
use sim::tools::{resume, stop};

create_exception!(hwgen, Error, PyException, "A check said no, or a tool that it needs is missing.");
create_exception!(hwgen, InputError, Error, "What was asked for cannot be.");

/// How often a call looks for signals.
const POLL: Duration = Duration::from_millis(50);

/// Held for reading by every call that runs: what stops one stops all, and work may begin again when all have ended.
static CALLS: RwLock<()> = RwLock::new(());

/// The exception of a failure.
pub fn exception(failure: Failure) -> PyErr {
    match failure.exit_code() {
        2 => InputError::new_err(failure.to_string()),
        _ => Error::new_err(failure.to_string()),
    }
}

/// Runs `work` on a thread of its own, without the interpreter's lock; a signal whose handler raises, as Ctrl-C, ends it.
///
/// # Errors
/// What the handler raised, and the failure of the work.
pub fn call<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T> {
    py.detach(|| {
        let running = CALLS.read().unwrap_or_else(PoisonError::into_inner);
        let (result, raised) = thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let worker = scope.spawn(move || {
                let _done = done; // dropped with the thread, whatever becomes of the work
                work()
            });
            let mut raised = Ok(());
            while ended.recv_timeout(POLL) == Err(RecvTimeoutError::Timeout) {
                if raised.is_ok() {
                    raised = Python::attach(|py| py.check_signals());
                    raised.as_ref().is_err().then(stop);
                }
            }
            (worker.join(), raised)
        });
        drop(running);
        if raised.is_err() {
            let _all_ended = CALLS.write().unwrap_or_else(PoisonError::into_inner);
            resume();
        }
        raised?;
        result.unwrap_or_else(|panic| resume_unwind(panic)).map_err(exception)
    })
}

/// Options as the program reads them.
///
/// # Errors
/// An option or value that the program would refuse.
pub fn parsed<P: Parser>(arguments: Vec<String>) -> PyResult<P> {
    P::try_parse_from(arguments).map_err(|error| InputError::new_err(error.to_string()))
}

/// A report for Python to read.
pub fn json(report: &impl Serialize) -> String {
    serde_json::to_string(report).expect("plain data")
}

/// Says on standard error what long calls are doing, from now on.
#[pyfunction]
pub fn show_progress() {
    progress::begin(true);
}
