//! The encoder as a project.

use std::collections::BTreeMap;
use std::sync::Arc;

use constraints::delay;
use hdl::dfg::Module;
use hdl::diag::Diagnostic;
use hdl::passes::pipeline::{self, Goal};
use sim::vectors::Vectors;

use super::generate::{Built, Project};
use super::options::{DEFAULT_CLOCK_NS, Options};
use crate::arith::multiply::DotProduct;
use crate::arith::{Arithmetic, Fabric, Kinds, Objective};
use crate::design::Design;
use crate::encoder::design::EncoderDesign;
use crate::failure::Result;
use crate::output::report::LayerFormats;

/// An encoder, and where its weights come from.
#[derive(Debug, Clone)]
pub struct EncoderProject {
    /// The model.
    pub design: EncoderDesign,
    /// Name of the weights' file; none are the shipped ones.
    pub weights: Option<String>,
}

/// The chip's own latency at its own clock, which is the default.
const CHIP_LATENCY: u32 = 2;

impl EncoderProject {
    /// What products are made of. The rows of products with programmable weights, of which there are 3,000, are left to
    /// operators.
    fn arithmetic(options: &Options, arithmetic: Arithmetic) -> Arithmetic {
        let operators = Fabric::Operators(Objective::of(&options.target));
        Arithmetic { variables: DotProduct::of(operators, arithmetic.variables.multiplier), ..arithmetic }
    }

    /// The asked latency, as fast as it gets but for a quarter; else the chip's two cycles at its 25 ns where they
    /// suffice, and the fewest cycles elsewhere.
    fn staged(&self, options: &Options, arithmetic: Arithmetic) -> Result<(Arc<Module>, pipeline::Report)> {
        let (design, timing, delays) = (&self.design, &options.timing, delay::of(&options.target));
        let logic = design.logic(arithmetic)?;
        let build = |cut: &pipeline::Options| design.build(&logic, &delays, cut).map_err(|d| timing.explain(d));
        let within = |latency| {
            // the stages share what the clock leaves: each takes at most a quarter more than it must, to save register bits
            let asked = timing.cut(Goal::Clock)?;
            let fastest = design.build(&logic, &delays, &pipeline::Options { goal: Goal::Latency(latency), ..asked });
            let shared = fastest.map_or(u64::MAX, |(_, fastest)| fastest.clock * 5 / 4);
            build(&timing.cut(|clock| Goal::ClockAndLatency {
                clock: clock.min(u32::try_from(shared).unwrap_or(u32::MAX)),
                latency,
            })?)
        };
        if let Some(latency) = timing.latency {
            return within(latency);
        }
        if timing.clock_ns() == DEFAULT_CLOCK_NS
            && let Ok(built) = within(CHIP_LATENCY)
        {
            return Ok(built);
        }
        build(&timing.cut(Goal::Clock)?)
    }
}

impl Project for EncoderProject {
    fn generator(&self) -> &'static str {
        "encoder"
    }

    fn parameters(&self, options: &Options) -> BTreeMap<String, String> {
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        let EncoderDesign { model, parts, .. } = &self.design;
        let [conv, dense] = [&model.conv, &model.dense].map(|layer| &layer.arithmetic);
        [
            ("bits", conv.input.range.width().to_string()),
            ("weight-bits", conv.weight.range.width().to_string()),
            ("output-bits", dense.output.range.width().to_string()),
            ("contract", name(&model.contract)),
            ("weights", name(&parts.storage)),
            ("model", self.weights.clone().unwrap_or_else(|| "shipped".into())),
            ("input", name(&model.input)),
            ("front-end", parts.front_end.to_string()),
            ("target", options.target.name.clone()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    fn products(&self) -> Kinds {
        self.design.products()
    }

    fn build(&self, options: &Options, arithmetic: Arithmetic) -> Result<Built> {
        let (top, pipeline) = self.staged(options, Self::arithmetic(options, arithmetic))?;
        let design = Design::Encoder(self.design.clone());
        Ok(Built { latency: top.latency(), interval: 1, top, pipeline, design })
    }

    fn vectors(&self, _: &Design) -> std::result::Result<Vectors, Diagnostic> {
        self.design.vectors(&self.design.shipped_events())
    }

    fn layer_formats(&self) -> std::result::Result<Vec<LayerFormats>, Diagnostic> {
        Ok(self.design.layer_formats())
    }
}
