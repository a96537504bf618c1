//! The data-flow graph in the language of Graphviz.

use std::fmt::{self, Write};

use crate::dfg::{Module, NodeId, Op};

/// `module` in DOT: a box an operator with its range, nodes of one cycle beside each other, registers grey.
pub fn dot(module: &Module) -> String {
    let mut text = String::new();
    write_dot(module, &mut text).expect("writing to a string does not fail");
    text
}

fn write_dot(module: &Module, out: &mut String) -> fmt::Result {
    writeln!(out, "digraph \"{}\" {{", escaped(&module.name))?;
    writeln!(out, "  rankdir=LR; node [shape=box, fontname=\"sans-serif\"];")?;
    for n in module.graph.nodes() {
        node(module, n, out)?;
    }
    for port in &module.outputs {
        let name = escaped(&port.name);
        writeln!(out, "  \"out_{name}\" [label=\"{name}\\n{}\", shape=cds];", port.stamp)?;
        for element in &port.elements {
            writeln!(out, "  n{} -> \"out_{name}\";", element.node.0)?;
        }
    }
    feedback(module, out)?;
    writeln!(out, "}}")
}

fn node(module: &Module, n: NodeId, out: &mut String) -> fmt::Result {
    let op = module.graph.op(n);
    let what = match op {
        Op::Const(k) => module.graph.constant_value(k).to_string(),
        Op::Input(k) => input_name(module, k),
        Op::State(k) => module.states[k as usize].name.clone(),
        Op::Output(i, k) => format!("{}[{k}]", module.instances[i as usize].name),
        Op::Shl(_, s) | Op::Shr(_, s) => format!("{} {s}", op.mnemonic()),
        _ => op.mnemonic().to_owned(),
    };
    let name = module.name_of(n).map(|name| format!("{name} = "));
    let style = match op {
        Op::Delay(..) | Op::State(_) => ", style=filled, fillcolor=lightgrey",
        Op::Input(_) => ", shape=cds",
        Op::Const(_) => ", shape=plaintext",
        _ => "",
    };
    let label = escaped(&format!("{}{what}", name.unwrap_or_default()));
    let (range, stamp) = (module.graph.range(n), module.graph.stamp(n));
    writeln!(out, "  n{} [label=\"{label}\\n{range} {stamp}\"{style}];", n.0)?;
    for a in op.operands() {
        writeln!(out, "  n{} -> n{};", a.0, n.0)?;
    }
    if let Op::Output(i, _) = op {
        for a in &module.instances[i as usize].inputs {
            writeln!(out, "  n{} -> n{} [style=dotted];", a.0, n.0)?;
        }
    }
    Ok(())
}

/// Dashed edges to registers from what they load.
fn feedback(module: &Module, out: &mut String) -> fmt::Result {
    for n in module.graph.nodes() {
        if let Op::State(k) = module.graph.op(n)
            && let Some(next) = module.states[k as usize].next
        {
            let edge = format!("n{} -> n{}", next.0, n.0);
            writeln!(out, "  {edge} [style=dashed, constraint=false];")?;
        }
    }
    Ok(())
}

fn input_name(module: &Module, k: u32) -> String {
    let after = module.inputs.partition_point(|p| p.first <= k);
    let port = &module.inputs[after - 1];
    match port.elements.len() {
        1 => port.name.clone(),
        _ => format!("{}[{}]", port.name, k - port.first),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::{ModuleBuilder, RegisterStyle};
    use crate::num::Format;

    #[test]
    fn a_small_module() {
        let m = ModuleBuilder::new("count");
        let step = m.input("step", Format::unsigned(2, 0).unwrap());
        let byte = Format::unsigned(8, 0).unwrap();
        let total = m.state("total", byte, RegisterStyle::default());
        total.set_next((total.value() + step).named("sum").wrap(8, false));
        m.output("y", total.value());
        let module = m.finish().unwrap();
        let expected = r#"digraph "count" {
  rankdir=LR; node [shape=box, fontname="sans-serif"];
  n0 [label="step\n[0, 3] @0", shape=cds];
  n1 [label="total\n[0, 255] @any", style=filled, fillcolor=lightgrey];
  n2 [label="sum = add\n[0, 258] @0"];
  n0 -> n2;
  n1 -> n2;
  n3 [label="wrap\n[0, 255] @0"];
  n2 -> n3;
  "out_y" [label="y\n@any", shape=cds];
  n1 -> "out_y";
  n3 -> n1 [style=dashed, constraint=false];
}
"#;
        assert_eq!(dot(&module), expected);
    }
}
