//! Sums of products with constants, each product floored before it is added.

use std::collections::{BTreeMap, BTreeSet};

use hdl::dfg::{ModuleBuilder, Value};

use super::hardware::{Neuron, at_most};
use super::model::Layer;
use crate::arith::multiply::{Accumulation, Multiplier, reached};
use crate::arith::{Arithmetic, Effort, Fabric, Products};

/// A product floored to the accumulator's last place: the sum of the values and the constant.
#[derive(Debug)]
struct Floored<'m> {
    values: Vec<Value<'m>>,
    constant: i128,
}

/// `bias + Σ ⌊x·w⌋` for every neuron, each product floored to `frac` fraction bits.
///
/// Multiples of an input share their adders, which are operators on libraries too: out of cells the shipped encoder is 0.3 %
/// larger on target `lp65`, and its slack no more than 0.1 ns greater.
pub(super) fn sums<'m>(
    m: &'m ModuleBuilder,
    layer: &Layer,
    neurons: &[Neuron],
    inputs: &[Value<'m>],
    frac: i32,
    constants: Fabric,
) -> Vec<Value<'m>> {
    let mut weights: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); inputs.len()];
    for neuron in neurons {
        for &(input, place) in &neuron.terms {
            weights[input].insert(layer.weights[neuron.row][place]);
        }
    }
    let weight_frac = layer.arithmetic.weight.frac;
    let multiples = Multiples::of(constants, weight_frac, frac);
    let products: Vec<BTreeMap<i64, Floored<'m>>> = (0..)
        .zip(inputs.iter().zip(&weights))
        .map(|(i, (x, weights)): (usize, _)| m.scope(&format!("multiples{i}"), || multiples.build(m, *x, weights)))
        .collect();
    let accumulation = Accumulation::of(constants);
    let sum = |neuron: &Neuron| {
        m.scope(&neuron.scope, || {
            let row = &layer.weights[neuron.row];
            let floored = |&(input, place): &(usize, usize)| &products[input][&row[place]];
            let constants = neuron.terms.iter().map(|term| floored(term).constant);
            let bias = i128::from(layer.bias_in_accumulator(neuron.row));
            let addends: Vec<Value<'m>> = neuron
                .terms
                .iter()
                .flat_map(|term| floored(term).values.iter().copied())
                .chain([m.constant(bias + constants.sum::<i128>(), frac)])
                .collect();
            let factors =
                |&(input, place): &(usize, usize)| (inputs[input], m.constant(row[place].into(), weight_frac));
            let factors: Vec<_> = neuron.terms.iter().map(factors).collect();
            let reached = reached(&factors, &[m.constant(bias, frac)], Some(frac), frac);
            accumulation.total(m, &addends, frac, reached)
        })
    };
    neurons.iter().map(sum).collect()
}

/// Builder of floored multiples.
struct Multiples {
    products: Products,
    /// Whether negative multiples are made of positive ones.
    ///
    /// One more bit in the sum of cells costs less than an adder: the shipped encoder shrinks by 8 % on `lp65`. Operators
    /// would add those bits up one by one: 4 % more look-up tables on `xcup`.
    complement: bool,
    weight_frac: i32,
    frac: i32,
}

impl Multiples {
    /// By weights of `weight_frac` fraction bits, floored to `frac`, for sums of `constants`.
    fn of(constants: Fabric, weight_frac: i32, frac: i32) -> Self {
        let operators = Arithmetic::of(constants.operators(), Multiplier::Operator);
        Self {
            products: Products::new(operators, Some(Effort::Fast)),
            complement: matches!(constants, Fabric::Cells(..)),
            weight_frac,
            frac,
        }
    }

    /// `x` times each of `weights`.
    fn build<'m>(&self, m: &'m ModuleBuilder, x: Value<'m>, weights: &BTreeSet<i64>) -> BTreeMap<i64, Floored<'m>> {
        let made = |w: i64| if self.complement { w.abs() } else { w };
        let factors: BTreeSet<i64> = weights.iter().map(|w| made(*w)).collect();
        let rows: Vec<Vec<i64>> = factors.iter().map(|w| vec![*w]).collect();
        let none = vec![0; rows.len()];
        let products = self.products.linear(m, &[x], &rows, &none, self.weight_frac);
        let floored = products.into_iter();
        let floored = floored.map(|p| at_most(p, self.frac).extended(self.frac));
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
        let mut product = Floored {
            values: vec![!q],
            // of what is never negative, the complement is taken within its width
            constant: match range.signed() {
                true => 0,
                false => -(1 << range.width()),
            },
        };
        let cut = u32::try_from(x.frac() + self.weight_frac - self.frac).unwrap_or(0);
        match cut.saturating_sub(w.trailing_zeros()) {
            0 => product.constant += 1,
            bits => {
                let rest = x.with_frac(0).wrap(bits, false);
                let zero = x.builder().constant(0, 0);
                product.values.push(rest.equals(zero).with_frac(self.frac));
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

    const WEIGHT_FRAC: i32 = 4;

    fn whole<'m>(m: &'m ModuleBuilder, frac: i32) -> impl Fn(Floored<'m>) -> Value<'m> {
        move |product| {
            let constant = m.constant(product.constant, frac);
            let parts: Vec<_> = product.values.into_iter().chain([constant]).collect();
            Value::sum(&parts).unwrap()
        }
    }

    /// All values of a format with four fraction bits times all weights of five bits.
    fn all_products(constants: Fabric, format: Format, frac: i32) {
        let weights: BTreeSet<i64> = (-16..16).collect();
        let m = ModuleBuilder::new("products");
        let x = m.input("x", format);
        let products = Multiples::of(constants, WEIGHT_FRAC, frac).build(&m, x, &weights);
        let values: Vec<_> = products.into_values().map(whole(&m, frac)).collect();
        assert!(values.iter().all(|v| v.frac() == frac));
        m.output_array("products", &values);
        let module = m.finish().unwrap();
        for x in format.range.lo()..=format.range.hi() {
            let exact = |w: &i64| (x * i128::from(*w)) << 8 >> (16 - frac);
            let expected: Vec<i128> = weights.iter().map(exact).collect();
            let found = eval::evaluate(&module, &[x]).unwrap();
            assert_eq!(found, expected, "{constants:?} {format:?} {x} {frac}");
        }
    }

    #[test]
    fn products_are_exact_for_every_sign_and_cut() {
        let cells = Fabric::of(&Target::load("nangate45").unwrap());
        assert!(matches!(cells, Fabric::Cells(..)));
        for constants in [cells, Fabric::default()] {
            for frac in [-2, 3, 6, 8, 9] {
                all_products(constants, Format::unsigned(5, 4).unwrap(), frac);
                all_products(constants, Format::signed(5, 4).unwrap(), frac);
            }
        }
    }
}
