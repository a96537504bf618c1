//! Readers of the file formats that trained networks come in.
//!
//! [`keras`], [`onnx`] and [`comb_logic`] read files, [`file`] chooses among them; [`lift`] turns the frameworks'
//! floating-point operations into integer layers.

pub mod bounded;
pub mod comb_logic;
mod cut;
pub mod dense;
pub mod file;
pub mod keras;
pub mod lift;
pub mod matrix;
pub mod numpy;
pub mod onnx;
mod pickle;
mod python_json;
pub mod torch;
