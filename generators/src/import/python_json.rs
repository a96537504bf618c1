//! JSON as Python writes it, with `NaN`, `Infinity` and `-Infinity` as numbers.

use serde_json::Value as Json;

/// The key of the object that stands for a number that is not finite.
pub(super) const NOT_FINITE: &str = "__float__";

/// Reads the text; a number that is not finite becomes an object that [`super::keras::settings::Settings::number`] knows.
///
/// # Errors
/// No JSON.
pub(super) fn parse(text: &[u8]) -> Result<Json, serde_json::Error> {
    serde_json::from_slice(&standard(text))
}

/// Puts an object in place of each of Python's names outside strings.
fn standard(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len());
    let (mut at, mut quoted) = (0, false);
    while at < json.len() {
        let name =
            ["-Infinity", "Infinity", "NaN"].into_iter().find(|n| !quoted && json[at..].starts_with(n.as_bytes()));
        if let Some(name) = name {
            out.extend(format!("{{\"{NOT_FINITE}\":\"{name}\"}}").bytes());
            at += name.len();
            continue;
        }
        match json[at] {
            b'\\' if quoted => {
                out.push(b'\\');
                at += 1;
                out.extend(json.get(at));
            }
            letter => {
                quoted ^= letter == b'"';
                out.push(letter);
            }
        }
        at += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_numbers_are_kept() {
        let json = parse(br#"{"a": Infinity, "b\"NaN": [-Infinity, NaN, "Infinity", "\\"]}"#).unwrap();
        let number = |name: &str| serde_json::json!({ NOT_FINITE: name });
        let list = serde_json::json!([number("-Infinity"), number("NaN"), "Infinity", "\\"]);
        assert_eq!(json, serde_json::json!({"a": number("Infinity"), "b\"NaN": list}));
        assert!(parse(b"[\"\\").is_err() && parse(b"[Inf]").is_err());
    }
}
