//! An integer matrix from JSON, CSV or NumPy's `.npy`.

use std::path::Path;

use hdl::diag::Diagnostic;
use serde_json::Value as Json;

use super::{bounded, numpy};
use crate::arith::Matrix;
use crate::failure::{Failure, Result};

/// Reads the matrix of `path`, one row for each input: JSON `[[…], …]` or an object with such a `W`, `.csv`, `.npy`.
///
/// # Errors
/// A file that is none of these, entries that are no integers, ragged or empty rows.
pub fn read(path: &Path) -> Result<Matrix> {
    let bytes = bounded::read("read the matrix", path, bounded::TEXT)?;
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

type Rows = std::result::Result<Vec<Vec<i64>>, String>;

fn from_json(bytes: &[u8]) -> Rows {
    let json: Json = serde_json::from_slice(bytes).map_err(|e| format!("this is not JSON: {e}"))?;
    let matrix = match &json {
        Json::Object(object) => matrix_of(object)?,
        list => list,
    };
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

/// Keys beside `W` that say nothing about the matrix: what a case is called and how it was made, and the width of inputs,
/// whose ranges the command says.
const HARMLESS: [&str; 3] = ["name", "w_bits", "x_bits"];

/// The matrix of an object.
fn matrix_of(object: &serde_json::Map<String, Json>) -> std::result::Result<&Json, String> {
    let unknown = object.iter().find(|(key, value)| match key.as_str() {
        "W" => false,
        "kind" => *value != "cmvm",
        key => !HARMLESS.contains(&key),
    });
    match unknown {
        Some((key, value)) => {
            let [key, value] = [key, &value.to_string()].map(|text| hdl::names::quoted(text));
            Err(format!("beside `W` there is {key} with the value {value}, which is not known"))
        }
        None => object.get("W").ok_or_else(|| "there is no `W` in the object".to_owned()),
    }
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

fn from_npy(bytes: &[u8]) -> Rows {
    let file = numpy::open(bytes)?;
    let &[rows, columns] = file.shape() else {
        return Err(format!("expected a matrix, found the shape {:?}", file.shape()));
    };
    if rows * columns == 0 || file.order() != npyz::Order::C {
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
    fn what_is_no_matrix_is_refused() {
        for (name, text) in [
            ("m.json", &b"[[1, 2.5]]"[..]),
            ("m.json", b"[[1], [2, 3]]"),
            ("m.json", b"[]"),
            ("m.json", b"{}"),
            ("m.json", b"{\"W\": [[1]], \"bias\": [1]}"),
            ("m.json", b"{\"W\": [[1]], \"kind\": \"mlp\"}"),
            ("m.csv", b"1,x"),
            ("m.csv", b"1,2\n3"),
            ("m.npy", b"\x93NUMPY\x01\x00"),
        ] {
            assert_eq!(read_text(name, text).unwrap_err().exit_code(), 2, "{name}");
        }
    }
}
