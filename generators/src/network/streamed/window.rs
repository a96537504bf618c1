//! The hardware of a window: operands out of memory, weights out of tables, and what accumulates.

use hdl::dfg::{ModuleBuilder, RegisterStyle, Value};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::{Format, Interval, OutOfRange};

use super::super::combined;
use super::control::Beats;
use super::ring::{Ring, apart};
use super::sweep::{Kernel, Sweep};
use super::timing::OPERANDS;
use crate::model::PoolKind;
use crate::network::registers::{later, moved};
use crate::network::stages::Construction;

/// Most bits of a word of a table of weights: what block RAM gives in one cycle.
const WORD: u32 = 64;

/// A window that is being built.
pub(super) struct Hardware<'a, 'm> {
    pub m: &'m ModuleBuilder,
    pub name: String,
    pub sweep: &'a Sweep,
    pub beats: &'a Beats<'m>,
    pub construction: Construction<'a>,
    /// Number of the part between registers, and its stages.
    pub stages: (usize, u32),
}

fn wide(e: OutOfRange) -> Diagnostics {
    Diagnostics::from(Diagnostic::error("folding", e.to_string()))
}

impl<'m> Hardware<'_, 'm> {
    /// The lanes of the result, each there in the one cycle behind that in which its last part accumulates.
    pub fn results(&self, ring: &Ring<'m>) -> Result<Vec<Value<'m>>, Diagnostics> {
        let base = ring.base(self.m, &format!("{}_base", self.name), self.beats.ending)?;
        let slots: Vec<Slot<'m>> = (0..self.sweep.at_once).map(|slot| self.slot(ring, base, slot)).collect();
        let adding =
            Adding { enable: self.later("adding", self.beats.running), first: self.later("first", self.beats.first) };
        match &self.sweep.kernel {
            Kernel::Products { bias, groups, .. } => self.products(&slots, bias, *groups, &adding),
            Kernel::Pool(kind) => self.pools(&slots, *kind, &adding),
        }
    }

    /// A signal of a beat in the cycle in which its products accumulate.
    fn later(&self, what: &str, value: Value<'m>) -> Value<'m> {
        later(self.m, &format!("{}_{what}", self.name), value, OPERANDS + self.stages.1)
    }

    /// Two cycles later.
    fn twice(&self, what: &str, value: Value<'m>) -> Value<'m> {
        let once = moved(self.m, &format!("{}_{what}_a", self.name), value);
        moved(self.m, &format!("{}_{what}_b", self.name), once)
    }

    /// What an entry of each part is, chosen by the number of the part.
    fn of_part(&self, entry: impl Fn(usize) -> i128) -> Value<'m> {
        let mut table: Vec<i128> = (0..self.sweep.parts()).map(entry).collect();
        if table.iter().all(|value| *value == table[0]) {
            return self.m.constant(table[0], 0);
        }
        table.resize(table.len().next_power_of_two(), 0);
        self.beats.part.lookup(&table, 0)
    }

    /// The word under a tap, and whether there is one, two cycles after the beat.
    fn slot(&self, ring: &Ring<'m>, base: Value<'m>, slot: usize) -> Slot<'m> {
        let (m, sweep) = (self.m, self.sweep);
        let constant = |value: usize| m.constant(value as i128, 0);
        let tap_of = |part| sweep.tap(part, slot);
        let mut address = base;
        let mut inside = self.of_part(|part| tap_of(part).is_some().into());
        for (a, axis) in sweep.axes.iter().enumerate() {
            let distance = self.of_part(|part| tap_of(part).map_or(0, |tap| sweep.distance(tap, a).into()));
            let index = self.beats.positions[a] * constant(axis.stride) + distance;
            address = address + index * constant(sweep.step(a));
            let last = ((axis.positions - 1) * axis.stride) as i64;
            if axis.taps.iter().any(|tap| *tap < 0) {
                inside = inside & index.ge(constant(0));
            }
            if axis.taps.iter().any(|tap| last + tap >= axis.extent as i64) {
                inside = inside & index.lt(constant(axis.extent));
            }
        }
        let named = |what: &str| format!("{}_slot{slot}_{what}", self.name);
        let address = moved(m, &named("address"), address.wrap(ring.bits, false));
        let inside = match inside.range().as_point() {
            Some(1) => None,
            _ => Some(self.twice(&format!("slot{slot}_inside"), inside)),
        };
        Slot { lanes: ring.read(m, &named("read"), address), inside }
    }

    /// A lane of a beat of a slot, or `fill` where there is none; in a register.
    fn operand(&self, name: &str, slot: &Slot<'m>, choices: &[Value<'m>], split: Value<'m>, fill: i128) -> Value<'m> {
        let chosen = match choices {
            [one] => *one,
            _ => split.select(choices),
        };
        let filled = match slot.inside {
            Some(inside) => inside.mux(chosen, self.m.constant(fill, 0)),
            None => chosen,
        };
        moved(self.m, &format!("{}_{name}", self.name), filled)
    }

    fn products(
        &self,
        slots: &[Slot<'m>],
        bias: &[i64],
        groups: usize,
        adding: &Adding<'m>,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let (sweep, zero) = (self.sweep, self.m.constant(0, 0));
        let split = self.twice("split", self.of_part(|part| (part % sweep.splits) as i128));
        let part = self.twice("part", self.beats.part);
        let mut sums = Vec::with_capacity(bias.len());
        for group in 0..groups {
            let mut operands = Vec::new();
            for (s, slot) in slots.iter().enumerate() {
                for lane in 0..sweep.width() {
                    let of_split = |k: usize| match k * sweep.width() + lane {
                        lane if lane < sweep.lanes => slot.lanes[group * sweep.lanes + lane],
                        _ => zero,
                    };
                    let choices: Vec<Value<'m>> = (0..sweep.splits).map(of_split).collect();
                    let name = format!("operand{group}_{s}_{lane}");
                    operands.push(((s, lane), self.operand(&name, slot, &choices, split, 0)));
                }
            }
            let filters = bias.len() / groups;
            for (filter, &bias) in bias.iter().enumerate().skip(group * filters).take(filters) {
                let factors = self.factors(filter, &operands, part)?;
                let range = self.range(filter, group, slots, bias).map_err(wide)?;
                sums.push(self.sum(filter, &factors, range, bias, adding)?);
            }
        }
        Ok(sums)
    }

    /// The operands that a filter has a weight for, each with that weight.
    fn factors(
        &self,
        filter: usize,
        operands: &[((usize, usize), Value<'m>)],
        part: Value<'m>,
    ) -> Result<Vec<Value<'m>>, Diagnostics> {
        let parts = self.sweep.parts();
        let weights = |(slot, lane)| (0..parts).map(move |p| self.sweep.weight(filter, p, slot, lane));
        let range = |at| -> Result<Interval, Diagnostics> {
            let ends = weights(at).fold((0, 0), |(lo, hi), w| (w.min(lo), w.max(hi)));
            Interval::new(ends.0.into(), ends.1.into()).map_err(wide)
        };
        let used: Vec<_> = operands.iter().filter(|(at, _)| weights(*at).any(|w| w != 0)).collect();
        if parts == 1 {
            let constant = |at| self.m.constant(weights(at).next().unwrap_or(0).into(), 0);
            return Ok(used.iter().flat_map(|(at, operand)| [*operand, constant(*at)]).collect());
        }
        let mut factors = Vec::new();
        let mut left = used.as_slice();
        while !left.is_empty() {
            let ranges = left.iter().map(|(at, _)| range(*at)).collect::<Result<Vec<_>, _>>()?;
            let mut width = 0;
            let fits = |range: &&Interval| {
                width += range.width();
                width <= WORD || width == range.width()
            };
            let (together, others) = left.split_at(ranges.iter().take_while(fits).count());
            let ranges = &ranges[..together.len()];
            let word = |p: usize| {
                let mut low = 0;
                together.iter().zip(ranges).fold(0i128, |word, ((at, _), range)| {
                    let (slot, lane) = *at;
                    let pattern = i128::from(self.sweep.weight(filter, p, slot, lane)) & ((1 << range.width()) - 1);
                    let joined = word | pattern << low;
                    low += range.width();
                    joined
                })
            };
            let mut table: Vec<i128> = (0..parts).map(word).collect();
            table.resize(parts.next_power_of_two(), 0);
            let name = format!("{}_weights{filter}_{}", self.name, factors.len() / 2);
            let word = moved(self.m, &name, part.lookup(&table, 0));
            let weights = apart(word, ranges);
            factors.extend(together.iter().zip(weights).flat_map(|((_, operand), weight)| [*operand, weight]));
            left = others;
        }
        Ok(factors)
    }

    /// Which integers the whole sum of a filter can be.
    fn range(&self, filter: usize, group: usize, slots: &[Slot<'m>], bias: i64) -> Result<Interval, OutOfRange> {
        let zero = Interval::point(0)?;
        let mut sum = Interval::point(bias.into())?;
        for part in 0..self.sweep.parts() {
            let first = part % self.sweep.splits * self.sweep.width();
            for (slot, Slot { lanes, .. }) in slots.iter().enumerate() {
                for lane in 0..self.sweep.width().min(self.sweep.lanes - first) {
                    let operand = lanes[group * self.sweep.lanes + first + lane].range().union(zero);
                    let weight = self.sweep.weight(filter, part, slot, lane);
                    sum = sum.add(operand.mul(Interval::point(weight.into())?)?)?;
                }
            }
        }
        Ok(sum)
    }

    /// Sums of products that accumulate; what is in between may wrap, since the whole fits.
    fn sum(
        &self,
        filter: usize,
        factors: &[Value<'m>],
        range: Interval,
        bias: i64,
        adding: &Adding<'m>,
    ) -> Result<Value<'m>, Diagnostics> {
        let bias = self.m.constant(bias.into(), 0);
        if factors.is_empty() {
            return Ok(bias);
        }
        let Construction { arithmetic, cut } = self.construction;
        let name = format!("{}_products{filter}", self.name);
        let addend = cut.staged(self.m, self.stages, &name, factors, &|m, factors| {
            let pairs = factors.chunks(2).map(|pair| (pair[0], pair[1]));
            Ok(vec![arithmetic.variables.sum(m, &Vec::from_iter(pairs), &[], None)])
        })?[0];
        let (width, signed) = (range.width().max(1), range.signed());
        let format = Format::integer(Interval::of_width(width, signed).map_err(wide)?);
        let state = self.m.state(&format!("{}_sum{filter}", self.name), format, RegisterStyle::default());
        let before = match self.sweep.parts() {
            1 => bias,
            _ => adding.first.mux(bias, state.value()),
        };
        state.set_next_when(adding.enable, (before + addend).wrap(width, signed));
        Ok(state.value())
    }

    /// Each lane combined by itself.
    fn pools(&self, slots: &[Slot<'m>], kind: PoolKind, adding: &Adding<'m>) -> Result<Vec<Value<'m>>, Diagnostics> {
        let one = |lane: usize| {
            let range = slots.iter().map(|slot| slot.lanes[lane].range()).reduce(Interval::union).expect("a slot");
            let fill = match kind {
                PoolKind::Max => range.lo(),
                PoolKind::Sum => 0,
            };
            let operand = |(s, slot): (usize, &Slot<'m>)| {
                let name = format!("operand{s}_{lane}");
                self.operand(&name, slot, &[slot.lanes[lane]], self.m.constant(0, 0), fill)
            };
            let operands: Vec<Value<'m>> = slots.iter().enumerate().map(operand).collect();
            let name = format!("{}_pool{lane}", self.name);
            let part =
                self.construction.cut.staged(self.m, self.stages, &name, &operands, &|m, operands| {
                    Ok(vec![combined(m, kind, operands)])
                })?[0];
            let whole = match kind {
                PoolKind::Max => part.range(),
                PoolKind::Sum => {
                    let taps = Interval::point(self.sweep.taps() as i128).map_err(wide)?;
                    let zero = Interval::point(0).map_err(wide)?;
                    range.union(zero).mul(taps).map_err(wide)?.union(part.range())
                }
            };
            let (width, signed) = (whole.width().max(1), whole.signed());
            let format = Format::integer(Interval::of_width(width, signed).map_err(wide)?);
            let state = self.m.state(&format!("{name}_state"), format, RegisterStyle::default());
            let both = combined(self.m, kind, &[state.value(), part]);
            state.set_next_when(adding.enable, adding.first.mux(part, both).wrap(width, signed));
            Ok(state.value())
        };
        let lanes = slots.first().map_or(0, |slot| slot.lanes.len());
        (0..lanes).map(one).collect()
    }
}

/// What a tap slot reads.
struct Slot<'m> {
    /// The lanes of the word.
    lanes: Vec<Value<'m>>,
    /// Whether the tap is inside the tensor; none if it always is.
    inside: Option<Value<'m>>,
}

/// Signals in the cycle in which a beat accumulates.
struct Adding<'m> {
    enable: Value<'m>,
    first: Value<'m>,
}
