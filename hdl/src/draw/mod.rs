//! Drawings of modules: the graph in DOT, the pipeline in SVG. Both are text, the same for the same module.

mod dot;
mod svg;

pub use dot::dot;
pub use svg::pipeline_svg;
