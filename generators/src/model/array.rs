//! Values over a shape that stretch along axes of extent 1, as numpy's do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Row-major values. An axis of extent 1, or one that is missing in front, stretches to whatever extent is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Array<V> {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// As many values as the product of the extents.
    pub values: Vec<V>,
}

impl<V: Clone> Array<V> {
    /// One value for every element.
    pub fn scalar(value: V) -> Self {
        Self { shape: Vec::new(), values: vec![value] }
    }

    /// The same value, if there is only one.
    pub fn as_scalar(&self) -> Option<&V> {
        match self.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Applies `f` to every value.
    pub fn map<W>(&self, f: impl FnMut(&V) -> W) -> Array<W> {
        Array { shape: self.shape.clone(), values: self.values.iter().map(f).collect() }
    }

    /// Combines two arrays that stretch to a common shape; `None` if they do not.
    pub fn zip<W: Clone, X>(&self, other: &Array<W>, mut f: impl FnMut(&V, &W) -> X) -> Option<Array<X>> {
        let shape = broadcast(&self.shape, &other.shape)?;
        let (a, b) = (self.indices(&shape)?, other.indices(&shape)?);
        let values =
            a.into_iter().zip(b).map(|(i, j)| f(&self.values[i as usize], &other.values[j as usize])).collect();
        Some(Array { shape, values })
    }

    /// For each element of `shape`, the position of its value; `None` if the array does not stretch to it, or it has
    /// more than [`MAX_ELEMENTS`](super::MAX_ELEMENTS).
    pub fn indices(&self, shape: &[usize]) -> Option<Vec<u32>> {
        let missing = shape.len().checked_sub(self.shape.len())?;
        super::movement::elements(shape).ok()?;
        let mut strides = vec![0u32; shape.len()];
        let mut stride = 1u32;
        for (axis, &extent) in self.shape.iter().enumerate().rev() {
            if extent != 1 {
                if extent != shape[missing + axis] {
                    return None;
                }
                strides[missing + axis] = stride;
            }
            stride *= extent as u32;
        }
        let mut indices = vec![0u32];
        for (&extent, &stride) in shape.iter().zip(&strides) {
            indices = indices.iter().flat_map(|&base| (0..extent as u32).map(move |i| base + i * stride)).collect();
        }
        Some(indices)
    }

    /// One value for each element of `shape`; `None` if the array does not stretch to it.
    pub fn stretched(&self, shape: &[usize]) -> Option<Vec<V>> {
        let values = |i: u32| self.values[i as usize].clone();
        Some(self.indices(shape)?.into_iter().map(values).collect())
    }
}

impl<V: Clone + PartialEq> Array<V> {
    /// The same array with every axis along which nothing changes reduced to extent 1.
    #[must_use]
    pub fn compact(mut self) -> Self {
        if self.values.is_empty() {
            return self;
        }
        for axis in 0..self.shape.len() {
            let inner: usize = self.shape[axis + 1..].iter().product();
            let extent = self.shape[axis];
            let block = inner * extent;
            let repeats = |block: &[V]| block.chunks(inner).all(|row| row == &block[..inner]);
            if extent > 1 && self.values.chunks(block).all(repeats) {
                self.values = self.values.chunks(block).flat_map(|block| block[..inner].to_vec()).collect();
                self.shape[axis] = 1;
            }
        }
        self
    }
}

/// The shape to which both stretch.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(1, |i| shape[i]);
    (0..rank)
        .map(|axis| match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => Some(x),
            (1, x) | (x, 1) => Some(x),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_follows_the_last_axes() {
        let column = Array { shape: vec![2, 1], values: vec![1, 2] };
        assert_eq!(column.stretched(&[2, 3]), Some(vec![1, 1, 1, 2, 2, 2]));
        assert_eq!(column.stretched(&[3, 2]), None);
        assert_eq!(Array::scalar(7).stretched(&[2]), Some(vec![7, 7]));
        assert_eq!(broadcast(&[3, 1], &[4]), Some(vec![3, 4]));
        assert_eq!(broadcast(&[3], &[4]), None);
    }

    #[test]
    fn compaction_keeps_the_meaning() {
        let full = Array { shape: vec![2, 2, 2], values: vec![1, 1, 2, 2, 1, 1, 2, 2] };
        let compact = full.clone().compact();
        assert_eq!(compact.shape, [1, 2, 1]);
        assert_eq!(compact.stretched(&full.shape), Some(full.values));
    }
}
