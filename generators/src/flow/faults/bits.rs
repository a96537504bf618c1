//! A design that was cut at its registers, as a netlist of gates.

use sim::cell::{Cell, Cells, Function, Register};
use sim::netlist::{CONSTANTS, Instance, Netlist};
use verify::cut::Cut;
use verify::graph::{Gate, Lit, Word};

/// The clock's net.
pub const CLOCK: &str = "clk";

/// Cells of these netlists.
pub fn cells() -> Cells {
    let gate = |outputs: &[(&str, &[&str], u64)]| Cell {
        outputs: outputs.iter().map(|(pin, pins, table)| ((*pin).to_owned(), Function::new(pins, *table))).collect(),
        register: None,
    };
    let flip_flop = |initial: bool| {
        let plain = Register::plain(Function::pin("C", true), Function::pin("D", true));
        Register { initial: Some(initial), ..plain }.cell()
    };
    let (pair, three) = (&["A", "B"][..], &["A", "B", "C"][..]);
    let all = [
        ("not", gate(&[("Y", &["A"], 0b01)])),
        ("and", gate(&[("Y", pair, 0b1000)])),
        ("xor", gate(&[("Y", pair, 0b0110)])),
        ("full_adder", gate(&[("Y", three, 0x96), ("X", three, 0xe8)])),
        ("flip_flop_0", flip_flop(false)),
        ("flip_flop_1", flip_flop(true)),
    ];
    all.into_iter().map(|(name, cell)| (name.to_owned(), cell)).collect()
}

/// The netlist, whose flip-flops drive nets of the registers' names.
pub fn netlist(cut: &Cut) -> Netlist {
    let mut writer = Writer { cut, netlist: Netlist::default(), nets: Vec::new(), inverted: Vec::new() };
    writer.name();
    (0..cut.graph.len()).for_each(|node| writer.node(node));
    for register in &cut.registers {
        let cell = if register.initial { "flip_flop_1" } else { "flip_flop_0" };
        let next = writer.net(register.next);
        writer.place(cell, &[("C", CLOCK), ("D", &next), ("Q", &register.name)]);
    }
    for (port, bits) in &cut.outputs {
        for (bit, lit) in bits.iter().enumerate() {
            let (name, driver) = (format!("{port}[{bit}]"), writer.net(*lit));
            writer.netlist.outputs.push(name.clone());
            writer.netlist.aliases.push((name, driver));
        }
    }
    writer.netlist
}

struct Writer<'c> {
    cut: &'c Cut,
    netlist: Netlist,
    /// Of each node, its net.
    nets: Vec<String>,
    /// Whether there is an inverter behind a node.
    inverted: Vec<bool>,
}

impl Writer<'_> {
    fn name(&mut self) {
        let cut = self.cut;
        // a name that no Verilog has without a backslash
        self.nets = (0..cut.graph.len()).map(|node| format!("({node})")).collect();
        self.nets[0] = CONSTANTS[0].to_owned();
        self.inverted = vec![false; cut.graph.len()];
        self.netlist.inputs.push(CLOCK.to_owned());
        for (port, bits) in &cut.inputs {
            for (bit, lit) in bits.iter().enumerate() {
                let name = format!("{port}[{bit}]");
                self.netlist.inputs.push(name.clone());
                self.nets[lit.node()] = name;
            }
        }
        for register in &cut.registers {
            self.nets[register.state.node()].clone_from(&register.name);
        }
    }

    fn place(&mut self, cell: &str, pins: &[(&str, &str)]) {
        let pins = pins.iter().map(|(pin, net)| ((*pin).to_owned(), (*net).to_owned())).collect();
        let name = format!("(cell {})", self.netlist.instances.len());
        self.netlist.instances.push(Instance { cell: cell.to_owned(), name, parameters: Vec::new(), pins });
    }

    /// The net of a literal; behind an inverter if it is a complement.
    fn net(&mut self, lit: Lit) -> String {
        if lit == Lit::TRUE {
            return CONSTANTS[1].to_owned();
        }
        let net = self.nets[lit.node()].clone();
        if !lit.is_complement() {
            return net;
        }
        let inverse = format!("(not {net})");
        if !std::mem::replace(&mut self.inverted[lit.node()], true) {
            self.place("not", &[("A", &net), ("Y", &inverse)]);
        }
        inverse
    }

    fn node(&mut self, node: usize) {
        let output = self.nets[node].clone();
        match self.cut.graph.gate(node) {
            Gate::And(a, b) => self.gate("and", [a, b], &output),
            Gate::Xor(a, b) => self.gate("xor", [a, b], &output),
            Gate::Parity(k) => {
                let [a, b, c] = self.cut.graph.adders[k as usize].map(|lit| self.net(lit));
                self.place("full_adder", &[("A", &a), ("B", &b), ("C", &c), ("Y", &output)]);
            }
            Gate::Carry(k) => {
                let [a, b, c] = self.cut.graph.adders[k as usize].map(|lit| self.net(lit));
                self.place("full_adder", &[("A", &a), ("B", &b), ("C", &c), ("X", &output)]);
            }
            Gate::Bit(word, 0) => self.word(word as usize),
            Gate::Zero | Gate::Leaf | Gate::Bit(..) => {}
        }
    }

    fn gate(&mut self, cell: &str, operands: [Lit; 2], output: &str) {
        let [a, b] = operands.map(|lit| self.net(lit));
        self.place(cell, &[("A", &a), ("B", &b), ("Y", output)]);
    }

    /// A sum as a chain of carry-propagate adders, a product as the sum of its rows.
    fn word(&mut self, number: usize) {
        let cut = self.cut;
        let (word, first, width) = &cut.graph.words[number];
        let rows: Vec<(Vec<String>, bool)> = match word {
            Word::Sum(terms) => {
                let row = |(bits, minus): &(Vec<Lit>, bool)| {
                    let bits = bits.iter().map(|lit| self.net(lit.xor(*minus))).collect();
                    (bits, *minus)
                };
                terms.iter().map(row).collect()
            }
            Word::Product(a, b) => (0..b.len()).map(|shift| (self.row(number, a, b[shift], shift), false)).collect(),
        };
        let zeros = (vec![CONSTANTS[0].to_owned(); *width as usize], false);
        let results: Vec<String> = (*first..*first + *width as usize).map(|node| self.nets[node].clone()).collect();
        let mut sum = zeros.0;
        let count = rows.len();
        for (k, (row, minus)) in rows.iter().enumerate() {
            let outputs = match k + 1 == count {
                true => results.clone(),
                false => (0..results.len()).map(|bit| format!("(sum {number} {k} {bit})")).collect(),
            };
            self.add([&sum, row], *minus, &outputs, &format!("{number} {k}"));
            sum = outputs;
        }
    }

    /// The partial product of `a` and one bit, `shift` places up, as wide as `a`.
    fn row(&mut self, number: usize, a: &[Lit], bit: Lit, shift: usize) -> Vec<String> {
        let mut row = vec![CONSTANTS[0].to_owned(); shift.min(a.len())];
        for (k, lit) in a.iter().enumerate().take(a.len().saturating_sub(shift)) {
            let output = format!("(row {number} {shift} {k})");
            self.gate("and", [*lit, bit], &output);
            row.push(output);
        }
        row
    }

    fn add(&mut self, [a, b]: [&[String]; 2], carry_in: bool, outputs: &[String], name: &str) {
        let mut carry = CONSTANTS[usize::from(carry_in)].to_owned();
        for (bit, output) in outputs.iter().enumerate() {
            let over = format!("(carry {name} {bit})");
            let pins = [("A", a[bit].as_str()), ("B", &b[bit]), ("C", &carry), ("Y", output), ("X", &over)];
            self.place("full_adder", &pins);
            carry = over;
        }
    }
}
