//! Tensors stored in a file, and their data types.

use super::proto::TensorProto;
use crate::import::lift::Constant;
use crate::model::{Array, elements};

/// A `TensorProto.DataType` that is read exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float = 1,
    Uint8 = 2,
    Int8 = 3,
    Uint16 = 4,
    Int16 = 5,
    Int32 = 6,
    Int64 = 7,
    Bool = 9,
    Float16 = 10,
    Double = 11,
    Uint32 = 12,
    Uint64 = 13,
    Bfloat16 = 16,
    Uint4 = 21,
    Int4 = 22,
}

impl Kind {
    pub const ALL: [Self; 15] = [
        Self::Float,
        Self::Uint8,
        Self::Int8,
        Self::Uint16,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Bool,
        Self::Float16,
        Self::Double,
        Self::Uint32,
        Self::Uint64,
        Self::Bfloat16,
        Self::Uint4,
        Self::Int4,
    ];

    /// The data type of that number.
    ///
    /// # Errors
    /// Types whose numbers are not read: strings, complex numbers, floats of 8 bits and fewer.
    pub fn of(number: i32) -> Result<Self, String> {
        Self::ALL.into_iter().find(|k| *k as i32 == number).ok_or_else(|| {
            let name = match number {
                0 => "undefined",
                8 => "string",
                14 | 15 => "complex",
                17..=20 | 24 => "float8",
                23 => "float4",
                25 | 26 => "int2",
                _ => "unknown",
            };
            format!(
                "data type {number} ({name}) is not supported; use float, float16, bfloat16, double, bool, or int4 to int64"
            )
        })
    }

    /// Least and greatest number of an integer type.
    pub fn limits(self) -> Option<(i64, i64)> {
        Some(match self {
            Self::Uint8 => (0, u8::MAX.into()),
            Self::Int8 => (i8::MIN.into(), i8::MAX.into()),
            Self::Uint16 => (0, u16::MAX.into()),
            Self::Int16 => (i16::MIN.into(), i16::MAX.into()),
            Self::Int32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Uint32 => (0, u32::MAX.into()),
            Self::Int64 => (i64::MIN, i64::MAX),
            Self::Uint64 => (0, i64::MAX), // greater numbers are refused when they are read
            Self::Bool => (0, 1),
            Self::Uint4 => (0, 15),
            Self::Int4 => (-8, 7),
            Self::Float | Self::Float16 | Self::Double | Self::Bfloat16 => return None,
        })
    }

    /// The name in messages.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// A shape from signed extents.
pub(super) fn shape(dims: &[i64]) -> Result<Vec<usize>, String> {
    let extents: Option<Vec<usize>> = dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    let extents = extents.ok_or_else(|| format!("shape {dims:?} has a negative extent"))?;
    elements(&extents)?;
    Ok(extents)
}

/// The tensor's numbers and their type; doubles must be 32-bit floats to the last bit.
pub(super) fn constant(tensor: &TensorProto) -> Result<(Constant, Kind), String> {
    let kind = Kind::of(tensor.data_type)?;
    let shape = shape(&tensor.dims)?;
    if tensor.data_location != 0 || !tensor.external_data.is_empty() {
        return Err("its data are in another file; save the model in one file".into());
    }
    if tensor.segment.is_some() {
        return Err("it is only a segment of a tensor".into());
    }
    let read = match kind {
        Kind::Float | Kind::Float16 | Kind::Bfloat16 | Kind::Double => Constant::float(shape, floats(tensor, kind)?),
        _ => Constant::Integer(Array { shape, values: integers(tensor, kind)? }),
    };
    let found = match &read {
        Constant::Float { array, .. } => array.values.len(),
        Constant::Integer(array) => array.values.len(),
    };
    let count: usize = read.shape().iter().product();
    if found != count {
        return Err(format!("shape {:?} needs {count} numbers, found {found}", tensor.dims));
    }
    Ok((read, kind))
}

/// The numbers of `$type` from the raw bytes or from the field of their own.
macro_rules! numbers {
    ($tensor:ident, $type:ty, $field:ident) => {{
        let raw = &$tensor.raw_data;
        if !raw.is_empty() && !$tensor.$field.is_empty() {
            return Err("its numbers stand there twice".into());
        }
        if raw.len() % size_of::<$type>() != 0 {
            return Err("its raw data are cut off".into());
        }
        match raw.is_empty() {
            true => None,
            false => {
                let bytes = raw.chunks_exact(size_of::<$type>());
                let read = bytes.map(|b| <$type>::from_le_bytes(b.try_into().expect("exact chunks")));
                Some(read.collect::<Vec<$type>>())
            }
        }
    }};
}

fn floats(tensor: &TensorProto, kind: Kind) -> Result<Vec<f32>, String> {
    let half = |bits: Vec<u16>, widen: fn(u16) -> f32| bits.into_iter().map(widen).collect();
    let stored = || tensor.int32_data.iter().map(|v| *v as u16).collect();
    Ok(match kind {
        Kind::Double => {
            let wide = numbers!(tensor, f64, double_data).unwrap_or_else(|| tensor.double_data.clone());
            let inexact = |v: &&f64| f64::from(**v as f32) != **v && !v.is_nan();
            if let Some(v) = wide.iter().find(inexact) {
                return Err(format!("{v} is no 32-bit float; save the model in single precision"));
            }
            wide.iter().map(|v| *v as f32).collect()
        }
        Kind::Float16 => half(numbers!(tensor, u16, int32_data).unwrap_or_else(stored), from_half),
        Kind::Bfloat16 => {
            half(numbers!(tensor, u16, int32_data).unwrap_or_else(stored), |b| f32::from_bits(u32::from(b) << 16))
        }
        _ => numbers!(tensor, f32, float_data).unwrap_or_else(|| tensor.float_data.clone()),
    })
}

/// IEEE 754 binary16 as a 32-bit float, which holds each exactly.
fn from_half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

fn integers(tensor: &TensorProto, kind: Kind) -> Result<Vec<i64>, String> {
    let small = || tensor.int32_data.iter().map(|v| i64::from(*v)).collect();
    let wide = |values: &[u64]| -> Result<Vec<i64>, String> {
        let fits = |v: &u64| i64::try_from(*v).map_err(|_| format!("{v} is beyond 63 bits"));
        values.iter().map(fits).collect()
    };
    macro_rules! from {
        ($type:ty, $field:ident) => {
            numbers!(tensor, $type, $field).map(|v| v.into_iter().map(i64::from).collect::<Vec<i64>>())
        };
    }
    let values: Vec<i64> = match kind {
        Kind::Uint8 | Kind::Bool => from!(u8, int32_data).unwrap_or_else(small),
        Kind::Int8 => from!(i8, int32_data).unwrap_or_else(small),
        Kind::Uint16 => from!(u16, int32_data).unwrap_or_else(small),
        Kind::Int16 => from!(i16, int32_data).unwrap_or_else(small),
        Kind::Int32 => from!(i32, int32_data).unwrap_or_else(small),
        Kind::Int64 => from!(i64, int64_data).unwrap_or_else(|| tensor.int64_data.clone()),
        Kind::Uint32 => match from!(u32, uint64_data) {
            Some(values) => values,
            None => wide(&tensor.uint64_data)?,
        },
        Kind::Uint64 => {
            let values = numbers!(tensor, u64, uint64_data).unwrap_or_else(|| tensor.uint64_data.clone());
            wide(&values)?
        }
        _ => nibbles(tensor, from!(u8, int32_data).unwrap_or_else(small), kind == Kind::Int4),
    };
    let (low, high) = kind.limits().expect("an integer type");
    match values.iter().find(|v| !(low..=high).contains(v)) {
        Some(v) => Err(format!("{v} is no {}", kind.name())),
        None => Ok(values),
    }
}

/// Two numbers of 4 bits a byte, the low half first; the last half is padding if the count is odd.
fn nibbles(tensor: &TensorProto, bytes: Vec<i64>, signed: bool) -> Vec<i64> {
    let count: i64 = tensor.dims.iter().product();
    let number = |half: i64| if signed && half > 7 { half - 16 } else { half };
    let mut values: Vec<i64> = bytes.iter().flat_map(|b| [number(b & 15), number(b >> 4 & 15)]).collect();
    if values.len() as i64 == count + 1 {
        values.pop();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(data_type: i32, dims: Vec<i64>) -> TensorProto {
        TensorProto { data_type, dims, ..Default::default() }
    }

    #[test]
    fn halves_are_exact() {
        let values =
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2f32.powi(-24)), (0x7bff, 65504.0), (0x3555, 0.333_251_95)];
        for (bits, value) in values {
            assert_eq!(from_half(bits), value);
        }
        assert!(from_half(0x7c01).is_nan() && from_half(0xfc00) == f32::NEG_INFINITY);
    }

    #[test]
    fn every_type_is_read_from_bytes_and_from_its_field() {
        let raw = TensorProto { raw_data: vec![0x21, 0x0f], ..tensor(22, vec![3]) };
        assert_eq!(constant(&raw).unwrap().0, Constant::Integer(Array { shape: vec![3], values: vec![1, 2, -1] }));
        let typed = TensorProto { uint64_data: vec![7], ..tensor(12, vec![1]) };
        assert_eq!(constant(&typed).unwrap().0, Constant::Integer(Array { shape: vec![1], values: vec![7] }));
        let half = TensorProto { int32_data: vec![0x3c00], ..tensor(10, vec![]) };
        assert_eq!(constant(&half).unwrap().0, Constant::float(vec![], vec![1.0]));
    }

    #[test]
    fn what_is_not_exact_is_refused() {
        for bad in [
            TensorProto { raw_data: vec![0; 5], ..tensor(1, vec![1]) },
            TensorProto { raw_data: vec![0; 4], float_data: vec![1.0], ..tensor(1, vec![1]) },
            TensorProto { int32_data: vec![300], ..tensor(3, vec![1]) },
            TensorProto { double_data: vec![0.1], ..tensor(11, vec![1]) },
            TensorProto { uint64_data: vec![u64::MAX], ..tensor(13, vec![1]) },
            TensorProto { raw_data: vec![0], ..tensor(17, vec![1]) },
            TensorProto { data_location: 1, ..tensor(1, vec![0]) },
            TensorProto { segment: Some(super::super::proto::AnyProto {}), ..tensor(1, vec![0]) },
        ] {
            assert!(constant(&bad).is_err(), "{bad:?}");
        }
    }
}
