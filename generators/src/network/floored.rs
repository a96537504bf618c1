//! Sums of products with constants, each product floored before it is added.

use std::collections::{BTreeMap, BTreeSet};

use hdl::dfg::{ModuleBuilder, Value};

use super::at_most;
use super::neurons::{Neuron, Weights};
use crate::arith::multiply::{Accumulation, Multiplier, reached};
use crate::arith::{Arithmetic, Effort, Fabric, Products};

/// A product floored to an integer: the sum of the values and the constant.
#[derive(Debug)]
struct Floored<'m> {
    values: Vec<Value<'m>>,
    constant: i128,
}

/// `bias + Σ ⌊x·w / 2^cut⌋` for every neuron.
///
/// Multiples of an input share their adders, which are operators on libraries too: sums of cells for them are larger.
pub(super) fn sums<'m>(
    m: &'m ModuleBuilder,
    layer: Weights<'_>,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    constants: Fabric,
) -> Vec<Value<'m>> {
    let mut weights: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); inputs.len()];
    for neuron in neurons {
        for &(input, place) in &neuron.terms {
            weights[input].insert(layer.row(neuron.row)[place]);
        }
    }
    // counted in units of the sums' last place, an operand has as many fraction bits as are cut
    let cut = layer.multiplication.cut() as i32;
    let inputs: Vec<Value<'m>> = inputs.iter().map(|x| x.with_frac(cut)).collect();
    let multiples = Multiples::of(constants);
    let products: Vec<BTreeMap<i64, Floored<'m>>> = (0..)
        .zip(inputs.iter().zip(&weights))
        .map(|(i, (x, weights)): (usize, _)| m.scope(&format!("multiples{i}"), || multiples.build(m, *x, weights)))
        .collect();
    let accumulation = Accumulation::of(constants);
    let sum = |neuron: &Neuron| {
        m.scope(&neuron.scope, || {
            let row = layer.row(neuron.row);
            let floored = |&(input, place): &(usize, usize)| &products[input][&row[place]];
            let constants = neuron.terms.iter().map(|term| floored(term).constant);
            let bias = i128::from(layer.multiplication.added_bias(layer.bias[neuron.row]));
            let addends: Vec<Value<'m>> = neuron
                .terms
                .iter()
                .flat_map(|term| floored(term).values.iter().copied())
                .chain([m.constant(bias + constants.sum::<i128>(), 0)])
                .collect();
            let factors = |&(input, place): &(usize, usize)| (inputs[input], m.constant(row[place].into(), 0));
            let factors: Vec<_> = neuron.terms.iter().map(factors).collect();
            let reached = reached(&factors, &[m.constant(bias, 0)], Some(0), 0);
            accumulation.total(m, &addends, 0, reached)
        })
    };
    neurons.iter().map(sum).collect()
}

/// Builder of integer multiples of values with fraction bits, floored to integers.
struct Multiples {
    products: Products,
    /// Whether negative multiples are made of positive ones.
    ///
    /// One more bit in a sum of cells costs less than an adder. Operators would add those bits up one by one, which
    /// costs more.
    complement: bool,
}

impl Multiples {
    /// For sums of `constants`.
    fn of(constants: Fabric) -> Self {
        let operators = Arithmetic::of(constants.operators(), Multiplier::Operator);
        Self {
            products: Products::new(operators, Some(Effort::Fast)),
            complement: matches!(constants, Fabric::Cells(..)),
        }
    }

    /// `x` times each of `weights`.
    fn build<'m>(&self, m: &'m ModuleBuilder, x: Value<'m>, weights: &BTreeSet<i64>) -> BTreeMap<i64, Floored<'m>> {
        let made = |w: i64| if self.complement { w.abs() } else { w };
        let factors: BTreeSet<i64> = weights.iter().map(|w| made(*w)).collect();
        let rows: Vec<Vec<i64>> = factors.iter().map(|w| vec![*w]).collect();
        let none = vec![0; rows.len()];
        let products = self.products.linear(m, &[x], &rows, &none, 0);
        let floored = products.into_iter();
        let floored = floored.map(|p| at_most(p, 0).extended(0));
        let floored: BTreeMap<i64, Value<'m>> = factors.into_iter().zip(floored).collect();
        let product = |w: i64| match floored[&made(w)] {
            value if made(w) == w => Floored { values: vec![value], constant: 0 },
            value => self.negative(value, x, w),
        };
        weights.iter().map(|w| (*w, product(*w))).collect()
    }

    /// `⌊w·x⌋` out of `⌊-w·x⌋`.
    ///
    /// With `⌊p/2^c⌋ = q`, `⌊-p/2^c⌋` is the complement `-1 - q`, and 1 more if the bits of `p` that are cut are all
    /// zero, as the lowest bits of `x` tell.
    fn negative<'m>(&self, q: Value<'m>, x: Value<'m>, w: i64) -> Floored<'m> {
        let range = q.range();
        let mut product = match range.width() {
            0 => Floored { values: vec![], constant: -1 },
            // of what is never negative, the complement is taken within its width
            width => Floored { values: vec![!q], constant: if range.signed() { 0 } else { -(1 << width) } },
        };
        let cut = u32::try_from(x.frac()).unwrap_or(0);
        match cut.saturating_sub(w.trailing_zeros()) {
            0 => product.constant += 1,
            bits => {
                let rest = x.with_frac(0).wrap(bits, false);
                let zero = x.builder().constant(0, 0);
                product.values.push(rest.equals(zero).with_frac(0));
            }
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use constraints::Target;
    use hdl::dfg::eval;
    use hdl::num::Format;

    use super::*;

    fn whole<'m>(m: &'m ModuleBuilder) -> impl Fn(Floored<'m>) -> Value<'m> {
        move |product| {
            let constant = m.constant(product.constant, 0);
            let parts: Vec<_> = product.values.into_iter().chain([constant]).collect();
            Value::sum(&parts).unwrap()
        }
    }

    /// All values of a format times all weights of five bits, floored by as many bits as the format has behind the point.
    fn all_products(constants: Fabric, format: Format) {
        let weights: BTreeSet<i64> = (-16..16).collect();
        let m = ModuleBuilder::new("products");
        let x = m.input("x", format);
        let products = Multiples::of(constants).build(&m, x, &weights);
        let values: Vec<_> = products.into_values().map(whole(&m)).collect();
        assert!(values.iter().all(|v| v.frac() == 0));
        m.output_array("products", &values);
        let module = m.finish().unwrap();
        for x in format.range.lo()..=format.range.hi() {
            let exact = |w: &i64| (x * i128::from(*w)) >> format.frac;
            let expected: Vec<i128> = weights.iter().map(exact).collect();
            let found = eval::evaluate(&module, &[x]).unwrap();
            assert_eq!(found, expected, "{constants:?} {format:?} {x}");
        }
    }

    #[test]
    fn products_are_exact_for_every_sign_and_cut() {
        let cells = Fabric::of(&Target::load("nangate45").unwrap());
        assert!(matches!(cells, Fabric::Cells(..)));
        for constants in [cells, Fabric::default()] {
            for cut in [0, 1, 3, 5, 10] {
                all_products(constants, Format::unsigned(5, cut).unwrap());
                all_products(constants, Format::signed(5, cut).unwrap());
            }
        }
    }
}
