//! `--out` and `--force`: where an output folder goes.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Result;
use crate::flow::Generated;
use crate::flow::verify::prove_new;
use crate::output::manifest::Edits;
use crate::output::staging::{Edited, Staging};

/// The output folder.
#[derive(Debug, Args)]
pub struct Output {
    /// The output folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    proof: Proof,
}

/// Whether the Verilog of a new folder is proved equal to its model at once.
#[derive(Debug, Clone, Copy, Args)]
pub struct Proof {
    /// Leave the proof of the Verilog, which takes two seconds at most here, to `hwgen verify`
    #[arg(long)]
    no_verify: bool,
}

impl Proof {
    /// Proves the folder `out`, and says on standard error what came of it: how long it takes is not the same each time.
    pub fn of(self, generated: &Generated, out: &Path) -> Result<()> {
        if !self.no_verify {
            super::tell(&prove_new(generated, out)?);
        }
        Ok(())
    }
}

/// What becomes of edits in a folder that is written again.
#[derive(Debug, Clone, Copy, Args)]
pub struct Force {
    /// Write an output folder again although files in it were edited: they are lost, and listed. Files that hwgen did
    /// not write stay
    #[arg(long)]
    force: bool,
}

impl Output {
    /// Begins the folder: an error if it cannot become one.
    pub fn begin(&self) -> Result<Staging> {
        self.force.begin(&self.out)
    }

    /// Puts the folder in its place, and proves what is in it.
    pub fn finish(&self, staging: Staging, generated: &Generated) -> Result<()> {
        finish(staging)?;
        self.proof.of(generated, &self.out)
    }

    /// What was made, in a line, and what to do with it.
    pub fn summary(&self, generated: &Generated) -> String {
        self.summary_with(
            generated,
            &format!("{} register bits between stages", generated.built.pipeline.register_bits),
        )
    }

    /// The same, with what it consists of in these words.
    pub fn summary_with(&self, Generated { built, .. }: &Generated, parts: &str) -> String {
        format!(
            "{}: latency {} cycles, initiation interval {}, {parts}\ncheck it with: hwgen sim {} --engine all\n",
            built.top.name,
            built.latency,
            built.interval,
            self.out.display()
        )
    }
}

impl Force {
    /// Begins the folder `out`: an error if it cannot become one.
    pub fn begin(self, out: &Path) -> Result<Staging> {
        Staging::begin(out, if self.force { Edited::Overwrite } else { Edited::Refuse })
    }
}

/// Puts a folder in its place, and says what was lost with the one that was there.
pub fn finish(staging: Staging) -> Result<()> {
    let Edits { changed, foreign, .. } = staging.finish()?;
    changed.iter().for_each(|file| super::remark(&format!("{file} had been edited; the edits are lost")));
    foreign.iter().for_each(|file| super::remark(&format!("{file} stays, which hwgen did not write")));
    Ok(())
}
