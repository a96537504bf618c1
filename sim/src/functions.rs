//! What the cells of a netlist do.

use std::borrow::Cow;

use crate::cell::Cells;
use crate::netlist::Netlist;
use crate::primitives::Primitives;

/// Where it is told what the cells of a netlist do.
#[derive(Debug, Clone, Copy)]
pub enum Functions<'a> {
    /// By the cells' types.
    Cells(&'a Cells),
    /// By the types and parameters of an FPGA's primitives.
    Primitives(Primitives),
}

impl<'a> Functions<'a> {
    /// What the netlist's cells do; primitives are [resolved](Primitives::resolve).
    pub fn resolve(self, netlist: &mut Netlist) -> Cow<'a, Cells> {
        match self {
            Self::Cells(cells) => Cow::Borrowed(cells),
            Self::Primitives(primitives) => Cow::Owned(primitives.resolve(netlist)),
        }
    }

    /// The same for a netlist of `gates` that a design may have primitives among.
    pub fn resolve_front(self, netlist: &mut Netlist, mut gates: Cells) -> Cells {
        if let Self::Primitives(primitives) = self {
            gates.extend(primitives.resolve(netlist));
        }
        gates
    }
}
