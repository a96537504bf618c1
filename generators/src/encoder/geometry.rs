//! Which cell lies where in the 8×8 image, and the sizes of the layers.

pub use crate::model::block::normaliser::CELLS;

/// Filters of the convolution.
pub const FILTERS: usize = 8;
/// Side of the kernel.
pub const KERNEL: usize = 3;
/// Side of the convolution's output.
pub const POSITIONS: usize = 4;
/// Values between the two layers, flattened as row, column, filter.
pub const HIDDEN: usize = POSITIONS * POSITIONS * FILTERS;
/// Latent values.
pub const OUTPUTS: usize = 16;
/// Side of the image.
pub const SIDE: usize = 8;
/// Step of the convolution.
pub const STRIDE: usize = 2;

/// The cell at a place of the 8×8 image; `None` in the empty quarter and in the padding.
///
/// Rows 0–3 hold cells 0…31, eight a row; rows 4–7 hold cells 32…47 in columns 0–3.
pub fn cell_at(row: usize, column: usize) -> Option<usize> {
    match (row, column) {
        (0..=3, 0..SIDE) => Some(row * SIDE + column),
        (4..=7, 0..=3) => Some(32 + (row - 4) * 4 + column),
        _ => None,
    }
}

/// Where cell `cell` lies in the image, as row and column.
pub fn place_of(cell: usize) -> (usize, usize) {
    if cell < 32 { (cell / SIDE, cell % SIDE) } else { (4 + (cell - 32) / 4, (cell - 32) % 4) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_has_one_place() {
        let cells: Vec<usize> = (0..8).flat_map(|r| (0..8).filter_map(move |c| cell_at(r, c))).collect();
        assert_eq!(cells, (0..CELLS).collect::<Vec<_>>());
        assert!((0..CELLS).all(|cell| cell_at(place_of(cell).0, place_of(cell).1) == Some(cell)));
    }
}
