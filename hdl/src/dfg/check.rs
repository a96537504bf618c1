//! The invariants of a finished module, numbered; each is checked by the code below its number.

use super::builder::undriven;
use super::rewrite::Live;
use super::{Module, NodeId, Op, Stamp};
use crate::diag::Diagnostic;
use crate::num::Interval;

/// Everything that is wrong with `module`, and warnings for what looks unintended.
pub fn check(module: &Module) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    order(module, &mut found);
    stamps(module, &mut found);
    driven(module, &mut found);
    outputs(module, &mut found);
    connections(module, &mut found);
    unused_inputs(module, &mut found);
    found
}

/// 1. A node stands after its operands, an instance's output after the instance's inputs, and neither forward
///    references nor twins are left.
fn order(module: &Module, found: &mut Vec<Diagnostic>) {
    let last_inputs: Vec<Option<NodeId>> = module.instances.iter().map(|i| i.inputs.iter().copied().max()).collect();
    for n in module.graph.nodes() {
        let op = module.graph.op(n);
        let input = match op {
            Op::Output(i, _) => last_inputs[i as usize],
            _ => None,
        };
        let early = op.operands().chain(input).any(|a| a >= n);
        if early || matches!(op, Op::Wire(_) | Op::Same(..)) {
            found.push(Diagnostic::bug("node-order", format!("node {} precedes its operand", n.0)));
        }
    }
}

/// 2. The operands of a combinational node belong to one cycle, and a delay adds exactly one.
fn stamps(module: &Module, found: &mut Vec<Diagnostic>) {
    let graph = &module.graph;
    for n in graph.nodes() {
        let joined = graph.op(n).operands().try_fold(Stamp::TIMELESS, |stamp, a| stamp.join(graph.stamp(a)));
        let expected = match graph.op(n) {
            Op::Input(_) | Op::Output(..) | Op::State(_) => continue,
            Op::Delay(..) => joined.map(|stamp| stamp.later(1)),
            _ => joined,
        };
        if expected != Some(graph.stamp(n)) {
            let message = format!("node {} is stamped {} against its operands", n.0, graph.stamp(n));
            found.push(Diagnostic::bug("cycle-stamp", message).label(module.place_of(n), "made here"));
        }
    }
}

/// 3. Every state register has a next value, and every register file a write port.
fn driven(module: &Module, found: &mut Vec<Diagnostic>) {
    let states = module.states.iter().filter(|s| s.next.is_none()).map(|s| ("register", &s.name, "set` or `set_next"));
    let memories = module.memories.iter().filter(|m| m.write.is_none()).map(|m| ("register file", &m.name, "write"));
    for (what, name, method) in states.chain(memories) {
        found.push(undriven(what, name, method));
    }
}

/// 4. An output covers its driver's range, and belongs to its driver's cycle.
fn outputs(module: &Module, found: &mut Vec<Diagnostic>) {
    for port in &module.outputs {
        for element in &port.elements {
            let (range, stamp) = (module.graph.range(element.node), module.graph.stamp(element.node));
            if !element.format.range.covers(range) || stamp.join(port.stamp) != Some(port.stamp) {
                let message =
                    format!("output `{}` is {} {}, its driver {range} {stamp}", port.name, element.format, port.stamp);
                found.push(Diagnostic::bug("output-format", message));
            }
        }
    }
}

/// 5. What is loaded, written or handed to an instance stays in the range, and an instance's inputs in the cycles, that
///    were declared; addresses stay inside their register file.
fn connections(module: &Module, found: &mut Vec<Diagnostic>) {
    let graph = &module.graph;
    let mut covered = |what: &str, declared: Interval, n: NodeId| {
        let range = graph.range(n);
        if !declared.covers(range) {
            let message = format!("{what} holds {declared}, node {} is {range}", n.0);
            found.push(Diagnostic::bug("range", message).label(module.place_of(n), "made here"));
        }
    };
    for state in &module.states {
        if let Some(next) = state.next {
            covered(&format!("register `{}`", state.name), state.range, next);
        }
    }
    let addresses = |depth: u32| Interval::new(0, i128::from(depth.max(1)) - 1).expect("a 32-bit number is in range");
    for memory in &module.memories {
        if let Some(write) = memory.write {
            let name = format!("register file `{}`", memory.name);
            covered(&name, memory.range, write.data);
            covered(&format!("address of {name}"), addresses(memory.depth), write.address);
        }
    }
    for n in graph.nodes() {
        if let Op::Read(a, m) = graph.op(n) {
            let memory = &module.memories[m as usize];
            let name = format!("address of register file `{}`", memory.name);
            covered(&name, addresses(memory.depth), a);
        }
    }
    for instance in &module.instances {
        for (format, &n) in instance.module.input_formats().zip(&instance.inputs) {
            covered(&format!("input of `{}`", instance.name), format.range, n);
        }
    }
    instance_cycles(module, found);
}

fn instance_cycles(module: &Module, found: &mut Vec<Diagnostic>) {
    for instance in &module.instances {
        let ports = instance.module.inputs.iter();
        let wanted = ports.flat_map(|p| p.elements.iter().map(|_| p.stamp));
        for (wanted, &n) in wanted.zip(&instance.inputs) {
            let due = wanted.cycle().map_or(Stamp::TIMELESS, |cycle| instance.start.later(cycle));
            let stamp = module.graph.stamp(n);
            if stamp.join(due).is_none() {
                let message = format!("`{}` wants node {} {due}, not {stamp}", instance.name, n.0);
                let bug = Diagnostic::bug("instance-cycle", message);
                found.push(bug.label(module.place_of(n), "made here"));
            }
        }
    }
}

/// 6. Every input is read; a warning, since a sparse network may well ignore one.
fn unused_inputs(module: &Module, found: &mut Vec<Diagnostic>) {
    if module.black_box.is_some() {
        return;
    }
    let live = Live::of(module).nodes;
    let mut used = vec![false; module.input_count()];
    let mut places = vec![None; module.input_count()];
    for n in module.graph.nodes() {
        if let Op::Input(k) = module.graph.op(n) {
            used[k as usize] |= live[n.index()];
            places[k as usize] = module.place_of(n);
        }
    }
    for port in &module.inputs {
        for i in 0..port.elements.len() {
            let k = port.first as usize + i;
            if used[k] {
                continue;
            }
            let element = if port.elements.len() > 1 { format!("[{i}]") } else { String::new() };
            let message = format!("input `{}{element}` is never read", port.name);
            let warning = Diagnostic::warning("unused-input", message);
            found.push(match places[k] {
                Some(place) => warning.label(Some(place), "declared here"),
                None => warning,
            });
        }
    }
}
