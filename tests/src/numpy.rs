//! Arrays in numpy's files.

use std::io::{Cursor, Read};
use std::path::Path;

/// A row-major array of 32-bit floats.
#[derive(Debug, Clone, PartialEq)]
pub struct NumpyArray {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
}

impl NumpyArray {
    /// The rows along the first axis.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.values.len() / self.shape[0].max(1))
    }
}

/// The array in a `.npy` file; numbers of any type become 32-bit floats.
///
/// # Panics
/// If there is none.
pub fn npy(path: &Path) -> NumpyArray {
    parse(&std::fs::read(path).expect("a readable file"))
}

/// The array of that name in a `.npz` file.
///
/// # Panics
/// If there is none.
pub fn npz(path: &Path, name: &str) -> NumpyArray {
    let file = std::fs::File::open(path).expect("a readable file");
    let mut archive = zip::ZipArchive::new(file).expect("a zip file");
    let mut bytes = Vec::new();
    let mut entry = archive.by_name(&format!("{name}.npy")).expect("an array of that name");
    entry.read_to_end(&mut bytes).expect("readable data");
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> NumpyArray {
    let read = || npyz::NpyFile::new(Cursor::new(bytes)).expect("numpy's format");
    let file = read();
    let shape: Vec<usize> = file.shape().iter().map(|e| *e as usize).collect();
    let columns_first = file.order() == npyz::Order::Fortran;
    let values: Vec<f32> = match file.try_data::<f32>() {
        Ok(data) => data.map(|v| v.expect("numbers")).collect(),
        Err(file) => match file.try_data::<f64>() {
            Ok(data) => data.map(|v| v.expect("numbers") as f32).collect(),
            Err(_) => {
                let data = read().try_data::<i64>();
                let data = data.unwrap_or_else(|_| panic!("floats or 64-bit integers"));
                data.map(|v| v.expect("numbers") as f32).collect()
            }
        },
    };
    let values = if columns_first { row_major(&shape, &values) } else { values };
    NumpyArray { shape, values }
}

/// Values that were stored with the first axis running fastest.
fn row_major(shape: &[usize], values: &[f32]) -> Vec<f32> {
    let mut places = vec![0];
    let mut stride = 1;
    let strides = shape.iter().map(|extent| {
        stride *= extent;
        stride / extent
    });
    for (extent, stride) in shape.iter().zip(strides) {
        places = places.iter().flat_map(|place| (0..*extent).map(move |i| place + i * stride)).collect();
    }
    places.into_iter().map(|place| values[place]).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_become_rows() {
        assert_eq!(super::row_major(&[2, 3], &[1., 4., 2., 5., 3., 6.]), [1., 2., 3., 4., 5., 6.]);
    }
}
