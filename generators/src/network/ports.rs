//! Names from a model as names in Verilog.

use hdl::names::check_identifier;

use crate::model::Graph;

/// The names of a network's ports, no two of them equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// One an input.
    pub inputs: Vec<String>,
    /// One an output.
    pub outputs: Vec<String>,
}

/// Port of a folded network that says that an event is there.
pub const START: &str = "start";
/// Port of a folded network that says that a result is there.
pub const VALID: &str = "valid";
/// Ports that a module may get besides those of the network.
const CONTROL: [&str; 4] = ["clk", "rst", START, VALID];

impl Ports {
    /// The ports of `graph` as module `top`.
    pub fn of(graph: &Graph, top: &str) -> Self {
        let mut taken: Vec<String> = CONTROL.map(str::to_owned).to_vec();
        taken.push(top.to_owned());
        let registers = graph.layers().iter().flat_map(|layer| layer.op.registers());
        taken.extend(registers.map(|array| array.port.to_owned()));
        let mut unique = |name: &str| {
            let plain = identifier(name);
            let numbered = (2..).map(|k| format!("{plain}_{k}"));
            let name = std::iter::once(plain.clone())
                .chain(numbered)
                .find(|name| !taken.contains(name))
                .expect("there are always more numbers");
            taken.push(name.clone());
            name
        };
        Self {
            inputs: graph.inputs().iter().map(|i| unique(&i.name)).collect(),
            outputs: graph.outputs().iter().map(|o| unique(&o.name)).collect(),
        }
    }
}

/// A name from the model as a Verilog identifier.
pub fn identifier(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut text: String = name.chars().take(64).map(plain).collect();
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        text.insert_str(0, "t_");
    }
    if check_identifier(&text).is_err() {
        text.push('_');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, Output, TensorId};

    #[test]
    fn any_name_becomes_an_identifier() {
        for name in ["", "0", "a.b:0", "module", "/conv/Conv\"; x", "é"] {
            assert_eq!(check_identifier(&identifier(name)), Ok(()), "{name}");
        }
    }

    #[test]
    fn ports_have_names_of_their_own() {
        let input = |name: &str| Input { name: name.into(), shape: vec![1], range: (0, 1), encode: None };
        let names = ["a.b", "a_b", "clk", "net"];
        let mut graph = Graph::new("net", names.map(input).to_vec()).unwrap();
        let output = Output { name: "a:b".into(), tensor: TensorId(0), decode: None };
        graph.output(output).unwrap();
        let ports = Ports::of(&graph, "net");
        assert_eq!(ports.inputs, ["a_b", "a_b_2", "clk_2", "net_2"]);
        assert_eq!(ports.outputs, ["a_b_3"]);
    }
}
