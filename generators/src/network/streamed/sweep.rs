//! A window that moves over a tensor in memory: which words it reads in which beat.

use crate::model::PoolKind;

/// One axis that a window moves along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    /// Extent of the operand.
    pub extent: usize,
    /// Positions.
    pub positions: usize,
    /// Step from one position to the next.
    pub stride: usize,
    /// For each tap its distance from the position times the stride.
    pub taps: Vec<i64>,
}

impl Axis {
    /// An axis whose elements are taken one by one.
    pub fn each(extent: usize) -> Self {
        Self { extent, positions: extent, stride: 1, taps: vec![0] }
    }

    /// An axis whose elements are all under one window.
    pub fn all(extent: usize) -> Self {
        Self { extent, positions: 1, stride: 1, taps: (0..extent as i64).collect() }
    }
}

/// What is computed of the words under a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kernel {
    /// Sums of products.
    Products {
        /// By filter, tap and lane of its group.
        weights: Vec<i64>,
        /// One a filter.
        bias: Vec<i64>,
        /// Filters and lanes are split into as many groups that do not see each other.
        groups: usize,
    },
    /// Each lane by itself.
    Pool(PoolKind),
}

/// A window over words, and how its work is split into beats: several taps at a time, or of one tap some lanes at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sweep {
    /// The axes along which words are numbered, row-major.
    pub axes: Vec<Axis>,
    /// What is computed.
    pub kernel: Kernel,
    /// Lanes of each group that a filter sees.
    pub lanes: usize,
    /// Taps that are read in a beat.
    pub at_once: usize,
    /// Parts that the lanes of a group are split into.
    pub splits: usize,
}

impl Sweep {
    /// The work at each position split into as many beats as `reuse` allows, so that there are the fewest multipliers;
    /// none if there are more positions.
    pub fn new(axes: Vec<Axis>, kernel: Kernel, lanes: usize, reuse: u32) -> Option<Self> {
        let lanes = match &kernel {
            Kernel::Products { groups, .. } => lanes / groups,
            Kernel::Pool(_) => lanes,
        };
        let mut sweep = Self { axes, kernel, lanes, at_once: 1, splits: 1 };
        let (taps, beats) = (sweep.taps(), reuse as usize / sweep.positions().max(1));
        match (&sweep.kernel, beats / taps.max(1)) {
            _ if beats == 0 => return None,
            (_, 0) => sweep.at_once = taps.div_ceil(beats),
            (Kernel::Pool(_), _) => {}
            // the least width, then no more splits than it needs
            (Kernel::Products { .. }, splits) => sweep.splits = lanes.div_ceil(lanes.div_ceil(splits.min(lanes))),
        }
        Some(sweep)
    }

    /// Positions of the window.
    pub fn positions(&self) -> usize {
        self.axes.iter().map(|axis| axis.positions).product()
    }

    /// Taps of the window.
    pub fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps.len()).product()
    }

    /// Beats that a position takes.
    pub fn parts(&self) -> usize {
        self.taps().div_ceil(self.at_once) * self.splits
    }

    /// Beats altogether.
    pub fn beats(&self) -> usize {
        self.positions() * self.parts()
    }

    /// Lanes of each group in a beat.
    pub fn width(&self) -> usize {
        self.lanes.div_ceil(self.splits)
    }

    /// Multipliers.
    pub fn multipliers(&self) -> usize {
        match &self.kernel {
            Kernel::Products { bias, .. } => bias.len() * self.width() * self.at_once,
            Kernel::Pool(_) => 0,
        }
    }

    /// Which tap slot `slot` takes in a part of a position; none behind the last.
    pub fn tap(&self, part: usize, slot: usize) -> Option<usize> {
        let tap = part / self.splits * self.at_once + slot;
        (tap < self.taps()).then_some(tap)
    }

    /// Distance of a tap along an axis.
    pub fn distance(&self, tap: usize, axis: usize) -> i64 {
        let inner: usize = self.axes[axis + 1..].iter().map(|axis| axis.taps.len()).product();
        let taps = &self.axes[axis].taps;
        taps[tap / inner % taps.len()]
    }

    /// Words from one index of an axis to the next.
    pub fn step(&self, axis: usize) -> usize {
        self.axes[axis + 1..].iter().map(|axis| axis.extent).product()
    }

    /// The word under a tap at a position; none is padding.
    pub fn word(&self, position: usize, tap: usize) -> Option<usize> {
        let (mut word, mut left) = (0, position);
        for (a, axis) in self.axes.iter().enumerate().rev() {
            let index = (left % axis.positions * axis.stride) as i64 + self.distance(tap, a);
            left /= axis.positions;
            let index = usize::try_from(index).ok().filter(|index| *index < axis.extent)?;
            word += index * self.step(a);
        }
        Some(word)
    }

    /// The words that are read, with the beat in which each is.
    pub fn reads(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let parts = self.parts();
        (0..self.positions()).flat_map(move |position| {
            let of_part = move |part: usize| {
                let slots = (0..self.at_once).filter_map(move |slot| self.word(position, self.tap(part, slot)?));
                slots.map(move |word| (word, position * parts + part))
            };
            (0..parts).flat_map(of_part)
        })
    }

    /// The weight of a filter in a part, for a tap slot and a lane of the beat; 0 behind the last.
    pub fn weight(&self, filter: usize, part: usize, slot: usize, lane: usize) -> i64 {
        let Kernel::Products { weights, .. } = &self.kernel else { return 0 };
        let lane = part % self.splits * self.width() + lane;
        match self.tap(part, slot) {
            Some(tap) if lane < self.lanes => weights[(filter * self.taps() + tap) * self.lanes + lane],
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(reuse: u32) -> Option<Sweep> {
        let axis = Axis { extent: 4, positions: 4, stride: 1, taps: vec![-1, 0, 1] };
        let kernel = Kernel::Products { weights: (0..2 * 9 * 6).collect(), bias: vec![0; 2], groups: 1 };
        Sweep::new(vec![axis.clone(), axis], kernel, 6, reuse)
    }

    #[test]
    fn beats_are_as_many_as_reuse_allows() {
        let of = |reuse| sweep(reuse).map(|s| (s.at_once, s.splits, s.beats(), s.multipliers()));
        assert_eq!(of(15), None);
        assert_eq!(of(16), Some((9, 1, 16, 108)));
        assert_eq!(of(16 * 9), Some((1, 1, 144, 12)));
        assert_eq!(of(16 * 9 * 2), Some((1, 2, 288, 6)));
        assert_eq!(of(16 * 9 * 100), Some((1, 6, 864, 2)));
    }

    #[test]
    fn windows_fall_where_they_should() {
        let sweep = sweep(16 * 9).unwrap();
        assert_eq!([sweep.word(0, 0), sweep.word(0, 4), sweep.word(5, 0)], [None, Some(0), Some(0)]);
        assert_eq!(sweep.reads().count(), 10 * 10);
    }
}
