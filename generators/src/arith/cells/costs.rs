//! What the cells of a library cost that sums are made of.

use constraints::{AsicModel, Target, Technology};

/// A gate: square micrometres, and picoseconds through it when it drives one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// Cell area in µm².
    pub area: f64,
    /// Delay in ps.
    pub delay: u32,
}

/// The cells of adders on one target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellCosts {
    /// Full adder; the delay is that to the sum.
    pub full_adder: Gate,
    /// From a full adder's input to its carry, in ps.
    pub carry: u32,
    /// Exclusive OR, or its complement.
    pub xor: Gate,
    /// AND or OR.
    pub and: Gate,
    /// Inverter.
    pub inverter: Gate,
    /// Inverter between a wire and a few of its readers.
    pub driver: Gate,
    /// What each further reader of a wire adds to its delay, in ps.
    pub load: u32,
}

/// Share of an inverter's delay at a fan-out of four that one reader of a wire makes out.
const LOAD_SHARE: f64 = 0.5;

impl CellCosts {
    /// The costs on cells with these figures, without wires; `driver` is the area of the driving inverter as a multiple
    /// of that of the small one. Its load for its size is the usual one, so that it takes as long as the small one with a
    /// fan-out of four.
    pub fn of(model: &AsicModel, driver: f64) -> Self {
        let gate = |area: f64, delay: f64| Gate { area, delay: delay.round() as u32 };
        Self {
            full_adder: gate(model.full_adder.area_um2, model.full_adder.delay_ps),
            carry: model.ripple_ps.round() as u32,
            xor: gate(model.xor2.area_um2, model.xor2.delay_ps),
            and: gate(
                (model.and2.area_um2 + model.or2.area_um2) / 2.0,
                (model.and2.delay_ps + model.or2.delay_ps) / 2.0,
            ),
            inverter: gate(model.inverter.area_um2, model.inverter.delay_ps / 2.0),
            driver: gate(model.inverter.area_um2 * driver, model.inverter.delay_ps),
            load: (model.inverter.delay_ps * LOAD_SHARE).round() as u32,
        }
    }

    /// The costs on a target whose library is known to have a full adder; `None` for any other.
    pub fn on(target: &Target) -> Option<Self> {
        match &target.technology {
            Technology::Asic { model, library, .. } if library.full_adder.is_some() => {
                let driver = library.inverter.as_ref().map_or(1.0, |i| i.relative_area);
                Some(Self::of(model, driver))
            }
            _ => None,
        }
    }
}
