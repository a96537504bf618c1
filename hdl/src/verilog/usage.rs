//! Which nets are declared and which are written where they are read, and which bits nothing reads.

use rustc_hash::FxHashMap;

use crate::rtl::{Cell, Module, Net};

/// Nesting of wiring in an expression.
const DEPTH: u8 = 4;

/// Parts of a concatenation that is written where it is read.
const PARTS: usize = 4;

/// What a module's nets are used for.
pub(super) struct Usage {
    declared: Vec<bool>,
    read: Vec<bool>,
    /// Read bits of nets that are not read as a whole: first bit and width.
    parts: FxHashMap<Net, Vec<(u32, u32)>>,
}

impl Usage {
    pub fn new(module: &Module) -> Self {
        let live = live(module);
        let mut usage =
            Self { declared: declared(module, &live), read: vec![false; module.len()], parts: FxHashMap::default() };
        module.roots().for_each(|net| usage.mark(module, net));
        for net in module.nets().filter(|net| live[net.index()]) {
            if usage.declared[net.index()] {
                let cell = module.cell(net);
                if let Cell::Slice(a, low) = cell {
                    usage.mark_part(module, a, low, module.width(net));
                } else {
                    module.operands(cell).for_each(|a| usage.mark(module, a));
                }
            }
        }
        usage
    }

    /// Whether `net` has a statement of its own.
    pub fn is_declared(&self, net: Net) -> bool {
        self.declared[net.index()]
    }

    /// Runs of bits of a declared net that nothing reads: first bit and width.
    pub fn unread(&self, module: &Module, net: Net) -> Vec<(u32, u32)> {
        if self.read[net.index()] {
            return Vec::new();
        }
        let mut parts = self.parts.get(&net).cloned().unwrap_or_default();
        parts.sort_unstable();
        let mut gaps = Vec::new();
        let mut at = 0;
        for (low, width) in parts.into_iter().chain([(module.width(net), 0)]) {
            if low > at {
                gaps.push((at, low - at));
            }
            at = at.max(low + width);
        }
        gaps
    }

    /// The whole of `net` is read.
    fn mark(&mut self, module: &Module, net: Net) {
        if self.declared[net.index()] {
            self.read[net.index()] = true;
            return;
        }
        match module.cell(net) {
            Cell::Slice(a, low) => self.mark_part(module, a, low, module.width(net)),
            cell => module.operands(cell).for_each(|a| self.mark(module, a)),
        }
    }

    fn mark_part(&mut self, module: &Module, net: Net, low: u32, width: u32) {
        if low == 0 && width == module.width(net) {
            self.mark(module, net);
        } else if !self.read[net.index()] {
            self.parts.entry(net).or_default().push((low, width));
        }
    }
}

/// Nets that an output, register, register file or instance depends on, and all sources.
fn live(module: &Module) -> Vec<bool> {
    let mut live = vec![false; module.len()];
    module.roots().for_each(|net| live[net.index()] = true);
    for net in module.nets().rev() {
        let cell = module.cell(net);
        if matches!(cell, Cell::Input(_) | Cell::Register(_) | Cell::Output(..)) {
            live[net.index()] = true;
        }
        if live[net.index()] {
            module.operands(cell).for_each(|a| live[a.index()] = true);
        }
    }
    live
}

/// Where the top bit of `net` comes from, looking through wiring: a net that is declared, and one of its bits.
pub(super) fn top_bit(module: &Module, mut net: Net) -> (Net, u32) {
    loop {
        let top = module.width(net) - 1;
        net = match module.cell(net) {
            Cell::Slice(a, low) => return (a, low + top),
            Cell::SignExtend(a) => a,
            Cell::Concat(list) => module.list(list)[0],
            _ => return (net, top),
        };
    }
}

/// Which live nets have statements of their own.
fn declared(module: &Module, live: &[bool]) -> Vec<bool> {
    let mut readers = vec![0u32; module.len()];
    let mut selected = vec![false; module.len()];
    module.roots().for_each(|net| readers[net.index()] += 1);
    for net in module.nets().filter(|net| live[net.index()]) {
        let cell = module.cell(net);
        module.operands(cell).for_each(|a| readers[a.index()] += 1);
        match cell {
            Cell::Slice(a, _) => selected[a.index()] = true,
            Cell::SignExtend(a) if module.width(a) > 1 => {
                selected[top_bit(module, a).0.index()] = true;
            }
            _ => {}
        }
    }
    let mut depth = vec![0u8; module.len()];
    let mut declared = vec![false; module.len()];
    for net in module.nets().filter(|net| live[net.index()]) {
        let cell = module.cell(net);
        let inner = module.operands(cell).map(|a| depth[a.index()]).max();
        let nested = 1 + inner.unwrap_or(0);
        let once = readers[net.index()] == 1;
        let plain = |a: Net| depth[a.index()] <= 1;
        let written_where_read = match cell {
            Cell::Const(_) | Cell::Slice(..) | Cell::ZeroExtend(_) | Cell::SignExtend(_) => true,
            Cell::Not(a) => once || plain(a),
            Cell::Concat(list) => once && module.list(list).len() <= PARTS,
            _ => false,
        };
        declared[net.index()] =
            module.name(net).is_some() || selected[net.index()] || !written_where_read || nested > DEPTH;
        depth[net.index()] = if declared[net.index()] { 0 } else { nested };
    }
    declared
}
