//! The identifier of every net.

use rustc_hash::FxHashSet;

use super::module::{Cell, Module, Net};
use crate::names::sanitised;

/// Characters of a scope's path that go into a name.
pub(crate) const SCOPE_LENGTH: usize = 128;

/// The identifiers of a module's nets and tables: given names as they are, others from scope, cell and number.
///
/// A made-up name ends in the net's number behind a letter, so two of them never meet; one that a given name has taken
/// gets underscores behind it.
#[derive(Debug)]
pub struct Names<'a> {
    module: &'a Module,
    given: FxHashSet<&'a str>,
    scopes: Vec<String>,
}

impl<'a> Names<'a> {
    /// The names in `module`.
    pub fn new(module: &'a Module) -> Self {
        let scopes = module.scopes.iter().map(|path| match path.as_str() {
            "" => String::new(),
            path => sanitised(path, SCOPE_LENGTH) + "_",
        });
        Self { module, given: given(module).collect(), scopes: scopes.collect() }
    }

    /// The identifier of `net`.
    pub fn net(&self, net: Net) -> String {
        if let Some(name) = self.module.name(net) {
            return name.to_owned();
        }
        let cell = self.module.cell(net);
        if let Cell::Input(port) = cell {
            return self.module.inputs[port as usize].name.clone();
        }
        let scope = self.module.scope(net).0 as usize;
        let scope = self.scopes.get(scope).map_or("", String::as_str);
        self.free(format!("{scope}{}{}", cell.mnemonic(), net.0))
    }

    /// The identifier of a thing that is no net, such as a function.
    pub fn free(&self, mut name: String) -> String {
        while self.given.contains(name.as_str()) {
            name.push('_');
        }
        name
    }
}

/// All names that are given in `module`.
pub(super) fn given(module: &Module) -> impl Iterator<Item = &str> {
    let ports = module.inputs.iter().map(|p| p.name.as_str());
    let outputs = module.outputs.iter().map(|p| p.name.as_str());
    let clocks = module.clock.iter().chain(&module.reset).map(String::as_str);
    let memories = module.memories.iter().map(|m| m.name.as_str());
    let instances = module.instances.iter().map(|i| i.name.as_str());
    let nets = module.names.values().map(String::as_str);
    ports.chain(outputs).chain(clocks).chain(memories).chain(instances).chain(nets)
}
