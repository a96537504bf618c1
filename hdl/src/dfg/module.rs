//! A module: a graph of nodes with ports, registers, register files and instances of other modules.

use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::side::SideTables;
use super::{Graph, NodeId, Op, Stamp};
use crate::num::{Format, Interval};

/// How a register starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Reset {
    /// Holds an unknown value until it is first loaded.
    #[default]
    None,
    /// Takes its initial value at a clock edge while `rst` is 1.
    Synchronous,
    /// Takes its initial value as soon as `rst` is 1.
    Asynchronous,
}

/// What else a register does besides loading its operand at each rising edge of `clk`, in order of precedence:
///
/// 1. while `rst` is 1 it takes `initial` (unless `reset` is [`Reset::None`]);
/// 2. while `enable` is there and 0 it keeps its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RegisterStyle {
    /// How it starts.
    pub reset: Reset,
    /// The value under reset.
    pub initial: i128,
    /// Loads only while this is 1.
    pub enable: Option<NodeId>,
}

/// An input port: elements of one or several formats side by side on one bus, element 0 at the least significant end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Name in Verilog.
    pub name: String,
    /// Format of each element.
    pub elements: Vec<Format>,
    /// Input index of element 0.
    pub first: u32,
    /// When the elements are there.
    pub stamp: Stamp,
}

/// One element of an output port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputElement {
    /// The node that drives it.
    pub node: NodeId,
    /// What the port promises; covers the node's range.
    pub format: Format,
}

/// An output port, packed like an input port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPort {
    /// Name in Verilog.
    pub name: String,
    /// The elements, least significant first.
    pub elements: Vec<OutputElement>,
    /// When the elements are there.
    pub stamp: Stamp,
}

/// A register whose next value may depend on itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Name in Verilog.
    pub name: String,
    /// Which integers it can hold.
    pub range: Interval,
    /// Loaded at each clock edge; `None` only under construction.
    pub next: Option<NodeId>,
    /// Reset and enable.
    pub style: RegisterStyle,
}

/// The write port of a register file: word `address` becomes `data` at a clock edge while `enable` is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryWrite {
    /// 1 to write.
    pub enable: NodeId,
    /// Which word.
    pub address: NodeId,
    /// New content.
    pub data: NodeId,
}

/// A register file with one synchronous write port and any number of combinational read ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Name in Verilog.
    pub name: String,
    /// Words.
    pub depth: u32,
    /// Which integers a word can hold.
    pub range: Interval,
    /// The write port; `None` only under construction.
    pub write: Option<MemoryWrite>,
}

/// A module inside a module.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Name in Verilog.
    pub name: String,
    /// What it is a copy of.
    pub module: Arc<Module>,
    /// One node for each element of the module's inputs.
    pub inputs: Vec<NodeId>,
    /// The cycle in this module that is cycle 0 in there; timeless if nothing timed goes in.
    pub start: Stamp,
}

/// A module of which only the interface is known: a library cell, a memory macro, imported Verilog.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlackBox {
    /// Name of the clock port, if there is one.
    pub clock: Option<String>,
    /// Names and formats of the outputs, with the cycle in which they answer inputs of cycle 0.
    pub outputs: Vec<(String, Format, Stamp)>,
    /// Parameter overrides, printed as they are.
    pub parameters: Vec<(String, i128)>,
}

/// A scope: the place in the network that a node belongs to, as a dotted path such as `conv.p3.f1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ScopeId(pub u32);

/// Which registers of a module stand three times in hardware, with a majority voter behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Voted {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those that Verilog calls so.
    Named(BTreeSet<String>),
}

impl Voted {
    /// Whether the register that Verilog calls `name` stands three times.
    pub fn holds(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }
}

/// A finished design unit.
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// Name in Verilog.
    pub name: String,
    /// All nodes.
    pub graph: Graph,
    /// Input ports.
    pub inputs: Vec<Port>,
    /// Output ports.
    pub outputs: Vec<OutputPort>,
    /// Register styles; entry 0 is the plain register.
    pub styles: Vec<RegisterStyle>,
    /// Registers with feedback.
    pub states: Vec<State>,
    /// Register files.
    pub memories: Vec<Memory>,
    /// Modules inside.
    pub instances: Vec<Instance>,
    /// Set if only the interface is known.
    pub black_box: Option<BlackBox>,
    /// Registers that stand three times in hardware; values are the same.
    pub voted: Voted,
    /// The same ports, cycles and values for simulation, where that takes fewer operators; see [`behaviour`](super::behaviour).
    pub twin: Option<Arc<Module>>,
    pub(crate) side: SideTables,
}

impl Module {
    /// An empty module of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            styles: vec![RegisterStyle::default()],
            side: SideTables { scope_paths: vec![String::new()], ..SideTables::default() },
            ..Self::default()
        }
    }

    /// Number of input elements over all ports.
    pub fn input_count(&self) -> usize {
        self.inputs.iter().map(|p| p.elements.len()).sum()
    }

    /// Formats of all input elements, in input order.
    pub fn input_formats(&self) -> impl Iterator<Item = Format> + '_ {
        self.inputs.iter().flat_map(|p| p.elements.iter().copied())
    }

    /// All output elements, in order.
    pub fn output_elements(&self) -> impl Iterator<Item = OutputElement> + '_ {
        self.outputs.iter().flat_map(|p| p.elements.iter().copied())
    }

    /// Formats and stamps of all output elements, in order; a black box's too.
    pub fn output_formats(&self) -> Vec<(Format, Stamp)> {
        match &self.black_box {
            Some(black_box) => black_box.outputs.iter().map(|(_, format, stamp)| (*format, *stamp)).collect(),
            None => self.outputs.iter().flat_map(|p| p.elements.iter().map(move |e| (e.format, p.stamp))).collect(),
        }
    }

    /// Cycles from the first input to the last output.
    pub fn latency(&self) -> u32 {
        self.output_formats().iter().filter_map(|(_, stamp)| stamp.cycle()).max().unwrap_or(0)
    }

    /// Whether anything in here or below waits for the clock.
    pub fn is_sequential(&self) -> bool {
        self.below().into_iter().any(Self::has_registers)
    }

    /// Whether anything in here or below listens to `rst`.
    pub fn has_reset(&self) -> bool {
        let resets = |style: &RegisterStyle| style.reset != Reset::None;
        self.below().into_iter().any(|m| m.styles.iter().any(resets) || m.states.iter().any(|s| resets(&s.style)))
    }

    fn has_registers(&self) -> bool {
        self.black_box.as_ref().is_some_and(|b| b.clock.is_some())
            || !self.states.is_empty()
            || !self.memories.is_empty()
            || self.graph.nodes().any(|n| matches!(self.graph.op(n), Op::Delay(..)))
    }

    /// This module and all below it, each once: visiting every instance would take time exponential in the depth.
    fn below(&self) -> Vec<&Self> {
        let mut found = vec![self];
        let mut seen = FxHashSet::default();
        let mut next = 0;
        while let Some(module) = found.get(next).copied() {
            let children = module.instances.iter().map(|i| &*i.module);
            found.extend(children.filter(|&m| seen.insert(std::ptr::from_ref(m))));
            next += 1;
        }
        found
    }

    /// The name that the author gave to `n`.
    pub fn name_of(&self, n: NodeId) -> Option<&str> {
        self.side.names.get(&n).map(String::as_str)
    }

    /// Where `n` was made.
    pub fn place_of(&self, n: NodeId) -> Option<&'static Location<'static>> {
        self.side.places.get(n)
    }

    /// The scope that `n` belongs to.
    pub fn scope_of(&self, n: NodeId) -> ScopeId {
        self.side.scopes.get(n.index()).copied().unwrap_or_default()
    }

    /// The path of a scope; empty for the module itself.
    pub fn scope_path(&self, scope: ScopeId) -> &str {
        self.side.scope_paths.get(scope.0 as usize).map_or("", String::as_str)
    }

    /// The paths of all scopes; the first is the module itself and empty.
    pub fn scope_paths(&self) -> &[String] {
        &self.side.scope_paths
    }

    /// What `n` holds before the first clock edge, if it is a register: its initial value where there is a reset.
    ///
    /// Without reset the content is unknown; evaluators start at the value of its range nearest to 0.
    pub fn start_value(&self, n: NodeId, style: u32) -> i128 {
        let style = &self.styles[style as usize];
        let range = self.graph.range(n);
        match style.reset {
            Reset::None => 0i128.clamp(range.lo(), range.hi()),
            _ => style.initial,
        }
    }

    /// Nodes that something besides other nodes reads: outputs, next states, write ports, instance inputs, enables.
    pub fn roots(&self) -> impl Iterator<Item = NodeId> + '_ {
        let states = self.states.iter().flat_map(|s| s.next.into_iter().chain(s.style.enable));
        let writes = self.memories.iter().filter_map(|m| m.write).flat_map(|w| [w.enable, w.address, w.data]);
        self.output_elements()
            .map(|e| e.node)
            .chain(states)
            .chain(writes)
            .chain(self.instances.iter().flat_map(|i| i.inputs.iter().copied()))
            .chain(self.styles.iter().filter_map(|s| s.enable))
    }

    /// This module and all below it, each once, children first.
    pub fn hierarchy(self: &Arc<Self>) -> Vec<Arc<Self>> {
        fn visit(module: &Arc<Module>, seen: &mut FxHashSet<*const Module>, found: &mut Vec<Arc<Module>>) {
            if seen.insert(Arc::as_ptr(module)) {
                module.instances.iter().for_each(|instance| visit(&instance.module, seen, found));
                found.push(Arc::clone(module));
            }
        }
        let mut found = Vec::new();
        visit(self, &mut FxHashSet::default(), &mut found);
        found
    }
}
