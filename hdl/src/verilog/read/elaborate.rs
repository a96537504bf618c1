//! Trees to a design: parameters get their values, names their nets.

use std::collections::HashMap;

use super::Place;
use super::ast::{Expr, InstanceText, Item, ModuleText};
use super::behaviour;
use super::parse::Parsed;
use super::scope::Scope;
use crate::diag::Diagnostic;
use crate::names::quoted;
use crate::rtl::{Cell, Design, Instance, Module, ModuleId, Net, Register};

/// Deepest nesting of modules.
const DEPTH: usize = 32;

pub(super) fn fail<T>(place: Place, message: impl Into<String>) -> Parsed<T> {
    Err((place, Diagnostic::error("verilog", message)))
}

/// The module `top`, which is among `texts`, and all below it.
pub(super) fn design(texts: &[ModuleText<'_>], top: &str) -> Parsed<Design> {
    let mut by_name: HashMap<&str, &ModuleText<'_>> = HashMap::new();
    for text in texts {
        if by_name.insert(text.name, text).is_some() {
            return fail(text.place, format!("module `{}` is there twice", text.name));
        }
    }
    let mut elaborator = Elaborator { by_name, done: HashMap::new(), design: Design::default(), open: Vec::new() };
    elaborator.module(top, &[], Place::default())?;
    Ok(elaborator.design)
}

/// A module and the values of its parameters.
type Shape = (String, Vec<i64>);

struct Elaborator<'t, 'a> {
    by_name: HashMap<&'a str, &'t ModuleText<'a>>,
    done: HashMap<Shape, ModuleId>,
    design: Design,
    /// The modules that are being made, outermost first.
    open: Vec<&'a str>,
}

impl<'t, 'a> Elaborator<'t, 'a> {
    fn module(&mut self, name: &str, given: &[(&str, i64)], place: Place) -> Parsed<ModuleId> {
        let Some(&text) = self.by_name.get(name) else {
            return fail(place, format!("there is no module {} in the files", quoted(name)));
        };
        if let Some((unknown, _)) = given.iter().find(|(n, _)| text.parameters.iter().all(|(known, _)| known != n)) {
            return fail(place, format!("module `{name}` has no parameter `{unknown}`"));
        }
        let value = |(parameter, default): &(&'a str, i64)| {
            let given = given.iter().find(|(name, _)| name == parameter);
            (*parameter, given.map_or(*default, |(_, value)| *value))
        };
        let parameters: Vec<(&str, i64)> = text.parameters.iter().map(value).collect();
        let shape = (name.to_owned(), parameters.iter().map(|(_, value)| *value).collect());
        if let Some(&done) = self.done.get(&shape) {
            return Ok(done);
        }
        if self.open.contains(&text.name) || self.open.len() == DEPTH {
            return fail(place, format!("module `{name}` stands inside itself"));
        }
        self.open.push(text.name);
        let module = self.body(text, &parameters)?;
        self.open.pop();
        let id = ModuleId(self.design.modules.len() as u32);
        self.design.modules.push(module);
        self.done.insert(shape, id);
        Ok(id)
    }

    fn body(&mut self, text: &'t ModuleText<'a>, parameters: &[(&'a str, i64)]) -> Parsed<Module> {
        let values = parameters.iter().map(|(_, value)| format!("_{value}"));
        let mut scope = Scope::new(values.fold(text.name.to_owned(), |name, value| name + &value), parameters);
        let mut children = Vec::new();
        for (place, item) in &text.items {
            if let Item::Instance(instance) = item {
                children.push(self.module(instance.module, &instance.parameters, *place)?);
            }
        }
        self.clocks(text, &children, &mut scope)?;
        scope.ports(&text.ports)?;
        let held = self.held(text, &children);
        let mut children = children.into_iter();
        for (place, item) in &text.items {
            scope.place = *place;
            match item {
                Item::Wire { name, range, value: None } if held.contains_key(name) => {
                    scope.kept_register(name, range, held[name])?;
                }
                Item::Wire { name, range, value } => scope.wire(name, range, value.as_ref())?,
                Item::Reg { name, range, words: None } => scope.register(name, range)?,
                Item::Reg { name, range, words } => scope.memory(name, range, words)?,
                Item::Function(function) => scope.table(function)?,
                Item::Instance(instance) => {
                    let child = children.next().expect("one was made for each instance");
                    self.instance(instance, child, &mut scope)?;
                }
                Item::Assign { name, value } => scope.assign(name, value)?,
                Item::Always(always) => behaviour::always(always, &mut scope)?,
            }
        }
        scope.finish(text)
    }

    /// Which ports are clock and reset: what registers, and modules inside, are clocked and reset by.
    fn clocks(&self, text: &ModuleText<'a>, children: &[ModuleId], scope: &mut Scope<'a>) -> Parsed<()> {
        let mut children = children.iter();
        for (place, item) in &text.items {
            scope.place = *place;
            match item {
                Item::Always(always) => {
                    scope.clock(always.clock)?;
                    behaviour::reset_of(always, text).map_or(Ok(()), |reset| scope.reset(reset))?;
                }
                Item::Instance(instance) => {
                    let child = self.design.module(*children.next().expect("one was made for each instance"));
                    for (port, value) in &instance.connections {
                        let is = |own: &Option<String>| own.as_deref() == Some(*port);
                        match value {
                            Expr::Name(name) if is(&child.clock) => scope.clock(name)?,
                            Expr::Name(name) if is(&child.reset) => scope.reset(behaviour::port_of(name, text))?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The wires that kept registers drive which stand in instances of their own, and these registers.
    fn held(&self, text: &ModuleText<'a>, children: &[ModuleId]) -> HashMap<&'a str, &Register> {
        let instances = text.items.iter().filter_map(|(_, item)| match item {
            Item::Instance(instance) => Some(instance),
            _ => None,
        });
        let held = instances.zip(children).filter_map(|(instance, child)| {
            let register = self.kept_register(instance, *child)?;
            let output = &self.design.module(*child).outputs[0].name;
            match instance.connections.iter().find(|(port, _)| port == output)?.1 {
                Expr::Name(name) => Some((name, register)),
                _ => None,
            }
        });
        held.collect()
    }

    /// The register that a kept module consists of, if it is one that loads its only input.
    fn kept_register(&self, instance: &InstanceText<'_>, child: ModuleId) -> Option<&Register> {
        let module = self.design.module(child);
        let ([input], [output], [register]) = (&module.inputs[..], &module.outputs[..], &module.registers[..]) else {
            return None;
        };
        let is_kept = self.by_name[instance.module].kept && module.instances.is_empty() && register.enable.is_none();
        let loads = module.cell(register.next) == Cell::Input(0) && module.width(register.next) == input.width;
        let drives = output.net.is_some_and(|net| module.cell(net) == Cell::Register(0));
        (is_kept && loads && drives).then_some(register)
    }

    fn instance(&self, text: &InstanceText<'a>, child: ModuleId, scope: &mut Scope<'a>) -> Parsed<()> {
        let module = self.design.module(child);
        let clocks = module.clock.iter().chain(&module.reset).map(String::as_str);
        let inputs = module.inputs.iter().map(|p| p.name.as_str());
        let outputs = module.outputs.iter().map(|p| p.name.as_str());
        let expected: Vec<&str> = clocks.chain(inputs).chain(outputs).collect();
        let mut seen: Vec<&str> = text.connections.iter().map(|(port, _)| *port).collect();
        seen.sort_unstable();
        let mut sorted = expected.clone();
        sorted.sort_unstable();
        if seen != sorted {
            let message =
                format!("instance `{}` connects {seen:?}, module `{}` has {sorted:?}", text.name, text.module);
            return fail(scope.place, message);
        }
        let value = |port: &str| &text.connections.iter().find(|(name, _)| *name == port).expect("just compared").1;
        if self.kept_register(text, child).is_some() {
            let input = &module.inputs[0];
            let next = scope.value(value(&input.name), input.width)?;
            return match value(&module.outputs[0].name) {
                Expr::Name(name) => scope.load(name, next),
                _ => fail(scope.place, "a register's output is connected to a wire"),
            };
        }
        let index = scope.builder.module.instances.len() as u32;
        let mut inputs: Vec<Net> = Vec::new();
        for (k, port) in module.inputs.iter().enumerate() {
            let value = value(&port.name);
            // a clock or reset that nothing in the module waits for
            let is_idle = matches!(value, Expr::Name(name) if scope.is_clock(name)) && !is_read(module, k as u32);
            inputs.push(match is_idle {
                true => scope.builder.integer(0, port.width),
                false => scope.value(value, port.width)?,
            });
        }
        let name = text.name.to_owned();
        scope.builder.module.instances.push(Instance { name, module: child, inputs, scope: Default::default() });
        for (k, port) in module.outputs.iter().enumerate() {
            let net = scope.builder.add(Cell::Output(index, k as u32), port.width);
            scope.drive(value(&port.name), net)?;
        }
        Ok(())
    }
}

/// Whether anything in `module` reads input port `k`.
fn is_read(module: &Module, k: u32) -> bool {
    let is_port = |net: Net| module.cell(net) == Cell::Input(k);
    let cells = module.nets().any(|net| module.operands(module.cell(net)).any(is_port));
    cells || module.roots().any(is_port)
}
