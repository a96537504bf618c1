//! Which layer of the network a net of the mapped netlist belongs to.

use std::collections::HashMap;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::lower;
use hdl::rtl::{self, Cell, Design, Names};
use sim::netlist::json;

use super::asic::bus_of;
use super::work::Work;
use crate::flow::Folder;
use crate::output::synthesis;

/// The layer of every net that has a name in the Verilog.
#[derive(Debug)]
pub struct Layers {
    modules: Vec<Nets>,
    top: usize,
}

/// What one module's names stand for.
#[derive(Debug, Default)]
struct Nets {
    module: String,
    layers: HashMap<String, String>,
    /// Scopes within the module, where there is one.
    scopes: HashMap<String, String>,
    instances: HashMap<String, usize>,
}

impl Layers {
    /// The layers of the module called `top` and of the modules in it.
    fn of(design: &Design, top: &str) -> Self {
        Self {
            modules: design.modules.iter().map(|m| Nets::of(m, m.name == top)).collect(),
            top: design.modules.iter().position(|m| m.name == top).unwrap_or_default(),
        }
    }

    /// The layers of the folder's Verilog.
    ///
    /// # Errors
    /// Those of lowering.
    pub fn of_folder(folder: &Folder) -> Result<Self, Diagnostics> {
        Ok(Self::of(&folder.lowered()?, &folder.top.name))
    }

    /// The layer of a net of the module called `module`, such as `net[3]`, or `instance.net` where it was flattened.
    fn of_net(&self, module: &str, net: &str) -> Option<String> {
        let start = self.modules.iter().find(|m| m.module == module)?;
        let (module, name) = self.find(start, net)?;
        module.layers.get(name).cloned()
    }

    /// What a net of the mapped top module is called in the Verilog, and its layer. `bus_3_` is bit 3 of `bus`.
    pub fn in_verilog(&self, net: &str) -> Option<(String, String)> {
        let layer = |net: &str| self.of_net(&self.modules.get(self.top)?.module, net);
        if let Some(layer) = layer(net) {
            return Some((net.to_owned(), layer));
        }
        let bus = bus_of(net);
        let bit = net.get(bus.len() + 1..)?.strip_suffix('_')?;
        Some((format!("{bus}[{bit}]"), layer(bus)?))
    }

    /// A net for people: instance, layer and neuron, then the net itself. `None` if the Verilog does not name it.
    pub fn describe(&self, net: &str) -> Option<String> {
        let (module, name) = self.find(self.modules.get(self.top)?, net)?;
        let layer = module.scopes.get(name).or_else(|| module.layers.get(name))?;
        let instance = net.rsplit_once('.').map(|(instance, _)| format!("{instance} "));
        let plain = net.rsplit_once('.').map_or(net, |(_, net)| net);
        Some(format!("{}{layer}: {plain}", instance.unwrap_or_default()))
    }

    /// The module and the name in it of a net whose path begins in `module`.
    fn find<'m, 'n>(&'m self, mut module: &'m Nets, net: &'n str) -> Option<(&'m Nets, &'n str)> {
        let mut rest = net.split_once('[').map_or(net, |(name, _)| name);
        while let Some((instance, inner)) = rest.split_once('.') {
            module = self.modules.get(*module.instances.get(instance)?)?;
            rest = inner;
        }
        Some((module, rest))
    }
}

/// Modules that stand for one cell each.
const CELLS: [&str; 2] = [lower::FULL_ADDER, lower::INVERTER];

/// The modules below the top that have a body of their own.
#[derive(Debug)]
pub struct Blocks {
    /// Their names, each before those that it instantiates.
    pub names: Vec<String>,
    /// Nets of all modules, each counted for every copy.
    flattened: u64,
    /// Nets of all modules, each counted once.
    once: u64,
}

impl Blocks {
    /// Nets of a flattened design from which on keeping its blocks is worth their borders: Yosys flattens that many in a
    /// few minutes.
    const LARGE: u64 = 50_000;

    /// # Errors
    /// Those of lowering.
    pub fn of(work: &Work<'_>) -> Result<Self, Diagnostics> {
        let top = &work.folder.top;
        let design = work.folder.lowered()?;
        let mut blocks = Self { names: Vec::new(), flattened: 0, once: 0 };
        let mut copies = vec![0u64; design.modules.len()];
        // a module stands before those that instantiate it
        for (i, module) in design.modules.iter().enumerate().rev() {
            if module.name == top.name {
                copies[i] = 1;
            } else if module.black_box.is_none() && !CELLS.contains(&module.name.as_str()) {
                blocks.names.push(module.name.clone());
            }
            let times = copies[i];
            for instance in &module.instances {
                let inner = &mut copies[instance.module.index()];
                *inner = inner.saturating_add(times);
            }
            let nets = module.nets().count() as u64;
            blocks.once += nets;
            blocks.flattened = blocks.flattened.saturating_add(nets.saturating_mul(times));
        }
        Ok(blocks)
    }

    /// Whether the design is large, and at most half of that if each module is counted once.
    pub fn are_worth_it(&self) -> bool {
        self.flattened >= Self::LARGE && self.once * 2 <= self.flattened
    }
}

/// Cells of each layer by type, from the netlist that Yosys wrote for it.
///
/// `kept` are the modules that mapping left as they are, each before those that it instantiates; their cells count for
/// every copy. `bus` gives the name in the Verilog of a net, where mapping changed it.
///
/// # Errors
/// A netlist that cannot be read.
pub fn count(work: &Work<'_>, kept: &[String], bus: impl Fn(&str) -> &str) -> Result<synthesis::Layers, Diagnostics> {
    let path = work.staging.path().join(json::FILE);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        let error = Diagnostic::error("file", format!("cannot read the netlist: {e}"));
        error.at(json::FILE, "this file")
    })?;
    let layers = Layers::of_folder(work.folder)?;
    let netlist = json::Netlist::parse(&text)?;
    let layer = |module: &str, net: &str| {
        let exact = layers.of_net(module, net);
        exact.or_else(|| layers.of_net(module, bus(net)))
    };
    let mut modules = vec![work.folder.top.name.as_str()];
    modules.extend(kept.iter().map(String::as_str));
    Ok(openlane::owners::counts(&netlist, &modules, layer))
}

impl Nets {
    /// Layers of the top are called as they are; those of other modules have the module's name before them.
    fn of(module: &rtl::Module, is_top: bool) -> Self {
        let names = Names::new(module);
        let layer = |path: &str| match (path.split('.').next().unwrap_or_default(), is_top) {
            ("", _) => module.name.clone(),
            (layer, true) => layer.to_owned(),
            (layer, false) => format!("{}.{layer}", module.name),
        };
        // what drives an input stands in another module
        let driven = module.nets().filter(|net| !matches!(module.cell(*net), Cell::Input(_)));
        let mut layers = HashMap::new();
        let mut scopes = HashMap::new();
        for net in driven {
            let path = module.scope_path(module.scope(net));
            layers.insert(names.net(net), layer(path));
            if !path.is_empty() {
                scopes.insert(names.net(net), path.to_owned());
            }
        }
        let instances = module.instances.iter();
        Self {
            module: module.name.clone(),
            layers,
            scopes,
            instances: instances.map(|i| (i.name.clone(), i.module.0 as usize)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use hdl::dfg::ModuleBuilder;
    use hdl::lower::Adders;
    use hdl::num::Format;

    use super::*;

    #[test]
    fn nets_of_instances_are_found_by_their_path() {
        let format = Format::signed(4, 0).unwrap();
        let inner = ModuleBuilder::new("inner");
        let (a, b) = (inner.input("a", format), inner.input("b", format));
        let sum = inner.scope("conv", || inner.scope("p3", || (a + b).named("sum")));
        inner.output("y", sum.delay(1));
        let inner = inner.finish().unwrap();
        let outer = ModuleBuilder::new("outer");
        let x = outer.input("x", format);
        let y = outer.instance(&inner, "u0", &[x, x]);
        outer.output("y", y[0].delay(1).named("late"));
        let design = lower::lower_to(&outer.finish().unwrap(), Adders::TwoOperand).unwrap();
        let layers = Layers::of(&design, "outer");
        assert_eq!(layers.of_net("outer", "u0.conv_p3_sum[2]").as_deref(), Some("inner.conv"));
        assert_eq!(layers.of_net("outer", "late").as_deref(), Some("outer"));
        assert_eq!(layers.describe("u0.conv_p3_sum[2]").as_deref(), Some("u0 conv.p3: conv_p3_sum[2]"));
        assert_eq!(layers.describe("late[0]").as_deref(), Some("outer: late[0]"));
        assert_eq!(layers.describe("u0._12_"), None);
        for unknown in ["u1.conv_p3_sum", "u0.conv_p3_sum_LUT6_O", "x", "", "u0."] {
            assert_eq!(layers.of_net("outer", unknown), None, "{unknown}");
        }
    }
}
