//! NumPy's `.npy`, an array of numbers with its shape, and `.npz`, several of them by name.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use zip::ZipArchive;

use super::bounded;
use crate::failure::{Failure, Result};

/// Most entries of an array.
pub const MAX_ENTRIES: u64 = 1 << 24;
/// Most arrays of an archive.
const MAX_ARRAYS: usize = 1000;

/// An array of finite numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// As 64-bit floats, whatever the file has.
    pub values: Vec<f64>,
}

impl Numbers {
    /// The array in a `.npy` file.
    ///
    /// # Errors
    /// Another file, entries that are no finite numbers, none of them or more than 2^24.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = bounded::read("read the numbers", path, bounded::MODEL)?;
        let numbers = Self::parse(&bytes).and_then(|numbers| match numbers.values.is_empty() {
            true => Err(format!("an array of shape {:?} has no numbers", numbers.shape)),
            false => Ok(numbers),
        });
        numbers.map_err(|message| {
            Failure::user(Diagnostic::error("numbers", message).at(path.display().to_string(), "in this file"))
        })
    }

    /// The array in the bytes of a `.npy` file.
    ///
    /// # Errors
    /// As [`Numbers::read`], without the name of the file; an array without entries is none.
    pub fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let open = || open(bytes);
        let file = open()?;
        let shape: Vec<usize> = file.shape().iter().map(|e| *e as usize).collect();
        let columns_first = file.order() == npyz::Order::Fortran;
        let descr = file.dtype().descr();
        macro_rules! entries {
            ($($type:ty),*) => {
                $(if let Ok(data) = open()?.data::<$type>() {
                    let values = data
                        .map(|v| v.map(|v| v as f64).map_err(|e| format!("the file is damaged: {e}")))
                        .collect::<std::result::Result<Vec<f64>, String>>()?;
                    let values = if columns_first { row_major(&shape, &values) } else { values };
                    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
                        return Err(format!("entry {:?} is {}, not a finite number", place(&shape, i), values[i]));
                    }
                    return Ok(Self { shape, values });
                })*
            };
        }
        entries!(f32, f64, i64, i32, i16, i8, u64, u32, u16, u8);
        Err(format!("entries of type {descr} are not supported; save integers or floats of 32 or 64 bits"))
    }
}

/// The arrays of a `.npz` file by name.
///
/// # Errors
/// No such archive, too many or too large arrays, and those of [`Numbers::parse`] with the array's name.
pub fn archive(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Numbers>, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| format!("this is no .npz file: {e}"))?;
    if archive.len() > MAX_ARRAYS {
        return Err(format!("{} arrays are more than {MAX_ARRAYS}", archive.len()));
    }
    let mut arrays = BTreeMap::new();
    let mut left = bounded::MODEL;
    for k in 0..archive.len() {
        let entry = archive.by_index(k).map_err(|e| format!("the archive is damaged: {e}"))?;
        let name = entry.name().map_err(|e| format!("the archive is damaged: {e}"))?.into_owned();
        let plain = name.strip_suffix(".npy").ok_or_else(|| format!("{} is no array", quoted(&name)))?.to_owned();
        let unpacked = bounded::take(entry, left).map_err(|e| format!("{} is damaged: {e}", quoted(&name)))?;
        let unpacked = unpacked.ok_or_else(|| format!("the arrays have more than {} bytes", bounded::MODEL))?;
        left -= unpacked.len() as u64;
        let numbers = Numbers::parse(&unpacked).map_err(|why| format!("{}: {why}", quoted(&name)))?;
        if arrays.insert(plain, numbers).is_some() {
            return Err(format!("{} is there twice", quoted(&name)));
        }
    }
    Ok(arrays)
}

/// The file, once it is known that neither its header nor its entries take more memory than the file's own size.
pub(super) fn open(bytes: &[u8]) -> std::result::Result<npyz::NpyFile<&[u8]>, String> {
    header_fits(bytes)?;
    let file = npyz::NpyFile::new(bytes).map_err(|e| format!("this is no .npy file: {e}"))?;
    let count = file.shape().iter().try_fold(1u64, |n, e| n.checked_mul(*e));
    let fits = |n: u64| n <= MAX_ENTRIES && n <= bytes.len() as u64;
    if !count.is_some_and(fits) || file.shape().iter().any(|e| *e > MAX_ENTRIES) {
        return Err(format!("an array of shape {:?} is too large, or more than the file holds", file.shape()));
    }
    Ok(file)
}

/// An error if the file says that its header is longer than the file: the reader sets aside as much as it says.
fn header_fits(bytes: &[u8]) -> std::result::Result<(), String> {
    let says = match bytes {
        [_, _, _, _, _, _, version, _, a, b, c, d, ..] if *version > 1 => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => 0,
    };
    if says > bytes.len() {
        return Err("this is no .npy file: its header is cut off".into());
    }
    Ok(())
}

/// Values that were stored with the first axis running fastest.
fn row_major(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let mut places = vec![0];
    let mut stride = 1;
    for extent in shape {
        places = places.iter().flat_map(|place| (0..*extent).map(move |i| place + i * stride)).collect();
        stride *= extent;
    }
    places.iter().map(|place| values[*place]).collect()
}

/// The indices of an element by its number in row-major order.
pub fn place(shape: &[usize], mut number: usize) -> Vec<usize> {
    let mut indices = vec![0; shape.len()];
    for (index, extent) in indices.iter_mut().zip(shape).rev() {
        *index = number % extent.max(&1);
        number /= extent.max(&1);
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `.npy` file with that header and those bytes behind it.
    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.bytes());
        file.extend(data);
        file
    }

    #[test]
    fn numbers_come_in_row_major_order() {
        let stored = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        assert_eq!(row_major(&[2, 3], &stored), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let read = Numbers::parse(&npy("<i2", "(2, 1)", &[1, 0, 255, 255])).unwrap();
        assert_eq!(read, Numbers { shape: vec![2, 1], values: vec![1.0, -1.0] });
        assert_eq!(place(&[2, 3, 4], 23), [1, 2, 3]);
    }

    #[test]
    fn arrays_come_by_name() {
        let packed = |entries: &[(&str, Vec<u8>)]| {
            let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for (name, bytes) in entries {
                zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
                std::io::Write::write_all(&mut zip, bytes).unwrap();
            }
            zip.finish().unwrap().into_inner()
        };
        let array = npy("<i2", "(1,)", &[7, 0]);
        let read = archive(&packed(&[("a.b.npy", array.clone()), ("c.npy", array.clone())])).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a.b", "c"]);
        assert_eq!(read["c"].values, [7.0]);
        assert!(archive(b"PK").unwrap_err().contains("no .npz"));
        assert!(archive(&packed(&[("c.txt", array)])).unwrap_err().contains("is no array"));
        assert!(archive(&packed(&[("c.npy", vec![1])])).unwrap_err().contains("`c.npy`"));
        // zeros pack a thousandfold; they are not unpacked beyond the limit
        let bomb = vec![0; bounded::MODEL as usize + 1];
        assert!(archive(&packed(&[("c.npy", bomb)])).unwrap_err().contains("more than"));
    }

    #[test]
    fn what_is_no_array_of_numbers_is_refused() {
        let nan = f32::NAN.to_le_bytes();
        for (file, why) in [
            (b"\x93NUMPY\x01\x00".to_vec(), "no .npy file"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f".to_vec(), "cut off"),
            (npy("<f4", "(1,)", &nan), "[0] is NaN"),
            (npy("<f4", "(2,)", &[0; 4]), "damaged"),
            (npy("<f4", "(99999999999,)", &[0; 4]), "too large"),
            (npy("<f4", "(99999999999, 0)", &[]), "too large"),
            (npy("<c8", "(1,)", &[0; 8]), "not supported"),
        ] {
            let said = Numbers::parse(&file).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }
}
