//! Exported source, built by the languages' own compilers, gives what the graph evaluates to.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::flow::run::tests::chain;
use crate::model::{Array, Graph, Input, Layer, Op, Output, TensorId};
use crate::network::design::random_events;
use crate::network::small;

/// A network's source with events and their results by evaluation: the inputs, then the outputs, event after event.
struct Case {
    form: Form,
    events: usize,
    ports: Vec<Vec<i64>>,
}

impl Case {
    fn of(graph: &Graph, count: usize) -> Self {
        let events = random_events(graph, count, 3);
        let evaluations: Vec<_> = events.iter().map(|event| graph.evaluate(event).unwrap()).collect();
        let inputs = (0..graph.inputs().len()).map(|k| events.iter().flat_map(|event| event[k].clone()).collect());
        let outputs = (0..graph.outputs().len())
            .map(|k| evaluations.iter().flat_map(|e| e.outputs()[k].iter().copied()).collect());
        let ports = inputs.chain(outputs).collect();
        Self { form: Form::of(graph).unwrap(), events: events.len(), ports }
    }

    fn write(&self, language: Language, place: &Path) {
        for source in language.sources(&self.form) {
            fs::write(place.join(source.name), source.text).unwrap();
        }
    }

    fn ports(&self) -> impl Iterator<Item = (&Port, &[i64])> {
        self.form.inputs.iter().chain(&self.form.outputs).zip(self.ports.iter().map(Vec::as_slice))
    }
}

fn graphs() -> Vec<Graph> {
    let named = |seed| {
        let mut graph = chain(seed);
        graph.name = format!("chain{seed}");
        graph
    };
    let chains = (0..6).map(named);
    let (mut residual, [first, _, third]) = small::residual();
    for (name, tensor) in [("int", first), ("INT*/", third)] {
        residual.output(Output { name: name.into(), tensor, decode: None }).unwrap();
    }
    // an input that is given out as it is, and a constant
    let input = Input { name: "x".into(), shape: vec![2], range: (0, 200), encode: None };
    let mut plain = Graph::new("return", vec![input]).unwrap();
    plain.output(Output { name: "y".into(), tensor: TensorId(0), decode: None }).unwrap();
    chains.chain([residual, plain]).collect()
}

fn numbers(values: &[i64]) -> String {
    values.iter().map(|v| format!("{v},")).collect()
}

/// A program that runs every case at once and event after event, and ends with 1 where a result is another.
fn c_program(cases: &[Case]) -> String {
    let mut text = "#include <string.h>\n".to_owned();
    let mut body = String::new();
    for (c, case) in cases.iter().enumerate() {
        let name = &case.form.name;
        let _ = writeln!(text, "#include \"{name}.h\"");
        let (mut arguments, mut single, mut compared) = (Vec::new(), Vec::new(), String::new());
        for (k, (port, values)) in case.ports().enumerate() {
            let t = c::type_of(port.kind);
            let count = port.ranges.len();
            let _ = writeln!(text, "static const {t} c{c}_{k}[] = {{{}}};", numbers(values));
            if k < case.form.inputs.len() {
                arguments.push(format!("c{c}_{k}"));
                single.push(format!("c{c}_{k} + e * {count}"));
            } else {
                let _ = writeln!(text, "static {t} r{c}_{k}[sizeof c{c}_{k} / sizeof({t})];");
                arguments.push(format!("r{c}_{k}"));
                single.push(format!("r{c}_{k} + e * {count}"));
                let _ = writeln!(
                    compared,
                    "if (memcmp(c{c}_{k}, r{c}_{k}, sizeof r{c}_{k})) return 1;\nmemset(r{c}_{k}, 0, sizeof r{c}_{k});"
                );
            }
        }
        let (events, arguments, single) = (case.events, arguments.join(", "), single.join(", "));
        let _ = writeln!(body, "if ({name}_run({events}, {arguments}) != {events}) return 2;\n{compared}");
        let _ =
            writeln!(body, "for (size_t e = 0; e < {events}; e++) if (!{name}_event({single})) return 3;\n{compared}");
    }
    format!("{text}int main(void)\n{{\n{body}return 0;\n}}\n")
}

/// Compiles what lies in a folder and runs it; gives the exit code.
fn built(place: &Path, compiler: &str, options: &[&str], files: &[String]) -> Option<i32> {
    let said = Command::new(compiler).args(options).args(files).args(["-o", "program"]).current_dir(place).output();
    let said = said.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let said = Command::new(place.join("program")).output().unwrap();
    print!("{}", String::from_utf8_lossy(&said.stderr));
    said.status.code()
}

#[test]
fn c_gives_what_the_graph_evaluates_to() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let cases: Vec<Case> = graphs().iter().map(|graph| Case::of(graph, 70)).collect();
    cases.iter().for_each(|case| case.write(Language::C, place));
    fs::write(place.join("main.c"), c_program(&cases)).unwrap();
    let files: Vec<String> =
        cases.iter().map(|case| format!("{}.c", case.form.name)).chain(["main.c".to_owned()]).collect();
    let strict = ["-std=c99", "-Wall", "-Wextra", "-Werror"];
    assert_eq!(built(place, "cc", &[&strict[..], &["-O2"]].concat(), &files), Some(0));
    let sanitized = ["-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"];
    assert_eq!(built(place, "cc", &[&strict[..], &sanitized].concat(), &files), Some(0));
}

/// `y = 3·x0 - x1 + 10`.
fn line() -> Graph {
    let input = Input { name: "x".into(), shape: vec![2], range: (-8, 7), encode: None };
    let mut graph = Graph::new("line", vec![input]).unwrap();
    let op = Op::dense(Array { shape: vec![1, 2], values: vec![3, -1] }, vec![10]);
    let y = graph.push(Layer { name: "y".into(), op, inputs: vec![TensorId(0)], scale: None }).unwrap();
    graph.output(Output { name: "y".into(), tensor: y, decode: None }).unwrap();
    graph
}

#[test]
fn another_constant_and_an_integer_out_of_range_are_found() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let mut case = Case::of(&line(), 20);
    case.write(Language::C, place);
    let files = ["line.c".to_owned(), "main.c".to_owned()];
    let result = |case: &Case| {
        fs::write(place.join("main.c"), c_program(std::slice::from_ref(case))).unwrap();
        built(place, "cc", &[], &files)
    };
    let source = fs::read_to_string(place.join("line.c")).unwrap();
    assert_eq!(source.matches(" = 10;").count(), 1, "{source}");
    fs::write(place.join("line.c"), source.replace(" = 10;", " = 11;")).unwrap();
    assert_eq!(result(&case), Some(1));
    fs::write(place.join("line.c"), source).unwrap();
    assert_eq!(result(&case), Some(0));
    case.ports[0][10] = 8;
    assert_eq!(result(&case), Some(2));
}
