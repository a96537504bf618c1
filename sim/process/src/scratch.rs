//! Temporary folders that go when their owner does: at its end, with a signal, or, if it was killed, when the next one
//! makes such a folder in the same place.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::guard;

/// Beginning of the names of all temporary folders.
pub const PREFIX: &str = ".hwgen-tmp-";
/// The file in one that its owner holds locked as long as it lives.
const LOCK: &str = "lock";
/// The folder in one that files go to.
const FILES: &str = "files";

/// A temporary folder.
#[derive(Debug)]
pub struct Scratch {
    // dropped first, so that the lock outlives the folder
    folder: TempDir,
    files: PathBuf,
    _lock: File,
}

impl Scratch {
    /// A new folder where the system wants temporary ones.
    ///
    /// # Errors
    /// None can be made there.
    pub fn new() -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir())
    }

    /// A new folder in `parent`, after those have been removed whose owners are no more.
    ///
    /// # Errors
    /// None can be made there.
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        sweep(parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        guard::add_folder(folder.path());
        let lock = File::create(folder.path().join(LOCK))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            // somebody took it for one without an owner in the moment before
            return Self::new_in(parent);
        }
        let files = folder.path().join(FILES);
        fs::create_dir(&files)?;
        Ok(Self { folder, files, _lock: lock })
    }

    /// Where files are to be put.
    pub fn path(&self) -> &Path {
        &self.files
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        guard::remove_folder(self.folder.path());
    }
}

/// Removes the temporary folders in `parent` that nobody owns any more; what cannot be removed stays.
pub fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        // a link is no folder here
        if !is_ours || !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_owns_is_swept() {
        let home = tempfile::tempdir().unwrap();
        let here = |name: &str| home.path().join(format!("{PREFIX}{name}"));
        fs::create_dir(here("dead")).unwrap();
        fs::write(here("dead").join(LOCK), "").unwrap();
        fs::create_dir(here("notes")).unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        let owned = Scratch::new_in(home.path()).unwrap();
        fs::write(owned.path().join("x"), "").unwrap();
        let second = Scratch::new_in(home.path()).unwrap();
        assert!(!here("dead").exists() && here("notes").exists());
        assert!(owned.path().join("x").exists());
        let paths = [&owned, &second].map(|scratch| scratch.path().parent().unwrap().to_owned());
        drop((owned, second));
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
