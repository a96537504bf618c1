//! `hwgen events`: events with known truth, to train interaction networks and to measure them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::failure::{Failure, Result};
use crate::interaction::events::{Event, jets, print, tracking::Barrel};
use crate::interaction::network::limited;
use crate::output::file::write_new;

/// Make events with known truth: tracks in a barrel of layers, or jets.
///
/// One event a line, as JSON. The same seed gives the same events.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  hwgen events tracking --count 100 --out events.jsonl\n  hwgen interaction --model weights.json --labelled events.jsonl --out rtl/"
)]
pub struct EventsArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Hits of helical tracks, and candidate segments between neighbouring layers
    Tracking {
        /// Hits of an event, shared out evenly over the layers
        #[arg(long, value_name = "N", default_value_t = 28)]
        nodes: usize,
        /// Candidate segments, shared out evenly over the pairs of layers
        #[arg(long, value_name = "N", default_value_t = 56)]
        edges: usize,
        /// Layers of the barrel
        #[arg(long, value_name = "N", default_value_t = 7)]
        layers: usize,
        #[command(flatten)]
        common: Common,
    },
    /// The hardest particles of gluon, quark, W, Z and top jets
    Jets {
        /// Particles of a jet
        #[arg(long, value_name = "N", default_value_t = 8)]
        particles: usize,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Seed of the events
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The new file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Runs the command.
pub fn run(args: &EventsArgs) -> Result<()> {
    let (events, common): (Vec<Event>, _) = match &args.kind {
        Kind::Tracking { nodes, edges, layers, common } => {
            let barrel = Barrel::new(*nodes, *edges, *layers).map_err(Failure::user)?;
            let event = |random: &mut _| Event::Tracks(barrel.event(random));
            (common.many(event), common)
        }
        Kind::Jets { particles, common } => {
            limited("particles", *particles).map_err(Failure::user)?;
            let event = |random: &mut _| Event::Jet(jets::jet(*particles, random));
            (common.many(event), common)
        }
    };
    write_new(&common.out, print(&events).as_bytes())?;
    super::say(format!("{} events in {}\n", events.len(), common.out.display()))
}

impl Common {
    fn many(&self, mut event: impl FnMut(&mut fastrand::Rng) -> Event) -> Vec<Event> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        (0..self.count).map(|_| event(&mut random)).collect()
    }
}
