//! Conditions: `when`, `elif`, `otherwise` and `switch`.
//!
//! A branch is a closure that is called once, while the module is built. What it assigns is kept aside and selected by
//! multiplexers when the chain of branches ends. In a branch, the values that its condition compares have the range that
//! the condition leaves; see [`ModuleBuilder::when`].

mod assign;
mod facts;
mod switch;

use std::collections::BTreeMap;
use std::panic::Location;

use rustc_hash::FxHashMap;

pub use switch::{Pattern, Switch};

use super::{Drawn, Operand};
use crate::dfg::{Inner, ModuleBuilder, NodeId, Op, Value};
use crate::diag::Diagnostic;

pub(crate) type Place = &'static Location<'static>;

/// What can be assigned: a register or a signal, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    State(u32),
    Wire(u32),
}

type Assigned = BTreeMap<Target, NodeId>;

/// The open branches of a module, and what is assigned so far.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Outermost first.
    branches: Vec<Open>,
    /// What stands outside all branches.
    root: Level,
    /// The branch of each node that is right only there.
    only_in: FxHashMap<NodeId, u32>,
    /// Defaults of signals.
    pub defaults: FxHashMap<u32, NodeId>,
    /// Where each target was first assigned.
    first: BTreeMap<Target, Place>,
    /// State machines.
    pub machines: Vec<Drawn>,
    /// Branches and chains made so far.
    made: u32,
}

/// Assignments that stand at one depth.
#[derive(Debug, Default)]
struct Level {
    assigned: Assigned,
    chain: Option<Chain>,
}

/// Branches of which at most one is taken, that may still get another.
#[derive(Debug)]
struct Chain {
    id: u32,
    /// The condition of each, none for `otherwise`, and what it assigns.
    arms: Vec<(Option<NodeId>, Assigned)>,
    place: Place,
}

/// A branch whose closure is running.
#[derive(Debug)]
struct Open {
    id: u32,
    /// What holds in it.
    conditions: Vec<(NodeId, bool)>,
    /// What each node is known as in it.
    known: FxHashMap<NodeId, NodeId>,
    /// Whether it is never taken: its conditions exclude each other. What it assigns does not matter then.
    dead: bool,
    level: Level,
}

/// The branches so far of a [`when`](ModuleBuilder::when), to which others can be added at once.
#[derive(Debug)]
pub struct Branch<'m> {
    builder: &'m ModuleBuilder,
    chain: u32,
}

impl ModuleBuilder {
    /// Assignments in `body` happen only while `condition` is not 0.
    ///
    /// In `body`, whatever `condition` compares has the range that is left: after `x.differs(0)` a count `x` of `0..=9` lies
    /// from 1 to 9, so `x - 1` fits a register of `0..=9`. Conditions are understood through `&`, `|`, `!` and all
    /// comparisons. A value that is made in the branch with that knowledge is an error outside of it.
    ///
    /// ```
    /// use hdl::{ModuleBuilder, Stepper};
    ///
    /// let m = ModuleBuilder::new("down");
    /// let load = m.input("load", hdl::Format::BIT);
    /// let left = m.reg("left", 0..=9);
    /// m.when(load, || left.set(9)).elif(left.differs(0), || left.set(left - 1));
    /// m.output("left", left);
    /// let mut down = Stepper::new(&m.finish().unwrap()).unwrap();
    /// let seen: Vec<i128> = [1, 0, 0, 1, 0].iter().map(|load| down.step(&[*load], false)[0]).collect();
    /// assert_eq!(seen, [0, 9, 8, 7, 9]);
    /// ```
    #[track_caller]
    pub fn when<'m>(&'m self, condition: impl Operand<'m>, body: impl FnOnce()) -> Branch<'m> {
        self.when_at(condition.on(self), body, Location::caller())
    }

    fn when_at<'m>(&'m self, condition: Value<'m>, body: impl FnOnce(), place: Place) -> Branch<'m> {
        let chain = {
            let mut inner = self.inner.borrow_mut();
            inner.close_chain();
            inner.control.made += 1;
            let id = inner.control.made;
            inner.level().chain = Some(Chain { id, arms: Vec::new(), place });
            id
        };
        self.arm(chain, Some(condition), body, place);
        Branch { builder: self, chain }
    }

    /// Branches by the value of `selector`; see [`Switch`].
    #[track_caller]
    pub fn switch<'m>(&'m self, selector: impl Operand<'m>) -> Switch<'m> {
        Switch::new(selector.on(self), Location::caller())
    }

    /// One more branch of an open chain.
    fn arm<'m>(&'m self, chain: u32, condition: Option<Value<'m>>, body: impl FnOnce(), place: Place) {
        let condition = condition.map(|c| self.inner.borrow_mut().truth(c.n, place));
        if self.inner.borrow_mut().enter(chain, condition, place) {
            body();
            self.inner.borrow_mut().leave(chain, condition);
        }
    }
}

impl<'m> Branch<'m> {
    /// A branch for the case that no earlier one is taken and `condition` is not 0.
    #[track_caller]
    pub fn elif(self, condition: impl Operand<'m>, body: impl FnOnce()) -> Self {
        let condition = condition.on(self.builder);
        self.elif_at(condition, body, Location::caller())
    }

    fn elif_at(self, condition: Value<'m>, body: impl FnOnce(), place: Place) -> Self {
        self.builder.arm(self.chain, Some(condition), body, place);
        self
    }

    /// A branch for the case that no earlier one is taken.
    #[track_caller]
    pub fn otherwise(self, body: impl FnOnce()) {
        self.builder.arm(self.chain, None, body, Location::caller());
    }
}

impl Inner {
    /// The bit that is 1 if `n` is not 0.
    fn truth(&mut self, n: NodeId, place: Place) -> NodeId {
        if crate::Interval::BIT.covers(self.module.graph.range(self.known(n))) {
            return n;
        }
        let constant =
            |inner: &mut Self, value| inner.module.graph.constant(value).expect("a small number is in range");
        let (zero, one) = (constant(self, 0), constant(self, 1));
        let is_zero = self.add(Op::Eq(n, zero), place);
        self.add(Op::Xor(is_zero, one), place)
    }

    /// Opens the next branch of `chain`, if that is still the last thing at this depth.
    fn enter(&mut self, chain: u32, condition: Option<NodeId>, place: Place) -> bool {
        let last = self.level().chain.as_ref().filter(|c| c.id == chain);
        let Some(last) = last.filter(|c| c.arms.last().is_none_or(|(condition, _)| condition.is_some())) else {
            let message = "this branch does not follow directly on the others of its chain";
            let error = Diagnostic::error("late-branch", message).label(Some(place), "added here");
            self.errors.push(error.help("write `when`, `elif` and `otherwise` as one expression"));
            return false;
        };
        let mut conditions: Vec<(NodeId, bool)> = last.arms.iter().filter_map(|(c, _)| Some(((*c)?, false))).collect();
        conditions.extend(condition.map(|c| (c, true)));
        self.control.made += 1;
        let id = self.control.made;
        let open = Open { id, conditions, known: FxHashMap::default(), dead: false, level: Level::default() };
        self.control.branches.push(open);
        self.narrow(place);
        true
    }

    /// Ends the innermost branch, one of `chain`.
    fn leave(&mut self, chain: u32, condition: Option<NodeId>) {
        self.close_chain();
        let open = self.control.branches.pop().expect("a branch is open");
        if let Some(chain) = self.level().chain.as_mut().filter(|c| c.id == chain) {
            let assigned = if open.dead { Assigned::new() } else { open.level.assigned };
            chain.arms.push((condition, assigned));
        }
    }

    /// Where assignments go that stand here.
    fn level(&mut self) -> &mut Level {
        let Control { branches, root, .. } = &mut self.control;
        branches.last_mut().map_or(root, |open| &mut open.level)
    }

    /// `a & b`, of which `a` is not what the branches around say of it.
    pub fn both(&mut self, a: NodeId, b: NodeId, place: Place) -> NodeId {
        let b = self.truth(b, place);
        self.selected(Op::And(a, b), place)
    }

    /// A bit that is 1 while the innermost branch is taken; `None` outside of all.
    pub fn taken(&mut self, place: Place) -> Option<NodeId> {
        let branches = self.control.branches.iter();
        let conditions: Vec<(NodeId, bool)> = branches.flat_map(|b| b.conditions.iter().copied()).collect();
        let one = self.module.graph.constant(1).expect("a small number is in range");
        conditions.into_iter().fold(None, |all, (condition, value)| {
            let bit = if value { condition } else { self.selected(Op::Xor(condition, one), place) };
            Some(all.map_or(bit, |all| self.selected(Op::And(all, bit), place)))
        })
    }
}
