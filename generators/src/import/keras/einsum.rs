//! `EinsumDense`: a product with a constant tensor by Einstein's summation, as one matrix on rearranged axes.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass, WEIGHTS};
use super::quantiser::quantised;
use crate::import::lift::{Lift, Real};
use crate::import::settings::{Known, Settings};
use crate::model::Op;

/// Layers that sum by Einstein's convention.
pub(super) const CLASSES: &[LayerClass] = &[LayerClass {
    names: &["EinsumDense", "QEinsumDense"],
    keys: &["equation", "bias_axes", "activation", "kernel_quantizer", "bias_quantizer"],
    known: &[
        WEIGHTS,
        &[
            Known::any("output_shape", "the equation and the kernel say it"),
            Known::any("parallelization_factor", "a hint for the hardware of others"),
        ],
    ],
    variables,
    build: Build::One(Lift::keras_einsum),
}];

fn variables(config: &Settings) -> Vec<&'static str> {
    let bias = !config.peek("bias_axes").is_null();
    [Some("kernel"), bias.then_some("bias")].into_iter().flatten().collect()
}

/// Axes by letter.
struct Equation {
    x: Vec<char>,
    kernel: Vec<char>,
    result: Vec<char>,
}

impl Equation {
    /// Reads `abc,cd->abd`; none if it has other signs, or a letter twice in one term.
    fn parse(text: &str) -> Option<Self> {
        let (operands, result) = text.split_once("->")?;
        let (x, kernel) = operands.split_once(',')?;
        let letters = |term: &str| {
            let letters: Vec<char> = term.chars().filter(|c| *c != ' ').collect();
            let plain = letters.iter().all(char::is_ascii_alphabetic);
            let once = (1..letters.len()).all(|k| !letters[..k].contains(&letters[k]));
            (plain && once).then_some(letters)
        };
        Some(Self { x: letters(x)?, kernel: letters(kernel)?, result: letters(result)? })
    }

    /// Axes of the operand that stay, those that are summed over, and those that the kernel brings; none if the equation is
    /// no matrix product, as when an axis of the kernel stays beside the operand's.
    fn roles(&self) -> Option<[Vec<char>; 3]> {
        let only = |of: &[char], keep: &dyn Fn(&char) -> bool| -> Vec<char> {
            of.iter().copied().filter(|c| keep(c)).collect()
        };
        let stay = only(&self.x, &|c| self.result.contains(c));
        let summed = only(&self.x, &|c| !self.result.contains(c));
        let brought = only(&self.kernel, &|c| !self.x.contains(c));
        let matrix = summed.iter().all(|c| self.kernel.contains(c))
            && stay.iter().all(|c| !self.kernel.contains(c))
            && brought.iter().all(|c| self.result.contains(c))
            && self.result.len() == stay.len() + brought.len();
        matrix.then_some([stay, summed, brought])
    }
}

/// Where each of `letters` stands in `axes`.
fn places(letters: &[char], axes: &[char]) -> Vec<usize> {
    let place = |c: &char| axes.iter().position(|a| a == c);
    letters.iter().filter_map(place).collect()
}

impl Lift {
    fn keras_einsum(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let text = layer.config.text("equation")?.unwrap_or_default();
        let unsupported = || {
            layer
                .error(format!("the equation {} is not supported", hdl::names::quoted(text)))
                .help("supported are products in which no axis of the kernel stays beside the same axis of the operand, such as bij,jk->bik")
        };
        let equation = Equation::parse(text).ok_or_else(unsupported)?;
        let [stay, summed, brought] = equation.roles().ok_or_else(unsupported)?;
        let kernel = layer.floats("kernel")?;
        let shape = self.shape(&x).to_vec();
        if shape.len() != equation.x.len() || kernel.shape.len() != equation.kernel.len() {
            return Err(layer.error(format!(
                "its equation does not fit an operand of shape {shape:?} and a kernel of shape {:?}",
                kernel.shape
            )));
        }
        let extents = |axes: &[usize], shape: &[usize]| -> Vec<usize> { axes.iter().map(|a| shape[*a]).collect() };
        let kernel_axes = [places(&summed, &equation.kernel), places(&brought, &equation.kernel)];
        let [depth, width] = [0, 1].map(|k| extents(&kernel_axes[k], &kernel.shape));
        let matrix = vec![depth.iter().product(), width.iter().product()];
        let weights = quantised(layer, &kernel, &["kernel_quantizer"], "kq")?;
        let weights = weights
            .moved(&Op::Transpose { axes: kernel_axes.concat() })
            .and_then(|w| w.moved(&Op::Reshape { shape: matrix }))
            .map_err(|why| layer.error(why))?;
        let axes = [places(&stay, &equation.x), places(&summed, &equation.x)];
        let kept = extents(&axes[0], &shape);
        let rows = [&kept[..], &[depth.iter().product()]].concat();
        let name = &layer.name;
        let x = self.moved(name, x, Op::Transpose { axes: axes.concat() })?;
        let x = self.moved(name, x, Op::Reshape { shape: rows })?;
        let y = self.dense(name, x, &weights)?;
        let y = self.moved(name, y, Op::Reshape { shape: [kept, width].concat() })?;
        let axes = places(&equation.result, &[stay, brought].concat());
        let y = self.moved(name, y, Op::Transpose { axes })?;
        let bias = match layer.config.value("bias_axes").is_null() {
            true => None,
            false => Some(layer.floats("bias")?),
        };
        let y = self.biased(layer, y, bias)?;
        self.activated(layer, y, "activation")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_that_are_matrix_products() {
        let roles = |text: &str| Equation::parse(text).and_then(|e| e.roles());
        let text = |roles: [Vec<char>; 3]| roles.map(|r| r.into_iter().collect::<String>());
        let known = roles("abc,cd->abd").map(text);
        assert_eq!(known, Some(["ab".into(), "c".into(), "d".into()]));
        let known = roles("bij,jki->bk").map(text);
        assert_eq!(known, Some(["b".into(), "ij".into(), "k".into()]));
        for other in ["abc,bcd->abd", "...a,ab->...b", "aab,bc->ac", "ab,bc", "ab,bc->a"] {
            assert!(roles(other).is_none(), "{other}");
        }
    }
}
