//! Aggregation over the edges of a node or the elements of a set, with those masked out that are not there.

use hdl::dfg::{ModuleBuilder, Value};
use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval, OutOfRange, Overflow, Quantiser, Rounding};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HandMade, Site};
use crate::arith::Products;
use crate::model::{Limit, Requantise, TensorInfo};

/// Fraction bits of the reciprocals by which a mean multiplies: each is `1/count` rounded to nearest, so that a mean
/// is off by at most `2^-17` of the sum before it is quantised.
const RECIPROCAL_FRAC: i32 = 16;

/// Most members of an aggregate.
pub const MOST_MEMBERS: usize = 4096;

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum, Default)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

impl Aggregation {
    /// Fraction bits that the result has more than the members.
    pub fn more_frac(self) -> i32 {
        if self == Self::Mean { RECIPROCAL_FRAC } else { 0 }
    }

    /// The aggregate of the live members' values.
    pub(super) fn evaluate(self, live: impl Iterator<Item = i64> + Clone) -> i64 {
        match self {
            Self::Sum => live.sum(),
            Self::Mean => live.clone().sum::<i64>() * reciprocal(live.count()),
            Self::Max => live.max().unwrap_or(0),
        }
    }

    /// The range of the aggregate of up to so many members.
    pub(super) fn range(self, member: Interval, members: usize) -> Result<Interval, OutOfRange> {
        let sum = member.mul(Interval::new(0, members as i128)?);
        match self {
            Self::Sum => sum,
            Self::Mean => sum?.mul(Interval::new(0, 1 << RECIPROCAL_FRAC)?),
            Self::Max => Ok(member.union(Interval::point(0)?)),
        }
    }

    /// The columns that are combined for one row: its values and, for all but the sum, whether there is a row at all;
    /// what changes nothing if the row is not live.
    pub fn columns<'m>(self, m: &'m ModuleBuilder, live: Value<'m>, row: &[Value<'m>]) -> Vec<Value<'m>> {
        let masked = |v: &Value<'m>| live.mux(*v, m.constant(self.neutral(v.format()), v.frac()));
        let presence = (self != Self::Sum).then_some(live);
        row.iter().map(masked).chain(presence).collect()
    }

    /// Columns beside the values: one for all but the sum.
    pub fn presence_columns(self) -> usize {
        usize::from(self != Self::Sum)
    }

    /// What combines with a value of this format and changes nothing.
    pub fn neutral(self, format: Format) -> i128 {
        match self {
            Self::Sum | Self::Mean => 0,
            Self::Max => format.range.lo(),
        }
    }

    /// The formats of [`Self::columns`].
    pub fn column_formats(self, row: &[Format]) -> Vec<Format> {
        let presence = (self != Self::Sum).then_some(Format::BIT);
        row.iter().copied().chain(presence).collect()
    }

    /// One column of two sets of rows together.
    pub fn combine<'m>(self, a: Value<'m>, b: Value<'m>) -> Value<'m> {
        match self {
            Self::Sum | Self::Mean => a + b,
            Self::Max => a.max(b),
        }
    }

    /// Column `k` of several sets of rows together.
    pub fn together<'m>(self, m: &'m ModuleBuilder, rows: &[Vec<Value<'m>>], k: usize) -> Value<'m> {
        let column: Vec<Value<'m>> = rows.iter().map(|row| row[k]).collect();
        Value::tree(&column, |a, b| self.combine(a, b)).unwrap_or(m.constant(0, 0))
    }

    /// The aggregate, from the columns of all rows combined.
    pub fn finish<'m>(self, m: &'m ModuleBuilder, products: &Products, columns: &[Value<'m>]) -> Vec<Value<'m>> {
        let (presence, totals) = match self {
            Self::Sum => return columns.to_vec(),
            _ => columns.split_last().expect("a column of presence"),
        };
        if self == Self::Max {
            return totals.iter().map(|total| presence.mux(*total, m.constant(0, total.frac()))).collect();
        }
        let most = presence.range().hi() as usize;
        let table: Vec<i128> = (0..=most).map(|c| reciprocal(c).into()).collect();
        let scale = presence.lookup(&table, RECIPROCAL_FRAC);
        // the number of members is known where none is masked
        let scaled = |total: &Value<'m>| match scale.range().as_point() {
            Some(scale) => products.linear(m, &[*total], &[vec![scale as i64]], &[0], RECIPROCAL_FRAC)[0],
            None => products.arithmetic().variables.product(*total, scale),
        };
        totals.iter().map(scaled).collect()
    }
}

impl Aggregate {
    /// The formats of the result over `members` rows of these formats.
    ///
    /// # Errors
    /// Too many members, or sums beyond 62 bits.
    pub fn formats(self, row: &[Format], members: usize) -> Result<Vec<Format>, Diagnostic> {
        let refused = |message: String| Diagnostic::error("model", message);
        if members > MOST_MEMBERS {
            return Err(refused(format!("an aggregate over {members} members; at most {MOST_MEMBERS} are supported")));
        }
        let column = |format: &Format| match (self.how.range(format.range, members), self.quantiser) {
            (Ok(range), _) if range.width() > 62 => Err(refused("an aggregate needs more than 62 bits".into())),
            (Ok(_), Some(q)) => Ok(q.format()),
            (Ok(range), None) => Ok(Format { range, frac: format.frac + self.how.more_frac() }),
            (Err(e), _) => Err(refused(format!("an aggregate: {e}"))),
        };
        row.iter().map(column).collect()
    }

    /// What happens to the aggregate of members with `frac` fraction bits.
    pub fn requantise(self, frac: i32) -> Option<Requantise> {
        self.quantiser.map(|q| Requantise::of(&q, frac + self.how.more_frac()))
    }
}

/// The format in which a sum need be kept: its own, or less if what it is requantised to drops the rest.
pub fn kept(how: Aggregation, then: Option<Requantise>, exact: Format) -> Format {
    let (mut width, signed) = (exact.range.width(), exact.range.signed());
    // roundings other than these look at the sign
    if let (Aggregation::Sum, Some(Requantise { drop, rounding, limit: Limit::Wrap { width: wrapped, .. } })) =
        (how, then)
        && matches!(rounding, Rounding::Floor | Rounding::HalfUp)
    {
        // low bits that rounding drops may still carry into those that stay
        width = width.min(u32::try_from(wrapped as i32 + drop).unwrap_or(1).max(1));
    }
    let range = Overflow::Wrap.limits(width, signed);
    Format { range, frac: exact.frac }
}

/// For each row of a mask the aggregate of the members whose bit is set: members `[members, columns]`, or such a matrix
/// for each row, and mask `[rows, members]` → `[rows, columns]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaskedAggregate {
    /// How values become one.
    pub how: Aggregation,
    /// Members of a row.
    pub members: usize,
    /// Values of a member.
    pub columns: usize,
}

impl MaskedAggregate {
    /// The values of each row's members, with the row's mask.
    fn rows<'a, V>(&self, x: &[&'a [V]]) -> impl Iterator<Item = (&'a [V], &'a [V])> {
        let (values, size) = (x[0], self.members * self.columns);
        let of_row = move |row: usize| if values.len() == size { values } else { &values[row * size..][..size] };
        x[1].chunks(self.members).enumerate().map(move |(row, mask)| (of_row(row), mask))
    }
}

impl HandMade for MaskedAggregate {
    fn name(&self) -> &'static str {
        "masked_aggregate"
    }

    fn operands(&self) -> usize {
        2
    }

    fn result(&self, x: &[&TensorInfo]) -> Result<TensorInfo, String> {
        let Self { how, members, columns } = *self;
        let (values, mask) = (&*x[0].shape, &*x[1].shape);
        let bit = Interval::of_width(1, false).map_err(|e| e.to_string())?;
        let rows = match *mask {
            [rows, wide] if wide == members && members > 0 && bit.covers(x[1].range) => rows,
            _ => return Err(format!("a mask of {members} bits a row is wanted, found {mask:?} in {}", x[1].range)),
        };
        if *values != [members, columns] && *values != [rows, members, columns] {
            return Err(format!("{members} members of {columns} values are wanted, found {values:?}"));
        }
        let range = how.range(x[0].range, members).map_err(|e| e.to_string())?;
        Ok(TensorInfo { shape: vec![rows, columns], range })
    }

    fn evaluate(&self, x: &[&[i64]]) -> Vec<i64> {
        let of_row = |(values, mask): (&[i64], &[i64])| {
            let column = |k: usize| {
                let live = mask.iter().enumerate().filter(|(_, bit)| **bit == 1);
                self.how.evaluate(live.map(|(member, _)| values[member * self.columns + k]))
            };
            (0..self.columns).map(column).collect::<Vec<_>>()
        };
        self.rows(x).flat_map(of_row).collect()
    }

    /// Masked balanced trees, one a column; a part of a network may have no members at all.
    fn build<'m>(&self, at: Site<'_, 'm>) -> Vec<Value<'m>> {
        let Site { m, operands: x, products, .. } = at;
        if self.members == 0 {
            return vec![m.constant(0, 0); self.columns];
        }
        let never = |live: &Value<'m>| live.range().as_point() == Some(0);
        let of_row = |(values, mask): (&[Value<'m>], &[Value<'m>])| {
            let members = values.chunks(self.columns).zip(mask).filter(|(_, live)| !never(live));
            let rows: Vec<Vec<Value<'m>>> = members.map(|(row, live)| self.how.columns(m, *live, row)).collect();
            let all = 0..self.columns + self.how.presence_columns();
            let combined: Vec<Value<'m>> = all.map(|k| self.how.together(m, &rows, k)).collect();
            self.how.finish(m, products, &combined)
        };
        self.rows(x).flat_map(of_row).map(|v| v.with_frac(0)).collect()
    }
}
