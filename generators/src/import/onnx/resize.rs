//! Changing the extents of an image: the nearest element again, or weighted means of two neighbours.

use hdl::diag::Diagnostic;

use super::elementwise::shape;
use super::movement::moved;
use super::node::{Node, Tensor, Value};
use super::operators::Results;
use super::tensor::Kind;
use crate::import::lift::{Constant, Lift, Real};
use crate::model::{Op, elements};

/// How places in the result become places in the operand.
struct Scheme {
    linear: bool,
    coordinates: String,
    nearest: String,
}

/// One axis that changes its extent.
struct Axis {
    from: usize,
    to: usize,
    scale: f32,
}

/// `Upsample`, whose coordinates are those of `Resize` in version 10.
pub(super) fn upsample(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.operand(0)?.clone();
    let scales = match node.version < 9 {
        true => node.floats_attribute("scales")?.map(<[f32]>::to_vec),
        false => Some(node.floats(1)?.values),
    };
    let extents = shape(lift, &x);
    let scales = scales.ok_or_else(|| node.error("its scales are missing"))?;
    let axes = scaled(node, &extents, &(0..extents.len()).collect::<Vec<_>>(), &scales)?;
    let scheme = Scheme { linear: is_linear(node)?, coordinates: "asymmetric".into(), nearest: "simple".into() };
    resized(lift, node, x, &axes, &scheme)
}

/// `Resize` by scales or to sizes.
pub(super) fn resize(lift: &mut Lift, node: &Node<'_>) -> Result<Results, Diagnostic> {
    let x = node.operand(0)?.clone();
    let extents = shape(lift, &x);
    if node.version < 11 {
        let scales = node.floats(1)?.values;
        let axes = scaled(node, &extents, &(0..extents.len()).collect::<Vec<_>>(), &scales)?;
        let scheme = Scheme { linear: is_linear(node)?, coordinates: "asymmetric".into(), nearest: "simple".into() };
        return resized(lift, node, x, &axes, &scheme);
    }
    let linear = is_linear(node)?;
    let scheme = Scheme {
        linear,
        coordinates: node.text("coordinate_transformation_mode", "half_pixel")?,
        nearest: node.text("nearest_mode", "round_prefer_floor")?,
    };
    if node.flag("exclude_outside", false)? {
        return Err(node.unsupported("exclude_outside", "0"));
    }
    let mut changed: Vec<usize> = (0..extents.len()).collect();
    if node.version >= 18 {
        if node.flag("antialias", false)? {
            return Err(node.unsupported("antialias", "0"));
        }
        if node.text("keep_aspect_ratio_policy", "stretch")? != "stretch" {
            return Err(node.unsupported("keep_aspect_ratio_policy", "stretch"));
        }
        if let Some(axes) = node.ints("axes")? {
            changed = node.distinct_axes(axes, extents.len())?;
        }
    }
    // the region counts for tf_crop_and_resize only, which is refused with the other coordinates
    node.optional_constant(1)?;
    let scales = node.optional_constant(2)?.map(|c| c.as_float().values).filter(|s| !s.is_empty());
    let sizes = node.optional_integers(3)?.filter(|s| !s.is_empty());
    let axes = match (scales, sizes) {
        (Some(scales), None) => scaled(node, &extents, &changed, &scales)?,
        (None, Some(sizes)) => sized(node, &extents, &changed, &sizes)?,
        _ => return Err(node.error("either scales or sizes are wanted")),
    };
    resized(lift, node, x, &axes, &scheme)
}

fn is_linear(node: &Node<'_>) -> Result<bool, Diagnostic> {
    match node.text("mode", "nearest")?.as_str() {
        "nearest" => Ok(false),
        "linear" | "bilinear" => Ok(true),
        _ => Err(node.unsupported("mode", "nearest and linear")),
    }
}

fn scaled(node: &Node<'_>, extents: &[usize], changed: &[usize], scales: &[f32]) -> Result<Vec<Axis>, Diagnostic> {
    if scales.len() != changed.len() || scales.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
        return Err(node.error(format!("scales {scales:?} are no positive numbers, one for each of {changed:?}")));
    }
    let mut axes: Vec<Axis> = extents.iter().map(|&from| Axis { from, to: from, scale: 1.0 }).collect();
    for (&axis, &scale) in changed.iter().zip(scales) {
        let from = axes[axis].from;
        axes[axis] = Axis { from, to: (from as f32 * scale).floor().min(1e9) as usize, scale };
    }
    checked(node, axes)
}

fn sized(node: &Node<'_>, extents: &[usize], changed: &[usize], sizes: &[i64]) -> Result<Vec<Axis>, Diagnostic> {
    let fits = |s: &i64| (1..=1 << 24).contains(s);
    if sizes.len() != changed.len() || !sizes.iter().all(fits) {
        return Err(node.error(format!("sizes {sizes:?} are no positive numbers, one for each of {changed:?}")));
    }
    let mut axes: Vec<Axis> = extents.iter().map(|&from| Axis { from, to: from, scale: 1.0 }).collect();
    for (&axis, &to) in changed.iter().zip(sizes) {
        let from = axes[axis].from;
        axes[axis] = Axis { from, to: to as usize, scale: to as f32 / from as f32 };
    }
    checked(node, axes)
}

fn checked(node: &Node<'_>, axes: Vec<Axis>) -> Result<Vec<Axis>, Diagnostic> {
    elements(&axes.iter().map(|a| a.to).collect::<Vec<_>>()).map_err(|why| node.error(why))?;
    match axes.iter().any(|a| a.to == 0 || a.from == 0) {
        true => Err(node.error("nothing is left")),
        false => Ok(axes),
    }
}

fn resized(lift: &mut Lift, node: &Node<'_>, x: Tensor, axes: &[Axis], scheme: &Scheme) -> Result<Results, Diagnostic> {
    let mut ops = Vec::new();
    let mut x = x;
    for (k, axis) in axes.iter().enumerate().filter(|(_, a)| a.scale != 1.0) {
        if scheme.linear {
            let Value::Real(real) = &x.value else {
                return Err(node.error("constants are resized with mode nearest only"));
            };
            if x.kind != Kind::Float {
                return Err(node.error(format!("means of data type {} are not supported", x.kind.name())));
            }
            x = Tensor::float(interpolated(lift, node, real.clone(), k, axis, scheme)?);
        } else {
            let indices: Result<_, _> = (0..axis.to).map(|i| scheme.nearest(node, axis, i)).collect();
            ops.push(Op::Gather { axis: k, indices: indices? });
        }
    }
    Ok(vec![moved(lift, node, &x, ops)?])
}

impl Scheme {
    /// The place in the operand of element `i` of the result. Places that floats round are refused: there
    /// implementations differ.
    fn place(&self, node: &Node<'_>, axis: &Axis, i: usize) -> Result<f64, Diagnostic> {
        let (to, from, i) = (axis.to as f64, axis.from as f64, i as f64);
        let scale = f64::from(axis.scale);
        Ok(match self.coordinates.as_str() {
            "asymmetric" => i / scale,
            "half_pixel" => (i + 0.5) / scale - 0.5,
            "pytorch_half_pixel" if axis.to == 1 => 0.0,
            "pytorch_half_pixel" => (i + 0.5) / scale - 0.5,
            "tf_half_pixel_for_nn" => (i + 0.5) / scale,
            "align_corners" if axis.to == 1 => 0.0,
            "align_corners" => i * (from - 1.0) / (to - 1.0),
            _ => {
                return Err(node.unsupported(
                    "coordinate_transformation_mode",
                    "asymmetric, half_pixel, pytorch_half_pixel, tf_half_pixel_for_nn and align_corners",
                ));
            }
        })
    }

    /// The operand's element that is nearest to element `i` of the result.
    fn nearest(&self, node: &Node<'_>, axis: &Axis, i: usize) -> Result<usize, Diagnostic> {
        /// Further than all roundings of 32-bit floats for extents up to 2^12.
        const SLACK: f64 = 1e-3;
        let place = self.place(node, axis, i)?;
        let of = |place: f64| -> Result<f64, Diagnostic> {
            Ok(match self.nearest.as_str() {
                "floor" => place.floor(),
                "ceil" => place.ceil(),
                "round_prefer_floor" => (place - 0.5).ceil(),
                "round_prefer_ceil" => (place + 0.5).floor(),
                "simple" if axis.scale < 1.0 => place.ceil(),
                "simple" => place.trunc(),
                _ => {
                    return Err(
                        node.unsupported("nearest_mode", "round_prefer_floor, round_prefer_ceil, floor and ceil")
                    );
                }
            }
            .clamp(0.0, axis.from as f64 - 1.0))
        };
        let exact = f64::from(place as f32) == place && is_dyadic(axis.scale);
        let index = of(place)?;
        if !exact && (of(place - SLACK)? != index || of(place + SLACK)? != index) {
            return Err(node
                .error(format!("element {i} lies at {place:.4}, where implementations differ in what is nearest"))
                .help("use a scale that is a power of two, or another coordinate_transformation_mode"));
        }
        Ok(index as usize)
    }
}

/// Whether divisions by it are exact.
fn is_dyadic(scale: f32) -> bool {
    scale.to_bits() & 0x007f_ffff == 0
}

/// The axis as a matrix product with the weights of each element's neighbours, which must be exact.
fn interpolated(
    lift: &mut Lift,
    node: &Node<'_>,
    x: Real,
    k: usize,
    axis: &Axis,
    scheme: &Scheme,
) -> Result<Real, Diagnostic> {
    const FINEST: f64 = 256.0;
    if scheme.coordinates == "tf_half_pixel_for_nn" {
        return Err(node.unsupported("coordinate_transformation_mode", "asymmetric, half_pixel and align_corners"));
    }
    let mut weights = vec![0f32; axis.from * axis.to];
    for i in 0..axis.to {
        let place = scheme.place(node, axis, i)?.clamp(0.0, axis.from as f64 - 1.0);
        let (low, part) = (place.floor() as usize, place.fract());
        if (part * FINEST).fract() != 0.0 || f64::from(place as f32) != place {
            return Err(node
                .error(format!("element {i} lies at {place:.4}: means with such weights are not exact"))
                .help("use mode nearest, or a scale that is a power of two"));
        }
        weights[low * axis.to + i] += 1.0 - part as f32;
        if part > 0.0 {
            weights[(low + 1) * axis.to + i] += part as f32;
        }
    }
    let weights = Constant::float(vec![axis.from, axis.to], weights);
    let rank = lift.shape(&x).len();
    let mut axes: Vec<usize> = (0..rank).collect();
    axes.swap(k, rank - 1);
    let x = lift.moved(&node.name, x, Op::Transpose { axes: axes.clone() })?;
    let y = lift.dense(&node.name, x, &weights)?;
    lift.moved(&node.name, y, Op::Transpose { axes })
}
