//! Ports: inputs with the cycle in which they are there, outputs that promise a format.

use std::panic::Location;

use super::messages::anything_in;
use super::{Inner, ModuleBuilder};
use crate::dfg::module::{OutputElement, OutputPort, Port};
use crate::dfg::{Op, Stamp, Value};
use crate::diag::Diagnostic;
use crate::lang::{Operand, Shape};
use crate::num::Format;

impl ModuleBuilder {
    /// An input of one element that is there in cycle 0.
    #[track_caller]
    pub fn input(&self, name: &str, shape: impl Shape) -> Value<'_> {
        let format = self.format(name, shape);
        self.input_port(name, vec![format], Stamp::at(0))[0]
    }

    /// An input of `count` elements of one format, packed on one bus with element 0 at the least significant end.
    #[track_caller]
    pub fn input_array(&self, name: &str, count: usize, format: Format) -> Vec<Value<'_>> {
        self.input_port(name, vec![format; count], Stamp::at(0))
    }

    /// An input of elements of several formats that are there in the cycle of `stamp`.
    #[track_caller]
    pub fn input_port(&self, name: &str, elements: Vec<Format>, stamp: Stamp) -> Vec<Value<'_>> {
        let place = Location::caller();
        let mut inner = self.inner.borrow_mut();
        inner.check_port_name(name, place);
        let first = inner.module.input_count() as u32;
        let values = (first..)
            .zip(&elements)
            .map(|(k, format)| Value {
                builder: self,
                n: inner.declare(Op::Input(k), format.range, stamp, place),
                frac: format.frac,
            })
            .collect();
        inner.module.inputs.push(Port { name: name.to_owned(), elements, first, stamp });
        values
    }

    /// An output of one element, in the value's own format.
    #[track_caller]
    pub fn output<'m>(&'m self, name: &str, value: impl Operand<'m>) {
        self.output_array(name, &[value.on(self)]);
    }

    /// An output of several elements, each in its value's own format, balanced to one cycle.
    #[track_caller]
    pub fn output_array(&self, name: &str, values: &[Value<'_>]) {
        let formats: Vec<Format> = values.iter().map(Value::format).collect();
        self.output_port(name, values, &formats);
    }

    /// An output whose elements promise `formats`: an error if a value can leave its format.
    ///
    /// A value with other fraction bits than its format is aligned exactly; that it has too many is an error.
    #[track_caller]
    pub fn output_port(&self, name: &str, values: &[Value<'_>], formats: &[Format]) {
        let place = Location::caller();
        assert_eq!(values.len(), formats.len(), "one format an element");
        self.inner.borrow_mut().check_port_name(name, place);
        let aligned: Vec<Value<'_>> = values.iter().zip(formats).map(|(v, f)| v.aligned_to(f.frac, place)).collect();
        let mut guard = self.inner.borrow_mut();
        let inner = &mut *guard;
        let stamp = aligned.iter().map(|v| inner.module.graph.stamp(v.n)).filter(|s| *s != Stamp::TIMELESS).max();
        let stamp = stamp.unwrap_or(Stamp::TIMELESS);
        let mut elements = Vec::with_capacity(values.len());
        for (value, &format) in aligned.iter().zip(formats) {
            inner.check_right_anywhere(value.n, place);
            let node = inner.wait(value.n, stamp, place);
            let range = inner.module.graph.range(node);
            if !format.range.covers(range) {
                inner.errors.push(
                    Diagnostic::error("range-overflow", format!("output `{name}` cannot hold its value"))
                        .label(inner.module.place_of(node), anything_in(range))
                        .label(Some(place), format!("the port holds {}", format.range))
                        .help("saturate, wrap or quantise the value explicitly, or widen the port"),
                );
            }
            elements.push(OutputElement { node, format });
        }
        inner.module.outputs.push(OutputPort { name: name.to_owned(), elements, stamp });
    }
}

impl Inner {
    fn check_port_name(&mut self, name: &str, place: &'static Location<'static>) {
        self.check_name("port", name, place);
        let module = &self.module;
        let taken = module.inputs.iter().any(|p| p.name == name) || module.outputs.iter().any(|p| p.name == name);
        let error = |message: String| Diagnostic::error("port-name", message);
        let error = if taken {
            error(format!("there already is a port `{name}`")).label(Some(place), "declared again here")
        } else if matches!(name, "clk" | "rst") {
            error(format!("`{name}` is kept for modules with registers, which get that port by themselves"))
                .label(Some(place), "declared here")
        } else {
            return;
        };
        self.errors.push(error.help("choose another name"));
    }
}
