//! Options of commands that may take long: what they say meanwhile, and whether they build what is very large.

use clap::Args;

use crate::failure::{Failure, Result};
use crate::network::design::NetworkDesign;
use crate::progress;

/// Options of a long build.
#[derive(Debug, Args)]
pub struct Care {
    /// Build it however large it is estimated to become
    #[arg(long)]
    yes: bool,
    /// Say on standard error what is being done, even where that is no terminal
    #[arg(long)]
    progress: bool,
}

impl Care {
    /// Begins to say what is done.
    pub fn begin(&self) {
        progress::begin(self.progress);
    }

    /// An error if the network is very large and the user did not ask for it all the same.
    pub fn allow(&self, design: &NetworkDesign) -> Result<()> {
        match self.yes {
            true => Ok(()),
            false => design.require_moderate().map_err(Failure::user),
        }
    }
}
