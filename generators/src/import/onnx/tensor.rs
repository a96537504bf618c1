//! Tensors stored in a file.

use super::proto::TensorProto;
use crate::import::lift::Constant;
use crate::model::{Array, elements};

/// The `TensorProto.DataType` numbers that occur.
pub(super) mod data_type {
    pub const FLOAT: i32 = 1;
    pub const UINT8: i32 = 2;
    pub const INT8: i32 = 3;
    pub const UINT16: i32 = 4;
    pub const INT16: i32 = 5;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const BOOL: i32 = 9;
    pub const DOUBLE: i32 = 11;
    pub const UINT32: i32 = 12;
}

/// A shape from signed extents.
pub(super) fn shape(dims: &[i64]) -> Result<Vec<usize>, String> {
    let extents: Option<Vec<usize>> = dims.iter().map(|d| usize::try_from(*d).ok()).collect();
    let extents = extents.ok_or_else(|| format!("shape {dims:?} has a negative extent"))?;
    elements(&extents)?;
    Ok(extents)
}

/// The tensor's numbers; doubles must be 32-bit floats to the last bit.
pub(super) fn constant(tensor: &TensorProto) -> Result<Constant, String> {
    use data_type as t;
    let shape = shape(&tensor.dims)?;
    let count: usize = shape.iter().product();
    if tensor.data_location != 0 {
        return Err("its data are in another file; save the model in one file".into());
    }
    let integers = |values: Vec<i64>| Constant::Integer(Array { shape: shape.clone(), values });
    let floats = |values: Vec<f32>| Constant::float(shape.clone(), values);
    let raw = &tensor.raw_data;
    macro_rules! numbers {
        ($type:ty, $field:ident, $to:ty) => {
            if raw.is_empty() {
                tensor.$field.iter().map(|v| *v as $to).collect::<Vec<$to>>()
            } else {
                let bytes = raw.chunks_exact(size_of::<$type>());
                bytes.map(|b| <$type>::from_le_bytes(b.try_into().expect("exact chunks")) as $to).collect()
            }
        };
    }
    let read = match tensor.data_type {
        t::FLOAT => floats(numbers!(f32, float_data, f32)),
        t::DOUBLE => {
            let wide = numbers!(f64, double_data, f64);
            if let Some(v) = wide.iter().find(|v| f64::from(**v as f32) != **v) {
                return Err(format!("{v} is no 32-bit float; save the model in single precision"));
            }
            floats(wide.iter().map(|v| *v as f32).collect())
        }
        t::UINT8 => integers(numbers!(u8, int32_data, i64)),
        t::INT8 => integers(numbers!(i8, int32_data, i64)),
        t::UINT16 => integers(numbers!(u16, int32_data, i64)),
        t::INT16 => integers(numbers!(i16, int32_data, i64)),
        t::INT32 => integers(numbers!(i32, int32_data, i64)),
        t::INT64 => integers(numbers!(i64, int64_data, i64)),
        t::UINT32 => integers(numbers!(u32, int64_data, i64)),
        t::BOOL => integers(numbers!(u8, int32_data, i64)),
        other => {
            return Err(format!("data type {other} is not supported; use float, int8 to int64, uint8 to uint32"));
        }
    };
    let found = match &read {
        Constant::Float { array, .. } => array.values.len(),
        Constant::Integer(array) => array.values.len(),
    };
    if found != count {
        return Err(format!("shape {:?} needs {count} numbers, found {found}", tensor.dims));
    }
    Ok(read)
}
