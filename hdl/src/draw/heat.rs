//! Shares as colours: a row of cells for each thing.

use std::fmt::{self, Write};

use super::svg::{escaped, shortened};

const CELL: usize = 16;
const LABEL: usize = 330;
const TOP: usize = 64;
const MARGIN: usize = 20;
/// Characters of a name that are shown.
const NAME: usize = 48;

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is of.
    pub name: String,
    /// From 0 to 1, from the left; none where there is nothing.
    pub values: Vec<Option<f64>>,
}

/// Rows under one another, columns numbered from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// Stands above.
    pub title: String,
    /// From the top.
    pub rows: Vec<Row>,
}

impl HeatMap {
    /// The drawing: white is 0, red is 1, grey is nothing. A cell says its value where the pointer rests on it.
    pub fn svg(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("writing to a string does not fail");
        text
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let columns = self.rows.iter().map(|row| row.values.len()).max().unwrap_or(0);
        let width = (LABEL + columns * CELL + MARGIN).max(2 * LABEL);
        let height = TOP + self.rows.len() * CELL + MARGIN;
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"11\">"
        )?;
        writeln!(out, "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>")?;
        let title = escaped(&self.title);
        writeln!(out, "<text x=\"{MARGIN}\" y=\"24\" font-size=\"14\" font-weight=\"bold\">{title}</text>")?;
        for column in (0..columns).step_by(4) {
            let (x, y) = (LABEL + column * CELL + CELL / 2, TOP - 6);
            writeln!(out, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"middle\" fill=\"#555\">{column}</text>")?;
        }
        for (row, y) in self.rows.iter().zip((TOP..).step_by(CELL)) {
            let (x, base) = (LABEL - 8, y + CELL - 4);
            let name = escaped(&shortened(&row.name, NAME));
            writeln!(out, "<text x=\"{x}\" y=\"{base}\" text-anchor=\"end\">{name}</text>")?;
            for (column, value) in row.values.iter().enumerate() {
                cell(&row.name, column, *value, y, out)?;
            }
        }
        writeln!(out, "</svg>")
    }
}

fn cell(name: &str, column: usize, value: Option<f64>, y: usize, out: &mut String) -> fmt::Result {
    let x = LABEL + column * CELL;
    let (fill, said) = match value {
        None => ("#ddd".to_owned(), "nothing".to_owned()),
        Some(value) => {
            let pale = (255.0 * (1.0 - value.clamp(0.0, 1.0))).round() as u8;
            (format!("#ff{pale:02x}{pale:02x}"), format!("{value:.4}"))
        }
    };
    writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{fill}\" stroke=\"#bbb\"><title>{}[{column}]: {said}</title></rect>",
        escaped(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_a_cell() {
        let row = |name: &str, values: &[Option<f64>]| Row { name: name.to_owned(), values: values.to_vec() };
        let rows = vec![row("a<b", &[Some(0.0), None, Some(1.0)]), row("c", &[Some(0.5)])];
        let svg = HeatMap { title: "harm".into(), rows }.svg();
        for text in [">harm<", ">a&lt;b<", "#ffffff", "#ff0000", "#ddd", "c[0]: 0.5000", "a&lt;b[1]: nothing"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert_eq!(svg.matches("stroke=\"#bbb\"").count(), 4);
    }
}
