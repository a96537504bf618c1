//! Look-up tables that a mapper takes for gates: every gate that something reads as a signal becomes the output of one, and
//! a gate that is only read by others goes into their tables as long as the inputs of these suffice.
//!
//! For each gate the cheapest few sets of signals that it can be computed from are kept (Mishchenko, Cho, Chatterjee,
//! Brayton: "Combinational and sequential mapping with priority cuts", 2007); a signal costs its tables divided by how many
//! read it (area flow). So two selections after each other are one table of six inputs, even where the first has
//! several readers.

use super::gates::{Bit, Gates, MOST_INPUTS};

/// Sets that are kept of each gate.
const KEPT: usize = 8;

/// Rounds; each after the first knows how many tables read a signal in the one before.
const ROUNDS: usize = 3;

/// Signals that a gate can be computed from, in order.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cut {
    leaves: [u32; MOST_INPUTS],
    len: usize,
    /// Tables below, shared ones in part.
    flow: f32,
}

impl Cut {
    const EMPTY: Self = Self { leaves: [0; MOST_INPUTS], len: 0, flow: 0.0 };

    fn leaves(&self) -> &[u32] {
        &self.leaves[..self.len]
    }

    /// Both sets, if they are together at most `most` signals.
    fn union(&self, other: &[u32], most: usize, flow: &[f32]) -> Option<Self> {
        let mut union = Self::EMPTY;
        let (mut a, mut b) = (self.leaves(), other);
        while let Some(next) = [a.first(), b.first()].into_iter().flatten().min().copied() {
            if union.len == most {
                return None;
            }
            union.leaves[union.len] = next;
            union.len += 1;
            union.flow += flow[next as usize];
            a = a.strip_prefix(&[next]).unwrap_or(a);
            b = b.strip_prefix(&[next]).unwrap_or(b);
        }
        Some(union)
    }
}

/// What a mapper may use.
#[derive(Clone, Copy, Debug)]
pub struct Tables {
    /// The most inputs.
    inputs: usize,
    /// What a table of so many inputs counts in the choice.
    costs: [f32; MOST_INPUTS + 1],
}

impl Tables {
    /// Tables of up to `inputs` inputs that count the same.
    pub fn alike(inputs: u32) -> Self {
        Self { inputs: (inputs as usize).min(MOST_INPUTS), costs: [1.0; MOST_INPUTS + 1] }
    }

    /// What Yosys tells its mapper of AMD's tables (`abc -luts 2:2,3,6:5`), since two narrow ones fit into one: a narrow
    /// table that two others read is cheaper than to make these wider.
    pub fn amd() -> Self {
        Self { inputs: MOST_INPUTS, costs: [2.0, 2.0, 2.0, 3.0, 5.0, 5.0, 5.0] }
    }

    /// What a table on the cut counts, with what it reads.
    fn cost(&self, cut: &Cut) -> f32 {
        cut.flow + self.costs[cut.len]
    }
}

/// Tables that make gates.
#[derive(Debug, Default)]
pub struct Cover {
    /// How many there are.
    pub tables: u64,
    /// For each node how many of them read it, and one more if it is needed.
    pub readers: Vec<u32>,
}

/// Tables that make `needed`. A bit that is no gate's takes one where it is needed inverted, unless
/// `invertible` says of its node that it can be had so; then only if it is needed as it is as well.
pub fn cover(gates: &Gates, needed: &[Bit], tables: Tables, invertible: impl Fn(usize) -> bool) -> Cover {
    let mut polarities = vec![[false; 2]; gates.len()];
    for bit in needed.iter().filter(|bit| !bit.is_constant()) {
        polarities[bit.node()][usize::from(bit.is_inverted())] = true;
    }
    let inverters = (0..).zip(&polarities).filter(|(node, [plain, inverted])| {
        let made = !gates.inputs(*node).is_empty() || invertible(*node);
        *inverted && (*plain || !made)
    });
    let inverters = inverters.count() as u64;
    let roots: Vec<bool> = polarities.iter().map(|p| p[0] || p[1]).collect();
    let mut readers: Vec<u32> = roots.iter().map(|root| u32::from(*root)).collect();
    for node in 0..gates.len() {
        gates.inputs(node).iter().for_each(|n| readers[*n as usize] += 1);
    }
    let mut least = (f32::INFINITY, Cover::default());
    for _ in 0..ROUNDS {
        let cuts = cheapest(gates, &readers, tables);
        let (cost, found) = covered(&cuts, &roots, tables);
        readers.clone_from(&found.readers);
        if cost < least.0 {
            least = (cost, found);
        }
    }
    let (_, mut cover) = least;
    cover.tables += inverters;
    cover
}

/// For each gate the cheapest set of signals that it can be computed from.
fn cheapest(gates: &Gates, readers: &[u32], tables: Tables) -> Vec<Option<Cut>> {
    let mut flow = vec![0.0f32; gates.len()];
    let mut kept: Vec<Cut> = Vec::new();
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(gates.len());
    let (mut partial, mut next) = (Vec::new(), Vec::new());
    for node in 0..gates.len() {
        let inputs = gates.inputs(node);
        partial.clear();
        if !inputs.is_empty() {
            partial.push(Cut::EMPTY);
        }
        for (k, input) in inputs.iter().enumerate() {
            let (start, end) = places[*input as usize];
            next.clear();
            for cut in &partial {
                let own = [*input];
                let sets = kept[start..end].iter().map(Cut::leaves).chain([&own[..]]);
                next.extend(sets.filter_map(|set| cut.union(set, tables.inputs, &flow)));
            }
            next.sort_by(|a, b| {
                let cost = tables.cost(a).total_cmp(&tables.cost(b));
                cost.then_with(|| a.leaves().cmp(b.leaves()))
            });
            next.dedup();
            let direct = |cut: &Cut| cut.leaves() == &inputs[..=k];
            let place = next.iter().position(direct).unwrap_or(0);
            if place >= KEPT {
                // others may leave no room for the inputs to come
                next.swap(KEPT - 1, place);
            }
            next.truncate(KEPT);
            std::mem::swap(&mut partial, &mut next);
        }
        if let Some(best) = partial.first() {
            flow[node] = tables.cost(best) / readers[node].max(1) as f32;
        }
        places.push((kept.len(), kept.len() + partial.len()));
        kept.extend(&partial);
    }
    let first = |(start, end): (usize, usize)| kept[start..end].first().copied();
    places.into_iter().map(first).collect()
}

/// The tables of the gates that `roots` need, and what they count.
fn covered(cuts: &[Option<Cut>], roots: &[bool], tables: Tables) -> (f32, Cover) {
    let readers = roots.iter().map(|root| u32::from(*root)).collect();
    let mut cost = 0.0;
    let mut cover = Cover { tables: 0, readers };
    for (node, cut) in cuts.iter().enumerate().rev() {
        if let Some(cut) = cut.filter(|_| cover.readers[node] > 0) {
            cost += tables.costs[cut.len];
            cover.tables += 1;
            let leaves = cut.leaves().iter();
            leaves.for_each(|n| cover.readers[*n as usize] += 1);
        }
    }
    (cost, cover)
}

#[cfg(test)]
mod tests {
    use super::super::gates::truth;
    use super::*;

    fn six(gates: &Gates, needed: &[Bit]) -> u64 {
        cover(gates, needed, Tables::amd(), |_| false).tables
    }

    #[test]
    fn a_gate_goes_into_what_alone_reads_it() {
        let mut gates = Gates::default();
        let bits: Vec<Bit> = (0..16).map(|_| gates.source()).collect();
        let all = gates.chain(truth::AND, bits.iter().copied());
        assert_eq!(six(&gates, &[all]), 3);
        let four = |needed: &[Bit]| cover(&gates, needed, Tables::alike(4), |_| false).tables;
        assert_eq!(four(&[all]), 5);
        assert_eq!(six(&gates, &[all, all]), 3);
        assert_eq!(six(&gates, &[bits[0], Bit::constant(true)]), 0);
    }

    #[test]
    fn a_table_that_two_sums_read_stays_where_narrow_tables_are_cheap() {
        let mut gates = Gates::default();
        let x: Vec<Bit> = (0..5).map(|_| gates.source()).collect();
        let shared = gates.gate(1 << 31 | 1 << 7, &x);
        let mut sum = || {
            let other = gates.source();
            gates.gate(truth::XOR, &[shared, other])
        };
        let sums = [sum(), sum()];
        assert_eq!(six(&gates, &sums[..1]), 1);
        assert_eq!(six(&gates, &sums), 3);
        let alike = cover(&gates, &sums, Tables::alike(6), |_| false);
        assert_eq!(alike.tables, 2);
    }

    /// Yosys makes 19 LUT6 of a shifter of two stages to 19 bits, though the bits between have two readers each.
    #[test]
    fn two_stages_of_a_shifter_are_one_table_a_bit() {
        let mut gates = Gates::default();
        let x: Vec<Bit> = (0..22).map(|_| gates.source()).collect();
        let [two, one] = [gates.source(), gates.source()];
        let mut stage = |x: &[Bit], by: usize, s: Bit| -> Vec<Bit> {
            let choice = |i: usize| [x[i + by], x[i], s];
            let ends = 0..x.len() - by;
            ends.map(|i| gates.gate(truth::CHOICE, &choice(i))).collect()
        };
        let shifted = stage(&x, 2, two);
        let shifted = stage(&shifted, 1, one);
        assert_eq!(six(&gates, &shifted), 19);
    }

    #[test]
    fn inverted_bits_take_a_table_where_they_cannot_be_made_so() {
        let mut gates = Gates::default();
        let [a, b] = [gates.source(), gates.source()];
        let and = gates.gate(truth::AND, &[a, b]);
        let not = |bit: Bit| bit.inverted_if(true);
        assert_eq!(six(&gates, &[not(a), not(a), b]), 1);
        assert_eq!(six(&gates, &[not(and)]), 1);
        assert_eq!(six(&gates, &[not(and), and]), 2);
        let made = |needed: &[Bit]| cover(&gates, needed, Tables::alike(4), |node| node == a.node()).tables;
        assert_eq!(made(&[not(a)]), 0);
        assert_eq!(made(&[not(a), a]), 1);
    }
}
