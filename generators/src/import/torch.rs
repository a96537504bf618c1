//! State dictionaries of PyTorch: what `torch.save(model.state_dict(), "model.pt")` writes, a zip archive of a pickle that
//! describes the tensors and of an entry for each storage.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::rc::Rc;

use hdl::names::quoted;
use zip::ZipArchive;

use super::bounded;
use super::numpy::{MAX_ENTRIES, Numbers, place};
use super::pickle::{Element, Tensor, state_dictionary};

/// Most bytes of the pickle; a thousand tensors take about a hundred thousand.
const PICKLE: u64 = 1 << 24;

/// The tensors of a state dictionary by name.
///
/// # Errors
/// Another file, a pickle that is more than a state dictionary, tensors beyond their storage, more than 2^24 numbers or
/// numbers that are not finite.
pub fn tensors(bytes: &[u8]) -> Result<BTreeMap<String, Numbers>, String> {
    let archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|e| format!("this is no zip archive, as torch.save has written since version 1.6: {e}"))?;
    let mut file = File { archive, left: bounded::MODEL, folder: String::new() };
    let pickle = file.archive.file_names().find_map(|name| Some(name.ok()?.strip_suffix("data.pkl")?.to_owned()));
    file.folder = pickle.ok_or("this is no file of torch.save: it has no data.pkl")?;
    if file.entry("byteorder", 16)?.is_some_and(|order| order != b"little") {
        return Err("its numbers are not little-endian".into());
    }
    let pickle = file.entry("data.pkl", PICKLE)?.ok_or("it has no data.pkl")?;
    let mut storages: BTreeMap<Rc<str>, Vec<u8>> = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    let mut left = MAX_ENTRIES;
    for (name, tensor) in state_dictionary(&pickle)? {
        if !storages.contains_key(&tensor.storage) {
            let entry = format!("data/{}", tensor.storage);
            let storage = file.entry(&entry, bounded::MODEL)?.ok_or_else(|| format!("it has no {}", quoted(&entry)))?;
            storages.insert(Rc::clone(&tensor.storage), storage);
        }
        let read = read(&tensor, &storages[&tensor.storage], &mut left);
        let read = read.map_err(|why| format!("{}: {why}", quoted(&name)))?;
        if numbers.contains_key(&name) {
            return Err(format!("{} is there twice", quoted(&name)));
        }
        numbers.insert(name, read);
    }
    Ok(numbers)
}

struct File<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be unpacked.
    left: u64,
    /// What all entries begin with.
    folder: String,
}

impl File<'_> {
    /// The bytes of an entry, if it is there.
    fn entry(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, String> {
        let full = format!("{}{name}", self.folder);
        let damaged = |e: &dyn std::fmt::Display| format!("{} is damaged: {e}", quoted(name));
        let entry = match self.archive.by_name(&full) {
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            entry => entry.map_err(|e| damaged(&e))?,
        };
        let most = most.min(self.left);
        let bytes = bounded::take(entry, most).map_err(|e| damaged(&e))?;
        let bytes = bytes.ok_or_else(|| format!("{} has more than {most} bytes", quoted(name)))?;
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }
}

/// The elements of a tensor; `left` is how many all tensors may still have.
fn read(tensor: &Tensor, storage: &[u8], left: &mut u64) -> Result<Numbers, String> {
    let Tensor { element, offset, shape, strides, .. } = tensor;
    let count = shape.iter().try_fold(1u64, |n, e| n.checked_mul(*e as u64)).filter(|n| n <= left);
    let Some(count) = count.filter(|_| shape.iter().all(|e| *e as u64 <= MAX_ENTRIES)) else {
        return Err(format!("its shape {shape:?} makes more than {MAX_ENTRIES} numbers"));
    };
    *left -= count;
    let width = match element {
        Element::F32 => 4,
        Element::F64 => 8,
        Element::Integer(bytes) => *bytes,
    };
    let farthest = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |far, (extent, stride)| far.checked_add(extent.saturating_sub(1).checked_mul(*stride)?));
    let within = farthest.is_some_and(|far| far < storage.len() / width);
    if count > 0 && !within {
        return Err(format!("its shape {shape:?} reaches beyond its storage"));
    }
    let element = |number: usize| {
        let place = place(shape, number);
        let at = offset + place.iter().zip(strides).map(|(i, stride)| i * stride).sum::<usize>();
        let bytes = &storage[at * width..][..width];
        let value = value(*element, bytes);
        if value.is_finite() { Ok(value) } else { Err(format!("entry {place:?} is {value}, not a finite number")) }
    };
    let values = (0..count as usize).map(element).collect::<Result<_, _>>()?;
    Ok(Numbers { shape: shape.clone(), values })
}

/// The number in little-endian bytes of the element's width.
fn value(element: Element, bytes: &[u8]) -> f64 {
    let pattern = bytes.iter().rev().fold(0u64, |n, byte| n << 8 | u64::from(*byte));
    match element {
        Element::F32 => f32::from_bits(pattern as u32).into(),
        Element::F64 => f64::from_bits(pattern),
        Element::Integer(width) => {
            let unused = 64 - 8 * width as u32;
            (((pattern << unused) as i64) >> unused) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::import::numpy::archive;

    /// Made by `tests/python/torch_state.py`: a state dictionary, and the same arrays by `numpy.savez`.
    const STATE: &[u8] = include_bytes!("../../../tests/tests/data/torch/state.pt");
    const ARRAYS: &[u8] = include_bytes!("../../../tests/tests/data/torch/state.npz");

    fn unpacked() -> Vec<(String, Vec<u8>)> {
        let mut archive = ZipArchive::new(Cursor::new(STATE)).unwrap();
        let count = archive.len();
        let entry = |k: usize| {
            let mut entry = archive.by_index(k).unwrap();
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
            (entry.name().unwrap().into_owned(), bytes)
        };
        (0..count).map(entry).collect()
    }

    fn packed(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(&**name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// What is said of the file after a change of one entry, the first whose name ends so.
    fn refused(ending: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut entries = unpacked();
        change(&mut entries.iter_mut().find(|(name, _)| name.ends_with(ending)).unwrap().1);
        tensors(&packed(&entries)).unwrap_err()
    }

    #[test]
    fn a_state_dictionary_is_what_numpy_saves() {
        assert_eq!(tensors(STATE).unwrap(), archive(ARRAYS).unwrap());
        assert_eq!(tensors(&packed(&unpacked())).unwrap(), tensors(STATE).unwrap());
    }

    #[test]
    fn what_is_more_than_a_state_dictionary_is_refused() {
        assert!(tensors(b"old").unwrap_err().contains("no zip archive"));
        assert!(tensors(&packed(&[("a".into(), vec![])])).unwrap_err().contains("data.pkl"));
        for (program, why) in [
            (&b"\x80\x02cos\nsystem\nq\x00X\x02\x00\x00\x00ls\x85R."[..], "`os.system`"),
            (b"\x80\x02cbuiltins\neval\n.", "`builtins.eval`"),
            (b"\x80\x04}.", "protocol 4"),
            (b"\x80\x02G\x00\x00\x00\x00\x00\x00\x00\x00.", "instruction 0x47"),
            (b"\x80\x02)\x85\x85\x85\x85\x85\x85.", "tuples in tuples"),
            (b"\x80\x02}X\x01\x00\x00\x00aK\x01s.", "`a` is no tensor"),
            (b"\x80\x02X\xff\xff\xff\xffa", "cut off"),
            (b"\x80\x02h\x07.", "damaged"),
            (b"\x80\x02r\xff\xff\xff\x7f.", "damaged"),
            (b"\x80\x02K\x01.", "no state dictionary"),
            (b"\x80\x02R.", "damaged"),
            (b"\x80\x02ccollections\nOrderedDict\n)\x85R.", "damaged"),
            (b"", "cut off"),
        ] {
            let said = refused("data.pkl", |pickle| *pickle = program.to_vec());
            assert!(said.contains(why), "{program:?}: {said}");
        }
    }

    #[test]
    fn tensors_lie_within_their_storage_and_are_finite() {
        assert!(refused("data/0", |storage| storage.truncate(8)).contains("beyond its storage"));
        let nan = f32::NAN.to_le_bytes();
        assert!(refused("data/0", |storage| storage[4..8].copy_from_slice(&nan)).contains("[0, 1] is NaN"));
        assert!(refused("byteorder", |order| *order = b"big".to_vec()).contains("little-endian"));
        let without: Vec<_> = unpacked().into_iter().filter(|(name, _)| !name.ends_with("data/3")).collect();
        assert!(tensors(&packed(&without)).unwrap_err().contains("`data/3`"));
        // the extent of the first tensor's second axis, 5, as the largest that an instruction holds
        let large = refused("data.pkl", |pickle| {
            let at = pickle.windows(4).position(|w| w == b"K\x03K\x05").unwrap();
            pickle.splice(at + 2..at + 4, *b"J\xff\xff\xff\x7f");
        });
        assert!(large.contains("more than 16777216 numbers"), "{large}");
    }

    /// Files with any byte changed are read or refused.
    #[test]
    fn damaged_files_are_refused_without_harm() {
        let entries = unpacked();
        let pickle = entries.iter().position(|(name, _)| name.ends_with("data.pkl")).unwrap();
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..400 {
            let mut entries = entries.clone();
            let at = random.usize(0..entries[pickle].1.len());
            entries[pickle].1[at] = random.u8(..);
            if let Ok(tensors) = tensors(&packed(&entries)) {
                assert!(tensors.len() <= 12);
            }
        }
    }
}
