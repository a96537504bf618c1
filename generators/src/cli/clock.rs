//! Options about the clock that several commands share.

use clap::Args;
use constraints::Target;

use crate::arith::Effort;
use crate::failure::Result;
use crate::flow::options::{self, Options, Products};
use crate::flow::tmr::Tmr;

/// Clock, latency, the technology whose delays the stages are cut by, and hardening.
#[derive(Debug, Args)]
pub struct Timing {
    /// Clock period in nanoseconds [default: 25]
    #[arg(long, value_name = "NS")]
    clock_ns: Option<f64>,
    /// Cycles from input to output; by default the fewest that meet the clock. 0 is without registers
    #[arg(long, value_name = "CYCLES")]
    latency: Option<u32>,
    /// Technology whose estimated delays the stages are cut by
    #[arg(long, value_name = "NAME", default_value = constraints::targets::DEFAULT)]
    target: String,
    /// Registers three times with a majority voter behind, against upsets by radiation: `none`, `registers` for all of
    /// them, or `list:FILE` for those that the file names, MODULE.REGISTER a line as in the Verilog
    #[arg(long, value_name = "WHICH", default_value = "none")]
    tmr: String,
}

impl Timing {
    /// What is asked of the hardware.
    pub fn options(&self, products: Products, effort: Option<Effort>) -> Result<Options> {
        let timing = options::Timing { clock_ns: self.clock_ns, latency: self.latency };
        Ok(Options { target: Target::load(&self.target)?, timing, products, tmr: Tmr::named(&self.tmr)?, effort })
    }
}
