//! Netlist ≡ design by ABC, register by register.
//!
//! Mapping keeps every register and its name, so the two sides are compared as functions from inputs and register
//! outputs to outputs and register inputs. Both are written as BLIF, whose registers become a pair of ports here. The
//! golden side is the design after Yosys has split its operators into gates and full adders, before a cell is chosen:
//! that first part is shared and not proved, gate-level simulation covers it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use hdl::diag::{Diagnostic, Diagnostics};

use super::{CELL_TECHMAP, FRONT, NETLIST, Program};

/// Name of the Yosys script.
pub const SCRIPT: &str = "equivalence.ys";
/// Name of the techmap of full adders to gates.
pub const ADDER_GATES_FILE: &str = "adder_gates.v";
/// A full adder as gates.
pub const ADDER_GATES: &str = "(* techmap_celltype = \"hwgen_full_adder\" *)
module hwgen_full_adder_gates (A, B, C, X, Y);
  input A, B, C;
  output X, Y;
  assign X = (A & B) | (C & (A ^ B));
  assign Y = A ^ B ^ C;
endmodule
";

/// What ABC found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same function.
    Equivalent,
    /// Some input tells them apart.
    Different,
    /// The limit of effort was reached.
    Undecided,
}

/// The script that writes both sides as BLIF.
pub fn script(top: &str) -> String {
    let gates = "techmap\ndfflegalize -cell $_DFF_P_ x\nopt_expr\nopt_clean";
    format!(
        "read_rtlil {FRONT}\ntechmap -map {ADDER_GATES_FILE}\n{gates}\nwrite_blif golden.blif\ndesign -reset\n\
         read_verilog {NETLIST}\nhierarchy -top {top}\ntechmap -map {CELL_TECHMAP}\n{gates}\nwrite_blif gate.blif\n"
    )
}

/// Compares the two sides in `folder`, each program for at most `limit`.
///
/// # Errors
/// Those of running Yosys and ABC; `tool-output` if ABC gives no verdict.
pub fn prove(folder: &Path, limit: Duration) -> Result<Verdict, Diagnostics> {
    Program::Yosys.run(
        folder,
        &["-q", "-l", "equivalence.log", "-s", SCRIPT],
        limit,
    )?;
    let file = |name: &str| {
        std::fs::read_to_string(folder.join(name)).map_err(|error| {
            Diagnostics::from(Diagnostic::error("tool-output", format!("{name}: {error}")))
        })
    };
    let sides = [
        Blif::read(&file("golden.blif")?),
        Blif::read(&file("gate.blif")?),
    ];
    let Some(texts) = cut(&sides) else {
        let message = "ports or registers of the netlist have other names than those of the design";
        return Err(Diagnostic::error("register-match", message)
            .help("nothing is proved and nothing is refuted")
            .into());
    };
    for (name, text) in ["golden_cut.blif", "gate_cut.blif"].iter().zip(texts) {
        std::fs::write(folder.join(name), text).map_err(|error| {
            Diagnostics::from(Diagnostic::error("tool-output", format!("{name}: {error}")))
        })?;
    }
    let command = format!(
        "cec -T {} golden_cut.blif gate_cut.blif",
        limit.as_secs().max(1)
    );
    let done = Program::Abc.run(folder, &["-c", &command], limit)?;
    let said = done.said();
    let says = |text: &str| said.contains(text);
    if says("NOT EQUIVALENT") {
        Ok(Verdict::Different)
    } else if says("are equivalent") {
        Ok(Verdict::Equivalent)
    } else if says("UNDECIDED") {
        Ok(Verdict::Undecided)
    } else {
        Err(Diagnostic::error("tool-output", "ABC gave no verdict")
            .label(None, said)
            .into())
    }
}

/// A flat BLIF file, its registers apart.
#[derive(Debug, Default)]
struct Blif {
    inputs: BTreeSet<String>,
    outputs: BTreeSet<String>,
    /// Output and input of each register.
    registers: Vec<(String, String)>,
    /// The first output port that is nothing but this net.
    ports: BTreeMap<String, String>,
    body: String,
}

impl Blif {
    fn read(text: &str) -> Self {
        let mut blif = Self::default();
        let joined = text.replace("\\\n", " ");
        let lines: Vec<&str> = joined.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1] == "1 1") {
            let words: Vec<&str> = pair[0].split_whitespace().collect();
            if let [".names", net, alias] = words.as_slice() {
                let known = blif
                    .ports
                    .entry((*net).to_owned())
                    .or_insert_with(|| (*alias).to_owned());
                if *alias < known.as_str() {
                    *known = (*alias).to_owned();
                }
            }
        }
        for line in lines {
            let mut words = line.split_whitespace();
            match words.next() {
                Some(".inputs") => blif.inputs.extend(words.map(str::to_owned)),
                Some(".outputs") => blif.outputs.extend(words.map(str::to_owned)),
                Some(".latch") => {
                    if let (Some(d), Some(q)) = (words.next(), words.next()) {
                        blif.registers.push((q.to_owned(), d.to_owned()));
                    }
                }
                Some(".model" | ".end" | "#") | None => {}
                Some(_) => {
                    blif.body.push_str(line);
                    blif.body.push('\n');
                }
            }
        }
        blif
    }

    /// The name of each register's state: the output port that shows it, or its own net.
    fn state(&self) -> BTreeMap<String, &(String, String)> {
        let named = self.registers.iter().map(|register| {
            let port = self
                .ports
                .get(&register.0)
                .filter(|port| self.outputs.contains(*port));
            (port.unwrap_or(&register.0).clone(), register)
        });
        named.collect()
    }
}

/// Both sides without registers, with the same ports in the same order. `None` if the netlist has other ports, or a
/// register that the design lacks. A register that only the design has is a free input there, which proves more.
fn cut(sides: &[Blif; 2]) -> Option<[String; 2]> {
    let [golden, gate] = sides;
    let (golden_state, gate_state) = (golden.state(), gate.state());
    let known = gate_state
        .keys()
        .all(|name| golden_state.contains_key(name));
    if golden.inputs != gate.inputs || golden.outputs != gate.outputs || !known {
        return None;
    }
    let states = [&golden_state, &gate_state];
    let mut texts = sides.iter().zip(states).map(|(side, state)| {
        let mut text = String::from(".model cut\n.inputs");
        golden.inputs.iter().for_each(|name| {
            let _ = write!(text, " {name}");
        });
        golden_state.keys().for_each(|name| {
            let _ = write!(text, " hwgen_state_{name}");
        });
        text.push_str("\n.outputs");
        golden.outputs.iter().for_each(|name| {
            let _ = write!(text, " {name}");
        });
        gate_state.keys().for_each(|name| {
            let _ = write!(text, " hwgen_next_{name}");
        });
        text.push('\n');
        text += &side.body;
        for (name, (q, d)) in state {
            let _ = writeln!(text, ".names hwgen_state_{name} {q}\n1 1");
            if gate_state.contains_key(name) {
                let _ = writeln!(text, ".names {d} hwgen_next_{name}\n1 1");
            }
        }
        text + ".end\n"
    });
    Some([texts.next()?, texts.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: &str = ".model t\n.inputs clk a\n.outputs y z\n.names a q y\n11 1\n.latch y q re clk 2\n.names q z\n1 1\n.end\n";

    #[test]
    fn registers_become_ports() {
        let [golden, _] = cut(&[Blif::read(SIDE), Blif::read(SIDE)]).unwrap();
        assert!(
            golden.contains(".inputs a clk hwgen_state_z\n.outputs y z hwgen_next_z\n"),
            "{golden}"
        );
        assert!(golden.contains(".names y hwgen_next_z\n1 1\n"), "{golden}");
        let other = SIDE
            .replace(" q re", " r re")
            .replace(".names q z", ".names r z");
        assert_eq!(cut(&[Blif::read(SIDE), Blif::read(&other)]), None);
    }
}
