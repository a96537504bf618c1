//! Drawings of modules: the graph in DOT, the pipeline in SVG; and heat maps. All are text, the same for the same thing.

mod dot;
mod heat;
mod svg;

pub use dot::dot;
pub use heat::{HeatMap, Row};
pub use svg::pipeline_svg;
