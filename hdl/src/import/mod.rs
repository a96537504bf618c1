//! The interface of an existing Verilog module as a black box, so that a design can instantiate it.
//!
//! Only the header counts: the ports, ANSI or not, and the parameters that their widths depend on. The body stays where it
//! is; hand its file to the tools beside the emitted ones.

mod constant;
mod header;
mod token;

use std::sync::Arc;

use crate::dfg::{BlackBox, Module, Port, Stamp};
use crate::diag::{Diagnostic, Diagnostics, Label};
use crate::names::{check_identifier, quoted};
use crate::num::Format;
use header::{Direction, Header};

/// Longest source that is read, in bytes.
const MAX_SOURCE: usize = 1 << 24;

/// What the header does not say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Name of the clock input, if the module has one. It is connected to `clk`.
    pub clock: Option<String>,
    /// Parameter overrides; others keep their defaults.
    pub parameters: Vec<(String, i128)>,
    /// Cycles from the inputs to the outputs.
    pub latency: u32,
}

/// The module `name` in the Verilog text `source`, as a black box with one element a port.
///
/// # Errors
/// The text has no such module, or its header is beyond what is understood; the message names the line.
pub fn import(source: &str, name: &str, options: &Options) -> Result<Arc<Module>, Diagnostics> {
    if source.len() > MAX_SOURCE {
        let message = format!("the source has {} bytes, {MAX_SOURCE} are read", source.len());
        return Err(Diagnostic::error("verilog-import", message).into());
    }
    let tokens = token::tokens(source)?;
    let header = header::read(&tokens, name, &options.parameters)?;
    module(header, name, options)
}

fn module(header: Header<'_>, name: &str, options: &Options) -> Result<Arc<Module>, Diagnostics> {
    check(name, 0)?;
    let mut module = Module::new(name);
    let mut known = BlackBox { clock: None, outputs: Vec::new(), parameters: options.parameters.clone() };
    for port in header.ports {
        check(port.name, port.line)?;
        if options.clock.as_deref() == Some(port.name) {
            if (port.direction, port.width) != (Direction::Input, 1) {
                return Err(error(port.line, "the clock must be an input of one bit"));
            }
            known.clock = options.clock.clone();
            continue;
        }
        let format = if port.signed { Format::signed(port.width, 0) } else { Format::unsigned(port.width, 0) };
        let format = format.map_err(|_| {
            let message = format!("port `{}` of {} bits is too wide", port.name, port.width);
            error(port.line, &message)
        })?;
        match port.direction {
            Direction::Input => module.inputs.push(Port {
                name: port.name.to_owned(),
                elements: vec![format],
                first: module.inputs.len() as u32,
                stamp: Stamp::at(0),
            }),
            Direction::Output => {
                let output = (port.name.to_owned(), format, Stamp::at(options.latency));
                known.outputs.push(output);
            }
        }
    }
    if known.clock != options.clock {
        let clock = options.clock.as_deref().unwrap_or_default();
        let message = format!("there is no clock port {}", quoted(clock));
        return Err(error(header.line, &message));
    }
    module.black_box = Some(known);
    Ok(Arc::new(module))
}

fn check(name: &str, line: u32) -> Result<(), Diagnostics> {
    check_identifier(name).map_err(|reason| error(line, &format!("name {}: {reason}", quoted(name))))
}

/// An error at a line of the source.
fn error(line: u32, message: &str) -> Diagnostics {
    let mut diagnostic = Diagnostic::error("verilog-import", message);
    if line > 0 {
        diagnostic
            .labels
            .push(Label { place: Some(format!("line {line}")), text: "in the imported Verilog".to_owned() });
    }
    diagnostic.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSI: &str = r#"
`timescale 1ns / 1ps
// module macro (input wrong);
module other (input a, output b); assign b = a; endmodule
(* keep *) module macro #(
    parameter W = 8, FILE = "a,b.hex", parameter integer DEPTH = 1 << 4,
    localparam A = $clog2(DEPTH)
) (
    input wire clk, /* a
    comment */ input signed [W-1:0] x, y,
    input [A - 1 : 0] address,
    output reg [2*W:0] sum, output [0:3] flags
);
endmodule
"#;

    const PLAIN: &str = "module macro (clk, x, sum);
parameter W = 8'hA;
input clk; input [W-1:0] x;
function f; input ignored; f = ignored; endfunction
output signed [W:0] sum; reg signed [W:0] sum;
always @(posedge clk) sum <= x;
endmodule";

    fn clocked() -> Options {
        Options { clock: Some("clk".to_owned()), latency: 2, ..Options::default() }
    }

    fn interface(module: &Module) -> String {
        let inputs = module.inputs.iter().map(|p| format!("{}:{}", p.name, p.elements[0]));
        let outputs = module.black_box.iter().flat_map(|b| &b.outputs);
        let outputs = outputs.map(|(name, format, stamp)| format!("{name}:{format}{stamp}"));
        let all: Vec<String> = inputs.chain(outputs).collect();
        all.join(" ")
    }

    #[test]
    fn headers_become_interfaces() {
        let module = import(ANSI, "macro", &clocked()).unwrap();
        let expected = "x:s8.0 y:s8.0 address:u4.0 sum:u17.0@2 flags:u4.0@2";
        assert_eq!(interface(&module), expected);
        let wider = Options { parameters: vec![("W".to_owned(), 12), ("DEPTH".to_owned(), 1000)], ..clocked() };
        let module = import(ANSI, "macro", &wider).unwrap();
        let expected = "x:s12.0 y:s12.0 address:u10.0 sum:u25.0@2 flags:u4.0@2";
        assert_eq!(interface(&module), expected);
        let module = import(PLAIN, "macro", &clocked()).unwrap();
        assert_eq!(interface(&module), "x:u10.0 sum:s11.0@2");
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let deep = format!("module macro (input [{}1:0] x); endmodule", "(".repeat(100_000));
        let cases = [
            ("", "there is no module `macro`"),
            ("module macro (input a", "the source ends"),
            ("module macro (inout a); endmodule", "bidirectional"),
            ("module macro (input [W:0] a); endmodule", "`W` is no constant"),
            ("module macro (input [1/0:0] a); endmodule", "the constant cannot be computed"),
            ("module macro (input [500:0] a); endmodule", "`a` of 501 bits is too wide"),
            ("module macro (input [99999999999:0] a); endmodule", "is too wide"),
            ("module macro (input a [3:0]); endmodule", "array"),
            ("module macro (bus.slave a); endmodule", "`bus` is not understood"),
            ("module macro (a, b); input a; endmodule", "port `b` has no direction"),
            ("module macro (input \\a;b ); endmodule", "name `a;b`"),
            ("module macro (input a, a); endmodule", "port `a` is declared twice"),
            ("module macro (`W a); endmodule", "`W`"),
            ("module macro (input a); /* endmodule", "comment"),
            (&deep, "nested too deeply"),
        ];
        for (source, message) in cases {
            let found = import(source, "macro", &Options::default()).unwrap_err();
            assert!(found.to_string().contains(message), "{source:.60}: {found}");
        }
        let no_clock = import("module macro (input a);\nendmodule", "macro", &clocked());
        assert!(no_clock.unwrap_err().to_string().contains("no clock port `clk`"));
        let unknown = Options { parameters: vec![("X".to_owned(), 1)], ..Options::default() };
        let unknown = import(ANSI, "macro", &unknown).unwrap_err();
        assert!(unknown.to_string().contains("no parameter `X`"));
    }
}
