//! Instances: elements packed into ports and taken out of them again.

use std::sync::Arc;

use super::module::Lowering;
use crate::dfg;
use crate::diag::{Diagnostic, Diagnostics};
use crate::num::Format;
use crate::pack;
use crate::rtl::{BlackBox, Cell, Instance, Module, ModuleId, Net, Output, Port};

/// What a parent knows of an instance.
pub(super) struct Child {
    module: ModuleId,
    /// Formats of the elements of each input port.
    inputs: Vec<Vec<Format>>,
    /// Width of each output port.
    outputs: Vec<u32>,
    /// Output port and least bit of each output element.
    places: Vec<(u32, u32)>,
    /// Nets of the output ports, once the instance is made.
    nets: Option<Vec<Net>>,
}

impl Child {
    pub fn new(module: ModuleId, source: &Arc<dfg::Module>) -> Self {
        let outputs: Vec<Vec<Format>> = match &source.black_box {
            Some(known) => known.outputs.iter().map(|(_, f, _)| vec![*f]).collect(),
            None => source.outputs.iter().map(|p| p.elements.iter().map(|e| e.format).collect()).collect(),
        };
        let places = (0..)
            .zip(&outputs)
            .flat_map(|(port, formats)| pack::layout(formats.iter().copied()).map(move |(low, _)| (port, low)));
        Self {
            module,
            inputs: source.inputs.iter().map(|p| p.elements.clone()).collect(),
            places: places.collect(),
            outputs: outputs.iter().map(|f| pack::width(f.iter().copied())).collect(),
            nets: None,
        }
    }
}

impl Lowering<'_> {
    /// The low `width` bits of output element `k` of instance `i`.
    pub fn instance_output(&mut self, i: u32, k: u32, width: u32) -> Result<Net, Diagnostics> {
        self.instance(i)?;
        let child = &self.children[i as usize];
        let (port, low) = child.places[k as usize];
        let net = child.nets.as_ref().expect("made above")[port as usize];
        Ok(self.b.slice(net, low, width))
    }

    /// Makes instance `i` unless it is there.
    pub fn instance(&mut self, i: u32) -> Result<(), Diagnostics> {
        if self.children[i as usize].nets.is_some() {
            return Ok(());
        }
        let source = &self.source.instances[i as usize];
        let formats = self.children[i as usize].inputs.clone();
        if formats.iter().map(Vec::len).sum::<usize>() != source.inputs.len() {
            let message = format!("instance `{}` has a wrong number of inputs", source.name);
            return Err(Diagnostic::bug("instance-inputs", message).into());
        }
        let mut elements = source.inputs.iter().copied();
        let inputs: Vec<Net> = formats
            .iter()
            .map(|port| self.packed(elements.by_ref().take(port.len()).zip(port.iter().copied())))
            .collect();
        let index = self.b.module.instances.len() as u32;
        let child = &mut self.children[i as usize];
        self.b.module.instances.push(Instance {
            name: source.name.clone(),
            module: child.module,
            inputs,
            scope: self.b.scope,
        });
        let nets = (0..).zip(&child.outputs).map(|(port, &width)| self.b.add(Cell::Output(index, port), width));
        child.nets = Some(nets.collect());
        Ok(())
    }

    /// The bus of these nodes in these formats.
    pub fn packed(&mut self, elements: impl Iterator<Item = (dfg::NodeId, Format)>) -> Net {
        let mut parts: Vec<Net> = elements
            .filter(|(_, format)| format.range.width() > 0)
            .map(|(n, format)| self.low(n, format.range.width()))
            .collect();
        if parts.is_empty() {
            return self.b.integer(0, 1);
        }
        parts.reverse();
        self.b.concat(&parts)
    }
}

/// The interface of a module whose body is elsewhere.
pub(super) fn black_box(source: &dfg::Module, known: &dfg::BlackBox) -> Module {
    let input = |p: &dfg::Port| Port { name: p.name.clone(), width: pack::width(p.elements.iter().copied()) };
    let output = |(name, format, _): &(String, Format, dfg::Stamp)| Output {
        name: name.clone(),
        width: pack::width([*format]),
        net: None,
    };
    let mut module = Module::default();
    module.name.clone_from(&source.name);
    module.clock.clone_from(&known.clock);
    module.inputs = source.inputs.iter().map(input).collect();
    module.outputs = known.outputs.iter().map(output).collect();
    module.black_box = Some(BlackBox { parameters: known.parameters.clone() });
    module
}
