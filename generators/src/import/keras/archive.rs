//! Keras 3 archives (`.keras`): a zip file with the configuration as JSON and the tensors in HDF5.

use std::io::{Cursor, Read};

use hdl::diag::Diagnostic;
use zip::ZipArchive;

use super::error;

/// Most bytes of the configuration, unpacked.
const MAX_CONFIG: u64 = 64 << 20;

/// Most bytes of the tensors, unpacked.
const MAX_WEIGHTS: u64 = 256 << 20;

/// Whether the bytes are an archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// The configuration and the tensors' file in an archive.
///
/// # Errors
/// No zip file, no configuration or tensors in it, or more of them than can be read.
pub(super) fn unpack(bytes: Vec<u8>) -> Result<(Vec<u8>, Vec<u8>), Diagnostic> {
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|e| error(format!("this is not a readable Keras archive: {e}")))?;
    let config = unpacked(&mut archive, "config.json", MAX_CONFIG)?;
    let weights = unpacked(&mut archive, "model.weights.h5", MAX_WEIGHTS)?;
    Ok((config, weights))
}

fn unpacked(archive: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str, most: u64) -> Result<Vec<u8>, Diagnostic> {
    let damaged = |why: String| error(format!("`{name}` in the archive: {why}"));
    let entry = archive.by_name(name).map_err(|e| damaged(e.to_string()))?;
    let mut bytes = Vec::new();
    let read = entry.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|e| damaged(e.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(damaged(format!("it has more than {most} bytes")));
    }
    Ok(bytes)
}
