//! Trees of buffers on nets with more readers than one cell drives.
//!
//! ABC buffers what its own gates drive. What registers, full adders, ports and other modules drive it leaves alone, and
//! it never sees a net that goes into the copies of a module. So the netlist is buffered once more, as a whole: modules
//! from the inside out, a port weighing what it drives within its module.

use std::collections::{BTreeMap, HashMap};

use sim::netlist::json::{Bit, Cell, Direction, Module, Netlist};

/// An input pin of a library cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pin {
    /// Its capacitance in fF.
    pub load_ff: f64,
    /// Whether it is a clock, whose tree is not built here.
    pub is_clock: bool,
}

/// What buffers are made of, and what they must drive.
#[derive(Debug, Clone, PartialEq)]
pub struct Buffers {
    /// The buffer.
    pub cell: String,
    /// Its input.
    pub input: String,
    /// Its output.
    pub output: String,
    /// The most that a net may load its driver with, in fF.
    pub limit_ff: f64,
    /// Input pins of the library's cells.
    pub pins: HashMap<String, HashMap<String, Pin>>,
}

/// What reads a wire: a bit of a cell's pin.
#[derive(Debug)]
struct Reader {
    cell: String,
    pin: String,
    bit: usize,
    load_ff: f64,
}

/// The input ports of a module, bit by bit.
type Ports = HashMap<String, Vec<Pin>>;

impl Buffers {
    /// Puts them into `modules` of `netlist`, each after those that it instantiates; gives how many the last of them, the
    /// top, has now with all that is in it.
    pub fn insert<'m>(&self, netlist: &mut Netlist, modules: impl Iterator<Item = &'m str>) -> usize {
        let mut ports: HashMap<&str, Ports> = HashMap::new();
        let mut inserted: HashMap<&str, usize> = HashMap::new();
        let mut of_top = 0;
        for name in modules {
            if let Some(module) = netlist.modules.get_mut(name) {
                let inner = module.cells.values().map(|cell| cell.kind.as_str());
                let inner: usize = inner.filter_map(|kind| inserted.get(kind)).sum();
                let (made, of_module) = self.module(module, &ports);
                of_top = made + inner;
                inserted.insert(name, of_top);
                ports.insert(name, of_module);
            }
        }
        of_top
    }

    /// How many were inserted, and what the module's ports are now.
    fn module(&self, module: &mut Module, ports: &HashMap<&str, Ports>) -> (usize, Ports) {
        let mut wires: BTreeMap<u32, Wire> = BTreeMap::new();
        for (name, cell) in &module.cells {
            for (pin, bits) in &cell.connections {
                for (bit, wire) in bits.iter().enumerate() {
                    let (Some(on), Some(wire)) = (self.pin(cell, pin, bit, ports), wire.wire()) else {
                        continue;
                    };
                    wires.entry(wire).or_default().add(on, || Reader {
                        cell: name.clone(),
                        pin: pin.clone(),
                        bit,
                        load_ff: on.load_ff,
                    });
                }
            }
        }
        let mut trees = Trees { buffers: self, next: module.first_free_wire(), made: 0, module };
        for (wire, on) in &mut wires {
            if !on.is_clock && on.load_ff > self.limit_ff {
                let readers = std::mem::take(&mut on.readers);
                on.load_ff = trees.grow(*wire, readers);
            }
        }
        let made = trees.made;
        let inputs = module.ports.iter();
        let inputs = inputs.filter(|(_, port)| port.direction == Direction::Input);
        let pin = |bit: &Bit| {
            let on = bit.wire().and_then(|wire| wires.get(&wire));
            Pin { load_ff: on.map_or(0.0, |on| on.load_ff), is_clock: on.is_some_and(|on| on.is_clock) }
        };
        let ports = inputs.map(|(name, port)| (name.clone(), port.bits.iter().map(pin).collect())).collect();
        (made, ports)
    }

    /// A bit of a pin, if it is an input of a cell of the library or of a module that was done before.
    fn pin(&self, cell: &Cell, pin: &str, bit: usize, ports: &HashMap<&str, Ports>) -> Option<Pin> {
        let kind = cell.kind.as_str();
        match ports.get(kind) {
            Some(module) => module.get(pin)?.get(bit).copied(),
            None => self.pins.get(kind)?.get(pin).copied(),
        }
    }

    /// What a buffer loads its driver with.
    fn own_load_ff(&self) -> f64 {
        let pins = self.pins.get(&self.cell);
        pins.and_then(|pins| pins.get(&self.input)).map_or(0.0, |pin| pin.load_ff)
    }
}

/// All that reads a wire.
#[derive(Debug, Default)]
struct Wire {
    readers: Vec<Reader>,
    load_ff: f64,
    is_clock: bool,
}

impl Wire {
    fn add(&mut self, pin: Pin, reader: impl FnOnce() -> Reader) {
        self.readers.push(reader());
        self.load_ff += pin.load_ff;
        self.is_clock |= pin.is_clock;
    }
}

/// Buffers on their way into a module.
struct Trees<'a> {
    buffers: &'a Buffers,
    module: &'a mut Module,
    next: u32,
    made: usize,
}

impl Trees<'_> {
    /// Puts buffers between `root` and its readers, level by level until the rest is light enough; gives what is left on
    /// `root`, in fF.
    fn grow(&mut self, root: u32, mut readers: Vec<Reader>) -> f64 {
        // two buffers to a buffer at least, else levels would not get smaller
        let limit = self.buffers.limit_ff.max(2.0 * self.buffers.own_load_ff());
        loop {
            let level = self.level(root, limit, &readers);
            let load = level.iter().map(|reader| reader.load_ff).sum();
            if load <= limit {
                return load;
            }
            readers = level;
        }
    }

    /// Buffers on `root`, each with as many readers as it may drive; neighbours, which read for the same copy of a
    /// module, stay together.
    fn level(&mut self, root: u32, limit_ff: f64, readers: &[Reader]) -> Vec<Reader> {
        let mut level: Vec<Reader> = Vec::new();
        let mut driven = (root, f64::INFINITY);
        for reader in readers {
            if driven.1 + reader.load_ff > limit_ff {
                let (buffer, wire) = self.buffer(root);
                level.push(buffer);
                driven = (wire, 0.0);
            }
            driven.1 += reader.load_ff;
            self.connect(reader, driven.0);
        }
        level
    }

    /// A buffer on `root`, as a reader of it, and the wire that it drives.
    fn buffer(&mut self, root: u32) -> (Reader, u32) {
        let Buffers { cell, input, output, .. } = self.buffers;
        let wire = self.next;
        let name = format!("$buffer${}", self.made);
        self.next += 1;
        self.made += 1;
        let pins = [(input.as_str(), Direction::Input, root), (output.as_str(), Direction::Output, wire)];
        self.module.cells.insert(name.clone(), Cell::new(cell, pins));
        let reader = Reader { cell: name, pin: input.clone(), bit: 0, load_ff: self.buffers.own_load_ff() };
        (reader, wire)
    }

    fn connect(&mut self, reader: &Reader, wire: u32) {
        let cell = self.module.cells.get_mut(&reader.cell);
        let bits = cell.and_then(|cell| cell.connections.get_mut(&reader.pin));
        if let Some(bit) = bits.and_then(|bits| bits.get_mut(reader.bit)) {
            *bit = Bit::Wire(wire);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flip-flop `ff` drives `gates` inverters and the port `x` of `copies` of a module in which `inner` inverters read it.
    fn netlist(gates: usize, copies: usize, inner: usize) -> Netlist {
        let cell = |name: String, kind: &str, inputs: &str, output: u32| {
            format!(r#""{name}":{{"type":"{kind}","connections":{{{inputs},"Y":[{output}]}}}}"#)
        };
        let inverter = |k: usize| cell(format!("g{k:03}"), "INV", r#""A":[2]"#, 10 + k as u32);
        let copy = |k: usize| cell(format!("u{k:03}"), "leaf", r#""x":[2],"clk":[3]"#, 1000 + k as u32);
        let flip_flop = cell("ff".into(), "DFF", r#""D":["0"],"C":[3]"#, 2);
        let top = (0..gates).map(inverter).chain((0..copies).map(copy));
        let top: Vec<String> = top.chain([flip_flop]).collect();
        let many = (0..60).map(|k| cell(format!("f{k:03}"), "DFF", r#""D":["0"],"C":[3]"#, 500 + k as u32));
        let leaf: Vec<String> = (0..inner).map(inverter).chain(many).collect();
        let ports = r#"{"x":{"direction":"input","bits":[2]},"clk":{"direction":"input","bits":[3]}}"#;
        Netlist::parse(&format!(
            r#"{{"modules":{{"top":{{"attributes":{{}},"cells":{{{}}}}},
                "leaf":{{"attributes":{{}},"ports":{ports},"cells":{{{}}}}}}}}}"#,
            top.join(","),
            leaf.join(",")
        ))
        .unwrap()
    }

    /// Inverters of 2 fF, buffers of 3 fF, at most 20 fF.
    fn buffers() -> Buffers {
        let pin = |load_ff, is_clock| Pin { load_ff, is_clock };
        let cell = |name: &str, pins: &[(&str, Pin)]| {
            let pins = pins.iter().map(|(name, pin)| ((*name).to_owned(), *pin));
            (name.to_owned(), pins.collect())
        };
        Buffers {
            cell: "BUF".into(),
            input: "A".into(),
            output: "Y".into(),
            limit_ff: 20.0,
            pins: HashMap::from([
                cell("INV", &[("A", pin(2.0, false))]),
                cell("BUF", &[("A", pin(3.0, false))]),
                cell("DFF", &[("D", pin(1.0, false)), ("C", pin(1.0, true))]),
            ]),
        }
    }

    fn insert(netlist: &mut Netlist) -> usize {
        buffers().insert(netlist, ["leaf", "top"].into_iter())
    }

    /// The greatest load in a module, and the wires that its inverters and copies read seen through buffers.
    fn check(module: &Module, port_ff: f64) -> (f64, Vec<u32>) {
        let rules = buffers();
        let mut loads: HashMap<u32, f64> = HashMap::new();
        let mut behind: HashMap<u32, u32> = HashMap::new();
        let wire = |cell: &Cell, pin: &str| cell.connections[pin][0].wire().unwrap();
        for cell in module.cells.values() {
            match cell.kind.as_str() {
                "leaf" => *loads.entry(wire(cell, "x")).or_default() += port_ff,
                "DFF" => assert_eq!(wire(cell, "C"), 3, "the clock stays as it is"),
                _ => *loads.entry(wire(cell, "A")).or_default() += rules.pins[&cell.kind]["A"].load_ff,
            }
            if cell.kind == "BUF" {
                behind.insert(wire(cell, "Y"), wire(cell, "A"));
            }
        }
        let root = |mut wire: u32| {
            while let Some(before) = behind.get(&wire) {
                wire = *before;
            }
            wire
        };
        let readers = module.cells.values().filter_map(|cell| match cell.kind.as_str() {
            "leaf" => Some(wire(cell, "x")),
            "INV" => Some(wire(cell, "A")),
            _ => None,
        });
        let roots = readers.map(root).collect();
        (loads.into_values().fold(0.0, f64::max), roots)
    }

    #[test]
    fn light_nets_stay_as_they_are() {
        let mut light = netlist(4, 1, 6);
        assert_eq!(insert(&mut light), 0);
    }

    #[test]
    fn every_net_is_light_and_everybody_reads_what_it_read() {
        for (gates, copies, inner) in [(11, 0, 0), (0, 56, 1), (0, 2, 11), (1000, 56, 300)] {
            let mut heavy = netlist(gates, copies, inner);
            let made = insert(&mut heavy);
            let of = |name: &str| heavy.modules[name].cells.values().filter(|c| c.kind == "BUF").count();
            assert_eq!(made, of("top") + copies * of("leaf"));
            assert!(made > 0);
            let (leaf, roots) = check(&heavy.modules["leaf"], 0.0);
            assert!(leaf <= 20.0 && roots == vec![2; inner], "{leaf}");
            let readers = heavy.modules["leaf"].cells.values();
            let on_port = readers.filter(|cell| cell.connections.get("A") == Some(&vec![Bit::Wire(2)]));
            let port_ff = on_port.map(|cell| buffers().pins[&cell.kind]["A"].load_ff).sum();
            let (top, roots) = check(&heavy.modules["top"], port_ff);
            assert!(top <= 20.0 && roots == vec![2; gates + copies], "{top}");
        }
    }

    #[test]
    fn a_second_time_changes_nothing() {
        let mut heavy = netlist(1000, 56, 300);
        insert(&mut heavy);
        assert_eq!(insert(&mut heavy), 0);
    }
}
