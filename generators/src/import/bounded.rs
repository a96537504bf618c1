//! Files of the user, read whole, but never further than a limit that is known before the first byte.
//!
//! Every reader of a file that a user names goes through here: a device, a pipe or a folder is refused, a file that is too
//! long is refused before it is read, and packed data stop being unpacked at their limit.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::path::Path;

use hdl::diag::Diagnostic;

use crate::failure::{Failure, Result};

/// Most bytes of a model in a binary format.
pub const MODEL: u64 = 1 << 28;
/// Most bytes of JSON or other text, which takes many times as much memory once it is parsed.
pub const TEXT: u64 = 1 << 26;
/// Most bytes of a file in a folder that hwgen wrote: of its data path, or of vectors.
pub const OWN: u64 = 1 << 30;

/// The bytes of a file of at most `most` bytes; `action` says what for, as in "read the model".
///
/// # Errors
/// A file that cannot be read, is no regular file, or is longer.
pub fn read(action: &str, path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = |e: io::Error| Failure::io(action, path, &e);
    let refused = |why: String, help: &str| {
        let error = Diagnostic::error("file", format!("cannot {action}: {why}"));
        Failure::user(error.at(path.display().to_string(), "this one").help(help))
    };
    // asked before it is opened: opening a pipe that nobody writes to would wait forever
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if let Some(kind) = irregular(metadata.file_type()) {
        return Err(refused(format!("it is {kind}"), "give a regular file"));
    }
    let too_long = || refused(format!("it has more than {most} bytes"), "give a smaller file");
    if metadata.len() > most {
        return Err(too_long());
    }
    let file = File::open(path).map_err(failed)?;
    // it may have grown since, and files of the system say that they have no length
    take(file, most).map_err(failed)?.ok_or_else(too_long)
}

/// As [`read`], as text.
///
/// # Errors
/// As [`read`], and bytes that are no UTF-8.
pub fn read_text(action: &str, path: &Path, most: u64) -> Result<String> {
    let bytes = read(action, path, most)?;
    String::from_utf8(bytes).map_err(|_| {
        let error = io::Error::new(io::ErrorKind::InvalidData, "it is not text");
        Failure::io(action, path, &error)
    })
}

/// Everything that is left to read, `None` if that is more than `most` bytes.
///
/// # Errors
/// Those of the reader.
pub fn take(reader: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn irregular(kind: FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() => None,
        kind if kind.is_dir() => Some("a folder"),
        _ => Some("a device, a pipe or a socket"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("model");
        std::fs::write(&path, b"abcd").unwrap();
        assert_eq!(read("read the model", &path, 4).unwrap(), b"abcd");
        let said = read("read the model", &path, 3).unwrap_err().to_string();
        assert!(said.contains("more than 3 bytes") && said.contains("model"), "{said}");
        assert_eq!(take(&b"abcd"[..], 3).unwrap(), None);
        std::fs::write(&path, b"\xff").unwrap();
        assert!(read_text("read the model", &path, TEXT).is_err());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let home = tempfile::tempdir().unwrap();
        let said = read("read the model", home.path(), TEXT).unwrap_err().to_string();
        assert!(said.contains("a folder"), "{said}");
        for device in ["/dev/zero", "/dev/null"].map(Path::new).into_iter().filter(|path| path.exists()) {
            let said = read("read the model", device, TEXT).unwrap_err().to_string();
            assert!(said.contains("a device"), "{said}");
        }
        assert_eq!(read("read the model", &home.path().join("missing"), TEXT).unwrap_err().exit_code(), 2);
    }
}
