//! Options of commands that may take long: what they say meanwhile, and whether they build what is very large.

use clap::Args;
use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};
use crate::network::design::NetworkDesign;
use crate::progress;

/// Whether to say what is done.
#[derive(Debug, Args)]
pub struct Talk {
    /// Say on standard error what is being done, even where that is no terminal
    #[arg(long)]
    progress: bool,
}

impl Talk {
    /// Begins to say what is done.
    pub fn begin(&self) {
        progress::begin(self.progress);
    }
}

/// Options of a build that may become very large.
#[derive(Debug, Args)]
pub struct Care {
    /// Build it however large it is estimated to become
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    talk: Talk,
}

impl Care {
    /// Begins to say what is done.
    pub fn begin(&self) {
        self.talk.begin();
    }

    /// An error of the design's size, unless the user asked for it however large it is.
    pub fn allow(&self, moderate: std::result::Result<(), Diagnostic>) -> Result<()> {
        match self.yes {
            true => Ok(()),
            false => moderate.map_err(Failure::user),
        }
    }

    /// The design, with tensors in memories if it is folded and too large for registers; an error if it is very large and the
    /// user did not ask for it all the same.
    pub fn moderate(&self, design: NetworkDesign) -> Result<NetworkDesign> {
        let fitting = design.clone().in_memories_if_large();
        if self.yes {
            return Ok(fitting.unwrap_or(design));
        }
        let fitting = fitting.map_err(Failure::user)?;
        self.allow(fitting.require_moderate())?;
        Ok(fitting)
    }
}
