//! The quantised network: a graph of integer tensors, whatever tool trained it.
//!
//! A [`Graph`] holds integers only. What an integer means is said at the ends: an input's [`Encode`] turns the source
//! framework's numbers into integers, an output's [`Decode`] turns integers back, both in 32-bit floating point
//! exactly as the framework computes. In between nothing is rounded unless a layer says so.
//!
//! [`Graph::evaluate`] is the meaning of a graph; generators are compared with it.

mod agreement;
mod array;
pub mod block;
mod cut;
mod deviation;
mod drawing;
mod evaluate;
mod function;
mod fuse;
mod graph;
mod inspect;
mod movement;
mod multiply;
mod needed;
mod op;
mod output;
mod pair;
mod range;
mod real;
mod requantise;
mod schema;
mod shape;
mod softmax;
mod step;
mod window;

pub use agreement::{Agreement, Closeness};
pub use array::{Array, broadcast};
pub use block::{Block, HandMade, RegisterArray};
pub use evaluate::{Encoder, Evaluation};
pub use function::{Function, Growth};
pub use graph::{Decode, Encode, Graph, Input, Layer, MAX_ELEMENTS, Output, TensorId, TensorInfo};
pub use inspect::{Inspection, LayerRow};
pub use movement::{Moved, elements, moved};
pub use multiply::{Multiplication, ProductRule, WeightStore};
pub use op::{Op, PoolKind, filter_fastest};
pub use pair::Pairing;
pub(crate) use real::of_chain;
pub use real::{Quantiser, Step, round_float};
pub use requantise::{Limit, Requantise};
pub use schema::schema;
pub use softmax::Softmax;
pub use step::StepFunction;
pub use window::{Tap, Window};
