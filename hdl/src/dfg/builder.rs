//! Building a module: nodes, scopes, forward references, and the checks that need the author's source lines.

mod instances;
mod messages;
mod ports;

use std::cell::RefCell;
use std::panic::Location;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::behaviour::resolve_twins;
use super::module::{Module, RegisterStyle, Reset, ScopeId};
use super::value::Value;
use super::wires::resolve_wires;
use super::{GraphError, NodeId, Op, Stamp, check};
use crate::diag::{Diagnostic, Diagnostics, Level};
use crate::lang::control::Control;
use crate::names;
use crate::num::{Format, Interval};

pub(crate) use messages::{anything_in, available, multiply_driven, range_overflow, undriven};

/// What happens when an operator meets values of different cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// The earlier value waits in delay registers, which all its readers share.
    #[default]
    Automatic,
    /// An error that shows both sides.
    Strict,
}

/// A module under construction.
///
/// Values borrow the builder, so that `a * b + c` reads as arithmetic. Errors are collected with the source line
/// that made them, and all come out of [`ModuleBuilder::finish`].
///
/// ```
/// use hdl::dfg::ModuleBuilder;
/// use hdl::num::Format;
///
/// let m = ModuleBuilder::new("scale");
/// let x = m.input("x", Format::signed(8, 4).unwrap());
/// m.output("y", (x * m.constant(3, 0)).delay(1));
/// let module = m.finish().unwrap();
/// assert_eq!(module.latency(), 1);
/// ```
#[derive(Debug)]
pub struct ModuleBuilder {
    pub(crate) inner: RefCell<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub module: Module,
    pub balance: Balance,
    pub errors: Vec<Diagnostic>,
    pub wires: Vec<WireSlot>,
    pub state_places: Vec<SinkPlaces>,
    pub memory_places: Vec<SinkPlaces>,
    pub scope: ScopeId,
    /// The node of each state register's content.
    pub contents: Vec<NodeId>,
    pub control: Control,
    scope_stack: Vec<ScopeId>,
    scope_index: FxHashMap<String, ScopeId>,
    enable: Option<NodeId>,
}

/// Where a register or register file was declared and, once driven, driven.
#[derive(Debug)]
pub(crate) struct SinkPlaces {
    pub declared: &'static Location<'static>,
    pub driven: Option<&'static Location<'static>>,
}

/// A forward reference and, once driven, its driver.
#[derive(Debug)]
pub(crate) struct WireSlot {
    pub name: String,
    pub range: Interval,
    pub driver: Option<(NodeId, &'static Location<'static>)>,
    pub declared: &'static Location<'static>,
}

impl ModuleBuilder {
    /// Starts a module. The name must be a Verilog identifier.
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let builder = Self {
            inner: RefCell::new(Inner {
                module: Module::new(name),
                balance: Balance::default(),
                errors: Vec::new(),
                wires: Vec::new(),
                state_places: Vec::new(),
                memory_places: Vec::new(),
                scope: ScopeId::default(),
                contents: Vec::new(),
                control: Control::default(),
                scope_stack: Vec::new(),
                scope_index: FxHashMap::default(),
                enable: None,
            }),
        };
        builder.inner.borrow_mut().check_name("module", name, Location::caller());
        builder
    }

    /// Chooses what happens when cycles mix; [`Balance::Automatic`] unless called.
    pub fn set_balance(&self, balance: Balance) {
        self.inner.borrow_mut().balance = balance;
    }

    /// From here on every pipeline register loads only while `enable` is 1.
    pub fn set_pipeline_enable(&self, enable: Option<Value<'_>>) {
        self.inner.borrow_mut().enable = enable.map(|v| v.n);
    }

    /// `a + b + c` of three bits by one full-adder cell: bit 0 is the sum, bit 1 the carry.
    ///
    /// Lowered to an instance of the module [`lower::FULL_ADDER`](crate::lower::FULL_ADDER), which synthesis can map
    /// to a cell of its library. An operand that is no bit is an error.
    #[track_caller]
    pub fn full_adder<'m>(&'m self, a: Value<'m>, b: Value<'m>, c: Value<'m>) -> Value<'m> {
        a.make(Op::FullAdder(a.n, b.n, c.n), 0, Location::caller())
    }

    /// `cells`, of which `words` is known to be the same number: synthesis makes the one, simulators compute the other.
    ///
    /// Just `cells` if the range of `words` reaches further, or its binary point is another.
    #[track_caller]
    pub fn same<'m>(&'m self, cells: Value<'m>, words: Value<'m>) -> Value<'m> {
        match cells.frac() == words.frac() && cells.range().covers(words.range()) {
            true => cells.make(Op::Same(cells.n, words.n), cells.frac(), Location::caller()),
            false => cells,
        }
    }

    /// The constant `value · 2^-frac`.
    #[track_caller]
    pub fn constant(&self, value: i128, frac: i32) -> Value<'_> {
        let place = Location::caller();
        let mut inner = self.inner.borrow_mut();
        let n = match inner.module.graph.constant(value) {
            Ok(n) => n,
            Err(error) => inner.poison(error, place),
        };
        inner.record(place);
        Value { builder: self, n, frac }
    }

    /// Everything made inside `body` belongs to the scope `name` below the present one.
    pub fn scope<R>(&self, name: &str, body: impl FnOnce() -> R) -> R {
        self.inner.borrow_mut().enter_scope(name);
        let result = body();
        self.inner.borrow_mut().leave_scope();
        result
    }

    /// A forward reference: a value that is used now and driven later with [`ModuleBuilder::drive`].
    #[track_caller]
    pub fn wire(&self, name: &str, format: Format) -> Value<'_> {
        let place = Location::caller();
        let mut inner = self.inner.borrow_mut();
        inner.check_name("wire", name, place);
        let k = inner.wires.len() as u32;
        inner.wires.push(WireSlot { name: name.to_owned(), range: format.range, driver: None, declared: place });
        let n = inner.declare(Op::Wire(k), format.range, Stamp::TIMELESS, place);
        Value { builder: self, n, frac: format.frac }
    }

    /// Drives a forward reference.
    #[track_caller]
    pub fn drive(&self, wire: Value<'_>, value: Value<'_>) {
        let place = Location::caller();
        let value = value.aligned_to(wire.frac, place);
        let mut inner = self.inner.borrow_mut();
        inner.check_right_anywhere(value.n, place);
        let Op::Wire(k) = inner.module.graph.op(wire.n) else {
            let made = inner.module.place_of(wire.n);
            inner.errors.push(
                Diagnostic::error("not-a-wire", "only a forward reference can be driven")
                    .label(made, "this value is computed here")
                    .label(Some(place), "driven here")
                    .help("declare it with `wire`"),
            );
            return;
        };
        inner.check_driven_range("wire", k as usize, value.n, place);
        let slot = &mut inner.wires[k as usize];
        if let Some((_, first)) = slot.driver {
            let diagnostic = multiply_driven("wire", &slot.name, first, place);
            inner.errors.push(diagnostic);
            return;
        }
        slot.driver = Some((value.n, place));
    }

    /// Refuses the module: what a generator found wrong with it, besides what the builder finds itself.
    pub fn refuse(&self, diagnostic: Diagnostic) {
        self.inner.borrow_mut().errors.push(diagnostic);
    }

    /// The finished module, or everything that is wrong with it.
    pub fn finish(self) -> Result<Arc<Module>, Diagnostics> {
        let mut inner = self.inner.into_inner();
        inner.connect_assigned();
        let lost = inner.undriven().into_iter().chain(inner.unreachable_states());
        let lost: Vec<Diagnostic> = lost.collect();
        inner.errors.extend(lost);
        let Inner { module, mut errors, wires, .. } = inner;
        let module = match resolve_wires(module, &wires).and_then(resolve_twins) {
            Ok(module) => module,
            Err(more) => {
                errors.extend(more.0);
                return Err(Diagnostics(errors));
            }
        };
        // what the author got wrong breaks invariants too: those are hwgen's mistakes only if there is no other
        if errors.is_empty() {
            let broken = check(&module).into_iter();
            errors.extend(broken.filter(|d| d.level != Level::Warning));
        }
        if errors.is_empty() { Ok(Arc::new(module)) } else { Err(Diagnostics(errors)) }
    }
}

impl Inner {
    /// The node of `op`; operands of different cycles are balanced or reported.
    pub fn add(&mut self, op: Op, place: &'static Location<'static>) -> NodeId {
        let op = op.map(|n| self.known(n));
        let operands: Vec<NodeId> = op.operands().collect();
        self.check_still_right(&operands, place);
        let op = if self.balance == Balance::Automatic { self.balanced(op, place) } else { op };
        let first = self.module.graph.len();
        let n = match self.module.graph.add(op) {
            Ok(n) => n,
            Err(error) => self.poison(error, place),
        };
        self.record(place);
        self.mark_as_operands(n, op, first);
        n
    }

    /// The node of a source or register.
    pub fn declare(&mut self, op: Op, range: Interval, stamp: Stamp, place: &'static Location<'static>) -> NodeId {
        let n = self.module.graph.add_declared(op, range, stamp);
        self.record(place);
        n
    }

    /// `n` one cycle later in a register of style `style`.
    pub fn register(&mut self, n: NodeId, style: RegisterStyle, place: &'static Location<'static>) -> NodeId {
        let n = self.known(n);
        self.check_right_anywhere(n, place);
        let constant = self.module.graph.as_constant(n).is_some();
        if constant && style.reset == Reset::None {
            return n;
        }
        let mut range = self.module.graph.range(n);
        if style.reset != Reset::None {
            range = Interval::point(style.initial).map_or(range, |initial| range.union(initial));
        }
        let stamp = self.module.graph.stamp(n).later(1);
        let style = self.style(style);
        self.declare(Op::Delay(n, style), range, stamp, place)
    }

    /// `n` in the cycle of `stamp`, after as many plain pipeline registers as that takes.
    pub fn wait(&mut self, n: NodeId, stamp: Stamp, place: &'static Location<'static>) -> NodeId {
        let (Some(from), Some(to)) = (self.module.graph.stamp(n).cycle(), stamp.cycle()) else {
            return n;
        };
        let style = self.pipeline_style();
        (from..to).fold(n, |n, _| self.register(n, style, place))
    }

    /// The plain pipeline register, with the module's pipeline enable.
    pub fn pipeline_style(&self) -> RegisterStyle {
        RegisterStyle { enable: self.enable, ..RegisterStyle::default() }
    }

    fn style(&mut self, style: RegisterStyle) -> u32 {
        let styles = &mut self.module.styles;
        styles.iter().position(|s| *s == style).unwrap_or_else(|| {
            styles.push(style);
            styles.len() - 1
        }) as u32
    }

    fn balanced(&mut self, op: Op, place: &'static Location<'static>) -> Op {
        let latest = op.operands().map(|n| self.module.graph.stamp(n)).filter(|s| *s != Stamp::TIMELESS).max();
        match latest {
            Some(stamp) => op.map(|n| self.wait(n, stamp, place)),
            None => op,
        }
    }

    /// Gives a place and a scope to the nodes made since the last call.
    pub fn record(&mut self, place: &'static Location<'static>) {
        let (len, scope) = (self.module.graph.len(), self.scope);
        self.module.side.places.extend_to(len, Some(place));
        self.module.side.scopes.resize(len, scope);
    }

    /// Notes the error and stands in with a constant, so that building goes on and finds more.
    pub fn poison(&mut self, error: GraphError, place: &'static Location<'static>) -> NodeId {
        let module = &self.module;
        let diagnostic = match error {
            GraphError::CycleMismatch(a, b) => {
                let side = |n: NodeId| available(module.graph.stamp(n));
                Diagnostic::error("cycle-mismatch", "the operands belong to different cycles")
                    .label(module.place_of(a), side(a))
                    .label(module.place_of(b), side(b))
                    .label(Some(place), "used together here")
                    .help("delay the earlier one, or set Balance::Automatic")
            }
            GraphError::OutOfRange(_) => Diagnostic::error("too-wide", error.to_string())
                .label(Some(place), "computed here")
                .help("quantise an operand first"),
            GraphError::TableIndex { .. } => Diagnostic::error("table-index", error.to_string())
                .label(Some(place), "looked up here")
                .help("saturate or wrap the index, or give the table an entry for each"),
        };
        self.errors.push(diagnostic);
        self.module.graph.constant(0).expect("zero is in range")
    }

    /// `nodes` in one cycle, that of the latest; or an error, if that is not to happen by itself.
    pub fn meet<const K: usize>(&mut self, nodes: [NodeId; K], place: &'static Location<'static>) -> [NodeId; K] {
        let stamped = |n: &NodeId| self.module.graph.stamp(*n).cycle().map(|cycle| (cycle, *n));
        let timed = || nodes.iter().filter_map(stamped);
        let (Some((first, early)), Some((last, late))) = (timed().min(), timed().max()) else {
            return nodes;
        };
        if self.balance == Balance::Automatic {
            return nodes.map(|n| self.wait(n, Stamp::at(last), place));
        }
        if first != last {
            self.poison(GraphError::CycleMismatch(early, late), place);
        }
        nodes
    }

    /// An error for every register and register file that nothing drives.
    fn undriven(&self) -> Vec<Diagnostic> {
        let states = self.module.states.iter().map(|s| &s.name);
        let states = states.zip(&self.state_places);
        let memories = self.module.memories.iter().map(|m| &m.name);
        let memories = memories.zip(&self.memory_places);
        let states = states.map(|of| ("register", "set` or `set_next", of));
        let memories = memories.map(|of| ("register file", "write", of));
        states
            .chain(memories)
            .filter(|(.., (_, places))| places.driven.is_none())
            .map(|(what, method, (name, places))| {
                undriven(what, name, method).label(Some(places.declared), "declared here")
            })
            .collect()
    }

    pub fn check_name(&mut self, what: &str, name: &str, place: &'static Location<'static>) {
        if let Err(reason) = names::check_identifier(name) {
            self.errors.push(
                Diagnostic::error("bad-name", format!("{what} name {}: {reason}", names::quoted(name)))
                    .label(Some(place), "named here"),
            );
        }
    }

    /// An error unless what drives a wire stays in the wire's range.
    pub fn check_driven_range(&mut self, what: &str, k: usize, n: NodeId, place: &'static Location<'static>) {
        let (declared, range) = (self.wires[k].range, self.module.graph.range(n));
        if !declared.covers(range) {
            let name = self.wires[k].name.clone();
            self.errors.push(range_overflow(what, &name, declared, range, self.module.place_of(n), place));
        }
    }

    fn enter_scope(&mut self, name: &str) {
        let parent = self.module.scope_path(self.scope);
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
        let paths = &mut self.module.side.scope_paths;
        let id = *self.scope_index.entry(path).or_insert_with_key(|path| {
            paths.push(path.clone());
            ScopeId(paths.len() as u32 - 1)
        });
        self.scope_stack.push(self.scope);
        self.scope = id;
    }

    fn leave_scope(&mut self) {
        self.scope = self.scope_stack.pop().unwrap_or_default();
    }
}
