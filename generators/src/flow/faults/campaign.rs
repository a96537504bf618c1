//! Which faults a campaign injects, and when.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use fastrand::Rng;
use serde::{Serialize, Serializer};
use sim::gates::faults::{Effect, LANES, Strike};

/// Faults of a campaign that are all injected if nothing else is said; of more, as many are drawn.
const INJECTIONS: u64 = 1_000_000;
/// Runs of a campaign with a rate if nothing else is said.
const RUNS: u64 = 4096;

/// What is injected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Campaign {
    /// Upsets of a register bit.
    Single,
    /// Upsets of two register bits in the same cycle.
    Double,
    /// Transients: what a cell drives is inverted for a cycle.
    Set,
    /// What a cell drives is stuck at a level.
    Stuck,
    /// Upsets of every register bit in every cycle with this probability.
    Rate(f64),
}

impl FromStr for Campaign {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rate = |text: &str| text.parse().ok().filter(|rate| *rate > 0.0 && *rate < 1.0).map(Self::Rate);
        match text {
            "single" => Ok(Self::Single),
            "double" => Ok(Self::Double),
            "set" => Ok(Self::Set),
            "stuck" => Ok(Self::Stuck),
            _ => text.strip_prefix("rate=").and_then(rate).ok_or_else(|| {
                "a campaign is single, double, set, stuck, or rate=P with a probability P between 0 and 1".into()
            }),
        }
    }
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("single"),
            Self::Double => f.write_str("double"),
            Self::Set => f.write_str("set"),
            Self::Stuck => f.write_str("stuck"),
            Self::Rate(rate) => write!(f, "rate={rate}"),
        }
    }
}

impl Serialize for Campaign {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Campaign {
    /// Whether what cells drive is struck, not what registers hold.
    pub fn strikes_nets(self) -> bool {
        matches!(self, Self::Set | Self::Stuck)
    }
}

/// The faults, by number.
#[derive(Debug)]
pub struct Plan {
    campaign: Campaign,
    /// Nets that may be struck.
    nets: Vec<u32>,
    cycles: Range<u32>,
    seed: u64,
    /// How many faults there are.
    pub population: u128,
    chosen: Chosen,
}

/// Which of them are injected.
#[derive(Debug)]
enum Chosen {
    All(u64),
    /// These numbers, ascending.
    Some(Vec<u64>),
}

/// Faults that are simulated side by side.
pub struct Batch {
    /// What happens.
    pub strikes: Vec<Strike>,
    /// Of each fault, the nets among those of the plan that it strikes; none for runs with a rate.
    pub places: Vec<Vec<u32>>,
}

impl Plan {
    /// Faults of these `nets` in these `cycles`. If there are more than `injections`, then as many are drawn, each once.
    pub fn new(campaign: Campaign, nets: Vec<u32>, cycles: Range<u32>, injections: Option<u64>, seed: u64) -> Self {
        let (places, times) = (nets.len() as u128, cycles.len() as u128);
        let population = match campaign {
            Campaign::Single | Campaign::Set => places * times,
            Campaign::Double => places * places.saturating_sub(1) / 2 * times,
            Campaign::Stuck => places * 2,
            Campaign::Rate(_) => u128::from(injections.unwrap_or(RUNS)),
        };
        let most = injections.unwrap_or(if matches!(campaign, Campaign::Rate(_)) { RUNS } else { INJECTIONS });
        let all = u64::try_from(population).unwrap_or(u64::MAX);
        let chosen = match population <= u128::from(most) {
            true => Chosen::All(all),
            false => Chosen::Some(drawn(all, most, seed)),
        };
        Self { campaign, nets, cycles, seed, population, chosen }
    }

    /// How many faults are injected.
    pub fn injections(&self) -> u64 {
        match &self.chosen {
            Chosen::All(count) => *count,
            Chosen::Some(numbers) => numbers.len() as u64,
        }
    }

    /// Whether these are all that there are; never with a rate.
    pub fn is_exhaustive(&self) -> bool {
        matches!(self.chosen, Chosen::All(_)) && !matches!(self.campaign, Campaign::Rate(_))
    }

    /// How many batches they are.
    pub fn batches(&self) -> u64 {
        self.injections().div_ceil(LANES as u64)
    }

    /// The faults of batch `k`.
    pub fn batch(&self, k: u64) -> Batch {
        let first = k * LANES as u64;
        let count = (self.injections() - first).min(LANES as u64);
        if let Campaign::Rate(rate) = self.campaign {
            return self.shower(rate, count as usize, k);
        }
        let mut batch = Batch { strikes: Vec::new(), places: Vec::new() };
        for lane in 0..count {
            let number = match &self.chosen {
                Chosen::All(_) => first + lane,
                Chosen::Some(numbers) => numbers[(first + lane) as usize],
            };
            let (cycle, places, effect) = self.fault(number);
            let strike = |place: &u32| Strike { lane: lane as u16, cycle, net: self.nets[*place as usize], effect };
            batch.strikes.extend(places.iter().map(strike));
            batch.places.push(places);
        }
        batch
    }

    /// Cycle, places and effect of a fault. Faults of one cycle follow one another, so that they are simulated together.
    fn fault(&self, number: u64) -> (u32, Vec<u32>, Effect) {
        let count = self.nets.len() as u64;
        let cycle = |number: u64| self.cycles.start + number as u32;
        match self.campaign {
            Campaign::Stuck => (self.cycles.start, vec![(number / 2) as u32], Effect::Stuck(number % 2 == 1)),
            Campaign::Double => {
                let pairs = count * (count - 1) / 2;
                let pair = number % pairs;
                // pairs (a, b) with a > b are numbered by a, then by b
                let mut a = ((8 * u128::from(pair) + 1).isqrt() as u64).div_ceil(2);
                while a * (a - 1) / 2 > pair {
                    a -= 1;
                }
                (cycle(number / pairs), vec![a as u32, (pair - a * (a - 1) / 2) as u32], Effect::Flip)
            }
            _ => (cycle(number / count), vec![(number % count) as u32], Effect::Flip),
        }
    }

    /// Upsets of every net in every cycle with a probability; the gaps between them are drawn.
    fn shower(&self, rate: f64, lanes: usize, k: u64) -> Batch {
        let mut random = Rng::with_seed(self.seed.wrapping_add(k.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let (places, times) = (self.nets.len() as u64, self.cycles.len() as u64);
        let chances = places * times * lanes as u64;
        let scale = (-rate).ln_1p();
        let mut strikes = Vec::new();
        let mut at = 0;
        loop {
            // the number of chances that pass until one is taken is geometric
            let gap = ((1.0 - random.f64()).ln() / scale).floor();
            if gap >= (chances - at) as f64 {
                break;
            }
            at += gap as u64;
            let (lane, rest) = (at / (places * times), at % (places * times));
            let (cycle, place) = (self.cycles.start + (rest / places) as u32, rest % places);
            strikes.push(Strike { lane: lane as u16, cycle, net: self.nets[place as usize], effect: Effect::Flip });
            at += 1;
            if at >= chances {
                break;
            }
        }
        Batch { strikes, places: vec![Vec::new(); lanes] }
    }
}

/// So many different numbers below `all`, ascending.
fn drawn(all: u64, count: u64, seed: u64) -> Vec<u64> {
    let mut random = Rng::with_seed(seed);
    // Floyd's way: each set of that size is as likely as any other
    let mut numbers = BTreeSet::new();
    for last in all - count..all {
        let number = random.u64(0..=last);
        if !numbers.insert(number) {
            numbers.insert(last);
        }
    }
    numbers.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all(plan: &Plan) -> Vec<(Vec<u32>, u32)> {
        let batches = (0..plan.batches()).map(|k| plan.batch(k));
        let faults = batches.flat_map(|batch| {
            let Batch { strikes, places } = batch;
            let cycle = move |lane: usize| strikes.iter().find(|s| s.lane as usize == lane).map_or(0, |s| s.cycle);
            places.into_iter().enumerate().map(move |(lane, places)| (places, cycle(lane)))
        });
        faults.collect()
    }

    #[test]
    fn every_fault_of_a_campaign_is_there_once() {
        let nets: Vec<u32> = (10..47).collect();
        for (campaign, count) in [(Campaign::Single, 37 * 5), (Campaign::Set, 37 * 5), (Campaign::Double, 18 * 37 * 5)]
        {
            let plan = Plan::new(campaign, nets.clone(), 3..8, None, 1);
            let faults = all(&plan);
            assert!(plan.is_exhaustive() && plan.injections() == count, "{campaign}");
            assert_eq!(faults.iter().collect::<HashSet<_>>().len() as u64, count, "{campaign}");
            assert!(faults.iter().all(|(places, cycle)| (3..8).contains(cycle) && places.iter().all(|p| *p < 37)));
        }
        let some = Plan::new(Campaign::Double, nets.clone(), 3..8, Some(400), 1);
        let faults = all(&some);
        assert!(!some.is_exhaustive() && faults.iter().collect::<HashSet<_>>().len() == 400);
        assert!(faults.iter().all(|(places, _)| places[0] > places[1]));
        assert_eq!(faults, all(&Plan::new(Campaign::Double, nets.clone(), 3..8, Some(400), 1)));
        assert_ne!(faults, all(&Plan::new(Campaign::Double, nets, 3..8, Some(400), 2)));
    }

    #[test]
    fn a_rate_gives_as_many_upsets_as_it_says() {
        let plan = Plan::new(Campaign::Rate(0.01), (0..100).collect(), 5..105, Some(512), 7);
        let upsets: Vec<Strike> = (0..plan.batches()).flat_map(|k| plan.batch(k).strikes).collect();
        // binomial with a standard deviation of 225
        let expected = 0.01 * 100.0 * 100.0 * 512.0;
        assert!((upsets.len() as f64 - expected).abs() < 5.0 * 225.0, "{}", upsets.len());
        assert!(upsets.iter().all(|s| (5..105).contains(&s.cycle) && s.lane < 512));
    }

    #[test]
    fn campaigns_are_read_as_they_are_written() {
        for text in ["single", "double", "set", "stuck", "rate=0.000001"] {
            assert_eq!(text.parse::<Campaign>().unwrap().to_string(), text);
        }
        for text in ["", "rate=0", "rate=1", "rate=x", "rate=NaN", "triple"] {
            assert!(text.parse::<Campaign>().is_err(), "{text}");
        }
    }
}
