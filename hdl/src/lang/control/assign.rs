//! What is assigned in branches, and the multiplexers that select it.

use std::collections::BTreeSet;

use super::{Assigned, Chain, Place, Target};
use crate::dfg::{Inner, NodeId, Op, multiply_driven, range_overflow};
use crate::diag::Diagnostic;

impl Inner {
    /// `target` becomes `n` here.
    pub(crate) fn assign(&mut self, target: Target, n: NodeId, place: Place) {
        self.close_chain();
        let n = self.known(n);
        self.check_still_right(&[n], place);
        self.check_assigned_range(target, n, place);
        self.control.first.entry(target).or_insert(place);
        self.level().assigned.insert(target, n);
    }

    fn check_assigned_range(&mut self, target: Target, n: NodeId, place: Place) {
        let (what, name, declared) = match target {
            Target::State(k) => {
                let state = &self.module.states[k as usize];
                ("register", &state.name, state.range)
            }
            Target::Wire(k) => ("signal", &self.wires[k as usize].name, self.wires[k as usize].range),
        };
        let range = self.module.graph.range(n);
        if !declared.covers(range) && !self.control.branches.iter().any(|b| b.dead) {
            let error = range_overflow(what, name, declared, range, self.module.place_of(n), place);
            self.errors.push(error);
        }
    }

    /// Ends the chain at this depth: from now on its branches are one assignment for each target.
    pub(super) fn close_chain(&mut self) {
        let Some(Chain { arms, place, .. }) = self.level().chain.take() else { return };
        let targets: BTreeSet<Target> = arms.iter().flat_map(|(_, assigned)| assigned.keys().copied()).collect();
        for target in targets {
            let before = self.assigned(target);
            let value = arms.iter().rev().fold(before, |other, (condition, assigned)| {
                let own = assigned.get(&target).copied().unwrap_or(before);
                match condition {
                    Some(condition) => self.selected(Op::Mux(*condition, own, other), place),
                    None => own,
                }
            });
            self.level().assigned.insert(target, value);
        }
    }

    /// What `target` is at the end of what stands here so far.
    fn assigned(&self, target: Target) -> NodeId {
        let levels = self.control.branches.iter().rev().map(|open| &open.level).chain([&self.control.root]);
        let found = levels.filter_map(|level| level.assigned.get(&target).copied()).next();
        found.unwrap_or_else(|| self.unassigned(target))
    }

    /// What `target` is if nothing assigns it: what the register holds, the signal's default.
    fn unassigned(&self, target: Target) -> NodeId {
        match target {
            Target::State(k) => self.contents[k as usize],
            Target::Wire(k) => self.control.defaults[&k],
        }
    }

    /// A node of what is selected from branches that end here. Nothing waits for another cycle by itself: a condition
    /// that waited would come too late for what the register holds.
    pub(super) fn selected(&mut self, op: Op, place: Place) -> NodeId {
        let first = self.module.graph.len();
        let n = match self.module.graph.add(op) {
            Ok(n) => n,
            Err(error) => self.poison(error, place),
        };
        self.record(place);
        let tag = |n| self.control.only_in.get(&n).copied();
        let inside = op.operands().filter_map(tag).filter(|id| self.is_open(*id)).max();
        if let (Some(id), true) = (inside, n.index() >= first) {
            self.control.only_in.insert(n, id);
        }
        n
    }

    /// Gives every assigned register and signal its driver.
    pub(crate) fn connect_assigned(&mut self) {
        self.close_chain();
        let assigned: Assigned = std::mem::take(&mut self.control.root.assigned);
        for (target, n) in assigned {
            let place = self.control.first[&target];
            match target {
                Target::State(k) => self.load(k as usize, n, place),
                Target::Wire(k) => self.wires[k as usize].driver = Some((n, place)),
            }
        }
    }

    /// Register `k` loads `n`; what is the register itself while a bit is 0 becomes an enable.
    fn load(&mut self, k: usize, n: NodeId, place: Place) {
        if let Some(first) = self.state_places[k].driven.replace(place) {
            let error = multiply_driven("register", &self.module.states[k].name, first, place);
            self.errors.push(error.help("use either `set` or `set_next`"));
        }
        let (next, enable) = match self.module.graph.op(n) {
            Op::Mux(enable, next, held) if held == self.contents[k] => (next, Some(enable)),
            _ => (n, None),
        };
        let state = &mut self.module.states[k];
        (state.next, state.style.enable) = (Some(next), enable);
    }

    /// An error unless all of `nodes` may be used here: not if a branch that ended made them with what held in it.
    pub(crate) fn check_still_right(&mut self, nodes: &[NodeId], place: Place) {
        let ended = |n: &&NodeId| self.control.only_in.get(n).is_some_and(|id| !self.is_open(*id));
        if let Some(n) = nodes.iter().find(ended).copied() {
            self.report_branch_value(n, place);
        }
    }

    /// An error if `n`, which is used whether or not the branch is taken here, is right only in it.
    pub(crate) fn check_right_anywhere(&mut self, n: NodeId, place: Place) {
        if self.control.only_in.contains_key(&n) {
            self.report_branch_value(n, place);
        }
    }

    fn report_branch_value(&mut self, n: NodeId, place: Place) {
        let message = "a value that is right only in its branch is used outside of it";
        let error = Diagnostic::error("branch-value", message)
            .label(self.module.place_of(n), "made here, where a condition bounds its operands")
            .label(Some(place), "used here, whether or not the condition holds")
            .help("assign it to a signal with `set`, or make it outside of the branch");
        self.errors.push(error);
        self.control.only_in.remove(&n);
    }
}
