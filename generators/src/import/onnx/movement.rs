//! Operators that move elements.

use hdl::diag::Diagnostic;

use super::node::{Node, Value};
use crate::import::lift::{Lift, Real};
use crate::model::Op;

impl Node<'_> {
    /// The movements, in order, that this node makes of an operand of `shape`.
    pub(super) fn movements(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let rank = shape.len();
        let one = |op: Op| Ok(vec![op]);
        match self.proto.op_type.as_str() {
            "Reshape" => {
                let wanted = self.optional_integers(1)?.or_else(|| self.ints("shape").map(<[i64]>::to_vec));
                let wanted = wanted.ok_or_else(|| self.error("its new shape is missing"))?;
                one(Op::Reshape { shape: self.new_shape(shape, &wanted)? })
            }
            "Flatten" => {
                let axis = self.int("axis", 1);
                let axis = if axis == rank as i64 { rank } else { self.axis(axis, rank)? };
                let (outer, inner) = shape.split_at(axis);
                one(Op::Reshape { shape: vec![outer.iter().product(), inner.iter().product()] })
            }
            "Squeeze" => {
                let axes = match self.axes(1)? {
                    Some(axes) => axes.iter().map(|a| self.axis(*a, rank)).collect::<Result<_, _>>()?,
                    None => (0..rank).filter(|&a| shape[a] == 1).collect::<Vec<_>>(),
                };
                if axes.iter().any(|&a| shape[a] != 1) {
                    return Err(self.error(format!("only axes of extent 1 can be dropped from {shape:?}")));
                }
                one(Op::Reshape { shape: (0..rank).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect() })
            }
            "Unsqueeze" => {
                let axes = self.axes(1)?.ok_or_else(|| self.error("its axes are missing"))?;
                let new = rank + axes.len();
                let axes: Vec<usize> = axes.iter().map(|a| self.axis(*a, new)).collect::<Result<_, _>>()?;
                let mut old = shape.iter().copied();
                let shape = (0..new).map(|a| if axes.contains(&a) { 1 } else { old.next().unwrap_or(1) }).collect();
                one(Op::Reshape { shape })
            }
            "Transpose" => {
                let axes = match self.ints("perm") {
                    Some(perm) => perm.iter().map(|a| self.axis(*a, rank)).collect::<Result<_, _>>()?,
                    None => (0..rank).rev().collect(),
                };
                one(Op::Transpose { axes })
            }
            "Slice" => one(self.slice(shape)?),
            "Gather" => self.gather(shape),
            "DepthToSpace" => self.depth_to_space(shape),
            "SpaceToDepth" => self.space_to_depth(shape),
            other => Err(self.error(format!("`{other}` moves nothing"))),
        }
    }

    fn new_shape(&self, shape: &[usize], wanted: &[i64]) -> Result<Vec<usize>, Diagnostic> {
        let misfit = || self.error(format!("{shape:?} cannot become {wanted:?}"));
        let keeps = self.int("allowzero", 0) == 0;
        let total: usize = shape.iter().product();
        let mut new = Vec::with_capacity(wanted.len());
        for (axis, &extent) in wanted.iter().enumerate() {
            new.push(match extent {
                0 if keeps => *shape.get(axis).ok_or_else(misfit)?,
                -1 => 1,
                extent => usize::try_from(extent).map_err(|_| misfit())?,
            });
        }
        if let Some(free) = wanted.iter().position(|e| *e == -1) {
            let others = new.iter().try_fold(1usize, |n, e| n.checked_mul(*e)).filter(|n| *n > 0);
            new[free] = others.filter(|n| total.is_multiple_of(*n)).map(|n| total / n).ok_or_else(misfit)?;
        }
        Ok(new)
    }

    fn slice(&self, shape: &[usize]) -> Result<Op, Diagnostic> {
        let rank = shape.len();
        let list = |k: usize, name: &str| -> Result<Option<Vec<i64>>, Diagnostic> {
            match self.ints(name) {
                Some(values) => Ok(Some(values.to_vec())),
                None => self.optional_integers(k),
            }
        };
        let starts = list(1, "starts")?.ok_or_else(|| self.error("its starts are missing"))?;
        let ends = list(2, "ends")?.ok_or_else(|| self.error("its ends are missing"))?;
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(self.error("starts, ends, axes and steps differ in length"));
        }
        let (mut begin, mut count, mut step) = (vec![0; rank], shape.to_vec(), vec![1; rank]);
        for k in 0..starts.len() {
            let axis = self.axis(axes[k], rank)?;
            let extent = shape[axis] as i64;
            let by = steps[k];
            if by == 0 || by.unsigned_abs() > 1 << 30 {
                return Err(self.error("a step is not zero"));
            }
            let wrapped = |v: i64| if v < 0 { v.saturating_add(extent) } else { v };
            let (least, most) = if by > 0 { (0, extent) } else { (-1, extent - 1) };
            let start = wrapped(starts[k]).clamp(if by > 0 { 0 } else { -1 }, most);
            let end = wrapped(ends[k]).clamp(least, most);
            let span = if by > 0 { end - start } else { start - end };
            count[axis] = if span > 0 { (span as usize).div_ceil(by.unsigned_abs() as usize) } else { 0 };
            begin[axis] = start.max(0) as usize;
            step[axis] = by as isize;
        }
        Ok(Op::Slice { begin, count, step })
    }

    /// Elements along one axis; a single index drops the axis.
    fn gather(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let axis = self.axis(self.int("axis", 0), shape.len())?;
        let extent = shape[axis] as i64;
        let rank = self.constant(1)?.shape().len();
        if rank > 1 {
            return Err(self.error("indices have at most one axis"));
        }
        let indices = self.optional_integers(1)?.unwrap_or_default();
        let place = |i: &i64| usize::try_from(if *i < 0 { i.saturating_add(extent) } else { *i }).ok();
        let indices: Option<Vec<usize>> = indices.iter().map(place).collect();
        let indices = indices.ok_or_else(|| self.error("an index is out of range"))?;
        let gather = Op::Gather { axis, indices };
        if rank == 1 {
            return Ok(vec![gather]);
        }
        let shape = shape.iter().enumerate().filter(|(a, _)| *a != axis).map(|(_, e)| *e).collect();
        Ok(vec![gather, Op::Reshape { shape }])
    }

    fn image_blocks(&self, shape: &[usize]) -> Result<([usize; 4], usize), Diagnostic> {
        let block = usize::try_from(self.int("blocksize", 0)).unwrap_or(0);
        let image: Option<[usize; 4]> = shape.try_into().ok();
        match image {
            Some(image) if (1..=1 << 12).contains(&block) => Ok((image, block)),
            _ => Err(self.error(format!("blocks of {block} do not fit an image of shape {shape:?}"))),
        }
    }

    fn depth_to_space(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let ([n, c, h, w], b) = self.image_blocks(shape)?;
        let depth = c / (b * b);
        let crd = self.text("mode").as_deref() == Some("CRD");
        let (split, axes) = if crd {
            (vec![n, depth, b, b, h, w], vec![0, 1, 4, 2, 5, 3])
        } else {
            (vec![n, b, b, depth, h, w], vec![0, 3, 4, 1, 5, 2])
        };
        Ok(vec![
            Op::Reshape { shape: split },
            Op::Transpose { axes },
            Op::Reshape { shape: vec![n, depth, h * b, w * b] },
        ])
    }

    fn space_to_depth(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let ([n, c, h, w], b) = self.image_blocks(shape)?;
        Ok(vec![
            Op::Reshape { shape: vec![n, c, h / b, b, w / b, b] },
            Op::Transpose { axes: vec![0, 3, 5, 1, 2, 4] },
            Op::Reshape { shape: vec![n, c * b * b, h / b, w / b] },
        ])
    }

    /// The axis and the number of elements of each part.
    pub(super) fn parts(&self, shape: &[usize]) -> Result<(usize, Vec<usize>), Diagnostic> {
        let axis = self.axis(self.int("axis", 0), shape.len())?;
        let given = match self.ints("split") {
            Some(sizes) => Some(sizes.to_vec()),
            None => self.optional_integers(1)?,
        };
        let outputs = self.proto.output.len().max(1);
        let sizes: Option<Vec<usize>> = match given {
            Some(sizes) => sizes.iter().map(|s| usize::try_from(*s).ok()).collect(),
            None => {
                let size = shape[axis].div_ceil(outputs);
                Some((0..outputs).map(|k| size.min(shape[axis].saturating_sub(k * size))).collect())
            }
        };
        let sizes = sizes.filter(|s| s.iter().try_fold(0usize, |n, s| n.checked_add(*s)) == Some(shape[axis]));
        sizes.map(|s| (axis, s)).ok_or_else(|| self.error(format!("its parts do not add up to {}", shape[axis])))
    }
}

impl Lift {
    pub(super) fn movement(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let mut x = node.real(0)?;
        if node.proto.op_type == "Pad" {
            return self.onnx_pad(node, x);
        }
        let shape = self.shape(&x).to_vec();
        for op in node.movements(&shape)? {
            x = self.moved(&node.name, x, op)?;
        }
        Ok(x)
    }

    fn onnx_pad(&mut self, node: &Node<'_>, x: Real) -> Result<Real, Diagnostic> {
        let rank = self.shape(&x).len();
        if node.text("mode").is_some_and(|m| m != "constant") {
            return Err(node.error("only padding with a constant is supported"));
        }
        let pads = match node.ints("pads") {
            Some(pads) => pads.to_vec(),
            None => node.optional_integers(1)?.unwrap_or_default(),
        };
        let pads: Option<Vec<usize>> = pads.iter().map(|p| usize::try_from(*p).ok()).collect();
        let pads = pads
            .filter(|p| p.len() == 2 * rank)
            .ok_or_else(|| node.error(format!("{} numbers that are not negative are wanted as pads", 2 * rank)))?;
        let value = match node.optional_constant(2)? {
            Some(c) => c.as_float().as_scalar().copied().ok_or_else(|| node.error("it pads with one number"))?,
            None => node.float("value", 0.0),
        };
        self.pad(&node.name, x, pads[..rank].to_vec(), pads[rank..].to_vec(), value)
    }

    pub(super) fn onnx_concat(&mut self, node: &Node<'_>) -> Result<Real, Diagnostic> {
        let mut parts = Vec::new();
        for k in 0..node.operands() {
            parts.push(match node.operand(k)? {
                Value::Real(real) => real.clone(),
                Value::Constant(constant) => self.constant(&node.name, constant)?,
            });
        }
        let rank = parts.first().map_or(0, |p| self.shape(p).len());
        let axis = node.axis(node.int("axis", 0), rank)?;
        self.concat(&node.name, parts, axis)
    }

    pub(super) fn split(&mut self, node: &Node<'_>) -> Result<Vec<Real>, Diagnostic> {
        let x = node.real(0)?;
        let shape = self.shape(&x).to_vec();
        let (axis, sizes) = node.parts(&shape)?;
        let mut first = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for size in sizes {
            let indices = (first..first + size).collect();
            parts.push(self.moved(&node.name, x.clone(), Op::Gather { axis, indices })?);
            first += size;
        }
        Ok(parts)
    }
}
