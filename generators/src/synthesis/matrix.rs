//! Combinational logic mapped to an FPGA's tables, beside its estimate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use constraints::Target;
use constraints::targets::Technology;
use hdl::dfg::Module;
use hdl::diag::{Cause, Diagnostic};
use openlane::yosys as mapping;
use serde::Serialize;
use sim::tools::{Meter, Scratch};

use super::look_up_tables;
use crate::failure::{Failure, Result};
use crate::output::emit;
use crate::output::matrix::Estimate;

/// What Yosys made of a result.
#[derive(Debug, Serialize)]
pub struct Mapping {
    /// Look-up tables of every size and inverters; one with two outputs counts as one, a CCU2C as two.
    pub luts: usize,
    /// Share by which the estimate is off.
    pub error: f64,
    /// Wall-clock time of Yosys.
    pub seconds: f64,
}

/// Time that Yosys may take for one matrix.
const MAPPING_LIMIT: Duration = Duration::from_secs(3600);

/// Maps a module of combinational logic.
///
/// # Errors
/// A target that is no FPGA; Yosys fails.
pub fn map(top: &Arc<Module>, target: &Target, estimate: Estimate) -> Result<Mapping> {
    let Technology::Fpga { family, .. } = &target.technology else {
        let message = format!("target {} is no FPGA and has no look-up tables", target.name);
        return Err(Failure::user(Diagnostic::error("target-kind", message).because(Cause::UnsuitableTarget)));
    };
    let folder = Scratch::new().map_err(|e| Failure::io("make a folder in", &std::env::temp_dir(), &e))?;
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).map_err(|e| Failure::io("write the file", &path, &e))
    };
    let verilog = emit::flat_verilog(top, target.carry_cell())?;
    write("matrix.v", &verilog)?;
    let sources = mapping::Sources { top: "cmvm", files: &["matrix.v".to_owned()], kept: &[] };
    let script = mapping::family_script(&sources, &family.synthesis)?;
    write(mapping::SCRIPT, script.as_bytes())?;
    let start = Instant::now();
    let cells = mapping::map(folder.path(), &Meter::new(MAPPING_LIMIT))?.cells;
    let luts = look_up_tables(&cells);
    Ok(Mapping {
        luts,
        error: estimate.luts as f64 / f64::max(luts as f64, 1.0) - 1.0,
        seconds: start.elapsed().as_secs_f64(),
    })
}
