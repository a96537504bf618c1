//! Waveforms of a stream as a value change dump (VCD): the ports, element by element, and the clock.

use std::io;

use hdl::dfg::Module;
use hdl::num::Format;
use vcd::{IdCode, SimulationCommand, TimescaleUnit, Value, VarType};

use crate::stream::Cycle;

/// Writes the cycles that it is shown. A cycle lasts 10 ns, its edge stands at the end.
pub struct Waves<W: io::Write> {
    writer: vcd::Writer<W>,
    clock: IdCode,
    signals: Vec<Signal>,
}

#[derive(Debug)]
struct Signal {
    id: IdCode,
    width: u32,
    last: Option<i128>,
}

impl<W: io::Write> Waves<W> {
    /// Writes the header: one variable for every element of the ports of `module`.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn new(out: W, module: &Module) -> io::Result<Self> {
        let mut writer = vcd::Writer::new(out);
        writer.timescale(1, TimescaleUnit::NS)?;
        writer.add_module(&module.name)?;
        let clock = writer.add_wire(1, "clk")?;
        let mut signals = Vec::new();
        let inputs = module.inputs.iter().map(|p| (&p.name, p.elements.clone()));
        let outputs = module.outputs.iter().map(|p| (&p.name, p.elements.iter().map(|e| e.format).collect()));
        for (name, formats) in inputs.chain(outputs) {
            for (k, format) in formats.iter().enumerate() {
                signals.push(Signal::declare(&mut writer, name, k, formats.len(), format)?);
            }
        }
        writer.upscope()?;
        writer.enddefinitions()?;
        writer.begin(SimulationCommand::Dumpvars)?;
        writer.change_scalar(clock, Value::V0)?;
        writer.end()?;
        Ok(Self { writer, clock, signals })
    }

    /// Writes what changed in this cycle.
    ///
    /// # Errors
    /// Whatever the output says.
    pub fn write(&mut self, cycle: Cycle<'_>) -> io::Result<()> {
        let start = 10 * cycle.number as u64;
        self.writer.timestamp(start)?;
        self.writer.change_scalar(self.clock, Value::V0)?;
        for (signal, value) in self.signals.iter_mut().zip(cycle.inputs.iter().chain(cycle.outputs)) {
            if signal.last.replace(*value) != Some(*value) {
                let bits = (0..signal.width).rev().map(|b| Value::from(value >> b & 1 == 1));
                self.writer.change_vector(signal.id, bits)?;
            }
        }
        self.writer.timestamp(start + 5)?;
        self.writer.change_scalar(self.clock, Value::V1)
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// Whatever the output says.
    pub fn finish(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Signal {
    fn declare<W: io::Write>(
        writer: &mut vcd::Writer<W>,
        port: &str,
        element: usize,
        elements: usize,
        format: &Format,
    ) -> io::Result<Self> {
        let width = format.range.width().max(1);
        let name = if elements > 1 { format!("{port}_{element}") } else { port.to_owned() };
        let id = writer.add_var(VarType::Wire, width, &name, None)?;
        Ok(Self { id, width, last: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;
    use crate::vectors::{Held, Vectors};
    use hdl::dfg::ModuleBuilder;
    use hdl::dfg::eval::Stepper;

    #[test]
    fn ports_are_dumped_when_they_change() {
        let m = ModuleBuilder::new("pause");
        let x = m.input_array("x", 2, Format::signed(3, 0).unwrap());
        m.output("y", (x[0] + x[1]).delay(1));
        let module = m.finish().unwrap();
        let rows = vec![vec![1, -1], vec![1, 2]].try_into().unwrap();
        let vectors = Vectors { inputs: [("x".into(), rows)].into(), outputs: [].into() };
        let mut text = Vec::new();
        let mut waves = Waves::new(&mut text, &module).unwrap();
        let mut stepper = Stepper::new(&module).unwrap();
        stream(&module, &mut stepper, &vectors, &Held::new(), |cycle| waves.write(cycle).unwrap()).unwrap();
        waves.finish().unwrap();
        let text = String::from_utf8(text).unwrap();
        let mut parser = vcd::Parser::new(text.as_bytes());
        let header = parser.parse_header().unwrap();
        let find = |name: &str| header.find_var(&["pause", name]).unwrap().code;
        let (second, sum) = (find("x_1"), find("y"));
        let mut changes = Vec::new();
        let mut time = 0;
        for command in parser {
            match command.unwrap() {
                vcd::Command::Timestamp(t) => time = t,
                vcd::Command::ChangeVector(id, bits) if id == second || id == sum => {
                    changes.push((time, id == sum, bits.to_string()));
                }
                _ => {}
            }
        }
        let expected = [(0, false, "111"), (0, true, "0000"), (10, false, "010"), (20, true, "0011")];
        assert_eq!(changes, expected.map(|(t, s, b)| (t, s, b.to_owned())));
    }
}
