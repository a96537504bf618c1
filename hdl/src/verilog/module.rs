//! One module, statement by statement.

use std::io::{self, Write};

use super::LineMap;
use super::expression::{Expressions, constant, vector};
use super::kept::kept_module;
use super::layout::Lines;
use crate::dfg::{Reset, ScopeId};
use crate::rtl::{Cell, Design, Instance, Module, ModuleId, Net};

pub(super) struct Writer<'a, 'w, W> {
    design: &'a Design,
    module: &'a Module,
    text: Expressions<'a>,
    lines: Lines<'w, W>,
    /// What registers with synchronous reset call it.
    synchronous_reset: Option<String>,
    mixed_resets: bool,
    /// Which tables' functions are written.
    tables: Vec<bool>,
    /// Which instances are written.
    instances: Vec<bool>,
    /// Nets of each instance's output ports.
    instance_nets: Vec<Vec<Net>>,
}

impl<'a, 'w, W: Write> Writer<'a, 'w, W> {
    pub fn new(design: &'a Design, id: ModuleId, mixed_resets: bool, lines: Lines<'w, W>) -> Self {
        let module = design.module(id);
        let mut instance_nets: Vec<Vec<Net>> =
            module.instances.iter().map(|i| vec![Net(0); design.module(i.module).outputs.len()]).collect();
        for net in module.nets() {
            if let Cell::Output(i, p) = module.cell(net) {
                instance_nets[i as usize][p as usize] = net;
            }
        }
        Self {
            design,
            module,
            text: Expressions::new(module),
            lines,
            synchronous_reset: module.reset.clone(),
            mixed_resets,
            tables: vec![false; module.table_count()],
            instances: vec![false; module.instances.len()],
            instance_nets,
        }
    }

    pub fn write(mut self) -> io::Result<(Vec<LineMap>, u32)> {
        self.header()?;
        self.memories()?;
        for net in self.module.nets() {
            self.statement(net)?;
        }
        for i in 0..self.module.instances.len() {
            self.instance(i)?;
        }
        self.resets()?;
        self.registers()?;
        self.write_ports()?;
        self.outputs()?;
        self.unused()?;
        self.put("endmodule")?;
        Ok(self.lines.finish())
    }

    /// A line that belongs to the module as a whole.
    fn put(&mut self, text: &str) -> io::Result<()> {
        self.lines.put(ScopeId::default(), text)
    }

    fn header(&mut self) -> io::Result<()> {
        let clocks = self.module.clock.iter().chain(&self.module.reset);
        let clocks = clocks.map(|name| format!("  input  wire {name}"));
        let inputs = self.module.inputs.iter();
        let inputs = inputs.map(|p| format!("  input  wire {}{}", vector(p.width), p.name));
        let outputs = self.module.outputs.iter();
        let outputs = outputs.map(|p| format!("  output wire {}{}", vector(p.width), p.name));
        let ports: Vec<String> = clocks.chain(inputs).chain(outputs).collect();
        let name = &self.module.name;
        match ports.split_last() {
            None => self.put(&format!("module {name};")),
            Some((last, others)) => {
                self.put(&format!("module {name} ("))?;
                for port in others {
                    self.put(&format!("{port},"))?;
                }
                self.put(last)?;
                self.put(");")
            }
        }
    }

    fn memories(&mut self) -> io::Result<()> {
        for memory in &self.module.memories {
            let (width, last) = (vector(memory.width), memory.depth - 1);
            self.put(&format!("  reg {width}{} [0:{last}];", memory.name))?;
        }
        Ok(())
    }

    /// The declaration of a net, with what it needs before.
    fn statement(&mut self, net: Net) -> io::Result<()> {
        let scope = self.module.scope(net);
        let width = vector(self.module.width(net));
        match self.module.cell(net) {
            Cell::Input(_) => Ok(()),
            Cell::Output(i, _) => self.instance(i as usize),
            Cell::Register(r) => {
                let name = self.text.names.net(net);
                let kind = if self.module.registers[r as usize].kept { "wire" } else { "reg" };
                self.lines.put(scope, &format!("  {kind} {width}{name};"))
            }
            cell if self.text.usage.is_declared(net) => {
                if let Cell::Table(a, t) = cell {
                    self.function(t, a, net)?;
                }
                let name = self.text.names.net(net);
                let value = self.text.cell(net);
                self.lines.put(scope, &format!("  wire {width}{name} = {value};"))
            }
            _ => Ok(()),
        }
    }

    /// The function of table `t`, before its first use.
    fn function(&mut self, t: u32, index: Net, net: Net) -> io::Result<()> {
        if std::mem::replace(&mut self.tables[t as usize], true) {
            return Ok(());
        }
        let scope = self.module.scope(net);
        let (bits, width) = (self.module.width(index), self.module.width(net));
        let name = self.text.table(t);
        let words = self.module.table(t);
        let lines = &mut self.lines;
        lines.put(scope, &format!("  function {}{name};", vector(width)))?;
        lines.put(scope, &format!("    input {}index;", vector(bits)))?;
        lines.put(scope, "    case (index)")?;
        for (i, word) in words.iter().enumerate() {
            let word = constant(word, width);
            lines.put(scope, &format!("      {bits}'d{i}: {name} = {word};"))?;
        }
        // a case that covers all is left without a default, or simulators would warn of one that never holds
        if bits < usize::BITS && words.len() < 1 << bits {
            lines.put(scope, &format!("      default: {name} = {width}'d0;"))?;
        }
        lines.put(scope, "    endcase")?;
        lines.put(scope, "  endfunction")
    }

    fn instance(&mut self, i: usize) -> io::Result<()> {
        if std::mem::replace(&mut self.instances[i], true) {
            return Ok(());
        }
        let instance = &self.module.instances[i];
        let child = self.design.module(instance.module);
        for (&net, port) in self.instance_nets[i].iter().zip(&child.outputs) {
            let name = self.text.names.net(net);
            let declaration = format!("  wire {}{name};", vector(port.width));
            self.lines.put(instance.scope, &declaration)?;
        }
        let text = self.instantiation(instance, child, &self.instance_nets[i]);
        self.lines.put(instance.scope, &text)
    }

    fn instantiation(&self, instance: &Instance, child: &Module, outputs: &[Net]) -> String {
        let connection = |port: &str, value: &str| format!(".{port}({value})");
        let parameters: Vec<String> = child
            .black_box
            .iter()
            .flat_map(|known| &known.parameters)
            .map(|(name, value)| connection(name, &value.to_string()))
            .collect();
        let parameters = match parameters[..] {
            [] => String::new(),
            _ => format!("#({}) ", parameters.join(", ")),
        };
        let parent = self.module;
        let clocks = [(&child.clock, &parent.clock), (&child.reset, &parent.reset)];
        let clocks = clocks.into_iter().filter_map(|(inner, outer)| Some(connection(inner.as_ref()?, outer.as_ref()?)));
        let inputs = child.inputs.iter().zip(&instance.inputs);
        let inputs = inputs.map(|(port, &net)| connection(&port.name, &self.text.read(net)));
        let outputs = child.outputs.iter().zip(outputs);
        let outputs = outputs.map(|(p, &net)| connection(&p.name, &self.text.names.net(net)));
        let ports: Vec<String> = clocks.chain(inputs).chain(outputs).collect();
        let (module, name) = (&child.name, &instance.name);
        format!("  {module} {parameters}{name} ({});", ports.join(", "))
    }

    /// A second name for the reset where a linter wants one.
    fn resets(&mut self) -> io::Result<()> {
        let synchronous = |m: &Module| {
            let mut registers = m.registers.iter();
            registers.any(|r| r.reset == Reset::Synchronous)
        };
        if let Some(reset) = &self.module.reset
            && self.mixed_resets
            && synchronous(self.module)
        {
            let name = self.text.names.free(format!("{reset}_synchronous"));
            self.put(&format!("  wire {name} = {reset};"))?;
            self.synchronous_reset = Some(name);
        }
        Ok(())
    }

    /// Neighbouring registers of one reset and enable share a block; kept ones are instances.
    fn registers(&mut self) -> io::Result<()> {
        let nets: Vec<(Net, u32)> = self
            .module
            .nets()
            .filter_map(|net| match self.module.cell(net) {
                Cell::Register(r) => Some((net, r)),
                _ => None,
            })
            .collect();
        let (kept, nets): (Vec<_>, Vec<_>) =
            nets.into_iter().partition(|(_, r)| self.module.registers[*r as usize].kept);
        for (net, r) in kept {
            self.kept(net, r)?;
        }
        let style = |r: u32| {
            let register = &self.module.registers[r as usize];
            (register.reset, register.enable)
        };
        for group in nets.chunk_by(|a, b| style(a.1) == style(b.1)) {
            let (reset, enable) = style(group[0].1);
            self.block(group, reset, enable)?;
        }
        Ok(())
    }

    /// A register that stands in a module of its own.
    fn kept(&mut self, net: Net, r: u32) -> io::Result<()> {
        let register = &self.module.registers[r as usize];
        let module = kept_module((self.module.width(net), register.reset));
        let name = self.text.names.net(net);
        let instance = self.text.names.free(format!("{name}_reg"));
        let reset = match (register.reset, &self.synchronous_reset, &self.module.reset) {
            (Reset::None, ..) => String::new(),
            (Reset::Synchronous, Some(reset), _) | (Reset::Asynchronous, _, Some(reset)) => format!(".rst({reset}), "),
            _ => unreachable!("a valid register with a reset stands in a module with one"),
        };
        let clock = self.module.clock.as_deref().unwrap_or_default();
        let next = self.text.read(register.next);
        let text = format!("  {module} {instance} (.clk({clock}), {reset}.d({next}), .q({name}));");
        self.lines.put(self.module.scope(net), &text)
    }

    fn block(&mut self, group: &[(Net, u32)], reset: Reset, enable: Option<Net>) -> io::Result<()> {
        let scope = self.module.scope(group[0].0);
        let clock = self.module.clock.clone().unwrap_or_default();
        let name = match reset {
            Reset::Synchronous => self.synchronous_reset.clone(),
            _ => self.module.reset.clone(),
        }
        .unwrap_or_default();
        let edge = match reset {
            Reset::Asynchronous => format!(" or posedge {name}"),
            _ => String::new(),
        };
        let enable = enable.map(|net| format!("if ({}) begin", self.text.read(net)));
        let begin = format!("  always @(posedge {clock}{edge}) begin");
        self.lines.put(scope, &begin)?;
        if reset != Reset::None {
            self.lines.put(scope, &format!("    if ({name}) begin"))?;
            self.assign(group, true, "      ")?;
            let condition = enable.as_deref().unwrap_or("begin");
            self.lines.put(scope, &format!("    end else {condition}"))?;
            self.assign(group, false, "      ")?;
            self.lines.put(scope, "    end")?;
        } else if let Some(condition) = enable {
            self.lines.put(scope, &format!("    {condition}"))?;
            self.assign(group, false, "      ")?;
            self.lines.put(scope, "    end")?;
        } else {
            self.assign(group, false, "    ")?;
        }
        self.lines.put(scope, "  end")
    }

    fn assign(&mut self, group: &[(Net, u32)], initial: bool, indent: &str) -> io::Result<()> {
        for &(net, r) in group {
            let register = &self.module.registers[r as usize];
            let name = self.text.names.net(net);
            let value = if initial {
                constant(&register.initial, self.module.width(net))
            } else {
                self.text.read(register.next)
            };
            let scope = self.module.scope(net);
            self.lines.put(scope, &format!("{indent}{name} <= {value};"))?;
        }
        Ok(())
    }

    fn write_ports(&mut self) -> io::Result<()> {
        for memory in &self.module.memories {
            let clock = self.module.clock.clone().unwrap_or_default();
            let write = memory.write;
            let [enable, address, data] = [write.enable, write.address, write.data].map(|net| self.text.read(net));
            let scope = self.module.scope(write.data);
            let name = &memory.name;
            self.lines.put(scope, &format!("  always @(posedge {clock}) begin"))?;
            let store = format!("    if ({enable}) {name}[{address}] <= {data};");
            self.lines.put(scope, &store)?;
            self.lines.put(scope, "  end")?;
        }
        Ok(())
    }

    fn outputs(&mut self) -> io::Result<()> {
        for output in &self.module.outputs {
            if let Some(net) = output.net {
                let value = self.text.read(net);
                let scope = self.module.scope(net);
                self.lines.put(scope, &format!("  assign {} = {value};", output.name))?;
            }
        }
        Ok(())
    }

    /// One net that reads what nothing else does.
    fn unused(&mut self) -> io::Result<()> {
        let module = self.module;
        let mut unused: Vec<String> = Vec::new();
        let children = || module.instances.iter().map(|i| self.design.module(i.module));
        let clocked =
            !module.registers.is_empty() || !module.memories.is_empty() || children().any(|c| c.clock.is_some());
        let resets = module.registers.iter().any(|r| r.reset != Reset::None) || children().any(|c| c.reset.is_some());
        unused.extend(module.clock.clone().filter(|_| !clocked));
        unused.extend(module.reset.clone().filter(|_| !resets));
        for net in module.nets().filter(|&net| self.text.usage.is_declared(net)) {
            let gaps = self.text.usage.unread(module, net);
            unused.extend(gaps.into_iter().map(|(low, w)| self.text.select(net, low, w)));
        }
        if unused.is_empty() {
            return Ok(());
        }
        let name = self.text.names.free("_unused".to_owned());
        self.put(&format!("  wire {name} = &{{1'b0, {}}};", unused.join(", ")))
    }
}
