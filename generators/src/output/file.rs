//! A single output file: written aside, then renamed; never over something that is there already.

use std::io::{ErrorKind, Write};
use std::path::Path;

use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};

/// Writes `content` to a new file at `path`.
///
/// # Errors
/// Something is there already, or nothing can be written there.
pub fn write_new(path: &Path, content: &[u8]) -> Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |e: std::io::Error| Failure::io("write the file", path, &e);
    // the error itself would name the temporary file, which tells nobody anything
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(|e| failed(e.kind().into()))?;
    file.write_all(content).map_err(failed)?;
    file.persist_noclobber(path).map_err(|e| match e.error.kind() {
        ErrorKind::AlreadyExists => Failure::user(
            Diagnostic::error("output-file", "the output file exists already")
                .at(path.display().to_string(), "nothing was changed here")
                .help("remove it or choose another name with --out"),
        ),
        _ => failed(e.error),
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
