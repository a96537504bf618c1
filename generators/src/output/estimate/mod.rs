//! What a design takes on a target by the target's closed formulas, before any tool maps it.
//!
//! On libraries operators are cells for each bit ([`library`]). On FPGAs the design is taken apart into bits: carry chains
//! take what their formulas say, and the gates beside them as many look-up tables as cover them ([`fpga`], [`sums`], [`cover`]).

mod cover;
mod fpga;
mod gates;
mod library;
mod sums;

use constraints::Target;
use constraints::targets::{Cost, Operation, Technology};
use hdl::lower::{ADD3, FULL_ADDER, INVERTER};
use hdl::rtl::{Design, Module};
use serde::Serialize;

/// Estimated size of a design. What a technology does not have is 0.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The target whose formulas these are.
    pub target: String,
    /// Look-up tables; one with two outputs counts as one.
    pub look_up_tables: u64,
    /// Flip-flops.
    pub flip_flops: u64,
    /// Cell area in µm², registers included, without buffers and clock tree; to the hundredth.
    pub area_um2: f64,
}

impl Estimate {
    /// For people, as a paragraph.
    pub fn text(&self) -> String {
        let size = match self.look_up_tables {
            0 => format!("{:.0} µm² of cells", self.area_um2),
            tables => format!("{tables} look-up tables and {} flip-flops", self.flip_flops),
        };
        format!("\nEstimated by the formulas of target `{}`: {size}.\n", self.target)
    }
}

/// The size of `design` on `target`; `None` if it has something without a formula: `*`, register files, large tables, and
/// modules from elsewhere.
pub fn of(design: &Design, target: &Target) -> Option<Estimate> {
    let mut known: Vec<Option<Size>> = Vec::with_capacity(design.modules.len());
    for module in &design.modules {
        let size = known_module(module, target).or_else(|| {
            let inside = module.instances.iter().map(|i| known[i.module.index()]);
            let inside = inside.sum::<Option<Size>>()?;
            Some([own(module, target)?, inside].into_iter().sum())
        });
        known.push(size);
    }
    let top = known.pop()??;
    Some(Estimate {
        target: target.name.clone(),
        look_up_tables: top.look_up_tables.round() as u64,
        flip_flops: top.flip_flops.round() as u64,
        area_um2: (100.0 * top.area_um2).round() / 100.0,
    })
}

/// What `module` takes without what it instantiates.
fn own(module: &Module, target: &Target) -> Option<Size> {
    if module.black_box.is_some() || !module.memories.is_empty() {
        return None;
    }
    match &target.technology {
        Technology::Asic { model, .. } => library::size(module, model, target),
        Technology::Fpga { model, .. } => fpga::size(module, model, target),
    }
}

#[derive(Clone, Copy, Default)]
struct Size {
    look_up_tables: f64,
    flip_flops: f64,
    area_um2: f64,
}

impl std::ops::AddAssign for Size {
    fn add_assign(&mut self, other: Self) {
        self.look_up_tables += other.look_up_tables;
        self.flip_flops += other.flip_flops;
        self.area_um2 += other.area_um2;
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |mut total, size| {
            total += size;
            total
        })
    }
}

impl From<Cost> for Size {
    fn from(cost: Cost) -> Self {
        Self { look_up_tables: cost.luts, flip_flops: cost.flip_flops, area_um2: cost.area_um2 }
    }
}

/// The modules that stand for a primitive.
fn known_module(module: &Module, target: &Target) -> Option<Size> {
    match module.name.as_str() {
        FULL_ADDER => Some(target.cost(Operation::Compress(1)).into()),
        INVERTER => Some(match &target.technology {
            Technology::Asic { model, .. } => Size { area_um2: model.inverter.area_um2, ..Size::default() },
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hdl::dfg::{self, ModuleBuilder, Value};
    use hdl::lower::{self, Adders};
    use hdl::num::{Format, Interval};

    use super::*;
    use crate::arith::products::operators as build;
    use crate::arith::{Effort, Fabric, Matrix, Problem, cost, optimise};

    const FPGAS: [&str; 3] = ["xcup", "ice40-hx8k", "ecp5-45k"];

    fn estimate(module: &Arc<dfg::Module>, target: &str) -> Option<Estimate> {
        let target = Target::load(target).unwrap();
        let adders = match target.carry_cell() {
            Some(_) => Adders::ThreeOperand,
            None => Adders::TwoOperand,
        };
        of(&lower::lower_to(module, adders).unwrap(), &target)
    }

    fn module(
        bits: u32,
        signed: bool,
        body: impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Value<'m>,
    ) -> Arc<dfg::Module> {
        let m = ModuleBuilder::new("m");
        let format = match signed {
            true => Format::signed(bits, 0),
            false => Format::unsigned(bits, 0),
        };
        let x = m.input_array("x", 4, format.unwrap());
        m.output("y", body(&m, &x));
        m.finish().unwrap()
    }

    /// Look-up tables on [`FPGAS`].
    fn on_fpgas(module: &Arc<dfg::Module>) -> [u64; 3] {
        FPGAS.map(|name| estimate(module, name).unwrap().look_up_tables)
    }

    /// The same of `body` on signed inputs.
    fn tables(bits: u32, body: impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Value<'m>) -> [u64; 3] {
        on_fpgas(&module(bits, true, body))
    }

    /// The same of `body` on unsigned inputs.
    fn unsigned(bits: u32, body: impl for<'m> Fn(&'m ModuleBuilder, &[Value<'m>]) -> Value<'m>) -> [u64; 3] {
        on_fpgas(&module(bits, false, body))
    }

    #[test]
    fn sums_registers_and_inverters() {
        let module = module(8, true, |_, x| (x[0] - x[1]).delay(1));
        let [amd, ice40, ecp5] = FPGAS.map(|name| estimate(&module, name).unwrap());
        assert_eq!([amd.look_up_tables, amd.flip_flops], [8, 9]);
        assert_eq!([ice40.look_up_tables, ice40.flip_flops], [9 + 8, 9]);
        assert_eq!([ecp5.look_up_tables, ecp5.flip_flops], [10, 9]);
        let cells = estimate(&module, "osu018").unwrap();
        assert!(cells.area_um2 > 0.0 && cells.look_up_tables == 0);
        assert_eq!(cells.area_um2, (100.0 * cells.area_um2).round() / 100.0);
    }

    #[test]
    fn bits_beside_constants_take_no_table_on_amd_parts() {
        let narrow = unsigned(8, |_, x| x[0] + x[1].slice(4, 0));
        assert_eq!(narrow, [5, 8, 10]);
        let triple = unsigned(5, |_, x| x[0] + (x[0] << 1));
        assert_eq!(triple, [4, 5, 6]);
    }

    /// A constant's ones invert what goes onto the chain.
    #[test]
    fn ones_beside_a_chain_are_inverters() {
        let [amd, ..] = tables(5, |m, x| x[0] + m.constant(11, 0));
        assert_eq!(amd, 3);
        let [amd, ..] = unsigned(5, |_, x| -x[0]);
        assert_eq!(amd, 5);
    }

    #[test]
    fn a_subtracted_table_is_made_in_the_adders_own() {
        let entries: Vec<i128> = (0..32).map(|i| (i * i * 37 + 11 * i) % 251 - 125).collect();
        let [subtracted, ..] = tables(8, |_, x| x[0] - x[1].slice(4, 0).lookup(&entries, 0));
        let [subtracted_from, ..] = tables(8, |_, x| x[1].slice(4, 0).lookup(&entries, 0) - x[0]);
        assert_eq!([subtracted, subtracted_from], [8, 16]);
    }

    /// The narrower of two operands goes onto the chain as it is.
    #[test]
    fn gates_of_the_wider_operand_are_made_in_the_adders_tables() {
        let [wider, ..] = unsigned(8, |_, x| x[0].slice(4, 0) + (x[1] & x[2]));
        let [narrower, ..] = unsigned(8, |_, x| x[0] + (x[1].slice(4, 0) & x[2].slice(4, 0)));
        assert_eq!([wider, narrower], [8, 10]);
    }

    #[test]
    fn a_maximum_is_a_comparison_and_a_choice() {
        let [amd, ..] = tables(8, |_, x| x[0].max(x[1]));
        assert_eq!(amd, 6 + 8);
    }

    #[test]
    fn sums_of_three_as_wide_are_full_adders_and_a_chain() {
        let plain = tables(8, |_, x| ((x[0] + x[1]).wrap(8, true) + x[2]).wrap(8, true));
        assert_eq!(plain[1..], [22, 23]);
        let [_, ice40, ecp5] = unsigned(8, |_, x| x[0] + x[1] + x[2]);
        assert_eq!([ice40, ecp5], [24, 26]);
        let [_, ice40, ecp5] = tables(8, |_, x| x[0] + x[1] + x[2]);
        assert_eq!([ice40, ecp5], [19, 20]);
    }

    #[test]
    fn large_tables_are_selections_among_small_ones() {
        let steps: Vec<i128> = (0..256).map(|i| i / 64).collect();
        assert_eq!(unsigned(8, |_, x| x[0].lookup(&steps, 0)), [0; 3]);
        let parity: Vec<i128> = (0i128..256).map(|i| i128::from(i.count_ones() % 2)).collect();
        assert_eq!(unsigned(8, |_, x| x[0].lookup(&parity, 0)), [2, 3, 3]);
    }

    #[test]
    fn products_have_no_formula() {
        let module = module(8, true, |_, x| x[0] * x[1]);
        assert_eq!(estimate(&module, "xcup"), None);
    }

    /// What the optimiser makes small is what the emitted design is estimated to take, nearly.
    #[test]
    fn the_optimisers_cost_is_the_estimate() {
        let row = |i: i64| (0..8).map(|j| (i * 37 + j * 23) % 31 - 15).collect();
        let rows: Vec<Vec<i64>> = (1..9).map(row).collect();
        for (name, bits, signed) in [
            ("xcup", 8, true),
            ("xcup", 1, false),
            ("xcup", 2, false),
            ("ice40-hx8k", 1, false),
            ("ecp5-45k", 1, false),
        ] {
            let target = Target::load(name).unwrap();
            let inputs = vec![Interval::of_width(bits, signed).unwrap(); 8];
            let mut problem = Problem::new(Matrix::from_rows(&rows).unwrap(), inputs);
            let Fabric::Operators(objective) = Fabric::of(&target) else { panic!("{name} is an FPGA") };
            problem.objective = objective;
            let graph = optimise(&problem, Effort::Fast, 0).unwrap();
            let m = ModuleBuilder::new("m");
            let format = match signed {
                true => Format::signed(bits, 0),
                false => Format::unsigned(bits, 0),
            };
            let x = m.input_array("x", 8, format.unwrap());
            let cover = target.carry_cell().map(|_| cost::cover(&graph));
            m.output_array("y", &build::build(&m, &x, &graph, cover.as_ref()));
            let found = estimate(&m.finish().unwrap(), name).unwrap().look_up_tables as f64;
            let expected = cost::luts(&graph, objective) as f64;
            assert!((found / expected - 1.0).abs() < 0.1, "{name}, {bits} bits: {found}, {expected}");
        }
    }
}
