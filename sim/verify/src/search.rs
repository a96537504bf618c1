//! Situations that are worth trying, and inputs that show a difference.

use crate::deadline::Deadline;
use crate::flatten::Flat;
use crate::frame::planes;
use crate::lanes::Lanes;
use crate::rare;
use crate::spec::{Id, Op, Spec};

/// Inputs for which the design does not give what the model says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// One list of numbers an input port, in the order of the model's ports.
    pub inputs: Vec<Vec<i64>>,
    /// What each output port is to give.
    pub expected: Vec<Vec<i64>>,
    /// The output port that differs.
    pub port: String,
    /// Its element.
    pub element: usize,
    /// The bit of that.
    pub bit: usize,
    /// The bit that the design gives.
    pub got: bool,
}

/// Values of numbers in some situations: of all magnitudes, at the ends of their ranges, and such that the sums that read
/// them come near the ends of theirs.
pub fn situations(spec: &Spec, numbers: &[Id], count: usize, seed: u64) -> Vec<Vec<i64>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut position = vec![usize::MAX; spec.numbers.len()];
    numbers.iter().enumerate().for_each(|(k, id)| position[*id] = k);
    let readers: Vec<&[(Id, i64)]> = spec
        .numbers
        .iter()
        .filter_map(|n| match &n.op {
            Op::Sum { terms, .. } if terms.iter().any(|(x, _)| position[*x] != usize::MAX) => Some(&terms[..]),
            _ => None,
        })
        .collect();
    let mut drawn: Vec<Vec<i64>> = vec![Vec::with_capacity(count); numbers.len()];
    for situation in 0..count {
        let scale = random.u32(0..24);
        let density = random.u32(1..=100);
        for (id, values) in numbers.iter().zip(&mut drawn) {
            let (lo, hi) = spec.numbers[*id].range;
            let value = match situation % 4 {
                0 => random.i64(lo..=hi),
                1 => match random.u32(0..100) < density {
                    true => random.i64(lo >> scale..=hi >> scale).clamp(lo, hi),
                    false => 0i64.clamp(lo, hi),
                },
                _ => random.i64(lo..=hi),
            };
            values.push(value);
        }
        // each in turn alone, or with the next one
        if situation % 8 == 1 || situation % 8 == 5 {
            let count = numbers.len().max(1);
            let alone = situation / 8 % count;
            let other = if situation % 8 == 5 { (alone + 1) % count } else { alone };
            for (k, (id, values)) in numbers.iter().zip(&mut drawn).enumerate() {
                let (lo, hi) = spec.numbers[*id].range;
                let value = if k == alone || k == other { random.i64(lo >> scale..=hi >> scale) } else { 0 };
                *values.last_mut().expect("just pushed") = value.clamp(lo, hi);
            }
        }
        if situation % 4 >= 2 && !readers.is_empty() {
            // each sum in turn at both of its ends, and near one of them
            let terms = readers[(situation / 4) % readers.len()];
            let (up, density) = match situation % 4 {
                2 => ((situation / 4 / readers.len()).is_multiple_of(2), 100),
                _ => (random.bool(), density),
            };
            for (x, weight) in terms.iter().filter(|(x, _)| position[*x] != usize::MAX) {
                if random.u32(0..100) < density {
                    let (lo, hi) = spec.numbers[*x].range;
                    *drawn[position[*x]].last_mut().expect("just pushed") = if (*weight > 0) == up { hi } else { lo };
                }
            }
        }
    }
    drawn
}

/// Machine words of situations that are tried at once.
const WORDS: usize = 4;

/// Inputs that show a difference, out of `rounds` times some hundred; then out of those that turn what never turned. None
/// if there is none among those that are tried until `deadline`.
pub fn search(flat: &Flat, spec: &Spec, rounds: u64, deadline: Deadline) -> Option<Counterexample> {
    let ids: Vec<Id> = spec.inputs.iter().flat_map(|p| p.elements.iter().map(|e| e.number)).collect();
    let mut lanes = Lanes::new(flat.graph.len(), WORDS);
    for round in 0..rounds {
        deadline.check().ok()?;
        let drawn = situations(spec, &ids, WORDS * 64, 1000 + round);
        if let Some(found) = try_all(flat, spec, &mut lanes, &drawn) {
            return Some(found);
        }
    }
    for events in rare::events(flat, spec, &lanes).chunks(WORDS * 64) {
        deadline.check().ok()?;
        let at = |k: usize, lane: usize| events[lane.min(events.len() - 1)][k];
        let drawn = (0..ids.len()).map(|k| (0..WORDS * 64).map(|lane| at(k, lane)).collect()).collect::<Vec<_>>();
        if let Some(found) = try_all(flat, spec, &mut lanes, &drawn) {
            return Some(found);
        }
    }
    None
}

/// The first of some situations in which the design is not the model; `drawn` has a list for each number that goes in.
fn try_all(flat: &Flat, spec: &Spec, lanes: &mut Lanes, drawn: &[Vec<i64>]) -> Option<Counterexample> {
    let elements = spec.inputs.iter().flat_map(|p| p.elements.iter().map(move |e| (p, e)));
    for ((port, element), values) in elements.zip(drawn) {
        let bits = &flat.inputs.iter().find(|p| p.name == port.name)?.bits;
        let rows = planes(element.width as usize, WORDS * 64, |lane| values[lane]);
        for (row, bit) in rows.iter().zip(&bits[element.low as usize..]) {
            lanes.set(bit.lit.node(), row);
        }
    }
    lanes.evaluate_all(&flat.graph, |_| false);
    (0..WORDS * 64).find_map(|lane| {
        let inputs: Vec<i64> = drawn.iter().map(|values| values[lane]).collect();
        differ(flat, spec, lanes, lane, &inputs)
    })
}

fn differ(flat: &Flat, spec: &Spec, lanes: &Lanes, lane: usize, inputs: &[i64]) -> Option<Counterexample> {
    let mut values = vec![0i64; spec.numbers.len()];
    let ids = spec.inputs.iter().flat_map(|p| p.elements.iter().map(|e| e.number));
    ids.zip(inputs).for_each(|(id, v)| values[id] = *v);
    for id in 0..values.len() {
        values[id] = spec.value(id, &values);
    }
    for port in &spec.outputs {
        let bits = &flat.outputs.iter().find(|p| p.name == port.name)?.bits;
        for (k, element) in port.elements.iter().enumerate() {
            let value = values[element.number];
            for bit in 0..element.width as usize {
                let got = lanes.bit(bits[element.low as usize + bit].lit, lane);
                if got != (value >> bit.min(63) & 1 == 1) {
                    let mut given = inputs.iter().copied();
                    let inputs = spec.inputs.iter().map(|p| given.by_ref().take(p.elements.len()).collect()).collect();
                    let carried = |p: &crate::spec::PortSpec| p.elements.iter().map(|e| values[e.number]).collect();
                    let expected = spec.outputs.iter().map(carried).collect();
                    let port = port.name.clone();
                    return Some(Counterexample { inputs, expected, port, element: k, bit, got });
                }
            }
        }
    }
    None
}
