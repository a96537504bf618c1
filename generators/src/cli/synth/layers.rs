//! Which layer of the network a net of the mapped netlist belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::lower::{self, ADD3, Adders};
use hdl::rtl::{self, Cell, Names};
use sim::synth::owners;

use super::work::Work;
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
    layers: HashMap<String, String>,
    instances: HashMap<String, usize>,
}

impl Layers {
    /// The layers of `top` and of the modules in it, whose Verilog was made of `adders`.
    ///
    /// # Errors
    /// Those of lowering.
    fn of(top: &Arc<Module>, adders: Adders) -> Result<Self, Diagnostics> {
        let design = lower::lower_to(top, adders)?;
        let modules = design.modules.iter();
        Ok(Self {
            modules: modules.map(|m| Nets::of(m, m.name == top.name)).collect(),
            top: design
                .modules
                .iter()
                .position(|m| m.name == top.name)
                .unwrap_or_default(),
        })
    }

    /// The layers of the folder's Verilog, which has a file for three-operand adders if it uses them.
    ///
    /// # Errors
    /// Those of lowering.
    pub fn of_folder(work: &Work<'_>) -> Result<Self, Diagnostics> {
        let three = work.folder.dir().join(format!("{ADD3}.v"));
        let adders = match three.is_file() {
            true => Adders::ThreeOperand,
            false => Adders::TwoOperand,
        };
        Self::of(&work.folder.top, adders)
    }

    /// The layer of a net of the flattened netlist, such as `instance.net` or `net[3]`.
    pub fn of_net(&self, net: &str) -> Option<String> {
        let mut module = self.modules.get(self.top)?;
        let mut rest = net.split_once('[').map_or(net, |(name, _)| name);
        while let Some((instance, inner)) = rest.split_once('.') {
            module = self.modules.get(*module.instances.get(instance)?)?;
            rest = inner;
        }
        module.layers.get(rest).cloned()
    }
}

/// Cells of each layer by type, from the netlist that Yosys wrote for it.
///
/// `bus` gives the name in the Verilog of a net, where mapping changed it.
///
/// # Errors
/// A netlist that cannot be read.
pub fn count(
    work: &Work<'_>,
    bus: impl Fn(&str) -> &str,
) -> Result<synthesis::Layers, Diagnostics> {
    let path = work.staging.path().join(owners::FILE);
    let text = std::fs::read_to_string(&path).map_err(|e| {
        let error = Diagnostic::error("file", format!("cannot read the netlist: {e}"));
        error.at(owners::FILE, "this file")
    })?;
    let layers = Layers::of_folder(work)?;
    let netlist = owners::Netlist::parse(&text)?;
    let layer = |net: &str| layers.of_net(net).or_else(|| layers.of_net(bus(net)));
    Ok(netlist.counts(&work.folder.top.name, layer))
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
        let driven = module
            .nets()
            .filter(|net| !matches!(module.cell(*net), Cell::Input(_)));
        let layers = driven.map(|net| {
            let path = module.scope_path(module.scope(net));
            (names.net(net), layer(path))
        });
        let instances = module.instances.iter();
        Self {
            layers: layers.collect(),
            instances: instances
                .map(|i| (i.name.clone(), i.module.0 as usize))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use hdl::dfg::ModuleBuilder;
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
        let layers = Layers::of(&outer.finish().unwrap(), Adders::TwoOperand).unwrap();
        assert_eq!(
            layers.of_net("u0.conv_p3_sum[2]").as_deref(),
            Some("inner.conv")
        );
        assert_eq!(layers.of_net("late").as_deref(), Some("outer"));
        for unknown in ["u1.conv_p3_sum", "u0.conv_p3_sum_LUT6_O", "x", "", "u0."] {
            assert_eq!(layers.of_net(unknown), None, "{unknown}");
        }
    }
}
