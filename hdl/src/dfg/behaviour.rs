//! Two ways to compute one value: cells for synthesis, words for simulation.
//!
//! While a module is built, [`Op::Same`] holds both. A finished module is made of the first of each, and carries a twin
//! made of the second: the same ports, cycles and integers. Simulators run the twin, which has a few word-wide sums
//! where the module has thousands of full adders; synthesis takes the module.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::module::{Instance, Module};
use super::{NodeId, Op, Rewriter};
use crate::diag::{Diagnostic, Diagnostics};

/// The module made of cells, with its twin made of words; `module` as it is if it holds no [`Op::Same`].
///
/// # Errors
/// An internal one.
pub(super) fn resolve_twins(module: Module) -> Result<Module, Diagnostics> {
    let graph = &module.graph;
    if !graph.nodes().any(|n| matches!(graph.op(n), Op::Same(..))) {
        return Ok(module);
    }
    let mut cells = chosen(&module, |cells, _| cells)?;
    cells.twin = Some(Arc::new(chosen(&module, |_, words| words)?));
    Ok(cells)
}

/// The module with each [`Op::Same`] replaced by what `choose` takes of its operands, and without what only the other
/// operand needs.
fn chosen(module: &Module, choose: fn(NodeId, NodeId) -> NodeId) -> Result<Module, Diagnostics> {
    let graph = &module.graph;
    let mut needed = vec![false; graph.len()];
    module.roots().for_each(|n| needed[n.index()] = true);
    for n in graph.nodes().rev().filter(|n| !matches!(graph.op(*n), Op::Const(_))) {
        let i = n.index();
        match graph.op(n) {
            Op::Same(cells, words) if needed[i] => needed[choose(cells, words).index()] = true,
            op if needed[i] => op.operands().for_each(|a| needed[a.index()] = true),
            _ => {}
        }
    }
    let mut rewriter = Rewriter::new(module);
    for n in graph.nodes().filter(|n| needed[n.index()]) {
        let new = match graph.op(n) {
            Op::Same(cells, words) => rewriter.get(choose(cells, words)),
            _ => rewriter.copy(n).map_err(|error| {
                let message = format!("a legal node cannot be made again: {error}");
                Diagnostic::bug("twin", message).label(module.place_of(n), "made here")
            })?,
        };
        rewriter.set(n, new);
    }
    Ok(rewriter.finish())
}

/// The design for simulators: the twin of each module of `top` that has one, and every other module as it is.
pub fn behaviour(top: &Arc<Module>) -> Arc<Module> {
    simulated(top, &mut FxHashMap::default())
}

/// `module`, for which simulators run `twin`.
///
/// # Errors
/// `twin` if ports, formats or cycles of the two differ.
pub fn simulated_by(module: &Arc<Module>, twin: Arc<Module>) -> Result<Arc<Module>, Diagnostic> {
    let names = |m: &Module| m.outputs.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    let same = module.inputs == twin.inputs
        && names(module) == names(&twin)
        && module.output_formats() == twin.output_formats();
    match same {
        true => Ok(Arc::new(Module { twin: Some(twin), ..Module::clone(module) })),
        false => Err(Diagnostic::error("twin", format!("this is no behaviour of `{}`: its ports differ", module.name))),
    }
}

/// What stands for `module`, given what stands for those that were asked before.
fn simulated(module: &Arc<Module>, known: &mut FxHashMap<*const Module, Arc<Module>>) -> Arc<Module> {
    if let Some(same) = known.get(&Arc::as_ptr(module)) {
        return Arc::clone(same);
    }
    let own = module.twin.as_ref().unwrap_or(module);
    let children: Vec<Arc<Module>> = own.instances.iter().map(|i| simulated(&i.module, known)).collect();
    let unchanged = own.instances.iter().zip(&children).all(|(i, new)| Arc::ptr_eq(&i.module, new));
    let new = match unchanged {
        true => Arc::clone(own),
        false => {
            let instances = own.instances.iter().zip(children);
            let instances = instances.map(|(i, module)| Instance { module, ..i.clone() });
            Arc::new(Module { instances: instances.collect(), ..Module::clone(own) })
        }
    };
    known.insert(Arc::as_ptr(module), Arc::clone(&new));
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::{ModuleBuilder, eval};
    use crate::num::Format;
    use crate::passes::delay::GenericDelay;
    use crate::passes::pipeline;

    /// `x + y` in full adders and as a word.
    fn adder() -> Arc<Module> {
        let m = ModuleBuilder::new("adder");
        let [x, y] = ["x", "y"].map(|name| m.input(name, Format::unsigned(4, 0).unwrap()));
        let mut carry = m.constant(0, 0);
        let mut bits = Vec::new();
        for k in 0..4 {
            let both = m.full_adder(x.bit(k), y.bit(k), carry);
            bits.push(both.bit(0));
            carry = both.bit(1);
        }
        let cells = bits.iter().rev().fold(carry, |high, bit| high.concat(*bit, 1));
        m.output("s", m.same(cells, x + y));
        m.finish().unwrap()
    }

    fn full_adders(module: &Module) -> usize {
        module.graph.nodes().filter(|n| matches!(module.graph.op(*n), Op::FullAdder(..))).count()
    }

    #[test]
    fn the_twin_has_words_and_the_same_values() {
        let module = adder();
        let twin = behaviour(&module);
        assert_eq!((full_adders(&module), full_adders(&twin)), (4, 0));
        assert!(module.graph.nodes().all(|n| !matches!(module.graph.op(n), Op::Same(..))));
        for i in 0..256 {
            let x = [i & 15, i >> 4];
            assert_eq!(eval::evaluate(&module, &x).unwrap(), eval::evaluate(&twin, &x).unwrap());
        }
    }

    #[test]
    fn the_twin_is_as_late_as_the_pipelined_module() {
        let options = pipeline::Options::new(pipeline::Goal::Latency(3));
        let (module, _) = pipeline::pipeline(&adder(), &GenericDelay::default(), &options).unwrap();
        let twin = behaviour(&Arc::new(module.clone()));
        assert_eq!((module.latency(), twin.latency()), (3, 3));
        assert_eq!(full_adders(&twin), 0);
    }

    #[test]
    fn a_twin_has_the_same_ports() {
        let module = adder();
        assert!(simulated_by(&module, behaviour(&module)).is_ok());
        let m = ModuleBuilder::new("adder");
        m.output("s", m.input("x", Format::unsigned(4, 0).unwrap()));
        assert_eq!(simulated_by(&module, m.finish().unwrap()).unwrap_err().code, "twin");
    }

    #[test]
    fn a_parent_s_behaviour_holds_its_children_s() {
        let child = adder();
        let m = ModuleBuilder::new("parent");
        let x = m.input_array("x", 2, Format::unsigned(4, 0).unwrap());
        let y = m.instance(&child, "u0", &x);
        m.output("y", y[0]);
        let parent = m.finish().unwrap();
        assert_eq!(full_adders(&behaviour(&parent).instances[0].module), 0);
        assert_eq!(full_adders(&parent.instances[0].module), 4);
    }
}
