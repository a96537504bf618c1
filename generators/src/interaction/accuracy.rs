//! How well a network tells true from false on events with known truth, in integers and in floating point.

use hdl::diag::Diagnostic;
use rayon::prelude::*;
use serde::Serialize;

use super::events::{Labelled, Truth, jets};
use super::float::{Overflows, real};
use super::network::Network;

/// A score and whether it should be high.
pub type Scored = (f64, bool);

/// One way to tell true from false: an edge classifier's only one, or one class of jet against the others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Separation {
    /// What is told apart.
    pub what: String,
    /// True ones.
    pub positives: usize,
    /// False ones.
    pub negatives: usize,
    /// Area under the receiver operating characteristic, in integers; none unless there are true and false ones.
    pub auc: Option<f64>,
    /// The same in floating point.
    pub float_auc: Option<f64>,
    /// The curve in integers.
    #[serde(skip)]
    pub curve: Vec<[f64; 2]>,
    /// The curve in floating point.
    #[serde(skip)]
    pub float_curve: Vec<[f64; 2]>,
}

/// What a decision comes to: a threshold for edges, the greatest score for jets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Edges whose weight is at least `threshold`.
    Threshold {
        /// Least weight of an edge that is kept.
        threshold: f64,
        /// Share of the true edges that are kept; none without true ones.
        efficiency: Option<f64>,
        /// Share of true ones among those kept; none if none is kept.
        purity: Option<f64>,
    },
    /// Share of the jets whose greatest score is their class's, the first of equal ones.
    Accuracy(f64),
}

/// A network measured on events.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Accuracy {
    /// Events.
    pub events: usize,
    /// Edges, or classes of jets.
    pub separations: Vec<Separation>,
    /// Decisions in integers.
    pub decision: Decision,
    /// Decisions in floating point.
    pub float_decision: Decision,
    /// Numbers on the way that are quantised, over all events.
    pub numbers: u64,
    /// Those that were beyond a format that wraps: each is another number altogether.
    pub wrapped: u64,
    /// Those that were beyond a format that saturates.
    pub limited: u64,
}

impl Accuracy {
    /// Measures a network; edges are kept from `threshold` on.
    ///
    /// # Errors
    /// A class that the network has no score for.
    pub fn of(network: &Network, events: &[Labelled], threshold: f64) -> Result<Self, Diagnostic> {
        let (_, outputs) = network.output();
        let classes = events.iter().filter_map(|event| match &event.truth {
            Truth::Class(class) => Some(*class),
            Truth::Edges(_) => None,
        });
        if let Some(class) = classes.into_iter().find(|class| *class >= outputs) {
            let message = format!("a jet of class {class}, but the network has {outputs} scores");
            return Err(Diagnostic::error("events", message));
        }
        let frac = network.output_frac();
        let staged = network.staged()?;
        let integers = |event: &Labelled| -> Result<Vec<f64>, Diagnostic> {
            Ok(staged.evaluate(&event.inputs)?.iter().map(|v| real(*v, frac)).collect())
        };
        let seen = Overflows::default();
        let floats = events.par_iter().map(|event| network.in_floats(&event.inputs, &seen));
        let mut scores = [events.par_iter().map(integers).collect::<Result<Vec<_>, _>>()?, floats.collect()];
        if !matches!(network, Network::Tracking(_)) {
            scores.iter_mut().flatten().for_each(|jet| softmax(jet));
        }
        let names: Vec<String> = match network {
            Network::Tracking(_) => vec!["edge".into()],
            _ => (0..outputs).map(class_name).collect(),
        };
        let separations = (0..).zip(names).map(|(k, what)| {
            let [curves, float] = [0, 1].map(|i| scored(events, &scores[i], k));
            Separation::of(what, &curves, &float)
        });
        let [decision, float_decision] = [0, 1].map(|i| match network {
            Network::Tracking(_) => decide(&scored(events, &scores[i], 0), threshold),
            _ => Decision::Accuracy(share_right(events, &scores[i])),
        });
        let [numbers, wrapped, limited] = seen.counts();
        let separations = separations.collect();
        Ok(Self { events: events.len(), separations, decision, float_decision, numbers, wrapped, limited })
    }

    /// What to know of formats that were too narrow for the events; none if all numbers were within them.
    pub fn overflow(&self) -> Option<String> {
        let Self { numbers, wrapped, limited, .. } = self;
        let wrapped = (*wrapped > 0).then(|| {
            format!("{wrapped} of {numbers} numbers are beyond their format and wrap: each becomes another number; give the format more integer bits, or SAT")
        });
        let limited =
            (*limited > 0).then(|| format!("{limited} of {numbers} numbers are beyond their format and saturate"));
        let parts: Vec<String> = wrapped.into_iter().chain(limited).collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// One line: what was reached, and in brackets what floating point reaches.
    pub fn summary(&self) -> String {
        let aucs = self.separations.iter().map(|s| {
            let [auc, float] = [s.auc, s.float_auc].map(shown);
            format!("{} AUC {auc} ({float})", s.what)
        });
        let decisions = match (self.decision, self.float_decision) {
            (Decision::Accuracy(a), Decision::Accuracy(f)) => format!("accuracy {a:.4} ({f:.4})"),
            (
                Decision::Threshold { threshold, efficiency, purity },
                Decision::Threshold { efficiency: float_efficiency, purity: float_purity, .. },
            ) => format!(
                "at {threshold} efficiency {} ({}), purity {} ({})",
                shown(efficiency),
                shown(float_efficiency),
                shown(purity),
                shown(float_purity)
            ),
            _ => unreachable!("both of one network"),
        };
        let parts: Vec<String> = aucs.chain([decisions]).collect();
        format!("{} events: {}", self.events, parts.join(", "))
    }
}

/// From scores to probabilities, as the training has it: this makes the scores of different jets comparable.
fn softmax(scores: &mut [f64]) {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter_mut().for_each(|s| *s = (*s - greatest).exp());
    let sum: f64 = scores.iter().sum();
    scores.iter_mut().for_each(|s| *s /= sum);
}

fn class_name(class: usize) -> String {
    let known = jets::CLASSES.get(class).map(|name| (*name).to_owned());
    known.unwrap_or_else(|| format!("class {class}"))
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "undefined".into(), |v| format!("{v:.4}"))
}

/// Scores of all live edges, or of class `k` over all jets.
fn scored(events: &[Labelled], scores: &[Vec<f64>], k: usize) -> Vec<Scored> {
    let of = |(event, scores): (&Labelled, &Vec<f64>)| -> Vec<Scored> {
        match &event.truth {
            Truth::Class(class) => vec![(scores[k], *class == k)],
            Truth::Edges(edges) => {
                let live = edges.iter().zip(scores);
                live.filter_map(|(truth, score)| truth.map(|t| (*score, t))).collect()
            }
        }
    };
    events.iter().zip(scores).flat_map(of).collect()
}

fn share_right(events: &[Labelled], scores: &[Vec<f64>]) -> f64 {
    let right = events.iter().zip(scores).filter(|(event, scores)| {
        let best = (0..scores.len()).reduce(|a, b| if scores[b] > scores[a] { b } else { a });
        matches!(event.truth, Truth::Class(class) if Some(class) == best)
    });
    right.count() as f64 / events.len().max(1) as f64
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn decide(scored: &[Scored], threshold: f64) -> Decision {
    let kept = scored.iter().filter(|(score, _)| *score >= threshold);
    let right = kept.clone().filter(|(_, truth)| *truth).count();
    let positives = scored.iter().filter(|(_, truth)| *truth).count();
    Decision::Threshold { threshold, efficiency: ratio(right, positives), purity: ratio(right, kept.count()) }
}

/// False and true positive rates for falling thresholds, equal scores in one step; from (0, 0) to (1, 1). Empty unless
/// there are true and false ones.
pub fn curve(scored: &[Scored]) -> Vec<[f64; 2]> {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|(_, truth)| *truth).count();
    let negatives = sorted.len() - positives;
    if positives == 0 || negatives == 0 {
        return Vec::new();
    }
    let mut points = vec![[0.0, 0.0]];
    let (mut wrong, mut right) = (0, 0);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let truths = equal.iter().filter(|(_, truth)| *truth).count();
        right += truths;
        wrong += equal.len() - truths;
        points.push([wrong as f64 / negatives as f64, right as f64 / positives as f64]);
    }
    points
}

/// The area under a curve, by trapezoids: the probability that a true one scores higher than a false one, ties by half.
pub fn area(curve: &[[f64; 2]]) -> Option<f64> {
    let trapezoid = |pair: &[[f64; 2]]| (pair[1][0] - pair[0][0]) * (pair[0][1] + pair[1][1]) / 2.0;
    (!curve.is_empty()).then(|| curve.windows(2).map(trapezoid).sum())
}

impl Separation {
    fn of(what: String, integers: &[Scored], float: &[Scored]) -> Self {
        let positives = integers.iter().filter(|(_, truth)| *truth).count();
        let [curve, float_curve] = [integers, float].map(curve);
        Self {
            what,
            positives,
            negatives: integers.len() - positives,
            auc: area(&curve),
            float_auc: area(&float_curve),
            curve,
            float_curve,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_by_hand() {
        // of 2·3 pairs of a true and a false one, 4 stand right and one is a tie
        let scored = [(0.9, true), (0.8, false), (0.5, true), (0.5, false), (0.1, false)];
        assert_eq!(area(&curve(&scored)), Some(4.5 / 6.0));
        assert_eq!(area(&curve(&scored[..1])), None);
        let Decision::Threshold { efficiency, purity, .. } = decide(&scored, 0.5) else { unreachable!() };
        assert_eq!((efficiency, purity), (Some(1.0), Some(0.5)));
    }
}
