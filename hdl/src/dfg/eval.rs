//! The meaning of a module: a plain interpreter that every other engine is compared with.

use std::collections::HashMap;
use std::sync::Arc;

use super::module::{Module, RegisterStyle, Reset};
use super::{NodeId, Op};
use crate::diag::{Diagnostic, Diagnostics};
use crate::num::Format;

/// What a black box does in a cycle: from input elements to output elements.
pub type Behaviour = Arc<dyn Fn(&[i128]) -> Vec<i128> + Send + Sync>;

/// A module that is stepped cycle by cycle. Registers without reset start near 0, a value that no design may
/// rely on; so do the words of register files.
#[derive(Clone)]
pub struct Stepper {
    module: Arc<Module>,
    values: Vec<i128>,
    delays: Vec<i128>,
    states: Vec<i128>,
    memories: Vec<Vec<i128>>,
    children: Vec<Child>,
}

#[derive(Clone)]
enum Child {
    Module(Box<Stepper>),
    BlackBox(Behaviour),
}

impl Stepper {
    /// The module with all registers at their initial values.
    ///
    /// # Errors
    /// A black box has no meaning of its own: see [`Stepper::with_behaviours`].
    pub fn new(module: &Arc<Module>) -> Result<Self, Diagnostics> {
        Self::with_behaviours(module, &HashMap::new())
    }

    /// The same, with what the black boxes do, by module name.
    pub fn with_behaviours(module: &Arc<Module>, behaviours: &HashMap<String, Behaviour>) -> Result<Self, Diagnostics> {
        let children = module.instances.iter().map(|instance| {
            let inner = &instance.module;
            match (&inner.black_box, behaviours.get(&inner.name)) {
                (None, _) => Self::with_behaviours(inner, behaviours).map(|s| Child::Module(Box::new(s))),
                (Some(_), Some(behaviour)) => Ok(Child::BlackBox(Arc::clone(behaviour))),
                (Some(_), None) => Err(Diagnostics::from(
                    Diagnostic::error(
                        "black-box",
                        format!("`{}` is a black box: nothing says what it does", inner.name),
                    )
                    .help("give the evaluator its behaviour"),
                )),
            }
        });
        Ok(Self {
            values: vec![0; module.graph.len()],
            delays: module
                .graph
                .nodes()
                .map(|n| match module.graph.op(n) {
                    Op::Delay(_, style) => module.start_value(n, style),
                    _ => 0,
                })
                .collect(),
            states: module.states.iter().map(|s| s.style.initial).collect(),
            memories: module.memories.iter().map(|m| vec![0; m.depth as usize]).collect(),
            children: children.collect::<Result<_, _>>()?,
            module: Arc::clone(module),
        })
    }

    /// Content of state register `k`.
    pub fn state(&self, k: usize) -> i128 {
        self.states[k]
    }

    /// Words of register file `k`.
    pub fn memory(&self, k: usize) -> &[i128] {
        &self.memories[k]
    }

    /// The outputs in this cycle, before the clock edge; `reset` is the level of `rst`.
    pub fn outputs(&mut self, inputs: &[i128], reset: bool) -> Vec<i128> {
        self.settle(inputs, reset);
        self.module.output_elements().map(|e| self.values[e.node.index()]).collect()
    }

    /// The outputs in this cycle, and then a rising clock edge.
    pub fn step(&mut self, inputs: &[i128], reset: bool) -> Vec<i128> {
        let outputs = self.outputs(inputs, reset);
        self.edge(reset);
        outputs
    }

    fn settle(&mut self, inputs: &[i128], reset: bool) {
        let module = Arc::clone(&self.module);
        let mut answers: Vec<Option<Vec<i128>>> = vec![None; module.instances.len()];
        if reset {
            self.reset_asynchronous(&module);
        }
        for n in module.graph.nodes() {
            let value = match module.graph.op(n) {
                Op::Const(k) => module.graph.constant_value(k),
                Op::Input(k) => inputs[k as usize],
                Op::Table(a, t) => module.graph.table(t)[self.values[a.index()] as usize],
                Op::Delay(..) => self.delays[n.index()],
                Op::State(k) => self.states[k as usize],
                Op::Read(a, m) => self.memories[m as usize][self.values[a.index()] as usize],
                Op::Output(i, k) => {
                    let i = i as usize;
                    answers[i].get_or_insert_with(|| self.child_outputs(&module, i, reset))[k as usize]
                }
                op => op.apply(|a| self.values[a.index()]).expect("all other operators are combinational"),
            };
            self.values[n.index()] = value;
        }
        // an instance of which no output is read still settles, so that its registers load what they should
        for (i, _) in answers.iter().enumerate().filter(|(_, answer)| answer.is_none()) {
            self.child_outputs(&module, i, reset);
        }
    }

    fn child_outputs(&mut self, module: &Module, i: usize, reset: bool) -> Vec<i128> {
        let inputs: Vec<i128> = module.instances[i].inputs.iter().map(|n| self.values[n.index()]).collect();
        match &mut self.children[i] {
            Child::Module(stepper) => stepper.outputs(&inputs, reset),
            Child::BlackBox(behaviour) => behaviour(&inputs),
        }
    }

    fn reset_asynchronous(&mut self, module: &Module) {
        for n in module.graph.nodes() {
            if let Op::Delay(_, style) = module.graph.op(n)
                && module.styles[style as usize].reset == Reset::Asynchronous
            {
                self.delays[n.index()] = module.styles[style as usize].initial;
            }
        }
        for (content, state) in self.states.iter_mut().zip(&module.states) {
            if state.style.reset == Reset::Asynchronous {
                *content = state.style.initial;
            }
        }
    }

    fn edge(&mut self, reset: bool) {
        let module = Arc::clone(&self.module);
        let value = |n: NodeId| self.values[n.index()];
        let loaded = |style: &RegisterStyle, old: i128, next: i128| match style {
            RegisterStyle { reset: Reset::Synchronous | Reset::Asynchronous, initial, .. } if reset => *initial,
            RegisterStyle { enable: Some(enable), .. } if value(*enable) == 0 => old,
            _ => next,
        };
        for n in module.graph.nodes() {
            if let Op::Delay(a, style) = module.graph.op(n) {
                self.delays[n.index()] = loaded(&module.styles[style as usize], self.delays[n.index()], value(a));
            }
        }
        for (content, state) in self.states.iter_mut().zip(&module.states) {
            *content = loaded(&state.style, *content, state.next.map_or(*content, value));
        }
        for (words, memory) in self.memories.iter_mut().zip(&module.memories) {
            if let Some(write) = memory.write.filter(|w| value(w.enable) != 0) {
                words[value(write.address) as usize] = value(write.data);
            }
        }
        for child in &mut self.children {
            if let Child::Module(stepper) = child {
                stepper.edge(reset);
            }
        }
    }
}

/// The outputs for one sample held at the inputs for as many cycles as the module is deep.
///
/// # Errors
/// An input element that its format cannot hold, a wrong number of them, or a black box inside.
pub fn evaluate(module: &Arc<Module>, inputs: &[i128]) -> Result<Vec<i128>, Diagnostics> {
    check_inputs(module, inputs)?;
    let mut stepper = Stepper::new(module)?;
    for _ in 0..module.latency() {
        stepper.step(inputs, false);
    }
    Ok(stepper.outputs(inputs, false))
}

/// An error unless `inputs` are as many as the module wants, each in its format.
pub fn check_inputs(module: &Module, inputs: &[i128]) -> Result<(), Diagnostics> {
    if inputs.len() != module.input_count() {
        let message =
            format!("`{}` has {} input elements, {} are given", module.name, module.input_count(), inputs.len());
        return Err(Diagnostic::error("input-count", message).into());
    }
    for port in &module.inputs {
        let values = &inputs[port.first as usize..];
        for (i, (Format { range, .. }, value)) in port.elements.iter().zip(values).enumerate() {
            if !range.contains(*value) {
                let message = format!("{value} at input `{}[{i}]` is not in {range}", port.name);
                return Err(Diagnostic::error("input-range", message).into());
            }
        }
    }
    Ok(())
}
