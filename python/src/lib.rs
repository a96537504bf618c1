//! The compiled half of the Python package `hwgen`: networks, folders and reports of the library, on NumPy's memory.
//!
//! Options arrive as arguments of the program and are read by the same definitions; reports leave as JSON, which
//! `hwgen.reports` makes dataclasses of.

mod call;
mod design;
mod network;

use pyo3::prelude::*;

/// The compiled half of the package.
#[pymodule(name = "_hwgen")]
mod module {
    #[pymodule_export]
    use crate::call::{Error, InputError, show_progress};
    #[pymodule_export]
    use crate::design::{simulate, synth, verify};
    #[pymodule_export]
    use crate::network::Network;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn version(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
