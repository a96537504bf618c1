//! Test vectors: what goes into a module's ports sample by sample, and what must come out.
//!
//! As JSON: `{"inputs": {"x": [[1, -2], …]}, "outputs": {"y": [[3], …]}}`, one row of elements a sample; or
//! `{"rows": [[1, -2], …], "order": [0, 0, 1, …]}` for a port whose few rows come again and again.
//! [`hex`](crate::hex) is the form that a test bench reads with `$readmemh`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hdl::dfg::{Module, Port, Stamp};
use hdl::diag::{Diagnostic, Diagnostics};
use hdl::num::Format;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Rows of integers, all of one length. Rows that come again and again are kept once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(into = "Written")]
pub struct Rows {
    width: usize,
    values: Vec<i128>,
    /// For each sample which row it is; none is each row once.
    order: Option<Vec<u32>>,
}

/// Rows as they stand in JSON.
#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Written {
    Each(Vec<Vec<i128>>),
    Repeated(Repeated),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeated {
    rows: Vec<Vec<i128>>,
    order: Vec<u32>,
}

impl Rows {
    /// Rows of `width` values each, given one after the other; `None` unless that comes out even.
    pub fn new(width: usize, values: Vec<i128>) -> Option<Self> {
        (width > 0 && values.len().is_multiple_of(width)).then_some(Self { width, values, order: None })
    }

    /// These rows in another order, each any number of times; `None` if there is no such row.
    pub fn repeated(self, order: Vec<u32>) -> Option<Self> {
        let order: Vec<u32> = order.into_iter().map(|i| self.distinct(i as usize)).collect::<Option<_>>()?;
        Some(Self { order: Some(order), ..self })
    }

    /// Which of the stored rows sample `i` is.
    fn distinct(&self, i: usize) -> Option<u32> {
        match &self.order {
            None => (i < self.stored().len()).then_some(i as u32),
            Some(order) => order.get(i).copied(),
        }
    }

    /// Rows as they are kept, each of which is some samples.
    fn stored(&self) -> std::slice::ChunksExact<'_, i128> {
        self.values.chunks_exact(self.width.max(1))
    }

    /// The first `count` rows.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let mut few = self.clone();
        match &mut few.order {
            None => few.values.truncate(count * self.width),
            Some(order) => order.truncate(count),
        }
        few
    }

    /// For each sample which of the stored rows it is, if rows are repeated.
    pub fn order(&self) -> Option<&[u32]> {
        self.order.as_deref()
    }

    /// Values a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.order.as_ref().map_or_else(|| self.values.len().checked_div(self.width).unwrap_or(0), Vec::len)
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[i128] {
        let i = self.order.as_ref().map_or(i, |order| order[i] as usize);
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &[i128]> {
        (0..self.len()).map(|i| self.row(i))
    }
}

impl<'de> Deserialize<'de> for Rows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowsVisitor)
    }
}

/// Reads both forms; serde's own choice between forms knows no 128-bit integers.
struct RowsVisitor;

impl<'de> Visitor<'de> for RowsVisitor {
    type Value = Rows;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("rows of integers, or `rows` and their `order`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Rows, A::Error> {
        let rows: Vec<Vec<i128>> = Deserialize::deserialize(SeqAccessDeserializer::new(seq))?;
        rows.try_into().map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rows, A::Error> {
        let Repeated { rows, order } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
        let rows = Rows::try_from(rows).map_err(A::Error::custom)?;
        let count = rows.len();
        let beyond = || A::Error::custom(format!("the order names a row beyond the {count} that there are"));
        rows.repeated(order).ok_or_else(beyond)
    }
}

impl From<Rows> for Written {
    fn from(rows: Rows) -> Self {
        let stored = rows.stored().map(<[i128]>::to_vec).collect();
        match rows.order {
            None => Self::Each(stored),
            Some(order) => Self::Repeated(Repeated { rows: stored, order }),
        }
    }
}

impl TryFrom<Vec<Vec<i128>>> for Rows {
    type Error = String;

    fn try_from(rows: Vec<Vec<i128>>) -> Result<Self, String> {
        let width = rows.first().map_or(1, Vec::len);
        if let Some(i) = rows.iter().position(|row| row.len() != width || width == 0) {
            return Err(format!("sample {i} has {} elements, sample 0 has {width}", rows[i].len()));
        }
        Ok(Self { width, values: rows.concat(), order: None })
    }
}

impl From<Rows> for Vec<Vec<i128>> {
    fn from(rows: Rows) -> Self {
        rows.iter().map(<[i128]>::to_vec).collect()
    }
}

/// Samples for some of a module's ports. Ports that are not named are held or not checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vectors {
    /// What goes in, by port.
    pub inputs: BTreeMap<String, Rows>,
    /// What must come out, by port.
    pub outputs: BTreeMap<String, Rows>,
}

/// Values of input ports that stay the same while samples stream; ports not named are held at
/// [`idle`].
pub type Held = BTreeMap<String, Vec<i128>>;

impl Vectors {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.inputs.values().next().map_or(0, Rows::len)
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs of all ports of `module`, row after row, with the ports that no vector names at `held`.
    ///
    /// # Errors
    /// Whatever [`Vectors::check`] finds, and a held port that is unknown, of another size, or out of range.
    pub fn input_rows(&self, module: &Module, held: &Held) -> Result<Vec<i128>, Diagnostics> {
        let columns = self.columns(module, held)?;
        let mut rows = Vec::with_capacity(self.len() * module.input_count());
        for i in 0..self.len() {
            columns.iter().for_each(|column| rows.extend_from_slice(column.row(i)));
        }
        Ok(rows)
    }

    /// One column an input port of `module`, those that no vector names at `held` in all samples.
    ///
    /// # Errors
    /// As [`Vectors::input_rows`].
    pub fn columns(&self, module: &Module, held: &Held) -> Result<Vec<Cow<'_, Rows>>, Diagnostics> {
        self.check(module)?;
        for (name, values) in held {
            let port = module.inputs.iter().find(|p| p.name == *name);
            let port = port.ok_or_else(|| unknown("input", name, module))?;
            check_row(name, &port.elements, values, &|| "the held value".to_owned())?;
        }
        let column = |port: &Port| match self.inputs.get(&port.name) {
            Some(column) => Cow::Borrowed(column),
            None => {
                let values = held.get(&port.name).cloned().unwrap_or_else(|| idle(port).collect());
                Cow::Owned(Rows { width: values.len(), values, order: Some(vec![0; self.len()]) })
            }
        };
        Ok(module.inputs.iter().map(column).collect())
    }

    /// These inputs, with the outputs of `module` that `rows` are (row after row, all ports in order).
    ///
    /// Only ports of a stated cycle are taken, since what is timeless belongs to no sample, and those that had values
    /// here already: an output that no input can change is the same for every sample.
    #[must_use]
    pub fn with_outputs(self, module: &Module, rows: &[i128]) -> Self {
        let count = module.output_elements().count().max(1);
        let mut first = 0;
        let mut outputs = BTreeMap::new();
        for port in &module.outputs {
            let elements = first..first + port.elements.len();
            first = elements.end;
            if port.stamp == Stamp::TIMELESS && !self.outputs.contains_key(&port.name) {
                continue;
            }
            let values = rows.chunks_exact(count).flat_map(|row| &row[elements.clone()]).copied().collect();
            outputs.insert(port.name.clone(), Rows { width: port.elements.len(), values, order: None });
        }
        Self { outputs, ..self }
    }

    /// An error unless every named port is one of `module`'s, every column has the same number of samples, each of
    /// as many elements as the port has and each within its format, and something goes in and comes out.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, module: &Module) -> Result<(), Diagnostics> {
        if self.is_empty() {
            return Err(Diagnostic::error("no-samples", "the vectors hold no samples").into());
        }
        for (name, rows) in &self.inputs {
            let port = module.inputs.iter().find(|p| p.name == *name);
            let port = port.ok_or_else(|| unknown("input", name, module))?;
            self.check_column(name, &port.elements, rows)?;
        }
        for (name, rows) in &self.outputs {
            let port = module.outputs.iter().find(|p| p.name == *name);
            let port = port.ok_or_else(|| unknown("output", name, module))?;
            let formats: Vec<Format> = port.elements.iter().map(|e| e.format).collect();
            self.check_column(name, &formats, rows)?;
        }
        Ok(())
    }

    fn check_column(&self, name: &str, formats: &[Format], rows: &Rows) -> Result<(), Diagnostics> {
        if rows.len() != self.len() {
            let message = format!("port `{name}` is given {} samples, other ports {}", rows.len(), self.len());
            return Err(Diagnostic::error("sample-count", message).into());
        }
        let which = |i: usize| match rows.order.as_ref().map(|order| order.iter().position(|k| *k as usize == i)) {
            None => format!("sample {i}"),
            Some(Some(sample)) => format!("sample {sample}"),
            Some(None) => format!("row {i}"),
        };
        let mut stored = rows.stored().enumerate();
        stored.try_for_each(|(i, row)| check_row(name, formats, row, &|| which(i)))
    }
}

/// What a port is held at unless something else is asked for: 0, or the value of its format that is next to 0.
pub fn idle(port: &Port) -> impl Iterator<Item = i128> + '_ {
    port.elements.iter().map(|f| 0.clamp(f.range.lo(), f.range.hi()))
}

pub(crate) fn check_row(
    name: &str,
    formats: &[Format],
    row: &[i128],
    which: &dyn Fn() -> String,
) -> Result<(), Diagnostics> {
    if row.len() != formats.len() {
        let message =
            format!("{} of port `{name}` has {} elements, the port has {}", which(), row.len(), formats.len());
        return Err(Diagnostic::error("element-count", message).into());
    }
    for (k, (value, format)) in row.iter().zip(formats).enumerate() {
        if !format.range.contains(*value) {
            let message = format!("{} of port `{name}`: {value} at element {k} is not in {}", which(), format.range);
            return Err(Diagnostic::error("vector-range", message).into());
        }
    }
    Ok(())
}

pub(crate) fn unknown(direction: &str, name: &str, module: &Module) -> Diagnostic {
    let ports: Vec<&str> = match direction {
        "input" => module.inputs.iter().map(|p| p.name.as_str()).collect(),
        _ => module.outputs.iter().map(|p| p.name.as_str()).collect(),
    };
    let quoted = hdl::names::quoted(name);
    Diagnostic::error("unknown-port", format!("`{}` has no {direction} {quoted}", module.name))
        .help(format!("its {direction}s are: {}", ports.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::dfg::ModuleBuilder;
    use std::sync::Arc;

    fn module() -> Arc<Module> {
        let m = ModuleBuilder::new("pair");
        let x = m.input_array("x", 2, Format::signed(5, 0).unwrap());
        let k = m.input("k", Format::unsigned(3, 0).unwrap());
        m.output("y", x[0] + x[1] + k);
        m.finish().unwrap()
    }

    #[test]
    fn json_round_trip() {
        let text = r#"{"inputs":{"x":[[1,-2],[3,4]]},"outputs":{"y":[[-1],[7]]}}"#;
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert_eq!(vectors.len(), 2);
        assert_eq!(serde_json::to_string(&vectors).unwrap(), text);
        let held = Held::from([("k".to_owned(), vec![5])]);
        assert_eq!(vectors.input_rows(&module(), &held).unwrap(), [1, -2, 5, 3, 4, 5]);
        assert_eq!(vectors.input_rows(&module(), &Held::new()).unwrap(), [1, -2, 0, 3, 4, 0]);
        assert_eq!(vectors.clone().with_outputs(&module(), &[-1, 7]), vectors);
    }

    #[test]
    fn rows_that_come_again_are_kept_once() {
        let text = r#"{"inputs":{"x":{"rows":[[1,-2],[3,4]],"order":[1,0,1]}},"outputs":{"y":[[7],[-1],[7]]}}"#;
        let vectors: Vectors = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&vectors).unwrap(), text);
        assert_eq!(vectors.input_rows(&module(), &Held::new()).unwrap(), [3, 4, 0, 1, -2, 0, 3, 4, 0]);
        assert_eq!(vectors.inputs["x"].first(2).iter().collect::<Vec<_>>(), [[3, 4], [1, -2]]);
        for (wrong, reason) in [("[1,0,2]", "beyond the 2"), ("[1,0,-1]", "-1"), ("[1],\"k\":[1]", "unknown field")] {
            let refused = serde_json::from_str::<Vectors>(&text.replace("[1,0,1]", wrong)).unwrap_err();
            assert!(refused.to_string().contains(reason), "{refused}");
        }
        let far = serde_json::from_str::<Vectors>(&text.replace("[1,-2]", "[1,-99]")).unwrap();
        let found = far.check(&module()).unwrap_err();
        assert!(found.0[0].message.contains("sample 1 "), "{found}");
    }

    #[test]
    fn ragged_json_is_an_error() {
        let error = serde_json::from_str::<Vectors>(r#"{"inputs":{"x":[[1,2],[3]]},"outputs":{}}"#);
        assert!(error.unwrap_err().to_string().contains("sample 1 has 1 elements, sample 0 has 2"));
    }

    #[test]
    fn every_mistake_has_its_code() {
        for (text, code) in [
            (r#"{"inputs":{},"outputs":{}}"#, "no-samples"),
            (r#"{"inputs":{"z":[[1]]},"outputs":{}}"#, "unknown-port"),
            (r#"{"inputs":{"x":[[1,2]]},"outputs":{"x":[[1]]}}"#, "unknown-port"),
            (r#"{"inputs":{"x":[[1,2]]},"outputs":{"y":[[1],[2]]}}"#, "sample-count"),
            (r#"{"inputs":{"x":[[1]]},"outputs":{}}"#, "element-count"),
            (r#"{"inputs":{"x":[[1,16]]},"outputs":{}}"#, "vector-range"),
            (r#"{"inputs":{"x":[[1,15]]},"outputs":{"y":[[40]]}}"#, "vector-range"),
        ] {
            let vectors: Vectors = serde_json::from_str(text).unwrap();
            let found = vectors.check(&module()).unwrap_err();
            assert_eq!(found.0[0].code, code, "{text}");
        }
    }

    #[test]
    fn a_held_port_is_checked() {
        let vectors: Vectors = serde_json::from_str(r#"{"inputs":{"x":[[1,2]]},"outputs":{}}"#).unwrap();
        for (held, code) in
            [(("q", vec![1]), "unknown-port"), (("k", vec![1, 2]), "element-count"), (("k", vec![8]), "vector-range")]
        {
            let held = Held::from([(held.0.to_owned(), held.1)]);
            assert_eq!(vectors.input_rows(&module(), &held).unwrap_err().0[0].code, code);
        }
    }
}
