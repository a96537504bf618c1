//! The folder `openlane/` of a design: what LibreLane/OpenLane 2, Vivado, Quartus and FuseSoC need.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use constraints::Constraints;
use constraints::targets::Target;
use openlane::hardening;

use super::staging::Staging;
use crate::failure::{Failure, Result};

/// Area of a NAND2 in LibreLane's default library, `sky130_fd_sc_hd__nand2_1`.
pub const GATE_UM2: f64 = 3.7536;

/// Share of the core that cells fill: a router has room at one half.
const UTILISATION: f64 = 0.5;
/// The family whose first part vendor scripts name, unless the design is made for another.
const FAMILY: &str = "xcup";

/// Writes the folder for Verilog files that are given relative to the design's folder, and a test bench with what it reads if there is one. The floor plan is drawn for
/// `cell_area_um2`, in the process that it is hardened in, or sized by the flow if that is not known.
pub fn write(
    staging: &Staging,
    constraints: &Constraints,
    verilog: &[String],
    bench: &[String],
    cell_area_um2: Option<f64>,
) -> Result<()> {
    let family = Target::load(FAMILY)?;
    let design = hardening::Design {
        constraints,
        verilog,
        bench,
        cell_area_um2,
        utilisation: UTILISATION,
        part: hardening::default_part(&family).unwrap_or_default(),
    };
    staging.write(hardening::CORE, hardening::core(&design)?)?;
    for file in hardening::files(&design)? {
        let name = format!("{}/{}", hardening::FOLDER, file.name);
        staging.write(&name, file.text)?;
        if file.executable {
            let path = staging.path().join(&name);
            fs::set_permissions(&path, Permissions::from_mode(0o755))
                .map_err(|e| Failure::io("make the file a program", &path, &e))?;
        }
    }
    Ok(())
}
