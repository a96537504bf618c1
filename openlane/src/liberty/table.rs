//! Tables of a Liberty file: a value by the load of an output and the slew of an input, or by one of them, or neither.

/// What an axis of a table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// Capacitance at the output, in the library's unit.
    Load,
    /// Transition time of the input, in the library's unit.
    Slew,
}

/// An axis: its variable and the points at which the table is given, rising.
pub type Axis = (Variable, Vec<f64>);

/// A table. Between its points it is interpolated, beyond them extrapolated along the last step, as Liberty has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    axes: Vec<Axis>,
    /// Row by row: the last axis runs fastest.
    values: Vec<f64>,
}

impl Table {
    /// A table of at most two axes; `None` if the values are not as many as the points, or an axis does not rise.
    pub fn new(axes: Vec<Axis>, values: Vec<f64>) -> Option<Self> {
        let points: usize = axes.iter().map(|(_, points)| points.len()).product();
        let rises = |(_, points): &Axis| points.windows(2).all(|pair| pair[0] < pair[1]);
        (axes.len() <= 2 && points == values.len() && points > 0 && axes.iter().all(rises))
            .then_some(Self { axes, values })
    }

    /// Its value at a load and a slew in the library's units.
    pub fn at(&self, load: f64, slew: f64) -> f64 {
        let place = |(variable, points): &Axis| match variable {
            Variable::Load => place(points, load),
            Variable::Slew => place(points, slew),
        };
        let value = |row: usize, column: usize, width: usize| self.values[row * width + column];
        match self.axes.as_slice() {
            [] => self.values[0],
            [axis] => {
                let (i, s) = place(axis);
                let j = (i + 1).min(axis.1.len() - 1);
                (1.0 - s) * self.values[i] + s * self.values[j]
            }
            [rows, columns, ..] => {
                let ((i, s), (j, t)) = (place(rows), place(columns));
                let width = columns.1.len();
                let (below, right) = ((i + 1).min(rows.1.len() - 1), (j + 1).min(width - 1));
                (1.0 - s) * ((1.0 - t) * value(i, j, width) + t * value(i, right, width))
                    + s * ((1.0 - t) * value(below, j, width) + t * value(below, right, width))
            }
        }
    }
}

/// The point below `at`, and how far it is to the next, as a share of the step; beyond the ends below 0 or above 1.
fn place(points: &[f64], at: f64) -> (usize, f64) {
    if points.len() < 2 {
        return (0, 0.0);
    }
    let above = points.partition_point(|point| *point <= at);
    let i = above.saturating_sub(1).min(points.len() - 2);
    (i, (at - points[i]) / (points[i + 1] - points[i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_lie_between_points_and_beyond_them() {
        let axes = vec![(Variable::Slew, vec![1.0, 2.0]), (Variable::Load, vec![0.0, 10.0, 30.0])];
        let table = Table::new(axes.clone(), vec![0.0, 1.0, 2.0, 10.0, 11.0, 12.0]).unwrap();
        assert_eq!(table.at(10.0, 1.0), 1.0);
        assert_eq!(table.at(20.0, 1.5), 6.5);
        assert_eq!(table.at(50.0, 3.0), 23.0);
        assert_eq!(table.at(-10.0, 1.0), -1.0);
        assert_eq!(Table::new(axes, vec![0.0; 5]), None);
        assert_eq!(Table::new(vec![(Variable::Load, vec![2.0, 1.0])], vec![0.0; 2]), None);
        assert_eq!(Table::new(Vec::new(), vec![4.0]).unwrap().at(1.0, 2.0), 4.0);
    }
}
