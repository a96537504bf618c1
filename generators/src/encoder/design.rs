//! An encoder as a whole: its integers, its parts, the module, what is written to its registers, and its vectors.

use std::collections::BTreeMap;
use std::sync::Arc;

use hdl::dfg::Module;
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Rounding;
use hdl::passes::delay::DelayModel;
use hdl::passes::pipeline::{self, pipeline};
use serde::{Deserialize, Serialize};
use sim::preamble::{Preamble, PreambleCycle};
use sim::vectors::{Rows, Vectors};

use super::geometry::CELLS;
use super::model::{EncoderModel, Input};
use super::network::{EncoderNetwork, Parts, Storage, datapath, input_port, limits};
use super::registers::{block_bytes, pack};
use super::store::{self, with_registers};
use crate::arith::{Arithmetic, Kinds};
use crate::model::block::normaliser::Normaliser;
use crate::model::{HandMade, RegisterArray};
use crate::output::report::LayerFormats;

/// Events that ship with the program: showers, noise, single cells, empty and full-scale ones.
const SHIPPED_EVENTS: &str = include_str!("../../weights/showers.json");

/// The exact integer model of an encoder with its parts: the content of `model.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderDesign {
    /// Name of the top module.
    pub top: String,
    /// What it consists of.
    pub parts: Parts,
    /// Integers and arithmetic.
    pub model: EncoderModel,
}

/// The register port, which slow control uses.
pub const REGISTER_PORT: [&str; 4] = ["reg_write", "reg_address", "reg_wdata", "reg_rdata"];

impl EncoderDesign {
    /// The data path without stages, products made as `arithmetic` says.
    ///
    /// # Errors
    /// Those of [`datapath`].
    pub fn logic(&self, arithmetic: Arithmetic) -> Result<Arc<Module>, Diagnostics> {
        let name = match self.has_registers() {
            true => format!("{}_datapath", self.top),
            false => self.top.clone(),
        };
        datapath(&name, &self.model, self.parts, arithmetic)
    }

    /// The top module, its `logic` cut into stages.
    ///
    /// # Errors
    /// Those of [`pipeline`].
    pub fn build(
        &self,
        logic: &Module,
        delays: &dyn DelayModel,
        options: &pipeline::Options,
    ) -> Result<(Arc<Module>, pipeline::Report), Diagnostics> {
        let (datapath, report) = pipeline(logic, delays, options)?;
        let datapath = Arc::new(datapath);
        if !self.has_registers() {
            return Ok((datapath, report));
        }
        let weight_bits = self.model.conv.arithmetic.weight.range.width();
        Ok((with_registers(&self.top, &datapath, self.parts, weight_bits)?, report))
    }

    /// Which products it has.
    pub fn products(&self) -> Kinds {
        Kinds { constants: self.parts.storage == Storage::Fixed, variables: self.has_registers(), ..Kinds::default() }
    }

    /// Whether anything is written at run time.
    pub fn has_registers(&self) -> bool {
        self.parts.storage == Storage::Programmable || self.parts.front_end
    }

    /// The bytes of each block of registers: what the graph's registers hold.
    fn blocks(&self) -> Result<Vec<(usize, Vec<u8>)>, Diagnostic> {
        let width = self.model.conv.arithmetic.weight.range.width();
        let graph = self.network()?.graph;
        let arrays: Vec<RegisterArray> = graph.layers().iter().flat_map(|layer| layer.op.registers()).collect();
        let of = |port: &str| -> Vec<i64> {
            arrays.iter().filter(|a| a.port == port).flat_map(|a| a.values.clone()).collect()
        };
        let mut content: Vec<(usize, Vec<u8>)> = Vec::new();
        if self.parts.storage == Storage::Programmable {
            let image = pack(&of("weights"), width)?;
            content.extend(image.chunks(block_bytes(width)).map(<[u8]>::to_vec).enumerate());
        }
        if self.parts.front_end {
            let bytes = |port| of(port).iter().map(|v| *v as u8).collect();
            let calibration = of("calibration").iter().flat_map(|v| (*v as u16).to_le_bytes()).collect();
            content.push((store::SELECT_BLOCK, bytes("select")));
            content.push((store::CALIBRATION_BLOCK, calibration));
            content.push((store::DENSITY_BLOCK, bytes("high_density")));
        }
        Ok(content)
    }

    /// Every register written, then every register read back; `None` if there are none.
    pub fn preamble(&self) -> Result<Option<Preamble>, Diagnostic> {
        let bytes: Vec<(i128, i128)> = self
            .blocks()?
            .iter()
            .flat_map(|(block, bytes)| {
                let address = move |offset: usize| (block << store::OFFSET_BITS | offset) as i128;
                bytes.iter().enumerate().map(move |(offset, byte)| (address(offset), i128::from(*byte)))
            })
            .collect();
        if bytes.is_empty() {
            return Ok(None);
        }
        let cycle = |write, address, data, expect| PreambleCycle { drive: vec![write, address, data], expect };
        let writes = bytes.iter().map(|&(address, byte)| cycle(1, address, byte, None));
        // the answer to a question comes in the cycle after it
        let answers = std::iter::once(None).chain(bytes.iter().map(|&(_, byte)| Some(vec![byte])));
        let questions = bytes.iter().map(|(address, _)| *address).chain([0]);
        let reads = questions.zip(answers).map(|(address, answer)| cycle(0, address, 0, answer));
        Ok(Some(Preamble {
            drives: REGISTER_PORT[..3].iter().map(|p| (*p).to_owned()).collect(),
            reads: vec![REGISTER_PORT[3].to_owned()],
            cycles: writes.chain(reads).collect(),
        }))
    }

    /// The integer graph.
    ///
    /// # Errors
    /// Those of [`EncoderModel::network`].
    pub fn network(&self) -> Result<EncoderNetwork, Diagnostic> {
        self.model.network(self.parts)
    }

    /// The port that events enter by.
    pub fn input_port(&self) -> &'static str {
        input_port(self.model.input, self.parts.front_end)
    }

    /// Vectors for `events`, 48 integers each at the input port, with what the integer graph gives.
    ///
    /// # Errors
    /// An event of another size, or an element out of its input's range.
    pub fn vectors(&self, events: &[Vec<i64>]) -> Result<Vectors, Diagnostic> {
        let network = self.network()?;
        let mut columns: Vec<Vec<i128>> = vec![Vec::new(); network.graph.outputs().len()];
        for (i, event) in events.iter().enumerate() {
            let evaluation = network.graph.evaluate(std::slice::from_ref(event));
            let evaluation =
                evaluation.map_err(|d| Diagnostic { message: format!("event {i}: {}", d.message), ..d })?;
            for (column, values) in columns.iter_mut().zip(evaluation.outputs()) {
                column.extend(values.iter().map(|v| i128::from(*v)));
            }
        }
        let rows = |width: usize, values: Vec<i128>| Rows::new(width, values).expect("whole rows");
        let outputs = network.graph.outputs().iter().zip(columns).map(|(output, values)| {
            let width = network.graph.info(output.tensor).shape.iter().product();
            (output.name.clone(), rows(width, values))
        });
        let outputs: BTreeMap<String, Rows> = outputs.collect();
        let inputs = events.iter().flatten().map(|v| i128::from(*v)).collect();
        Ok(Vectors { inputs: BTreeMap::from([(self.input_port().to_owned(), rows(CELLS, inputs))]), outputs })
    }

    /// The events that ship with the program, as this design's input port takes them.
    pub fn shipped_events(&self) -> Vec<Vec<i64>> {
        #[derive(Deserialize)]
        struct Shipped {
            calq: Vec<Vec<i64>>,
        }
        let Shipped { calq } = serde_json::from_str(SHIPPED_EVENTS).expect("the shipped events are checked by a test");
        match (self.model.input, self.parts.front_end) {
            (Input::Calq, false) => calq,
            (Input::Calq, true) => calq.iter().map(|event| event.iter().map(|v| link_code(*v)).collect()).collect(),
            (Input::Normalised, _) => {
                let number = self.model.conv.arithmetic.input;
                let bits = number.frac.max(0) as u32 + 1;
                let (lo, hi) = limits(number);
                let clamp = |v: i64| v.clamp(lo, hi);
                let normaliser = Normaliser { bits };
                let normalise = |event: &Vec<i64>| normaliser.evaluate(&[event]);
                calq.iter().map(|event| normalise(event).into_iter().map(clamp).collect()).collect()
            }
        }
    }

    /// `count` random events: of every magnitude, from empty to dense.
    ///
    /// # Errors
    /// Those of [`EncoderModel::network`].
    pub fn random_events(&self, count: usize, seed: u64) -> Result<Vec<Vec<i64>>, Diagnostic> {
        let mut random = fastrand::Rng::with_seed(seed);
        let (lo, hi) = self.network()?.graph.inputs()[0].range;
        let event = |random: &mut fastrand::Rng| {
            let (scale, density) = (random.u32(0..=CALQ_SCALES), random.u32(0..=100));
            let value = |random: &mut fastrand::Rng| match random.u32(0..100) < density {
                true => random.i64((lo >> (CALQ_SCALES - scale))..=(hi >> (CALQ_SCALES - scale))),
                false => 0,
            };
            (0..CELLS).map(|_| value(random)).collect()
        };
        Ok((0..count).map(|_| event(&mut random)).collect())
    }

    /// The formats of each layer, for the report.
    pub fn layer_formats(&self) -> Vec<LayerFormats> {
        let layer = |name: &str, shape: &str, layer: &super::model::Layer| {
            let a = &layer.arithmetic;
            LayerFormats {
                layer: name.into(),
                shape: shape.into(),
                input: a.input.to_string(),
                weight: a.weight.to_string(),
                product: match a.product {
                    super::arithmetic::Product::Exact => "exact".into(),
                    super::arithmetic::Product::FloorTo(frac) => {
                        format!("floored to {frac} fraction bits")
                    }
                },
                accumulator_frac: a.accumulator_frac(),
                output: a.output.to_string(),
                quantiser: format!("{}, ReLU, saturate", rounding(a.rounding)),
            }
        };
        vec![layer("conv", "8×8 → 4×4×8", &self.model.conv), layer("dense", "128 → 16", &self.model.dense)]
    }
}

/// A rounding mode in words.
fn rounding(mode: Rounding) -> String {
    match mode {
        Rounding::HalfEven => "half to even".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Magnitudes of random events: halvings of the full scale.
const CALQ_SCALES: u32 = 22;

/// The link code whose bin holds `charge` at low density.
fn link_code(charge: i64) -> i64 {
    let halved = charge >> 1;
    let length = i64::from(64 - halved.leading_zeros());
    let exponent = (length - 3).max(0);
    if exponent > 15 { 127 } else { (exponent << 3) | ((halved >> (exponent - 1).max(0)) & 7) }
}
