//! Layers that join several tensors element by element.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, none};
use super::einsum::{Equation, places};
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real};
use crate::model::{Array, Op, Pairing, Step};

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
        names: &["QEinsum"],
        keys: &[&["equation"]],
        known: &[],
        variables: none,
        build: Build::Many(Lift::hgq_einsum),
    },
    LayerClass {
        names: &["QDot", "Dot"],
        keys: &[&["axes"]],
        known: &[&[Known::only("normalize", &["false"], "vectors as they are")]],
        variables: none,
        build: Build::Many(Lift::keras_dot),
    },
    LayerClass {
        names: &["Concatenate", "QConcatenate"],
        keys: &[&["axis"]],
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
    /// Two operands by an equation.
    fn hgq_einsum(&mut self, layer: &KerasLayer, operands: Vec<Real>) -> Result<Real, Diagnostic> {
        let text = layer.config.text("equation")?.unwrap_or_default().to_owned();
        let [x, y] = <[Real; 2]>::try_from(operands)
            .map_err(|o| layer.error(format!("an equation of {} operands is not supported", o.len())))?;
        let equation = Equation::parse(&text, self.shape(&x).len());
        let equation =
            equation.ok_or_else(|| layer.error(format!("the equation {} is not supported", quoted(&text))))?;
        self.product(layer, [x, y], &equation)
    }

    /// Sums of products along one axis of each operand, for each sample of the batch.
    fn keras_dot(&mut self, layer: &KerasLayer, operands: Vec<Real>) -> Result<Real, Diagnostic> {
        let [x, y] = <[Real; 2]>::try_from(operands)
            .map_err(|o| layer.error(format!("a product of {} operands is not supported", o.len())))?;
        let ranks = [self.shape(&x).len(), self.shape(&y).len()];
        let given = layer.config.value("axes").clone();
        let given = match &given {
            Json::Array(list) => list.iter().map(Json::as_i64).collect(),
            one => vec![one.as_i64(); 2],
        };
        let &[a, b] = given.as_slice() else {
            return Err(layer.error("its `axes` are no pair"));
        };
        let (a, b) = (layer.axis(a, ranks[0])?, layer.axis(b, ranks[1])?);
        if a == 0 || b == 0 {
            return Err(layer.error("it sums over the samples of a batch"));
        }
        let letters = |first: char, rank: usize, summed: usize| -> Vec<char> {
            let own = (first..).take(rank).collect::<Vec<_>>();
            own.into_iter()
                .enumerate()
                .map(|(k, c)| {
                    if k == 0 {
                        'Y'
                    } else if k == summed {
                        'Z'
                    } else {
                        c
                    }
                })
                .collect()
        };
        let (one, other) = (letters('A', ranks[0], a), letters('a', ranks[1], b));
        let kept = other.iter().skip(1).filter(|c| **c != 'Z').copied();
        let result: Vec<char> = one.iter().filter(|c| **c != 'Z').copied().chain(kept).collect();
        let z = self.product(layer, [x, y], &Equation { x: one, kernel: other, result: result.clone() })?;
        match result.len() {
            1 => self.moved(&layer.name, z, Op::Reshape { shape: vec![1, 1] }),
            _ => Ok(z),
        }
    }

    /// Two computed operands as matrices that are multiplied.
    pub(super) fn product(
        &mut self,
        layer: &KerasLayer,
        [x, y]: [Real; 2],
        equation: &Equation,
    ) -> Result<Real, Diagnostic> {
        let (one, other) = (self.shape(&x).to_vec(), self.shape(&y).to_vec());
        let unsupported = || {
            layer
                .error(format!("its equation does not fit operands of shapes {one:?} and {other:?}"))
                .help("each axis that is summed over stands in both operands, and each other one in the result")
        };
        let [stay, shared, summed, brought] = equation.roles().ok_or_else(unsupported)?;
        let samples = [&equation.x, &equation.kernel, &equation.result].map(|axes| axes.first());
        if samples.iter().any(|axis| *axis != samples[0]) {
            return Err(layer
                .error("its equation joins different samples")
                .help("all operands and the result begin with the axis of the samples"));
        }
        let fits = one.len() == equation.x.len() && other.len() == equation.kernel.len();
        let alike = |c: &char| one[places(&[*c], &equation.x)[0]] == other[places(&[*c], &equation.kernel)[0]];
        if !fits || !shared.iter().chain(&summed).all(alike) {
            return Err(unsupported());
        }
        let extents = |letters: &[char], axes: &[char], shape: &[usize]| -> Vec<usize> {
            places(letters, axes).into_iter().map(|a| shape[a]).collect()
        };
        let [blocks, rows, depth] = [&shared, &stay, &summed].map(|l| extents(l, &equation.x, &one));
        let columns = extents(&brought, &equation.kernel, &other);
        let count = |extents: &[usize]| extents.iter().product::<usize>();
        let name = &layer.name;
        let x_axes = [&shared, &stay, &summed].map(|l| places(l, &equation.x)).concat();
        let x = self.moved(name, x, Op::Transpose { axes: x_axes })?;
        let x = self.moved(name, x, Op::Reshape { shape: vec![count(&blocks), count(&rows), count(&depth)] })?;
        let y_axes = [&shared, &summed, &brought].map(|l| places(l, &equation.kernel)).concat();
        let y = self.moved(name, y, Op::Transpose { axes: y_axes })?;
        let y = self.moved(name, y, Op::Reshape { shape: vec![count(&blocks), count(&depth), count(&columns)] })?;
        let z = self.mat_mul(name, x, y)?;
        let z = self.moved(name, z, Op::Reshape { shape: [blocks, rows, columns].concat() })?;
        let axes = places(&equation.result, &[shared, stay, brought].concat());
        self.moved(name, z, Op::Transpose { axes })
    }

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
            let operation = match layer.merge() {
                "Add" | "Average" | "AveragePow2" => Pairing::Add,
                "Subtract" => Pairing::Sub,
                "Maximum" => Pairing::Max,
                "Minimum" => Pairing::Min,
                _ => Pairing::Mul,
            };
            sum = self.pair(&layer.name, operation, sum, next)?;
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
