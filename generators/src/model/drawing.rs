//! A picture of a network: one box a tensor, in rows by their distance from the inputs.

use std::fmt::Write;

use super::graph::Graph;

/// Width of a box, its height, and the free space around it, in pixels.
const BOX: (usize, usize) = (220, 58);
const GAP: (usize, usize) = (28, 34);
/// Characters that fit a line of a box.
const LINE: usize = 32;

impl Graph {
    /// An SVG drawing of the graph, inputs above, outputs below. Constants are left out.
    pub fn drawing(&self) -> String {
        let inspection = self.inspect();
        let tensors = inspection.layers.len();
        let operands = |t: usize| match t.checked_sub(self.inputs().len()) {
            Some(k) => self.layers()[k].inputs.as_slice(),
            None => &[],
        };
        let is_constant = |t: usize| inspection.layers[t].kind == "constant";
        let mut row = vec![0; tensors];
        let mut count = Vec::new();
        let mut column = vec![0; tensors];
        for t in (0..tensors).filter(|t| !is_constant(*t)) {
            let above = operands(t).iter().map(|o| o.index());
            let above = above.filter(|o| !is_constant(*o)).map(|o| row[o] + 1);
            row[t] = above.max().unwrap_or(0);
            count.resize(count.len().max(row[t] + 1), 0);
            column[t] = count[row[t]];
            count[row[t]] += 1;
        }
        let widest = count.iter().copied().max().unwrap_or(0);
        let pitch = (BOX.0 + GAP.0, BOX.1 + GAP.1);
        let size = (widest * pitch.0 + GAP.0, count.len() * pitch.1 + GAP.1);
        // rows are centred
        let left = |t: usize| GAP.0 + column[t] * pitch.0 + (widest - count[row[t]]) * pitch.0 / 2;
        let top = |t: usize| GAP.1 + row[t] * pitch.1;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" \
             font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\">\n<title>{2}</title>\n",
            size.0,
            size.1,
            escaped(&self.name)
        );
        let middle = BOX.0 / 2;
        for t in (0..tensors).filter(|t| !is_constant(*t)) {
            for o in operands(t).iter().map(|o| o.index()).filter(|o| !is_constant(*o)) {
                let _ = writeln!(
                    svg,
                    "<path d=\"M{} {}L{} {}\" stroke=\"#888\" fill=\"none\"/>",
                    left(o) + middle,
                    top(o) + BOX.1,
                    left(t) + middle,
                    top(t)
                );
            }
        }
        for t in (0..tensors).filter(|t| !is_constant(*t)) {
            let info = &inspection.layers[t];
            let is_output = self.outputs().iter().any(|o| o.tensor.index() == t);
            let colour = match (info.kind, is_output) {
                ("input", _) => "#d5e8d4",
                (_, true) => "#f8cecc",
                _ if info.weights > 0 => "#dae8fc",
                _ => "#f5f5f5",
            };
            let shape: Vec<String> = info.shape.iter().map(usize::to_string).collect();
            let lines = [
                info.name.clone(),
                format!("{} {}", info.kind, shape.join("×")),
                match &info.loss {
                    Some(loss) => format!("{}, {loss}", info.format),
                    None => info.format.clone(),
                },
            ];
            let _ = writeln!(
                svg,
                "<g><title>{} {}…{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\" fill=\"{colour}\" \
                 stroke=\"#666\"/>",
                escaped(&info.name),
                info.range.0,
                info.range.1,
                left(t),
                top(t),
                BOX.0,
                BOX.1
            );
            for (k, line) in lines.iter().enumerate() {
                let _ = writeln!(
                    svg,
                    "<text x=\"{}\" y=\"{}\">{}</text>",
                    left(t) + middle,
                    top(t) + 17 + 16 * k,
                    escaped(&shortened(line))
                );
            }
            svg += "</g>\n";
        }
        svg + "</svg>\n"
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text for XML: markup and control characters are written out.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use crate::model::{Graph, Input, Layer, Op, Output, TensorId};

    #[test]
    fn branches_stand_side_by_side_and_names_are_harmless() {
        let input = Input { name: "<script>\u{1}".into(), shape: vec![1, 3], range: (-4, 3), encode: None };
        let mut graph = Graph::new("a & b", vec![input]).unwrap();
        let layer = |op, inputs| Layer { name: format!("{op:?}"), op, inputs, scale: None };
        let relu = graph.push(layer(Op::Relu, vec![TensorId(0)])).unwrap();
        let clamp = Op::Clamp { lo: -1, hi: 1 };
        let clamped = graph.push(layer(clamp, vec![TensorId(0)])).unwrap();
        let sum = graph.push(layer(Op::Add, vec![relu, clamped])).unwrap();
        let output = Output { name: "y".into(), tensor: sum, decode: None };
        graph.output(output).unwrap();
        let svg = graph.drawing();
        assert_eq!(svg.matches("<rect").count(), 4);
        assert_eq!(svg.matches("<path").count(), 4);
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;script&gt;\u{fffd}"));
        assert!(!svg.contains("<script"));
        assert!(svg.contains("range cut"));
    }
}
