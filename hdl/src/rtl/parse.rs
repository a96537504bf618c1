//! Reading the text form. What is read is not yet valid: see [`validate`](super::validate).

use std::str::{FromStr, SplitAsciiWhitespace};

use num_bigint::BigUint;

use super::module::{
    BlackBox, Cell, Design, Instance, List, Memory, MemoryWrite, Module, ModuleId, Net, Output, Port, Register,
};
use super::text::RESETS;
use crate::dfg::ScopeId;
use crate::diag::{Diagnostic, Diagnostics, Label};
use crate::names::quoted;

/// The design that [`print`](super::print) wrote as `text`.
///
/// # Errors
/// The first line that does not follow the form.
pub fn parse(text: &str) -> Result<Design, Diagnostics> {
    let mut design = Design::default();
    let mut open: Option<Module> = None;
    for (i, line) in text.lines().enumerate() {
        let fail = |message: String| {
            let mut error = Diagnostic::error("rtl-text", message);
            error.labels.push(Label { place: Some(format!("line {}", i + 1)), text: quoted(line.trim()) });
            Diagnostics::from(error)
        };
        let mut words = Words(line.split_ascii_whitespace());
        let Some(word) = words.0.next() else { continue };
        match (word, &mut open) {
            ("module", None) => {
                let name = words.name().map_err(fail)?;
                open = Some(Module { name, ..Module::default() });
            }
            ("end", module @ Some(_)) => design.modules.extend(module.take()),
            ("scope", Some(module)) => {
                let path = line.trim_start().strip_prefix("scope ").unwrap_or("");
                module.scopes.push(unescaped(path));
                continue;
            }
            (word, Some(module)) => item(word, module, &mut words).map_err(fail)?,
            (_, None) => return Err(fail("a module is expected".to_owned())),
        }
        if words.0.next().is_some() {
            return Err(fail("the line goes on where it should end".to_owned()));
        }
    }
    match open {
        Some(module) => {
            let message = format!("module {} has no `end`", quoted(&module.name));
            Err(Diagnostic::error("rtl-text", message).into())
        }
        None => Ok(design),
    }
}

/// The words of a line.
struct Words<'a>(SplitAsciiWhitespace<'a>);

type Parsed<T> = Result<T, String>;

impl Words<'_> {
    fn word(&mut self, what: &str) -> Parsed<&str> {
        self.0.next().ok_or_else(|| format!("{what} is expected at the end"))
    }

    fn name(&mut self) -> Parsed<String> {
        self.word("a name").map(str::to_owned)
    }

    fn number<T: FromStr>(&mut self, prefix: &str, what: &str) -> Parsed<T> {
        let word = self.word(what)?;
        word.strip_prefix(prefix)
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| format!("{what} is expected, not {}", quoted(word)))
    }

    fn index(&mut self) -> Parsed<u32> {
        self.number("", "a number")
    }

    fn net(&mut self) -> Parsed<Net> {
        self.number("%", "a net such as %3").map(Net)
    }

    fn optional_net(&mut self) -> Parsed<Option<Net>> {
        match self.0.clone().next() {
            Some("-") => {
                self.0.next();
                Ok(None)
            }
            _ => self.net().map(Some),
        }
    }

    fn scope(&mut self) -> Parsed<ScopeId> {
        self.number("@", "a scope such as @0").map(ScopeId)
    }

    fn hexadecimal(&mut self) -> Parsed<BigUint> {
        hexadecimal(self.word("a hexadecimal number")?)
    }

    /// Nets up to the end or the name.
    fn nets(&mut self) -> Parsed<Vec<Net>> {
        let mut nets = Vec::new();
        while self.0.clone().next().is_some_and(|w| w != "=") {
            nets.push(self.net()?);
        }
        Ok(nets)
    }
}

fn hexadecimal(word: &str) -> Parsed<BigUint> {
    BigUint::parse_bytes(word.as_bytes(), 16)
        .ok_or_else(|| format!("a hexadecimal number is expected, not {}", quoted(word)))
}

fn item(word: &str, m: &mut Module, words: &mut Words<'_>) -> Parsed<()> {
    match word {
        "clock" => m.clock = Some(words.name()?),
        "reset" => m.reset = Some(words.name()?),
        "box" => m.black_box = Some(BlackBox::default()),
        "parameter" => {
            let parameter = (words.name()?, words.number("", "a number")?);
            let known = m.black_box.as_mut().ok_or("only a box has parameters")?;
            known.parameters.push(parameter);
        }
        "input" => m.inputs.push(Port { name: words.name()?, width: words.index()? }),
        "table" => {
            let table: Parsed<_> = words.0.by_ref().map(hexadecimal).collect();
            m.tables.push(table?);
        }
        "register" => {
            let register = register(words)?;
            m.registers.push(register);
        }
        "memory" => m.memories.push(Memory {
            name: words.name()?,
            depth: words.index()?,
            width: words.index()?,
            write: MemoryWrite { enable: words.net()?, address: words.net()?, data: words.net()? },
        }),
        "instance" => m.instances.push(Instance {
            name: words.name()?,
            module: ModuleId(words.index()?),
            scope: words.scope()?,
            inputs: words.nets()?,
        }),
        "output" => m.outputs.push(Output { name: words.name()?, width: words.index()?, net: words.optional_net()? }),
        number if number == format!("%{}", m.cells.len()) => net(m, words)?,
        other => {
            let next = m.cells.len();
            return Err(format!("{} is neither a keyword nor %{next}", quoted(other)));
        }
    }
    Ok(())
}

fn register(words: &mut Words<'_>) -> Parsed<Register> {
    let (next, enable) = (words.net()?, words.optional_net()?);
    let reset = words.word("a kind of reset")?;
    let (reset, _) = RESETS
        .into_iter()
        .find(|(_, word)| *word == reset)
        .ok_or_else(|| format!("{} is no kind of reset", quoted(reset)))?;
    let initial = words.hexadecimal()?;
    let kept = match words.0.next() {
        None => false,
        Some("kept") => true,
        Some(other) => return Err(format!("{} is not `kept`", quoted(other))),
    };
    Ok(Register { next, enable, reset, initial, kept })
}

fn net(m: &mut Module, words: &mut Words<'_>) -> Parsed<()> {
    let (width, scope) = (words.index()?, words.scope()?);
    let mnemonic = words.word("a cell")?.to_owned();
    let cell = match mnemonic.as_str() {
        "input" => Cell::Input(words.index()?),
        "const" => {
            m.constants.push(words.hexadecimal()?);
            Cell::Const(m.constants.len() as u32 - 1)
        }
        "slice" => Cell::Slice(words.net()?, words.index()?),
        "zext" => Cell::ZeroExtend(words.net()?),
        "sext" => Cell::SignExtend(words.net()?),
        "concat" => {
            let start = m.operands.len() as u32;
            m.operands.extend(words.nets()?);
            let len = m.operands.len() as u32 - start;
            Cell::Concat(List { start, len })
        }
        "not" => Cell::Not(words.net()?),
        "all" => Cell::ReduceAnd(words.net()?),
        "any" => Cell::ReduceOr(words.net()?),
        "and" => Cell::And(words.net()?, words.net()?),
        "or" => Cell::Or(words.net()?, words.net()?),
        "xor" => Cell::Xor(words.net()?, words.net()?),
        "add" => Cell::Add(words.net()?, words.net()?),
        "sub" => Cell::Sub(words.net()?, words.net()?),
        "mul" => Cell::Mul(words.net()?, words.net()?),
        "eq" => Cell::Eq(words.net()?, words.net()?),
        "ltu" => Cell::LtUnsigned(words.net()?, words.net()?),
        "lts" => Cell::LtSigned(words.net()?, words.net()?),
        "mux" => Cell::Mux(words.net()?, words.net()?, words.net()?),
        "table" => Cell::Table(words.net()?, words.index()?),
        "read" => Cell::Read(words.net()?, words.index()?),
        "reg" => Cell::Register(words.index()?),
        "out" => Cell::Output(words.index()?, words.index()?),
        other => return Err(format!("{} is no cell", quoted(other))),
    };
    if words.0.clone().next() == Some("=") {
        words.0.next();
        let net = Net(m.cells.len() as u32);
        m.names.insert(net, words.name()?);
    }
    m.cells.push(cell);
    m.widths.push(width);
    m.net_scopes.push(scope);
    Ok(())
}

/// A path that was escaped to stand on one line.
fn unescaped(text: &str) -> String {
    let mut path = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        path.push(match (c, c == '\\') {
            (_, true) => match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                _ => '\\',
            },
            _ => c,
        });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::{print, validate};

    const SCALE: &str = "\
module scale
  clock clk
  scope 
  scope conv.p3 \\\\ \\n
  input x 8
  table 1 2 ff
  %0 8 @0 input 0
  %1 8 @1 const 1f
  %2 8 @1 add %0 %1 = sum
  %3 8 @1 reg 0
  %4 2 @0 slice %3 6
  %5 8 @0 table %4 0
  %6 16 @0 concat %5 %3
  register %2 - none 0
  output y 16 %6
end
";

    #[test]
    fn printing_undoes_parsing() {
        let design = parse(SCALE).unwrap();
        assert_eq!(print(&design), SCALE);
        assert_eq!(parse(&print(&design)).unwrap(), design);
        assert_eq!(validate(&design), Ok(()));
    }

    #[test]
    fn a_broken_line_is_named() {
        let cases = [
            ("%2 8 @1 add %0 %1", "%2 8 @1 add %0", "a net such as %3 is expected, not `=`"),
            ("input x 8", "input x", "a number is expected at the end"),
            ("%2 8", "%7 8", "`%7` is neither a keyword nor %2"),
            ("add", "plus", "`plus` is no cell"),
            ("none", "soft", "`soft` is no kind of reset"),
            ("output y 16 %6", "output y 16 %6 %7", "the line goes on"),
            ("const 1f", "const xyz", "a hexadecimal number is expected, not `xyz`"),
            ("\nend", "", "module `scale` has no `end`"),
            ("module scale", "modul scale", "a module is expected"),
        ];
        for (good, bad, message) in cases {
            let error = parse(&SCALE.replace(good, bad)).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
