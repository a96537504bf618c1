//! What the prover says of numbers holds for every value: random graphs over three short words, evaluated with all of
//! their values.

mod exact;
mod linear;

use fastrand::Rng;
use verify::frame::{Constants, Known};
use verify::graph::{Graph, Lit};
use verify::lanes::Lanes;

/// Bits of each of the three words that all else is computed of.
const BITS: usize = 3;

/// How many values the three words have together.
const SITUATIONS: usize = 1 << (3 * BITS);

/// Three words, all of whose bits are free.
fn words(graph: &mut Graph) -> Vec<Vec<Lit>> {
    (0..3).map(|_| (0..BITS).map(|_| graph.leaf()).collect()).collect()
}

/// The range of the words, signed or not.
fn range(random: &mut Rng) -> (i64, i64) {
    if random.bool() { (-4, 3) } else { (0, 7) }
}

fn known(words: &[Vec<Lit>], range: (i64, i64), constants: &mut Constants) -> Vec<Known> {
    words.iter().map(|bits| Known::new(bits.iter().map(|l| vec![*l]), range, constants)).collect()
}

/// The graph with every value of the words, each in a lane of its own.
fn every_value(graph: &Graph, words: &[Vec<Lit>]) -> Lanes {
    let mut lanes = Lanes::new(graph.len(), SITUATIONS / 64);
    for (k, leaf) in words.iter().flatten().enumerate() {
        let bit = |word: usize, lane: usize| ((word * 64 + lane) as u64 >> k & 1) << lane;
        let row: Vec<u64> = (0..SITUATIONS / 64).map(|word| (0..64).map(|lane| bit(word, lane)).sum()).collect();
        lanes.set(leaf.node(), &row);
    }
    lanes.evaluate_all(graph, |_| false);
    lanes
}
