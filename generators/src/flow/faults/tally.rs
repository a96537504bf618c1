//! What became of faults, counted.

use serde::{Deserialize, Serialize};
use sim::gates::faults::Verdict;

/// The normal distribution's quantile for a two-sided interval of 95 %.
const QUANTILE: f64 = 1.959_963_985;

/// Faults by outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All.
    pub injections: u64,
    /// No output was wrong, and all registers were as without the fault at the end.
    pub masked: u64,
    /// No output was wrong as long as it was looked at, but a register still differed.
    pub latent: u64,
    /// An output was wrong, and a port that reports faults said so.
    pub detected: u64,
    /// An output was wrong and nothing said so.
    pub silent: u64,
    /// Sum of how far wrong output elements were off, in units of their last place.
    pub error: u64,
}

/// All counts of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All faults.
    pub total: Counts,
    /// Events with a wrong output, of all faults.
    pub wrong_events: u64,
    /// Faults by the places that they strike.
    pub places: Vec<Counts>,
}

/// A share of faults, with the interval that holds the true one in 95 of 100 campaigns if they were drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// Of the faults that were injected.
    pub share: f64,
    /// Lower and upper end; none where all faults were injected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Counts {
    /// Counts a fault.
    pub fn add(&mut self, verdict: &Verdict) {
        self.injections += 1;
        let class = match (verdict.wrong > 0, verdict.detected, verdict.latent) {
            (true, true, _) => &mut self.detected,
            (true, false, _) => &mut self.silent,
            (false, _, true) => &mut self.latent,
            (false, _, false) => &mut self.masked,
        };
        *class += 1;
        self.error = self.error.saturating_add(verdict.error);
    }

    /// Adds the faults of another place.
    pub fn join(&mut self, other: &Self) {
        self.injections += other.injections;
        self.masked += other.masked;
        self.latent += other.latent;
        self.detected += other.detected;
        self.silent += other.silent;
        self.error = self.error.saturating_add(other.error);
    }

    /// The mean of how far outputs are off.
    pub fn mean_error(&self) -> f64 {
        self.error as f64 / self.injections.max(1) as f64
    }

    /// `part` of all faults, of which these are all or a sample.
    pub fn share(&self, part: u64, is_exhaustive: bool) -> Share {
        let count = self.injections.max(1) as f64;
        let share = part as f64 / count;
        Share { share, interval: (!is_exhaustive).then(|| wilson(share, count)) }
    }
}

/// Wilson's score interval (Journal of the American Statistical Association 22, 1927, page 209).
fn wilson(share: f64, count: f64) -> [f64; 2] {
    let z = QUANTILE * QUANTILE / count;
    let middle = share + z / 2.0;
    let half = QUANTILE * (share * (1.0 - share) / count + z / (4.0 * count)).sqrt();
    [middle - half, middle + half].map(|end| (end / (1.0 + z)).clamp(0.0, 1.0))
}

impl Tally {
    /// Nothing yet, of so many places.
    pub fn new(places: usize) -> Self {
        Self { total: Counts::default(), wrong_events: 0, places: vec![Counts::default(); places] }
    }

    /// Counts a fault at these places.
    pub fn add(&mut self, places: &[u32], verdict: &Verdict) {
        self.total.add(verdict);
        self.wrong_events += u64::from(verdict.wrong);
        places.iter().for_each(|place| self.places[*place as usize].add(verdict));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_one_outcome() {
        let verdict = |wrong, detected, latent| Verdict { wrong, detected, latent, error: u64::from(wrong) };
        let mut tally = Tally::new(2);
        for (wrong, detected, latent) in [(0, false, false), (0, true, true), (2, true, false), (3, false, true)] {
            tally.add(&[1], &verdict(wrong, detected, latent));
        }
        let all = Counts { injections: 4, masked: 1, latent: 1, detected: 1, silent: 1, error: 5 };
        assert_eq!(tally, Tally { total: all.clone(), wrong_events: 5, places: vec![Counts::default(), all] });
    }

    #[test]
    fn the_interval_is_wilsons() {
        // 10 of 100: the interval that tables give
        let counts = Counts { injections: 100, silent: 10, ..Counts::default() };
        let [low, high] = counts.share(10, false).interval.unwrap();
        assert!((low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4, "{low} {high}");
        assert_eq!(counts.share(10, true), Share { share: 0.1, interval: None });
    }
}
