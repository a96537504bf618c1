//! When every node settles in its cycle, and the path that settles last.

use super::fan_out;
use crate::dfg::{Module, NodeId, Op};
use crate::passes::delay::{Arrival, DelayModel};

/// The times of a module's nodes, counted from the clock edge that begins their cycle.
///
/// Registers, constants and outputs of instances settle at once.
pub struct Timing<'a> {
    module: &'a Module,
    model: &'a dyn DelayModel,
    readers: Vec<u32>,
    arrival: Vec<Arrival>,
}

/// One end of a value's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Low,
    High,
}

impl<'a> Timing<'a> {
    /// The times under `model`; inputs settle `input_delay` picoseconds after the clock edge of their cycle.
    pub fn of(module: &'a Module, model: &'a dyn DelayModel, input_delay: u32) -> Self {
        let graph = &module.graph;
        let readers = fan_out(module);
        let mut arrival = vec![Arrival::default(); graph.len()];
        for n in graph.nodes() {
            arrival[n.index()] = match graph.op(n) {
                Op::Input(_) => Arrival::at(u64::from(input_delay)),
                Op::Delay(..) => Arrival::default(),
                op => op.operands().enumerate().fold(Arrival::default(), |all, (i, a)| {
                    let delay = model.delay_among(graph, n, i, readers[a.index()]);
                    all.join(arrival[a.index()].through(delay))
                }),
            };
        }
        Self { module, model, readers, arrival }
    }

    /// When `n` settles.
    pub fn arrival(&self, n: NodeId) -> Arrival {
        self.arrival[n.index()]
    }

    /// The longest time that anything takes to settle, in picoseconds.
    pub fn longest(&self) -> u64 {
        self.arrival.iter().map(|a| a.last()).max().unwrap_or(0)
    }

    /// The nodes of a path that settles last, from a register or port to its end; empty if nothing takes time.
    pub fn critical_path(&self) -> Vec<NodeId> {
        let last = |n: &NodeId| self.arrival(*n).last();
        let nodes = self.module.graph.nodes();
        // of equally late nodes the first ends the path
        let Some(worst) = nodes.rev().max_by_key(last).filter(|n| last(n) > 0) else {
            return Vec::new();
        };
        let arrival = self.arrival(worst);
        let mut step = Some((worst, if arrival.high >= arrival.low { End::High } else { End::Low }));
        let mut path = Vec::new();
        while let Some((n, end)) = step {
            path.push(n);
            step = self.cause(n, end);
        }
        path.reverse();
        path
    }

    /// The operand that `end` of `n` waits for, and which end of it.
    fn cause(&self, n: NodeId, end: End) -> Option<(NodeId, End)> {
        let graph = &self.module.graph;
        if matches!(graph.op(n), Op::Delay(..)) {
            return None;
        }
        let own = self.arrival(n);
        graph.op(n).operands().enumerate().find_map(|(i, a)| {
            let readers = self.readers[a.index()];
            let operand = self.arrival(a);
            let delay = self.model.delay_among(graph, n, i, readers);
            let signed = |time: u32| Some(time.cast_signed());
            let (low, high, time) = match end {
                End::Low => (signed(delay.low_to_low), delay.high_to_low, own.low),
                End::High => (signed(delay.low_to_high), signed(delay.high_to_high), own.high),
            };
            let explains = |start: u64, delay: Option<i32>| {
                graph.as_constant(a).is_none() && delay.is_some_and(|d| start.saturating_add_signed(d.into()) == time)
            };
            if explains(operand.high, high) {
                Some((a, End::High))
            } else {
                explains(operand.low, low).then_some((a, End::Low))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::ModuleBuilder;
    use crate::num::Format;
    use crate::passes::delay::UnitDelay;

    #[test]
    fn the_longest_path_is_found() {
        let m = ModuleBuilder::new("path");
        let x = m.input("x", Format::unsigned(4, 0).unwrap());
        let y = m.input("y", Format::unsigned(4, 0).unwrap());
        let sum = (x + y).named("sum");
        let product = (sum * y).named("product");
        m.output("z", product);
        m.output("w", x.delay(1) - y.delay(1));
        let module = m.finish().unwrap();
        let timing = Timing::of(&module, &UnitDelay, 100);
        assert_eq!(timing.longest(), 2100);
        let path = timing.critical_path();
        let names: Vec<_> = path.iter().filter_map(|n| module.name_of(*n)).collect();
        assert_eq!(names, ["sum", "product"]);
        assert_eq!(path.len(), 3);
    }
}
