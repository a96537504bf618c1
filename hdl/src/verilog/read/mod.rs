//! The emitted subset of Verilog, read back: what [`write_design`](super::write_design) writes, `` `ifdef `` around it, and
//! the modules that stand beside a design. Anything else is refused with its file and line.
//!
//! The reader shares the register-transfer form with the writer, not its text. Widths must be equal where the writer
//! makes them equal, so that no rule of Verilog about extension or sign ever applies.

mod ast;
mod behaviour;
mod elaborate;
mod expression;
mod lex;
mod parse;
mod scope;

use crate::diag::{Diagnostic, Diagnostics};
use crate::names::quoted;
use crate::rtl::Design;

/// Widest net, in bits.
const MAX_WIDTH: u32 = 1 << 24;

/// A line of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    file: u32,
    line: u32,
}

/// A Verilog file: its name, for messages, and its text.
pub type File<'a> = (&'a str, &'a str);

/// The module `top` and all below it, out of `files`, with the macros in `defines` set.
///
/// # Errors
/// Text that hwgen would not write, a module that is missing or there twice, widths that differ.
pub fn read(files: &[File<'_>], defines: &[&str], top: &str) -> Result<Design, Diagnostics> {
    let located = |(place, error): (Place, Diagnostic)| {
        let name = files.get(place.file as usize).map_or("", |file| file.0);
        Diagnostics::from(error.at(format!("{name}:{}", place.line), "here"))
    };
    let mut modules = Vec::new();
    for (k, (_, text)) in files.iter().enumerate() {
        let tokens = lex::tokens(text, k as u32, defines).map_err(located)?;
        modules.extend(parse::modules(&tokens).map_err(located)?);
    }
    if !modules.iter().any(|module| module.name == top) {
        let message = format!("there is no module {} in the Verilog", quoted(top));
        return Err(Diagnostic::error("verilog", message).into());
    }
    elaborate::design(&modules, top).map_err(located)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;

    use super::*;
    use crate::dfg::{Reset, behaviour};
    use crate::lower::lower;
    use crate::random::{Numbers, module};
    use crate::rtl::eval::Stepper;
    use crate::rtl::{ones, validate};
    use crate::verilog::write_design;

    /// Random designs, written and read back, do the same in every cycle.
    #[test]
    fn what_is_written_is_read_back() {
        for seed in 0..60 {
            let mut numbers = Numbers::new(seed);
            let top = module("m", &numbers.choices(120));
            let mut written = lower(&behaviour(&top)).unwrap();
            // the text does not say what a register without reset begins with
            let registers = written.modules.iter_mut().flat_map(|module| &mut module.registers);
            registers.filter(|r| r.reset == Reset::None).for_each(|r| r.initial = BigUint::ZERO);
            let mut text = Vec::new();
            write_design(&written, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            let again = read(&[("m.v", &text)], &[], "m").unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
            assert_eq!(validate(&again), Ok(()), "seed {seed}\n{text}");
            // a clock that nothing waits for is read as any other port
            if again.top().clock != written.top().clock || again.top().reset != written.top().reset {
                continue;
            }
            let widths: Vec<u32> = written.top().inputs.iter().map(|p| p.width).collect();
            let mut both = [&written, &again].map(|design| Stepper::new(design, &Default::default()).unwrap());
            for cycle in 0..8 {
                let inputs: Vec<BigUint> = widths
                    .iter()
                    .map(|&w| (0..w.div_ceil(64)).fold(BigUint::ZERO, |v, _| (v << 64) + numbers.bits()) & ones(w))
                    .collect();
                let [a, b] = both.each_mut().map(|stepper| stepper.step(&inputs, cycle == 5));
                assert_eq!(a, b, "seed {seed} cycle {cycle}\n{text}");
            }
        }
    }

    fn errors(text: &str) -> String {
        read(&[("m.v", text)], &[], "m").unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_written_is_refused_with_its_line() {
        let module =
            |body: &str| format!("module m (\n  input  wire [3:0] x,\n  output wire [3:0] y\n);\n{body}\nendmodule\n");
        for (body, message) in [
            ("  assign y = x + 5'd1;", "4 and 5 bits"),
            ("  assign y = x[4:1];", "bit 4"),
            ("  assign y = z;", "`z`"),
            ("  wire y = x;", "4 bits"),
            ("  initial y = x;", "initial"),
            ("  assign y = x / x;", "/"),
            ("  other u (.a(x));", "`other`"),
            ("", "`y`"),
            ("  assign y = x;\n  assign y = x;", "twice"),
            ("  assign y = /*/ x; // */ ~x;\n  $display;", "$display"),
            ("  (* full_case *) assign y = x;", "full_case"),
            ("  \\y  = x;", "y"),
        ] {
            let text = errors(&module(body));
            assert!(text.contains(message) && text.contains("m.v:"), "{body}: {text}");
        }
        assert!(errors("module m (\n);\n`ifdef X\nendmodule").contains("`endif"));
        assert!(errors(&format!("module m;\n  wire x = {}1'd0;\nendmodule", "~".repeat(500))).contains("deep"));
    }
}
