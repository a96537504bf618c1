//! A campaign's result: outcomes by layer and register, and which bits do the most harm.

use std::cmp::Ordering;
use std::fmt::Write;

use hdl::draw::{HeatMap, Row};
use rustc_hash::FxHashMap;
use serde::Serialize;

use super::Job;
use super::campaign::{Campaign, Plan};
use super::tally::{Counts, Share, Tally};
use super::target::Place;
use crate::output::table::Table;

/// Bits that the text names.
const SHOWN: usize = 10;
/// Registers from which on a heat map has a row for each layer.
const ROWS: usize = 256;

/// How long a transient is, and the clock's period, both in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pulse {
    /// The transient.
    pub width_ns: f64,
    /// The clock.
    pub period_ns: f64,
}

/// Faults of a layer or a register.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A bit, and what its faults do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// The bit.
    #[serde(flatten)]
    pub place: Place,
    /// Outputs' error, in units of the last place, in the mean over all faults.
    pub mean_error: f64,
    /// What became of them.
    #[serde(flatten)]
    pub counts: Counts,
}

/// Shares of the outcomes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shares {
    masked: Share,
    latent: Share,
    detected: Share,
    silent: Share,
}

/// What a campaign found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The faults.
    pub campaign: Campaign,
    /// Whether a netlist was struck, and not the Verilog.
    pub netlist: bool,
    /// Register bits, or nets, that may be struck.
    pub places: usize,
    /// Events that went through.
    pub events: usize,
    /// Cycles in which faults strike: the first, and the one after the last.
    pub cycles: [u32; 2],
    /// Of what was drawn.
    pub seed: u64,
    /// All faults that there are.
    pub population: u128,
    /// Whether all of them were injected.
    pub exhaustive: bool,
    /// What became of those that were.
    pub total: Counts,
    /// The same as shares.
    pub shares: Shares,
    /// Events with a wrong output, in the mean over the faults.
    pub wrong_events: f64,
    /// Share of transients that do harm if they come at any time: those that a register catches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub harmful_transients: Option<f64>,
    /// By layer.
    pub layers: Vec<Group>,
    /// By register or bus; none for nets.
    pub registers: Vec<Group>,
    /// Bits with a fault that made an output wrong, the most harmful first; none of `stuck`, which does not measure how much.
    pub ranking: Vec<Ranked>,
    #[serde(skip)]
    cells: Vec<(Place, Counts)>,
}

impl Report {
    pub(super) fn new(
        job: &Job<'_>,
        plan: &Plan,
        places: Vec<Place>,
        tally: Tally,
        (cycles, events): ([u32; 2], usize),
    ) -> Self {
        let total = tally.total;
        let exhaustive = plan.is_exhaustive();
        let share = |part| total.share(part, exhaustive);
        let shares = Shares {
            masked: share(total.masked),
            latent: share(total.latent),
            detected: share(total.detected),
            silent: share(total.silent),
        };
        let wrong = shares.detected.share + shares.silent.share;
        let caught = |pulse: Pulse| wrong * (pulse.width_ns / pulse.period_ns).min(1.0);
        let by_place = !matches!(job.campaign, Campaign::Rate(_));
        let cells: Vec<(Place, Counts)> = places.into_iter().zip(tally.places).collect();
        let grouped = |name: fn(&Place) -> &str| if by_place { groups(&cells, name) } else { Vec::new() };
        Self {
            campaign: job.campaign,
            netlist: job.netlist.is_some(),
            places: cells.len(),
            events,
            cycles,
            seed: job.seed,
            population: plan.population,
            exhaustive,
            wrong_events: tally.wrong_events as f64 / total.injections.max(1) as f64,
            shares,
            harmful_transients: job.pulse.map(caught),
            layers: grouped(|place| &place.layer),
            registers: if job.campaign.strikes_nets() { Vec::new() } else { grouped(|place| place.split().0) },
            ranking: if job.campaign == Campaign::Stuck { Vec::new() } else { ranking(&cells) },
            total,
            cells,
        }
    }

    /// The ranked bits' names, a line each, at most so many.
    pub fn list(&self, most: usize) -> String {
        self.ranking.iter().take(most).fold(String::new(), |text, ranked| text + &ranked.place.name + "\n")
    }

    /// A drawing of how many of a bit's faults make an output wrong: a row for each register, or each layer if there are
    /// many, a column for each bit.
    pub fn heat_map(&self) -> String {
        let by_layer = self.registers.len() > ROWS;
        let row = |place: &Place| match by_layer {
            true => place.layer.clone(),
            false => format!("{}: {}", place.layer, place.split().0),
        };
        let mut order: Vec<String> = Vec::new();
        let mut rows: FxHashMap<String, Vec<Counts>> = FxHashMap::default();
        for (place, counts) in &self.cells {
            let (name, bit) = (row(place), place.split().1);
            let bits = rows.entry(name.clone()).or_insert_with(|| {
                order.push(name);
                Vec::new()
            });
            bits.resize(bits.len().max(bit + 1), Counts::default());
            bits[bit].join(counts);
        }
        let harm = |c: &Counts| (c.injections > 0).then(|| (c.detected + c.silent) as f64 / c.injections as f64);
        order.sort();
        let rows = order.into_iter().map(|name| Row { values: rows[&name].iter().map(harm).collect(), name });
        let title = format!("share of `{}` faults that make an output wrong, by register and bit", self.campaign);
        HeatMap { title, rows: rows.collect() }.svg()
    }

    /// The result for a person.
    pub fn text(&self) -> String {
        let mut table = Table::new(["layer", "faults", "masked", "latent", "detected", "silent", "mean error"]);
        let columns = |name: &str, counts: &Counts| columns(name, counts, self.campaign != Campaign::Stuck);
        for group in &self.layers {
            table.row(columns(&group.name, &group.counts));
        }
        table.row(columns("all", &self.total));
        let mut text = table.to_string();
        let [from, to] = self.cycles;
        let what = if self.campaign.strikes_nets() { "nets" } else { "register bits" };
        let extent = match self.exhaustive {
            true => "exhaustive".to_owned(),
            false => format!("{} of {} drawn with seed {}", self.total.injections, self.population, self.seed),
        };
        let _ = writeln!(
            text,
            "{}: {} {what}, cycles {from}..{to} of {} events, {extent}",
            self.campaign, self.places, self.events
        );
        for (name, share) in [("masked", self.shares.masked), ("silent", self.shares.silent)] {
            let interval = share.interval.map_or_else(String::new, |[low, high]| {
                format!(" (95 % interval {:.4} % to {:.4} %)", 100.0 * low, 100.0 * high)
            });
            let _ = writeln!(text, "{name}: {:.4} %{interval}", 100.0 * share.share);
        }
        if let Some(share) = self.harmful_transients {
            let _ = writeln!(text, "transients of that width at any time: {:.4} % do harm", 100.0 * share);
        }
        if matches!(self.campaign, Campaign::Rate(_)) {
            let _ = writeln!(text, "events with a wrong output: {:.4} a run", self.wrong_events);
        }
        for (k, ranked) in self.ranking.iter().take(SHOWN).enumerate() {
            let Ranked { place, mean_error, .. } = ranked;
            let _ = writeln!(text, "{:>3}. {} ({}): mean error {mean_error:.3}", k + 1, place.name, place.layer);
        }
        text
    }
}

fn columns(name: &str, counts: &Counts, is_measured: bool) -> [String; 7] {
    let Counts { injections, masked, latent, detected, silent, .. } = *counts;
    let mean = if is_measured { format!("{:.3}", counts.mean_error()) } else { String::new() };
    let [injections, masked, latent, detected, silent] =
        [injections, masked, latent, detected, silent].map(|count| count.to_string());
    [name.to_owned(), injections, masked, latent, detected, silent, mean]
}

/// Faults by what `name` gives, in the order in which it first gives it.
fn groups(cells: &[(Place, Counts)], name: fn(&Place) -> &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut known: FxHashMap<&str, usize> = FxHashMap::default();
    for (place, counts) in cells {
        let number = *known.entry(name(place)).or_insert_with(|| {
            groups.push(Group { name: name(place).to_owned(), counts: Counts::default() });
            groups.len() - 1
        });
        groups[number].counts.join(counts);
    }
    groups
}

/// By mean error, then by how often an output is wrong, then by name.
fn ranking(cells: &[(Place, Counts)]) -> Vec<Ranked> {
    let harmful = cells.iter().filter(|(_, counts)| counts.detected + counts.silent > 0);
    let mut ranking: Vec<Ranked> = harmful
        .map(|(place, counts)| Ranked { place: place.clone(), mean_error: counts.mean_error(), counts: counts.clone() })
        .collect();
    let per_fault = |part: fn(&Counts) -> u64, a: &Ranked, b: &Ranked| -> Ordering {
        let cross = |x: &Ranked, y: &Ranked| u128::from(part(&x.counts)) * u128::from(y.counts.injections);
        cross(b, a).cmp(&cross(a, b))
    };
    ranking.sort_by(|a, b| {
        let error = per_fault(|c| c.error, a, b);
        error.then_with(|| per_fault(|c| c.detected + c.silent, a, b)).then_with(|| a.place.name.cmp(&b.place.name))
    });
    ranking
}
