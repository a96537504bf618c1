//! Layers that move elements: parameters of the chain move along.

use hdl::diag::Diagnostic;

use super::array::{moved_array, movement, rank_aligned};
use super::{Lift, Noise, Real, at};
use crate::model::{Array, Op, Step};

impl Lift {
    /// Reshape, transpose, slice or gather.
    ///
    /// # Errors
    /// What does not fit the shape.
    pub fn moved(&mut self, name: &str, x: Real, op: Op) -> Result<Real, Diagnostic> {
        let shape = self.shape(&x).to_vec();
        let movement = movement(&op, &shape).map_err(|why| at(name, why))?;
        if movement.shape == shape && movement.sources.iter().copied().eq((0..).map(Some).take(movement.sources.len()))
        {
            return Ok(x);
        }
        self.no_softmax(name, &x)?;
        let parameter = |p: &Array<f32>| moved_array(p, &shape, &movement, &0.0);
        let steps = x.steps.iter().map(|s| s.with(parameter)).collect();
        let unit = moved_array(&x.unit, &shape, &movement, &1.0);
        let tensor = self.push(name, op, vec![x.tensor], &unit)?;
        Ok(Real { tensor, unit, steps, ..x })
    }

    /// `value` around the operand.
    ///
    /// # Errors
    /// A value that is no multiple of the operand's step.
    pub fn pad(
        &mut self,
        name: &str,
        x: Real,
        begin: Vec<usize>,
        end: Vec<usize>,
        value: f32,
    ) -> Result<Real, Diagnostic> {
        let x = self.settle(name, x)?;
        let shape = self.shape(&x).to_vec();
        let n = match x.unit.as_scalar() {
            _ if value == 0.0 => 0.0,
            Some(unit) => f64::from(value) / unit,
            None => f64::NAN,
        };
        if n.fract() != 0.0 {
            return Err(at(name, format!("{value} is no multiple of the operand's step")));
        }
        let op = Op::Pad { begin, end, value: n as i64 };
        let movement = movement(&op, &shape).map_err(|why| at(name, why))?;
        let fill = x.unit.values.first().copied().unwrap_or(1.0);
        let unit = moved_array(&x.unit, &shape, &movement, &fill);
        let tensor = self.push(name, op, vec![x.tensor], &unit)?;
        Ok(Real { tensor, unit, ..x })
    }

    /// All parts one after the other along `axis`.
    ///
    /// # Errors
    /// Parts that do not fit, or whose chains differ and cannot be computed in integers.
    pub fn concat(&mut self, name: &str, parts: Vec<Real>, axis: usize) -> Result<Real, Diagnostic> {
        let Some(first) = parts.first() else {
            return Err(at(name, "there is nothing to join"));
        };
        for part in &parts {
            self.no_softmax(name, part)?;
        }
        let uniform = |p: &Array<f32>| p.values.len() == 1;
        let alike = parts
            .iter()
            .all(|p| p.steps == first.steps && p.unit == first.unit && p.unit.values.len() == 1 && p.raw.is_none());
        if alike && first.steps.iter().flat_map(Step::parameters).all(uniform) {
            let operands = parts.iter().map(|p| p.tensor).collect();
            let noise = parts.iter().map(|p| p.noise).fold(Noise::NONE, Noise::max);
            let tensor = self.push(name, Op::Concat { axis }, operands, &first.unit.clone())?;
            return Ok(Real { tensor, noise, ..parts[0].clone() });
        }
        let settled: Vec<Real> = parts.into_iter().map(|p| self.settle(name, p)).collect::<Result<_, _>>()?;
        let unit = self.joined_units(&settled, axis).ok_or_else(|| at(name, "its operands do not fit"))?;
        let noise = settled.iter().map(|p| p.noise).fold(Noise::NONE, Noise::max);
        let operands = settled.iter().map(|p| p.tensor).collect();
        let tensor = self.push(name, Op::Concat { axis }, operands, &unit)?;
        Ok(Real::plain(tensor, unit, noise))
    }

    /// The units of all parts side by side along `axis`; axes along which no part's unit differs have extent 1.
    fn joined_units(&self, parts: &[Real], axis: usize) -> Option<Array<f64>> {
        let rank = self.shape(parts.first()?).len();
        let mut kept = vec![1; rank];
        let units: Vec<Array<f64>> =
            parts.iter().map(|p| rank_aligned(&p.unit, self.shape(p))).collect::<Option<_>>()?;
        for unit in &units {
            for (kept, extent) in kept.iter_mut().zip(&unit.shape) {
                *kept = (*kept).max(*extent);
            }
        }
        let inner: usize = kept.get(axis + 1..)?.iter().product();
        let outer: usize = kept[..axis].iter().product();
        let mut blocks = Vec::new();
        for (unit, part) in units.iter().zip(parts) {
            let mut shape = kept.clone();
            shape[axis] = *self.shape(part).get(axis)?;
            blocks.push((shape[axis] * inner, unit.stretched(&shape)?));
        }
        kept[axis] = blocks.iter().map(|(len, _)| len / inner.max(1)).sum();
        let row = |o: usize| blocks.iter().flat_map(move |(len, values)| values[o * len..(o + 1) * len].to_vec());
        Some(Array { shape: kept, values: (0..outer).flat_map(row).collect() }.compact())
    }
}
