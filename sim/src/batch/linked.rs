//! Modules that leave sums of constant products to the simulator.

use std::ops::Range;
use std::sync::Arc;

use hdl::dfg::Module;

/// A flat module some of whose input elements are sums of products of its own output elements: what a matrix makes of
/// values is one step for the simulator, not a tree of adders.
#[derive(Debug, Clone)]
pub struct Linked {
    /// Everything but the sums. What a sum reads was made before the input element that the sum is.
    pub module: Arc<Module>,
    /// The first input elements, that are inputs; the others are the sums.
    pub inputs: usize,
    /// The output elements that are outputs; the others are read by sums.
    pub outputs: Range<usize>,
    /// The sums in the order of the input elements behind the inputs.
    pub sums: Vec<Sum>,
}

/// `bias + Σ ⌊weight · operand / 2^cut⌋`, a number in the range of the input element that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Operands, as numbers of output elements, and their weights.
    pub terms: Vec<(u32, i64)>,
    /// What is added.
    pub bias: i64,
    /// Bits that are cut off each product, rounding down.
    pub cut: u8,
}

impl Linked {
    /// A module without sums.
    pub fn whole(module: Arc<Module>) -> Self {
        let (inputs, outputs) = (module.input_count(), module.output_elements().count());
        Self { module, inputs, outputs: 0..outputs, sums: Vec::new() }
    }
}
