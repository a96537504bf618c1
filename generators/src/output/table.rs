//! Tables whose columns align, in Markdown that reads well as plain text too.

use std::fmt;

/// A table under construction.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<const C: usize>(header: [&str; C]) -> Self {
        Self { rows: vec![header.map(str::to_owned).to_vec()] }
    }

    /// Adds a row.
    pub fn row<const C: usize>(&mut self, cells: [String; C]) {
        self.rows.push(cells.to_vec());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |c: usize| self.rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        // a column of numbers stands right
        let numeric = |c: usize| self.rows.len() > 1 && self.rows[1..].iter().all(|row| row[c].parse::<f64>().is_ok());
        let right: Vec<bool> = (0..widths.len()).map(numeric).collect();
        for (i, row) in self.rows.iter().enumerate() {
            for (c, cell) in row.iter().enumerate() {
                // a width in a format string ends at 65,535
                let space = " ".repeat(widths[c] - cell.chars().count());
                if right[c] { write!(f, "| {space}{cell} ")? } else { write!(f, "| {cell}{space} ")? }
            }
            writeln!(f, "|")?;
            if i == 0 {
                for (w, right) in widths.iter().zip(&right) {
                    let dashes = "-".repeat(*w + 1);
                    if *right { write!(f, "|{dashes}:")? } else { write!(f, "|-{dashes}")? }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_numbers_stand_right() {
        let mut table = Table::new(["name", "n"]);
        table.row(["a".into(), "10".into()]);
        table.row(["long name".into(), "7".into()]);
        let text = "| name      |  n |\n|-----------|---:|\n| a         | 10 |\n| long name |  7 |\n";
        assert_eq!(table.to_string(), text);
    }

    #[test]
    fn a_cell_may_be_of_any_length() {
        let mut table = Table::new(["name"]);
        table.row(["x".repeat(70_000)]);
        table.row(["short".into()]);
        assert!(table.to_string().lines().all(|line| line.chars().count() == 70_004));
    }
}
