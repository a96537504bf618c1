//! Aggregation over the edges of a node or the elements of a set, with those masked out that are not there.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval, Overflow, Quantiser, Rounding};
use serde::{Deserialize, Serialize};

use super::mlp::{Exact, aligned};
use crate::arith::Products;

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
    pub quantiser: Option<Quantiser>,
}

/// `1/count` with [`RECIPROCAL_FRAC`] fraction bits; 0 for no members.
fn reciprocal(count: usize) -> i64 {
    let count = count as i64;
    ((1 << RECIPROCAL_FRAC) + count / 2).checked_div(count).unwrap_or(0)
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
            Aggregation::Sum => Exact { value: values.iter().sum(), frac },
            Aggregation::Mean => {
                Exact { value: values.iter().sum::<i64>() * reciprocal(column.len()), frac: frac + RECIPROCAL_FRAC }
            }
            Aggregation::Max => Exact { value: values.iter().copied().max().unwrap_or(0), frac },
        }
    }

    fn quantised(self, exact: Exact) -> Exact {
        match self.quantiser {
            Some(q) => Exact { value: q.apply(exact.value.into(), exact.frac) as i64, frac: q.frac },
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
            return Err(refused(format!("an aggregate over {members} members; at most {MOST_MEMBERS} are supported")));
        }
        row.iter()
            .map(|format| {
                let count = Interval::new(0, members as i128).expect("a small count");
                let sum = format.range.mul(count);
                let most = Interval::new(0, 1 << RECIPROCAL_FRAC).expect("a small number");
                let (range, frac) = match self.how {
                    Aggregation::Sum => (sum, format.frac),
                    Aggregation::Mean => (sum.and_then(|s| s.mul(most)), format.frac + RECIPROCAL_FRAC),
                    Aggregation::Max => (Ok(format.range.union(Interval::point(0).expect("zero"))), format.frac),
                };
                match (range, self.quantiser) {
                    (Ok(range), _) if range.width() > 62 => Err(refused("an aggregate needs more than 62 bits".into())),
                    (Ok(_), Some(q)) => Ok(q.format()),
                    (Ok(range), None) => Ok(Format { range, frac }),
                    (Err(e), _) => Err(refused(format!("an aggregate: {e}"))),
                }
            })
            .collect()
    }

    /// The columns that are combined for one row: its values and, for all but the sum, whether there is a row at all;
    /// what changes nothing if the row is not live.
    pub fn columns<'m>(self, m: &'m ModuleBuilder, live: Value<'m>, row: &[Value<'m>]) -> Vec<Value<'m>> {
        let masked = |v: &Value<'m>| live.mux(*v, m.constant(self.neutral(v.format()), v.frac()));
        let presence = (self.how != Aggregation::Sum).then_some(live);
        row.iter().map(masked).chain(presence).collect()
    }

    /// Columns beside the values: one for all but the sum.
    pub fn presence_columns(self) -> usize {
        usize::from(self.how != Aggregation::Sum)
    }

    /// The format in which a combined value of format `exact` need be kept: its own, or less if the quantiser drops the
    /// rest.
    pub fn kept(self, exact: Format) -> Format {
        let (mut width, signed) = (exact.range.width(), exact.range.signed());
        // roundings other than these look at the sign
        if let (Aggregation::Sum, Some(q)) = (self.how, self.quantiser)
            && q.overflow == Overflow::Wrap
            && matches!(q.rounding, Rounding::Floor | Rounding::HalfUp)
        {
            // low bits that rounding drops may still carry into those that stay
            let kept = q.width as i32 + exact.frac - q.frac;
            width = width.min(u32::try_from(kept).unwrap_or(1).max(1));
        }
        match signed {
            true => Format::signed(width, exact.frac),
            false => Format::unsigned(width, exact.frac),
        }
        .expect("no wider than the sum")
    }

    /// What combines with a value of this format and changes nothing.
    pub fn neutral(self, format: Format) -> i128 {
        match self.how {
            Aggregation::Sum | Aggregation::Mean => 0,
            Aggregation::Max => format.range.lo(),
        }
    }

    /// The formats of [`Self::columns`].
    pub fn column_formats(self, row: &[Format]) -> Vec<Format> {
        let presence = (self.how != Aggregation::Sum).then_some(Format::BIT);
        row.iter().copied().chain(presence).collect()
    }

    /// One column of two sets of rows together.
    pub fn combine<'m>(self, a: Value<'m>, b: Value<'m>) -> Value<'m> {
        match self.how {
            Aggregation::Sum | Aggregation::Mean => a + b,
            Aggregation::Max => a.max(b),
        }
    }

    /// The aggregate, from the columns of all rows combined.
    pub fn finish<'m>(self, m: &'m ModuleBuilder, products: &Products, columns: &[Value<'m>]) -> Vec<Value<'m>> {
        let (presence, totals) = match self.how {
            Aggregation::Sum => (None, columns),
            _ => {
                let (presence, totals) = columns.split_last().expect("a column of presence");
                (Some(*presence), totals)
            }
        };
        let scale = presence.filter(|_| self.how == Aggregation::Mean).map(|count| {
            let most = count.range().hi() as usize;
            let table: Vec<i128> = (0..=most).map(|c| reciprocal(c).into()).collect();
            count.lookup(&table, RECIPROCAL_FRAC)
        });
        // the number of members is known where none is masked
        let scaled = |total: Value<'m>, scale: Value<'m>| match scale.range().as_point() {
            Some(scale) => {
                let row = vec![scale as i64];
                products.linear(m, &[total], &[row], &[0], RECIPROCAL_FRAC)[0]
            }
            None => products.arithmetic().variables.product(total, scale),
        };
        let finished = |total: &Value<'m>| {
            let total = match (scale, presence) {
                (Some(scale), _) => scaled(*total, scale),
                (None, Some(any)) => any.mux(*total, m.constant(0, 0)),
                (None, None) => *total,
            };
            self.quantiser.map_or(total, |q| total.quantise(&q))
        };
        totals.iter().map(finished).collect()
    }

    /// The aggregate in hardware: masked balanced trees, one a column. A row without mask is always live.
    pub fn build<'m>(
        self,
        m: &'m ModuleBuilder,
        products: &Products,
        rows: &[(Option<Value<'m>>, &[Value<'m>])],
        width: usize,
    ) -> Vec<Value<'m>> {
        let always = m.constant(1, 0);
        let columns: Vec<Vec<Value<'m>>> =
            rows.iter().map(|(mask, row)| self.columns(m, mask.unwrap_or(always), row)).collect();
        let combined = |k: usize| {
            let column: Vec<Value<'m>> = columns.iter().map(|row| row[k]).collect();
            Value::tree(&column, |a, b| self.combine(a, b)).unwrap_or(m.constant(0, 0))
        };
        let combined: Vec<Value<'m>> = (0..width + self.presence_columns()).map(combined).collect();
        self.finish(m, products, &combined)
    }
}
