//! A part of a network: from the operand of one named layer to the result of another.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use hdl::num::Rounding;

use super::array::Array;
use super::graph::{Decode, Encode, Graph, Input, Layer, Output, TensorId};
use super::op::Op;
use super::real::Quantiser;

fn error(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error("cut", message)
}

impl Graph {
    /// The network that begins with layer `from`, whose operand becomes the input, and ends with layer `to`, whose result
    /// becomes the output; without them it begins and ends as before.
    ///
    /// A layer of the source that became several of one name begins with the first and ends with the last of them. Input
    /// and output keep their step where that is one number, the input only if it is a power of two.
    ///
    /// # Errors
    /// Names that no layer has, listing those that there are; a part that reads something else from in front of it, or does
    /// not read its input.
    pub fn cut(&self, from: Option<&str>, to: Option<&str>) -> Result<Self, Diagnostic> {
        let outputs = match to {
            Some(name) => vec![self.output_at(name)?],
            None => self.outputs.clone(),
        };
        let Some(from) = from else {
            return Ok(Self { outputs, ..self.clone() }.pruned());
        };
        let start = self.operand_of(from)?;
        let needed = self.needed(&outputs, start);
        let read = self.layers.iter().enumerate().any(|(k, layer)| {
            let result = self.result(k);
            result != start && needed[result.index()] && layer.inputs.contains(&start)
        });
        if !read {
            let end = to.map_or_else(|| "the end".to_owned(), |to| format!("layer {}", quoted(to)));
            return Err(error(format!("{end} does not depend on layer {}", quoted(from))));
        }
        if let Some(k) = (0..self.inputs.len()).find(|k| needed[*k] && *k != start.index()) {
            let (input, from) = (quoted(&self.inputs[k].name), quoted(from));
            let message =
                format!("the network from layer {from} on also reads input {input}, not only the operand of {from}");
            return Err(error(message).help("begin at a layer that everything behind it passes through"));
        }
        let mut part = Self::new(&self.name, vec![self.input_at(start, from)])?;
        let mut new = vec![TensorId(0); self.info.len()];
        for (k, layer) in self.layers.iter().enumerate() {
            let result = self.result(k);
            if needed[result.index()] && result != start {
                let inputs = layer.inputs.iter().map(|t| new[t.index()]).collect();
                new[result.index()] = part.push(Layer { inputs, ..layer.clone() })?;
            }
        }
        for output in outputs {
            part.output(Output { tensor: new[output.tensor.index()], ..output })?;
        }
        part.check()?;
        Ok(part)
    }

    /// Which tensors the outputs need, if what `start` comes from is not looked at.
    fn needed(&self, outputs: &[Output], start: TensorId) -> Vec<bool> {
        let mut needed = vec![false; self.info.len()];
        outputs.iter().for_each(|o| needed[o.tensor.index()] = true);
        for (k, layer) in self.layers.iter().enumerate().rev() {
            let result = self.result(k);
            if needed[result.index()] && result != start {
                layer.inputs.iter().for_each(|t| needed[t.index()] = true);
            }
        }
        needed
    }

    fn is_constant(&self, tensor: TensorId) -> bool {
        let layer = tensor.index().checked_sub(self.inputs.len()).map(|k| &self.layers[k]);
        layer.is_some_and(|layer| matches!(layer.op, Op::Constant(_)))
    }

    /// The tensor that the first layer of this name takes.
    fn operand_of(&self, name: &str) -> Result<TensorId, Diagnostic> {
        let mut layers = self.layers.iter().filter(|l| l.name == name && !matches!(l.op, Op::Constant(_)));
        let layer = layers.next().ok_or_else(|| self.no_layer(name))?;
        let mut operands = layer.inputs.iter().copied().filter(|t| !self.is_constant(*t));
        match (operands.next(), operands.next()) {
            (Some(one), None) => Ok(one),
            (Some(one), Some(other)) if one == other => Ok(one),
            _ => Err(error(format!("layer {} takes several tensors, so nothing begins with it", quoted(name)))
                .help("begin with a layer of one operand")),
        }
    }

    /// The result of the last layer of this name.
    fn output_at(&self, name: &str) -> Result<Output, Diagnostic> {
        let mut layers = self.layers.iter().enumerate().rev();
        let (k, layer) = layers.find(|(_, layer)| layer.name == name).ok_or_else(|| self.no_layer(name))?;
        let tensor = self.result(k);
        // what follows on the last integers outside the hardware belongs to the layers behind
        let decode = layer.scale.map(|unit| Decode { unit: Array::scalar(unit), steps: Vec::new(), softmax: None });
        Ok(Output { name: name.to_owned(), tensor, decode })
    }

    fn input_at(&self, start: TensorId, from: &str) -> Input {
        let Some(k) = start.index().checked_sub(self.inputs.len()) else {
            return self.inputs[start.index()].clone();
        };
        let info = self.info(start);
        let range = (info.range.lo() as i64, info.range.hi() as i64);
        let exact = |v: i64| v.unsigned_abs() <= 1 << f32::MANTISSA_DIGITS;
        let dyadic = |scale: &f64| *scale > 0.0 && scale.log2().fract() == 0.0 && f64::from(*scale as f32) == *scale;
        let scale = self.layers[k].scale.filter(dyadic).filter(|_| exact(range.0) && exact(range.1));
        let encode = scale.map(|scale| Encode {
            steps: Vec::new(),
            quantiser: Quantiser::Integer {
                scale: Array::scalar(scale as f32),
                zero: Array::scalar(0.0),
                low: Array::scalar(range.0 as f32),
                high: Array::scalar(range.1 as f32),
                rounding: Rounding::HalfEven,
            },
        });
        Input { name: format!("{from}_input"), shape: info.shape.clone(), range, encode }
    }

    fn no_layer(&self, name: &str) -> Diagnostic {
        let mut names: Vec<&str> = self.layers.iter().map(|l| &*l.name).collect();
        names.dedup();
        error(format!("there is no layer {}", quoted(name))).help(format!("the layers are {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two dense layers with ReLUs, and a short way around the second.
    fn graph() -> Graph {
        let input = Input { name: "x".into(), shape: vec![1, 2], range: (-8, 7), encode: None };
        let mut graph = Graph::new("cut", vec![input]).unwrap();
        let mut push = |name: &str, op, inputs: &[u32], scale| {
            let inputs = inputs.iter().map(|t| TensorId(*t)).collect();
            graph.push(Layer { name: name.into(), op, inputs, scale }).unwrap()
        };
        let dense = |values: [i64; 4]| Op::Dense {
            weights: Array { shape: vec![2, 2], values: values.to_vec() },
            bias: vec![1, -2],
            multiplication: crate::model::Multiplication::default(),
        };
        push("first", dense([1, 2, -3, 4]), &[0], Some(0.5));
        push("first", Op::Relu, &[1], Some(0.5));
        push("second", dense([2, -1, 5, 3]), &[2], Some(0.25));
        push("sum", Op::Add, &[3, 2], None);
        graph.output(Output { name: "y".into(), tensor: TensorId(4), decode: None }).unwrap();
        graph
    }

    #[test]
    fn parts_one_after_the_other_are_the_whole() {
        let whole = graph();
        let front = whole.cut(None, Some("first")).unwrap();
        let back = whole.cut(Some("second"), None).unwrap();
        assert_eq!((front.layers().len(), back.layers().len()), (2, 2));
        assert_eq!(back.inputs()[0].name, "second_input");
        assert_eq!(front.outputs()[0].decode.as_ref().unwrap().unit, Array::scalar(0.5));
        for x in [[-8, 7], [3, 0], [5, -6]] {
            let middle = front.evaluate(&[x.to_vec()]).unwrap().outputs()[0].to_vec();
            let end = back.evaluate(&[middle]).unwrap().outputs()[0].to_vec();
            assert_eq!(end, whole.evaluate(&[x.to_vec()]).unwrap().outputs()[0]);
        }
        assert_eq!(whole.cut(None, None).unwrap(), whole);
        assert_eq!(whole.cut(Some("first"), None).unwrap().inputs(), whole.inputs());
    }

    #[test]
    fn parts_that_are_none_are_refused() {
        let refused = |from, to| graph().cut(from, to).unwrap_err();
        assert!(refused(None, Some("third")).help.unwrap().contains("first, second, sum"));
        assert!(refused(Some("third"), None).message.contains("no layer `third`"));
        assert!(refused(Some("sum"), None).message.contains("several tensors"));
        let before = refused(Some("second"), Some("first"));
        assert!(before.message.contains("does not depend"), "{before}");
    }

    #[test]
    fn a_part_with_another_way_in_is_refused() {
        let mut graph = graph();
        let add = Layer { name: "around".into(), op: Op::Add, inputs: vec![TensorId(4), TensorId(0)], scale: None };
        let tensor = graph.push(add).unwrap();
        graph.outputs[0].tensor = tensor;
        let refused = graph.cut(Some("second"), None).unwrap_err();
        assert!(refused.message.contains("also reads input `x`"), "{refused}");
    }
}
