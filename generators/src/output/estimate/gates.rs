//! Logic bit by bit: gates of few inputs, each made once, simplified where inputs are constant or the same.

use rustc_hash::FxHashMap;

/// Inputs that a gate can have.
pub const MOST_INPUTS: usize = 6;

/// A bit of a net: what makes it, and whether it is that inverted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bit(u32);

impl Bit {
    /// Constant 0.
    pub const ZERO: Self = Self(0);
    /// The constant.
    pub fn constant(value: bool) -> Self {
        Self(value.into())
    }

    /// This bit, inverted if `invert`.
    #[must_use]
    pub fn inverted_if(self, invert: bool) -> Self {
        Self(self.0 ^ u32::from(invert))
    }

    /// What makes it, by position.
    pub fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// Whether it is inverted.
    pub fn is_inverted(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether it is a constant.
    pub fn is_constant(self) -> bool {
        self.0 <= 1
    }
}

/// Truth tables: entry `i` is bit `i`, the first input the least significant bit of `i`.
pub mod truth {
    /// All of two.
    pub const AND: u64 = 0b1000;
    /// Any of two.
    pub const OR: u64 = 0b1110;
    /// One of two.
    pub const XOR: u64 = 0b0110;
    /// An odd number of three.
    pub const ODD: u64 = 0b1001_0110;
    /// At least two of three.
    pub const MAJORITY: u64 = 0b1110_1000;
    /// Of three, the first if the last is 1, else the second.
    pub const CHOICE: u64 = 0b1010_1100;
}

/// Gates, each behind those that it reads.
#[derive(Debug)]
pub struct Gates {
    /// Where the inputs of each node begin and end in `pool`; a node without inputs is not a gate.
    inputs: Vec<(u32, u32)>,
    pool: Vec<u32>,
    known: FxHashMap<(u64, Vec<u32>), u32>,
}

impl Default for Gates {
    /// Only the constant.
    fn default() -> Self {
        Self { inputs: vec![(0, 0)], pool: Vec::new(), known: FxHashMap::default() }
    }
}

impl Gates {
    /// Number of nodes, the constant among them.
    pub fn len(&self) -> usize {
        self.inputs.len()
    }

    /// What a node reads.
    pub fn inputs(&self, node: usize) -> &[u32] {
        let (start, end) = self.inputs[node];
        &self.pool[start as usize..end as usize]
    }

    /// A bit that no gate makes.
    pub fn source(&mut self) -> Bit {
        self.push(&[])
    }

    /// A function of at most [`MOST_INPUTS`] bits; entry `i` of the truth table is for the inputs that spell `i`, the
    /// first one least significant.
    pub fn gate(&mut self, truth: u64, inputs: &[Bit]) -> Bit {
        let mut nodes: Vec<u32> = inputs.iter().map(|b| b.0 >> 1).filter(|n| *n > 0).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let value = |nodes: &[u32], pattern: usize| {
            let level = |bit: &Bit| {
                let place = nodes.iter().position(|n| *n == bit.0 >> 1);
                let plain = place.is_some_and(|k| pattern >> k & 1 == 1);
                usize::from(plain != bit.is_inverted())
            };
            let index: usize = (0..).zip(inputs).map(|(k, bit)| level(bit) << k).sum();
            truth >> index & 1 == 1
        };
        let tabulated = |nodes: &[u32]| {
            let entries = (0..1usize << nodes.len()).filter(|p| value(nodes, *p));
            entries.fold(0u64, |table, p| table | 1 << p)
        };
        let mut table = tabulated(&nodes);
        for k in (0..nodes.len()).rev() {
            if !depends(table, nodes.len(), k) {
                // an input that does not matter reads as 0
                nodes.remove(k);
                table = tabulated(&nodes);
            }
        }
        let invert = table & 1 == 1;
        let all = u64::MAX >> (64 - (1u32 << nodes.len()));
        let table = if invert { !table & all } else { table };
        let plain = match nodes.len() {
            0 => Bit::ZERO,
            1 => Bit(nodes[0] << 1),
            _ => match self.known.get(&(table, nodes.clone())) {
                Some(node) => Bit(node << 1),
                None => {
                    let bit = self.push(&nodes);
                    self.known.insert((table, nodes), bit.0 >> 1);
                    bit
                }
            },
        };
        plain.inverted_if(invert)
    }

    /// A gate of two over all bits, one after the other.
    pub fn chain(&mut self, truth: u64, bits: impl IntoIterator<Item = Bit>) -> Bit {
        let joined = bits.into_iter().reduce(|a, b| self.gate(truth, &[a, b]));
        joined.unwrap_or(Bit::ZERO)
    }

    fn push(&mut self, inputs: &[u32]) -> Bit {
        let start = self.pool.len() as u32;
        self.pool.extend(inputs);
        self.inputs.push((start, self.pool.len() as u32));
        Bit((self.inputs.len() as u32 - 1) << 1)
    }
}

/// Whether a function of `count` inputs depends on input `k`.
fn depends(table: u64, count: usize, k: usize) -> bool {
    let mut patterns = 0..1usize << count;
    patterns.any(|p| (table >> p ^ table >> (p ^ 1 << k)) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Bit = Bit(1);

    #[test]
    fn gates_of_constants_and_equal_bits_are_none() {
        let mut gates = Gates::default();
        let [a, b] = [gates.source(), gates.source()];
        let not_a = a.inverted_if(true);
        assert_eq!(gates.gate(truth::AND, &[a, ONE]), a);
        assert_eq!(gates.gate(truth::AND, &[a, not_a]), Bit::ZERO);
        assert_eq!(gates.gate(truth::OR, &[not_a, a]), ONE);
        assert_eq!(gates.gate(truth::XOR, &[a, ONE]), not_a);
        assert_eq!(gates.gate(truth::CHOICE, &[a, a, b]), a);
        assert_eq!(gates.gate(truth::CHOICE, &[a, b, ONE]), a);
        assert_eq!(gates.gate(truth::MAJORITY, &[a, b, a]), a);
        assert_eq!(gates.len(), 3);
    }

    #[test]
    fn a_gate_is_made_once_in_either_polarity() {
        let mut gates = Gates::default();
        let [a, b] = [gates.source(), gates.source()];
        let xor = gates.gate(truth::XOR, &[a, b]);
        assert_eq!(gates.gate(truth::XOR, &[b, a]), xor);
        let not = [a.inverted_if(true), b];
        assert_eq!(gates.gate(truth::XOR, &not), xor.inverted_if(true));
        let chosen = gates.gate(truth::CHOICE, &[b.inverted_if(true), b, a]);
        assert_eq!(chosen, xor);
        assert_eq!(gates.inputs(xor.node()).len(), 2);
    }

    #[test]
    fn six_inputs_are_a_gate() {
        let mut gates = Gates::default();
        let inputs: Vec<Bit> = (0..6).map(|_| gates.source()).collect();
        let all = gates.gate(1 << 63, &inputs);
        assert_eq!(gates.inputs(all.node()).len(), 6);
        assert_eq!(gates.gate(u64::MAX, &inputs), ONE);
    }
}
