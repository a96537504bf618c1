//! A batch of faults, cycle by cycle: only what differs from the run without faults is evaluated.

use super::super::circuit::Action;
use super::super::program::known;
use super::golden::{Element, Golden};
use super::{Effect, LANES, Lanes, NO_LANES, Strike, Verdict, WORDS, broadcast};

/// Most inputs of a gate.
const INPUTS: usize = 6;

/// What is done to a net: first stuck lanes, then inverted ones.
#[derive(Debug, Clone, Copy)]
struct Force {
    net: u32,
    zero: Lanes,
    one: Lanes,
    flip: Lanes,
}

/// What a register holds at the beginning of the next cycle, and in which lanes that is not what it holds without faults.
#[derive(Debug, Clone, Copy)]
struct Held {
    net: u32,
    plane: Lanes,
    difference: Lanes,
}

/// Simulates batches of faults.
#[derive(Debug)]
pub struct Injector<'g> {
    golden: &'g Golden<'g>,
    /// What a net is in each lane, where that `differs` from the run without faults.
    planes: Vec<Lanes>,
    differs: Vec<u64>,
    /// The nets that differ in the present cycle.
    changed: Vec<u32>,
    /// Gates to be evaluated in the present cycle, a bit each.
    pending: Vec<u64>,
    /// Registers that load a net that differs.
    loads: Vec<u32>,
    is_loading: Vec<bool>,
    forces: Vec<Force>,
    /// Of each net, its force, or [`u32::MAX`].
    force_of: Vec<u32>,
    scratch: Vec<Lanes>,
    verdicts: Vec<Verdict>,
}

impl<'g> Injector<'g> {
    /// Room for one batch at a time.
    pub fn new(golden: &'g Golden<'g>) -> Self {
        let (nets, nodes) = (golden.nets(), golden.circuit.nodes.len());
        Self {
            golden,
            planes: vec![NO_LANES; nets],
            differs: vec![0; nets.div_ceil(64)],
            changed: Vec::new(),
            pending: vec![0; nodes.div_ceil(64)],
            loads: Vec::new(),
            is_loading: vec![false; nodes],
            forces: Vec::new(),
            force_of: vec![u32::MAX; nets],
            scratch: known(),
            verdicts: Vec::new(),
        }
    }

    /// What comes of `strikes`, of which those of a lane belong to one fault; the verdicts of the first `lanes` lanes.
    ///
    /// Each strike lies in a cycle in which samples stream. The simulation goes on for `follow` cycles after the last
    /// strike, or until nothing differs any more, or until the stimulus ends. With `first_error` it also ends when every
    /// lane was wrong once; then verdicts say whether a lane was wrong, but neither how often nor how much.
    pub fn run(&mut self, strikes: &mut [Strike], lanes: usize, follow: u32, first_error: bool) -> Vec<Verdict> {
        strikes.sort_by_key(|strike| strike.cycle);
        self.verdicts.clear();
        self.verdicts.resize(lanes, Verdict::default());
        let (Some(first), Some(last)) = (strikes.first(), strikes.last()) else {
            return std::mem::take(&mut self.verdicts);
        };
        let end = self.golden.end.min(last.cycle.saturating_add(follow).saturating_add(1));
        let mut cycle = first.cycle;
        let mut open = &*strikes;
        let mut held: Vec<Held> = Vec::new();
        while cycle < end {
            held.drain(..).for_each(|held| self.mark(held.net, held.plane, cycle));
            let now = open.partition_point(|strike| strike.cycle <= cycle);
            open[..now].iter().for_each(|strike| self.force(strike));
            open = &open[now..];
            self.start_forced(cycle);
            self.settle(cycle);
            self.compare(cycle);
            self.load(&mut held, cycle);
            self.clear();
            cycle += 1;
            if first_error && self.verdicts.iter().all(|verdict| verdict.wrong > 0) {
                held.clear();
                break;
            }
            if held.is_empty() && self.forces.is_empty() {
                match open.first() {
                    Some(strike) => cycle = strike.cycle,
                    None => break,
                }
            }
        }
        self.note_latent(&held);
        if first_error {
            self.verdicts.iter_mut().for_each(|verdict| {
                verdict.wrong = verdict.wrong.min(1);
                verdict.error = 0;
            });
        }
        self.forces.drain(..).for_each(|force| self.force_of[force.net as usize] = u32::MAX);
        std::mem::take(&mut self.verdicts)
    }

    fn force(&mut self, strike: &Strike) {
        let slot = &mut self.force_of[strike.net as usize];
        if *slot == u32::MAX {
            *slot = self.forces.len() as u32;
            self.forces.push(Force { net: strike.net, zero: NO_LANES, one: NO_LANES, flip: NO_LANES });
        }
        let force = &mut self.forces[*slot as usize];
        let plane = match strike.effect {
            Effect::Flip => &mut force.flip,
            Effect::Stuck(false) => &mut force.zero,
            Effect::Stuck(true) => &mut force.one,
        };
        // two upsets of a bit at once leave it as it was
        plane[strike.lane as usize / 64] ^= 1 << (strike.lane % 64);
    }

    /// Has forced gates evaluated, and forces nets that no gate drives.
    fn start_forced(&mut self, cycle: u32) {
        for k in 0..self.forces.len() {
            let net = self.forces[k].net;
            match self.golden.driver[net as usize] {
                u32::MAX => {
                    let level = self.level(net, cycle);
                    self.mark(net, self.forces[k].apply(level), cycle);
                }
                gate => self.pending[gate as usize / 64] |= 1 << (gate % 64),
            }
        }
    }

    /// Whether a net is not as without faults, or may be.
    #[inline]
    fn differs(&self, net: u32) -> bool {
        self.differs[net as usize / 64] >> (net % 64) & 1 == 1
    }

    /// What a net is in the lanes.
    #[inline]
    fn level(&self, net: u32, cycle: u32) -> Lanes {
        match self.differs(net) {
            true => self.planes[net as usize],
            false => broadcast(self.golden.level(net, cycle)),
        }
    }

    /// Gives a net its levels. If they differ from those without faults, then what reads it is evaluated too.
    #[inline]
    fn mark(&mut self, net: u32, plane: Lanes, cycle: u32) {
        let n = net as usize;
        let was_marked = self.differs(net);
        if !was_marked && plane == broadcast(self.golden.level(net, cycle)) {
            return;
        }
        self.planes[n] = plane;
        if was_marked {
            return;
        }
        self.differs[n / 64] |= 1 << (n % 64);
        self.changed.push(net);
        for gate in self.golden.gates.at(net) {
            self.pending[*gate as usize / 64] |= 1 << (gate % 64);
        }
        for register in self.golden.registers.at(net) {
            if !std::mem::replace(&mut self.is_loading[*register as usize], true) {
                self.loads.push(*register);
            }
        }
    }

    /// Evaluates the gates that are pending, in their order: what a gate drives only makes later ones pending.
    fn settle(&mut self, cycle: u32) {
        for word in 0..self.pending.len() {
            while self.pending[word] != 0 {
                let bit = self.pending[word].trailing_zeros();
                self.pending[word] &= !(1 << bit);
                self.evaluate(word * 64 + bit as usize, cycle);
            }
        }
    }

    #[inline]
    fn evaluate(&mut self, place: usize, cycle: u32) {
        let circuit = self.golden.circuit;
        let node = &circuit.nodes[place];
        let Action::Gate(program) = node.action else { unreachable!("only gates are pending") };
        let mut inputs = [NO_LANES; INPUTS];
        for (plane, net) in inputs.iter_mut().zip(circuit.inputs_of(node)) {
            *plane = self.level(*net, cycle);
        }
        let mut plane = circuit.programs.run_known(program, &inputs, &mut self.scratch);
        let force = self.force_of[node.output as usize];
        if force != u32::MAX {
            plane = self.forces[force as usize].apply(plane);
        }
        self.mark(node.output, plane, cycle);
    }

    /// Takes what the registers will hold that load something else than without faults.
    fn load(&mut self, held: &mut Vec<Held>, cycle: u32) {
        let circuit = self.golden.circuit;
        for k in 0..self.loads.len() {
            let register = self.loads[k] as usize;
            self.is_loading[register] = false;
            let node = &circuit.nodes[register];
            let loaded = circuit.inputs_of(node)[0];
            let difference = self.difference(loaded, cycle);
            if difference != NO_LANES {
                held.push(Held { net: node.output, plane: self.planes[loaded as usize], difference });
            }
        }
        self.loads.clear();
    }

    /// Ends the cycle: nothing differs, and what was inverted for a cycle no longer is.
    fn clear(&mut self) {
        self.changed.drain(..).for_each(|net| self.differs[net as usize / 64] = 0);
        let force_of = &mut self.force_of;
        self.forces.retain_mut(|force| {
            force.flip = NO_LANES;
            force_of[force.net as usize] = u32::MAX;
            force.zero != NO_LANES || force.one != NO_LANES
        });
        for (k, force) in (0..).zip(&self.forces) {
            force_of[force.net as usize] = k;
        }
    }

    fn compare(&mut self, cycle: u32) {
        let mut verdicts = std::mem::take(&mut self.verdicts);
        let mut wrong = NO_LANES;
        for port in &self.golden.expected[cycle as usize] {
            for element in &self.golden.ports[*port as usize] {
                self.compare_element(element, cycle, &mut wrong, &mut verdicts);
            }
        }
        each(&wrong, |lane| {
            if let Some(verdict) = verdicts.get_mut(lane) {
                verdict.wrong += 1;
            }
        });
        for net in self.golden.detecting.iter().filter(|net| self.differs(**net)) {
            each(&self.difference(*net, cycle), |lane| {
                if let Some(verdict) = verdicts.get_mut(lane) {
                    verdict.detected = true;
                }
            });
        }
        self.verdicts = verdicts;
    }

    /// The lanes in which a net that differs does so.
    fn difference(&self, net: u32, cycle: u32) -> Lanes {
        let golden = broadcast(self.golden.level(net, cycle));
        std::array::from_fn(|w| self.planes[net as usize][w] ^ golden[w])
    }

    fn compare_element(&self, element: &Element, cycle: u32, wrong: &mut Lanes, verdicts: &mut [Verdict]) {
        if !element.nets.iter().any(|net| self.differs(*net)) {
            return;
        }
        let mut off = [0i128; LANES];
        let mut lanes = NO_LANES;
        for (bit, net) in element.nets.iter().enumerate().filter(|(_, net)| self.differs(**net)) {
            let difference = self.difference(*net, cycle);
            let falls = self.golden.level(*net, cycle);
            let counts_down = falls != (element.signed && bit + 1 == element.nets.len());
            let weight = if counts_down { -(1i128 << bit) } else { 1 << bit };
            each(&difference, |lane| off[lane] += weight);
            (0..WORDS).for_each(|w| lanes[w] |= difference[w]);
        }
        each(&lanes, |lane| {
            if let Some(verdict) = verdicts.get_mut(lane) {
                let error = u64::try_from(off[lane].unsigned_abs()).unwrap_or(u64::MAX);
                verdict.error = verdict.error.saturating_add(error);
            }
        });
        (0..WORDS).for_each(|w| wrong[w] |= lanes[w]);
    }

    /// Notes the lanes in which a register still holds something else.
    fn note_latent(&mut self, held: &[Held]) {
        for held in held {
            each(&held.difference, |lane| {
                if let Some(verdict) = self.verdicts.get_mut(lane) {
                    verdict.latent = true;
                }
            });
        }
    }
}

impl Force {
    fn apply(&self, plane: Lanes) -> Lanes {
        std::array::from_fn(|w| ((plane[w] & !self.zero[w]) | self.one[w]) ^ self.flip[w])
    }
}

/// Calls `visit` with each lane that is marked.
fn each(plane: &Lanes, mut visit: impl FnMut(usize)) {
    for (w, word) in plane.iter().enumerate() {
        let mut rest = *word;
        while rest != 0 {
            visit(w * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
}
