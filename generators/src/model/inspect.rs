//! What a network consists of and what it costs, layer by layer.

use std::fmt;

use hdl::num::{Format, Interval};
use serde::Serialize;

use super::array::Array;
use super::graph::{Graph, Layer, TensorInfo};
use super::multiply::{Multiplication, WeightStore};
use super::op::{Op, PoolKind};
use super::requantise::{Limit, Requantise};
use super::shape::spatial;
use super::window::Window;

/// One tensor and the layer that gives it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// Name in the model.
    pub name: String,
    /// The operator, or `input`.
    pub kind: &'static str,
    /// Extents of the result.
    pub shape: Vec<usize>,
    /// Number format of the result: sign, bits, and fraction bits where the scale is a power of two.
    pub format: String,
    /// Least and greatest integer of the result.
    pub range: (i64, i64),
    /// What one step of the result is worth, if that is one number.
    pub scale: Option<f64>,
    /// Weights of the layer.
    pub weights: u64,
    /// Weights that are zero.
    pub zero_weights: u64,
    /// Products that are computed in one evaluation and are no mere shift.
    pub multiplies: u64,
    /// Sums of two numbers in one evaluation.
    pub additions: u64,
    /// Comparisons with a threshold in one evaluation.
    pub comparisons: u64,
    /// Σ (bits of the weight without trailing zeros) · (bits of the operand) over all products.
    pub bit_operations: u64,
    /// What is lost here, if anything: dropped bits, saturation.
    pub loss: Option<String>,
}

/// A whole network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Name of the network.
    pub name: String,
    /// Inputs first, then the layers in order.
    pub layers: Vec<LayerRow>,
    /// Names of the outputs.
    pub outputs: Vec<String>,
}

#[derive(Default)]
struct Work {
    weights: u64,
    zero_weights: u64,
    multiplies: u64,
    additions: u64,
    comparisons: u64,
    bit_operations: u64,
}

impl Graph {
    /// Layers, shapes, formats, ranges and the work of one evaluation.
    pub fn inspect(&self) -> Inspection {
        let inputs = self
            .inputs()
            .iter()
            .enumerate()
            .map(|(k, input)| row(&input.name, "input", None, &self.info[k], Work::default(), None));
        let layers = self.layers().iter().enumerate().map(|(k, layer)| {
            let operands: Vec<&TensorInfo> = layer.inputs.iter().map(|t| self.info(*t)).collect();
            let info = self.info(self.result(k));
            let work = work(layer, &operands, info);
            row(&layer.name, layer.op.name(), layer.scale, info, work, loss(&layer.op, &operands))
        });
        Inspection {
            name: self.name.clone(),
            layers: inputs.chain(layers).collect(),
            outputs: self.outputs().iter().map(|o| o.name.clone()).collect(),
        }
    }
}

fn row(
    name: &str,
    kind: &'static str,
    scale: Option<f64>,
    info: &TensorInfo,
    work: Work,
    loss: Option<String>,
) -> LayerRow {
    LayerRow {
        name: name.to_owned(),
        kind,
        shape: info.shape.clone(),
        format: format(info.range, scale),
        range: (info.range.lo() as i64, info.range.hi() as i64),
        scale,
        weights: work.weights,
        zero_weights: work.zero_weights,
        multiplies: work.multiplies,
        additions: work.additions,
        comparisons: work.comparisons,
        bit_operations: work.bit_operations,
        loss,
    }
}

/// `s6.3`, `u4` times 0.137, …
fn format(range: Interval, scale: Option<f64>) -> String {
    let integers = Format::integer(range).to_string();
    let bits = integers.trim_end_matches(".0");
    match scale {
        Some(scale) if scale > 0.0 && scale.log2().fract() == 0.0 => {
            Format { range, frac: -scale.log2() as i32 }.to_string()
        }
        Some(scale) => format!("{bits} × {scale:.4e}"),
        None => bits.to_owned(),
    }
}

fn work(layer: &Layer, operands: &[&TensorInfo], result: &TensorInfo) -> Work {
    let elements = result.shape.iter().product::<usize>() as u64;
    let x = operands.first();
    match &layer.op {
        Op::Dense { weights, bias, multiplication } => {
            let outer = elements / bias.len().max(1) as u64;
            products(weights, bias, multiplication, |_| outer, x.expect("one operand").range)
        }
        Op::Convolution { weights, bias, window, multiplication, .. } => {
            let x = x.expect("one operand");
            let uses = tap_uses(window, &x.shape);
            products(weights, bias, multiplication, |i| uses[i % uses.len().max(1)], x.range)
        }
        Op::MatMul => {
            let depth = x.and_then(|x| x.shape.last()).map_or(0, |k| *k as u64);
            let bits = operands.iter().map(|o| u64::from(o.range.width())).product::<u64>();
            Work {
                multiplies: elements * depth,
                additions: elements * depth.saturating_sub(1),
                bit_operations: elements * depth * bits,
                ..Work::default()
            }
        }
        Op::Mul => Work {
            multiplies: elements,
            bit_operations: elements * operands.iter().map(|o| u64::from(o.range.width())).product::<u64>(),
            ..Work::default()
        },
        Op::Add | Op::Sub => Work { additions: elements, ..Work::default() },
        Op::Pool { kind: PoolKind::Sum, window } => {
            Work { additions: elements * (window.kernel.iter().product::<usize>() as u64 - 1), ..Work::default() }
        }
        Op::Reduce { kind: PoolKind::Sum, .. } => Work {
            additions: x.map_or(0, |x| x.shape.iter().product::<usize>() as u64).saturating_sub(elements),
            ..Work::default()
        },
        Op::Threshold { functions } => {
            let steps: usize = functions.values.iter().map(|f| f.steps.len()).sum();
            Work { comparisons: steps as u64 * elements / functions.values.len().max(1) as u64, ..Work::default() }
        }
        // a subtraction for each bit of the quotient
        Op::Softmax(softmax) => {
            Work { additions: elements * u64::from(softmax.frac + 4), comparisons: elements, ..Work::default() }
        }
        _ => Work::default(),
    }
}

/// How often each tap of the kernel meets an element in one evaluation of one channel, over all images.
fn tap_uses(window: &Window, shape: &[usize]) -> Vec<u64> {
    let mut uses = vec![0; window.kernel.iter().product()];
    let (outer, extents) = spatial(shape).expect("checked when built");
    for (tap, _) in window.positions(extents).expect("checked when built").iter().flatten() {
        uses[*tap as usize] += outer[0] as u64;
    }
    uses
}

/// Products with constants, or with what registers hold.
fn products(
    weights: &Array<i64>,
    bias: &[i64],
    multiplication: &Multiplication,
    uses: impl Fn(usize) -> u64,
    x: Interval,
) -> Work {
    let mut work = Work { weights: weights.values.len() as u64, ..Work::default() };
    let rows = bias.len().max(1);
    for (i, &weight) in weights.values.iter().enumerate() {
        if let WeightStore::Registers { width, .. } = multiplication.store {
            work.multiplies += uses(i);
            work.additions += uses(i);
            work.bit_operations += uses(i) * u64::from(width) * u64::from(x.width());
            continue;
        }
        if weight == 0 {
            work.zero_weights += 1;
            continue;
        }
        let uses = uses(i);
        let odd = weight.unsigned_abs() >> weight.trailing_zeros();
        work.multiplies += u64::from(odd > 1) * uses;
        work.additions += uses;
        work.bit_operations += uses * u64::from(64 - odd.leading_zeros()) * u64::from(x.width());
    }
    work.additions = work.additions.saturating_sub(rows as u64);
    work
}

fn loss(op: &Op, operands: &[&TensorInfo]) -> Option<String> {
    let x = operands.first()?.range;
    match op {
        Op::Dense { multiplication, .. } | Op::Convolution { multiplication, .. } => {
            let cut = Some(multiplication.cut()).filter(|cut| *cut > 0);
            cut.map(|bits| format!("{bits} bits of each product floored away"))
        }
        Op::Requantise(r) => requantise_loss(std::slice::from_ref(r), x),
        Op::RequantiseEach { formats } => requantise_loss(&formats.values, x),
        Op::Threshold { functions } => {
            let levels = functions.values.iter().map(|f| f.steps.len() + 1).max()?;
            Some(format!("{levels} levels"))
        }
        Op::Softmax(softmax) => Some(format!("rounded to {} fraction bits", softmax.frac)),
        Op::Clamp { lo, hi } if x.lo() < (*lo).into() || x.hi() > (*hi).into() => Some("range cut".into()),
        _ => None,
    }
}

/// What formats lose of numbers in `x`: the most bits that one rounds away, and whether one cuts the range.
fn requantise_loss(formats: &[Requantise], x: Interval) -> Option<String> {
    let mut losses = Vec::new();
    if let Some(drop) = formats.iter().map(|r| r.drop).max().filter(|d| *d > 0) {
        let up_to = if formats.len() > 1 { "up to " } else { "" };
        losses.push(format!("{up_to}{drop} bits rounded away"));
    }
    let cuts = |r: &Requantise| {
        let wide = Requantise { limit: Limit::Saturate { lo: i64::MIN, hi: i64::MAX }, ..*r };
        [x.lo(), x.hi()].iter().any(|v| r.apply(*v) != wide.apply(*v))
    };
    if formats.iter().any(cuts) {
        losses.push("range cut".into());
    }
    (!losses.is_empty()).then(|| losses.join(", "))
}

impl fmt::Display for Inspection {
    /// An aligned table with a line of totals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = [
            "layer",
            "operator",
            "shape",
            "format",
            "range",
            "weights",
            "zeros",
            "multiplies",
            "additions",
            "comparisons",
            "bit operations",
            "lost",
        ];
        let mut table: Vec<[String; 12]> = vec![head.map(String::from)];
        for row in &self.layers {
            table.push([
                row.name.chars().flat_map(char::escape_debug).collect(),
                row.kind.into(),
                format!("{:?}", row.shape),
                row.format.clone(),
                format!("{}…{}", row.range.0, row.range.1),
                row.weights.to_string(),
                row.zero_weights.to_string(),
                row.multiplies.to_string(),
                row.additions.to_string(),
                row.comparisons.to_string(),
                row.bit_operations.to_string(),
                row.loss.clone().unwrap_or_default(),
            ]);
        }
        let total = |of: fn(&LayerRow) -> u64| self.layers.iter().map(of).sum::<u64>().to_string();
        let empty = String::new;
        table.push([
            "total".into(),
            empty(),
            empty(),
            empty(),
            empty(),
            total(|r| r.weights),
            total(|r| r.zero_weights),
            total(|r| r.multiplies),
            total(|r| r.additions),
            total(|r| r.comparisons),
            total(|r| r.bit_operations),
            empty(),
        ]);
        let widths: Vec<usize> =
            (0..12).map(|c| table.iter().map(|row| row[c].chars().count()).max().unwrap_or(0)).collect();
        for row in &table {
            let mut line = String::new();
            for (c, cell) in row.iter().enumerate() {
                let gap = " ".repeat(widths[c] - cell.chars().count());
                let numeric = (5..11).contains(&c);
                line += &if numeric { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
