//! A single output file: written aside, then renamed; never over something that is there already.

use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};

/// Writes `content` to `path`, in the place of a file that may be there; it is there whole or not at all.
///
/// # Errors
/// Nothing can be written there.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let failed = |e: std::io::Error| Failure::io("write the file", path, &e);
    // a device or a pipe takes what it is given
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return std::fs::write(path, content).map_err(failed);
    }
    aside(path, content)?.persist(path).map(drop).map_err(|e| failed(e.error))
}

/// A file beside `path` with this content.
fn aside(path: &Path, content: &[u8]) -> Result<tempfile::NamedTempFile> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |e: std::io::Error| Failure::io("write the file", path, &e);
    // the error itself would name the temporary file, which tells nobody anything
    let mut builder = tempfile::Builder::new();
    let mut file =
        builder.permissions(Permissions::from_mode(0o666)).tempfile_in(parent).map_err(|e| failed(e.kind().into()))?;
    file.write_all(content).map_err(failed)?;
    Ok(file)
}

/// Writes `content` to a new file at `path`.
///
/// # Errors
/// Something is there already, or nothing can be written there.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    aside(path, content)?.persist_noclobber(path).map_err(|e| match e.error.kind() {
        ErrorKind::AlreadyExists => Failure::user(
            Diagnostic::error("output-file", "the output file exists already")
                .at(path.display().to_string(), "nothing was changed here")
                .help("remove it or choose another name with --out"),
        ),
        _ => Failure::io("write the file", path, &e.error),
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_stays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("image.hex");
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().exit_code(), 2);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 1);
        assert!(write_new(&home.path().join("no/such"), b"").is_err());
    }
}
