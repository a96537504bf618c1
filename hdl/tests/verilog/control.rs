//! Branches: random programs of assignments run in the evaluator and in Icarus as a plain interpreter says.

use std::cell::RefCell;
use std::sync::Arc;

use hdl::dfg::eval::Stepper;
use hdl::dfg::{Module, StateHandle, text};
use hdl::passes::{delay::GenericDelay, pipeline};
use hdl::random::Numbers;
use hdl::{ModuleBuilder, Operand, Value};

use crate::support;

/// Registers of the program, each from 0 to [`LAST`]; the inputs come behind them.
const REGISTERS: usize = 3;
const LAST: i128 = 9;

/// What is compared: a variable with a number or another variable, and combinations of that.
enum Condition {
    Less(usize, i128),
    Equal(usize, i128),
    Above(usize, usize),
    Both(Box<Self>, Box<Self>),
    Either(Box<Self>, Box<Self>),
    Not(Box<Self>),
}

/// A variable plus a number goes into a register.
struct Set(usize, usize, i128);

enum Statement {
    Set(Set),
    /// Branches in order, the condition of the last one missing if it is the default.
    When(Vec<(Option<Condition>, Vec<Self>)>),
}

/// Builds a program and notes what it is.
struct Author<'m> {
    m: &'m ModuleBuilder,
    registers: Vec<StateHandle<'m>>,
    inputs: Vec<Value<'m>>,
    numbers: RefCell<Numbers>,
}

impl<'m> Author<'m> {
    fn below(&self, count: u64) -> usize {
        (self.numbers.borrow_mut().bits() >> 20).wrapping_rem(count) as usize
    }

    fn variable(&self, k: usize) -> Value<'m> {
        if k < REGISTERS { self.registers[k].value() } else { self.inputs[k - REGISTERS] }
    }

    fn any(&self) -> usize {
        self.below((REGISTERS + self.inputs.len()) as u64)
    }

    fn condition(&self, depth: usize) -> (Condition, Value<'m>) {
        let (k, number) = (self.any(), self.below(11) as i128);
        let v = self.variable(k);
        match self.below(if depth == 0 { 3 } else { 6 }) {
            0 => (Condition::Less(k, number), v.lt(number)),
            1 => (Condition::Equal(k, number), v.equals(number)),
            2 => {
                let l = self.any();
                (Condition::Above(k, l), v.gt(self.variable(l)))
            }
            kind => {
                let (a, x) = self.condition(depth - 1);
                if kind == 5 {
                    return (Condition::Not(Box::new(a)), !x);
                }
                let (b, y) = self.condition(depth - 1);
                match kind {
                    3 => (Condition::Both(Box::new(a), Box::new(b)), x & y),
                    _ => (Condition::Either(Box::new(a), Box::new(b)), x | y),
                }
            }
        }
    }

    /// An assignment that fits, as the ranges stand where it is written.
    fn set(&self) -> Statement {
        let (to, from) = (self.below(REGISTERS as u64), self.any());
        let value = self.variable(from);
        let fits = |step: &i128| value.range().lo() + step >= 0 && value.range().hi() + step <= LAST;
        let step = [[-1, 1, -2, 0], [1, -1, 3, 0]][self.below(2)].into_iter().find(fits);
        let (from, step) = step.map_or((to, 0), |step| (from, step));
        self.registers[to].set(self.variable(from) + step);
        Statement::Set(Set(to, from, step))
    }

    fn block(&self, depth: usize) -> Vec<Statement> {
        let statements = (0..1 + self.below(3)).map(|_| match self.below(3) {
            0 => self.set(),
            _ if depth == 0 => self.set(),
            _ => self.when(depth - 1),
        });
        statements.collect()
    }

    fn when(&self, depth: usize) -> Statement {
        let mut arms = Vec::new();
        let (condition, bit) = self.condition(2);
        let mut body = Vec::new();
        let mut branch = self.m.when(bit, || body = self.block(depth));
        arms.push((Some(condition), body));
        for _ in 0..self.below(3) {
            let (condition, bit) = self.condition(2);
            let mut body = Vec::new();
            branch = branch.elif(bit, || body = self.block(depth));
            arms.push((Some(condition), body));
        }
        if self.below(2) == 0 {
            let mut body = Vec::new();
            branch.otherwise(|| body = self.block(depth));
            arms.push((None, body));
        }
        Statement::When(arms)
    }
}

fn holds(condition: &Condition, now: &[i128]) -> bool {
    match condition {
        Condition::Less(k, number) => now[*k] < *number,
        Condition::Equal(k, number) => now[*k] == *number,
        Condition::Above(k, l) => now[*k] > now[*l],
        Condition::Both(a, b) => holds(a, now) && holds(b, now),
        Condition::Either(a, b) => holds(a, now) || holds(b, now),
        Condition::Not(a) => !holds(a, now),
    }
}

fn run(program: &[Statement], now: &[i128], next: &mut [i128]) {
    for statement in program {
        match statement {
            Statement::Set(Set(to, from, step)) => next[*to] = now[*from] + step,
            Statement::When(arms) => {
                let taken = arms.iter().find(|(c, _)| c.as_ref().is_none_or(|c| holds(c, now)));
                if let Some((_, body)) = taken {
                    run(body, now, next);
                }
            }
        }
    }
}

fn program(name: &str, seed: u64) -> (Arc<Module>, Vec<Statement>) {
    let m = ModuleBuilder::new(name);
    let inputs = vec![m.input("x", 0..=15), m.input("y", -8..=7)];
    let registers: Vec<_> = (0..REGISTERS).map(|k| m.reg(&format!("r{k}"), 0..=LAST)).collect();
    for register in &registers {
        register.set(*register);
    }
    let author = Author { m: &m, registers, inputs, numbers: RefCell::new(Numbers::new(seed)) };
    let mut program = author.block(3);
    program.extend(author.block(3));
    for (k, register) in author.registers.iter().enumerate() {
        m.output(&format!("y{k}"), *register);
    }
    (m.finish().unwrap(), program)
}

#[test]
fn random_programs_run_in_evaluator_and_icarus_as_interpreted() {
    let mut runs = Vec::new();
    for seed in 0..24 {
        let (module, program) = program(&format!("p{seed}"), 1000 + seed);
        let mut stepper = Stepper::new(&module).unwrap();
        let mut numbers = Numbers::new(seed);
        let mut stimulus = Vec::new();
        let mut now = vec![0; REGISTERS];
        for _ in 0..40 {
            let inputs = numbers.inputs(&module);
            assert_eq!(stepper.step(&inputs, false), now, "seed {seed}");
            let all = [&now[..], &inputs].concat();
            run(&program, &all, &mut now);
            stimulus.push((inputs, false));
        }
        runs.push(support::run(module, stimulus));
    }
    support::assert_lint_clean(&runs[7]);
    support::simulate(&runs);
}

/// A transmitter of frames of a start bit, eight data bits and a stop bit, each `divisor` cycles long.
fn uart(divisor: i128) -> Arc<Module> {
    let m = ModuleBuilder::new("uart_tx");
    let (valid, data) = (m.input("valid", 0..=1), m.input("data", hdl::u(8)));
    let (timer, left) = (m.reg("timer", 0..divisor), m.reg("left", 0..=10));
    let shift = m.reg("shift", hdl::u(10)).reset(0x3ff);
    let ready = left.equals(0);
    m.when(ready & valid, || {
        shift.set(1.on(&m).concat(data, 8).concat(0, 1));
        left.set(10);
        timer.set(divisor - 1);
    })
    .elif(timer.gt(0), || timer.set(timer - 1))
    .elif(left.gt(0), || {
        shift.set(1.on(&m).concat(shift.slice(9, 1), 9));
        left.set(left - 1);
        timer.set(divisor - 1);
    });
    m.output("ready", ready);
    m.output("tx", shift.bit(0));
    m.finish().unwrap()
}

#[test]
fn a_transmitter_needs_no_guards() {
    let module = uart(3);
    let mut stepper = Stepper::new(&module).unwrap();
    let mut stimulus = vec![(vec![0, 0], true)];
    stimulus.extend((0..70).map(|t| (vec![i128::from(t % 35 == 4), 0xa5], false)));
    let mut line = Vec::new();
    for (inputs, reset) in &stimulus {
        line.push(stepper.step(inputs, *reset)[1]);
    }
    let frame = [0, 1, 0, 1, 0, 0, 1, 0, 1, 1];
    let sampled: Vec<i128> = (0..10).map(|bit| line[7 + 3 * bit]).collect();
    assert_eq!(sampled, frame);
    let run = support::run(module, stimulus);
    support::assert_lint_clean(&run);
    support::simulate(&[run]);
}

#[test]
fn what_a_dead_branch_assigns_does_not_matter() {
    let m = ModuleBuilder::new("dead");
    let (x, y) = (m.input("x", 0..=9), m.reg("y", 0..=9));
    m.when(x.lt(4), || {
        m.when(x.gt(6), || y.set(x + 100)).elif(x.lt(20), || y.set(x + 6));
    });
    m.output("y", y);
    let mut stepper = Stepper::new(&m.finish().unwrap()).unwrap();
    let seen: Vec<i128> = [3, 8, 0].iter().map(|x| stepper.step(&[*x], false)[0]).collect();
    assert_eq!(seen, [0, 9, 9]);
}

/// Memory is written only in branches that are taken, at addresses and with data that their conditions bound.
#[test]
fn a_memory_is_written_in_its_branch_only() {
    let m = ModuleBuilder::new("notes");
    let (address, data, go) = (m.input("address", 0..=9), m.input("data", -9..=9), m.input("go", 0..=1));
    let words = m.memory("words", 8, 0..=9);
    m.when(go & address.lt(8), || {
        m.when(data.ge(0), || words.write(1, address, data));
    });
    let read = m.signal("read", -1..=9, -1);
    m.when(address.lt(8), || read.set(words.read(address)));
    m.output("y", read);
    let module = m.finish().unwrap();
    let mut numbers = Numbers::new(9);
    let stimulus: Vec<_> = (0..200).map(|_| (numbers.inputs(&module), false)).collect();
    let mut expected = [0; 8];
    let mut stepper = Stepper::new(&module).unwrap();
    for (inputs, _) in &stimulus {
        let [address, data, go] = inputs[..] else { panic!("three inputs") };
        let word = expected.get_mut(address as usize);
        assert_eq!(stepper.step(inputs, false), [word.as_ref().map_or(-1, |word| **word)]);
        if let Some(word) = word.filter(|_| go == 1 && data >= 0) {
            *word = data;
        }
    }
    let run = support::run(module, stimulus);
    support::assert_lint_clean(&run);
    support::simulate(&[run]);
}

/// Registers may be placed inside a branch: its value and its condition are cut alike.
#[test]
fn a_pipelined_branch_selects_the_same() {
    let m = ModuleBuilder::new("cut");
    let (x, y) = (m.input("x", 0..=200), m.input("y", 0..=200));
    let root = m.signal("root", -40_000..=40_000, 0);
    m.when(x.gt(y), || root.set((x - y) * (x - y - 1))).elif(x.differs(0), || root.set((x - 1) * y));
    m.output("root", root);
    let module = m.finish().unwrap();
    let options = pipeline::Options::new(pipeline::Goal::Latency(3));
    let (cut, _) = pipeline::pipeline(&module, &GenericDelay::default(), &options).unwrap();
    let cut = Arc::new(cut);
    let mut numbers = Numbers::new(10);
    let stimulus: Vec<_> = (0..200).map(|_| (numbers.inputs(&module), false)).collect();
    let mut stepper = Stepper::new(&cut).unwrap();
    let outputs: Vec<_> = stimulus.iter().map(|(inputs, _)| stepper.step(inputs, false)).collect();
    for ((inputs, _), output) in stimulus.iter().zip(&outputs[3..]) {
        let [x, y] = inputs[..] else { panic!("two inputs") };
        let expected = match (x > y, x > 0) {
            (true, _) => (x - y) * (x - y - 1),
            (_, true) => (x - 1) * y,
            _ => 0,
        };
        assert_eq!(output[..], [expected]);
    }
    let run = support::run(cut, stimulus);
    support::assert_lint_clean(&run);
    support::simulate(&[run]);
}

/// The text form keeps what is known of a value.
#[test]
fn the_text_form_keeps_branches() {
    let (module, _) = program("kept", 1003);
    let written = text::print(&module);
    assert!(written.contains("= narrow "));
    let read = text::parse(&written).unwrap().pop().unwrap();
    let mut numbers = Numbers::new(4);
    let [mut one, mut other] = [&module, &read].map(|m| Stepper::new(m).unwrap());
    for _ in 0..50 {
        let inputs = numbers.inputs(&module);
        assert_eq!(one.step(&inputs, false), other.step(&inputs, false));
    }
}
