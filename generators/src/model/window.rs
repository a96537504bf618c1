//! Sliding windows over one or more spatial axes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most (position, tap) pairs that a window may visit.
const MAX_TAPS: usize = 1 << 24;

/// A window that slides over the spatial axes, one entry an axis in each list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Extent of the window.
    pub kernel: Vec<usize>,
    /// Step from one position to the next.
    pub strides: Vec<usize>,
    /// Distance of neighbouring taps.
    pub dilations: Vec<usize>,
    /// Elements in front of the first.
    pub pads_begin: Vec<usize>,
    /// Elements behind the last.
    pub pads_end: Vec<usize>,
}

/// Where a tap of the window falls: (position in the window, position in the input), both row-major.
pub type Tap = (u32, u32);

impl Window {
    /// Extents of the output for these spatial extents, or what is wrong.
    pub fn output(&self, spatial: &[usize]) -> Result<Vec<usize>, String> {
        let rank = spatial.len();
        let lists = [&self.kernel, &self.strides, &self.dilations, &self.pads_begin, &self.pads_end];
        if lists.iter().any(|list| list.len() != rank) {
            return Err(format!("the window needs one entry for each of {rank} spatial axes"));
        }
        let small = |v: &usize| *v <= 1 << 20;
        if lists.iter().any(|list| !list.iter().all(small)) {
            return Err("the window is too large".into());
        }
        if lists[..3].iter().any(|list| list.contains(&0)) {
            return Err("kernel, stride and dilation are at least 1".into());
        }
        (0..rank)
            .map(|a| {
                let padded = spatial[a] + self.pads_begin[a] + self.pads_end[a];
                let reach = (self.kernel[a] - 1) * self.dilations[a] + 1;
                let free = padded
                    .checked_sub(reach)
                    .ok_or_else(|| format!("a window that reaches over {reach} does not fit {padded} elements"))?;
                Ok(free / self.strides[a] + 1)
            })
            .collect()
    }

    /// As [`Window::output`], and an error if [`Window::positions`] would be one.
    pub fn visited(&self, spatial: &[usize]) -> Result<Vec<usize>, String> {
        let output = self.output(spatial)?;
        let count = output.iter().chain(&self.kernel).try_fold(1usize, |n, extent| n.checked_mul(*extent));
        match count {
            Some(count) if count <= MAX_TAPS => Ok(output),
            _ => Err("the window visits too many elements".into()),
        }
    }

    /// Whether any position sees nothing of the input, whose spatial extents these are.
    ///
    /// # Errors
    /// As [`Window::visited`].
    pub fn misses(&self, spatial: &[usize]) -> Result<bool, String> {
        let output = self.visited(spatial)?;
        let along = |a: usize| self.axis_taps(a, spatial[a], output[a]);
        Ok((0..spatial.len()).any(|a| along(a).iter().any(Vec::is_empty)))
    }

    /// For each output position the taps that fall inside the input.
    ///
    /// # Errors
    /// As [`Window::output`], or too many taps.
    pub fn positions(&self, spatial: &[usize]) -> Result<Vec<Vec<Tap>>, String> {
        let output = self.visited(spatial)?;
        let mut positions: Vec<Vec<Tap>> = vec![vec![(0, 0)]];
        for axis in 0..spatial.len() {
            let taps = self.axis_taps(axis, spatial[axis], output[axis]);
            let (kernel, extent) = (self.kernel[axis] as u32, spatial[axis] as u32);
            positions = positions
                .iter()
                .flat_map(|outer| {
                    taps.iter().map(move |inner| {
                        let joined = |&(t, p): &Tap| inner.iter().map(move |&(k, i)| (t * kernel + k, p * extent + i));
                        outer.iter().flat_map(joined).collect()
                    })
                })
                .collect();
        }
        Ok(positions)
    }

    fn axis_taps(&self, axis: usize, extent: usize, output: usize) -> Vec<Vec<Tap>> {
        let tap = |o: usize, k: usize| {
            let place = o * self.strides[axis] + k * self.dilations[axis];
            let place = place.checked_sub(self.pads_begin[axis])?;
            (place < extent).then_some((k as u32, place as u32))
        };
        (0..output).map(|o| (0..self.kernel[axis]).filter_map(|k| tap(o, k)).collect()).collect()
    }

    /// Whether any position reaches over the edge of the input.
    pub fn pads(&self) -> bool {
        self.pads_begin.iter().chain(&self.pads_end).any(|p| *p > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kernel: usize, stride: usize, dilation: usize, pads: [usize; 2]) -> Window {
        Window {
            kernel: vec![kernel],
            strides: vec![stride],
            dilations: vec![dilation],
            pads_begin: vec![pads[0]],
            pads_end: vec![pads[1]],
        }
    }

    #[test]
    fn taps_fall_where_they_should() {
        let positions = window(2, 2, 2, [1, 0]).positions(&[5]).unwrap();
        assert_eq!(positions, [vec![(1, 1)], vec![(0, 1), (1, 3)]]);
    }

    #[test]
    fn windows_that_do_not_fit_are_errors() {
        assert!(window(3, 1, 1, [0, 0]).output(&[2]).is_err());
        assert!(window(0, 1, 1, [0, 0]).output(&[2]).is_err());
        assert!(window(1, 1, 1, [0, 0]).output(&[2, 2]).is_err());
        assert!(window(1, 1, 1, [usize::MAX, 0]).output(&[2]).is_err());
    }
}
