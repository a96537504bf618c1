//! The samples of a block, port by port, and how a column of them comes into lanes and out of them.

use super::arena::Lanes;
use super::lane::{Cell, Lane};

/// What a block reads and writes, whatever the type of its samples.
pub(super) trait Rows {
    /// Spreads input element `k` over the lanes; lanes past the last sample repeat it, so that they stay in range.
    fn load(&self, k: usize, lanes: Lanes<'_>);

    /// Gathers output element `k` from the lanes.
    fn store(&mut self, k: usize, lanes: Lanes<'_>);
}

/// A block of samples, at least one: for each port its elements, sample after sample.
#[derive(Debug)]
pub(super) struct Block<'a, S> {
    pub inputs: Vec<&'a [S]>,
    pub outputs: Vec<&'a mut [S]>,
    pub places: &'a Places,
}

/// Where each element is.
#[derive(Debug)]
pub(super) struct Places {
    inputs: Vec<Place>,
    outputs: Vec<Place>,
}

/// An element of a port.
#[derive(Debug, Clone, Copy)]
struct Place {
    port: usize,
    column: usize,
    width: usize,
}

fn places(widths: &[usize]) -> Vec<Place> {
    let of_port = |(port, &width): (usize, &usize)| (0..width).map(move |column| Place { port, column, width });
    widths.iter().enumerate().flat_map(of_port).collect()
}

impl Places {
    /// Elements of ports of these widths.
    pub fn new(inputs: &[usize], outputs: &[usize]) -> Self {
        Self { inputs: places(inputs), outputs: places(outputs) }
    }
}

macro_rules! of_lanes {
    ($lanes:expr, $name:ident => $do:expr) => {
        match $lanes {
            Lanes::I8($name) => $do,
            Lanes::I16($name) => $do,
            Lanes::I32($name) => $do,
            Lanes::I64($name) => $do,
            Lanes::I128($name) => $do,
            Lanes::F32($name) => $do,
        }
    };
}

impl<S: Lane> Rows for Block<'_, S> {
    fn load(&self, k: usize, lanes: Lanes<'_>) {
        let Place { port, column, width } = self.places.inputs[k];
        let values = &self.inputs[port][column..];
        of_lanes!(lanes, lanes => load(lanes, values, width));
    }

    fn store(&mut self, k: usize, lanes: Lanes<'_>) {
        let Place { port, column, width } = self.places.outputs[k];
        let values = &mut self.outputs[port][column..];
        of_lanes!(lanes, lanes => store(lanes, values, width));
    }
}

fn load<T: Cell, S: Lane>(lanes: &mut [T], column: &[S], width: usize) {
    let mut last = T::default();
    let mut filled = 0;
    for (lane, value) in lanes.iter_mut().zip(column.iter().step_by(width)) {
        last = T::truncated(value.to_i128());
        *lane = last;
        filled += 1;
    }
    lanes[filled..].fill(last);
}

fn store<T: Cell, S: Lane>(lanes: &[T], column: &mut [S], width: usize) {
    for (value, lane) in column.iter_mut().step_by(width).zip(lanes) {
        *value = S::truncated(lane.to_i128());
    }
}
