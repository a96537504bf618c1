//! What a design takes on a target by the target's closed formulas, before any tool maps it.

use std::collections::HashSet;

use constraints::Target;
use constraints::target::{Cost, Operation, Technology};
use hdl::lower::{ADD3, FULL_ADDER, INVERTER};
use hdl::rtl::{Cell, Design, Instance, Module, Net};
use serde::Serialize;

/// Estimated size of a design. What a technology does not have is 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The target whose formulas these are.
    pub target: String,
    /// Look-up tables; one with two outputs counts as one.
    pub look_up_tables: f64,
    /// Flip-flops.
    pub flip_flops: f64,
    /// Cell area in µm², registers included, without buffers and clock tree.
    pub area_um2: f64,
}

impl Estimate {
    /// For people, as a paragraph.
    pub fn text(&self) -> String {
        let size = match self.look_up_tables > 0.0 {
            true => format!(
                "{:.0} look-up tables and {:.0} flip-flops",
                self.look_up_tables, self.flip_flops
            ),
            false => format!("{:.0} µm² of cells", self.area_um2),
        };
        format!(
            "\nEstimated by the formulas of target `{}`: {size}.\n",
            self.target
        )
    }
}

/// The size of `design` on `target`; `None` if it has something without a formula: `*`, register files, large tables, and
/// modules from elsewhere.
pub fn of(design: &Design, target: &Target) -> Option<Estimate> {
    let mut known: Vec<Option<Size>> = Vec::with_capacity(design.modules.len());
    for module in &design.modules {
        let size = match known_module(module, target) {
            Some(size) => Some(size),
            None => Sizer::new(module, target).size(|instance| known[instance.module.index()]),
        };
        known.push(size);
    }
    let top = known.pop()??;
    Some(Estimate {
        target: target.name.clone(),
        look_up_tables: top.look_up_tables,
        flip_flops: top.flip_flops,
        area_um2: top.area_um2,
    })
}

#[derive(Clone, Copy, Default)]
struct Size {
    look_up_tables: f64,
    flip_flops: f64,
    area_um2: f64,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.look_up_tables += other.look_up_tables;
        self.flip_flops += other.flip_flops;
        self.area_um2 += other.area_um2;
    }
}

impl From<Cost> for Size {
    fn from(cost: Cost) -> Self {
        Self {
            look_up_tables: cost.luts,
            flip_flops: cost.flip_flops,
            area_um2: cost.area_um2,
        }
    }
}

/// The modules that stand for a primitive.
fn known_module(module: &Module, target: &Target) -> Option<Size> {
    match module.name.as_str() {
        FULL_ADDER => Some(target.cost(Operation::Compress(1)).into()),
        INVERTER => Some(match &target.technology {
            Technology::Asic { model, .. } => Size {
                area_um2: model.inverter.area_um2,
                ..Size::default()
            },
            Technology::Fpga { .. } => Size::default(),
        }),
        ADD3 => {
            let parameters = &module.black_box.as_ref()?.parameters;
            let (_, width) = parameters.iter().find(|(name, _)| name == "WIDTH")?;
            let width = u32::try_from(*width).ok()?;
            Some(target.cost(Operation::Add3(width)).into())
        }
        _ => None,
    }
}

/// Adds up one module.
struct Sizer<'a> {
    module: &'a Module,
    target: &'a Target,
    /// Nets that something other than a multiplexer's data input reads.
    read: HashSet<Net>,
}

impl<'a> Sizer<'a> {
    fn new(module: &'a Module, target: &'a Target) -> Self {
        let mut read = HashSet::new();
        for net in module.nets() {
            match module.cell(net) {
                Cell::Mux(select, ..) => _ = read.insert(select),
                cell => read.extend(module.operands(cell)),
            }
        }
        let mut sizer = Self {
            module,
            target,
            read,
        };
        sizer.read.extend(sizer.leaving());
        sizer
    }

    /// The nets that outputs, registers and instances read.
    fn leaving(&self) -> impl Iterator<Item = Net> + use<'a> {
        let module = self.module;
        let outputs = module.outputs.iter().filter_map(|o| o.net);
        let registers = module.registers.iter().map(|r| r.next);
        let instances = module.instances.iter().flat_map(|i| &i.inputs).copied();
        outputs.chain(registers).chain(instances)
    }

    fn size(&self, child: impl Fn(&Instance) -> Option<Size>) -> Option<Size> {
        if self.module.black_box.is_some() || !self.module.memories.is_empty() {
            return None;
        }
        let mut size = Size::default();
        for instance in &self.module.instances {
            size.add(child(instance)?);
        }
        for net in self.module.nets() {
            size.add(self.net(net)?);
        }
        size.look_up_tables += f64::from(self.inverted_bits());
        Some(size)
    }

    /// What drives one net.
    fn net(&self, net: Net) -> Option<Size> {
        let width = self.module.width(net);
        let operand = |net: Net| self.module.width(net);
        let operation = match self.module.cell(net) {
            Cell::Input(_)
            | Cell::Const(_)
            | Cell::Slice(..)
            | Cell::ZeroExtend(_)
            | Cell::SignExtend(_)
            | Cell::Concat(_)
            | Cell::Not(_)
            | Cell::Output(..) => return Some(Size::default()),
            Cell::Add(a, b) | Cell::Sub(a, b) => Operation::Add(self.computed(width, [a, b])),
            Cell::And(..) | Cell::Or(..) => return Some(self.gates(width)),
            Cell::Xor(..) => Operation::Xor(width),
            Cell::ReduceAnd(a) | Cell::ReduceOr(a) => return Some(self.gates(operand(a) - 1)),
            Cell::Eq(a, _) | Cell::LtUnsigned(a, _) | Cell::LtSigned(a, _) => {
                Operation::Compare(operand(a))
            }
            // one that only another reads shares its tables
            Cell::Mux(..) if self.look_up_tables() && !self.read.contains(&net) => {
                return Some(Size::default());
            }
            Cell::Mux(_, a, b) if [a, b].iter().any(|n| self.module.as_constant(*n).is_some()) => {
                return Some(self.gates(width));
            }
            Cell::Mux(..) => Operation::Mux(width),
            Cell::Register(_) => Operation::Register(width),
            Cell::Table(index, _) => return self.table(operand(index), width),
            Cell::Mul(..) | Cell::Read(..) => return None,
        };
        Some(self.target.cost(operation).into())
    }

    fn look_up_tables(&self) -> bool {
        matches!(self.target.technology, Technology::Fpga { .. })
    }

    /// Gates of two inputs, and choices of a constant: on libraries a tool makes NAND and NOR of most.
    fn gates(&self, width: u32) -> Size {
        match &self.target.technology {
            Technology::Asic { model, .. } => Size {
                area_um2: f64::from(width) * model.nand2.area_um2,
                ..Size::default()
            },
            Technology::Fpga { .. } => self.target.cost(Operation::And(width)).into(),
        }
    }

    /// A table that fits look-up tables, one for each bit of its words.
    fn table(&self, index: u32, width: u32) -> Option<Size> {
        match &self.target.technology {
            Technology::Fpga { model, .. } if index <= model.lut_inputs => Some(Size {
                look_up_tables: width.into(),
                ..Size::default()
            }),
            _ => None,
        }
    }

    /// Bits of a sum that take logic: on AMD parts none above the tops of both operands, since Yosys makes what goes onto
    /// the carry chain there once.
    fn computed(&self, width: u32, operands: [Net; 2]) -> u32 {
        if self.target.carry_cell().is_none() {
            return width;
        }
        let top = |net: Net| match self.module.cell(net) {
            Cell::SignExtend(x) | Cell::ZeroExtend(x) => self.module.width(x),
            Cell::Const(_) => 0,
            _ => width,
        };
        let [a, b] = operands.map(top);
        a.max(b).min(width)
    }

    /// Bits that are inverted in tables of their own, where carries take operands from before the table. A sum that is
    /// only subtracted is delivered inverted.
    fn inverted_bits(&self) -> u32 {
        let needed =
            matches!(&self.target.technology, Technology::Fpga { model, .. } if model.inverters);
        if !needed {
            return 0;
        }
        // of a sum whose low bits are copies, the sum
        let wired = |net: Net| match self.module.cell(net) {
            Cell::SignExtend(x) | Cell::ZeroExtend(x) | Cell::Slice(x, _) => Some(x),
            Cell::Concat(parts) => self.module.list(parts).first().copied(),
            _ => None,
        };
        let source = |net: Net| {
            std::iter::successors(Some(net), |n| wired(*n))
                .last()
                .unwrap_or(net)
        };
        let (mut plain, mut inverted) = (HashSet::new(), HashSet::new());
        plain.extend(self.leaving().map(source));
        for net in self.module.nets() {
            match self.module.cell(net) {
                Cell::Sub(a, b) => {
                    plain.insert(source(a));
                    inverted.insert(source(b));
                }
                _ if wired(net).is_some() => {}
                cell => plain.extend(self.module.operands(cell).map(source)),
            }
        }
        let taken = |net: &&Net| {
            let made = matches!(
                self.module.cell(**net),
                Cell::Add(..) | Cell::Sub(..) | Cell::Table(..)
            );
            let constant = matches!(self.module.cell(**net), Cell::Const(_));
            !constant && (!made || plain.contains(*net))
        };
        let nets = inverted.iter().filter(taken);
        nets.map(|net| self.module.width(*net)).sum()
    }
}

#[cfg(test)]
mod tests {
    use hdl::dfg::{ModuleBuilder, Value};
    use hdl::lower;
    use hdl::num::Format;

    use super::*;
    use crate::arith::{Effort, Fabric, InputSpec, Matrix, Problem, estimate, optimise};

    fn size(
        target: &str,
        body: impl for<'m> FnOnce(&'m ModuleBuilder, Value<'m>, Value<'m>),
    ) -> Option<Estimate> {
        let target = Target::load(target).unwrap();
        let m = ModuleBuilder::new("m");
        let [x, y] = ["x", "y"].map(|name| m.input(name, Format::signed(8, 0).unwrap()));
        body(&m, x, y);
        of(&lower::lower(&m.finish().unwrap()).unwrap(), &target)
    }

    #[test]
    fn sums_registers_and_inverters() {
        let difference = |target| size(target, |m, x, y| m.output("d", (x - y).delay(1))).unwrap();
        let of = |target| {
            let e = difference(target);
            (e.look_up_tables, e.flip_flops)
        };
        assert_eq!(of("xcup"), (8.0, 9.0));
        assert_eq!(of("ice40-hx8k"), (9.0 + 8.0, 9.0));
        assert_eq!(of("ecp5-45k"), (10.0, 9.0));
        let cells = difference("osu018");
        assert!(cells.area_um2 > 0.0 && cells.look_up_tables == 0.0);
    }

    #[test]
    fn products_have_no_formula() {
        assert_eq!(size("xcup", |m, x, y| m.output("p", x * y)), None);
    }

    /// The optimiser's own estimate, which is held against mapped tables, from the emitted adders.
    #[test]
    fn matrices_are_estimated_as_their_adder_graphs() {
        let row = |i: i64| (0..8).map(|j| (i * 37 + j * 23) % 31 - 15).collect();
        let rows: Vec<Vec<i64>> = (1..9).map(row).collect();
        for name in ["xcup", "ice40-hx8k", "ecp5-45k"] {
            let target = Target::load(name).unwrap();
            let inputs = vec![InputSpec::bits(8, true); 8];
            let mut problem = Problem::new(Matrix::from_rows(&rows).unwrap(), inputs);
            let Fabric::Operators(objective) = Fabric::of(&target) else {
                panic!("{name} is an FPGA")
            };
            problem.objective = objective;
            let graph = optimise(&problem, Effort::Fast, 0).unwrap();
            let m = ModuleBuilder::new("m");
            let x = m.input_array("x", 8, Format::signed(8, 0).unwrap());
            let sums = Fabric::of(&target).solve(problem, Effort::Fast).unwrap();
            m.output_array("y", &sums.build(&m, &x));
            let adders = match target.carry_cell() {
                Some(_) => lower::Adders::ThreeOperand,
                None => lower::Adders::TwoOperand,
            };
            let design = lower::lower_to(&m.finish().unwrap(), adders).unwrap();
            let found = of(&design, &target).unwrap().look_up_tables;
            let expected = estimate::estimate(&graph, &target).luts;
            assert!(
                (found / expected - 1.0).abs() < 0.02,
                "{name}: {found}, {expected}"
            );
        }
    }
}
