//! Transposed convolutions: the operand's elements are spread by the strides, and flipped filters slide over them.

use hdl::diag::Diagnostic;

use super::{Constant, Lift, Real, Shaped, at};
use crate::model::{Op, Window};

impl Lift {
    /// The transposed convolution of `[n, channel, spatial…]` with filters `[channels, filters / groups, kernel…]`.
    ///
    /// Of `(extent - 1) · stride + (kernel - 1) · dilation + 1` results along an axis the window's pads are left out, and
    /// `more` are added behind.
    ///
    /// # Errors
    /// As [`Lift::convolution`], and pads that leave nothing.
    pub fn transposed_convolution(
        &mut self,
        name: &str,
        x: Real,
        weights: &Constant,
        Shaped { window, groups }: Shaped,
        more: &[usize],
    ) -> Result<Real, Diagnostic> {
        let Window { kernel, strides, dilations, pads_begin, pads_end } = window;
        let filters = flipped(weights, groups).map_err(|why| at(name, why))?;
        let x = self.spread(name, x, &strides)?;
        let reach = |a: usize| (kernel[a] - 1) * dilations[a];
        let pads = |given: &[usize], more: &[usize]| -> Vec<i64> {
            (0..given.len()).map(|a| (reach(a) + more[a]) as i64 - given[a] as i64).collect()
        };
        let (begin, end) = (pads(&pads_begin, &vec![0; more.len()]), pads(&pads_end, more));
        let x = self.cut(name, x, &begin, &end)?;
        let outside = |pads: &[i64]| pads.iter().map(|p| (*p).max(0) as usize).collect();
        let window = Window {
            strides: vec![1; kernel.len()],
            pads_begin: outside(&begin),
            pads_end: outside(&end),
            kernel,
            dilations,
        };
        self.convolution(name, x, &filters, Shaped { window, groups })
    }

    /// The operand with `stride - 1` zeros between neighbours along each spatial axis.
    fn spread(&mut self, name: &str, mut x: Real, strides: &[usize]) -> Result<Real, Diagnostic> {
        for (k, &stride) in strides.iter().enumerate().filter(|(_, s)| **s > 1) {
            let (axis, shape) = (k + 2, self.shape(&x).to_vec());
            let split = [&shape[..=axis], &[1], &shape[axis + 1..]].concat();
            x = self.moved(name, x, Op::Reshape { shape: split.clone() })?;
            let mut behind = vec![0; split.len()];
            behind[axis + 1] = stride - 1;
            x = self.pad(name, x, vec![0; split.len()], behind, 0.0)?;
            let mut joined = shape.clone();
            joined[axis] *= stride;
            x = self.moved(name, x, Op::Reshape { shape: joined.clone() })?;
            joined[axis] = joined[axis].saturating_sub(stride - 1);
            let rank = joined.len();
            x = self.moved(name, x, Op::Slice { begin: vec![0; rank], count: joined, step: vec![1; rank] })?;
        }
        Ok(x)
    }

    /// The operand without the elements that negative pads take away.
    fn cut(&mut self, name: &str, x: Real, begin: &[i64], end: &[i64]) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let taken = |pads: &[i64], a: usize| if a < 2 { 0 } else { (-pads[a - 2]).max(0) as usize };
        let count: Option<Vec<usize>> =
            (0..shape.len()).map(|a| shape[a].checked_sub(taken(begin, a))?.checked_sub(taken(end, a))).collect();
        let count = count.ok_or_else(|| at(name, "its pads take away more elements than there are"))?;
        let begin = (0..shape.len()).map(|a| taken(begin, a)).collect();
        self.moved(name, x, Op::Slice { begin, count, step: vec![1; shape.len()] })
    }
}

/// Filters of shape `[filters, channels / groups, kernel…]` that run from the kernel's end to its start.
fn flipped(weights: &Constant, groups: usize) -> Result<Constant, String> {
    let [channels, filters, kernel @ ..] = weights.shape() else {
        return Err("filters have axes channels, filters and kernel".into());
    };
    let (channels, filters, kernel) = (channels / groups, *filters, kernel.to_vec());
    let axes = [0, 2, 1].into_iter().chain(3..3 + kernel.len()).collect();
    let last = |k: &usize| k.saturating_sub(1);
    [
        Op::Reshape { shape: [vec![groups, channels, filters], kernel.clone()].concat() },
        Op::Transpose { axes },
        Op::Reshape { shape: [vec![groups * filters, channels], kernel.clone()].concat() },
        Op::Slice {
            begin: [0, 0].into_iter().chain(kernel.iter().map(last)).collect(),
            count: [vec![groups * filters, channels], kernel.clone()].concat(),
            step: [1, 1].into_iter().chain(kernel.iter().map(|_| -1)).collect(),
        },
    ]
    .iter()
    .try_fold(weights.clone(), |w, op| w.moved(op))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_turned_around() {
        let weights = Constant::float(vec![2, 1, 2], vec![1.0, 2.0, 3.0, 4.0]);
        let turned = flipped(&weights, 1).unwrap();
        assert_eq!((turned.shape(), turned.as_float().values), (&[1, 2, 2][..], vec![2.0, 1.0, 4.0, 3.0]));
        let grouped = flipped(&weights, 2).unwrap();
        assert_eq!((grouped.shape(), grouped.as_float().values), (&[2, 1, 2][..], vec![2.0, 1.0, 4.0, 3.0]));
    }
}
