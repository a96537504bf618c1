//! A network as groups of statements on values and slots: what all printers read.

use std::collections::BTreeMap;

use hdl::diag::{Diagnostic, Diagnostics};
use sim::batch::{Act, Code, Kind, Step, Typed};

use super::names;
use super::statement::{Statement, Statements, truncated};
use crate::model::Graph;
use crate::network::simulated::linked;

/// Products, or other steps, of a group: compilers take minutes on functions of many thousands.
const GROUP: usize = 64;
/// Bytes of slots that stay in a first-level cache, beside what else is read.
const CACHE: usize = 24 << 10;
/// Fewest and most events of a block.
const LANES: (usize, usize) = (32, 256);

/// The integer types, narrowest first.
pub const KINDS: [Kind; 5] = [Kind::I8, Kind::I16, Kind::I32, Kind::I64, Kind::I128];

/// A network as straight-line statements.
#[derive(Debug, Clone)]
pub struct Form {
    /// Identifier.
    pub name: String,
    /// The model's own name, as a comment may show it.
    pub shown: String,
    /// What goes in.
    pub inputs: Vec<Port>,
    /// What comes out.
    pub outputs: Vec<Port>,
    /// Where each input element that is read goes.
    pub loads: Vec<Move>,
    /// The statements.
    pub groups: Vec<Group>,
    /// Where each output element comes from.
    pub stores: Vec<Move>,
    /// Slots of each of [`KINDS`].
    pub slots: [usize; KINDS.len()],
    /// The type of each value.
    pub kinds: Vec<Kind>,
    /// The tables that are read in each type, by type and number.
    pub tables: BTreeMap<(Kind, u32), Vec<i128>>,
    /// Events of a block.
    pub lanes: usize,
}

/// What goes in or comes out under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Identifier.
    pub name: String,
    /// The model's own name, as a comment may show it.
    pub shown: String,
    /// Extent of each axis of one event.
    pub shape: Vec<usize>,
    /// Least and greatest integer of each element.
    pub ranges: Vec<(i64, i64)>,
    /// The type of its elements.
    pub kind: Kind,
}

impl Port {
    /// Least and greatest integer of all elements.
    pub fn range(&self) -> (i64, i64) {
        let least = self.ranges.iter().map(|r| r.0).min().unwrap_or(0);
        (least, self.ranges.iter().map(|r| r.1).max().unwrap_or(0))
    }

    /// Whether an integer of the port's type can be out of an element's range.
    pub fn is_checked(&self) -> bool {
        let (lo, hi) = limits(self.kind);
        self.ranges.iter().any(|r| (r.0.into(), r.1.into()) != (lo, hi))
    }
}

/// An element of a port, and the slot or the constant that it is to be or comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// Number of the port.
    pub port: usize,
    /// Element of the port.
    pub element: usize,
    /// The other end.
    pub place: Place,
}

/// Where a number is between groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A slot of a type.
    Slot(Kind, usize),
    /// Nowhere: it is this number.
    Constant(i128),
}

/// Statements that are done for all events of a block before the next group is.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Values that are in slots before, with their slots.
    pub reads: Vec<(u32, usize)>,
    /// What is done.
    pub statements: Vec<Statement>,
    /// Values that later groups read, with their slots.
    pub writes: Vec<(u32, usize)>,
}

impl Form {
    /// The form of a network, as [`crate::flow::run::Engine`] runs it.
    ///
    /// # Errors
    /// A network without inputs or outputs, or one that is too large.
    pub fn of(graph: &Graph) -> Result<Self, Diagnostics> {
        graph.check()?;
        let linked = linked(graph)?;
        if linked.inputs == 0 {
            return Err(Diagnostic::error("no-inputs", "the network has no input elements").into());
        }
        let program = Typed::of(&linked, false);
        let (inputs, outputs) = (inputs(graph), outputs(graph));
        let mut tables = BTreeMap::new();
        for step in program.steps.iter().filter(|step| step.act == Act::Do(Code::Table)) {
            let entries = linked.module.graph.table(step.y).iter().map(|v| truncated(step.kind, *v));
            tables.entry((step.kind, step.y)).or_insert_with(|| entries.collect());
        }
        let mut arranged = Arranged::of(&program, &inputs, &outputs);
        arranged.allocate();
        let Arranged { loads, groups, stores, slots, .. } = arranged;
        let lanes = lanes(&slots);
        let (name, shown) = (names::of_network(&graph.name), names::shown(&graph.name));
        Ok(Self { name, shown, inputs, outputs, loads, groups, stores, slots, kinds: program.kinds, tables, lanes })
    }

    /// The statements' type.
    pub fn kind(&self, value: u32) -> Kind {
        self.kinds[value as usize]
    }
}

/// Least and greatest number of a type.
pub fn limits(kind: Kind) -> (i128, i128) {
    (i128::MIN >> (128 - kind.bits()), i128::MAX >> (128 - kind.bits()))
}

/// The narrowest type for numbers of a range.
fn kind_of((lo, hi): (i64, i64)) -> Kind {
    let holds = |kind: &Kind| limits(*kind).0 <= lo.into() && i128::from(hi) <= limits(*kind).1;
    KINDS.into_iter().find(holds).expect("128 bits hold 64")
}

fn inputs(graph: &Graph) -> Vec<Port> {
    let names = names::of_ports("in", graph.inputs().iter().map(|i| &*i.name));
    let port = |(input, name): (&crate::model::Input, String)| {
        let ranges = input.ranges();
        let shape = input.shape.clone();
        let mut port = Port { name, shown: names::shown(&input.name), shape, ranges, kind: Kind::I8 };
        port.kind = kind_of(port.range());
        port
    };
    graph.inputs().iter().zip(names).map(port).collect()
}

fn outputs(graph: &Graph) -> Vec<Port> {
    let names = names::of_ports("out", graph.outputs().iter().map(|o| &*o.name));
    let port = |(output, name): (&crate::model::Output, String)| {
        let info = graph.info(output.tensor);
        let range = (info.range.lo() as i64, info.range.hi() as i64);
        let ranges = vec![range; info.shape.iter().product()];
        Port { name, shown: names::shown(&output.name), shape: info.shape.clone(), ranges, kind: kind_of(range) }
    };
    graph.outputs().iter().zip(names).map(port).collect()
}

/// As many events as leave the slots in the first-level cache, a power of two.
fn lanes(slots: &[usize; KINDS.len()]) -> usize {
    let bytes: usize = slots.iter().zip(KINDS).map(|(count, kind)| count * kind.bits() as usize / 8).sum();
    let fitting = CACHE / bytes.max(1);
    (1 << fitting.max(1).ilog2()).clamp(LANES.0, LANES.1)
}

/// The program in groups; inputs come before all of them, outputs behind.
struct Arranged<'p> {
    program: &'p Typed,
    loads: Vec<Move>,
    groups: Vec<Group>,
    /// For each store its port's element and its value.
    stored: Vec<(Move, u32)>,
    stores: Vec<Move>,
    /// The values that are loaded, in the order of the loads.
    loaded: Vec<u32>,
    known: Vec<Option<i128>>,
    slots: [usize; KINDS.len()],
}

impl<'p> Arranged<'p> {
    fn of(program: &'p Typed, inputs: &[Port], outputs: &[Port]) -> Self {
        let known = known(program);
        let mut arranged = Self {
            program,
            loads: Vec::new(),
            groups: Vec::new(),
            stored: Vec::new(),
            stores: Vec::new(),
            loaded: Vec::new(),
            known: Vec::new(),
            slots: Default::default(),
        };
        let (inputs, outputs) = (elements(inputs), elements(outputs));
        let statements = Statements { program, known: &known };
        let mut room = 0;
        for step in &program.steps {
            match step.act {
                Act::Do(Code::Constant) => {}
                Act::Do(Code::Input) => {
                    let (port, element) = inputs[step.x as usize];
                    arranged.loads.push(Move { port, element, place: Place::Constant(0) });
                    arranged.loaded.push(step.d);
                }
                Act::Do(Code::Store) => {
                    let (port, element) = outputs[step.y as usize];
                    arranged.stored.push((Move { port, element, place: Place::Constant(0) }, step.x));
                }
                _ => {
                    let cost = cost(program, step);
                    if room < cost {
                        arranged.groups.push(Group::default());
                        room = GROUP;
                    }
                    room = room.saturating_sub(cost);
                    arranged.groups.last_mut().expect("one was begun").statements.extend(statements.of(step));
                }
            }
        }
        arranged.known = known;
        arranged
    }

    /// Gives every value that goes from one group to another a slot, which is free again behind the last group that
    /// reads it.
    fn allocate(&mut self) {
        let group_of = self.groups_of_values();
        let end = self.groups.len();
        let mut last = vec![None; self.program.kinds.len()];
        let mut read: Vec<Vec<u32>> = vec![Vec::new(); end];
        for (g, group) in self.groups.iter().enumerate() {
            let mut values = Vec::new();
            group.statements.iter().for_each(|statement| statement.values(&mut values));
            values.sort_unstable();
            values.dedup();
            values.retain(|v| group_of[*v as usize] != Some(g));
            values.iter().for_each(|v| last[*v as usize] = Some(g));
            read[g] = values;
        }
        let stored = self.stored.iter().filter(|(_, v)| self.known[*v as usize].is_none());
        stored.for_each(|(_, v)| last[*v as usize] = Some(end));
        let mut pool = Pool { kinds: &self.program.kinds, free: Default::default(), slots: [0; KINDS.len()] };
        let mut slot_of = vec![0; self.program.kinds.len()];
        for (load, &value) in self.loads.iter_mut().zip(&self.loaded) {
            slot_of[value as usize] = pool.take(value);
            load.place = Place::Slot(self.program.kinds[value as usize], slot_of[value as usize]);
        }
        for (g, group) in self.groups.iter_mut().enumerate() {
            group.reads = read[g].iter().map(|v| (*v, slot_of[*v as usize])).collect();
            for statement in &group.statements {
                let Statement::Let(value, _) = *statement else { continue };
                if last[value as usize].is_some() {
                    slot_of[value as usize] = pool.take(value);
                    group.writes.push((value, slot_of[value as usize]));
                }
            }
            let done = read[g].iter().filter(|v| last[**v as usize] == Some(g));
            done.for_each(|v| pool.give(*v, slot_of[*v as usize]));
        }
        let place = |v: u32| match self.known[v as usize] {
            Some(number) => Place::Constant(number),
            None => Place::Slot(self.program.kinds[v as usize], slot_of[v as usize]),
        };
        self.stores = self.stored.iter().map(|&(store, v)| Move { place: place(v), ..store }).collect();
        self.slots = pool.slots;
    }

    /// The group that makes each value.
    fn groups_of_values(&self) -> Vec<Option<usize>> {
        let mut group_of = vec![None; self.program.kinds.len()];
        for (g, group) in self.groups.iter().enumerate() {
            for statement in &group.statements {
                let (Statement::Let(value, _) | Statement::Add(value, _)) = statement;
                group_of[*value as usize] = Some(g);
            }
        }
        group_of
    }
}

/// Slots that are free.
struct Pool<'p> {
    kinds: &'p [Kind],
    free: [Vec<usize>; KINDS.len()],
    slots: [usize; KINDS.len()],
}

impl Pool<'_> {
    fn take(&mut self, value: u32) -> usize {
        let kind = self.kinds[value as usize] as usize;
        self.free[kind].pop().unwrap_or_else(|| {
            self.slots[kind] += 1;
            self.slots[kind] - 1
        })
    }

    fn give(&mut self, value: u32, slot: usize) {
        self.free[self.kinds[value as usize] as usize].push(slot);
    }
}

/// Port and element of each element of all ports.
fn elements(ports: &[Port]) -> Vec<(usize, usize)> {
    ports.iter().enumerate().flat_map(|(k, port)| (0..port.ranges.len()).map(move |i| (k, i))).collect()
}

/// The values that are constants.
fn known(program: &Typed) -> Vec<Option<i128>> {
    let mut known = vec![None; program.kinds.len()];
    for step in program.steps.iter().filter(|step| step.act == Act::Do(Code::Constant)) {
        known[step.d as usize] = Some(truncated(step.kind, program.constants[step.k as usize]));
    }
    known
}

/// How much a step is: a product each, other steps one.
fn cost(program: &Typed, step: &Step) -> usize {
    match step.act {
        Act::Do(Code::Sum) => program.sums[step.y as usize].len().max(1),
        _ => 1,
    }
}
