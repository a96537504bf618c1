//! How far a campaign has come, in a file from which it goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use hdl::diag::Diagnostic;
use serde::{Deserialize, Serialize};

use super::tally::Tally;
use crate::failure::{Failure, Result};
use crate::import::bounded;
use crate::output::file::replace;

/// How often it is written.
const EVERY: Duration = Duration::from_secs(5);

/// What the file holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    /// What the campaign is of: design, faults, events.
    key: String,
    /// Batches that are counted.
    batches: u64,
    tally: Tally,
}

/// The progress of a campaign.
pub struct State<'p> {
    path: Option<&'p Path>,
    saved: Saved,
    written: Instant,
}

impl<'p> State<'p> {
    /// The state in the file `path`, or that of a campaign that has not begun.
    ///
    /// # Errors
    /// The file is of another campaign.
    pub fn open(path: Option<&'p Path>, key: String, places: usize) -> Result<Self> {
        let fresh = Saved { key, batches: 0, tally: Tally::new(places) };
        let Some(file) = path.filter(|path| path.exists()) else {
            return Ok(Self { path, saved: fresh, written: Instant::now() });
        };
        let refused = |why: String| {
            let error = Diagnostic::error("state", why).at(file.display().to_string(), "in this file");
            Failure::user(error.help("remove it to begin again, or give another file with --state"))
        };
        let text = bounded::read_text("read the state", file, bounded::OWN)?;
        let saved: Saved =
            serde_json::from_str(&text).map_err(|e| refused(format!("this is no state of a campaign: {e}")))?;
        if saved.key != fresh.key || saved.tally.places.len() != places {
            return Err(refused(
                "it is the state of another campaign: of another design, faults, seed or events".into(),
            ));
        }
        Ok(Self { path, saved, written: Instant::now() })
    }

    /// The first batch that is not counted.
    pub fn next(&self) -> u64 {
        self.saved.batches
    }

    /// What is counted.
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.saved.tally
    }

    /// All batches before `next` are counted now.
    pub fn advance(&mut self, next: u64) -> Result<()> {
        self.saved.batches = next;
        if self.written.elapsed() < EVERY {
            return Ok(());
        }
        self.write()
    }

    /// Writes the file, and gives what was counted.
    pub fn finish(mut self) -> Result<Tally> {
        self.write()?;
        Ok(self.saved.tally)
    }

    fn write(&mut self) -> Result<()> {
        self.written = Instant::now();
        let Some(path) = self.path else { return Ok(()) };
        let json = serde_json::to_string(&self.saved).expect("plain data");
        replace(path, json.as_bytes())
    }
}
