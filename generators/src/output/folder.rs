//! An output folder appears whole or not at all, and never takes the place of anything that hwgen did not write.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};

/// The file that lists what hwgen wrote into a folder, one path a line.
pub const MANIFEST: &str = ".hwgen-files";

/// A folder in the making, beside the place where it will stand.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    aside: tempfile::TempDir,
}

impl Staging {
    /// Begins a folder that is to stand at `target`.
    ///
    /// # Errors
    /// Something stands there that hwgen did not write, or nothing can be written there.
    pub fn begin(target: &Path) -> Result<Self> {
        let target = std::path::absolute(target).map_err(|e| Failure::io("resolve the folder", target, &e))?;
        refuse_foreign(&target)?;
        let parent = target.parent().unwrap_or(&target);
        fs::create_dir_all(parent).map_err(|e| Failure::io("create the folder", parent, &e))?;
        let aside = tempfile::Builder::new()
            .prefix(".hwgen-")
            .tempdir_in(parent)
            .map_err(|e| Failure::io("write into the folder", parent, &e.kind().into()))?;
        Ok(Self { target, aside })
    }

    /// Where the folder's files are written for now.
    pub fn path(&self) -> &Path {
        self.aside.path()
    }

    /// Writes one file; folders on its way are made.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path().join(name);
        let parent = path.parent().expect("a file has a parent");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, content))
            .map_err(|e| Failure::io("write the file", &path, &e))
    }

    /// Puts the folder in its place, instead of what hwgen wrote there before.
    pub fn finish(self) -> Result<()> {
        let files: Vec<String> = files_below(self.path())?.into_iter().filter(|f| f != MANIFEST).collect();
        self.write(MANIFEST, files.join("\n") + "\n")?;
        let Self { target, aside } = self;
        // the old folder steps aside first, and comes back if the new one cannot take its place
        let old = tempfile::Builder::new().prefix(".hwgen-old-").tempdir_in(target.parent().unwrap_or(&target));
        let old = old.map_err(|e| Failure::io("write beside the folder", &target, &e))?;
        let retreat = old.path().join("folder");
        let existed = match fs::rename(&target, &retreat) {
            Ok(()) => true,
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            Err(e) => return Err(Failure::io("move the old folder aside", &target, &e)),
        };
        let aside = aside.keep();
        if let Err(e) = share(&aside).and_then(|()| fs::rename(&aside, &target)) {
            if existed {
                let _ = fs::rename(&retreat, &target);
            }
            let _ = fs::remove_dir_all(&aside);
            return Err(Failure::io("put the new folder in place", &target, &e));
        }
        Ok(())
    }
}

/// Temporary folders are private; a finished one may be read by whoever may list its parent.
#[cfg(unix)]
fn share(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn share(_folder: &Path) -> std::io::Result<()> {
    Ok(())
}

/// An error unless nothing stands at `target`, an empty folder, or one with nothing but hwgen's files.
fn refuse_foreign(target: &Path) -> Result<()> {
    let refused = |message: String| {
        Diagnostic::error("output-folder", message)
            .at(target.display().to_string(), "nothing was changed here")
            .help("choose a folder of its own with --out, or move what is in there")
    };
    let found = match fs::symlink_metadata(target) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Failure::io("look at the folder", target, &e)),
        Ok(found) => found,
    };
    if !found.is_dir() {
        return Err(Failure::user(refused("the output folder is a file".into())));
    }
    let manifest = fs::read_to_string(target.join(MANIFEST)).unwrap_or_default();
    let ours: BTreeSet<&str> = manifest.lines().chain([MANIFEST]).collect();
    let mut foreign = None;
    each_file_below(target, |file| {
        let known = ours.contains(file.as_str());
        if !known {
            foreign = Some(file);
        }
        known
    })?;
    match foreign {
        Some(file) => Err(Failure::user(refused(format!("the folder holds `{file}`, which hwgen did not write")))),
        None => Ok(()),
    }
}

/// The files below `folder` as sorted relative paths with slashes.
fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    each_file_below(folder, |file| {
        files.push(file);
        true
    })?;
    files.sort();
    Ok(files)
}

/// Shows each file below `folder` as a relative path with slashes, as long as `see` wants more: the folder may be
/// somebody's home.
fn each_file_below(folder: &Path, mut see: impl FnMut(String) -> bool) -> Result<()> {
    let mut folders = vec![(folder.to_owned(), OsString::new())];
    while let Some((path, relative)) = folders.pop() {
        let failed = |e: std::io::Error| Failure::io("list the folder", &path, &e);
        let entries = fs::read_dir(&path).map_err(failed)?;
        let mut entries = entries.collect::<std::io::Result<Vec<_>>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let mut name = relative.clone();
            if !name.is_empty() {
                name.push("/");
            }
            name.push(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push((entry.path(), name));
            } else if !see(name.to_string_lossy().into_owned()) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit(target: &Path, files: &[&str]) -> Result<()> {
        let staging = Staging::begin(target)?;
        files.iter().try_for_each(|file| staging.write(file, file))?;
        staging.finish()
    }

    fn beside(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn a_folder_of_ours_is_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("a/rtl");
        emit(&target, &["x.v", "sub/y.v"]).unwrap();
        emit(&target, &["z.v"]).unwrap();
        assert_eq!(files_below(&target).unwrap(), [MANIFEST, "z.v"]);
        assert_eq!(beside(&home.path().join("a")), 1, "nothing is left beside it");
    }

    #[test]
    fn foreign_files_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("rtl");
        emit(&target, &["x.v"]).unwrap();
        fs::write(target.join("thesis.tex"), "years of work").unwrap();
        assert_eq!(emit(&target, &["x.v"]).unwrap_err().exit_code(), 2);
        assert_eq!(fs::read_to_string(target.join("thesis.tex")).unwrap(), "years of work");
        fs::write(home.path().join("file"), "").unwrap();
        assert!(emit(&home.path().join("file"), &["x.v"]).is_err());
        assert!(emit(&home.path().join("file/below"), &["x.v"]).is_err());
    }

    #[test]
    fn an_abandoned_folder_leaves_no_trace() {
        let home = tempfile::tempdir().unwrap();
        let staging = Staging::begin(&home.path().join("rtl")).unwrap();
        staging.write("x.v", "").unwrap();
        drop(staging);
        assert_eq!(beside(home.path()), 0);
    }
}
