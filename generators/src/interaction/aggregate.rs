//! Aggregation over the edges of a node or the elements of a set, with those masked out that are not there.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval};
use serde::{Deserialize, Serialize};

use super::format::ApFixed;
use super::mlp::{Exact, aligned};

/// Fraction bits of the reciprocals by which a mean multiplies: each is `1/count` rounded to nearest, so that a mean
/// is off by at most `2^-17` of the sum before it is quantised.
const RECIPROCAL_FRAC: i32 = 16;

/// Most members of an aggregate.
pub const MOST_MEMBERS: usize = 4096;

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, Default)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The exact sum; 0 of nothing.
    #[default]
    Sum,
    /// The sum times the rounded reciprocal of the number of members; 0 of nothing.
    Mean,
    /// The greatest; 0 of nothing.
    Max,
}

/// An aggregation and what happens to its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// How values become one.
    pub how: Aggregation,
    /// Quantiser of the result; none leaves it exact.
    pub quantiser: Option<ApFixed>,
}

/// `1/count` with [`RECIPROCAL_FRAC`] fraction bits; 0 for no members.
fn reciprocal(count: usize) -> i64 {
    let count = count as i64;
    ((1 << RECIPROCAL_FRAC) + count / 2)
        .checked_div(count)
        .unwrap_or(0)
}

impl Aggregate {
    /// Column by column, the aggregate of the rows that are live; `width` columns.
    pub fn evaluate(self, rows: &[(bool, &[Exact])], width: usize) -> Vec<Exact> {
        let live: Vec<&[Exact]> = rows.iter().filter(|(l, _)| *l).map(|(_, r)| *r).collect();
        (0..width)
            .map(|k| {
                let column: Vec<Exact> = live.iter().map(|row| row[k]).collect();
                self.quantised(self.of_column(&column))
            })
            .collect()
    }

    fn of_column(self, column: &[Exact]) -> Exact {
        let (frac, values) = aligned(column);
        match self.how {
            Aggregation::Sum => Exact {
                value: values.iter().sum(),
                frac,
            },
            Aggregation::Mean => Exact {
                value: values.iter().sum::<i64>() * reciprocal(column.len()),
                frac: frac + RECIPROCAL_FRAC,
            },
            Aggregation::Max => Exact {
                value: values.iter().copied().max().unwrap_or(0),
                frac,
            },
        }
    }

    fn quantised(self, exact: Exact) -> Exact {
        match self.quantiser {
            Some(q) => Exact {
                value: q.apply(exact.value, exact.frac),
                frac: q.frac(),
            },
            None => exact,
        }
    }

    /// The formats of the result over `members` rows of these formats.
    ///
    /// # Errors
    /// Too many members, or sums beyond 62 bits.
    pub fn formats(self, row: &[Format], members: usize) -> Result<Vec<Format>, Diagnostic> {
        let refused = |message: String| Diagnostic::error("model", message);
        if members > MOST_MEMBERS {
            return Err(refused(format!(
                "an aggregate over {members} members; at most {MOST_MEMBERS} are supported"
            )));
        }
        row.iter()
            .map(|format| {
                let count = Interval::new(0, members as i128).expect("a small count");
                let sum = format.range.mul(count);
                let most = Interval::new(0, 1 << RECIPROCAL_FRAC).expect("a small number");
                let (range, frac) = match self.how {
                    Aggregation::Sum => (sum, format.frac),
                    Aggregation::Mean => {
                        (sum.and_then(|s| s.mul(most)), format.frac + RECIPROCAL_FRAC)
                    }
                    Aggregation::Max => (
                        Ok(format.range.union(Interval::point(0).expect("zero"))),
                        format.frac,
                    ),
                };
                match (range, self.quantiser) {
                    (Ok(range), _) if range.width() > 62 => {
                        Err(refused("an aggregate needs more than 62 bits".into()))
                    }
                    (Ok(_), Some(q)) => Ok(q.format()),
                    (Ok(range), None) => Ok(Format { range, frac }),
                    (Err(e), _) => Err(refused(format!("an aggregate: {e}"))),
                }
            })
            .collect()
    }

    /// The aggregate in hardware: masked balanced trees, one a column. A row without mask is always live.
    pub fn build<'m>(
        self,
        m: &'m ModuleBuilder,
        rows: &[(Option<Value<'m>>, &[Value<'m>])],
        width: usize,
    ) -> Vec<Value<'m>> {
        let masks: Option<Vec<Value<'m>>> = rows.iter().map(|(mask, _)| *mask).collect();
        let zero = m.constant(0, 0);
        let scale = (self.how == Aggregation::Mean).then(|| {
            let ones = rows
                .iter()
                .map(|(mask, _)| mask.unwrap_or(m.constant(1, 0)));
            let count = Value::sum(&ones.collect::<Vec<_>>()).unwrap_or(zero);
            let table: Vec<i128> = (0..=rows.len()).map(|c| reciprocal(c).into()).collect();
            count.lookup(&table, RECIPROCAL_FRAC)
        });
        (0..width)
            .map(|k| {
                let total = match self.how {
                    Aggregation::Sum | Aggregation::Mean => {
                        let members: Vec<_> = rows
                            .iter()
                            .map(|(mask, row)| mask.map_or(row[k], |live| live.mux(row[k], zero)))
                            .collect();
                        Value::sum(&members).unwrap_or(zero)
                    }
                    Aggregation::Max => greatest(m, rows, masks.as_deref(), k),
                };
                let total = scale.map_or(total, |scale| total * scale);
                self.quantiser.map_or(total, |q| total.quantise(&q.0))
            })
            .collect()
    }
}

/// The greatest live value of column `k`, 0 if none is live.
fn greatest<'m>(
    m: &'m ModuleBuilder,
    rows: &[(Option<Value<'m>>, &[Value<'m>])],
    masks: Option<&[Value<'m>]>,
    k: usize,
) -> Value<'m> {
    let zero = m.constant(0, 0);
    let members: Vec<Value<'m>> = rows
        .iter()
        .map(|(mask, row)| {
            let least = m.constant(row[k].range().lo(), row[k].frac());
            mask.map_or(row[k], |live| live.mux(row[k], least))
        })
        .collect();
    let greatest = Value::tree(&members, Value::max).unwrap_or(zero);
    let any = masks.and_then(|masks| Value::tree(masks, |a, b| a | b));
    any.map_or(greatest, |any| any.mux(greatest, zero))
}
