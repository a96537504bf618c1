//! Fault campaigns: what upsets, transients and stuck-ats do to a design's outputs on its events.

mod bits;
mod campaign;
mod report;
mod state;
mod tally;
mod target;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::Path;

use hdl::diag::Diagnostic;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use sim::gates::faults::{Golden, Injector, Verdict};
use sim::gates::{Stimulus, Watch, check};

pub use self::campaign::{Campaign, Plan};
pub use self::report::{Pulse, Report};
use self::state::State;
pub use self::tally::{Counts, Share, Tally};
pub use self::target::{Given, Place, Subject};
use super::Folder;
use super::batch::first;
use super::vectors::Source;
use crate::failure::{Failure, Result};

/// Batches between two looks at the clock.
const CHUNK: u64 = 128;
/// Cycles beyond the latency in which a fault may still do harm: in a store, it stays.
const BEYOND: u32 = 32;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The design.
    pub folder: &'a Folder,
    /// A netlist of it, if that is what is struck.
    pub netlist: Option<Given<'a>>,
    /// The faults.
    pub campaign: Campaign,
    /// The events.
    pub source: Source<'a>,
    /// No more than so many of them.
    pub events: Option<usize>,
    /// The cycles in which faults strike, counted from that in which the first event comes in; all, if none are given.
    pub cycles: Option<[u32; 2]>,
    /// As many faults are drawn if there are more.
    pub injections: Option<u64>,
    /// Of what is drawn.
    pub seed: u64,
    /// Cycles after a fault in which outputs are looked at; a little more than the latency, if none are given.
    pub follow: Option<u32>,
    /// Output ports that report faults.
    pub detect: &'a [String],
    /// File of the progress.
    pub state: Option<&'a Path>,
    /// How long a transient is.
    pub pulse: Option<Pulse>,
}

impl Job<'_> {
    /// Runs the campaign, or what is left of it.
    ///
    /// # Errors
    /// Files that cannot be read, a netlist that does not compute what the model says, faults that the design cannot have.
    pub fn run(&self) -> Result<Report> {
        self.run_until(u64::MAX)
    }

    /// The same for no more batches than that; what is reported is of those only.
    fn run_until(&self, batches: u64) -> Result<Report> {
        if self.campaign.strikes_nets() && self.netlist.is_none() {
            let error = Diagnostic::error("campaign", format!("`{}` strikes the nets of a netlist", self.campaign));
            return Err(Failure::user(error.help("give one with --netlist, such as `hwgen synth` writes")));
        }
        let subject = match &self.netlist {
            None => Subject::of_folder(self.folder)?,
            Some(given) => Subject::of_netlist(given, self.folder)?,
        };
        let stimulus = self.stimulus()?;
        self.check(&subject, &stimulus)?;
        let places = if self.campaign.strikes_nets() { subject.nets() } else { subject.registers() };
        let least = if self.campaign == Campaign::Double { 2 } else { 1 };
        if places.len() < least {
            let message = format!("the design has {} register bits, the campaign strikes {least}", places.len());
            return Err(Failure::user(Diagnostic::error("campaign", message)));
        }
        let latency = (stimulus.streaming.len() - stimulus.samples) as u32;
        let cycles = self.window(&stimulus, latency)?;
        let follow = self.follow.unwrap_or(latency + BEYOND);
        let nets = places.iter().map(|place| place.net).collect();
        let plan = Plan::new(self.campaign, nets, cycles.clone(), self.injections, self.seed);
        let key = self.key(&subject, &stimulus, &places, (&cycles, follow));
        let golden = Golden::new(&subject.circuit, &self.folder.top, &stimulus, self.detect)?;
        let state = State::open(self.state, key, places.len())?;
        let tally = self.inject((&plan, batches), &golden, follow, state)?;
        let begin = stimulus.streaming.start as u32;
        let cycles = [cycles.start - begin, cycles.end - begin];
        Ok(Report::new(self, &plan, places, tally, (cycles, stimulus.samples)))
    }

    fn stimulus(&self) -> Result<Stimulus> {
        let all = self.folder.vectors(&self.source)?;
        let vectors = self.events.map_or_else(|| all.clone(), |count| first(&all, count));
        let preamble = self.folder.design.model().preamble().map_err(Failure::user)?;
        Ok(Stimulus::new(&self.folder.top, &vectors, preamble.as_ref())?)
    }

    /// An error unless the ports that report faults are there, and the outputs are right without faults.
    fn check(&self, subject: &Subject, stimulus: &Stimulus) -> Result<()> {
        let top = &self.folder.top;
        if let Some(unknown) = self.detect.iter().find(|name| top.outputs.iter().all(|port| port.name != **name)) {
            let ports: Vec<&str> = top.outputs.iter().map(|port| port.name.as_str()).collect();
            let error = Diagnostic::error("detect", format!("the design has no output port `{unknown}`"));
            return Err(Failure::user(error.help(format!("it has {}", ports.join(", ")))));
        }
        let outcome = check(&subject.circuit, top, stimulus, Watch::default()).map_err(Failure::Check)?;
        match outcome.shown.first() {
            None => Ok(()),
            Some(first) => {
                let message = format!("without faults it does not compute what its model says: {first}");
                Err(Failure::check(Diagnostic::error("mismatch", message)))
            }
        }
    }

    /// The cycles in which every stage of the pipeline holds an event, or those of them that are asked for.
    fn window(&self, stimulus: &Stimulus, latency: u32) -> Result<Range<u32>> {
        let (begin, samples) = (stimulus.streaming.start as u32, stimulus.samples as u32);
        if self.campaign == Campaign::Stuck {
            return Ok(begin..begin + samples);
        }
        if samples <= latency {
            let message = format!("{samples} events do not fill a pipeline of latency {latency}");
            let error = Diagnostic::error("events", message);
            return Err(Failure::user(error.help(format!("give more than {latency} events"))));
        }
        let [from, to] = self.cycles.unwrap_or([latency, samples]);
        if from < latency || to > samples || from >= to {
            let message = format!("faults strike in some of the cycles {latency}..{samples}, not in {from}..{to}");
            let error = Diagnostic::error("cycles", message);
            return Err(Failure::user(error.help("before, the pipeline is not full, and afterwards no events follow")));
        }
        Ok(begin + from..begin + to)
    }

    /// Simulates the batches that are left of the first so many.
    fn inject(
        &self,
        (plan, batches): (&Plan, u64),
        golden: &Golden<'_>,
        follow: u32,
        mut state: State<'_>,
    ) -> Result<Tally> {
        let first_error = self.campaign == Campaign::Stuck;
        let follow = if first_error { u32::MAX } else { follow };
        let simulate = |injector: &mut Injector<'_>, k: u64| -> Vec<(Vec<u32>, Verdict)> {
            let mut batch = plan.batch(k);
            let verdicts = injector.run(&mut batch.strikes, batch.places.len(), follow, first_error);
            batch.places.into_iter().zip(verdicts).collect()
        };
        let batches = batches.min(plan.batches());
        while state.next() < batches {
            let end = batches.min(state.next() + CHUNK);
            let chunk = (state.next()..end).into_par_iter();
            let found: Vec<_> = chunk.map_init(|| Injector::new(golden), |injector, k| simulate(injector, k)).collect();
            let tally = state.tally();
            found.iter().flatten().for_each(|(places, verdict)| tally.add(places, verdict));
            state.advance(end)?;
        }
        state.finish()
    }

    /// What distinguishes the campaign from every other.
    fn key(&self, subject: &Subject, stimulus: &Stimulus, places: &[Place], rest: (&Range<u32>, u32)) -> String {
        let mut sum = Sha256::new();
        sum.update(&subject.text);
        for (port, waves) in &stimulus.inputs {
            sum.update(format!("{port} {waves:?}"));
        }
        places.iter().for_each(|place| sum.update(format!("{}\n", place.name)));
        sum.update(format!("{} {:?} {} {:?} {rest:?}", self.campaign, self.injections, self.seed, self.detect));
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
