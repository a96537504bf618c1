//! The layer of interaction networks that copies nodes to the edges between them, or adds edges up at nodes. It belongs to
//! no framework; many programs define it alike, and its matrix is in the file.

use hdl::diag::Diagnostic;

use super::KerasLayer;
use super::class::{Build, LayerClass};
use crate::import::lift::{Constant, Lift, Real};
use crate::model::Op;

/// The layer.
pub(super) const CLASSES: &[LayerClass] = &[LayerClass {
    names: &["NodeEdgeProjection"],
    keys: &[&["receiving", "node_to_edge"]],
    known: &[],
    variables: |_| vec!["adjacency_matrix"],
    build: Build::One(Lift::node_edge_projection),
}];

/// Edges between all different nodes as pairs of receiver and sender, by the former first.
fn edges(nodes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..nodes).flat_map(move |receiver| (0..nodes).filter(move |s| *s != receiver).map(move |s| (receiver, s)))
}

impl Lift {
    /// `[1, nodes, features]` to `[1, edges, features]` or the other way, by the matrix in the file.
    fn node_edge_projection(&mut self, layer: &KerasLayer, x: Real) -> Result<Real, Diagnostic> {
        let receiving = layer.config.flag("receiving")?.unwrap_or(true);
        let to_edges = layer.config.flag("node_to_edge")?.unwrap_or(true);
        let matrix = layer.floats("adjacency_matrix")?;
        let &[1, rows, columns] = matrix.shape.as_slice() else {
            return Err(layer.error(format!("its matrix has shape {:?}", matrix.shape)));
        };
        let (nodes, count) = if to_edges { (columns, rows) } else { (rows, columns) };
        let end = |edge: &(usize, usize)| if receiving { edge.0 } else { edge.1 };
        let ends: Vec<usize> = edges(nodes).map(|edge| end(&edge)).collect();
        let entry = |row: usize, column: usize| {
            let (edge, node) = if to_edges { (row, column) } else { (column, row) };
            f32::from(u8::from(ends.get(edge) == Some(&node)))
        };
        let alike = (0..rows * columns).all(|k| matrix.values[k] == entry(k / columns, k % columns));
        if ends.len() != count || !alike {
            return Err(layer.error("its matrix is not the one that `receiving` and `node_to_edge` say"));
        }
        if self.shape(&x).len() != 3 {
            return Err(layer.error(format!("it does not fit operands of shape {:?}", self.shape(&x))));
        }
        let weights = Constant::float(vec![rows, columns], matrix.values);
        let weights = weights.moved(&Op::Transpose { axes: vec![1, 0] }).map_err(|why| layer.error(why))?;
        let x = self.moved(&layer.name, x, Op::Transpose { axes: vec![0, 2, 1] })?;
        let y = self.dense(&layer.name, x, &weights)?;
        self.moved(&layer.name, y, Op::Transpose { axes: vec![0, 2, 1] })
    }
}
