//! State machines over Rust enums.
//!
//! The arms of a machine are a `match`, so that the Rust compiler reports a missing one; a state that nothing leads to is
//! reported when the module is finished.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::marker::PhantomData;
use std::panic::Location;

use super::control::Place;
use crate::dfg::{Inner, ModuleBuilder, RegisterStyle, Reset, StateHandle, Value};
use crate::diag::Diagnostic;
use crate::num::{Format, Interval};

/// Most states of a one-hot machine: a state is a bit.
const ONE_HOT_LIMIT: usize = 64;

/// The states of a machine, the first one under reset. Made by [`states!`](crate::states).
pub trait States: Copy + 'static {
    /// All, in the order in which they are numbered.
    const ALL: &'static [Self];
    /// Its place in [`States::ALL`].
    fn number(self) -> usize;
    /// Its name in the source.
    fn name(self) -> &'static str;
}

/// Declares an enum without fields as the states of a machine, the first one under reset.
///
/// ```
/// hdl::states! {
///     /// A lamp that is slow to go out.
///     pub enum Lamp { Dark, Bright, Fading }
/// }
/// use hdl::lang::States;
/// assert_eq!((Lamp::ALL.len(), Lamp::Fading.number(), Lamp::Fading.name()), (3, 2, "Fading"));
/// ```
#[macro_export]
macro_rules! states {
    ($(#[$about:meta])* $visible:vis enum $name:ident { $($(#[$state_about:meta])* $state:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visible enum $name { $($(#[$state_about])* $state),+ }

        impl $crate::lang::States for $name {
            const ALL: &'static [Self] = &[$(Self::$state),+];
            fn number(self) -> usize {
                self as usize
            }
            fn name(self) -> &'static str {
                match self { $(Self::$state => stringify!($state)),+ }
            }
        }
    };
}

/// Which pattern stands for a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// Its number.
    #[default]
    Binary,
    /// A bit of its own, for at most 64 states.
    OneHot,
    /// Its number in Gray code: neighbours differ in one bit.
    Gray,
}

impl Encoding {
    /// The pattern of state `number`.
    fn code(self, number: usize) -> i128 {
        match self {
            Encoding::Binary => number as i128,
            Encoding::OneHot => 1 << number,
            Encoding::Gray => (number ^ number >> 1) as i128,
        }
    }
}

/// A machine as [`finish`](ModuleBuilder::finish) checks it.
#[derive(Debug)]
pub(crate) struct Drawn {
    name: String,
    states: Vec<&'static str>,
    /// From where to where.
    edges: BTreeSet<(usize, usize)>,
    place: Place,
}

/// A state register, and what each state does.
///
/// ```
/// use hdl::lang::Encoding;
/// use hdl::{ModuleBuilder, Stepper};
///
/// hdl::states! { enum Lamp { Dark, Bright, Fading } }
///
/// let m = ModuleBuilder::new("lamp");
/// let pressed = m.input("pressed", 0..=1);
/// let lamp = m.machine::<Lamp>("state", Encoding::OneHot);
/// lamp.arms(|state| match state {
///     Lamp::Dark => { m.when(pressed, || lamp.go(Lamp::Bright)); }
///     Lamp::Bright => { m.when(!pressed, || lamp.go(Lamp::Fading)); }
///     Lamp::Fading => lamp.go(Lamp::Dark),
/// });
/// m.output("light", !lamp.is(Lamp::Dark));
/// assert!(lamp.dot().contains("Dark -> Bright"));
///
/// let mut lamp = Stepper::new(&m.finish().unwrap()).unwrap();
/// let light: Vec<i128> = [1, 1, 0, 0, 0].iter().map(|pressed| lamp.step(&[*pressed], false)[0]).collect();
/// assert_eq!(light, [0, 1, 1, 1, 0]);
/// ```
#[derive(Debug)]
pub struct Machine<'m, S> {
    register: StateHandle<'m>,
    encoding: Encoding,
    recovers: bool,
    /// Its place among the machines of the module.
    index: usize,
    /// The state whose arm is being built.
    here: Cell<Option<usize>>,
    states: PhantomData<S>,
}

impl ModuleBuilder {
    /// A machine in the first of `S` after a synchronous reset, which stays where it is unless an arm says
    /// [`go`](Machine::go).
    #[track_caller]
    pub fn machine<S: States>(&self, name: &str, encoding: Encoding) -> Machine<'_, S> {
        self.declare_machine(name, encoding, false)
    }

    /// The same, and a pattern that stands for no state (which only radiation or a fault can make) leads to the first.
    #[track_caller]
    pub fn recovering_machine<S: States>(&self, name: &str, encoding: Encoding) -> Machine<'_, S> {
        self.declare_machine(name, encoding, true)
    }

    #[track_caller]
    fn declare_machine<S: States>(&self, name: &str, encoding: Encoding, recovers: bool) -> Machine<'_, S> {
        let place = Location::caller();
        let count = S::ALL.len();
        let mut encoding = encoding;
        if encoding == Encoding::OneHot && count > ONE_HOT_LIMIT {
            let message =
                format!("machine `{name}` has {count} states, and a one-hot register no more than {ONE_HOT_LIMIT}");
            let error = Diagnostic::error("too-many-states", message).label(Some(place), "declared here");
            self.inner.borrow_mut().errors.push(error.help("encode it in binary"));
            encoding = Encoding::Binary;
        }
        let codes = || (0..count).map(|k| encoding.code(k));
        let (least, most) = (codes().min().unwrap_or(0), codes().max().unwrap_or(0));
        let used = Interval::new(least, most).expect("codes are short");
        let range = match recovers {
            true => Interval::of_width(used.width(), false).expect("codes are short"),
            false => used,
        };
        let style = RegisterStyle { reset: Reset::Synchronous, initial: encoding.code(0), enable: None };
        let register = self.state(name, Format::integer(range), style);
        // also a machine without arms has a next state
        register.set(register);
        let mut inner = self.inner.borrow_mut();
        let states = S::ALL.iter().map(|s| s.name()).collect();
        let index = inner.control.machines.len();
        inner.control.machines.push(Drawn { name: name.to_owned(), states, edges: BTreeSet::new(), place });
        drop(inner);
        Machine { register, encoding, recovers, index, here: Cell::new(None), states: PhantomData }
    }
}

impl<'m, S: States> Machine<'m, S> {
    /// 1 while the machine is in `state`.
    #[track_caller]
    pub fn is(&self, state: S) -> Value<'m> {
        match self.encoding {
            // with a single bit to look at, patterns that no state has would pass for one
            Encoding::OneHot if !self.recovers => self.register.bit(state.number() as u32),
            encoding => self.register.equals(encoding.code(state.number())),
        }
    }

    /// Is in `state` from the next cycle on, if the arm and the branches hold that this stands in.
    #[track_caller]
    pub fn go(&self, state: S) {
        let to = state.number();
        self.register.set(self.encoding.code(to));
        let mut inner = self.register.builder().inner.borrow_mut();
        let from = match self.here.get() {
            Some(here) => here..here + 1,
            None => 0..S::ALL.len(),
        };
        inner.control.machines[self.index].edges.extend(from.map(|from| (from, to)));
    }

    /// What each state does: `arm` is called once for each, while the module is built.
    #[track_caller]
    pub fn arms(&self, mut arm: impl FnMut(S)) {
        let builder = self.register.builder();
        let mut branches: Option<super::Branch<'m>> = None;
        for (number, state) in S::ALL.iter().copied().enumerate() {
            let body = || {
                let outer = self.here.replace(Some(number));
                arm(state);
                self.here.set(outer);
            };
            branches = Some(match branches.take() {
                None => builder.when(self.is(state), body),
                Some(branches) => branches.elif(self.is(state), body),
            });
        }
        if let (Some(branches), true) = (branches, self.recovers) {
            branches.otherwise(|| self.register.set(self.encoding.code(0)));
        }
    }

    /// The register, for what looks at its pattern.
    pub fn register(&self) -> StateHandle<'m> {
        self.register
    }

    /// States and transitions so far, in the language of Graphviz. The state under reset has a double border.
    pub fn dot(&self) -> String {
        let inner = self.register.builder().inner.borrow();
        let Drawn { name, states, edges, .. } = &inner.control.machines[self.index];
        let mut text = format!("digraph {name} {{\n");
        for (k, state) in states.iter().enumerate() {
            let shape = if k == 0 { "doublecircle" } else { "circle" };
            writeln!(text, "  {state} [shape={shape}];").expect("text takes everything");
        }
        for (from, to) in edges {
            writeln!(text, "  {} -> {};", states[*from], states[*to]).expect("text takes everything");
        }
        text + "}\n"
    }
}

impl Inner {
    /// An error for every state that no transitions lead to.
    pub(crate) fn unreachable_states(&self) -> Vec<Diagnostic> {
        self.control.machines.iter().flat_map(Drawn::unreachable).collect()
    }
}

impl Drawn {
    fn unreachable(&self) -> Vec<Diagnostic> {
        let mut reached = vec![false; self.states.len()];
        let mut todo = vec![0];
        while let Some(state) = todo.pop() {
            if !std::mem::replace(&mut reached[state], true) {
                todo.extend(self.edges.iter().filter(|(from, _)| *from == state).map(|(_, to)| *to));
            }
        }
        let lost = self.states.iter().zip(reached).filter(|(_, reached)| !reached).map(|(name, _)| name);
        let error = |state: &&str| {
            let message = format!("nothing leads to the state `{state}` of machine `{}`", self.name);
            Diagnostic::error("unreachable-state", message)
                .label(Some(self.place), format!("it starts in `{}`", self.states[0]))
                .help("let another state `go` there, or remove it")
        };
        lost.map(error).collect()
    }
}
