//! Copies of finished modules.

use std::panic::Location;
use std::sync::Arc;

use super::messages::range_overflow;
use super::{Inner, ModuleBuilder};
use crate::dfg::module::{Instance, Module};
use crate::dfg::{NodeId, Op, Stamp, Value};
use crate::diag::Diagnostic;
use crate::num::Format;

impl ModuleBuilder {
    /// A copy of `module` inside this one; returns its output elements in order.
    ///
    /// `inputs` are its input elements in order. They are balanced to the cycles in which the module wants them.
    #[track_caller]
    pub fn instance(&self, module: &Arc<Module>, name: &str, inputs: &[Value<'_>]) -> Vec<Value<'_>> {
        let place = Location::caller();
        self.inner.borrow_mut().check_name("instance", name, place);
        let formats: Vec<Format> = module.input_formats().collect();
        if formats.len() != inputs.len() {
            self.inner.borrow_mut().errors.push(
                Diagnostic::error(
                    "instance-inputs",
                    format!("`{name}` is given {} inputs, `{}` has {}", inputs.len(), module.name, formats.len()),
                )
                .label(Some(place), "instance made here")
                .help("give one value for each input element, in the order of the ports"),
            );
        }
        let aligned: Vec<Value<'_>> = inputs.iter().zip(&formats).map(|(v, f)| v.aligned_to(f.frac, place)).collect();
        let mut inner = self.inner.borrow_mut();
        let outputs = inner.add_instance(module, name, &aligned, &formats, place);
        outputs.into_iter().map(|(n, frac)| Value { builder: self, n, frac }).collect()
    }
}

impl Inner {
    fn add_instance(
        &mut self,
        module: &Arc<Module>,
        name: &str,
        inputs: &[Value<'_>],
        formats: &[Format],
        place: &'static Location<'static>,
    ) -> Vec<(NodeId, i32)> {
        let wanted: Vec<Stamp> = module.inputs.iter().flat_map(|p| vec![p.stamp; p.elements.len()]).collect();
        let start = inputs
            .iter()
            .zip(&wanted)
            .filter_map(|(v, w)| Some(self.module.graph.stamp(v.n).cycle()?.saturating_sub(w.cycle()?)))
            .max()
            .map_or(Stamp::TIMELESS, Stamp::at);
        let mut nodes = Vec::with_capacity(inputs.len());
        for ((value, format), wanted) in inputs.iter().zip(formats).zip(&wanted) {
            let range = self.module.graph.range(value.n);
            if !format.range.covers(range) {
                let made = self.module.place_of(value.n);
                let port = module.inputs.iter().rfind(|p| p.first as usize <= nodes.len());
                let port = port.map_or("", |p| &p.name);
                self.errors.push(range_overflow("input", &format!("{name}.{port}"), format.range, range, made, place));
            }
            self.check_right_anywhere(value.n, place);
            let due = wanted.cycle().map_or(Stamp::TIMELESS, |cycle| start.later(cycle));
            nodes.push(self.wait(value.n, due, place));
        }
        let i = self.module.instances.len() as u32;
        self.module.instances.push(Instance {
            name: name.to_owned(),
            module: Arc::clone(module),
            inputs: nodes,
            start,
        });
        (0..)
            .zip(module.output_formats())
            .map(|(k, (format, stamp))| {
                let stamp = match (start.cycle(), stamp.cycle()) {
                    (Some(start), Some(cycle)) => Stamp::at(start + cycle),
                    _ => Stamp::TIMELESS,
                };
                (self.declare(Op::Output(i, k), format.range, stamp, place), format.frac)
            })
            .collect()
    }
}
