//! An integer matrix from JSON, CSV or NumPy's `.npy`, and floats from the latter.

use std::path::Path;

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use crate::arith::Matrix;
use crate::failure::{Failure, Result};

/// Most entries that a matrix may have.
const MAX_ENTRIES: u64 = 1 << 24;

/// Reads the matrix of `path`, one row for each input: JSON `[[…], …]` or an object with such a `W`, `.csv`, `.npy`.
///
/// # Errors
/// A file that is none of these, entries that are no integers, ragged or empty rows.
pub fn read(path: &Path) -> Result<Matrix> {
    let bytes = std::fs::read(path).map_err(|e| Failure::io("read the matrix", path, &e))?;
    let wrong = |message: String| {
        Failure::user(Diagnostic::error("matrix", message).at(path.display().to_string(), "in this file"))
    };
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let rows = match extension {
        "npy" => from_npy(&bytes),
        "csv" => from_csv(&bytes),
        _ => from_json(&bytes),
    };
    let rows = rows.map_err(wrong)?;
    if rows.first().is_none_or(Vec::is_empty) {
        return Err(wrong("the matrix is empty".into()));
    }
    Matrix::from_rows(&rows).map_err(|e| wrong(e.to_string()))
}

/// The numbers of a `.npy` file in row-major order, as 32-bit floats.
///
/// # Errors
/// Another file, entries that are no numbers, more than 2^24 of them.
pub fn read_floats(path: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(path).map_err(|e| Failure::io("read the numbers", path, &e))?;
    floats(&bytes).map_err(|message| {
        Failure::user(Diagnostic::error("numbers", message).at(path.display().to_string(), "in this file"))
    })
}

fn floats(bytes: &[u8]) -> std::result::Result<Vec<f32>, String> {
    header_fits(bytes)?;
    let open = || npyz::NpyFile::new(bytes).map_err(|e| format!("this is no .npy file: {e}"));
    let file = open()?;
    let count = file.shape().iter().try_fold(1u64, |n, e| n.checked_mul(*e));
    if count.is_none_or(|n| n > MAX_ENTRIES) {
        let shape = file.shape();
        return Err(format!("an array of shape {shape:?} is too large"));
    }
    let shape: Vec<usize> = file.shape().iter().map(|e| *e as usize).collect();
    let columns_first = file.order() == npyz::Order::Fortran;
    let descr = file.dtype().descr();
    macro_rules! entries {
        ($($type:ty),*) => {
            $(if let Ok(data) = open()?.data::<$type>() {
                let values = data
                    .map(|v| v.map(|v| v as f32).map_err(|e| format!("the file is damaged: {e}")))
                    .collect::<std::result::Result<Vec<f32>, String>>()?;
                return Ok(if columns_first { row_major(&shape, &values) } else { values });
            })*
        };
    }
    entries!(f32, f64, i64, i32, i16, i8, u8);
    Err(format!("entries of type {descr} are not supported"))
}

/// Values that were stored with the first axis running fastest.
fn row_major(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let mut places = vec![0];
    let mut stride = 1;
    for extent in shape {
        places = places.iter().flat_map(|place| (0..*extent).map(move |i| place + i * stride)).collect();
        stride *= extent;
    }
    places.iter().map(|place| values[*place]).collect()
}

type Rows = std::result::Result<Vec<Vec<i64>>, String>;

fn from_json(bytes: &[u8]) -> Rows {
    let json: Json = serde_json::from_slice(bytes).map_err(|e| format!("this is not JSON: {e}"))?;
    let matrix = json.get("W").unwrap_or(&json);
    let rows = matrix.as_array().ok_or("expected rows of integers, or an object with such a `W`")?;
    let integer = |i: usize, j: usize, v: &Json| {
        v.as_i64().ok_or_else(|| format!("row {i}, column {j}: expected an integer, found {v}"))
    };
    let row = |(i, row): (usize, &Json)| {
        let entries = row.as_array().ok_or_else(|| format!("row {i} is no array"))?;
        entries.iter().enumerate().map(|(j, v)| integer(i, j, v)).collect()
    };
    rows.iter().enumerate().map(row).collect()
}

fn from_csv(bytes: &[u8]) -> Rows {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(bytes);
    let row = |(i, record): (usize, csv::Result<csv::StringRecord>)| {
        let record = record.map_err(|e| e.to_string())?;
        let integer = |(j, text): (usize, &str)| {
            let found = hdl::names::quoted(text);
            text.parse().map_err(|_| format!("row {i}, column {j}: expected an integer, found {found}"))
        };
        record.iter().enumerate().map(integer).collect()
    };
    reader.records().enumerate().map(row).collect()
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

fn from_npy(bytes: &[u8]) -> Rows {
    header_fits(bytes)?;
    let file = npyz::NpyFile::new(bytes).map_err(|e| format!("this is no .npy file: {e}"))?;
    let &[rows, columns] = file.shape() else {
        return Err(format!("expected a matrix, found the shape {:?}", file.shape()));
    };
    if rows.checked_mul(columns).is_none_or(|n| n > MAX_ENTRIES || n == 0) || file.order() != npyz::Order::C {
        return Err(format!("a {rows}×{columns} matrix in this order is not supported"));
    }
    let dtype = file.dtype();
    let whole = |v: f64| match v.fract() == 0.0 && v.abs() < 2f64.powi(53) {
        true => Ok(v as i64),
        false => Err(format!("expected integers, found {v}")),
    };
    let damaged = |e: std::io::Error| format!("the file is damaged: {e}");
    macro_rules! entries {
        ($type:ty, $convert:expr) => {
            if let Ok(data) = npyz::NpyFile::new(bytes).map_err(damaged)?.data::<$type>() {
                let entries: std::result::Result<Vec<i64>, String> =
                    data.map(|v| v.map_err(damaged).and_then($convert)).collect();
                return Ok(entries?.chunks(columns as usize).map(<[i64]>::to_vec).collect());
            }
        };
    }
    entries!(i64, Ok);
    entries!(i32, |v| Ok(i64::from(v)));
    entries!(i16, |v| Ok(i64::from(v)));
    entries!(i8, |v| Ok(i64::from(v)));
    entries!(f64, whole);
    entries!(f32, |v| whole(f64::from(v)));
    Err(format!("entries of type {} are not supported", dtype.descr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(name: &str, text: &[u8]) -> Result<Matrix> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        read(&folder.path().join(name))
    }

    #[test]
    fn three_forms_of_one_matrix() {
        let expected = Matrix::from_rows(&[vec![1, -2], vec![3, 4]]).unwrap();
        let mut npy = b"\x93NUMPY\x01\x00".to_vec();
        let header = format!("{:<117}\n", "{'descr': '<i2', 'fortran_order': False, 'shape': (2, 2), }");
        npy.extend((header.len() as u16).to_le_bytes());
        npy.extend(header.bytes());
        npy.extend([1i16, -2, 3, 4].iter().flat_map(|v| v.to_le_bytes()));
        assert_eq!(read_text("m.json", b"[[1, -2], [3, 4]]").unwrap(), expected);
        assert_eq!(read_text("m.json", b"{\"W\": [[1, -2], [3, 4]]}").unwrap(), expected);
        assert_eq!(read_text("m.csv", b"1, -2\n3,4\n").unwrap(), expected);
        assert_eq!(read_text("m.npy", &npy).unwrap(), expected);
    }

    #[test]
    fn floats_come_in_row_major_order() {
        let stored = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0];
        assert_eq!(row_major(&[2, 3], &stored), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert!(floats(b"\x93NUMPY\x01\x00").is_err());
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        for (name, text) in [
            ("m.json", &b"[[1, 2.5]]"[..]),
            ("m.json", b"[[1], [2, 3]]"),
            ("m.json", b"[]"),
            ("m.json", b"{}"),
            ("m.csv", b"1,x"),
            ("m.csv", b"1,2\n3"),
            ("m.npy", b"\x93NUMPY\x01\x00"),
        ] {
            assert_eq!(read_text(name, text).unwrap_err().exit_code(), 2, "{name}");
        }
    }
}
