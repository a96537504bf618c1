//! What a module takes of a cell library: cells for every bit of its operators and registers.

use constraints::Target;
use constraints::targets::{AsicModel, Operation};
use hdl::rtl::{Cell, Module, Net};

use super::Size;

/// Area of `module` without what it instantiates; `None` if something has no formula.
pub fn size(module: &Module, model: &AsicModel, target: &Target) -> Option<Size> {
    let mut size = Size::default();
    for net in module.nets() {
        size += driver(module, net, model, target)?;
    }
    Some(size)
}

/// What drives one net.
fn driver(module: &Module, net: Net, model: &AsicModel, target: &Target) -> Option<Size> {
    let width = module.width(net);
    // of gates of two inputs, and choices of a constant, a tool makes NAND and NOR mostly
    let gates = |width: u32| Some(Size { area_um2: f64::from(width) * model.nand2.area_um2, ..Size::default() });
    let is_constant = |net: Net| module.as_constant(net).is_some();
    let operation = match module.cell(net) {
        Cell::Input(_)
        | Cell::Const(_)
        | Cell::Slice(..)
        | Cell::ZeroExtend(_)
        | Cell::SignExtend(_)
        | Cell::Concat(_)
        | Cell::Not(_)
        | Cell::Output(..) => return Some(Size::default()),
        Cell::Add(..) | Cell::Sub(..) => Operation::Add(width),
        Cell::And(..) | Cell::Or(..) => return gates(width),
        Cell::Xor(..) => Operation::Xor(width),
        Cell::ReduceAnd(a) | Cell::ReduceOr(a) => return gates(module.width(a) - 1),
        Cell::Eq(a, _) | Cell::LtUnsigned(a, _) | Cell::LtSigned(a, _) => Operation::Compare(module.width(a)),
        Cell::Mux(_, a, b) if is_constant(a) || is_constant(b) => return gates(width),
        Cell::Mux(..) => Operation::Mux(width),
        Cell::Register(_) => Operation::Register(width),
        Cell::Table(..) | Cell::Mul(..) | Cell::Read(..) => return None,
    };
    Some(target.cost(operation).into())
}
