//! The cell library of a run, and how its figures become the target's.

use std::fs;
use std::path::Path;

use constraints::Target;
use constraints::targets::{Corner, Scaling, Technology};
use constraints::timing::Picoseconds;
use hdl::diag::Diagnostic;
use openlane::fetch::{self, Programs, default_cache};
use openlane::liberty::{Library, Role, functions};

use openlane::buffers::{Buffers, Pin};
use sim::cell::Register;

use crate::failure::{Failure, Result};
use crate::output::synthesis::Origin;

/// Small inverters that a net may load its driver with.
const READERS: f64 = 24.0;

/// A cell library.
pub struct Cells {
    /// What is known of its cells.
    pub library: Library,
    /// The file.
    pub liberty: Vec<u8>,
    /// Where it was characterised.
    pub corner: String,
    /// From its process to the target's.
    pub scaling: Option<Scaling>,
    /// Part of the core that cells fill, for an estimate of its area.
    pub utilisation: f64,
}

impl Cells {
    /// The library of `target`, or the one in the file `given`.
    pub fn obtain(target: &Target, given: Option<&Path>) -> Result<Self> {
        let Technology::Asic { corner, scaling, model, .. } = &target.technology else {
            return Err(Failure::user(Diagnostic::error("target-kind", "an FPGA has no cell library")));
        };
        let path = match given {
            Some(path) => path.to_owned(),
            None => {
                let fetched = fetch::library(target, &default_cache()?, &Programs::default());
                fetched.map_err(Failure::of_fetching)?.liberty
            }
        };
        let library = Library::read(&path)?;
        let liberty = fs::read(&path).map_err(|e| Failure::io("read the library", &path, &e))?;
        let corner = match (given, &target.base, scaling) {
            (None, Some(base), Some(_)) => match Target::load(base)?.technology {
                Technology::Asic { corner, .. } => corner_text(&corner),
                Technology::Fpga { .. } => String::new(),
            },
            (None, ..) => corner_text(corner),
            (Some(_), ..) => {
                format!("{} V, {} °C", library.voltage.unwrap_or(f64::NAN), library.temperature.unwrap_or(f64::NAN))
            }
        };
        Ok(Self {
            library,
            liberty,
            corner,
            scaling: scaling.clone().filter(|_| given.is_none()),
            utilisation: model.utilisation.value,
        })
    }

    /// The clock in the library's process, that is as much shorter as the target is slower.
    pub fn own_clock(&self, clock: Picoseconds) -> Picoseconds {
        let factor = self.scaling.as_ref().map_or(1.0, |s| s.delay.value);
        Picoseconds((clock.0 as f64 / factor).round() as u64)
    }

    /// Area of the smallest two-input NAND.
    pub fn gate_um2(&self) -> Option<f64> {
        self.library.find(Role::Nand2).map(|cell| cell.area_um2)
    }

    /// Cell and pin of the constants zero and one.
    pub fn ties(&self) -> Option<[(String, String); 2]> {
        let tie = |role| {
            let cell = self.library.find(role)?;
            let pin = cell.outputs.first()?.clone();
            let plain = |name: &str| hdl::names::check_identifier(name).is_ok();
            (plain(&cell.cell) && plain(&pin)).then_some((cell.cell, pin))
        };
        Some([tie(Role::TieLow)?, tie(Role::TieHigh)?])
    }

    /// Buffers for nets with many readers, if the library has any.
    pub fn buffers(&self) -> Option<Buffers> {
        let buffer = self.library.strong_buffer()?;
        let clocks = functions(&self.library);
        let pins = self.library.cells.iter().map(|cell| {
            let register = clocks.get(&cell.name).and_then(|c| c.register.as_ref());
            let pins = cell.inputs().map(|pin| {
                let pins = |register: &Register| register.clock.pins.contains(&pin.name);
                let on = Pin { load_ff: pin.capacitance_ff, is_clock: register.is_some_and(pins) };
                (pin.name.clone(), on)
            });
            (cell.name.clone(), pins.collect())
        });
        Some(Buffers {
            limit_ff: READERS * self.library.inverter_ff()?,
            pins: pins.collect(),
            input: buffer.inputs.first()?.clone(),
            output: buffer.outputs.first()?.clone(),
            cell: buffer.cell,
        })
    }

    /// Figures that `tool` finds with this library.
    pub fn origin(&self, tool: String) -> Origin {
        Origin { tool, library: self.library.name.clone(), corner: self.corner.clone(), activity: None }
    }
}

fn corner_text(corner: &Corner) -> String {
    format!("{} {} V {} °C", corner.process, corner.voltage, corner.temperature)
}
