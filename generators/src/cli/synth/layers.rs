//! Which layer of the network a net of the mapped netlist belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::diag::Diagnostics;
use hdl::lower;
use hdl::rtl::{self, Cell, Names};

/// The layer of every net that has a name in the Verilog.
#[derive(Debug)]
pub struct Layers {
    /// The last is the top.
    modules: Vec<Nets>,
}

/// What one module's names stand for.
#[derive(Debug, Default)]
struct Nets {
    layers: HashMap<String, String>,
    instances: HashMap<String, usize>,
}

impl Layers {
    /// The layers of `top` and of the modules in it.
    ///
    /// # Errors
    /// Those of lowering.
    pub fn of(top: &Arc<Module>) -> Result<Self, Diagnostics> {
        let design = lower::lower(top)?;
        let last = design.modules.len().saturating_sub(1);
        let modules = design.modules.iter().enumerate();
        Ok(Self {
            modules: modules.map(|(i, m)| Nets::of(m, i == last)).collect(),
        })
    }

    /// The layer of a net of the flattened netlist, such as `instance.net` or `net[3]`.
    pub fn of_net(&self, net: &str) -> Option<String> {
        let mut module = self.modules.last()?;
        let mut rest = net.split_once('[').map_or(net, |(name, _)| name);
        while let Some((instance, inner)) = rest.split_once('.') {
            module = self.modules.get(*module.instances.get(instance)?)?;
            rest = inner;
        }
        module.layers.get(rest).cloned()
    }
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
        let layers = Layers::of(&outer.finish().unwrap()).unwrap();
        assert_eq!(layers.of_net("u0.sum[2]").as_deref(), Some("inner.conv"));
        assert_eq!(layers.of_net("late").as_deref(), Some("outer"));
        for unknown in ["u1.sum", "u0.sum_LUT6_O", "x", "", "u0."] {
            assert_eq!(layers.of_net(unknown), None, "{unknown}");
        }
    }
}
