//! Arithmetic on arrays that stretch.

use crate::model::{Array, Moved, Op, moved};

/// The odd part of a positive number, as an integer count of its own last place: 24 for 3, 1 for a power of two.
pub(super) fn odd_part(value: f64) -> u64 {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if bits >> 52 & 0x7ff == 0 { fraction } else { fraction | 1 << 52 };
    mantissa >> mantissa.trailing_zeros().min(63)
}

/// The exponent of the lowest bit of a number that is not 0.
pub(crate) fn last_place(value: f64) -> i32 {
    (value.abs() / odd_part(value.abs()) as f64).log2() as i32
}

/// Whether the number is a power of two.
pub(super) fn is_power_of_two(value: f64) -> bool {
    value > 0.0 && odd_part(value) == 1
}

/// The array with as many axes as `shape`; `None` if it does not stretch to it.
pub(super) fn rank_aligned<V: Clone>(array: &Array<V>, shape: &[usize]) -> Option<Array<V>> {
    let missing = shape.len().checked_sub(array.shape.len())?;
    let fits = array.shape.iter().zip(&shape[missing..]).all(|(a, b)| *a == 1 || a == b);
    fits.then(|| Array { shape: [vec![1; missing], array.shape.clone()].concat(), values: array.values.clone() })
}

/// What becomes of an array that stretches over `shape` when the elements move; padding gets `fill`.
pub(super) fn moved_array<V: Clone + PartialEq>(
    array: &Array<V>,
    shape: &[usize],
    movement: &Moved,
    fill: &V,
) -> Array<V> {
    if array.values.len() == 1 {
        return Array { shape: Vec::new(), values: array.values.clone() };
    }
    let full = array.stretched(shape).expect("parameters stretch to their tensor");
    let pick = |source: &Option<u32>| source.map_or(fill, |i| &full[i as usize]).clone();
    Array { shape: movement.shape.clone(), values: movement.sources.iter().map(pick).collect() }.compact()
}

/// The movement of `op` on a tensor of `shape`.
pub(super) fn movement(op: &Op, shape: &[usize]) -> Result<Moved, String> {
    moved(op, shape).unwrap_or_else(|| Err(format!("`{}` moves nothing", op.name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_odd_part_ignores_powers_of_two() {
        for (value, odd) in [(1.0, 1), (0.375, 3), (40.0, 5), (f64::MIN_POSITIVE / 4.0, 1)] {
            assert_eq!(odd_part(value), odd, "{value}");
        }
        assert!(is_power_of_two(0.25) && !is_power_of_two(0.3));
    }

    #[test]
    fn parameters_follow_their_elements() {
        let channel = Array { shape: vec![2, 1], values: vec![10, 20] };
        let transpose = movement(&Op::Transpose { axes: vec![1, 0] }, &[2, 3]).unwrap();
        let moved = moved_array(&channel, &[2, 3], &transpose, &0);
        assert_eq!((moved.shape, moved.values), (vec![1, 2], vec![10, 20]));
    }
}
