//! Products of two variables as rows of partial products, whole sums of products in one tree.
//!
//! A factor is recoded into digits of radix `2^r` between `-2^(r-1)` and `2^(r-1)` (Booth 1951, MacSorley 1961): digit
//! `j` is read off the bits `r·j - 1` to `r·j + r - 1`, and selects a multiple of the other factor. A negative multiple
//! is the complement of its pattern and a one, which finds a place below the next digit's row. Without recoding there is
//! a row of AND gates for each bit, and that of the sign is subtracted (Baugh and Wooley 1973).

use constraints::Target;
use constraints::targets::Technology;
use hdl::dfg::{ModuleBuilder, Value};
use hdl::num::{Interval, OutOfRange};

use crate::arith::cells::CellCosts;
use crate::arith::cells::total;
use crate::arith::problem::Objective;
use crate::arith::products::fabric::Fabric;

/// What a product of two variables is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Multiplier {
    /// A row for each two bits of a factor, of 0, 1 and 2 times the other.
    Booth,
    /// A row for each three bits of a factor, of 0 to 4 times the other; three times is an adder that all its products
    /// share.
    Booth8,
    /// A row for each bit of a factor.
    Array,
    /// `*`, for the synthesis tool to build.
    #[default]
    Operator,
}

impl Multiplier {
    /// What serves a target best: rows where it is known what they are made of.
    pub fn on(target: &Target) -> Self {
        match &target.technology {
            Technology::Asic { library, .. } if library.full_adder.is_none() => Self::Operator,
            Technology::Asic { .. } | Technology::Fpga { .. } => Self::Booth,
        }
    }

    /// What serves products with weights out of tables best: as others, but `*` on FPGAs, whose DSP blocks are made for
    /// them; rows there take fewer tables and more cycles.
    pub fn of_stored_weights(target: &Target) -> Self {
        match &target.technology {
            Technology::Asic { .. } => Self::on(target),
            Technology::Fpga { .. } => Self::Operator,
        }
    }
}

/// How rows are added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Accumulation {
    /// The rows of all products of a sum in one tree, as carry-save adders take them.
    #[default]
    Tree,
    /// The same, made of a library's full adders.
    Cells(CellCosts),
    /// Each product by a chain of carry adders, whose look-up tables make the rows as well.
    Chain,
}

impl Accumulation {
    /// What serves sums beside constant products of `fabric` best.
    pub fn of(fabric: Fabric) -> Self {
        match fabric {
            Fabric::Cells(costs, _) => Self::Cells(costs),
            Fabric::Operators(Objective::AdderBits) => Self::Tree,
            Fabric::Operators(Objective::LogicBits | Objective::Luts) => Self::Chain,
        }
    }

    /// `Σ values`, of `frac` fraction bits as the finest of them is; it is known to be one of the integers `reached`.
    pub fn total<'m>(
        self,
        m: &'m ModuleBuilder,
        values: &[Value<'m>],
        frac: i32,
        reached: Result<Interval, OutOfRange>,
    ) -> Value<'m> {
        let total = match (self, reached) {
            (Self::Cells(costs), Ok(range)) => {
                let integers = values.iter().map(|v| v.extended(frac).with_frac(0));
                let integers: Vec<Value<'m>> = integers.collect();
                total::total(m, &integers, range, &costs).map(|sum| sum.with_frac(frac))
            }
            (Self::Chain, _) => Value::sum(&counted(values)),
            _ => None,
        };
        let total = total.or_else(|| Value::sum(values));
        let total = total.unwrap_or_else(|| m.constant(0, frac));
        // summands reach further than their sum does
        reached.map_or(total, |range| narrowed(total, range))
    }
}

/// Two factors; rows are made of the digits of the second.
pub type Factors<'m> = (Value<'m>, Value<'m>);

/// How sums of products are built.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct DotProduct {
    /// What products are made of.
    pub multiplier: Multiplier,
    /// How their rows are added up.
    pub accumulation: Accumulation,
}

/// Bits that one table counts.
const COUNTED: usize = 6;

impl DotProduct {
    /// Of `multiplier`s, added up as what constant products are made of does best.
    pub fn of(fabric: Fabric, multiplier: Multiplier) -> Self {
        Self { multiplier, accumulation: Accumulation::of(fabric) }
    }

    /// `x · y`.
    pub fn product<'m>(self, x: Value<'m>, y: Value<'m>) -> Value<'m> {
        self.sum(x.builder(), &[(x, y)], &[], None)
    }

    /// `Σ x·y + Σ addends`; with `floor_to`, each product is floored to that many fraction bits before it is added, as
    /// the addends must be already.
    ///
    /// Flooring takes no adder of its own: rows are cut, and what they have below the cut adds its carry alone.
    pub fn sum<'m>(
        self,
        m: &'m ModuleBuilder,
        products: &[Factors<'m>],
        addends: &[Value<'m>],
        floor_to: Option<i32>,
    ) -> Value<'m> {
        let summands = products.iter().flat_map(|&factors| self.summands(factors, floor_to));
        let all: Vec<Value<'m>> = summands.chain(addends.iter().copied()).collect();
        let frac = all.iter().map(Value::frac).max();
        let frac = frac.or(floor_to).unwrap_or(0);
        let reached = reached(products, addends, floor_to, frac);
        self.accumulation.total(m, &all, frac, reached)
    }

    /// Values whose sum is the product, floored to `floor_to` fraction bits if it has more.
    fn summands<'m>(self, (x, y): Factors<'m>, floor_to: Option<i32>) -> Vec<Value<'m>> {
        let frac = x.frac() + y.frac();
        let kept = floor_to.map_or(frac, |kept| kept.min(frac));
        let (x, y) = (x.with_frac(0), y.with_frac(0));
        let rows = match self.multiplier {
            // a square's range is its own
            _ if x.node() == y.node() => vec![x * y],
            Multiplier::Operator => vec![x * y],
            Multiplier::Array => bit_rows(x, y),
            Multiplier::Booth => digit_rows(x, y, 2),
            Multiplier::Booth8 => digit_rows(x, y, 3),
        };
        let rows = match self.accumulation {
            Accumulation::Tree | Accumulation::Cells(_) => rows,
            Accumulation::Chain => chained(rows, x.range().mul(y.range())),
        };
        let rows = floored(rows, frac.abs_diff(kept));
        let rows = rows.into_iter().map(|row| row.with_frac(kept));
        rows.filter(|row| row.range().as_point() != Some(0)).collect()
    }
}

/// The rows added up one after the other, but for a last one that is a single bit.
fn chained<'m>(mut rows: Vec<Value<'m>>, product: Result<Interval, OutOfRange>) -> Vec<Value<'m>> {
    let is_bit = |row: &Value<'m>| row.range().lo() == 0 && row.range().hi().count_ones() == 1;
    let last = rows.pop_if(|row| is_bit(row));
    let reached = last.map_or(product, |bit| product?.sub(bit.range()));
    let sum = rows.into_iter().reduce(|sum, row| sum + row);
    let sum = sum.map(|sum| reached.map_or(sum, |range| narrowed(sum, range)));
    sum.into_iter().chain(last).collect()
}

/// The values with those that are single bits of the last place counted by tables.
fn counted<'m>(values: &[Value<'m>]) -> Vec<Value<'m>> {
    let frac = values.iter().map(Value::frac).max();
    let is_bit = |v: &&Value<'m>| v.range() == Interval::BIT && Some(v.frac()) == frac;
    let (bits, words): (Vec<&Value<'m>>, Vec<&Value<'m>>) = values.iter().partition(is_bit);
    let count = |bits: &[&Value<'m>]| {
        let index = bits[1..].iter().fold(*bits[0], |above, bit| above.concat(**bit, 1));
        let counts: Vec<i128> = (0..1u32 << bits.len()).map(|index| index.count_ones().into()).collect();
        index.lookup(&counts, bits[0].frac())
    };
    words.into_iter().copied().chain(bits.chunks(COUNTED).map(count)).collect()
}

/// The value, whose sum is known to be in `range`, in as many bits.
fn narrowed(value: Value<'_>, range: Interval) -> Value<'_> {
    match range.width() < value.range().width() {
        true => value.wrap(range.width(), range.signed()),
        false => value,
    }
}

/// The integers that `Σ x·y + Σ addends` can be, of `frac` fraction bits, with `floor_to` as in [`DotProduct::sum`].
///
/// # Errors
/// A range beyond what values can hold.
pub fn reached(
    products: &[Factors<'_>],
    addends: &[Value<'_>],
    floor_to: Option<i32>,
    frac: i32,
) -> Result<Interval, OutOfRange> {
    let at = |range: Interval, from: i32| match from <= frac {
        true => range.shl(from.abs_diff(frac)),
        false => Ok(range.shr(from.abs_diff(frac))),
    };
    let mut total = Interval::point(0)?;
    for (x, y) in products {
        let (product, own) = (x.range().mul(y.range())?, x.frac() + y.frac());
        let kept = floor_to.map_or(own, |kept| kept.min(own));
        total = total.add(at(product.shr(own.abs_diff(kept)), kept)?)?;
    }
    for addend in addends {
        total = total.add(at(addend.range(), addend.frac())?)?;
    }
    Ok(total)
}

/// Every bit of `y` as a mask on `x`; the sign bit's row is subtracted.
fn bit_rows<'m>(x: Value<'m>, y: Value<'m>) -> Vec<Value<'m>> {
    let width = y.range().width();
    let row = |bit: u32| {
        let row = scaled(x & mask(y.bit(bit)), bit);
        match y.range().signed() && bit + 1 == width {
            true => -row,
            false => row,
        }
    };
    (0..width).map(row).collect()
}

/// A row for each digit of `y` with `bits` bits, two or three of them.
fn digit_rows<'m>(x: Value<'m>, y: Value<'m>, bits: u32) -> Vec<Value<'m>> {
    let m = x.builder();
    let range = y.range();
    // a factor that is never negative needs a zero above its bits
    let digits = (range.width() + u32::from(!range.signed())).div_ceil(bits);
    let greatest = 1 << (bits - 1);
    let multiples: Vec<Value<'m>> = (1..=greatest).map(|k| multiple(x, k)).collect();
    let above = y.concat(m.constant(0, 0), 1);
    let mut rows = Vec::with_capacity(digits as usize + 1);
    let mut negative = m.constant(0, 0);
    for digit in 0..digits {
        let window = above.slice(bits * (digit + 1), bits * digit);
        let selected =
            multiples.iter().zip(magnitudes(window, bits)).map(|(multiple, selects)| *multiple & mask(selects));
        let magnitude = selected.reduce(|a, b| a | b).expect("there are multiples");
        let sign = match range.signed() || digit + 1 < digits {
            true => window.bit(bits),
            false => m.constant(0, 0),
        };
        let row = magnitude ^ mask(sign);
        rows.push(match digit {
            0 => row,
            // the one that makes the row before negative stands below this one
            _ => scaled(row.concat(negative, bits), bits * (digit - 1)),
        });
        negative = sign;
    }
    rows.push(scaled(negative, bits * (digits - 1)));
    rows
}

/// Whether the digit that a window of `bits + 1` bits makes is 1, 2, … or the greatest, or as far below zero.
///
/// The top bit counts `-2^bits` halves, those below it 1, 1 for the next, 2 and so on: the lowest is the carry of the digit
/// below. A set top bit turns the others into their complements, whose count is the digit's magnitude.
fn magnitudes<'m>(window: Value<'m>, bits: u32) -> Vec<Value<'m>> {
    let sign = window.bit(bits);
    let counted = |bit: u32| window.bit(bit) ^ sign;
    let (odd, both) = (counted(0) ^ counted(1), counted(0) & counted(1));
    if bits == 2 {
        return vec![odd, both];
    }
    let (two, any) = (counted(2), counted(0) | counted(1));
    let (no_two, none) = (inverted(two), inverted(any));
    vec![odd & no_two, (two & none) | (no_two & both), odd & two, both & two]
}

fn inverted(bit: Value<'_>) -> Value<'_> {
    bit ^ bit.builder().constant(1, 0)
}

/// `x · k`.
fn multiple(x: Value<'_>, k: u32) -> Value<'_> {
    let low = scaled(x, k.trailing_zeros());
    match k.count_ones() {
        1 => low,
        _ => low + scaled(x, k.ilog2()),
    }
}

/// All ones if the bit is set: 0 or −1.
fn mask(bit: Value<'_>) -> Value<'_> {
    bit.wrap(1, true)
}

/// `x · 2^shift`, an integer.
fn scaled(x: Value<'_>, shift: u32) -> Value<'_> {
    (x << shift).extended(0)
}

/// `floor(x / 2^cut)`, an integer.
fn floor(x: Value<'_>, cut: u32) -> Value<'_> {
    x.with_frac(cut as i32).truncate(0)
}

/// Values whose sum is `floor(Σ rows / 2^cut)`: the rows cut, and the carry of what they have below.
fn floored(rows: Vec<Value<'_>>, cut: u32) -> Vec<Value<'_>> {
    if cut == 0 {
        return rows;
    }
    let below: Vec<Value<'_>> = rows.iter().map(|row| row.wrap(cut, false)).collect();
    let carry = Value::sum(&below).map(|sum| floor(sum, cut));
    let above = rows.into_iter().map(|row| floor(row, cut));
    above.chain(carry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::dfg::eval;
    use hdl::num::Format;

    /// Every way to build products out of rows.
    fn ways() -> impl Iterator<Item = DotProduct> {
        let forms = [Multiplier::Array, Multiplier::Booth, Multiplier::Booth8];
        let way = |multiplier| {
            let cells = CellCosts::on(&Target::load("osu018").unwrap()).unwrap();
            let kinds = [Accumulation::Tree, Accumulation::Cells(cells), Accumulation::Chain];
            kinds.map(|accumulation| DotProduct { multiplier, accumulation })
        };
        forms.into_iter().flat_map(way)
    }

    /// Every pair of values of two formats, floored by `cut` bits.
    fn all_products(form: DotProduct, x: Format, y: Format, cut: u32) {
        let m = ModuleBuilder::new("product");
        let (a, b) = (m.input("x", x), m.input("y", y));
        let floor_to = x.frac + y.frac - cut as i32;
        let product = form.sum(&m, &[(a, b)], &[], Some(floor_to));
        assert_eq!(product.frac(), floor_to);
        let exact = x.range.mul(y.range).unwrap().shr(cut);
        assert!(product.range().width() <= exact.width());
        m.output("product", product);
        let module = m.finish().unwrap();
        for x in x.range.lo()..=x.range.hi() {
            for y in y.range.lo()..=y.range.hi() {
                let found = eval::evaluate(&module, &[x, y]).unwrap();
                assert_eq!(found, [(x * y) >> cut], "{form:?} {x} {y} {cut}");
            }
        }
    }

    #[test]
    fn products_are_exact_in_every_form_width_and_sign() {
        let format = |width, signed| match signed {
            true => Format::signed(width, 1).unwrap(),
            false => Format::unsigned(width, 2).unwrap(),
        };
        for form in ways() {
            for (x, y) in [(1, 1), (3, 4), (4, 3), (2, 5), (5, 6)] {
                for signs in 0..4 {
                    let (x, y) = (format(x, signs & 1 > 0), format(y, signs & 2 > 0));
                    all_products(form, x, y, signs);
                }
            }
        }
    }

    #[test]
    fn sums_of_floored_products_are_one_tree() {
        let formats = [Format::unsigned(8, 7).unwrap(), Format::signed(6, 5).unwrap()];
        let mut random = fastrand::Rng::with_seed(5);
        for form in ways() {
            let m = ModuleBuilder::new("sum");
            let x = m.input_array("x", 5, formats[0]);
            let w = m.input_array("w", 5, formats[1]);
            let bias = m.input("bias", Format::signed(6, 5).unwrap());
            let products: Vec<_> = x.into_iter().zip(w).collect();
            let sum = form.sum(&m, &products, &[bias], Some(7));
            assert_eq!(sum.range().width(), 12);
            m.output("sum", sum);
            let module = m.finish().unwrap();
            for _ in 0..200 {
                let x: Vec<i128> = (0..5).map(|_| random.i128(0..256)).collect();
                let w: Vec<i128> = (0..5).map(|_| random.i128(-32..32)).collect();
                let bias = random.i128(-32..32);
                let products: i128 = x.iter().zip(&w).map(|(x, w)| (x * w) >> 5).sum();
                let inputs: Vec<i128> = x.into_iter().chain(w).chain([bias]).collect();
                let found = eval::evaluate(&module, &inputs).unwrap();
                assert_eq!(found, [products + (bias << 2)]);
            }
        }
    }

    #[test]
    fn only_targets_that_are_known_get_rows() {
        let on = |name| Multiplier::on(&Target::load(name).unwrap());
        for name in ["osu018", "lp65", "nangate45", "xcup", "ice40-hx8k"] {
            assert_eq!(on(name), Multiplier::Booth, "{name}");
        }
        assert_eq!(on("generic"), Multiplier::Operator);
        let stored = |name| Multiplier::of_stored_weights(&Target::load(name).unwrap());
        assert_eq!(stored("osu018"), Multiplier::Booth);
        assert_eq!(stored("xcup"), Multiplier::Operator);
    }

    #[test]
    fn a_square_stays_one() {
        let m = ModuleBuilder::new("square");
        let x = m.input("x", Format::signed(4, 0).unwrap());
        m.output("square", ways().next().unwrap().sum(&m, &[(x, x)], &[], None));
        let module = m.finish().unwrap();
        assert_eq!(eval::evaluate(&module, &[-8]).unwrap(), [64]);
    }

    #[test]
    fn nothing_sums_to_zero() {
        let m = ModuleBuilder::new("nothing");
        for form in ways() {
            assert_eq!(form.sum(&m, &[], &[], None).range().as_point(), Some(0));
        }
    }
}
