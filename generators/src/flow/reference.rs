//! A framework's own events and results: `--inputs` and `--expected`, each `[NAME=]FILE`.

use std::path::{Path, PathBuf};

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use crate::failure::{Failure, Result};
use crate::import::numpy::{Numbers, place};
use crate::model::{Agreement, Closeness, Graph};
use crate::network::design::Event;
use crate::output::report::Check;

/// A file for the port of this name; of a port that nobody has named without one.
pub(super) fn named(text: &str) -> (Option<&str>, PathBuf) {
    match text.split_once('=') {
        Some((name, file)) if !Path::new(text).exists() => (Some(name), file.into()),
        _ => (None, text.into()),
    }
}

fn wrong(code: &'static str, file: &Path, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, message).at(file.display().to_string(), "in this file")
}

/// The events of `inputs`, a file for each input of the network, as integers.
///
/// # Errors
/// Files that are none of numbers or do not fit the inputs, an input without a file or with two.
pub fn events(inputs: &[String], graph: &Graph) -> Result<Vec<Event>> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = graph.inputs().iter().map(|i| &*i.name).collect();
    let mut files: Vec<Option<(PathBuf, Vec<Vec<f32>>)>> = vec![None; names.len()];
    for text in inputs {
        let (name, file) = named(text);
        if name.is_none() && names.len() > 1 {
            let error = wrong("inputs", &file, format!("the network has {} inputs", names.len()));
            return Err(Failure::user(error.help(format!("give one file for each: {}", forms("inputs", &names)))));
        }
        let k = position("inputs", "input", &names, name, &file)?;
        let events = Numbers::read(&file)?;
        let shape = &graph.inputs()[k].shape;
        let rows = rows(&events, shape, "input", names[k]).map_err(|d| at("inputs", &file, d))?;
        let rows = rows.into_iter().map(|row| row.iter().map(|v| *v as f32).collect()).collect();
        if files[k].replace((file.clone(), rows)).is_some() {
            let error = wrong("inputs", &file, format!("input {} is given twice", quoted(names[k])));
            return Err(Failure::user(error));
        }
    }
    encoded(graph, &names, files)
}

/// Compares what the model gives for `events` with the framework's results, a file for each output of `expected`.
///
/// # Errors
/// Files that do not fit the outputs; an integer of the model that is not the framework's, as a failed check.
pub fn compare(expected: &[String], graph: &Graph, events: &[Event]) -> Result<Vec<Check>> {
    let names: Vec<&str> = graph.outputs().iter().map(|o| &*o.name).collect();
    let check = |text: &String| {
        let (name, file) = named(text);
        let name = name.or(names.first().copied());
        let k = position("expected", "output", &names, name, &file)?;
        compare_output(graph, k, &file, events)
    };
    expected.iter().map(check).collect()
}

/// `--inputs a=FILE --inputs b=FILE`.
pub(super) fn forms(option: &str, names: &[&str]) -> String {
    let forms: Vec<String> = names.iter().map(|name| format!("--{option} {name}=FILE")).collect();
    forms.join(" ")
}

/// The port of that name; the only one if there is no name.
pub(super) fn position(
    code: &'static str,
    what: &str,
    names: &[&str],
    name: Option<&str>,
    file: &Path,
) -> Result<usize> {
    let Some(name) = name else {
        return Ok(0);
    };
    names.iter().position(|n| *n == name).ok_or_else(|| {
        let error = wrong(code, file, format!("there is no {what} {}", quoted(name)));
        Failure::user(error.help(format!("the {what}s are {}", names.join(", "))))
    })
}

fn at(code: &'static str, file: &Path, message: String) -> Failure {
    Failure::user(wrong(code, file, message).help("the first axis counts events, the others are the tensor's"))
}

/// The array as one row an event, if its axes behind the first are the tensor's; axes of extent 1 do not count.
fn rows<'a>(
    numbers: &'a Numbers,
    shape: &[usize],
    what: &str,
    name: &str,
) -> std::result::Result<Vec<&'a [f64]>, String> {
    let long = |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|e| *e != 1).collect() };
    let size: usize = shape.iter().product();
    match numbers.shape.split_first() {
        Some((_, inner)) if long(inner) == long(shape) => Ok(numbers.values.chunks(size.max(1)).collect()),
        _ => Err(format!(
            "an array of shape {:?} has no events of {what} {}, whose shape is {shape:?}",
            numbers.shape,
            quoted(name)
        )),
    }
}

/// All inputs of each event, as integers.
fn encoded(graph: &Graph, names: &[&str], files: Vec<Option<(PathBuf, Vec<Vec<f32>>)>>) -> Result<Vec<Event>> {
    let missing = files.iter().position(Option::is_none);
    if let Some(k) = missing {
        let error = Diagnostic::error("inputs", format!("there is no file for input {}", quoted(names[k])));
        return Err(Failure::user(error.help(format!("give one for each: {}", forms("inputs", names)))));
    }
    let files: Vec<(PathBuf, Vec<Vec<f32>>)> = files.into_iter().flatten().collect();
    let count = files[0].1.len();
    if let Some((file, rows)) = files.iter().find(|(_, rows)| rows.len() != count) {
        let message = format!("it has {} events, {} has {count}", rows.len(), files[0].0.display());
        return Err(Failure::user(wrong("inputs", file, message)));
    }
    let event = |k: usize| {
        let inputs: Vec<Vec<f32>> = files.iter().map(|(_, rows)| rows[k].clone()).collect();
        graph.encode(&inputs).map_err(|d| at("inputs", &files[0].0, format!("event {k}: {}", d.message)))
    };
    (0..count).map(event).collect()
}

fn compare_output(graph: &Graph, k: usize, file: &Path, events: &[Event]) -> Result<Check> {
    let output = &graph.outputs()[k];
    let shape = &graph.info(output.tensor).shape;
    let expected = Numbers::read(file)?;
    let wanted = rows(&expected, shape, "output", &output.name).map_err(|d| at("expected", file, d))?;
    if wanted.len() != events.len() {
        let message = format!("it has results of {} events, --inputs has {}", wanted.len(), events.len());
        return Err(Failure::user(wrong("expected", file, message)));
    }
    let mut closeness = Closeness::default();
    for (number, (event, wanted)) in events.iter().zip(wanted).enumerate() {
        let evaluation = graph.evaluate(event).map_err(Failure::user)?;
        let integers = evaluation.tensor(output.tensor);
        for (i, agreement) in graph.agreement(k, integers, wanted).into_iter().enumerate() {
            if let Agreement::Differs { model, why } = agreement {
                let (output, element) = (quoted(&output.name), place(shape, i));
                let message = format!(
                    "event {number}, output {output} {element:?}: the model differs: it gives {model}, the framework {}; {why}",
                    wanted[i]
                );
                let error = Diagnostic::error("mismatch", message);
                return Err(Failure::check(error.at(file.display().to_string(), "these are the framework's results")));
            }
            closeness.count(agreement);
        }
    }
    let what = format!("the framework's results for output {}", quoted(&output.name));
    Ok(Check { what, result: format!("{} events, {closeness}", events.len()) })
}
