//! Receiver operating characteristics as a picture.

use std::fmt::Write;

use super::accuracy::{Accuracy, Separation};

/// Sides of the plot and of its margins, in pixels.
const SIDE: f64 = 400.0;
const MARGIN: f64 = 50.0;
/// One colour a curve (Okabe and Ito's, which colour-blind people tell apart).
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];
/// Most points of a curve that are drawn.
const POINTS: usize = 400;

/// True against false positive rate: the integer network as full lines, floating point dashed.
pub fn svg(accuracy: &Accuracy) -> String {
    let size = SIDE + 2.0 * MARGIN;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size}\" height=\"{size}\" viewBox=\"0 0 {size} {size}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{size}\" height=\"{size}\" fill=\"white\"/>\n"
    );
    for step in 0..=5 {
        axes(&mut text, f64::from(step) / 5.0);
    }
    let (middle, end) = (MARGIN + SIDE / 2.0, MARGIN + SIDE);
    let _ = writeln!(
        text,
        "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">false positive rate</text>\n\
         <text transform=\"translate(14 {middle}) rotate(-90)\" text-anchor=\"middle\">true positive rate</text>",
        end + 38.0
    );
    for (k, separation) in accuracy.separations.iter().enumerate() {
        let colour = COLOURS[k % COLOURS.len()];
        line(&mut text, &separation.float_curve, colour, " stroke-dasharray=\"5 4\"");
        line(&mut text, &separation.curve, colour, "");
        let y = end - 14.0 - 18.0 * (accuracy.separations.len() - 1 - k) as f64;
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            end - 10.0,
            legend(separation)
        );
    }
    text + "</svg>\n"
}

fn legend(separation: &Separation) -> String {
    match (separation.auc, separation.float_auc) {
        (Some(auc), Some(float)) => {
            format!("{}: AUC {auc:.4} (float, dashed: {float:.4})", separation.what)
        }
        _ => format!("{}: no curve, all of one kind", separation.what),
    }
}

/// The pixels of a point.
fn place([x, y]: [f64; 2]) -> [f64; 2] {
    [MARGIN + SIDE * x, MARGIN + SIDE * (1.0 - y)]
}

fn axes(text: &mut String, at: f64) {
    let ([x, y], [left, bottom]) = (place([at, at]), place([0.0, 0.0]));
    let [right, top] = place([1.0, 1.0]);
    let _ = writeln!(
        text,
        "<path d=\"M{x:.1} {bottom}V{top}M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>\n\
         <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{at:.1}</text>\n\
         <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{at:.1}</text>",
        bottom + 16.0,
        left - 6.0,
        y + 4.0
    );
}

fn line(text: &mut String, curve: &[[f64; 2]], colour: &str, dashes: &str) {
    let step = curve.len().div_ceil(POINTS).max(1);
    let drawn = curve.iter().step_by(step).chain(curve.last());
    let points: Vec<String> = drawn.map(|point| place(*point).map(|v| format!("{v:.1}")).join(",")).collect();
    let _ = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes}/>",
        points.join(" ")
    );
}
