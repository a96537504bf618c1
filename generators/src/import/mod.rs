//! Readers of the file formats that trained networks come in.
//!
//! [`keras`] and [`onnx`] read files; [`lift`] turns the frameworks' floating-point operations into integer layers.

pub mod dense;
pub mod file;
pub mod keras;
pub mod lift;
pub mod matrix;
pub mod onnx;
