//! Tensors that are known when a network is read.

use super::array::{last_place, moved_array, movement, rank_aligned};
use crate::model::{Array, Op};

/// Most that scales of powers of two may be apart.
pub(super) const MAX_APART: f64 = (1u64 << 40) as f64;

/// Most bits of an integer weight.
const MAX_WEIGHT_BITS: u32 = 24;

/// Scales that differ by no more than this become one, so that terms are shared.
const NEAR: f64 = 65_536.0;

/// Integers with the value of one step, as a quantiser gave them.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// One integer for each element of the constant.
    pub integers: Vec<i64>,
    /// Value of one step; stretches to the constant's shape.
    pub unit: Array<f64>,
}

/// A tensor of constants.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    /// 32-bit floats, with the grid that they lie on if a quantiser made them.
    Float {
        /// The numbers.
        array: Array<f32>,
        /// Their integers.
        grid: Option<Grid>,
    },
    /// Integers of any type; shapes and indices mostly.
    Integer(Array<i64>),
}

impl Constant {
    /// Floats without a grid.
    pub fn float(shape: Vec<usize>, values: Vec<f32>) -> Self {
        Self::Float { array: Array { shape, values }, grid: None }
    }

    /// Extent of each axis.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float { array, .. } => &array.shape,
            Self::Integer(array) => &array.shape,
        }
    }

    /// The floats, or integers as floats.
    pub fn as_float(&self) -> Array<f32> {
        match self {
            Self::Float { array, .. } => array.clone(),
            Self::Integer(array) => array.map(|v| *v as f32),
        }
    }

    /// How far floats may lie from their integers times the steps, beyond the rounding of that product: a framework that
    /// quantises by adding a difference gives others.
    pub fn off_grid(&self) -> f64 {
        let Self::Float { array, grid: Some(grid) } = self else {
            return 0.0;
        };
        let units = grid.unit.stretched(&array.shape).unwrap_or_default();
        let exact = grid.integers.iter().zip(&units).map(|(n, u)| (*n as f64 * u) as f32);
        exact.zip(&array.values).fold(0.0, |most, (e, v)| f64::from((e - v).abs()).max(most))
    }

    /// What a layer that only moves elements makes of it.
    pub fn moved(&self, op: &Op) -> Result<Self, String> {
        let movement = movement(op, self.shape())?;
        let fill = if let Op::Pad { value, .. } = op { *value } else { 0 };
        let picked =
            |integers: &[i64]| movement.sources.iter().map(|s| s.map_or(fill, |i| integers[i as usize])).collect();
        Ok(match self {
            Self::Integer(array) => {
                Self::Integer(Array { shape: movement.shape.clone(), values: picked(&array.values) })
            }
            Self::Float { array, grid } => Self::Float {
                array: Array {
                    shape: movement.shape.clone(),
                    values: movement
                        .sources
                        .iter()
                        .map(|s| s.map_or(fill as f32, |i| array.values[i as usize]))
                        .collect(),
                },
                grid: grid.as_ref().map(|grid| Grid {
                    integers: picked(&grid.integers),
                    unit: moved_array(&grid.unit, self.shape(), &movement, &1.0),
                }),
            },
        })
    }

    /// Integers and the value of one step, which may differ along `axis` but along no other.
    ///
    /// Powers of two are moved between integers and steps, so that a common step is used where there is one.
    pub fn on_grid(&self, axis: usize) -> Result<Grid, String> {
        let shape = self.shape();
        let grid = match self {
            Self::Integer(array) => Grid {
                integers: array.values.clone(),
                unit: Array::scalar(1.0),
            },
            Self::Float { grid: Some(grid), .. } => grid.clone(),
            Self::Float { array, grid: None } if array.values.iter().any(|v| !v.is_finite()) => {
                return Err("a weight is not finite".into());
            }
            Self::Float { array, grid: None } => dyadic(&array.values).ok_or_else(|| {
                format!("its weights are plain floats that need more than {MAX_WEIGHT_BITS} bits; quantise them in the model")
            })?,
        };
        let unit = rank_aligned(&grid.unit, shape).ok_or("the weights' scale does not fit them")?;
        common_step(grid.integers, &unit, shape, axis)
    }
}

/// `n` times a power of two, if that is a weight which a product of 62 bits has room for.
fn scaled(n: i64, factor: f64) -> Option<i64> {
    let product = n as f64 * factor;
    (product.abs() < (1u64 << 50) as f64).then_some(product as i64)
}

/// The finest power of two that all numbers are multiples of, if that takes few bits.
fn dyadic(values: &[f32]) -> Option<Grid> {
    if values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let places = values.iter().filter(|v| **v != 0.0).map(|v| last_place(f64::from(*v)));
    let unit = 2f64.powi(places.min().unwrap_or(0));
    let integers = values.iter().map(|v| f64::from(*v) / unit);
    let integers: Option<Vec<i64>> =
        integers.map(|n| (n.abs() < f64::from(1 << MAX_WEIGHT_BITS)).then_some(n as i64)).collect();
    Some(Grid { integers: integers?, unit: Array::scalar(unit) })
}

/// The same numbers with a step that is constant but along `axis`.
fn common_step(mut integers: Vec<i64>, unit: &Array<f64>, shape: &[usize], axis: usize) -> Result<Grid, String> {
    if let Some(&unit) = unit.as_scalar() {
        return Ok(Grid { integers, unit: Array::scalar(unit) });
    }
    let units = unit.stretched(shape).ok_or("the weights' scale does not fit them")?;
    // the scale of a weight that is 0 does not matter
    let used = || units.iter().zip(&integers).filter(|(_, n)| **n != 0).map(|(u, _)| *u);
    let least = used().fold(f64::INFINITY, f64::min);
    if least == f64::INFINITY {
        return Ok(Grid { integers, unit: Array::scalar(units.first().copied().unwrap_or(1.0)) });
    }
    let dyadic = used().all(|u| super::array::is_power_of_two(u / least));
    let furthest = used().fold(least, f64::max) / least;
    let elsewhere = (0..shape.len()).any(|a| a != axis && unit.shape[a] != 1);
    if dyadic && (elsewhere || furthest <= NEAR) {
        for (n, u) in integers.iter_mut().zip(&units).filter(|(n, _)| **n != 0) {
            *n = scaled(*n, u / least).ok_or_else(|| {
                format!("the scales of its weights differ by {furthest:.3e} along an axis that is summed over, which needs too many bits")
            })?;
        }
        return Ok(Grid { integers, unit: Array::scalar(least) });
    }
    if elsewhere {
        return Err(
            "the scale of its weights differs along an axis that is summed over, by factors that are no powers of two"
                .into(),
        );
    }
    let mut along = vec![1; shape.len()];
    along[axis] = shape[axis];
    Ok(Grid { integers, unit: Array { shape: along, values: unit.values.clone() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_floats_are_their_own_grid() {
        let weights = Constant::float(vec![2, 2], vec![0.5, -1.25, 0.0, 3.0]);
        let grid = weights.on_grid(0).unwrap();
        assert_eq!((grid.integers, grid.unit.values), (vec![2, -5, 0, 12], vec![0.25]));
        assert!(Constant::float(vec![2], vec![1e-20, 1.0]).on_grid(0).is_err());
        assert!(Constant::float(vec![1], vec![f32::NAN]).on_grid(0).is_err());
    }

    #[test]
    fn scales_in_powers_of_two_become_one() {
        let float = |unit: Vec<f64>| Constant::Float {
            array: Array { shape: vec![2, 1], values: vec![0.0; 2] },
            grid: Some(Grid { integers: vec![3, 5], unit: Array { shape: vec![2, 1], values: unit } }),
        };
        let dead = Grid { integers: vec![3, 0], unit: Array { shape: vec![2, 1], values: vec![0.3, 1e-30] } };
        let dead = Constant::Float { array: Array { shape: vec![2, 1], values: vec![0.9, 0.0] }, grid: Some(dead) };
        assert_eq!(dead.on_grid(1).unwrap().unit.as_scalar(), Some(&0.3));
        assert_eq!(float(vec![0.3, 0.6]).on_grid(1).unwrap().integers, [3, 10]);
        assert!(float(vec![0.3, 0.5]).on_grid(1).is_err());
        assert_eq!(float(vec![1.0, 2f64.powi(20)]).on_grid(1).unwrap().integers, [3, 5 << 20]);
        assert!(float(vec![1.0, 2f64.powi(60)]).on_grid(1).unwrap_err().contains("too many bits"));
        assert_eq!(float(vec![0.3, 0.5]).on_grid(0).unwrap().unit.values, [0.3, 0.5]);
    }
}
