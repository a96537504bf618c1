//! The invariants of a design, numbered; each is checked by the code below its number.

use std::collections::{HashMap, HashSet};

use num_bigint::BigUint;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::module::{Cell, Design, Module, Net, address_width};
use super::names::{Names, given};
use crate::dfg::Reset;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{check_identifier, quoted};

/// Everything that is wrong with `design`.
pub fn validate(design: &Design) -> Result<(), Diagnostics> {
    let mut found = Vec::new();
    module_names(design, &mut found);
    for (i, module) in design.modules.iter().enumerate() {
        let below = &design.modules[..i];
        let mut check = Check { module, below, found: Vec::new() };
        check.references();
        // the other checks follow the numbers that this one has proved
        if check.found.is_empty() {
            check.names();
            check.order();
            check.widths();
            check.drivers();
            check.registers();
            check.memories();
            check.instances();
            check.outputs();
        }
        found.append(&mut check.found);
    }
    if found.is_empty() { Ok(()) } else { Err(Diagnostics(found)) }
}

/// 1. There is a module, and modules with a body have identifiers of their own.
fn module_names(design: &Design, found: &mut Vec<Diagnostic>) {
    if design.modules.is_empty() {
        found.push(Diagnostic::bug("rtl-empty", "the design has no module"));
    }
    let mut seen: HashMap<&str, bool> = HashMap::new();
    for module in &design.modules {
        if let Err(reason) = check_identifier(&module.name) {
            let message = format!("module name {}: {reason}", quoted(&module.name));
            found.push(Diagnostic::bug("rtl-name", message));
        }
        let body = module.black_box.is_none();
        if let Some(other) = seen.insert(&module.name, body)
            && (other || body)
        {
            let message = format!("two modules are called `{}`", module.name);
            found.push(Diagnostic::bug("rtl-name", message));
        }
    }
}

struct Check<'a> {
    module: &'a Module,
    below: &'a [Module],
    found: Vec<Diagnostic>,
}

impl Check<'_> {
    fn report(&mut self, code: &'static str, message: String) {
        let message = format!("module `{}`: {message}", self.module.name);
        self.found.push(Diagnostic::bug(code, message));
    }

    /// 2. Every number names something that exists, and every net has a width and a scope.
    fn references(&mut self) {
        let m = self.module;
        let exists = |net: Net| net.index() < m.cells.len();
        let within = |k: u32, len: usize| (k as usize) < len;
        let mut bad = Vec::new();
        if m.widths.len() != m.cells.len() || m.net_scopes.len() != m.cells.len() {
            bad.push("the tables of nets differ in length".to_owned());
        }
        for (i, &cell) in m.cells.iter().enumerate() {
            let list = match cell {
                Cell::Concat(l) => u64::from(l.start) + u64::from(l.len) <= m.operands.len() as u64,
                _ => true,
            };
            let named = match cell {
                Cell::Input(p) => within(p, m.inputs.len()),
                Cell::Const(k) => within(k, m.constants.len()),
                Cell::Table(_, t) => within(t, m.tables.len()),
                Cell::Read(_, f) => within(f, m.memories.len()),
                Cell::Register(r) => within(r, m.registers.len()),
                Cell::Output(i, p) => m
                    .instances
                    .get(i as usize)
                    .and_then(|i| self.below.get(i.module.index()))
                    .is_some_and(|child| within(p, child.outputs.len())),
                _ => true,
            };
            if !list || !named || !m.operands(cell).all(exists) {
                bad.push(format!("net {i} refers to something that is not there"));
            }
        }
        if !m.roots().all(exists) || !m.names.keys().copied().all(exists) {
            bad.push("something refers to a net that is not there".to_owned());
        }
        if m.instances.iter().any(|i| i.module.index() >= self.below.len()) {
            bad.push("an instance's module does not stand before its parent".to_owned());
        }
        for message in bad {
            self.report("rtl-reference", message);
        }
    }

    /// 3. All given names are identifiers and differ.
    fn names(&mut self) {
        let mut seen = HashSet::new();
        for name in given(self.module) {
            if let Err(reason) = check_identifier(name) {
                self.report("rtl-name", format!("name {}: {reason}", quoted(name)));
            }
            if !seen.insert(name) {
                self.report("rtl-name", format!("two things are called `{name}`"));
            }
        }
    }

    /// 4. A net stands after its operands, and an instance's outputs after its inputs, on all of which they are taken to
    ///    depend; so there is no combinational loop.
    fn order(&mut self) {
        let m = self.module;
        let operands = |net: Net| -> Vec<Net> {
            match m.cell(net) {
                Cell::Output(i, _) => m.instances[i as usize].inputs.clone(),
                cell => m.operands(cell).collect(),
            }
        };
        let late: Vec<Net> = m.nets().filter(|&net| operands(net).iter().any(|&a| a >= net)).collect();
        if late.is_empty() {
            return;
        }
        let mut view: DiGraph<(), (), u32> = DiGraph::with_capacity(m.len(), 2 * m.len());
        for _ in m.nets() {
            view.add_node(());
        }
        let at = |net: Net| NodeIndex::new(net.index());
        for net in m.nets() {
            for a in operands(net) {
                view.add_edge(at(a), at(net), ());
            }
        }
        let names = Names::new(m);
        let mut looped = false;
        for component in tarjan_scc(&view) {
            if component.len() == 1 && !view.contains_edge(component[0], component[0]) {
                continue;
            }
            looped = true;
            let inside: HashSet<Net> = component.iter().map(|n| Net(n.index() as u32)).collect();
            let back = |net: Net| operands(net).into_iter().find(|a| inside.contains(a));
            let path: Vec<String> = cycle(&inside, back).map(|net| names.net(net)).collect();
            let path = format!("combinational loop {}", path.join(" -> "));
            self.report("rtl-loop", path);
        }
        if !looped {
            for net in late {
                let message = format!("`{}` stands before an operand", names.net(net));
                self.report("rtl-order", message);
            }
        }
    }

    /// 5. Widths agree as the table at [`Cell`] says, and none is 0.
    fn widths(&mut self) {
        let m = self.module;
        for net in m.nets() {
            let (w, of) = (m.width(net), |a: Net| m.width(a));
            let good = match m.cell(net) {
                Cell::Input(p) => w == m.inputs[p as usize].width,
                Cell::Const(k) => m.constant(k).bits() <= u64::from(w),
                Cell::Slice(a, low) => u64::from(low) + u64::from(w) <= u64::from(of(a)),
                Cell::ZeroExtend(a) | Cell::SignExtend(a) => of(a) < w,
                Cell::Concat(list) => {
                    let sum: u64 = m.list(list).iter().map(|&a| u64::from(of(a))).sum();
                    sum == u64::from(w)
                }
                Cell::Not(a) => of(a) == w,
                Cell::ReduceAnd(_) | Cell::ReduceOr(_) => w == 1,
                Cell::And(a, b)
                | Cell::Or(a, b)
                | Cell::Xor(a, b)
                | Cell::Add(a, b)
                | Cell::Sub(a, b)
                | Cell::Mul(a, b) => of(a) == w && of(b) == w,
                Cell::Eq(a, b) | Cell::LtUnsigned(a, b) | Cell::LtSigned(a, b) => of(a) == of(b) && w == 1,
                Cell::Mux(s, a, b) => of(s) == 1 && of(a) == w && of(b) == w,
                Cell::Table(a, t) => {
                    let words = m.table(t);
                    let fits = |len: usize| of(a) >= usize::BITS || (len - 1) >> of(a) == 0;
                    !words.is_empty() && fits(words.len()) && words.iter().all(|word| word.bits() <= u64::from(w))
                }
                Cell::Read(a, f) => {
                    let memory = &m.memories[f as usize];
                    w == memory.width && of(a) == address_width(memory.depth)
                }
                Cell::Register(r) => w == of(m.registers[r as usize].next),
                Cell::Output(i, p) => {
                    let child = &self.below[m.instances[i as usize].module.index()];
                    w == child.outputs[p as usize].width
                }
            };
            if !good || w == 0 {
                let cell = m.cell(net).mnemonic();
                let message = format!("net {}: {w} bits do not fit `{cell}`", net.0);
                self.report("rtl-width", message);
            }
        }
    }

    /// 6. Every input port, register and instance output drives exactly one net.
    fn drivers(&mut self) {
        let m = self.module;
        let mut count: HashMap<Cell, u32> = HashMap::new();
        for net in m.nets() {
            if let cell @ (Cell::Input(_) | Cell::Register(_) | Cell::Output(..)) = m.cell(net) {
                *count.entry(cell).or_default() += 1;
            }
        }
        let body = m.black_box.is_none();
        let inputs = (0..m.inputs.len() as u32).filter(|_| body).map(Cell::Input);
        let registers = (0..m.registers.len() as u32).map(Cell::Register);
        let outputs = (0..).zip(&m.instances).flat_map(|(i, instance)| {
            let ports = self.below[instance.module.index()].outputs.len() as u32;
            (0..ports).map(move |p| Cell::Output(i, p))
        });
        let wrong: Vec<Cell> =
            inputs.chain(registers).chain(outputs).filter(|cell| count.get(cell) != Some(&1)).collect();
        for cell in wrong {
            let times = count.get(&cell).copied().unwrap_or(0);
            self.report("rtl-driver", format!("{cell:?} drives {times} nets"));
        }
    }

    /// 7. A register's enable is one bit, its initial value fits, and there is the clock and the reset that it needs.
    fn registers(&mut self) {
        let m = self.module;
        for (r, register) in m.registers.iter().enumerate() {
            let fits = register.initial.bits() <= u64::from(m.width(register.next));
            let enable = register.enable.is_none_or(|net| m.width(net) == 1);
            let reset = register.reset == Reset::None || m.reset.is_some();
            if !fits || !enable || !reset || m.clock.is_none() {
                let message = format!("register {r} lacks a clock or reset, or widths differ");
                self.report("rtl-register", message);
            }
            let clears = register.reset == Reset::None || register.initial == BigUint::ZERO;
            if register.kept && (register.enable.is_some() || !clears) {
                self.report("rtl-register", format!("register {r} is kept, but has an enable or begins with ones"));
            }
        }
    }

    /// 8. A register file has two words or more, and its write port fits it.
    fn memories(&mut self) {
        let m = self.module;
        for memory in &m.memories {
            let write = memory.write;
            let fits = m.width(write.enable) == 1
                && m.width(write.address) == address_width(memory.depth)
                && m.width(write.data) == memory.width;
            if memory.depth < 2 || memory.width == 0 || !fits || m.clock.is_none() {
                let message = format!("register file `{}` does not fit its ports", memory.name);
                self.report("rtl-memory", message);
            }
        }
    }

    /// 9. An instance's inputs match its module's ports, and the parent has the clock and reset that the child wants.
    fn instances(&mut self) {
        let m = self.module;
        for instance in &m.instances {
            let child = &self.below[instance.module.index()];
            let given = instance.inputs.iter().map(|&net| m.width(net));
            let clocked = child.clock.is_none() || m.clock.is_some();
            let reset = child.reset.is_none() || m.reset.is_some();
            if !given.eq(child.inputs.iter().map(|p| p.width)) || !clocked || !reset {
                let message = format!("instance `{}` does not fit its module", instance.name);
                self.report("rtl-instance", message);
            }
        }
    }

    /// 10. An output port is as wide as its driver; only a black box has none.
    fn outputs(&mut self) {
        let m = self.module;
        for output in &m.outputs {
            let good = match output.net {
                Some(net) => m.width(net) == output.width && m.black_box.is_none(),
                None => m.black_box.is_some() && output.width > 0,
            };
            if !good {
                let message = format!("output `{}` does not fit its driver", output.name);
                self.report("rtl-output", message);
            }
        }
    }
}

/// A loop among nets of which each has an operand in the set, in the direction of the signal; the first net comes last too.
fn cycle(inside: &HashSet<Net>, back: impl Fn(Net) -> Option<Net>) -> impl Iterator<Item = Net> {
    let mut path: Vec<Net> = Vec::new();
    let mut place: HashMap<Net, usize> = HashMap::new();
    let mut at = inside.iter().min().copied();
    let mut start = 0;
    while let Some(net) = at {
        if let Some(&first) = place.get(&net) {
            start = first;
            path.push(net);
            break;
        }
        place.insert(net, path.len());
        path.push(net);
        at = back(net);
    }
    path.split_off(start).into_iter().rev()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::parse;

    const GOOD: &str = "\
module child
  clock clk
  input a 4
  %0 4 @0 input 0
  %1 4 @0 reg 0
  register %0 - none 0
  output q 4 %1
end
module top
  clock clk
  reset rst
  input x 4
  %0 4 @0 input 0
  %1 4 @0 out 0 0 = inner
  %2 4 @0 add %0 %1 = total
  %3 4 @0 reg 0
  %4 1 @0 slice %2 0
  %5 2 @0 slice %2 1
  %6 4 @0 read %5 0
  register %2 %4 synchronous 3
  memory words 4 4 %4 %5 %3
  instance u 0 @0 %0
  output y 4 %6
end
";

    #[test]
    fn each_invariant_is_checked() {
        assert_eq!(validate(&parse(GOOD).unwrap()), Ok(()));
        let cases = [
            ("module top", "module child", "rtl-name", "two modules"),
            ("module top", "module wire", "rtl-name", "reserved"),
            ("add %0 %1", "add %0 %9", "rtl-reference", "net 2"),
            ("instance u 0", "instance u 1", "rtl-reference", "before its parent"),
            ("= total", "= inner", "rtl-name", "two things"),
            ("= total", "= a;b", "rtl-name", "no letter"),
            ("instance u 0 @0 %0", "instance u 0 @0 %2", "rtl-loop", "inner -> total -> inner"),
            ("add %0 %1", "add %0 %3", "rtl-order", "`total`"),
            ("%2 4 @0 add", "%2 5 @0 add", "rtl-width", "net 2"),
            ("input a 4", "input a 0", "rtl-width", "net 0"),
            ("%3 4 @0 reg 0", "%3 4 @0 const 0", "rtl-driver", "Register(0) drives 0 nets"),
            ("synchronous 3", "synchronous 1f", "rtl-register", "register 0"),
            ("  reset rst\n", "", "rtl-register", "register 0"),
            ("synchronous 3", "synchronous 3 kept", "rtl-register", "register 0 is kept"),
            ("words 4 4", "words 9 4", "rtl-memory", "words"),
            ("instance u 0 @0 %0", "instance u 0 @0 %5", "rtl-instance", "`u`"),
            ("instance u 0 @0 %0", "instance u 0 @0", "rtl-instance", "`u`"),
            ("output y 4", "output y 5", "rtl-output", "`y`"),
        ];
        for (good, bad, code, message) in cases {
            let (before, after) = GOOD.rsplit_once(good).unwrap();
            let design = parse(&format!("{before}{bad}{after}")).unwrap();
            let found = validate(&design).unwrap_err();
            let matches = |d: &Diagnostic| d.code == code && d.message.contains(message);
            assert!(found.0.iter().any(matches), "{bad}: {found}");
        }
        assert!(validate(&Design::default()).is_err());
    }
}
