//! From exact integers to bits: each module of a data-flow hierarchy becomes one register-transfer module.
//!
//! A node becomes a net as wide as its range needs, or narrower where its readers only look at the low bits (see
//! [`demand`]). Ports are packed as [`pack`](crate::pack) says. A module gets a port `clk` if anything in it waits for the
//! clock, and `rst` if anything in it listens to a reset. Modules of the same name and content are one; modules of the same
//! name and different content are told apart by a number behind the name.

mod arithmetic;
mod bits;
mod demand;
mod instance;
mod module;
mod naming;
mod operator;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use self::demand::net_widths;
use crate::dfg;
use crate::diag::Diagnostics;
use crate::names::Allocator;
use crate::rtl::{Design, Module, ModuleId, validate};

/// The design with `top` and all below it.
///
/// # Errors
/// A bug in a pass before, or in here: what is lowered is validated.
pub fn lower(top: &Arc<dfg::Module>) -> Result<Design, Diagnostics> {
    let mut units = Units::default();
    let hierarchy = top.hierarchy();
    units.reserve(top, &hierarchy);
    for module in &hierarchy {
        let lowered = module::lower(module, |child| units.known[&Arc::as_ptr(child)]);
        units.add(module, lowered?, Arc::ptr_eq(module, top));
    }
    validate(&units.design)?;
    Ok(units.design)
}

/// The modules lowered so far.
#[derive(Default)]
struct Units {
    design: Design,
    known: HashMap<*const dfg::Module, ModuleId>,
    contents: HashMap<Module, ModuleId>,
    names: Allocator,
}

impl Units {
    /// Names that no other module may take: the top's, and those of modules whose Verilog exists already.
    fn reserve(&mut self, top: &dfg::Module, hierarchy: &[Arc<dfg::Module>]) {
        self.names.reserve(&top.name);
        let boxes = hierarchy.iter().filter(|m| m.black_box.is_some());
        boxes.for_each(|m| self.names.reserve(&m.name));
    }

    fn add(&mut self, source: &Arc<dfg::Module>, lowered: Module, is_top: bool) {
        let same = self.contents.get(&lowered).filter(|_| !is_top);
        if let Some(&same) = same {
            self.known.insert(Arc::as_ptr(source), same);
            return;
        }
        let id = ModuleId(self.design.modules.len() as u32);
        let mut named = lowered.clone();
        if named.black_box.is_none() && !is_top {
            named.name = self.names.allocate(&lowered.name);
        }
        self.known.insert(Arc::as_ptr(source), id);
        self.contents.insert(lowered, id);
        self.design.modules.push(named);
    }
}
