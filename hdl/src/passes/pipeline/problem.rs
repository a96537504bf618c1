//! What is to be scheduled: the module without its pipeline registers, with the delays between its operators.

use super::Options;
use crate::dfg::{Module, NodeId, Op, Reset, Stamp};
use crate::diag::{Diagnostic, Diagnostics};
use crate::lower::net_widths;
use crate::passes::delay::{Arrival, DelayModel, EdgeDelay};

/// Where a node may be placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Belongs to no sample: constants, state registers, and what depends on nothing else.
    Timeless,
    /// Stays in its cycle: inputs, instances' outputs, and what feeds registers with feedback.
    Pinned(u32),
    /// To be placed.
    Free,
    /// A pipeline register, which is taken away: readers read its operand.
    Register,
}

/// An operand and the way from it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub from: NodeId,
    pub delay: EdgeDelay,
}

/// The scheduling problem. All vectors go by node.
pub(super) struct Problem<'a> {
    pub module: &'a Module,
    pub options: &'a Options,
    pub role: Vec<Role>,
    /// Bits that a register behind the node takes.
    pub width: Vec<u32>,
    /// Whether a timed output shows the node.
    pub is_output: Vec<bool>,
    first: Vec<u32>,
    edges: Vec<Edge>,
    first_reader: Vec<u32>,
    readers: Vec<(NodeId, EdgeDelay)>,
}

impl<'a> Problem<'a> {
    /// The problem of `module`, which holds no dead node.
    ///
    /// # Errors
    /// A pipeline register that may not be moved because it has a reset or an enable.
    pub fn new(module: &'a Module, model: &dyn DelayModel, options: &'a Options) -> Result<Self, Diagnostics> {
        let graph = &module.graph;
        let role = roles(module)?;
        let source = sources(module, &role);
        let mut readers = vec![0u32; graph.len()];
        for n in graph.nodes().filter(|n| role[n.index()] != Role::Register) {
            for a in graph.op(n).operands() {
                readers[source[a.index()].index()] += 1;
            }
        }
        let mut first = vec![0];
        let mut edges = Vec::new();
        for n in graph.nodes() {
            if role[n.index()] != Role::Register {
                edges.extend(graph.op(n).operands().enumerate().map(|(i, a)| Edge {
                    from: source[a.index()],
                    delay: if is_register(graph.op(n)) {
                        EdgeDelay::ZERO
                    } else {
                        let readers = readers[source[a.index()].index()];
                        model.delay_among(graph, n, i, readers)
                    },
                }));
            }
            first.push(edges.len() as u32);
        }
        let mut is_output = vec![false; graph.len()];
        for element in module.output_elements() {
            is_output[source[element.node.index()].index()] = true;
        }
        let mut problem = Self {
            module,
            options,
            role,
            width: net_widths(module),
            is_output,
            first,
            edges,
            first_reader: Vec::new(),
            readers: Vec::new(),
        };
        problem.index_readers();
        Ok(problem)
    }

    /// Operands of `n`, registers skipped.
    pub fn operands(&self, n: NodeId) -> &[Edge] {
        &self.edges[self.first[n.index()] as usize..self.first[n.index() + 1] as usize]
    }

    /// The free nodes that read `n`, once for each operand, and the delays to them.
    pub fn readers(&self, n: NodeId) -> &[(NodeId, EdgeDelay)] {
        let (from, to) = (self.first_reader[n.index()], self.first_reader[n.index() + 1]);
        &self.readers[from as usize..to as usize]
    }

    /// All nodes, operands first.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        self.module.graph.nodes()
    }

    /// Where `n` may be placed.
    pub fn role(&self, n: NodeId) -> Role {
        self.role[n.index()]
    }

    /// Whether `n` belongs to samples.
    pub fn is_timed(&self, n: NodeId) -> bool {
        matches!(self.role(n), Role::Free | Role::Pinned(_))
    }

    /// The earliest stage in which readers may use `n`, which is in stage `stage`.
    pub fn usable_from(&self, n: NodeId, stage: u32) -> u32 {
        let registered = self.options.register_inputs && matches!(self.module.graph.op(n), Op::Input(_));
        stage + u32::from(registered)
    }

    /// Stages from a node to the output that shows it.
    pub fn output_registers(&self) -> u32 {
        u32::from(self.options.register_outputs)
    }

    /// What follows a node in its stage where an output shows it unregistered.
    pub fn output_tail(&self) -> Arrival {
        Arrival::at(u64::from(self.options.output_delay))
    }

    /// When a source or a fed register settles in its own stage, before its operands are asked.
    pub fn source_arrival(&self, n: NodeId) -> Arrival {
        match self.module.graph.op(n) {
            Op::Input(_) => Arrival::at(u64::from(self.options.input_delay)),
            _ => Arrival::default(),
        }
    }

    fn index_readers(&mut self) {
        let mut count = vec![0u32; self.role.len() + 1];
        let free = |n: &NodeId| self.role[n.index()] == Role::Free;
        for n in self.nodes().filter(free) {
            for edge in self.operands(n) {
                count[edge.from.index() + 1] += 1;
            }
        }
        for i in 1..count.len() {
            count[i] += count[i - 1];
        }
        let mut place = count.clone();
        let mut readers = vec![(NodeId(0), EdgeDelay::ZERO); *count.last().unwrap_or(&0) as usize];
        for n in self.nodes().filter(free) {
            for edge in self.operands(n) {
                readers[place[edge.from.index()] as usize] = (n, edge.delay);
                place[edge.from.index()] += 1;
            }
        }
        self.first_reader = count;
        self.readers = readers;
    }
}

fn is_register(op: Op) -> bool {
    matches!(op, Op::Delay(..))
}

/// Nodes that feed something other than outputs keep their cycle, and so does all that they depend on.
fn roles(module: &Module) -> Result<Vec<Role>, Diagnostics> {
    let graph = &module.graph;
    let mut fixed = vec![false; graph.len()];
    let outputs: usize = module.output_elements().count();
    for n in module.roots().skip(outputs) {
        fixed[n.index()] = true;
    }
    for n in graph.nodes().rev() {
        if fixed[n.index()] || matches!(graph.op(n), Op::Read(..)) {
            fixed[n.index()] = true;
            graph.op(n).operands().for_each(|a| fixed[a.index()] = true);
        }
    }
    graph
        .nodes()
        .map(|n| match (graph.op(n), graph.stamp(n).cycle()) {
            (_, None) => Ok(Role::Timeless),
            (Op::Input(_) | Op::Output(..), Some(cycle)) => Ok(Role::Pinned(cycle)),
            (_, Some(cycle)) if fixed[n.index()] => Ok(Role::Pinned(cycle)),
            (Op::Delay(_, style), Some(_)) => {
                let style = &module.styles[style as usize];
                if style.reset == Reset::None && style.enable.is_none() {
                    Ok(Role::Register)
                } else {
                    Err(immovable(module, n).into())
                }
            }
            _ => Ok(Role::Free),
        })
        .collect()
}

fn immovable(module: &Module, n: NodeId) -> Diagnostic {
    Diagnostic::error("immovable-register", "a register with a reset or an enable cannot be moved")
        .label(module.place_of(n), "made here")
        .help("build the data path without registers, or keep the stages that it has")
}

/// The node that stands behind each one once the pipeline registers are gone.
fn sources(module: &Module, role: &[Role]) -> Vec<NodeId> {
    let mut source: Vec<NodeId> = module.graph.nodes().collect();
    for n in module.graph.nodes() {
        if let (Role::Register, Op::Delay(a, _)) = (role[n.index()], module.graph.op(n)) {
            source[n.index()] = source[a.index()];
        }
    }
    source
}

/// The module with every node in its stage, and all its outputs in cycle `latency`.
pub(super) fn retimed(problem: &Problem<'_>, stage: &[u32], latency: u32) -> Result<Module, Diagnostics> {
    let module = problem.module;
    let mut rewriter = crate::dfg::Rewriter::new(module);
    for n in problem.nodes() {
        let new = match (problem.role(n), module.graph.op(n)) {
            (Role::Register, Op::Delay(a, _)) => Ok(rewriter.get(a)),
            (Role::Free, _) => rewriter.copy_at(n, Stamp::at(stage[n.index()])),
            _ => rewriter.copy(n),
        };
        let new = new.map_err(|e| Diagnostics::from(Diagnostic::bug("retime", e.to_string())))?;
        rewriter.set(n, new);
    }
    rewriter.set_outputs_at(Stamp::at(latency));
    Ok(rewriter.finish())
}
