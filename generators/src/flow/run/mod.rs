//! A model's results for any number of events: what `hwgen run` does, and what other programs call.
//!
//! [`Engine`] is the call for blocks of events in memory. [`run`] takes files of any length through it, block by block.

mod engine;
mod sink;
mod source;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::quoted;
use sha2::{Digest, Sha256};

pub use engine::{Column, Engine, network};
use sink::{Plan, Sink};
use source::{Source, Values};

use super::reference::{forms, named, position};
use crate::failure::{Failure, Result};
use crate::progress::Counter;

/// Numbers of all ports in a block, as a bound on memory.
const BLOCK: usize = 1 << 22;
/// Most events of a block.
const MOST_EVENTS: usize = 1 << 16;
/// How often an interrupted run's place is put down.
const KEEP: Duration = Duration::from_secs(1);

/// A form of files of events and results, by the ending of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One array of NumPy's.
    Npy,
    /// Several by name.
    Npz,
    /// Numbers side by side, an event a line.
    Csv,
}

impl Form {
    fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        match ending.as_str() {
            "npy" => Ok(Self::Npy),
            "npz" => Ok(Self::Npz),
            "csv" => Ok(Self::Csv),
            _ => {
                let error = Diagnostic::error("events", "files of events and results end in .npy, .npz or .csv");
                Err(Failure::user(error.at(path.display().to_string(), "not this one")))
            }
        }
    }
}

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The model.
    pub engine: &'a Engine,
    /// Files of events, `[NAME=]FILE`, one for each input or an archive for all.
    pub inputs: &'a [String],
    /// The file of results.
    pub output: &'a Path,
    /// Whether the events are the hardware's integers where an input has a quantiser.
    pub integers: bool,
    /// Whether the results are decoded to the framework's numbers.
    pub float: bool,
    /// Whether to go on after an interruption, and to be able to.
    pub resume: bool,
}

/// How a run went.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Events in the file of results.
    pub events: usize,
    /// Events that this run computed; the others were there before.
    pub computed: usize,
    /// Seconds of reading, of the network with the conversion of its numbers, and of writing.
    pub seconds: [f64; 3],
}

/// Runs all events of files through a model.
///
/// # Errors
/// Files that cannot be read or written or do not fit the model; an event with an element that is no number of its input.
pub fn run(job: Job<'_>) -> Result<Summary> {
    let mut sources = job.sources()?;
    let events = sources[0].1.events;
    let columns = job.engine.outputs();
    let plan = Plan { path: job.output, columns: &columns, events, float: job.float };
    let mut sink = Sink::begin(plan, job.resume.then(|| job.name(&sources)))?;
    let already = sink.done;
    let width = |columns: &[Column]| columns.iter().map(Column::count).sum::<usize>();
    let block = (BLOCK / (width(&columns) + width(&job.engine.inputs())).max(1)).clamp(1, MOST_EVENTS);
    let mut seconds = [0.0; 3];
    let mut clock = Instant::now();
    let mut lap = |k: usize, seconds: &mut [f64; 3]| {
        seconds[k] += std::mem::replace(&mut clock, Instant::now()).elapsed().as_secs_f64()
    };
    let mut counter = Counter::new("events", already, events);
    let mut kept = Instant::now();
    let mut read = 0;
    while read < events {
        // what is there already is read all the same, since packed files can be read from the front only
        let count = block.min(if read < already { already - read } else { events - read });
        let numbers = sources.iter_mut().map(|(_, source)| source.next(count)).collect::<Result<Vec<Values>>>()?;
        lap(0, &mut seconds);
        if read >= already {
            let results = job.block(&sources, numbers, read)?;
            lap(1, &mut seconds);
            sink.write(&results, count)?;
            if kept.elapsed() >= KEEP {
                sink.keep()?;
                kept = Instant::now();
            }
            lap(2, &mut seconds);
            counter.at(read + count);
        }
        read += count;
    }
    counter.done();
    sink.finish()?;
    lap(2, &mut seconds);
    Ok(Summary { events, computed: events - already, seconds })
}

impl Job<'_> {
    /// The file of each input, opened.
    fn sources(&self) -> Result<Vec<(PathBuf, Source)>> {
        let columns = self.engine.inputs();
        let names: Vec<&str> = columns.iter().map(|c| &*c.name).collect();
        let mut files: Vec<Option<PathBuf>> = vec![None; names.len()];
        for text in self.inputs {
            let (name, file) = named(text);
            let wrong =
                |message: String| Diagnostic::error("inputs", message).at(file.display().to_string(), "this one");
            if name.is_none() && names.len() > 1 {
                if Form::of(&file)? != Form::Npz {
                    let error = wrong(format!("the network has {} inputs", names.len()));
                    let help = format!("give one .npz file for all, or one for each: {}", forms("input", &names));
                    return Err(Failure::user(error.help(help)));
                }
                files.iter_mut().filter(|f| f.is_none()).for_each(|f| *f = Some(file.clone()));
                continue;
            }
            let k = position("inputs", "input", &names, name, &file)?;
            if files[k].replace(file.clone()).is_some() {
                return Err(Failure::user(wrong(format!("input {} is given twice", quoted(names[k])))));
            }
        }
        let mut sources: Vec<(PathBuf, Source)> = Vec::new();
        for (file, column) in files.into_iter().zip(&columns) {
            let Some(file) = file else {
                let error = Diagnostic::error("inputs", format!("there is no file for input {}", quoted(&column.name)));
                return Err(Failure::user(error.help(format!("give {}", forms("input", &names)))));
            };
            let source = Source::open(&file, &column.name, column.count())?;
            let wrong = |message: String| {
                let error = Diagnostic::error("inputs", message).at(file.display().to_string(), "in this file");
                Failure::user(error.help("the first axis counts events, the others are the tensor's"))
            };
            let long = |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|e| *e != 1).collect() };
            if let Some(shape) = source.shape.as_ref().filter(|shape| long(shape) != long(&column.shape)) {
                return Err(wrong(format!(
                    "its events have shape {shape:?}, input {} has {:?}",
                    quoted(&column.name),
                    column.shape
                )));
            }
            if let Some((first, other)) = sources.first().filter(|(_, other)| other.events != source.events) {
                let (events, first) = (other.events, first.display());
                return Err(wrong(format!("it has {} events, {first} has {events}", source.events)));
            }
            sources.push((file, source));
        }
        Ok(sources)
    }

    /// A name that only the same job has: of the model, the events, and what is asked of them.
    fn name(&self, sources: &[(PathBuf, Source)]) -> String {
        let file = |(path, source): &(PathBuf, Source)| {
            let metadata = std::fs::metadata(path).ok();
            let changed = metadata.as_ref().and_then(|m| m.modified().ok());
            format!("{path:?} {:?} {changed:?} {}", metadata.map(|m| m.len()), source.events)
        };
        let files: Vec<String> = sources.iter().map(file).collect();
        let what = format!("{files:?} {} {}", self.integers, self.float);
        let mut sum = Sha256::new();
        sum.update(self.engine.graph().to_json());
        sum.update(what);
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The results of the events of a block, the first of which is number `first`.
    fn block(&self, sources: &[(PathBuf, Source)], numbers: Vec<Values>, first: usize) -> Result<Vec<Values>> {
        let of_file = |k: usize, why: Diagnostics| {
            let place = sources[k].0.display().to_string();
            Failure::User(Diagnostics(why.0.into_iter().map(|d| d.at(place.clone(), "in this file")).collect()))
        };
        let mut integers: Vec<Vec<i64>> = Vec::new();
        for (k, numbers) in numbers.into_iter().enumerate() {
            let encoded = self.encoded(k, numbers, first).map_err(|why| of_file(k, why.into()))?;
            integers.push(encoded);
        }
        let inputs: Vec<&[i64]> = integers.iter().map(Vec::as_slice).collect();
        let results = self.engine.run_from(first, &inputs).map_err(|(k, why)| match k {
            Some(k) => of_file(k, why),
            None => Failure::User(why),
        })?;
        let decoded = |(k, integers): (usize, Vec<i64>)| match self.float {
            true => Values::Floats(self.engine.decode_block(k, &integers)),
            false => Values::Integers(integers),
        };
        Ok(results.into_iter().enumerate().map(decoded).collect())
    }

    /// The integers of input `k` for a file's numbers: the framework's, unless they are said to be integers already.
    fn encoded(&self, k: usize, numbers: Values, first: usize) -> std::result::Result<Vec<i64>, Diagnostic> {
        let quantised = self.engine.graph().inputs()[k].encode.is_some();
        match numbers {
            Values::Integers(integers) if self.integers || !quantised => Ok(integers),
            Values::Integers(integers) => {
                let floats: Vec<f32> = integers.into_iter().map(|v| v as f32).collect();
                self.engine.encode_from(first, k, &floats)
            }
            Values::Floats(_) if self.integers && quantised => {
                let error =
                    Diagnostic::error("inputs", "these are floats, --integers asks for the hardware's integers");
                Err(error.help("leave --integers away to have them quantised, or save integers"))
            }
            Values::Floats(floats) => self.engine.encode_from(first, k, &floats),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
