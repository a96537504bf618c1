//! Functions of Keras and TensorFlow that stand in a model like layers: those of `keras.ops` in Keras 3, `TFOpLambda` and
//! `SlicingOpLambda` in Keras 2.
//!
//! [`table`] lists them. A function has parameters, which may stand in the call or, in Keras 3, in the configuration;
//! each one that is given is read, known to be without influence, or refused ([`arguments`]).

mod arguments;
mod elementwise;
mod indexing;
mod movement;
mod reduction;
mod table;

use hdl::names::quoted;

use super::KerasLayer;
use super::class::{Build, LayerClass, Results, none};
use super::layer_calls::Call;
use crate::import::keras::settings::Known;
use crate::import::lift::{Lift, Real};

use arguments::Arguments;

/// What stands in front of the names of Keras 3's functions, which may be those of layers too.
const PREFIX: &str = "ops.";

/// A function.
pub(super) struct Function {
    /// `ops.` and its class in Keras 3, or its name below `tf` in Keras 2.
    pub name: &'static str,
    /// Parameters that are read, in the order of the signature.
    pub parameters: &'static [&'static str],
    /// Parameters, or values of them, that are without influence.
    pub known: &'static [Known],
    /// What builds it.
    build: fn(&mut Lift, &mut Arguments) -> Results,
}

/// The layers of Keras 2 around functions of TensorFlow.
pub(super) const CLASSES: &[LayerClass] = &[LayerClass {
    names: &["TFOpLambda", "SlicingOpLambda"],
    keys: &[&["function"]],
    known: &[],
    variables: none,
    build: Build::Function(|lift, layer, call| {
        let name = layer.config.text("function")?.unwrap_or_default();
        lift.keras_function(layer, name, call)
    }),
}];

/// A function of Keras 3. What its configuration has are its parameters.
const FUNCTION: LayerClass = LayerClass {
    names: &[],
    keys: &[table::KEYS],
    known: &[],
    variables: none,
    build: Build::Function(|lift, layer, call| lift.keras_function(layer, &layer.class, call)),
};

/// The name that a function of Keras 3 has here.
pub(super) fn name(class: &str) -> String {
    format!("{PREFIX}{class}")
}

/// Whether a class, as [`name`] gives it, is a function of Keras 3.
pub(super) fn is_one(class: &str) -> bool {
    class.starts_with(PREFIX)
}

/// The class of a function of Keras 3, if it is supported.
pub(super) fn class(name: &str) -> Option<&'static LayerClass> {
    const CLASS: &LayerClass = &FUNCTION;
    function(name).map(|_| CLASS)
}

/// All functions.
pub(super) fn functions() -> impl Iterator<Item = &'static Function> {
    table::FUNCTIONS.iter().flat_map(|part| part.iter())
}

fn function(name: &str) -> Option<&'static Function> {
    functions().find(|function| function.name == name)
}

impl Lift {
    fn keras_function(&mut self, layer: &KerasLayer, name: &str, call: Call<Real>) -> Results {
        let function = function(name).ok_or_else(|| {
            let why = layer.error(format!("the function {} is not supported", quoted(name)));
            why.help("supported are arithmetic, activations, sums, products, and functions that move elements")
        })?;
        let mut arguments = Arguments::of(layer, function, call)?;
        let results = (function.build)(self, &mut arguments)?;
        arguments.finish()?;
        Ok(results)
    }
}
