//! The meaning of a design: a plain cycle stepper.

use std::collections::HashMap;
use std::sync::Arc;

use num_bigint::BigUint;

use super::build::ones;
use super::module::{Cell, Design, ModuleId, Net};
use crate::dfg::Reset;
use crate::diag::{Diagnostic, Diagnostics};

/// What a black box does in a cycle: from input ports to output ports.
pub type Behaviour = Arc<dyn Fn(&[BigUint]) -> Vec<BigUint> + Send + Sync>;

/// A module that is stepped cycle by cycle. Registers start at their initial value, register files at 0.
#[derive(Clone)]
pub struct Stepper<'a> {
    design: &'a Design,
    id: ModuleId,
    values: Vec<BigUint>,
    registers: Vec<BigUint>,
    memories: Vec<Vec<BigUint>>,
    children: Vec<Child<'a>>,
}

#[derive(Clone)]
enum Child<'a> {
    Module(Box<Stepper<'a>>),
    BlackBox(Behaviour),
}

impl<'a> Stepper<'a> {
    /// The top module of a valid design, with what its black boxes do, by module name.
    ///
    /// # Errors
    /// A black box of which that is not known.
    pub fn new(design: &'a Design, behaviours: &HashMap<String, Behaviour>) -> Result<Self, Diagnostics> {
        let top = ModuleId(design.modules.len() as u32 - 1);
        Self::of_module(design, top, behaviours)
    }

    fn of_module(
        design: &'a Design,
        id: ModuleId,
        behaviours: &HashMap<String, Behaviour>,
    ) -> Result<Self, Diagnostics> {
        let module = design.module(id);
        let children = module.instances.iter().map(|instance| {
            let inner = design.module(instance.module);
            match (&inner.black_box, behaviours.get(&inner.name)) {
                (None, _) => Self::of_module(design, instance.module, behaviours).map(|s| Child::Module(Box::new(s))),
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
        let words = |m: &super::Memory| vec![BigUint::ZERO; m.depth as usize];
        Ok(Self {
            design,
            id,
            values: vec![BigUint::ZERO; module.len()],
            registers: module.registers.iter().map(|r| r.initial.clone()).collect(),
            memories: module.memories.iter().map(words).collect(),
            children: children.collect::<Result<_, _>>()?,
        })
    }

    /// The output ports in this cycle, before the clock edge; `reset` is the level of the reset port.
    pub fn outputs(&mut self, inputs: &[BigUint], reset: bool) -> Vec<BigUint> {
        let module = self.design.module(self.id);
        for (content, register) in self.registers.iter_mut().zip(&module.registers) {
            if reset && register.reset == Reset::Asynchronous {
                content.clone_from(&register.initial);
            }
        }
        let mut answers: Vec<Option<Vec<BigUint>>> = vec![None; module.instances.len()];
        for net in module.nets() {
            let value = match module.cell(net) {
                Cell::Input(p) => inputs[p as usize].clone(),
                Cell::Output(i, p) => {
                    let i = i as usize;
                    answers[i].get_or_insert_with(|| self.child_outputs(i, reset))[p as usize].clone()
                }
                cell => self.cell(cell, module.width(net)),
            };
            self.values[net.index()] = value;
        }
        // an instance without outputs settles too, so that what is in it loads what it should
        for (i, _) in answers.iter().enumerate().filter(|(_, a)| a.is_none()) {
            self.child_outputs(i, reset);
        }
        let nets = module.outputs.iter().filter_map(|o| o.net);
        nets.map(|net| self.values[net.index()].clone()).collect()
    }

    /// The output ports in this cycle, and then a rising clock edge.
    pub fn step(&mut self, inputs: &[BigUint], reset: bool) -> Vec<BigUint> {
        let outputs = self.outputs(inputs, reset);
        self.edge(reset);
        outputs
    }

    /// Inverts a bit of what register `r` of the top module holds: an upset.
    pub fn upset(&mut self, r: usize, bit: u64) {
        let content = &mut self.registers[r];
        content.set_bit(bit, !content.bit(bit));
    }

    fn child_outputs(&mut self, i: usize, reset: bool) -> Vec<BigUint> {
        let instance = &self.design.module(self.id).instances[i];
        let inputs: Vec<BigUint> = instance.inputs.iter().map(|net| self.values[net.index()].clone()).collect();
        match &mut self.children[i] {
            Child::Module(stepper) => stepper.outputs(&inputs, reset),
            Child::BlackBox(behaviour) => behaviour(&inputs),
        }
    }

    /// The value of a cell that drives `width` bits, given all nets before it.
    fn cell(&self, cell: Cell, width: u32) -> BigUint {
        let module = self.design.module(self.id);
        let value = |net: Net| &self.values[net.index()];
        let all = |net: Net| ones(module.width(net));
        let truth = |bit: bool| BigUint::from(u8::from(bit));
        // adding the weight of the bit above the top one keeps differences positive
        let above = BigUint::from(1u8) << width;
        match cell {
            Cell::Const(k) => module.constant(k).clone(),
            Cell::Slice(a, low) => (value(a) >> low) & ones(width),
            Cell::ZeroExtend(a) => value(a).clone(),
            Cell::SignExtend(a) => {
                let top = u64::from(module.width(a)) - 1;
                match value(a).bit(top) {
                    true => value(a) | (ones(width) ^ all(a)),
                    false => value(a).clone(),
                }
            }
            Cell::Concat(list) => {
                module.list(list).iter().fold(BigUint::ZERO, |sum, &a| (sum << module.width(a)) | value(a))
            }
            Cell::Not(a) => value(a) ^ all(a),
            Cell::ReduceAnd(a) => truth(*value(a) == all(a)),
            Cell::ReduceOr(a) => truth(value(a).bits() > 0),
            Cell::And(a, b) => value(a) & value(b),
            Cell::Or(a, b) => value(a) | value(b),
            Cell::Xor(a, b) => value(a) ^ value(b),
            Cell::Add(a, b) => (value(a) + value(b)) % above,
            Cell::Sub(a, b) => (value(a) + &above - value(b)) % above,
            Cell::Mul(a, b) => (value(a) * value(b)) % above,
            Cell::Eq(a, b) => truth(value(a) == value(b)),
            Cell::LtUnsigned(a, b) => truth(value(a) < value(b)),
            Cell::LtSigned(a, b) => {
                let top = BigUint::from(1u8) << (module.width(a) - 1);
                truth((value(a) ^ &top) < (value(b) ^ &top))
            }
            Cell::Mux(s, a, b) => value(if value(s).bit(0) { a } else { b }).clone(),
            Cell::Table(a, t) => word(module.table(t), value(a)),
            Cell::Read(a, m) => word(&self.memories[m as usize], value(a)),
            Cell::Register(r) => self.registers[r as usize].clone(),
            Cell::Input(_) | Cell::Output(..) => unreachable!("the caller answers these"),
        }
    }

    fn edge(&mut self, reset: bool) {
        let module = self.design.module(self.id);
        let value = |net: Net| &self.values[net.index()];
        for (content, register) in self.registers.iter_mut().zip(&module.registers) {
            if reset && register.reset != Reset::None {
                content.clone_from(&register.initial);
            } else if register.enable.is_none_or(|net| value(net).bit(0)) {
                content.clone_from(value(register.next));
            }
        }
        for (words, memory) in self.memories.iter_mut().zip(&module.memories) {
            let address = usize::try_from(value(memory.write.address)).unwrap_or(usize::MAX);
            if let Some(word) = words.get_mut(address)
                && value(memory.write.enable).bit(0)
            {
                word.clone_from(value(memory.write.data));
            }
        }
        for child in &mut self.children {
            if let Child::Module(stepper) = child {
                stepper.edge(reset);
            }
        }
    }
}

/// The word at `address`, 0 past the end.
fn word(words: &[BigUint], address: &BigUint) -> BigUint {
    usize::try_from(address).ok().and_then(|i| words.get(i)).cloned().unwrap_or_default()
}
