//! Inverters of a library between a net and the many full adders that read it or its complement.
//!
//! A tool that maps for area makes one small inverter of a complement, however many cells read it, and leaves a full
//! adder alone with all its readers; either then takes longer than the rest of the sum. So complements with many
//! readers come out of several inverters, and what many read as it is comes out of two inverters in a row. Inverters are
//! instances, since equal gates would become one again.

use rustc_hash::FxHashMap;

use super::module::Lowering;
use crate::dfg::{self, Graph, NodeId, Op};
use crate::rtl::{Builder, Cell, Instance, Module, ModuleId, Net};

/// The inverter's module: input `A`, output `Y`. It stands behind the full adder in a design that uses it.
pub const INVERTER: &str = "hwgen_inverter";

/// Full adders that one inverter drives: one of twice or four times the least size, which costs little more than that.
const READERS: u32 = 4;

/// Complements that no more full adders than this read are left to synthesis.
const FEW_INVERTED: u32 = 1;

/// Full adders that a bit drives by itself: two inverters take about as long as four readers more.
const FEW: u32 = 6;

/// Inverters that one inverter drives.
const BRANCHES: u32 = 4;

/// How the readers of a bit, or of its complement, are reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fan {
    /// Inverters that the readers hang on, each on its own share of them; 0 if the readers hang on the bit itself.
    pub leaves: u32,
    /// Inverters between the bit and those.
    pub roots: u32,
}

impl Fan {
    /// For so many readers of the complement.
    pub fn inverted(readers: u32) -> Self {
        Self {
            leaves: match readers {
                0..=FEW_INVERTED => 0,
                _ => readers.div_ceil(READERS),
            },
            roots: 0,
        }
    }

    /// For so many readers of the bit itself, which is made inside the module.
    pub fn plain(readers: u32) -> Self {
        match readers {
            0..=FEW => Self::default(),
            _ => {
                let leaves = readers.div_ceil(READERS);
                Self { leaves, roots: leaves.div_ceil(BRANCHES) }
            }
        }
    }
}

/// A bit, or its complement.
type Wire = (NodeId, bool);

/// The inverters behind one wire.
#[derive(Debug, Default)]
struct Driver {
    fan: Fan,
    /// All its readers, and how many of them were served.
    readers: u32,
    served: u32,
    /// Outputs of the inverters made so far.
    leaves: Vec<Net>,
    roots: Vec<Net>,
}

/// The inverters of a module.
#[derive(Debug, Default)]
pub(super) struct Drivers(FxHashMap<Wire, Driver>);

impl Drivers {
    /// Those of the wires that too many full adders of `module` read.
    pub fn of(module: &dfg::Module) -> Self {
        let graph = &module.graph;
        let mut readers: FxHashMap<Wire, u32> = FxHashMap::default();
        for n in graph.nodes() {
            if let Op::FullAdder(x, y, z) = graph.op(n) {
                for operand in [x, y, z] {
                    *readers.entry(wire(graph, operand)).or_default() += 1;
                }
            }
        }
        let driver = |(wire, readers): (Wire, u32)| {
            let fan = match wire {
                (_, true) => Fan::inverted(readers),
                (n, false) if is_outside(graph, n) => Fan::default(),
                _ => Fan::plain(readers),
            };
            let driver = Driver { fan, readers, ..Driver::default() };
            (fan.leaves > 0).then_some((wire, driver))
        };
        Self(readers.into_iter().filter_map(driver).collect())
    }
}

/// Whether `module` needs the inverter.
pub(super) fn is_used(module: &dfg::Module) -> bool {
    !Drivers::of(module).0.is_empty()
}

/// The inverter.
pub(super) fn module() -> Module {
    let mut b = Builder::new(INVERTER, vec![String::new()]);
    let a = b.input("A", 1);
    let y = b.not(a);
    b.output("Y", y);
    b.module
}

/// What bit `n` is, seen through a complement.
fn wire(graph: &Graph, n: NodeId) -> Wire {
    let one = |n: NodeId| graph.as_constant(n) == Some(1);
    match graph.op(n) {
        Op::Xor(x, y) if one(y) => (x, true),
        Op::Xor(x, y) if one(x) => (y, true),
        _ => (n, false),
    }
}

/// Whether a bit comes from an input port, whose driver is somebody else's.
fn is_outside(graph: &Graph, mut n: NodeId) -> bool {
    loop {
        n = match graph.op(n) {
            Op::Wrap(x, ..) | Op::Shr(x, _) => x,
            Op::Input(_) | Op::Const(_) => return true,
            _ => return false,
        }
    }
}

impl Lowering<'_> {
    /// The bit `n` for one more full adder.
    pub fn driven(&mut self, n: NodeId) -> Net {
        let wire = wire(&self.source.graph, n);
        let Some(mut driver) = self.drivers.0.remove(&wire) else {
            return self.low(n, 1);
        };
        let leaf = u64::from(driver.served) * u64::from(driver.fan.leaves);
        let leaf = (leaf / u64::from(driver.readers)) as usize;
        driver.served += 1;
        if leaf == driver.leaves.len() {
            let source = self.root(wire.0, leaf, &mut driver);
            let net = self.inverter(source);
            driver.leaves.push(net);
        }
        let net = driver.leaves[leaf];
        self.drivers.0.insert(wire, driver);
        net
    }

    /// What the leaf inverter of that number inverts.
    fn root(&mut self, n: NodeId, leaf: usize, driver: &mut Driver) -> Net {
        if driver.fan.roots == 0 {
            return self.low(n, 1);
        }
        let root = leaf / BRANCHES as usize;
        if root == driver.roots.len() {
            let source = self.low(n, 1);
            let net = self.inverter(source);
            driver.roots.push(net);
        }
        driver.roots[root]
    }

    fn inverter(&mut self, a: Net) -> Net {
        let index = self.b.module.instances.len() as u32;
        self.b.module.instances.push(Instance {
            name: format!("not{index}"),
            module: ModuleId(1),
            inputs: vec![a],
            scope: self.b.scope,
        });
        self.b.add(Cell::Output(index, 0), 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::ModuleBuilder;
    use crate::lower::lower;
    use crate::num::Format;

    /// `readers` full adders that read one complement, or one sum that is made inside.
    fn instances(readers: usize, complement: bool) -> (usize, usize) {
        let m = ModuleBuilder::new("fan");
        let x = m.input_array("x", readers + 3, Format::unsigned(1, 0).unwrap());
        let inside = m.full_adder(x[0], x[1], x[2]).bit(0);
        let shared = match complement {
            true => x[0] ^ m.constant(1, 0),
            false => inside,
        };
        for k in 0..readers {
            let sum = m.full_adder(shared, x[k + 2], x[k + 3]);
            m.output(&format!("y{k}"), sum);
        }
        let design = lower(&m.finish().unwrap()).unwrap();
        let of = |name: &str| {
            let id = design.modules.iter().position(|m| m.name == name);
            let top = design.top();
            let mut ids = top.instances.iter().map(|i| i.module.0 as usize);
            id.map_or(0, |id| ids.by_ref().filter(|i| *i == id).count())
        };
        (of(INVERTER), of(super::super::FULL_ADDER))
    }

    #[test]
    fn few_readers_need_no_inverters() {
        assert_eq!(instances(1, true).0, 0);
        assert_eq!(instances(6, false).0, 0);
    }

    #[test]
    fn many_readers_share_inverters_evenly() {
        for (readers, inverters) in [(2, 1), (4, 1), (5, 2), (100, 25)] {
            assert_eq!(instances(readers, true).0, inverters);
            assert_eq!(Fan::inverted(readers as u32).leaves as usize, inverters);
        }
        for (readers, inverters) in [(7, 3), (9, 4), (32, 10), (33, 12)] {
            assert_eq!(instances(readers, false).0, inverters);
        }
    }

    #[test]
    fn no_inverter_has_more_readers_than_it_may() {
        let fan = Fan::plain(1000);
        assert!(fan.leaves * READERS >= 1000 && fan.roots * BRANCHES >= fan.leaves);
    }
}
