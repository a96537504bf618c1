//! The proof, number by number and layer by layer.

mod sums;

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::cone::{self, Candidates, WORDS};
use crate::deadline::Deadline;
use crate::flatten::Flat;
use crate::frame::{Constants, Frame, Known, Support, planes};
use crate::graph::{Gate, Lit};
use crate::lanes::Lanes;
use crate::linear::{Pairs, pairs};
use crate::matching::Index;
use crate::scaled;
use crate::search::situations;
use crate::spec::{Id, Op, Spec, width};

/// A layer of which every number was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Its name.
    pub layer: String,
    /// How many numbers.
    pub numbers: usize,
    /// How.
    pub method: &'static str,
}

/// A number, or something of the whole design, that was not proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    /// Name of the layer, and the element of its result; none if it is no number.
    pub place: Option<(String, u32)>,
    /// Why not.
    pub reason: String,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// By layer.
    pub proved: Vec<Proved>,
    /// Everything is proved if there is none.
    pub unproved: Vec<Unproved>,
    /// Whether something was left because the time was over.
    pub is_cut_short: bool,
}

/// Proves `flat` to be `spec`, as far as it comes until `deadline`.
pub fn prove(flat: &Flat, spec: &Spec, deadline: Deadline) -> Findings {
    let mut prover = match Prover::new(flat, spec, deadline) {
        Ok(prover) => prover,
        Err(reason) => {
            return Findings { unproved: vec![Unproved { place: None, reason }], ..Findings::default() };
        }
    };
    prover.timing();
    let mut begin = 0;
    while begin < spec.numbers.len() && !deadline.is_over() {
        let layer = spec.numbers[begin].layer;
        let count = spec.numbers[begin..].iter().take_while(|n| n.layer == layer).count();
        prover.layer(begin..begin + count);
        begin += count;
    }
    prover.outputs();
    let mut findings = prover.findings;
    findings.is_cut_short = !findings.unproved.is_empty() && deadline.is_over();
    findings
}

/// Literals that are a number's bits, and such that are always 0.
struct Proof {
    bits: Vec<Vec<Lit>>,
    zeros: Vec<Lit>,
}

impl From<(Vec<Vec<Lit>>, Vec<Lit>)> for Proof {
    fn from((bits, zeros): (Vec<Vec<Lit>>, Vec<Lit>)) -> Self {
        Self { bits, zeros }
    }
}

struct Prover<'a> {
    flat: &'a Flat,
    spec: &'a Spec,
    pairs: Pairs,
    known: Vec<Option<Known>>,
    /// Which numbers an output depends on.
    needed: Vec<bool>,
    /// What has been proved never to turn.
    constants: Constants,
    reasons: FxHashMap<Id, String>,
    /// Bits of output ports, by the number that they carry.
    ports: BTreeMap<Id, Vec<Lit>>,
    values: Vec<Vec<i64>>,
    lanes: Lanes,
    fixed: Vec<bool>,
    scratch: Lanes,
    findings: Findings,
    deadline: Deadline,
}

impl<'a> Prover<'a> {
    fn new(flat: &'a Flat, spec: &'a Spec, deadline: Deadline) -> Result<Self, String> {
        let mut prover = Self {
            flat,
            spec,
            pairs: pairs(&flat.graph),
            known: vec![None; spec.numbers.len()],
            needed: spec.needed(),
            constants: Constants::default(),
            reasons: FxHashMap::default(),
            ports: BTreeMap::new(),
            values: vec![vec![0; WORDS * 64]; spec.numbers.len()],
            lanes: Lanes::new(flat.graph.len(), WORDS),
            fixed: vec![false; flat.graph.len()],
            scratch: Lanes::new(flat.graph.len(), WORDS),
            findings: Findings::default(),
            deadline,
        };
        for port in &spec.inputs {
            let found = flat.inputs.iter().find(|p| p.name == port.name);
            let found = found.ok_or_else(|| format!("the Verilog has no input port `{}`", port.name))?;
            for element in &port.elements {
                let bits = found.bits.get(element.low as usize..(element.low + element.width) as usize);
                let bits = bits.ok_or_else(|| format!("input port `{}` is too narrow", port.name))?;
                let range = spec.numbers[element.number].range;
                let own = bits.iter().take(width(range).0 as usize);
                prover.known[element.number] = Some(Known::new(own.map(|b| vec![b.lit]), range, &mut prover.constants));
            }
        }
        for port in &spec.outputs {
            let found = flat.outputs.iter().find(|p| p.name == port.name);
            let found = found.ok_or_else(|| format!("the Verilog has no output port `{}`", port.name))?;
            for element in &port.elements {
                let bits = found.bits.get(element.low as usize..(element.low + element.width) as usize);
                let bits = bits.ok_or_else(|| format!("output port `{}` is too narrow", port.name))?;
                prover.ports.entry(element.number).or_insert_with(|| bits.iter().map(|b| b.lit).collect());
            }
        }
        let inputs: Vec<Id> = spec.inputs.iter().flat_map(|p| p.elements.iter().map(|e| e.number)).collect();
        prover.randomise(&inputs, 1);
        Ok(prover)
    }

    fn open(&mut self, reason: String) {
        self.findings.unproved.push(Unproved { place: None, reason });
    }

    /// Latency and initiation interval: nothing but plain registers, and as many on every way.
    fn timing(&mut self) {
        for port in &self.flat.outputs {
            if !self.spec.outputs.iter().any(|p| p.name == port.name) {
                self.open(format!("output port `{}` is not in the model", port.name));
            }
            let wrong = port.bits.iter().filter_map(|b| b.time).find(|t| *t != self.spec.latency);
            if let Some(time) = wrong {
                let wanted = self.spec.latency;
                self.open(format!("output port `{}` comes {time} cycles after its inputs, not {wanted}", port.name));
            }
        }
        for state in &self.flat.states {
            self.findings
                .unproved
                .push(Unproved { place: None, reason: format!("{state} is no plain pipeline register") });
        }
        for mixed in &self.flat.mixed {
            self.findings.unproved.push(Unproved { place: None, reason: mixed.clone() });
        }
    }

    /// New values for numbers that are known, and what follows from them on both sides.
    fn randomise(&mut self, numbers: &[Id], seed: u64) {
        let drawn = situations(self.spec, numbers, WORDS * 64, seed);
        let mut taken: FxHashMap<usize, Id> = FxHashMap::default();
        for (&id, values) in numbers.iter().zip(drawn) {
            let Some(known) = &self.known[id] else { continue };
            let bits = known.bits.iter().enumerate().map(|(k, l)| (*l, k));
            let bits: Vec<(Lit, usize)> = bits.chain(known.aliases.iter().copied()).collect();
            // numbers that share bits with others, or have constant ones, keep what they are
            if bits.iter().any(|(l, _)| l.is_constant() || taken.contains_key(&l.node())) {
                continue;
            }
            let rows = planes(known.bits.len(), WORDS * 64, |lane| values[lane]);
            for (l, k) in bits {
                let flip = if l.is_complement() { u64::MAX } else { 0 };
                let row: Vec<u64> = rows[k].iter().map(|word| word ^ flip).collect();
                self.lanes.set(l.node(), &row);
                self.fixed[l.node()] = true;
                taken.insert(l.node(), id);
            }
        }
        let fixed = &self.fixed;
        self.lanes.evaluate_all(&self.flat.graph, |n| fixed[n]);
        let mut column = vec![0i64; self.spec.numbers.len()];
        for lane in 0..WORDS * 64 {
            for id in 0..self.spec.numbers.len() {
                column[id] = match &self.known[id] {
                    Some(known) => self.lanes.value(&known.bits, known.is_signed(), lane),
                    None => self.spec.value(id, &column),
                };
                self.values[id][lane] = column[id];
            }
        }
    }

    /// Finds and proves the numbers of a layer.
    fn layer(&mut self, ids: std::ops::Range<Id>) {
        let index = Index::new(&self.flat.graph, &self.lanes);
        let sums = ids.clone().filter(|id| self.needed[*id] && matches!(self.spec.numbers[*id].op, Op::Sum { .. }));
        let mut results: Vec<(Id, Result<Proof, String>)> = Vec::new();
        let sums: Vec<Id> = sums.collect();
        if !sums.is_empty() {
            results = self.sums(&sums, &index, false);
            // sums of sums are tried as one where what lies between them is not found
            let of_sums = |id: &Id| self.spec.numbers[*id].op.operands().iter().any(|x| self.is_sum(*x));
            let failed = results.iter().filter(|(_, result)| result.is_err()).map(|(id, _)| *id);
            let again: Vec<Id> = failed.filter(of_sums).collect();
            if !again.is_empty() {
                let found = self.sums(&again, &index, true);
                results.retain(|(id, _)| !again.contains(id));
                results.extend(found);
            }
        }
        for (id, result) in results {
            self.settle(id, result);
        }
        let still = self.still(&ids.clone().collect::<Vec<_>>());
        let mut method = if sums.is_empty() { "" } else { "identity of integers" };
        let needed: Vec<Id> = ids.clone().filter(|id| self.needed[*id]).collect();
        for id in needed {
            let result = match &self.spec.numbers[id].op {
                Op::Input | Op::Constant(_) | Op::Sum { .. } => continue,
                Op::Map { .. } => {
                    method = "every value of one number";
                    self.map(id, &index, &still)
                }
                Op::Scaled { .. } => {
                    method = "every place of the leading one";
                    self.scaled(id, &index)
                }
                Op::Join { .. } => {
                    method = "every pair of values";
                    self.join(id, &index)
                }
            };
            self.settle(id, result);
        }
        let computed: Vec<Id> = ids.filter(|id| self.is_computed(*id)).collect();
        if computed.is_empty() {
            return;
        }
        let layer = self.spec.layers[self.spec.numbers[computed[0]].layer as usize].clone();
        if computed.iter().all(|id| self.known[*id].is_some()) {
            self.findings.proved.push(Proved { layer, numbers: computed.len(), method });
            let fresh: Vec<Id> =
                computed.into_iter().filter(|id| !matches!(self.spec.numbers[*id].op, Op::Sum { .. })).collect();
            if !fresh.is_empty() {
                self.randomise(&fresh, fresh[0] as u64);
            }
        }
    }

    fn is_computed(&self, id: Id) -> bool {
        self.needed[id] && !matches!(self.spec.numbers[id].op, Op::Input | Op::Constant(_))
    }

    fn settle(&mut self, id: Id, result: Result<Proof, String>) {
        match result {
            Ok(Proof { bits, zeros }) => {
                self.constants.extend(zeros.into_iter().map(|l| (l.node(), l.is_complement())));
                self.known[id] = Some(Known::new(bits, self.spec.numbers[id].range, &mut self.constants));
            }
            Err(reason) => {
                self.reasons.insert(id, reason);
            }
        }
    }

    /// The candidates for each bit of a number: those of its port, or those that are like it.
    fn candidates(&self, id: Id, index: &Index) -> Result<Vec<Vec<Lit>>, String> {
        let bits = width(self.spec.numbers[id].range).0 as usize;
        if let Some(port) = self.ports.get(&id) {
            return Ok(port.iter().map(|l| vec![*l]).collect());
        }
        let rows = planes(bits, WORDS * 64, |lane| self.values[id][lane]);
        let found: Vec<Vec<Lit>> =
            rows.iter().map(|row| index.candidates(&self.flat.graph, &self.lanes, row)).collect();
        match found.iter().position(Vec::is_empty) {
            Some(k) => Err(format!("nothing in the Verilog is like its bit {k}")),
            None => Ok(found),
        }
    }

    /// Gates that never turned, by the number that they are a function of, of those that the functions `ids` are of.
    fn still(&self, ids: &[Id]) -> FxHashMap<Id, Vec<Lit>> {
        let operand = |id: &Id| match &self.spec.numbers[*id].op {
            Op::Map { x, .. } => self.known[*x].as_ref().map(|known| (*x, known)),
            _ => None,
        };
        let words: BTreeMap<Id, &Known> = ids.iter().filter_map(operand).collect();
        let places: Vec<Id> = words.keys().copied().collect();
        let mut still: FxHashMap<Id, Vec<Lit>> = FxHashMap::default();
        let graph = &self.flat.graph;
        let Ok(supports) = Frame::supports_of(graph, words.into_values().collect(), &self.constants) else {
            return still;
        };
        for (n, support) in supports.into_iter().enumerate() {
            if let Support::One(w) = support
                && !self.constants.contains_key(&n)
                && !matches!(graph.gate(n), Gate::Bit(..))
            {
                let row = self.lanes.row(n);
                if row.iter().all(|word| *word == row[0]) && [0, u64::MAX].contains(&row[0]) {
                    still.entry(places[w as usize]).or_default().push(Lit::of(n, row[0] != 0));
                }
            }
        }
        still
    }

    fn map(&mut self, id: Id, index: &Index, still: &FxHashMap<Id, Vec<Lit>>) -> Result<Proof, String> {
        self.deadline.check()?;
        let candidates = self.candidates(id, index)?;
        // functions of functions are tried as one where what lies between them is not found
        let mut chain = vec![id];
        let mut reason = String::from("what it is a function of is not proved");
        loop {
            let Op::Map { x, .. } = &self.spec.numbers[*chain.last().expect("it begins with one")].op else {
                return Err(reason);
            };
            if let Some(known) = &self.known[*x] {
                let apply = |v: &[i64]| {
                    chain.iter().rev().fold(v[0], |v, id| match &self.spec.numbers[*id].op {
                        Op::Map { function, .. } => function(v),
                        _ => v,
                    })
                };
                let zeros = still.get(x).map_or(&[][..], Vec::as_slice);
                let candidates =
                    Candidates { bits: &candidates, zeros, constants: &self.constants, deadline: self.deadline };
                match cone::map(&self.flat.graph, &[known], &apply, &candidates, &mut self.scratch) {
                    Ok(proof) => return Ok(proof.into()),
                    Err(why) => reason = why,
                }
            } else if let Some(why) = self.reasons.get(x) {
                reason = format!("{} is not proved: {why}", self.spec.name(*x));
            }
            chain.push(*x);
        }
    }

    fn join(&mut self, id: Id, index: &Index) -> Result<Proof, String> {
        let candidates = self.candidates(id, index)?;
        let Op::Join { x, y, function } = &self.spec.numbers[id].op else {
            return Err("it is no function of two".into());
        };
        let (all, spec) = (&self.known, self.spec);
        let known = |x: &Id| all[*x].as_ref().ok_or_else(|| format!("{} is not proved", spec.name(*x)));
        let (a, b) = (known(x)?, known(y)?);
        let apply = |v: &[i64]| function(v[0], v[1]);
        let candidates =
            Candidates { bits: &candidates, zeros: &[], constants: &self.constants, deadline: self.deadline };
        let right = cone::map(&self.flat.graph, &[a, b], &apply, &candidates, &mut self.scratch)?;
        Ok(right.into())
    }

    fn scaled(&mut self, id: Id, index: &Index) -> Result<Proof, String> {
        self.deadline.check()?;
        let Op::Scaled { x, sum, cases } = &self.spec.numbers[id].op else {
            return Err("it is not scaled".into());
        };
        let known = |x: &Id| self.known[*x].as_ref().ok_or_else(|| format!("{} is not proved", self.spec.name(*x)));
        let (operand, total) = (x.as_ref().map(known).transpose()?, known(sum)?);
        let is_part = match (&self.spec.numbers[*sum].op, x) {
            (Op::Sum { terms, bias, cut: 0 }, Some(x)) => {
                *bias >= 0
                    && terms.contains(&(*x, 1))
                    && terms.iter().all(|(x, weight)| *weight >= 0 && self.spec.numbers[*x].range.0 >= 0)
            }
            (_, None) => total.range.0 >= 0,
            _ => false,
        };
        if !is_part {
            return Err("it is no part of the sum that scales it".into());
        }
        let bits = scaled::check(&self.flat.graph, operand, total, cases, &self.candidates(id, index)?)?;
        Ok(Proof { bits, zeros: Vec::new() })
    }

    /// Numbers that are not proved and that an output which is not proved depends on. What was not found, but was not
    /// needed to prove what follows from it, is none of them.
    fn open_numbers(&self) -> Vec<bool> {
        let mut open = vec![false; self.spec.numbers.len()];
        for element in self.spec.outputs.iter().flat_map(|p| &p.elements) {
            open[element.number] = true;
        }
        for id in (0..open.len()).rev() {
            open[id] &= self.known[id].is_none();
            if open[id] {
                self.spec.numbers[id].op.operands().into_iter().for_each(|x| open[x] = true);
            }
        }
        open
    }

    /// Every output port carries the numbers that it should.
    fn outputs(&mut self) {
        for element in self.spec.outputs.iter().flat_map(|p| &p.elements) {
            let number = element.number;
            if self.known[number].is_none() && !matches!(self.spec.numbers[number].op, Op::Constant(_)) {
                self.reasons.entry(number).or_insert_with(|| "the proof did not come to it".into());
            }
        }
        let open = self.open_numbers();
        let mut reasons: Vec<(Id, String)> = self.reasons.drain().filter(|(id, _)| open[*id]).collect();
        reasons.sort_unstable();
        for port in &self.spec.outputs {
            let found = self.flat.outputs.iter().find(|p| p.name == port.name).expect("ports are checked first");
            for element in &port.elements {
                let number = &self.spec.numbers[element.number];
                let bits = &found.bits[element.low as usize..(element.low + element.width) as usize];
                let wanted: Vec<Lit> = match (&self.known[element.number], &number.op) {
                    (Some(known), _) => {
                        let top = if known.is_signed() { known.bits.last().copied() } else { None };
                        let above = std::iter::repeat(top.unwrap_or(Lit::FALSE));
                        known.bits.iter().copied().chain(above).take(element.width as usize).collect()
                    }
                    (None, Op::Constant(value)) => {
                        (0..element.width).map(|k| Lit::of(0, value >> k.min(63) & 1 == 1)).collect()
                    }
                    // it is among the reasons
                    (None, _) => continue,
                };
                let narrow = element.width < width(number.range).0;
                let carries = |(bit, wanted): (&crate::flatten::Bit, &Lit)| bit.lit == *wanted;
                let proved = self.ports.get(&element.number).is_some_and(|own| {
                    self.known[element.number].is_some()
                        && own.len() == bits.len()
                        && own.iter().zip(bits).all(|(a, b)| *a == b.lit)
                });
                if narrow || !(proved || bits.iter().zip(&wanted).all(carries)) {
                    let reason = format!("port `{}` does not carry it", port.name);
                    reasons.push((element.number, reason));
                }
            }
        }
        for (id, reason) in reasons {
            let number = &self.spec.numbers[id];
            let place = Some((self.spec.layers[number.layer as usize].clone(), number.element));
            self.findings.unproved.push(Unproved { place, reason });
        }
    }
}
