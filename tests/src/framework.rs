//! Models beside the framework's own results: `NAME.x.npy` and the like for inputs and outputs (`NAME.x0.npy`, `NAME.x1.npy`
//! for several), `NAME.args` with what a user gives to `hwgen build`, `NAME.weights.h5` for the weights of a configuration.

use std::path::{Path, PathBuf};

use hdl::diag::Diagnostic;
use hwgen::failure::Failure;
use hwgen::import::file;
use hwgen::import::lift::{Imported, InputFormat};
use hwgen::model::{Agreement, Graph};
use hwgen::network;

use crate::numpy::{NumpyArray, npy};

/// The ending of a file of weights beside a configuration.
pub const WEIGHTS: &str = "weights.h5";

/// Reads the model with the arguments beside it.
///
/// # Errors
/// As the importer.
///
/// # Panics
/// If the importer fails without refusing the model, which is exit code 2.
pub fn read(model: &Path) -> Result<Imported, Diagnostic> {
    let arguments = std::fs::read_to_string(model.with_extension("args")).unwrap_or_default();
    let words: Vec<&str> = arguments.split_whitespace().collect();
    let formats: Vec<InputFormat> = words
        .windows(2)
        .filter(|pair| pair[0] == "--input-format")
        .map(|pair| InputFormat::parse(pair[1]).expect("a format"))
        .collect();
    let weights = Some(model.with_extension(WEIGHTS)).filter(|file| file.exists());
    file::read(model, weights.as_deref(), &formats).map_err(|failure| match failure {
        Failure::User(mut why) if failure.exit_code() == 2 => why.0.remove(0),
        other => panic!("{}: {other}", model.display()),
    })
}

/// All models in a folder and those in it, in the order of their names.
///
/// # Panics
/// If a folder cannot be read.
pub fn models(folder: &Path) -> Vec<PathBuf> {
    let is_model = |path: &Path| {
        let of_a_form =
            path.extension().is_some_and(|e| ["onnx", "h5", "keras", "json"].iter().any(|known| e == *known));
        of_a_form && !path.to_string_lossy().ends_with(WEIGHTS)
    };
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries
        .into_iter()
        .flat_map(|path| if path.is_dir() { models(&path) } else { vec![path] })
        .filter(|p| is_model(p))
        .collect()
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// The framework's inputs and results, each with the samples along its first axis.
#[derive(Debug, Clone)]
pub struct Arrays {
    /// In the model's order.
    pub inputs: Vec<NumpyArray>,
    /// In the model's order.
    pub outputs: Vec<NumpyArray>,
}

/// What became of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Equal to the last bit.
    Equal,
    /// Equal but for what a function at the end, of which frameworks compute approximations, or a float sum leaves open.
    Close,
    /// Within the bound that the importer states for steps that depend on the order of float additions; `hwgen build`
    /// wants `--accept-rounding`.
    Doubtful,
    /// Refused with this message.
    Refused(String),
    /// Other numbers or ports.
    Different(String),
}

impl Arrays {
    /// Those beside the model.
    pub fn beside(model: &Path) -> Self {
        let all = |letter: &str| {
            let one = model.with_extension(format!("{letter}.npy"));
            let numbered = (0..).map(|k| model.with_extension(format!("{letter}{k}.npy")));
            let files = if one.exists() { vec![one] } else { numbered.take_while(|file| file.exists()).collect() };
            files.iter().map(|file| npy(file)).collect()
        };
        Self { inputs: all("x"), outputs: all("y") }
    }

    /// What the model gives for each sample beside what the framework does; an event of the model is a sample, or all of
    /// several that the file takes at once.
    ///
    /// # Panics
    /// If the model does not take the inputs.
    pub fn verdict(&self, imported: &Imported) -> Verdict {
        let graph = &imported.graph;
        if (graph.inputs().len(), graph.outputs().len()) != (self.inputs.len(), self.outputs.len()) {
            return Verdict::Different("other ports".into());
        }
        let samples = self.inputs[0].values.len() / elements(&graph.inputs()[0].shape);
        let row = |array: &NumpyArray, k: usize| {
            let size = array.values.len() / samples;
            array.values[k * size..(k + 1) * size].to_vec()
        };
        let bounds = imported.bounds();
        let mut worst = Verdict::Equal;
        for k in 0..samples {
            let given: Vec<Vec<f32>> = self.inputs.iter().map(|array| row(array, k)).collect();
            let evaluation = graph.evaluate(&graph.encode(&given).expect("inputs that fit")).expect("integers");
            for (port, wanted) in self.outputs.iter().map(|array| row(array, k)).enumerate() {
                let integers = evaluation.tensor(graph.outputs()[port].tensor);
                match compared(graph, port, integers, &wanted, bounds[port]) {
                    Verdict::Equal => {}
                    Verdict::Different(how) => return Verdict::Different(format!("output {port}, sample {k} {how}")),
                    Verdict::Close if worst == Verdict::Doubtful => {}
                    other => worst = other,
                }
            }
        }
        worst
    }
}

/// One output's integers beside the framework's numbers, which may lie `bound` apart if a step of a quantiser is doubtful.
fn compared(graph: &Graph, port: usize, integers: &[i64], wanted: &[f32], bound: Option<f64>) -> Verdict {
    if integers.len() != wanted.len() {
        return Verdict::Different(format!("{} numbers instead of {}", integers.len(), wanted.len()));
    }
    let reals: Vec<f64> = wanted.iter().map(|v| f64::from(*v)).collect();
    let own = graph.decode(port, integers);
    let mut worst = Verdict::Equal;
    for (i, agreement) in graph.agreement(port, integers, &reals).into_iter().enumerate() {
        match agreement {
            Agreement::Equal => {}
            Agreement::Noise(_) | Agreement::Approximate(_) if worst == Verdict::Equal => worst = Verdict::Close,
            Agreement::Noise(_) | Agreement::Approximate(_) => {}
            Agreement::Differs { model, why } => {
                let distance = (f64::from(own[i]) - reals[i]).abs();
                if !bound.is_some_and(|bound| distance <= bound * (1.0 + 1e-5)) {
                    return Verdict::Different(format!("[{i}]: {model} instead of {}; {why}", wanted[i]));
                }
                worst = Verdict::Doubtful;
            }
        }
    }
    worst
}

/// What becomes of the model. Where it is equal, its data path gives the model's integers, and a result that is off by one
/// float is noticed.
///
/// # Panics
/// If one of these does not hold.
pub fn verdict(model: &Path) -> Verdict {
    let imported = match read(model) {
        Ok(imported) => imported,
        Err(refusal) => return Verdict::Refused(refusal.message),
    };
    let mut arrays = Arrays::beside(model);
    let verdict = arrays.verdict(&imported);
    if verdict == Verdict::Equal {
        let given: Vec<Vec<f32>> = arrays
            .inputs
            .iter()
            .zip(imported.graph.inputs())
            .map(|(array, input)| array.values[..elements(&input.shape)].to_vec())
            .collect();
        data_path_agrees(&imported.graph, &given);
        let value = &mut arrays.outputs[0].values[0];
        *value = value.next_up();
        assert_ne!(arrays.verdict(&imported), Verdict::Equal, "{}: a changed result goes unnoticed", model.display());
    }
    verdict
}

/// The data path gives the model's integers.
fn data_path_agrees(graph: &Graph, given: &[Vec<f32>]) {
    let inputs = graph.encode(given).expect("inputs that fit");
    let expected = graph.evaluate(&inputs).expect("integers").outputs().concat();
    let module = network::build(graph, "campaign").expect("a network that can be built");
    let wide = |values: &[i64]| values.iter().map(|v| i128::from(*v)).collect::<Vec<_>>();
    let got = hdl::dfg::eval::evaluate(&module, &wide(&inputs.concat())).expect("a result");
    assert_eq!(got, wide(&expected));
}
