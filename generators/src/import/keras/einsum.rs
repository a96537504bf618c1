//! `EinsumDense`: a product with a constant tensor by Einstein's summation, as one matrix on rearranged axes.

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS};
use super::hgq_layers::counted;
use super::quantiser::quantised;
use crate::import::keras::settings::Settings;
use crate::import::lift::{Constant, Grid, Lift, Real};
use crate::model::{Array, Op, Step};

/// Layers that sum by Einstein's convention.
pub(super) const CLASSES: &[LayerClass] = &[
    LayerClass {
        names: &["EinsumDense", "QEinsumDense"],
        keys: &[EQUATION, &["activation", "kernel_quantizer", "bias_quantizer"]],
        known: &[WEIGHTS],
        variables,
        build: Build::One(Lift::keras_einsum),
    },
    LayerClass {
        names: &["QEinsumDenseBatchnorm"],
        keys: &[EQUATION, &["activation"]],
        known: &[WEIGHTS],
        variables: normalised,
        build: Build::One(Lift::hgq_normalised_einsum),
    },
];

const EQUATION: &[&str] = &["equation", "bias_axes", "output_shape"];

/// HGQ2 does not save whether there is `gamma`, so that there is one when it is read again.
fn normalised(config: &Settings) -> Vec<&'static str> {
    ["kernel", "bias", "gamma"].into_iter().chain(counted(config)).chain(["moving_mean", "moving_variance"]).collect()
}

fn variables(config: &Settings) -> Vec<&'static str> {
    let bias = !config.peek("bias_axes").is_null();
    [Some("kernel"), bias.then_some("bias")].into_iter().flatten().collect()
}

/// Axes by letter.
pub(super) struct Equation {
    pub x: Vec<char>,
    pub kernel: Vec<char>,
    pub result: Vec<char>,
}

impl Equation {
    /// Reads `abc,cd->abd`, where `...` stands for as many axes as are left of `rank`; none if it has other signs, or a
    /// letter twice in one term.
    pub(super) fn parse(text: &str, rank: usize) -> Option<Self> {
        let (operands, result) = text.split_once("->")?;
        let (x, kernel) = operands.split_once(',')?;
        let free: Vec<char> = ('A'..='Z').chain('a'..='z').filter(|c| !text.contains(*c)).collect();
        let more = match x.contains("...") {
            true => (rank + 3).checked_sub(x.chars().filter(|c| *c != ' ').count())?,
            false => 0,
        };
        let more: String = free.get(..more)?.iter().collect();
        let letters = |term: &str| {
            let term = term.replace("...", &more);
            let letters: Vec<char> = term.chars().filter(|c| *c != ' ').collect();
            let plain = letters.iter().all(char::is_ascii_alphabetic);
            let once = (1..letters.len()).all(|k| !letters[..k].contains(&letters[k]));
            (plain && once).then_some(letters)
        };
        Some(Self { x: letters(x)?, kernel: letters(kernel)?, result: letters(result)? })
    }

    /// Axes of the operand that stay, those that stay and have their own part of the kernel, those that are summed over,
    /// and those that the kernel brings; none if an axis is summed over in one of both only.
    pub(super) fn roles(&self) -> Option<[Vec<char>; 4]> {
        let only = |of: &[char], keep: &dyn Fn(&char) -> bool| -> Vec<char> {
            of.iter().copied().filter(|c| keep(c)).collect()
        };
        let stay = only(&self.x, &|c| self.result.contains(c) && !self.kernel.contains(c));
        let shared = only(&self.x, &|c| self.result.contains(c) && self.kernel.contains(c));
        let summed = only(&self.x, &|c| !self.result.contains(c));
        let brought = only(&self.kernel, &|c| !self.x.contains(c));
        let product = summed.iter().all(|c| self.kernel.contains(c))
            && brought.iter().all(|c| self.result.contains(c))
            && self.result.len() == stay.len() + shared.len() + brought.len();
        product.then_some([stay, shared, summed, brought])
    }
}

/// Where each of `letters` stands in `axes`.
pub(super) fn places(letters: &[char], axes: &[char]) -> Vec<usize> {
    let place = |c: &char| axes.iter().position(|a| a == c);
    letters.iter().filter_map(place).collect()
}

/// Most weights of the matrix that an equation becomes.
const MAX_WEIGHTS: usize = 1 << 24;

/// Matrices `[blocks, depth, width]` as one matrix with them on its diagonal.
fn block_diagonal(weights: &Constant, [blocks, depth, width]: [usize; 3]) -> Result<Constant, String> {
    let shape = vec![blocks * depth, blocks * width];
    if blocks == 1 {
        return weights.moved(&Op::Reshape { shape });
    }
    if shape[0].saturating_mul(shape[1]) > MAX_WEIGHTS {
        return Err(format!("its equation becomes a matrix of more than {MAX_WEIGHTS} weights"));
    }
    let block = |k: usize| {
        let part = Op::Slice { begin: vec![k, 0, 0], count: vec![1, depth, width], step: vec![1; 3] };
        let around = |first: usize, extent: usize| (first * extent, (blocks - 1 - first) * extent);
        let ((above, below), (left, right)) = (around(k, depth), around(k, width));
        let pad = Op::Pad { begin: vec![above, left], end: vec![below, right], value: 0 };
        weights
            .moved(&part)
            .and_then(|w| w.moved(&Op::Reshape { shape: vec![depth, width] }))
            .and_then(|w| w.moved(&pad))
    };
    let parts: Vec<Constant> = (0..blocks).map(block).collect::<Result<_, _>>()?;
    let floats = parts.iter().map(Constant::as_float);
    let sum = floats.reduce(|a, b| a.zip(&b, |a, b| a + b).expect("of one shape")).expect("there are blocks");
    let Constant::Float { grid: Some(_), .. } = weights else {
        return Ok(Constant::float(sum.shape, sum.values));
    };
    // zeros outside the blocks take the steps of the column's own block
    let mut grid = Grid {
        integers: vec![0; sum.values.len()],
        unit: Array { shape: sum.shape.clone(), values: vec![0.0; sum.values.len()] },
    };
    for (k, part) in parts.iter().enumerate() {
        let Constant::Float { grid: Some(own), .. } = part else { return Err("weights without steps".into()) };
        let units = own.unit.stretched(&sum.shape).ok_or("the weights' scale does not fit them")?;
        for row in 0..shape[0] {
            for column in k * width..(k + 1) * width {
                let at = row * shape[1] + column;
                let inside = row / depth == k;
                grid.integers[at] = if inside { own.integers[at] } else { 0 };
                grid.unit.values[at] = units[if inside { at } else { k * depth * shape[1] + column }];
            }
        }
    }
    grid.unit = grid.unit.compact();
    Ok(Constant::Float { array: sum, grid: Some(grid) })
}

impl Lift {
    fn keras_einsum(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let kernel = layer.floats("kernel")?;
        let rank = self.shape(&x).len();
        let weights = quantised(layer, &kernel, &["kernel_quantizer"], "kq")?;
        let y = self.einsum_with(layer, x, &weights)?;
        let bias = match layer.config.value("bias_axes").is_null() {
            true => None,
            false => Some(layer.along_bias_axes(&layer.equation(rank)?, self.shape(&y))?),
        };
        let y = self.biased(layer, y, bias)?;
        self.activated(layer, y, "activation")
    }

    /// A product with a normalisation folded in: along the axes of the bias the kernel is multiplied by
    /// `gamma / sqrt(variance + ε)`, with the ε of Keras' back end and not that of the layer.
    fn hgq_normalised_einsum(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        const EPSILON: f32 = 1e-7;
        let kernel = layer.floats("kernel")?;
        let axes = layer.config.text("bias_axes")?.unwrap_or_default().to_owned();
        let equation = layer.equation(self.shape(&x).len())?;
        let ordered = |of: &[char]| -> Vec<char> { of.iter().copied().filter(|c| axes.contains(*c)).collect() };
        let normalised = ordered(&equation.kernel);
        if normalised.is_empty() || normalised != ordered(&equation.result) {
            return Err(layer.error("it normalises axes that stand in another order in its kernel than in its result"));
        }
        let [gamma, mean, variance] = ["gamma", "moving_mean", "moving_variance"].map(|name| layer.floats(name));
        let (gamma, mean, variance) = (gamma?, mean?, variance?);
        let misfit = || layer.error("its parameters differ in shape");
        let scaler = gamma.zip(&variance, |g, v| g / (v + EPSILON).sqrt()).ok_or_else(misfit)?;
        if scaler.values.iter().any(|s| !s.is_finite()) || scaler.shape.len() != normalised.len() {
            return Err(misfit());
        }
        let kept = kernel.shape.iter().zip(&equation.kernel);
        let along = kept.map(|(e, c)| if axes.contains(*c) { *e } else { 1 }).collect();
        let factors = Array { shape: along, values: scaler.values.clone() };
        let fused = kernel.zip(&factors, |k, s| k * s).filter(|f| f.shape == kernel.shape).ok_or_else(misfit)?;
        let weights = quantised(layer, &fused, &[], "kq")?;
        let offset = mean.zip(&scaler, |m, s| -m * s).ok_or_else(misfit)?;
        let y = self.einsum_with(layer, x, &weights)?;
        let bias = layer.along_bias_axes(&equation, self.shape(&y))?;
        if offset.values.len() != bias.values.len() {
            return Err(misfit());
        }
        let offset = Array { shape: bias.shape.clone(), values: offset.values };
        let moved = bias.zip(&offset, |b, o| b + o).ok_or_else(misfit)?;
        let shift = quantised(layer, &moved, &[], "bq")?.as_float();
        let y = self.step(&layer.name, y, Step::Add(shift))?;
        self.activated(layer, y, "activation")
    }

    /// `x` and the kernel `weights` by the layer's equation.
    fn einsum_with(&mut self, layer: &KerasLayer, x: Real, weights: &Constant) -> Result<Real, Diagnostic> {
        let (shape, kernel) = (self.shape(&x).to_vec(), weights.shape().to_vec());
        let equation = layer.equation(shape.len())?;
        let [stay, shared, summed, brought] = equation.roles().ok_or_else(|| layer.no_product())?;
        let extents = |axes: &[usize], shape: &[usize]| -> Vec<usize> { axes.iter().map(|a| shape[*a]).collect() };
        let fits = shape.len() == equation.x.len() && kernel.len() == equation.kernel.len();
        let alike = |c: &char| {
            let (a, b) = (places(&[*c], &equation.x)[0], places(&[*c], &equation.kernel)[0]);
            shape[a] == kernel[b]
        };
        if !fits || !shared.iter().chain(&summed).all(alike) {
            return Err(layer.error(format!(
                "its equation does not fit an operand of shape {shape:?} and a kernel of shape {kernel:?}"
            )));
        }
        let kernel_axes = [&shared, &summed, &brought].map(|letters| places(letters, &equation.kernel));
        let [blocks, depth, width] = [0, 1, 2].map(|k| extents(&kernel_axes[k], &kernel).iter().product::<usize>());
        let matrix = weights
            .moved(&Op::Transpose { axes: kernel_axes.concat() })
            .and_then(|w| w.moved(&Op::Reshape { shape: vec![blocks, depth, width] }))
            .and_then(|w| block_diagonal(&w, [blocks, depth, width]))
            .map_err(|why| layer.error(why))?;
        let x_axes = [&stay, &shared, &summed].map(|letters| places(letters, &equation.x));
        let kept = extents(&x_axes[0], &shape);
        let name = &layer.name;
        let x = self.moved(name, x, Op::Transpose { axes: x_axes.concat() })?;
        let x = self.moved(name, x, Op::Reshape { shape: [&kept[..], &[blocks * depth]].concat() })?;
        let y = self.dense(name, x, &matrix)?;
        let apart = [kept, extents(&kernel_axes[0], &kernel), extents(&kernel_axes[2], &kernel)].concat();
        let y = self.moved(name, y, Op::Reshape { shape: apart })?;
        let axes = places(&equation.result, &[stay, shared, brought].concat());
        let y = self.moved(name, y, Op::Transpose { axes })?;
        layer.agrees_on_results(self.shape(&y))?;
        Ok(y)
    }
}

impl KerasLayer {
    /// Its equation on an operand with `rank` axes.
    fn equation(&self, rank: usize) -> Result<Equation, Diagnostic> {
        let text = self.config.text("equation")?.unwrap_or_default();
        Equation::parse(text, rank).ok_or_else(|| self.no_product())
    }

    fn no_product(&self) -> Diagnostic {
        let text = self.config.peek("equation").as_str().unwrap_or_default();
        self.error(format!("the equation {} is not supported", hdl::names::quoted(text))).help(
            "supported are products in which each axis that is summed over stands in both operands, such as bij,jk->bik",
        )
    }

    /// The bias, which has the extents of `shape` along its axes in the result and 1 along others, from its first one on.
    fn along_bias_axes(&self, equation: &Equation, shape: &[usize]) -> Result<Array<f32>, Diagnostic> {
        let axes = self.config.text("bias_axes")?.unwrap_or_default();
        let extent = |(axis, extent): (&char, &usize)| if axes.contains(*axis) { *extent } else { 1 };
        let kept = equation.result.iter().zip(shape).skip_while(|(axis, _)| !axes.contains(**axis));
        let wanted: Vec<usize> = kept.map(extent).collect();
        let bias = self.floats("bias")?;
        match bias.shape == wanted {
            true => Ok(bias),
            false => Err(self.misfit(format!("its bias has shape {:?}, expected {wanted:?}", bias.shape))),
        }
    }

    /// An error if the configuration says other extents of its result, whose shape is `shape`. Those of the samples and of
    /// `...` are not said.
    fn agrees_on_results(&self, shape: &[usize]) -> Result<(), Diagnostic> {
        let said = match self.config.value("output_shape") {
            Json::Null => return Ok(()),
            Json::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let is = |(said, found): (&Json, &usize)| said.is_null() || said.as_u64() == Some(*found as u64);
        let whole = said.len() + 1 == shape.len();
        let last = &shape[shape.len() - said.len().min(shape.len())..];
        let elided = self.config.peek("equation").as_str().is_some_and(|text| text.contains("..."));
        if elided && said.len() < shape.len() || whole && said.iter().zip(last).all(is) {
            return Ok(());
        }
        let said = self.config.peek("output_shape");
        Err(self
            .misfit(format!("its `output_shape` is {said}, its tensors in the file are made for {:?}", &shape[1..])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_that_are_products() {
        let roles = |text: &str| Equation::parse(text, 3).and_then(|e| e.roles());
        let text = |roles: [Vec<char>; 4]| roles.map(|r| r.into_iter().collect::<String>());
        for (equation, known) in [
            ("abc,cd->abd", ["ab", "", "c", "d"]),
            ("bij,jki->bk", ["b", "", "ij", "k"]),
            ("abc,bcd->abd", ["a", "b", "c", "d"]),
            ("...a,ab->...b", ["AB", "", "a", "b"]),
            ("abc,bc->abc", ["a", "bc", "", ""]),
        ] {
            assert_eq!(roles(equation).map(text), Some(known.map(str::to_owned)), "{equation}");
        }
        for other in ["aab,bc->ac", "ab,bc", "ab,bc->a", "abc,cd->ad"] {
            assert!(roles(other).is_none(), "{other}");
        }
    }

    #[test]
    fn blocks_stand_on_the_diagonal() {
        let weights = Constant::float(vec![2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let matrix = block_diagonal(&weights, [2, 1, 2]).unwrap();
        assert_eq!(matrix, Constant::float(vec![2, 4], vec![1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 4.0]));
    }
}
