//! Printing a model as the `[model]` table of a target file.

use std::fmt::Write as _;

use super::{AsicModel, Figure};

/// The `[model]` table of a target file, one operator a line, figures with three decimals.
pub fn model_text(model: &AsicModel) -> String {
    let mut text = String::from("[model]\n");
    let basis = format!("{:?}", model.basis).to_lowercase();
    let _ = writeln!(text, "basis = \"{basis}\"\nsource = {}", quoted(&model.source));
    for (name, operator) in model.operators() {
        let numbers = operator.numbers().map(|(field, n)| format!("{field} = {n:.3}"));
        let _ = writeln!(text, "{name} = {{ {} }}", numbers.join(", "));
    }
    let _ = writeln!(text, "ripple_ps = {:.3}", model.ripple_ps);
    let _ = writeln!(text, "flip_flop_clock_fj = {:.3}", model.flip_flop_clock_fj);
    for (name, figure) in [("wire_delay", &model.wire_delay), ("utilisation", &model.utilisation)] {
        let _ = writeln!(text, "{name} = {}", figure_text(figure));
    }
    text
}

fn figure_text(figure: &Figure) -> String {
    let basis = format!("{:?}", figure.basis).to_lowercase();
    format!("{{ value = {:.2}, basis = \"{basis}\", source = {} }}", figure.value, quoted(&figure.source))
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}
