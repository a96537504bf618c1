//! Layers that join several tensors element by element.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Step};

/// Merging layers.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &[
            "Add",
            "Subtract",
            "Multiply",
            "Maximum",
            "Minimum",
            "Average",
            "QAdd",
            "QSubtract",
            "QMultiply",
            "QMaximum",
            "QMinimum",
            "QAveragePow2",
        ],
        keys: &[],
        known: &[],
        variables: none,
        build: Build::Many(Lift::keras_merge),
    },
    LayerClass {
        names: &["Concatenate", "QConcatenate"],
        keys: &["axis"],
        known: &[],
        variables: none,
        build: Build::Many(Lift::keras_concatenation),
    },
];

impl KerasLayer {
    /// What is done to the operands, by the name that Keras has for it; HGQ2 puts a Q in front.
    fn merge(&self) -> &str {
        self.class.strip_prefix('Q').unwrap_or(&self.class)
    }
}

impl Lift {
    fn keras_concatenation(&mut self, layer: &KerasLayer, operands: Vec<Real>) -> Result<Real, Diagnostic> {
        let rank = operands.first().map_or(0, |x| self.shape(x).len());
        let axis = layer.axis(Some(layer.config.integer("axis")?.unwrap_or(-1)), rank)?;
        self.concat(&layer.name, operands, axis)
    }

    fn keras_merge(&mut self, layer: &KerasLayer, operands: Vec<Real>) -> Result<Real, Diagnostic> {
        let count = operands.len();
        let mut operands = operands.into_iter();
        let mut sum = operands.next().ok_or_else(|| layer.error("it has no operands"))?;
        if layer.merge() == "Subtract" && count != 2 {
            return Err(layer.error(format!("it subtracts {count} operands")));
        }
        for next in operands {
            sum = match layer.merge() {
                "Add" | "Average" | "AveragePow2" => self.combine(&layer.name, Op::Add, sum, next)?,
                "Subtract" => self.combine(&layer.name, Op::Sub, sum, next)?,
                "Maximum" => self.combine(&layer.name, Op::Max, sum, next)?,
                "Minimum" => self.combine(&layer.name, Op::Min, sum, next)?,
                _ => self.mul(&layer.name, sum, next)?,
            };
        }
        match layer.merge() {
            "Average" => self.step(&layer.name, sum, Step::Div(Array::scalar(count as f32))),
            // HGQ2 divides by the nearest power of two
            "AveragePow2" => {
                let factor = 2f32.powf((1.0 / count as f32).log2().round_ties_even());
                self.step(&layer.name, sum, Step::Mul(Array::scalar(factor)))
            }
            _ => Ok(sum),
        }
    }
}
