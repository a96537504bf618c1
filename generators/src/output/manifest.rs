//! The list of what hwgen wrote into a folder, each file with its SHA-256, in the form that `sha256sum -c` checks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Component, Path};

use hdl::diag::Diagnostic;
use sha2::{Digest, Sha256};
use sim::tools::PREFIX;

use crate::failure::{Failure, Result};
use crate::import::bounded;

/// The file that lists what hwgen wrote into a folder.
pub const MANIFEST: &str = ".hwgen-files";

/// Hexadecimal digits of a sum.
const DIGITS: usize = 64;

/// Files below a folder as relative paths with slashes, each with the SHA-256 of its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    sums: BTreeMap<String, String>,
}

/// Where a folder is not what its manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// Files whose content is another.
    pub changed: Vec<String>,
    /// Files that are gone.
    pub missing: Vec<String>,
    /// Files that the manifest does not name.
    pub foreign: Vec<String>,
}

impl Manifest {
    /// The manifest of everything below `folder` as it lies there.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut names = Vec::new();
        each_file_below(folder, |name| {
            names.push(name);
            true
        })?;
        names.retain(|name| name != MANIFEST);
        let sums = names.into_iter().map(|name| {
            let sum = sum_of(&folder.join(&name)).map_err(|e| Failure::io("read the file", &folder.join(&name), &e))?;
            Ok((name, sum))
        });
        Ok(Self { sums: sums.collect::<Result<_>>()? })
    }

    /// The manifest that lies in `folder`, `None` if there is none.
    ///
    /// # Errors
    /// One that is not as hwgen writes it.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(MANIFEST);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => {}
            _ => return Ok(None),
        }
        let text = bounded::read_text("read the list of files", &path, bounded::OWN)?;
        let sums = text.lines().map(parse_line).collect::<Option<_>>();
        let wrong = || {
            let error = Diagnostic::error("manifest", "this list of files is not as this version of hwgen writes it");
            let error = error.at(path.display().to_string(), "in this file");
            Failure::user(error.help("generate the design again, into a new folder"))
        };
        sums.map(|sums| Some(Self { sums })).ok_or_else(wrong)
    }

    /// One line a file.
    pub fn text(&self) -> String {
        self.sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect()
    }

    /// The files' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sums.keys().map(String::as_str)
    }

    /// How `folder` differs; temporary folders in it, in which somebody makes new files, are not looked at.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub fn edits(&self, folder: &Path) -> Result<Edits> {
        let mut edits = Edits::default();
        for (name, sum) in &self.sums {
            let path = folder.join(name);
            match fs::symlink_metadata(&path) {
                // whatever is no file, such as a pipe that nobody writes to, is not opened
                Ok(found) if !found.is_file() => edits.changed.push(name.clone()),
                Ok(_) if sum_of(&path).map_err(|e| Failure::io("read the file", &path, &e))? == *sum => {}
                Ok(_) => edits.changed.push(name.clone()),
                Err(_) => edits.missing.push(name.clone()),
            }
        }
        each_file_below(folder, |name| {
            if name != MANIFEST && !self.sums.contains_key(&name) && !name.starts_with(PREFIX) {
                edits.foreign.push(name);
            }
            true
        })?;
        edits.foreign.sort();
        Ok(edits)
    }
}

impl Edits {
    /// Files of ours that are not what they were.
    pub fn of_ours(&self) -> impl Iterator<Item = &str> {
        self.changed.iter().chain(&self.missing).map(String::as_str)
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.foreign.is_empty()
    }
}

/// Sum and name; a name that leads out of the folder is none.
fn parse_line(line: &str) -> Option<(String, String)> {
    let (sum, name) = line.split_once("  ")?;
    let is_sum = sum.len() == DIGITS && sum.bytes().all(|b| b.is_ascii_hexdigit());
    let stays = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    (is_sum && stays && !name.is_empty()).then(|| (name.to_owned(), sum.to_owned()))
}

fn sum_of(path: &Path) -> io::Result<String> {
    let mut sum = Sha256::new();
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        sum.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
    Ok(sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Shows each file below `folder` as a relative path with slashes, as long as `see` wants more: the folder may be
/// somebody's home.
///
/// # Errors
/// A folder that cannot be listed.
pub fn each_file_below(folder: &Path, mut see: impl FnMut(String) -> bool) -> Result<()> {
    let mut folders = vec![(folder.to_owned(), OsString::new())];
    while let Some((path, relative)) = folders.pop() {
        let failed = |e: io::Error| Failure::io("list the folder", &path, &e);
        let entries = fs::read_dir(&path).map_err(failed)?;
        let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(failed)?;
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

    #[test]
    fn edits_are_seen() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path();
        fs::create_dir(folder.join("sub")).unwrap();
        for name in ["a.v", "sub/b.hex", "c.txt"] {
            fs::write(folder.join(name), name).unwrap();
        }
        let written = Manifest::of(folder).unwrap();
        fs::write(folder.join(MANIFEST), written.text()).unwrap();
        let read = Manifest::read(folder).unwrap().unwrap();
        assert_eq!(read, written);
        assert!(read.edits(folder).unwrap().is_empty());
        fs::write(folder.join("a.v"), "assign y = 0;").unwrap();
        fs::write(folder.join("sub/new.v"), "").unwrap();
        fs::remove_file(folder.join("c.txt")).unwrap();
        let edits = read.edits(folder).unwrap();
        assert_eq!(edits.changed, ["a.v"]);
        assert_eq!(edits.missing, ["c.txt"]);
        assert_eq!(edits.foreign, ["sub/new.v"]);
    }

    #[test]
    fn a_list_that_leads_elsewhere_is_refused() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(home.path()).unwrap(), None);
        let sum = "0".repeat(DIGITS);
        for line in ["a.v".into(), format!("{sum}  ../a.v"), format!("{sum}  /etc/passwd"), format!("{sum}  ")] {
            fs::write(home.path().join(MANIFEST), line + "\n").unwrap();
            assert_eq!(Manifest::read(home.path()).unwrap_err().exit_code(), 2);
        }
    }
}
