//! An output folder appears whole or not at all, and never takes the place of anything that hwgen did not write.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use hdl::diag::Diagnostic;
use sim::tools::{PREFIX, Scratch, sweep, uninterrupted};

use super::manifest::{Edits, MANIFEST, Manifest, each_file_below};
use crate::failure::{Failure, Result};

/// What becomes of files that were edited since hwgen wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edited {
    /// Nothing: the folder stays as it is.
    #[default]
    Refuse,
    /// They are lost. Files that hwgen did not write stay all the same.
    Overwrite,
}

/// A folder in the making, on the file system on which it will stand.
#[derive(Debug)]
pub struct Staging {
    target: PathBuf,
    edited: Edited,
    aside: Scratch,
    /// Whether a folder stands at the target, whose content is exchanged: somebody may be in it.
    exists: bool,
}

impl Staging {
    /// Begins a folder that is to stand at `target`.
    ///
    /// # Errors
    /// Something stands there that hwgen did not write or that was edited since, or nothing can be written there.
    pub fn begin(target: &Path, edited: Edited) -> Result<Self> {
        let target = std::path::absolute(target).map_err(|e| Failure::io("resolve the folder", target, &e))?;
        [Some(target.as_path()), target.parent()].into_iter().flatten().for_each(sweep);
        let exists = found(&target, edited)?.is_some();
        let parent = if exists { &target } else { target.parent().unwrap_or(&target) };
        fs::create_dir_all(parent).map_err(|e| Failure::io("create the folder", parent, &e))?;
        let aside = temporary_in(parent)?;
        Ok(Self { target, edited, aside, exists })
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

    /// Puts the folder in its place, or its files in the place of what hwgen wrote there before; gives the edits that
    /// were there, of which the changed files are now lost.
    ///
    /// # Errors
    /// The folder was edited in the meantime, or cannot be written; it is then as it was.
    pub fn finish(self) -> Result<Edits> {
        let manifest = Manifest::of(self.path())?;
        self.write(MANIFEST, manifest.text())?;
        if self.exists {
            return uninterrupted(|| self.exchange(&manifest));
        }
        let Self { target, aside, .. } = self;
        fs::rename(aside.path(), &target).map_err(|e| Failure::io("put the new folder in place", &target, &e))?;
        Ok(Edits::default())
    }

    /// Exchanges the files of the folder at the target, which itself stays.
    fn exchange(&self, new: &Manifest) -> Result<Edits> {
        let Self { target, edited, aside, .. } = self;
        let failed = |e: io::Error| Failure::io("exchange the files of the folder", target, &e);
        // two that finish at the same time do so one after the other
        let folder = File::open(target).map_err(failed)?;
        folder.lock().map_err(failed)?;
        // what was edited while the new files were made is no more lost than what was edited before
        let (old, edits) = found(target, *edited)?.unwrap_or_default();
        let taken = new.names().find(|name| edits.foreign.iter().any(|foreign| foreign == name));
        if let Some(name) = taken {
            return Err(Failure::user(refused(
                target,
                &format!("the folder holds `{name}`, which hwgen did not write"),
            )));
        }
        let retreat = temporary_in(target)?;
        let mut moves = Moves::default();
        let old = old.names().filter(|name| !edits.missing.iter().any(|missing| missing == name)).chain([MANIFEST]);
        let exchanged = old
            .filter(|name| fs::symlink_metadata(target.join(name)).is_ok())
            .try_for_each(|name| moves.one(target, retreat.path(), name))
            .and_then(|()| new.names().chain([MANIFEST]).try_for_each(|name| moves.one(aside.path(), target, name)));
        if let Err(e) = exchanged {
            moves.undo();
            return Err(failed(e));
        }
        remove_empty_folders(target, &moves);
        Ok(edits)
    }
}

/// Files that were moved, in order.
#[derive(Debug, Default)]
struct Moves(Vec<(PathBuf, PathBuf)>);

impl Moves {
    /// Moves the file `name` from one folder to another, where folders on its way are made. A link is not followed.
    fn one(&mut self, from: &Path, to: &Path, name: &str) -> io::Result<()> {
        let (from_file, to_file) = (from.join(name), to.join(name));
        let parents = |root: &Path, file: &Path| -> Vec<PathBuf> {
            file.ancestors().skip(1).take_while(|folder| *folder != root).map(Path::to_owned).collect()
        };
        let linked = |folder: &PathBuf| fs::symlink_metadata(folder).is_ok_and(|found| found.is_symlink());
        if let Some(folder) = parents(from, &from_file).iter().chain(&parents(to, &to_file)).find(|f| linked(f)) {
            let message = format!("`{}` is a link, not a folder", folder.display());
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        fs::create_dir_all(to_file.parent().unwrap_or(to))?;
        fs::rename(&from_file, &to_file)?;
        self.0.push((from_file, to_file));
        Ok(())
    }

    /// Moves everything back; what cannot be is left where it is.
    fn undo(&self) {
        for (from, to) in self.0.iter().rev() {
            let _ = fs::rename(to, from);
        }
    }
}

/// Removes the folders below `target` out of which all files were moved.
fn remove_empty_folders(target: &Path, moves: &Moves) {
    for (from, _) in moves.0.iter().filter(|(from, _)| from.starts_with(target)) {
        for folder in from.ancestors().skip(1).take_while(|folder| *folder != target) {
            // one that holds something stays
            let _ = fs::remove_dir(folder);
        }
    }
}

fn temporary_in(parent: &Path) -> Result<Scratch> {
    // the error itself would name the temporary folder, which tells nobody anything
    Scratch::new_in(parent).map_err(|e| Failure::io("write into the folder", parent, &e.kind().into()))
}

/// What hwgen wrote to `target` and how it was edited, or `None` if nothing stands there.
///
/// # Errors
/// Something else stands there, or edits that are not to be lost.
fn found(target: &Path, edited: Edited) -> Result<Option<(Manifest, Edits)>> {
    match fs::symlink_metadata(target) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Failure::io("look at the folder", target, &e)),
        Ok(found) if !found.is_dir() => return Err(Failure::user(refused(target, "the output folder is a file"))),
        Ok(_) => {}
    }
    let foreign = |file: &str| format!("the folder holds `{file}`, which hwgen did not write");
    let Some(manifest) = Manifest::read(target)? else {
        let mut first = None;
        each_file_below(target, |file| {
            let is_temporary = file.starts_with(PREFIX);
            first = (!is_temporary).then_some(file);
            is_temporary
        })?;
        return match first {
            Some(file) => Err(Failure::user(refused(target, &foreign(&file)))),
            None => Ok(Some((Manifest::default(), Edits::default()))),
        };
    };
    let edits = manifest.edits(target)?;
    if edited == Edited::Refuse {
        let force = "choose another folder with --out, or lose the edits with --force";
        if let Some(file) = edits.foreign.first() {
            return Err(Failure::user(refused(target, &foreign(file))));
        }
        if let Some(file) = edits.changed.first() {
            let more = match edits.changed.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!("`{file}`{more} was edited since hwgen wrote it");
            return Err(Failure::user(refused(target, &message).help(force)));
        }
    }
    Ok(Some((manifest, edits)))
}

fn refused(target: &Path, message: &str) -> Diagnostic {
    Diagnostic::error("output-folder", message)
        .at(target.display().to_string(), "nothing was changed here")
        .help("choose a folder of its own with --out, or move what is in there")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emit_over(target: &Path, files: &[&str], edited: Edited) -> Result<Edits> {
        let staging = Staging::begin(target, edited)?;
        files.iter().try_for_each(|file| staging.write(file, file))?;
        staging.finish()
    }

    fn emit(target: &Path, files: &[&str]) -> Result<Edits> {
        emit_over(target, files, Edited::Refuse)
    }

    fn beside(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    fn files_below(folder: &Path) -> Vec<String> {
        let mut files = Vec::new();
        each_file_below(folder, |file| {
            files.push(file);
            true
        })
        .unwrap();
        files.sort();
        files
    }

    #[test]
    fn a_folder_of_ours_is_replaced_whole() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("a/rtl");
        emit(&target, &["x.v", "sub/y.v"]).unwrap();
        emit(&target, &["z.v"]).unwrap();
        assert_eq!(files_below(&target), [MANIFEST, "z.v"]);
        assert_eq!(beside(&target), 2, "no empty folder is left");
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
        let kept = emit_over(&target, &["y.v"], Edited::Overwrite).unwrap();
        assert_eq!(kept.foreign, ["thesis.tex"]);
        assert_eq!(files_below(&target), [MANIFEST, "thesis.tex", "y.v"]);
        let taken = emit_over(&target, &["thesis.tex"], Edited::Overwrite).unwrap_err();
        assert_eq!(taken.exit_code(), 2);
        assert_eq!(files_below(&target), [MANIFEST, "thesis.tex", "y.v"]);
        fs::write(home.path().join("file"), "").unwrap();
        assert!(emit(&home.path().join("file"), &["x.v"]).is_err());
        assert!(emit(&home.path().join("file/below"), &["x.v"]).is_err());
    }

    #[test]
    fn edits_are_lost_only_if_that_is_wanted() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("rtl");
        emit(&target, &["x.v", "y.v"]).unwrap();
        fs::write(target.join("x.v"), "assign y = 0;").unwrap();
        let error = emit(&target, &["x.v"]).unwrap_err();
        assert!(error.to_string().contains("`x.v` was edited"), "{error}");
        assert_eq!(fs::read_to_string(target.join("x.v")).unwrap(), "assign y = 0;");
        assert_eq!(emit_over(&target, &["x.v"], Edited::Overwrite).unwrap().changed, ["x.v"]);
        assert_eq!(fs::read_to_string(target.join("x.v")).unwrap(), "x.v");
        fs::remove_file(target.join("x.v")).unwrap();
        emit(&target, &["x.v"]).expect("a file that is gone cannot be lost");
    }

    #[test]
    fn what_is_edited_meanwhile_stays() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("rtl");
        emit(&target, &["x.v"]).unwrap();
        let staging = Staging::begin(&target, Edited::Refuse).unwrap();
        staging.write("x.v", "new").unwrap();
        fs::write(target.join("x.v"), "edited").unwrap();
        assert!(staging.finish().is_err());
        assert_eq!(fs::read_to_string(target.join("x.v")).unwrap(), "edited");
        assert_eq!(files_below(&target), [MANIFEST, "x.v"]);
    }

    #[test]
    fn a_failure_half_way_brings_everything_back() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("rtl");
        emit(&target, &["a.v", "sub/b.v"]).unwrap();
        // a link where a folder is needed: what lies behind it is not hwgen's
        fs::create_dir(home.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(home.path().join("elsewhere"), target.join("z")).unwrap();
        let error = emit_over(&target, &["a.v", "z/c.v"], Edited::Overwrite).unwrap_err();
        assert!(error.to_string().contains("is a link, not a folder"), "{error}");
        assert_eq!(files_below(&target), [MANIFEST, "a.v", "sub/b.v", "z"]);
        assert_eq!(beside(&home.path().join("elsewhere")), 0);
    }

    #[test]
    fn the_folder_itself_stays() {
        use std::os::unix::fs::MetadataExt;
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("rtl");
        fs::create_dir(&target).unwrap();
        let number = || fs::metadata(&target).unwrap().ino();
        let before = number();
        emit(&target, &["x.v"]).unwrap();
        emit(&target, &["y.v"]).unwrap();
        assert_eq!(number(), before, "a shell in it is still somewhere");
    }

    #[test]
    fn an_abandoned_folder_leaves_no_trace() {
        let home = tempfile::tempdir().unwrap();
        let staging = Staging::begin(&home.path().join("rtl"), Edited::Refuse).unwrap();
        staging.write("x.v", "").unwrap();
        drop(staging);
        assert_eq!(beside(home.path()), 0);
    }
}
