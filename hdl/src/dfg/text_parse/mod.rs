//! Parsing the text form; see [`super::text`] for the grammar.
//!
//! What the constructor of a node derives, the text repeats; a difference is an error, so that neither a slip of an
//! editor nor a change of the rules goes unseen. Memory and time are linear in the length of the text.

mod node;

use std::collections::HashSet;
use std::sync::Arc;

use super::module::{
    BlackBox, Instance, Memory, MemoryWrite, Module, OutputElement, OutputPort, Port, RegisterStyle, Reset, ScopeId,
    State, Voted,
};
use super::text_lex::{At, Lexer, Token};
use super::{NodeId, Stamp, check};
use crate::diag::{Diagnostic, Diagnostics, Level};
use crate::names;
use crate::num::{Format, Interval};
use node::in_bounds;

/// Modules inside each other; more would overflow the stack of what walks a hierarchy.
const DEEPEST: usize = 200;

/// Words of a register file; an evaluator holds them all.
const MOST_WORDS: u32 = 1 << 24;

/// The modules of `text`, in their order.
///
/// # Errors
/// `text-form`, with line and column of the first place that is wrong.
pub fn parse(text: &str) -> Result<Vec<Arc<Module>>, Diagnostics> {
    let mut parser = Parser {
        lexer: Lexer::new(text),
        modules: Vec::new(),
        depths: Vec::new(),
        deepest: 0,
        module: Module::default(),
        names: HashSet::new(),
    };
    while parser.lexer.peek()?.0 != Token::End {
        parser.module()?;
    }
    Ok(parser.modules)
}

type Parsed<T> = Result<T, Diagnostics>;

struct Parser<'t> {
    lexer: Lexer<'t>,
    modules: Vec<Arc<Module>>,
    /// Levels of hierarchy in each module.
    depths: Vec<usize>,
    /// Most levels in an instance of the module that is being read.
    deepest: usize,
    /// The one that is being read.
    module: Module,
    /// Names that its ports have.
    names: HashSet<String>,
}

impl Parser<'_> {
    fn module(&mut self) -> Parsed<()> {
        self.lexer.keyword("module")?;
        let (number, at) = self.lexer.numbered('m')?;
        if number as usize != self.modules.len() {
            return Err(at.error(format!("this is module m{}", self.modules.len())));
        }
        let name = self.identifier()?;
        self.module = Module::new(name);
        self.names.clear();
        self.lexer.punctuation('{')?;
        loop {
            match self.lexer.next()? {
                (Token::Word(word), at) => self.line(word, at)?,
                (Token::Punctuation('%'), at) => self.node(at)?,
                (Token::Punctuation('}'), at) => return self.finish(at),
                (_, at) => return Err(at.error("a line of a module is wanted")),
            }
        }
    }

    fn finish(&mut self, at: At) -> Parsed<()> {
        let mut module = std::mem::take(&mut self.module);
        let len = module.graph.len();
        module.side.scopes.resize(len, ScopeId::default());
        for n in module.roots() {
            in_bounds(n, len, at)?;
        }
        if let Some(i) = module.instances.iter().find(|i| i.inputs.len() != i.module.input_count()) {
            let wanted = i.module.input_count();
            return Err(at.error(format!("instance `{}` wants {wanted} inputs", i.name)));
        }
        let broken = check(&module).into_iter().find(|d| d.level != Level::Warning);
        if let Some(broken) = broken {
            return Err(at.error(broken.message));
        }
        let depth = 1 + std::mem::take(&mut self.deepest);
        if depth > DEEPEST {
            return Err(at.error(format!("more than {DEEPEST} modules inside each other")));
        }
        self.depths.push(depth);
        self.modules.push(Arc::new(module));
        Ok(())
    }

    fn line(&mut self, word: &str, at: At) -> Parsed<()> {
        match word {
            "blackbox" => self.black_box(at),
            "parameter" => self.parameter(at),
            "answer" => self.answer(at),
            "input" => self.input(),
            "voted" => self.voted(),
            "style" => self.style(),
            "state" => self.state(),
            "memory" => self.memory(),
            "instance" => self.instance(),
            "table" => self.table(),
            "scope" => self.scope(),
            "enable" => self.enable(),
            "next" => self.next_value(),
            "write" => self.memory_write(),
            "connect" => self.connect(),
            "output" => self.output(),
            _ => Err(at.error(format!("no line begins with {}", names::quoted(word)))),
        }
    }

    fn black_box(&mut self, at: At) -> Parsed<()> {
        if self.module.black_box.is_some() {
            return Err(at.error("this is said already"));
        }
        let clock = match self.lexer.optional("clock")? {
            true => Some(self.identifier()?),
            false => None,
        };
        self.module.black_box = Some(BlackBox { clock, ..BlackBox::default() });
        Ok(())
    }

    fn parameter(&mut self, at: At) -> Parsed<()> {
        let name = self.identifier()?;
        self.lexer.punctuation('=')?;
        let value = self.lexer.number()?.0;
        self.as_black_box(at)?.parameters.push((name, value));
        Ok(())
    }

    fn answer(&mut self, at: At) -> Parsed<()> {
        let name = self.port_name()?;
        let stamp = self.stamp()?;
        self.lexer.punctuation(':')?;
        let format = self.format()?;
        self.as_black_box(at)?.outputs.push((name, format, stamp));
        Ok(())
    }

    fn as_black_box(&mut self, at: At) -> Parsed<&mut BlackBox> {
        let black_box = self.module.black_box.as_mut();
        black_box.ok_or_else(|| at.error("only a `blackbox` has that"))
    }

    fn input(&mut self) -> Parsed<()> {
        let name = self.port_name()?;
        let stamp = self.stamp()?;
        let elements = self.list(Self::format)?;
        let first = match self.module.inputs.last() {
            Some(port) => port.first + port.elements.len() as u32,
            None => 0,
        };
        self.module.inputs.push(Port { name, elements, first, stamp });
        Ok(())
    }

    fn voted(&mut self) -> Parsed<()> {
        self.module.voted = match self.lexer.optional("all")? {
            true => Voted::All,
            false => Voted::Named(self.list(Self::identifier)?.into_iter().collect()),
        };
        Ok(())
    }

    fn style(&mut self) -> Parsed<()> {
        let style = self.reset_and_initial()?.0;
        self.module.styles.push(style);
        Ok(())
    }

    fn reset_and_initial(&mut self) -> Parsed<(RegisterStyle, At)> {
        let (word, at) = self.lexer.word()?;
        let reset = match word {
            "none" => Reset::None,
            "sync" => Reset::Synchronous,
            "async" => Reset::Asynchronous,
            _ => return Err(at.error("`none`, `sync` or `async` is wanted")),
        };
        let (initial, at) = self.lexer.number()?;
        Interval::point(initial).map_err(|e| at.error(e.to_string()))?;
        let style = RegisterStyle { reset, initial, enable: None };
        Ok((style, at))
    }

    fn state(&mut self) -> Parsed<()> {
        let name = self.identifier()?;
        self.lexer.punctuation(':')?;
        let range = self.range()?;
        let (style, at) = self.reset_and_initial()?;
        if !range.contains(style.initial) {
            return Err(at.error(format!("this is not in {range}")));
        }
        self.module.states.push(State { name, range, next: None, style });
        Ok(())
    }

    fn memory(&mut self) -> Parsed<()> {
        let name = self.identifier()?;
        self.lexer.punctuation(':')?;
        let (depth, at) = self.lexer.index()?;
        if depth > MOST_WORDS {
            return Err(at.error(format!("a register file has at most {MOST_WORDS} words")));
        }
        if depth == 0 {
            return Err(at.error("a register file has words"));
        }
        self.lexer.keyword("x")?;
        let (_, at) = self.lexer.peek()?;
        let range = self.range()?;
        if !range.contains(0) {
            return Err(at.error("a word that was never written is 0"));
        }
        self.module.memories.push(Memory { name, depth, range, write: None });
        Ok(())
    }

    fn instance(&mut self) -> Parsed<()> {
        let name = self.identifier()?;
        self.lexer.punctuation('=')?;
        let (number, at) = self.lexer.numbered('m')?;
        let module = self.modules.get(number as usize).cloned();
        let module = module.ok_or_else(|| at.error("there is no such module above"))?;
        self.deepest = self.deepest.max(self.depths[number as usize]);
        let start = self.stamp()?;
        self.module.instances.push(Instance { name, module, inputs: Vec::new(), start });
        Ok(())
    }

    fn table(&mut self) -> Parsed<()> {
        let (_, at) = self.lexer.peek()?;
        let values = self.list(|p| Ok(p.lexer.number()?.0))?;
        let count = self.module.graph.table_count();
        if self.module.graph.add_table(values) != count {
            return Err(at.error("this table is there already"));
        }
        Ok(())
    }

    fn scope(&mut self) -> Parsed<()> {
        let path = self.lexer.string()?.0;
        self.module.side.scope_paths.push(path);
        Ok(())
    }

    fn enable(&mut self) -> Parsed<()> {
        let k = self.part(self.module.styles.len())?;
        self.lexer.punctuation('=')?;
        let enable = self.operand()?.0;
        self.module.styles[k].enable = Some(enable);
        Ok(())
    }

    fn next_value(&mut self) -> Parsed<()> {
        let k = self.part(self.module.states.len())?;
        self.lexer.punctuation('=')?;
        let next = self.operand()?.0;
        let enable = match self.lexer.optional("when")? {
            true => Some(self.operand()?.0),
            false => None,
        };
        let state = &mut self.module.states[k];
        state.next = Some(next);
        state.style.enable = enable;
        Ok(())
    }

    fn memory_write(&mut self) -> Parsed<()> {
        let k = self.part(self.module.memories.len())?;
        self.lexer.punctuation('=')?;
        let (address, data) = (self.operand()?.0, self.operand()?.0);
        self.lexer.keyword("when")?;
        let enable = self.operand()?.0;
        self.module.memories[k].write = Some(MemoryWrite { enable, address, data });
        Ok(())
    }

    fn connect(&mut self) -> Parsed<()> {
        let k = self.part(self.module.instances.len())?;
        self.module.instances[k].inputs = self.list(|p| Ok(p.operand()?.0))?;
        Ok(())
    }

    fn output(&mut self) -> Parsed<()> {
        let name = self.port_name()?;
        let stamp = self.stamp()?;
        let elements = self.list(|p| {
            let node = p.operand()?.0;
            let format = p.format()?;
            Ok(OutputElement { node, format })
        })?;
        self.module.outputs.push(OutputPort { name, elements, stamp });
        Ok(())
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parsed<T>) -> Parsed<Vec<T>> {
        self.lexer.punctuation(':')?;
        let mut items = Vec::new();
        let begins = matches!(self.lexer.peek()?.0, Token::Number(_) | Token::Text(_) | Token::Punctuation('%' | '['));
        if !begins {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.lexer.peek()?.0 != Token::Punctuation(',') {
                return Ok(items);
            }
            self.lexer.next()?;
        }
    }

    /// A number below `count`.
    fn part(&mut self, count: usize) -> Parsed<usize> {
        let (k, at) = self.lexer.index()?;
        if (k as usize) < count { Ok(k as usize) } else { Err(at.error(format!("there are only {count} of these"))) }
    }

    fn operand(&mut self) -> Parsed<(NodeId, At)> {
        self.lexer.punctuation('%')?;
        let (n, at) = self.lexer.index()?;
        Ok((NodeId(n), at))
    }

    fn range(&mut self) -> Parsed<Interval> {
        self.lexer.punctuation('[')?;
        let (lo, at) = self.lexer.number()?;
        self.lexer.punctuation(',')?;
        let hi = self.lexer.number()?.0;
        self.lexer.punctuation(']')?;
        Interval::new(lo, hi).map_err(|_| at.error("this range is empty or too wide"))
    }

    fn format(&mut self) -> Parsed<Format> {
        let range = self.range()?;
        self.lexer.punctuation('.')?;
        let (frac, at) = self.lexer.number()?;
        let frac = i32::try_from(frac).ok().filter(|f| f.abs() <= 1 << 20);
        let frac = frac.ok_or_else(|| at.error("this is too many fraction bits"))?;
        Ok(Format { range, frac })
    }

    fn stamp(&mut self) -> Parsed<Stamp> {
        self.lexer.punctuation('@')?;
        if self.lexer.optional("any")? {
            return Ok(Stamp::TIMELESS);
        }
        Ok(Stamp::at(self.lexer.index()?.0))
    }

    fn identifier(&mut self) -> Parsed<String> {
        let (name, at) = self.lexer.string()?;
        match names::check_identifier(&name) {
            Ok(()) => Ok(name),
            Err(reason) => Err(at.error(format!("name {}: {reason}", names::quoted(&name)))),
        }
    }

    fn port_name(&mut self) -> Parsed<String> {
        let (_, at) = self.lexer.peek()?;
        let name = self.identifier()?;
        if matches!(name.as_str(), "clk" | "rst") || !self.names.insert(name.clone()) {
            return Err(at.error(format!("there already is a port `{name}`")));
        }
        Ok(name)
    }
}

impl At {
    /// The error of what stands here.
    pub(super) fn error(self, message: impl Into<String>) -> Diagnostics {
        let mut diagnostic = Diagnostic::error("text-form", message);
        diagnostic
            .labels
            .push(crate::diag::Label { place: Some(format!("{}:{}", self.line, self.column)), text: "here".into() });
        diagnostic.into()
    }
}
