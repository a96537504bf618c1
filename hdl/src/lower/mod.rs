//! From exact integers to bits: each module of a data-flow hierarchy becomes one register-transfer module.
//!
//! A node becomes a net as wide as its range needs, or narrower where its readers only look at the low bits (see
//! `demand`). Ports are packed as [`pack`](crate::pack) says. A module gets a port `clk` if anything in it waits for the
//! clock, and `rst` if anything in it listens to a reset. Modules of the same name and content are one; modules of the same
//! name and different content are told apart by a number behind the name.

mod arithmetic;
mod bits;
mod cover;
mod demand;
mod fan_out;
mod full_adder;
mod instance;
mod module;
mod naming;
mod operator;
mod three;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::cover::{Adder, Cover};
pub(crate) use self::demand::net_widths;
pub use self::fan_out::{Fan, INVERTER};
pub use self::full_adder::FULL_ADDER;
pub use self::three::{ADD3, Adders};
use crate::dfg;
use crate::diag::Diagnostics;
use crate::names::Allocator;
use crate::rtl::{Design, Module, ModuleId, validate};

/// The design with `top` and all below it.
///
/// # Errors
/// A bug in a pass before, or in here: what is lowered is validated.
pub fn lower(top: &Arc<dfg::Module>) -> Result<Design, Diagnostics> {
    lower_to(top, Adders::TwoOperand)
}

/// The design with `top` and all below it, its sums made of `adders`.
///
/// # Errors
/// As [`lower`].
pub fn lower_to(top: &Arc<dfg::Module>, adders: Adders) -> Result<Design, Diagnostics> {
    let mut units = Units::default();
    if adders == Adders::ThreeOperand {
        units.names.reserve(ADD3);
    }
    let hierarchy = top.hierarchy();
    units.reserve(top, &hierarchy);
    if hierarchy.iter().any(|m| full_adder::is_used(m)) {
        units.design.modules.push(full_adder::module());
        units.names.reserve(FULL_ADDER);
    }
    if hierarchy.iter().any(|m| fan_out::is_used(m)) {
        units.design.modules.push(fan_out::module());
        units.names.reserve(INVERTER);
    }
    for module in &hierarchy {
        units.shapes.next = units.design.modules.len() as u32;
        let known = &units.known;
        let id = |child: &Arc<dfg::Module>| known[&Arc::as_ptr(child)];
        let lowered = module::lower(module, id, adders, &mut units.shapes)?;
        units.design.modules.append(&mut units.shapes.new);
        units.add(module, lowered, Arc::ptr_eq(module, top));
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
    shapes: three::Shapes,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::ModuleBuilder;
    use crate::num::Format;
    use crate::verilog;

    fn scale(name: &str, factor: i128) -> Arc<dfg::Module> {
        let m = ModuleBuilder::new(name);
        let x = m.input("x", Format::signed(6, 0).unwrap());
        m.output("y", (x * m.constant(factor, 0)).named("product"));
        m.finish().unwrap()
    }

    fn text(design: &Design) -> String {
        let mut text = Vec::new();
        verilog::write_design(design, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn modules_of_equal_content_are_one_and_others_are_told_apart() {
        let m = ModuleBuilder::new("scale_1");
        let x = m.input("x", Format::signed(6, 0).unwrap());
        for (k, factor) in [3, 5, 3, 5, 3].into_iter().enumerate() {
            let y = m.instance(&scale("scale", factor), &format!("u{k}"), &[x]);
            m.output(&format!("y{k}"), y[0]);
        }
        let design = lower(&m.finish().unwrap()).unwrap();
        let names: Vec<&str> = design.modules.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["scale", "scale_2", "scale_1"]);
        let inside: Vec<u32> = design.top().instances.iter().map(|i| i.module.0).collect();
        assert_eq!(inside, [0, 1, 0, 1, 0]);
    }

    #[test]
    fn lowering_saturation_and_overlap_makes_masks_and_wiring() {
        let m = ModuleBuilder::new("neuron");
        let x = m.input("x", Format::signed(8, 0).unwrap());
        let z = m.input("z", Format::signed(0, 0).unwrap());
        m.scope("layer1.n3", || {
            let sum = (x + (x << 3) + z).named("sum");
            let limit = m.constant(15, 0);
            m.output("y", (sum.truncate(0).relu().min(limit)).delay(1).named("act"));
        });
        let design = lower(&m.finish().unwrap()).unwrap();
        expect_test::expect![[r#"
            module neuron (
              input  wire clk,
              input  wire [7:0] x,
              input  wire z,
              output wire [3:0] y
            );
              wire [8:0] layer1_n3_sum_high = {{4{x[7]}}, x[7:3]} + {x[7], x};
              wire [10:0] layer1_n3_and16 = {layer1_n3_sum_high[7:0], x[2:0]} & {11{~layer1_n3_sum_high[8]}};
              wire layer1_n3_any19 = |layer1_n3_and16[10:4];
              wire [3:0] layer1_n3_or21 = layer1_n3_and16[3:0] | {4{layer1_n3_any19}};
              reg [3:0] layer1_n3_act;
              always @(posedge clk) begin
                layer1_n3_act <= layer1_n3_or21;
              end
              assign y = layer1_n3_act;
              wire _unused = &{1'b0, z};
            endmodule
        "#]]
        .assert_eq(&text(&design));
    }
}
