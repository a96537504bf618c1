//! Sums: of numbers that have been proved, or of what the sums among them are sums of.

use rustc_hash::FxHashMap;

use super::{Proof, Prover};
use crate::frame::{Frame, Known};
use crate::graph::Lit;
use crate::linear::Rewriter;
use crate::matching::{Index, above, alternatives, near};
use crate::spec::{Id, Op};

/// Most candidates for a bit of a sum.
const MOST: usize = 64;

/// Down to where sums are taken for their own terms, and most terms that come of it.
const DEPTH: usize = 8;
const MOST_TERMS: usize = 1 << 12;

/// Bias, numbers with their weights, and bits that each product loses.
type Terms = (i64, Vec<(Id, i64)>, u32);

impl Prover<'_> {
    /// Whether number `id` is a sum of whole products.
    pub(super) fn is_sum(&self, id: Id) -> bool {
        matches!(self.spec.numbers[id].op, Op::Sum { cut: 0, .. })
    }

    /// A sum, sums in it as their own terms `depth` times; none if it is no sum, has too many terms or goes beyond 64 bits.
    fn terms(&self, id: Id, depth: usize) -> Option<Terms> {
        let Op::Sum { bias, terms, cut } = &self.spec.numbers[id].op else { return None };
        let (mut bias, mut all) = (*bias, Vec::new());
        for &(x, weight) in terms {
            if depth == 0 || *cut != 0 || !self.is_sum(x) {
                all.push((x, weight));
                continue;
            }
            let (inner, terms, _) = self.terms(x, depth - 1)?;
            if all.len() + terms.len() > MOST_TERMS {
                return None;
            }
            bias = bias.checked_add(weight.checked_mul(inner)?)?;
            for (x, inner) in terms {
                all.push((x, weight.checked_mul(inner)?));
            }
        }
        Some((bias, all, *cut))
    }

    /// Tries to prove sums; those that they are sums of are taken for their terms if `whole`.
    pub(super) fn sums(&self, ids: &[Id], index: &Index, whole: bool) -> Vec<(Id, Result<Proof, String>)> {
        let terms: Vec<_> = ids.iter().map(|id| self.terms(*id, if whole { DEPTH } else { 0 })).collect();
        // equal words stand once in the frame
        let mut words: Vec<&Known> = Vec::new();
        let mut places: FxHashMap<Id, u32> = FxHashMap::default();
        let mut by_bits: FxHashMap<&[Lit], u32> = FxHashMap::default();
        for &(x, _) in terms.iter().flatten().flat_map(|(_, terms, _)| terms) {
            if let Some(known) = &self.known[x]
                && !places.contains_key(&x)
            {
                let next = words.len() as u32;
                let place = *by_bits.entry(&known.bits).or_insert(next);
                if place == next {
                    words.push(known);
                }
                places.insert(x, place);
            }
        }
        let frame = match Frame::new(&self.flat.graph, words, &self.constants) {
            Ok(frame) => frame,
            Err(reason) => return ids.iter().map(|id| (*id, Err(reason.clone()))).collect(),
        };
        let mut rewriter = Rewriter::new(&frame, &self.pairs, self.deadline);
        let mut prove = |id: Id, terms: &Option<Terms>| {
            let Some((bias, terms, cut)) = terms else {
                return Err("it is no sum of few enough terms".into());
            };
            let mut bias = *bias;
            let mut placed = Vec::new();
            for (x, weight) in terms {
                match (places.get(x), &self.spec.numbers[*x].op) {
                    (Some(place), _) => placed.push((*place, *weight)),
                    (None, Op::Constant(value)) => bias += (weight * value) >> cut,
                    (None, _) => return Err(format!("{} is not proved", self.spec.name(*x))),
                }
            }
            let mut candidates = self.candidates(id, index)?;
            candidates.iter_mut().for_each(|bit| bit.truncate(MOST));
            let mut attempt = |bits: &[Lit]| {
                let form = rewriter.form(bits)?;
                rewriter.check(&form, bits.len(), bias, &placed, *cut)
            };
            // what goes on above the number, and others may read, is proved with it as far as it can be
            let mut attempts = |mut bits: Vec<Lit>| {
                let own = bits.len();
                bits.extend(above(&self.flat.graph, &bits, &candidates));
                loop {
                    match attempt(&bits) {
                        Err(_) if bits.len() > own => bits.truncate(bits.len() - 1),
                        other => return other.map(|()| bits),
                    }
                }
            };
            let first = near(&frame, &candidates).ok_or("nothing in the Verilog is like it")?;
            let mut others = alternatives(&first, &candidates);
            let proved = attempts(first).or_else(|reason| others.find_map(|bits| attempts(bits).ok()).ok_or(reason))?;
            Ok(Proof { bits: proved.into_iter().map(|l| vec![l]).collect(), zeros: Vec::new() })
        };
        ids.iter().zip(&terms).map(|(id, terms)| (*id, prove(*id, terms))).collect()
    }
}
