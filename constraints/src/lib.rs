pub mod liberty;
pub mod calibrate;
pub mod target;
mod process;
pub mod fetch;
