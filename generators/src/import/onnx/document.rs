//! The document that lists what is read of ONNX files, made from the table of operators.

use std::fmt::Write as _;

use super::operators::{Attribute, Domain, Operand, Operator, Usage};
use super::table::operators;

const HEAD: &str = "\
# Operators of ONNX files

This list is made from the table that the importer itself uses (`import::onnx`): an attribute, operand or result that is not in
it stops the import, and so does an attribute whose value is not supported. `hwgen::import::onnx::document()` prints it.

Attributes in *italics* are not read, for the reason that stands behind the table. \"≥ 13\" is the first
version of the operator set in which an attribute or operand may stand, \"≤ 12\" the last one.
";

/// The document in Markdown.
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    for domain in [Domain::Onnx, Domain::Qonnx, Domain::ChannelsLast, Domain::Microsoft] {
        section(&mut text, domain);
    }
    text
}

fn section(text: &mut String, domain: Domain) {
    let versions = domain.versions();
    let rows: Vec<&Operator> = operators().filter(|o| o.domain == domain).collect();
    let _ = write!(
        text,
        "\n## {}, {versions}\n\n| operator | operands | attributes | supported |\n|---|---|---|---|\n",
        domain.name()
    );
    for operator in &rows {
        let operands: Vec<String> = operator.operands.iter().map(operand).collect();
        let attributes: Vec<String> = operator.attributes.iter().map(attribute).collect();
        let name = match operator.since {
            0 => operator.name.to_owned(),
            since => format!("{} (≥ {since})", operator.name),
        };
        let more = if operator.variadic { ", …" } else { "" };
        let (operands, attributes) = (operands.join(", "), attributes.join(", "));
        let _ = writeln!(text, "| {name} | {operands}{more} | {attributes} | {} |", operator.limits);
    }
    let reasons: String = rows.iter().flat_map(|o| o.attributes.iter().filter_map(|a| reason(o.name, a))).collect();
    if !reasons.is_empty() {
        let _ = write!(text, "\nNot read:\n\n{reasons}");
    }
}

/// Why an attribute is not read.
fn reason(operator: &str, attribute: &Attribute) -> Option<String> {
    let (what, why) = match attribute.usage {
        Usage::Read => return None,
        Usage::Harmless(why) => ("changes nothing", why),
        Usage::Refused(why) => ("is refused", why),
    };
    Some(format!("- *{}* of {operator} {what}: {why}\n", attribute.name))
}

fn within(from: i64, to: i64) -> String {
    match (from, to) {
        (0, i64::MAX) => String::new(),
        (0, to) => format!(" ≤ {to}"),
        (from, _) => format!(" ≥ {from}"),
    }
}

fn attribute(attribute: &Attribute) -> String {
    let versions = within(attribute.versions.from, attribute.versions.to);
    match attribute.usage {
        Usage::Read => format!("{}{versions}", attribute.name),
        _ => format!("*{}*{versions}", attribute.name),
    }
}

fn operand(operand: &Operand) -> String {
    let versions = within(operand.versions.from, operand.versions.to);
    format!("{}{versions} ({})", operand.name, operand.kinds)
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    #[test]
    fn the_document_is_the_table() {
        expect_file!["../../../../docs/importers-onnx.md"].assert_eq(&super::document());
    }
}
