//! Printing the text form; see [`super::text`] for the grammar.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::module::{Module, RegisterStyle, Reset, Voted};
use super::{NodeId, Op, ScopeId};
use crate::num::{Format, Interval};

/// The text form of `module` and of all modules below it.
pub fn print(module: &Module) -> String {
    let mut text = Vec::new();
    write(module, &mut text).expect("writing to memory does not fail");
    String::from_utf8(text).expect("the text form is UTF-8")
}

/// Writes the text form of `module` and of all modules below it, children first.
///
/// # Errors
/// Those of `out`.
pub fn write(module: &Module, out: &mut impl Write) -> io::Result<()> {
    let mut children: Vec<Arc<Module>> = Vec::new();
    let mut seen: FxHashSet<*const Module> = FxHashSet::default();
    for instance in &module.instances {
        if !seen.contains(&Arc::as_ptr(&instance.module)) {
            let found = instance.module.hierarchy();
            children.extend(found.into_iter().filter(|m| seen.insert(Arc::as_ptr(m))));
        }
    }
    let mut printer = Printer { out, numbers: FxHashMap::default() };
    for (k, child) in (0..).zip(&children) {
        printer.module(child, k)?;
        printer.numbers.insert(Arc::as_ptr(child), k);
        writeln!(printer.out)?;
    }
    printer.module(module, children.len())
}

struct Printer<'w, W> {
    out: &'w mut W,
    /// Numbers of the modules that are printed already.
    numbers: FxHashMap<*const Module, usize>,
}

impl<W: Write> Printer<'_, W> {
    fn module(&mut self, module: &Module, number: usize) -> io::Result<()> {
        writeln!(self.out, "module m{number} {} {{", Name(&module.name))?;
        if let Some(black_box) = &module.black_box {
            self.black_box(black_box)?;
        }
        self.ports(module)?;
        self.parts(module)?;
        for n in module.graph.nodes() {
            self.node(module, n)?;
        }
        self.connections(module)?;
        writeln!(self.out, "}}")
    }

    fn black_box(&mut self, black_box: &super::BlackBox) -> io::Result<()> {
        write!(self.out, "  blackbox")?;
        if let Some(clock) = &black_box.clock {
            write!(self.out, " clock {}", Name(clock))?;
        }
        writeln!(self.out)?;
        for (name, value) in &black_box.parameters {
            writeln!(self.out, "  parameter {} = {value}", Name(name))?;
        }
        for (name, format, stamp) in &black_box.outputs {
            writeln!(self.out, "  answer {} {stamp} : {}", Name(name), Exact(*format))?;
        }
        Ok(())
    }

    fn ports(&mut self, module: &Module) -> io::Result<()> {
        for port in &module.inputs {
            write!(self.out, "  input {} {} :", Name(&port.name), port.stamp)?;
            let formats = port.elements.iter().copied();
            self.list(formats.map(Exact))?;
        }
        Ok(())
    }

    /// What nodes refer to by number, behind what is said of the registers.
    fn parts(&mut self, module: &Module) -> io::Result<()> {
        match &module.voted {
            Voted::None => {}
            Voted::All => writeln!(self.out, "  voted all")?,
            Voted::Named(names) => {
                write!(self.out, "  voted :")?;
                self.list(names.iter().map(|name| Name(name)))?;
            }
        }
        for style in module.styles.iter().skip(1) {
            writeln!(self.out, "  style {}", Style(style))?;
        }
        for state in &module.states {
            let (name, style) = (Name(&state.name), Style(&state.style));
            writeln!(self.out, "  state {name} : {} {style}", state.range)?;
        }
        for memory in &module.memories {
            let (name, depth) = (Name(&memory.name), memory.depth);
            writeln!(self.out, "  memory {name} : {depth} x {}", memory.range)?;
        }
        for instance in &module.instances {
            let number = self.numbers[&Arc::as_ptr(&instance.module)];
            let name = Name(&instance.name);
            writeln!(self.out, "  instance {name} = m{number} {}", instance.start)?;
        }
        for t in 0..module.graph.table_count() {
            write!(self.out, "  table :")?;
            self.list(module.graph.table(t))?;
        }
        for scope in module.side.scope_paths.iter().skip(1) {
            writeln!(self.out, "  scope {}", Name(scope))?;
        }
        Ok(())
    }

    fn node(&mut self, module: &Module, n: NodeId) -> io::Result<()> {
        let graph = &module.graph;
        let op = graph.op(n);
        write!(self.out, "  %{} = {}", n.0, op.mnemonic())?;
        match op {
            Op::Const(k) => write!(self.out, " {}", graph.constant_value(k))?,
            Op::Input(k) | Op::State(k) | Op::Wire(k) => write!(self.out, " {k}")?,
            Op::Output(i, k) => write!(self.out, " {i} {k}")?,
            _ => op.operands().try_for_each(|a| write!(self.out, " %{}", a.0))?,
        }
        match op {
            Op::Shl(_, k) | Op::Shr(_, k) | Op::Table(_, k) | Op::Delay(_, k) | Op::Read(_, k) => {
                write!(self.out, " {k}")?;
            }
            Op::Concat(_, _, w) => write!(self.out, " {w}")?,
            Op::Wrap(_, w, signed) => {
                write!(self.out, " {}{w}", if signed { 's' } else { 'u' })?;
            }
            _ => {}
        }
        write!(self.out, " : {} {}", graph.range(n), graph.stamp(n))?;
        let scope = module.scope_of(n);
        if scope != ScopeId::default() {
            write!(self.out, " in {}", scope.0)?;
        }
        match module.name_of(n) {
            Some(name) => writeln!(self.out, " as {}", Name(name)),
            None => writeln!(self.out),
        }
    }

    /// What refers to nodes.
    fn connections(&mut self, module: &Module) -> io::Result<()> {
        for (k, style) in module.styles.iter().enumerate() {
            if let Some(enable) = style.enable {
                writeln!(self.out, "  enable {k} = %{}", enable.0)?;
            }
        }
        for (k, state) in module.states.iter().enumerate() {
            if let Some(next) = state.next {
                write!(self.out, "  next {k} = %{}", next.0)?;
                match state.style.enable {
                    Some(enable) => writeln!(self.out, " when %{}", enable.0)?,
                    None => writeln!(self.out)?,
                }
            }
        }
        for (k, memory) in module.memories.iter().enumerate() {
            if let Some(w) = memory.write {
                let (enable, address, data) = (w.enable.0, w.address.0, w.data.0);
                writeln!(self.out, "  write {k} = %{address} %{data} when %{enable}")?;
            }
        }
        for (k, instance) in module.instances.iter().enumerate() {
            write!(self.out, "  connect {k} :")?;
            self.list(instance.inputs.iter().map(|n| Node(*n)))?;
        }
        for port in &module.outputs {
            write!(self.out, "  output {} {} :", Name(&port.name), port.stamp)?;
            let elements = port.elements.iter();
            self.list(elements.map(|e| format!("{} {}", Node(e.node), Exact(e.format))))?;
        }
        Ok(())
    }

    fn list(&mut self, items: impl IntoIterator<Item = impl fmt::Display>) -> io::Result<()> {
        for (i, item) in items.into_iter().enumerate() {
            write!(self.out, "{} {item}", if i == 0 { "" } else { "," })?;
        }
        writeln!(self.out)
    }
}

struct Node(NodeId);

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0.0)
    }
}

/// A format with its exact range.
struct Exact(Format);

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Format { range, frac } = self.0;
        let range: Interval = range;
        write!(f, "{range} . {frac}")
    }
}

struct Style<'a>(&'a RegisterStyle);

impl fmt::Display for Style<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reset = match self.0.reset {
            Reset::None => "none",
            Reset::Synchronous => "sync",
            Reset::Asynchronous => "async",
        };
        write!(f, "{reset} {}", self.0.initial)
    }
}

/// A name, in quotes.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}
