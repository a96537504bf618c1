//! Operators that move elements.

use hdl::diag::Diagnostic;

use super::elementwise::shape;
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use crate::import::lift::{Constant, Lift, Real};
use crate::model::{Op, broadcast};

impl Node<'_> {
    /// The movements, in order, that this node makes of an operand of `shape`.
    pub(super) fn movements(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let rank = shape.len();
        let one = |op: Op| Ok(vec![op]);
        match self.operator.name {
            "Reshape" => {
                let wanted = self.optional_integers(1)?.ok_or_else(|| self.error("its new shape is missing"))?;
                one(Op::Reshape { shape: self.new_shape(shape, &wanted)? })
            }
            "Flatten" => {
                let axis = self.int("axis", 1)?;
                if axis < 0 && self.version < 11 {
                    return Err(self.unsupported("axis", "axes from 0 on before version 11 of the operator set"));
                }
                let axis = if axis == rank as i64 { rank } else { self.axis(axis, rank)? };
                let (outer, inner) = shape.split_at(axis);
                one(Op::Reshape { shape: vec![outer.iter().product(), inner.iter().product()] })
            }
            "Squeeze" => {
                let axes = match self.list_of("axes", 1, 13)? {
                    Some(axes) => self.distinct_axes(&axes, rank)?,
                    None => (0..rank).filter(|&a| shape[a] == 1).collect::<Vec<_>>(),
                };
                if axes.iter().any(|&a| shape[a] != 1) {
                    return Err(self.error(format!("only axes of extent 1 can be dropped from {shape:?}")));
                }
                one(Op::Reshape { shape: (0..rank).filter(|a| !axes.contains(a)).map(|a| shape[a]).collect() })
            }
            "Unsqueeze" => {
                let axes = self.list_of("axes", 1, 13)?.ok_or_else(|| self.error("its axes are missing"))?;
                let new = rank + axes.len();
                let axes = self.distinct_axes(&axes, new)?;
                let mut old = shape.iter().copied();
                let shape = (0..new).map(|a| if axes.contains(&a) { 1 } else { old.next().unwrap_or(1) }).collect();
                one(Op::Reshape { shape })
            }
            "Transpose" => {
                let axes = match self.ints("perm")? {
                    Some(perm) => self.distinct_axes(perm, rank)?,
                    None => (0..rank).rev().collect(),
                };
                one(Op::Transpose { axes })
            }
            "Expand" => {
                let wanted = self.optional_integers(1)?.ok_or_else(|| self.error("its new shape is missing"))?;
                let wanted = super::tensor::shape(&wanted).map_err(|why| self.error(why))?;
                self.stretch(shape, &wanted)
            }
            "Tile" => self.tile(shape),
            "Slice" => one(self.slice(shape)?),
            "Gather" => self.gather(shape),
            "DepthToSpace" => self.depth_to_space(shape),
            "SpaceToDepth" => self.space_to_depth(shape),
            other => Err(self.error(format!("`{other}` moves nothing"))),
        }
    }

    fn new_shape(&self, shape: &[usize], wanted: &[i64]) -> Result<Vec<usize>, Diagnostic> {
        let misfit = || self.error(format!("{shape:?} cannot become {wanted:?}"));
        let keeps = !self.flag("allowzero", false)?;
        let total: usize = shape.iter().product();
        let mut new = Vec::with_capacity(wanted.len());
        for (axis, &extent) in wanted.iter().enumerate() {
            new.push(match extent {
                0 if keeps => *shape.get(axis).ok_or_else(misfit)?,
                -1 => 1,
                extent => usize::try_from(extent).map_err(|_| misfit())?,
            });
        }
        if wanted.iter().filter(|e| **e == -1).count() > 1 || (!keeps && wanted.contains(&-1) && wanted.contains(&0)) {
            return Err(misfit());
        }
        if let Some(free) = wanted.iter().position(|e| *e == -1) {
            let others = new.iter().try_fold(1usize, |n, e| n.checked_mul(*e)).filter(|n| *n > 0);
            new[free] = others.filter(|n| total.is_multiple_of(*n)).map(|n| total / n).ok_or_else(misfit)?;
        }
        Ok(new)
    }

    fn slice(&self, shape: &[usize]) -> Result<Op, Diagnostic> {
        let rank = shape.len();
        let list = |k: usize, name: &str| self.list_of(name, k, 10);
        let starts = list(1, "starts")?.ok_or_else(|| self.error("its starts are missing"))?;
        let ends = list(2, "ends")?.ok_or_else(|| self.error("its ends are missing"))?;
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = self.optional_integers(4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(self.error("starts, ends, axes and steps differ in length"));
        }
        let (mut begin, mut count, mut step) = (vec![0; rank], shape.to_vec(), vec![1; rank]);
        let axes = self.distinct_axes(&axes, rank)?;
        for k in 0..starts.len() {
            let axis = axes[k];
            let extent = shape[axis] as i64;
            let by = steps[k];
            if by == 0 || by.unsigned_abs() > 1 << 30 {
                return Err(self.error("a step is not zero"));
            }
            let wrapped = |v: i64| if v < 0 { v.saturating_add(extent) } else { v };
            let (least, most) = if by > 0 { (0, extent) } else { (-1, extent - 1) };
            if by < 0 && ends[k] >= i32::MAX.into() {
                // the standard says that nothing is left, onnxruntime takes it for no limit
                return Err(self.error("an end without limit in front of a negative step means different things"));
            }
            let start = wrapped(starts[k]).clamp(0, most.max(0));
            let end = wrapped(ends[k]).clamp(least, most);
            let span = if by > 0 { end - start } else { start - end };
            count[axis] = if span > 0 { (span as usize).div_ceil(by.unsigned_abs() as usize) } else { 0 };
            begin[axis] = start.max(0) as usize;
            step[axis] = by as isize;
        }
        Ok(Op::Slice { begin, count, step })
    }

    /// Elements along one axis, which becomes the axes of the indices.
    fn gather(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let axis = self.axis(self.int("axis", 0)?, shape.len())?;
        let extent = shape[axis] as i64;
        let Constant::Integer(wanted) = self.constant(1)? else {
            return Err(self.error("indices are integers"));
        };
        let place = |i: &i64| usize::try_from(if *i < 0 { i.saturating_add(extent) } else { *i }).ok();
        let indices: Option<Vec<usize>> = wanted.values.iter().map(place).collect();
        let indices = indices.ok_or_else(|| self.error("an index is out of range"))?;
        let gather = Op::Gather { axis, indices };
        if wanted.shape.len() == 1 {
            return Ok(vec![gather]);
        }
        Ok(vec![gather, Op::Reshape { shape: [&shape[..axis], &wanted.shape, &shape[axis + 1..]].concat() }])
    }

    /// The movements that stretch `shape` as numpy does with one of shape `wanted`.
    pub(super) fn stretch(&self, shape: &[usize], wanted: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let misfit = || self.error(format!("{shape:?} does not stretch to {wanted:?}"));
        let target = broadcast(shape, wanted).ok_or_else(misfit)?;
        crate::model::elements(&target).map_err(|why| self.error(why))?;
        let full = [vec![1; target.len() - shape.len()], shape.to_vec()].concat();
        let repeats = |axis: usize| Op::Gather { axis, indices: vec![0; target[axis]] };
        let mut ops: Vec<Op> = (0..target.len()).filter(|a| full[*a] != target[*a]).map(repeats).collect();
        if full.len() != shape.len() {
            ops.insert(0, Op::Reshape { shape: full });
        }
        Ok(ops)
    }

    fn tile(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let repeats = self.optional_integers(1)?.unwrap_or_default();
        let repeats = super::tensor::shape(&repeats).map_err(|why| self.error(why))?;
        if repeats.len() != shape.len() {
            return Err(self.error(format!("{repeats:?} does not name how often each axis of {shape:?} is repeated")));
        }
        let whole: Option<Vec<usize>> = shape.iter().zip(&repeats).map(|(e, r)| e.checked_mul(*r)).collect();
        crate::model::elements(&whole.unwrap_or_else(|| vec![usize::MAX; 2])).map_err(|why| self.error(why))?;
        let along = |axis: usize| Op::Gather {
            axis,
            indices: (0..shape[axis] * repeats[axis]).map(|i| i % shape[axis]).collect(),
        };
        Ok((0..shape.len()).filter(|a| repeats[*a] != 1).map(along).collect())
    }

    /// Integers from attribute `name` before version `since`, from operand `k` since then.
    fn list_of(&self, name: &str, k: usize, since: i64) -> Result<Option<Vec<i64>>, Diagnostic> {
        match self.version < since {
            true => Ok(self.ints(name)?.map(<[i64]>::to_vec)),
            false => self.optional_integers(k),
        }
    }

    fn image_blocks(&self, shape: &[usize]) -> Result<([usize; 4], usize), Diagnostic> {
        let block = usize::try_from(self.int("blocksize", 0)?).unwrap_or(0);
        let image: Option<[usize; 4]> = shape.try_into().ok();
        match image {
            Some(image) if (1..=1 << 12).contains(&block) => Ok((image, block)),
            _ => Err(self.error(format!("blocks of {block} do not fit an image of shape {shape:?}"))),
        }
    }

    fn depth_to_space(&self, shape: &[usize]) -> Result<Vec<Op>, Diagnostic> {
        let ([n, c, h, w], b) = self.image_blocks(shape)?;
        let depth = c / (b * b);
        let mode = self.text("mode", "DCR")?;
        let crd = match mode.as_str() {
            "CRD" => true,
            "DCR" => false,
            _ => return Err(self.unsupported("mode", "DCR and CRD")),
        };
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
}

/// A tensor whose elements move.
pub(super) fn moved(lift: &mut Lift, node: &Node<'_>, x: &Tensor, ops: Vec<Op>) -> Result<Tensor, Diagnostic> {
    let value = match &x.value {
        Value::Constant(constant) => {
            let moved = ops.iter().try_fold(constant.clone(), |x, op| x.moved(op));
            Value::Constant(moved.map_err(|why| node.error(why))?)
        }
        Value::Real(real) => {
            let moved = ops.into_iter().try_fold(real.clone(), |x, op| lift.moved(&node.name, x, op));
            Value::Real(moved?)
        }
    };
    Ok(Tensor { value, kind: x.kind })
}

/// A tensor in another shape.
pub(super) fn reshaped(lift: &mut Lift, node: &Node<'_>, x: &Tensor, shape: Vec<usize>) -> Result<Tensor, Diagnostic> {
    moved(lift, node, x, vec![Op::Reshape { shape }])
}

/// `x` stretched over what a constant of shape `wanted` has more.
pub(super) fn expanded(lift: &mut Lift, node: &Node<'_>, x: Real, wanted: &[usize]) -> Result<Real, Diagnostic> {
    let ops = node.stretch(&lift.shape(&x).to_vec(), wanted)?;
    ops.into_iter().try_fold(x, |x, op| lift.moved(&node.name, x, op))
}

/// An operator that only moves elements.
pub(super) fn movement(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.operand(0)?.clone();
    let ops = node.movements(&shape(lift, &x))?;
    Ok(vec![moved(lift, node, &x, ops)?])
}
