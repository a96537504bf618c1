//! Carry-propagate adders as prefix networks: from spans of bits that generate or propagate a carry to all carries.
//!
//! A span joins two neighbours: it generates a carry if its high part does, or propagates one that its low part
//! generates; it propagates if both do. Every classic adder is an order of joining: serial (ripple), Sklansky, Brent
//! and Kung, Kogge and Stone; or the order in which the bits arrive.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::arith::cells::CellCosts;

/// How a carry-propagate adder is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Full adders in a row: the smallest.
    Ripple,
    /// Few joins, twice the least depth.
    BrentKung,
    /// Least depth, some joins with many readers.
    Sklansky,
    /// Least depth, many joins, each with two readers.
    KoggeStone,
    /// The order that the bits' arrival times ask for.
    Earliest,
}

/// Index of a span: the bits first, then the joins.
pub type SpanId = u32;

/// The carries of an adder of `bits` bit positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// Bit positions.
    pub bits: usize,
    /// High and low part of each further span.
    pub joins: Vec<(SpanId, SpanId)>,
    /// The span from bit 0 up to each bit.
    pub carries: Vec<SpanId>,
}

/// What is wrong with a prefix network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BrokenPrefix {
    /// A join of spans that do not exist yet or do not meet.
    #[error("join {0} joins spans that are not neighbours")]
    Join(usize),
    /// A carry that does not come from all bits below.
    #[error("the carry out of bit {0} is not that of all bits up to it")]
    Carry(usize),
}

/// Spans by their ends.
struct Network {
    bits: usize,
    joins: Vec<(SpanId, SpanId)>,
    known: BTreeMap<(usize, usize), SpanId>,
}

impl Network {
    fn new(bits: usize) -> Self {
        Self { bits, joins: Vec::new(), known: (0..bits).map(|k| ((k, k), k as SpanId)).collect() }
    }

    /// The span `middle..=high` joined to `low..middle`, both of which must be there.
    fn join(&mut self, low: usize, middle: usize, high: usize) {
        let (above, below) = (self.known[&(middle, high)], self.known[&(low, middle - 1)]);
        let next = (self.bits + self.joins.len()) as SpanId;
        if let std::collections::btree_map::Entry::Vacant(slot) = self.known.entry((low, high)) {
            slot.insert(next);
            self.joins.push((above, below));
        }
    }

    fn finish(self) -> Prefix {
        Prefix { bits: self.bits, carries: (0..self.bits).map(|k| self.known[&(0, k)]).collect(), joins: self.joins }
    }
}

/// The network of that shape; `arrivals` is when each bit is there, in ps.
pub fn network(shape: Shape, arrivals: &[u32], join_ps: u32) -> Prefix {
    let bits = arrivals.len();
    let mut network = Network::new(bits);
    match shape {
        Shape::Ripple => (1..bits).for_each(|k| network.join(0, k, k)),
        Shape::Sklansky => sklansky(&mut network),
        Shape::BrentKung => brent_kung(&mut network),
        Shape::KoggeStone => kogge_stone(&mut network),
        Shape::Earliest => earliest(&mut network, arrivals, join_ps),
    }
    network.finish()
}

fn sklansky(network: &mut Network) {
    let mut size = 1;
    while size < network.bits {
        for k in (0..network.bits).filter(|k| k & size != 0) {
            let middle = k & !(size - 1);
            network.join(middle - size, middle, k);
        }
        size *= 2;
    }
}

fn brent_kung(network: &mut Network) {
    let mut size = 1;
    while size < network.bits {
        for low in (0..network.bits).step_by(2 * size) {
            if low + 2 * size <= network.bits {
                network.join(low, low + size, low + 2 * size - 1);
            }
        }
        size *= 2;
    }
    // what is left are the carries whose bits end between powers of two
    while size > 0 {
        for middle in (size..network.bits).step_by(size) {
            if middle + size <= network.bits {
                network.join(0, middle, middle + size - 1);
            }
        }
        size /= 2;
    }
}

fn kogge_stone(network: &mut Network) {
    let mut size = 1;
    while size < network.bits {
        for k in size..network.bits {
            let low = (k + 1).saturating_sub(2 * size);
            network.join(low, k + 1 - size, k);
        }
        size *= 2;
    }
}

/// The least time of every span over all places to split it, then the splits that the carries need.
///
/// Of splits that are equally early the one with the longest low part is taken: its low part is a carry already.
fn earliest(network: &mut Network, arrivals: &[u32], join_ps: u32) {
    let bits = arrivals.len();
    let mut times = vec![vec![(0u32, 0usize); bits]; bits];
    for length in 1..=bits {
        for low in 0..=bits - length {
            let high = low + length - 1;
            times[low][high] = match length {
                1 => (arrivals[low], 0),
                _ => (low + 1..=high)
                    .rev()
                    .map(|m| (times[low][m - 1].0.max(times[m][high].0) + join_ps, m))
                    .min_by_key(|&(time, _)| time)
                    .expect("a span of two bits can be split"),
            };
        }
    }
    for k in 1..bits {
        let mut wanted = vec![(0, k)];
        while let Some(&(low, high)) = wanted.last() {
            let middle = times[low][high].1;
            let missing =
                [(middle, high), (low, middle - 1)].into_iter().find(|span| !network.known.contains_key(span));
            match missing {
                Some(span) => wanted.push(span),
                None => {
                    network.join(low, middle, high);
                    wanted.pop();
                }
            }
        }
    }
}

impl Prefix {
    /// Which spans must tell whether they propagate: those that are a high part.
    pub fn propagates(&self) -> Vec<bool> {
        let mut needed = vec![false; self.bits + self.joins.len()];
        for (j, &(high, low)) in self.joins.iter().enumerate().rev() {
            needed[high as usize] = true;
            if needed[self.bits + j] {
                needed[low as usize] = true;
            }
        }
        needed
    }

    /// When each span is there, given when the bits are.
    pub fn times(&self, arrivals: &[u32], costs: &CellCosts) -> Vec<u32> {
        let mut readers = vec![0u32; self.bits + self.joins.len()];
        for &(high, low) in &self.joins {
            readers[high as usize] += 1;
            readers[low as usize] += 1;
        }
        let loaded = |time: u32, span: usize| time + costs.load * readers[span].saturating_sub(1) / 2;
        let mut times: Vec<u32> = (0..self.bits).map(|k| loaded(arrivals[k], k)).collect();
        for (j, &(high, low)) in self.joins.iter().enumerate() {
            let time = times[high as usize].max(times[low as usize]) + join_ps(costs);
            times.push(loaded(time, self.bits + j));
        }
        times
    }

    /// Cell area of the joins in µm².
    ///
    /// Mapping makes a complex inverting gate of the AND and the OR and a simple one of the AND of the propagating parts,
    /// and needs an inverter for about every other join: as shares of an AND's area.
    pub fn area(&self, costs: &CellCosts) -> f64 {
        let propagates = self.propagates();
        let join = |j: usize| match propagates[self.bits + j] {
            true => 2.25,
            false => 1.5,
        };
        (0..self.joins.len()).map(join).sum::<f64>() * costs.and.area
    }

    /// Proves that every carry is that of all bits up to it.
    ///
    /// # Errors
    /// The first join of spans that are not neighbours, or a carry of a wrong span.
    pub fn check(&self) -> Result<(), BrokenPrefix> {
        let mut ends: Vec<(usize, usize)> = (0..self.bits).map(|k| (k, k)).collect();
        for (j, &(high, low)) in self.joins.iter().enumerate() {
            let end = |span: SpanId| ends.get(span as usize).copied();
            match (end(high), end(low)) {
                (Some(above), Some(below)) if above.0 == below.1 + 1 => {
                    ends.push((below.0, above.1));
                }
                _ => return Err(BrokenPrefix::Join(j)),
            }
        }
        for k in 0..self.bits {
            let span = self.carries.get(k).and_then(|s| ends.get(*s as usize));
            if span != Some(&(0, k)) {
                return Err(BrokenPrefix::Carry(k));
            }
        }
        Ok(())
    }
}

/// Delay of one join: a complex inverting gate, or its dual where its inputs come as complements; either takes about as
/// long as an AND.
pub fn join_ps(costs: &CellCosts) -> u32 {
    costs.and.delay
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [Shape; 5] = [Shape::Ripple, Shape::BrentKung, Shape::Sklansky, Shape::KoggeStone, Shape::Earliest];

    fn depth(prefix: &Prefix) -> u32 {
        let mut depths = vec![0; prefix.bits];
        for &(high, low) in &prefix.joins {
            depths.push(1 + depths[high as usize].max(depths[low as usize]));
        }
        depths.into_iter().max().unwrap_or(0)
    }

    #[test]
    fn every_shape_has_all_carries_at_every_width() {
        for bits in 0..40 {
            let skewed: Vec<u32> = (0..bits).map(|k| (k * 37 % 11 + k) as u32 * 10).collect();
            for shape in SHAPES {
                assert_eq!(network(shape, &skewed, 20).check(), Ok(()), "{shape:?} {bits}");
            }
        }
    }

    #[test]
    fn depths_and_sizes_are_the_known_ones() {
        let of = |shape| network(shape, &[0; 16], 10);
        let figures = SHAPES.map(|shape| (depth(&of(shape)), of(shape).joins.len()));
        assert_eq!(figures[..4], [(15, 15), (6, 26), (4, 32), (4, 49)]);
        assert_eq!(figures[4].0, 4);
    }

    #[test]
    fn a_late_bit_is_joined_last() {
        let mut arrivals = [0; 8];
        arrivals[2] = 100;
        let prefix = network(Shape::Earliest, &arrivals, 10);
        assert_eq!(prefix.check(), Ok(()));
        let costs = (0..prefix.bits).map(|k| arrivals[k]).collect::<Vec<_>>();
        let mut times = costs.clone();
        for &(high, low) in &prefix.joins {
            times.push(10 + times[high as usize].max(times[low as usize]));
        }
        assert_eq!(prefix.carries.iter().map(|s| times[*s as usize]).max(), Some(120));
    }

    #[test]
    fn a_changed_join_or_carry_is_refuted() {
        for shape in SHAPES {
            let good = network(shape, &[0; 9], 10);
            for j in 0..good.joins.len() {
                let mut wrong = good.clone();
                let (high, low) = wrong.joins[j];
                wrong.joins[j] = (low, high);
                assert_eq!(wrong.check(), Err(BrokenPrefix::Join(j)));
                wrong.joins[j].0 = u32::MAX;
                assert_eq!(wrong.check(), Err(BrokenPrefix::Join(j)));
            }
            let mut wrong = good.clone();
            wrong.carries.swap(3, 4);
            assert_eq!(wrong.check(), Err(BrokenPrefix::Carry(3)));
        }
    }
}
