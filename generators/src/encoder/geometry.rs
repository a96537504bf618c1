//! Which cell lies where: the 8×8 image, and the windows that the convolution sees.

/// Trigger cells of a module.
pub const CELLS: usize = 48;
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
const SIDE: usize = 8;
const STRIDE: usize = 2;

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

/// The cells under the kernel at output position `(row, column)`, with the kernel index `3·row + column` of each.
///
/// The stride is 2 and the padding stands at the bottom and right only.
pub fn window(row: usize, column: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..KERNEL * KERNEL).filter_map(move |tap| {
        let cell = cell_at(STRIDE * row + tap / KERNEL, STRIDE * column + tap % KERNEL)?;
        Some((tap, cell))
    })
}

/// All output positions of the convolution in the order of the flattened hidden layer.
pub fn positions() -> impl Iterator<Item = (usize, usize)> {
    (0..POSITIONS * POSITIONS).map(|p| (p / POSITIONS, p % POSITIONS))
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

    #[test]
    fn padding_is_at_the_bottom_and_right() {
        assert_eq!(window(0, 0).count(), 9);
        assert_eq!(window(0, 3).count(), 6, "column 8 is padding");
        assert_eq!(window(3, 0).count(), 6, "row 8 is padding");
        assert_eq!(window(2, 2).count(), 0, "the empty quarter");
    }
}
