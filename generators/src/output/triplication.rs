//! What a report says of registers that stand three times.

use hdl::rtl::{COPIES, Cell, Design, Module};
use serde::Serialize;

/// Counts over all modules, instances counted each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Triplication {
    /// Registers that stand three times.
    pub registers: u64,
    /// Their bits, each counted once: as many voters there are.
    pub register_bits: u64,
    /// Register bits that the copies add.
    pub added_register_bits: u64,
    /// Bits of registers that stand once.
    pub single_register_bits: u64,
    /// Bits of register files, which stand once.
    pub register_file_bits: u64,
}

impl Triplication {
    /// That of a design; none if no register stands three times.
    pub fn of(design: &Design) -> Option<Self> {
        let mut all: Vec<Self> = Vec::new();
        for module in &design.modules {
            let below = module.instances.iter().map(|i| all[i.module.index()]);
            all.push(below.fold(own(module), Self::plus));
        }
        all.last().copied().filter(|top| top.registers > 0)
    }

    fn plus(self, other: Self) -> Self {
        Self {
            registers: self.registers + other.registers,
            register_bits: self.register_bits + other.register_bits,
            added_register_bits: self.added_register_bits + other.added_register_bits,
            single_register_bits: self.single_register_bits + other.single_register_bits,
            register_file_bits: self.register_file_bits + other.register_file_bits,
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} registers of {} bits stand three times, which adds {} register bits and {} voters of one bit. All logic, \
             clock and reset stand once.\n",
            self.registers, self.register_bits, self.added_register_bits, self.register_bits
        );
        if self.single_register_bits + self.register_file_bits > 0 {
            text += &format!(
                "{} bits of registers and {} bits of register files stand once.\n",
                self.single_register_bits, self.register_file_bits
            );
        }
        text
    }
}

/// The module without those inside.
fn own(module: &Module) -> Triplication {
    let copies = COPIES.len() as u64;
    let files = module.memories.iter().map(|m| u64::from(m.depth) * u64::from(m.width)).sum();
    let mut own = Triplication { register_file_bits: files, ..Triplication::default() };
    for net in module.nets() {
        let Cell::Register(r) = module.cell(net) else { continue };
        let bits = u64::from(module.width(net));
        if module.registers[r as usize].kept {
            own.registers += 1;
            own.register_bits += bits;
        } else {
            own.single_register_bits += bits;
        }
    }
    own.added_register_bits = own.register_bits / copies * (copies - 1);
    own.registers /= copies;
    own.register_bits /= copies;
    own
}
