//! A data path put together from blocks: each a module of its own that is pipelined once and placed many times, or all
//! of them flat in one module.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use hdl::analysis::pipeline_register_bits;
use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::diag::{Cause, Diagnostic, Diagnostics};
use hdl::num::Format;
use hdl::passes::delay::DelayModel;
use hdl::passes::pipeline::{Goal, Options, Report, pipeline};
use serde::{Deserialize, Serialize};

use crate::arith::{Arithmetic, Effort, Fabric, Objective, Products};

/// How a design is cut into modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, Default)]
#[serde(rename_all = "lowercase")]
pub enum Structure {
    /// One module for each kind of block, pipelined once; its outputs come out of registers.
    #[default]
    Blocks,
    /// One module, pipelined as a whole.
    Flat,
}

/// What blocks are made of, the delays that stages are cut by, and what to.
#[derive(Clone, Copy)]
pub struct Stages<'a> {
    /// What products are made of.
    pub arithmetic: Arithmetic,
    /// Operator delays.
    pub delays: &'a dyn DelayModel,
    /// Clock and ports.
    pub options: Options,
}

/// A module under construction out of blocks.
pub struct Assembly<'m, 'a> {
    m: &'m ModuleBuilder,
    top: &'a str,
    structure: Structure,
    stages: Stages<'a>,
    products: Rc<Products>,
    made: RefCell<Vec<Made>>,
}

/// What goes into a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockInput {
    /// An element of its input port.
    Port(Format),
    /// A constant that is built in.
    Constant(i128),
}

impl BlockInput {
    fn of(value: &Value<'_>) -> Self {
        value.range().as_point().map_or(Self::Port(value.format()), Self::Constant)
    }
}

/// A block that has been made.
struct Made {
    block: String,
    inputs: Vec<BlockInput>,
    at_ports: bool,
    module: Arc<Module>,
    report: Report,
    /// Cycle in which its first copy begins.
    begins: u32,
}

impl<'m> Assembly<'m, '_> {
    /// The products of all blocks.
    pub fn products(&self) -> &Rc<Products> {
        &self.products
    }

    /// The outputs of a copy of `block` for `inputs`; `body` says what the block does.
    ///
    /// Blocks of one name do the same, and become one module for each row of input formats. Inputs that are constants are
    /// built in.
    ///
    /// # Errors
    /// Those of building and of pipelining the block.
    pub fn place(
        &self,
        block: &str,
        instance: &str,
        inputs: &[Value<'m>],
        body: impl for<'b> Fn(&'b ModuleBuilder, &[Value<'b>]) -> Result<Vec<Value<'b>>, Diagnostic>,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        if self.structure == Structure::Flat {
            return Ok(self.m.scope(instance, || body(self.m, inputs))?);
        }
        let inputs_of = inputs.iter().map(BlockInput::of).collect();
        let ports: Vec<Value<'m>> = inputs.iter().filter(|v| v.range().as_point().is_none()).copied().collect();
        let cycles = ports.iter().filter_map(|v| v.stamp().cycle());
        let module = self.made(block, inputs_of, cycles.max().unwrap_or(0), body)?;
        Ok(self.m.instance(&module, instance, &ports))
    }

    /// The module of a block whose inputs come out of registers.
    ///
    /// # Errors
    /// Those of building and of pipelining the block.
    pub fn module(
        &self,
        block: &str,
        inputs: Vec<Format>,
        body: impl for<'b> Fn(&'b ModuleBuilder, &[Value<'b>]) -> Result<Vec<Value<'b>>, Diagnostic>,
    ) -> Result<Arc<Module>, Diagnostics> {
        self.made(block, inputs.into_iter().map(BlockInput::Port).collect(), 1, body)
    }

    fn made(
        &self,
        block: &str,
        inputs: Vec<BlockInput>,
        begins: u32,
        body: impl for<'b> Fn(&'b ModuleBuilder, &[Value<'b>]) -> Result<Vec<Value<'b>>, Diagnostic>,
    ) -> Result<Arc<Module>, Diagnostics> {
        let at_ports = begins == 0;
        let known = |made: &Made| made.block == block && made.inputs == inputs && made.at_ports == at_ports;
        let found = self.made.borrow().iter().find(|m| known(m)).map(|m| Arc::clone(&m.module));
        match found {
            Some(module) => Ok(module),
            None => self.make(block, inputs, begins, body),
        }
    }

    fn make(
        &self,
        block: &str,
        inputs: Vec<BlockInput>,
        begins: u32,
        body: impl for<'b> Fn(&'b ModuleBuilder, &[Value<'b>]) -> Result<Vec<Value<'b>>, Diagnostic>,
    ) -> Result<Arc<Module>, Diagnostics> {
        let same = self.made.borrow().iter().filter(|m| m.block == block).count();
        let name = match same {
            0 => format!("{}_{block}", self.top),
            n => format!("{}_{block}_variant{n}", self.top),
        };
        let b = ModuleBuilder::new(&name);
        let formats = inputs.iter().filter_map(|input| match input {
            BlockInput::Port(format) => Some(*format),
            BlockInput::Constant(_) => None,
        });
        let mut ports = b.input_port("inputs", formats.collect(), Stamp::at(0)).into_iter();
        let value = |input: &BlockInput| match input {
            BlockInput::Port(_) => ports.next(),
            BlockInput::Constant(value) => Some(b.constant(*value, 0)),
        };
        let values: Vec<Value<'_>> = inputs.iter().filter_map(value).collect();
        b.output_array("outputs", &body(&b, &values)?);
        let at_ports = begins == 0;
        let mut options = self.stages.options;
        if !at_ports {
            options.input_delay = 0;
        }
        let (module, report) = pipeline(&*b.finish()?, self.stages.delays, &options)?;
        let module = Arc::new(module);
        self.made.borrow_mut().push(Made {
            block: block.to_owned(),
            inputs,
            at_ports,
            module: Arc::clone(&module),
            report,
            begins,
        });
        Ok(module)
    }
}

/// The arithmetic with few adder bits wherever constant products are operators: sums of three take 3 % fewer look-up tables
/// on `xcup` (JEDI-linear of 8 nodes at 5 ns), but a cycle more.
fn shallow(arithmetic: Arithmetic) -> Arithmetic {
    match arithmetic.constants {
        Fabric::Cells(..) => arithmetic,
        Fabric::Operators(_) => Arithmetic { constants: Fabric::Operators(Objective::AdderBits), ..arithmetic },
    }
}

/// The module that `body` builds out of blocks, in stages.
///
/// # Errors
/// Those of the blocks; a latency asked of a design of blocks, whose latency is the sum of theirs.
pub fn assemble(
    top: &str,
    structure: Structure,
    stages: Stages<'_>,
    body: impl for<'b> FnOnce(&Assembly<'b, '_>, &'b ModuleBuilder) -> Result<(), Diagnostics>,
) -> Result<(Arc<Module>, Report), Diagnostics> {
    if structure == Structure::Blocks && !matches!(stages.options.goal, Goal::Clock(_)) {
        let message = "a latency cannot be chosen for a design of blocks";
        return Err(Diagnostic::error("impossible-latency", message)
            .because(Cause::ImpossibleTiming)
            .help("leave it to the clock, or build one flat module with --structure flat")
            .into());
    }
    let m = ModuleBuilder::new(top);
    let assembly = Assembly {
        m: &m,
        top,
        structure,
        stages,
        products: Rc::new(Products::new(shallow(stages.arithmetic), Some(Effort::Fast))),
        made: RefCell::new(Vec::new()),
    };
    body(&assembly, &m)?;
    let made = assembly.made.into_inner();
    let module = m.finish()?;
    match structure {
        Structure::Flat => {
            let (module, report) = pipeline(&module, stages.delays, &stages.options)?;
            Ok((Arc::new(module), report))
        }
        Structure::Blocks => {
            let report = together(&made, &module);
            Ok((module, report))
        }
    }
}

/// One report on all blocks: the slowest of those that work in the same cycle count.
fn together(made: &[Made], top: &Arc<Module>) -> Report {
    let mut stage_delays = vec![0; top.latency() as usize];
    for block in made {
        let stages = stage_delays.iter_mut().skip(block.begins as usize);
        for (slowest, delay) in stages.zip(&block.report.stage_delays) {
            *slowest = (*slowest).max(*delay);
        }
    }
    Report {
        latency: top.latency(),
        clock: made.iter().map(|b| b.report.clock).max().unwrap_or(0),
        stage_delays,
        register_bits: register_bits(top),
        critical_path: Vec::new(),
    }
}

/// Bits of the pipeline registers of a module and of every instance below it.
fn register_bits(top: &Arc<Module>) -> u64 {
    let mut below: Vec<(*const Module, u64)> = Vec::new();
    for module in top.hierarchy() {
        let of = |child: &Arc<Module>| {
            let known = below.iter().find(|(m, _)| *m == Arc::as_ptr(child));
            known.map_or(0, |(_, bits)| *bits)
        };
        let children: u64 = module.instances.iter().map(|i| of(&i.module)).sum();
        below.push((Arc::as_ptr(&module), pipeline_register_bits(&module) + children));
    }
    below.last().map_or(0, |(_, bits)| *bits)
}
