//! How large a network becomes, estimated before anything is built.

use hdl::diag::Diagnostic;
use hdl::names::quoted;

use super::design::{NetworkDesign, Schedule};
use super::folded::{self, MAX_REUSE};
use super::streamed;
use crate::size::Size;

/// Multipliers that a suggested reuse factor comes to at most.
const FEW_MULTIPLIERS: usize = 1 << 12;

/// Bits of the integers of a range of such ends, the sign included.
pub(crate) fn width(lo: i64, hi: i64) -> u64 {
    u64::from(i64::BITS - lo.unsigned_abs().max(hi.unsigned_abs()).leading_zeros()) + 1
}

impl NetworkDesign {
    /// What the network becomes, about.
    ///
    /// # Errors
    /// A reuse factor that does not fit the network.
    pub fn size(&self) -> Result<Size, Diagnostic> {
        let rows = self.network.inspect().layers;
        if let Some(schedule) = self.schedule()? {
            return Ok(match schedule {
                Schedule::Registers(schedule) => {
                    let elements: u64 = rows.iter().map(|row| row.shape.iter().product::<usize>() as u64).sum();
                    let places = elements + schedule.choices();
                    Size::Folded { multipliers: schedule.multipliers, places, cycles: schedule.latency }
                }
                Schedule::Memories(schedule) => Size::Streamed {
                    multipliers: schedule.multipliers,
                    lanes: schedule.lanes(),
                    elements: schedule.elements(),
                    cycles: schedule.interval,
                },
            });
        }
        let luts = |row: &crate::model::LayerRow| {
            let (lo, hi) = row.range;
            row.additions.saturating_mul(width(lo, hi))
        };
        Ok(Size::Unrolled {
            products: rows.iter().map(|row| row.additions).sum(),
            luts: rows.iter().map(luts).fold(0, u64::saturating_add),
        })
    }

    /// An error with the estimate and what to do, if the network is larger than is built without being asked to.
    ///
    /// # Errors
    /// Also those of [`NetworkDesign::size`].
    pub fn require_moderate(&self) -> Result<(), Diagnostic> {
        let size = self.size()?;
        if size.is_moderate() {
            return Ok(());
        }
        let rows = self.network.inspect().layers;
        let heaviest = rows.iter().max_by_key(|row| row.additions);
        let heaviest = heaviest.map_or_else(String::new, |row| format!(", most of it in layer {}", quoted(&row.name)));
        let error = Diagnostic::error("size", format!("{size}{heaviest}"));
        Err(error.help(match self.folded_size() {
            Some((reuse, folded)) => format!("`--reuse {reuse}` gives {folded}; --yes builds it as it is"),
            None => "--yes builds it all the same; it may take hours and many gigabytes".to_owned(),
        }))
    }

    /// The design with its tensors in memories, if it is folded, too large for registers, and can be.
    ///
    /// # Errors
    /// Those of [`NetworkDesign::size`]; with memories, why not.
    pub fn in_memories_if_large(self) -> Result<Self, Diagnostic> {
        if self.reuse.is_none() || self.size().is_ok_and(|size| size.is_moderate()) {
            return Ok(self);
        }
        let streamed = Self { streamed: true, stages: Vec::new(), ..self.clone() };
        match streamed.schedule() {
            Ok(_) => Ok(streamed),
            // registers do for it, if the user says so
            Err(why) => match self.size() {
                Ok(size) => Err(Diagnostic::error("size", format!("{size}"))
                    .help(format!("memories would do, but {}; --yes builds it with registers", why.message))),
                Err(error) => Err(error),
            },
        }
    }

    /// The least reuse factor of a power of four with few multipliers and moderate size, if the network is not folded and
    /// can be.
    fn folded_size(&self) -> Option<(u32, Size)> {
        let factors = (2..).map(|k| 4u32.pow(k)).take_while(|reuse| *reuse <= MAX_REUSE);
        let few = |reuse: u32| {
            let folded = folded::Schedule::of(&self.network, reuse, &[]);
            let streamed = || streamed::Schedule::of(&self.network, reuse, &[]);
            folded.is_ok_and(|schedule| schedule.multipliers <= FEW_MULTIPLIERS)
                || streamed().is_ok_and(|schedule| schedule.multipliers <= FEW_MULTIPLIERS)
        };
        let design = |reuse| {
            let folded = Self { reuse: Some(reuse), streamed: false, stages: Vec::new(), ..self.clone() };
            let size = folded.in_memories_if_large().ok()?.size().ok()?;
            (few(reuse) && size.is_moderate()).then_some((reuse, size))
        };
        factors.filter(|_| self.reuse.is_none()).find_map(design)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Array, Graph, Input, Layer, Op, Output, TensorId};

    fn dense(inputs: usize, outputs: usize, reuse: Option<u32>) -> NetworkDesign {
        let input = Input { name: "x".into(), shape: vec![1, inputs], range: (-8, 7), encode: None };
        let mut network = Graph::new("large", vec![input]).unwrap();
        let weights = Array { shape: vec![outputs, inputs], values: vec![3; inputs * outputs] };
        let op = Op::Dense { weights, bias: vec![1; outputs], multiplication: crate::model::Multiplication::default() };
        network.push(Layer { name: "dense".into(), op, inputs: vec![TensorId(0)], scale: None }).unwrap();
        network.output(Output { name: "y".into(), tensor: TensorId(1), decode: None }).unwrap();
        NetworkDesign { top: "large".into(), reuse, streamed: false, stages: Vec::new(), network }
    }

    #[test]
    fn a_large_network_is_refused_with_a_way_out() {
        assert_eq!(dense(64, 32, None).require_moderate(), Ok(()));
        let refused = dense(1024, 1024, None).require_moderate().unwrap_err();
        let help = refused.help.clone().unwrap_or_default();
        assert!(refused.message.contains("1.0 M products") && refused.message.contains("`dense`"), "{refused}");
        assert!(help.contains("`--reuse 256` gives folded: 4096 multipliers") && help.contains("--yes"), "{help}");
        assert_eq!(dense(1024, 1024, Some(256)).require_moderate(), Ok(()));
    }
}
