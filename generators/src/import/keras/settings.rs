//! Configurations in JSON of which nothing may be left unread.
//!
//! A reader takes keys by typed getters, which mark them, or knows them to be without influence on the result
//! ([`Known`]). [`Settings::finish`] refuses what is left. So a key that changes the function cannot be overlooked,
//! neither by a reader that does not know it nor by one that takes a branch in which it does not ask for it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::{Map, Value as Json};

use crate::import::python_json::NOT_FINITE;

/// Longest text of a value in a message.
const SHOWN: usize = 80;

/// Greatest extent, count or distance that [`Settings::sizes`] gives.
const MAX_SIZE: u64 = 1 << 20;

/// Which values of a key are without influence.
#[derive(Debug, Clone, Copy)]
pub enum Accept {
    /// All of them.
    Any,
    /// Those of the list, each as JSON.
    Values(&'static [&'static str]),
    /// Those for which the function says so; the text describes them.
    When(&'static str, fn(&Json) -> bool),
}

/// A key that a reader knows and does not need.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The key.
    pub key: &'static str,
    /// Values of it that are without influence.
    pub accept: Accept,
    /// Why they are.
    pub why: &'static str,
}

impl Known {
    /// Any value of `key` is without influence.
    pub const fn any(key: &'static str, why: &'static str) -> Self {
        Self { key, accept: Accept::Any, why }
    }

    /// Only these values of `key`, each as JSON, are without influence.
    pub const fn only(key: &'static str, values: &'static [&'static str], why: &'static str) -> Self {
        Self { key, accept: Accept::Values(values), why }
    }
}

impl Accept {
    /// Whether `value` is one of these.
    pub fn holds(&self, value: &Json) -> bool {
        match self {
            Self::Any => true,
            Self::Values(list) => {
                list.iter().any(|text| serde_json::from_str::<Json>(text).is_ok_and(|known| same(&known, value)))
            }
            Self::When(_, holds) => holds(value),
        }
    }
}

/// Whether two values are equal to Python: 1, 1.0 and true are.
fn same(a: &Json, b: &Json) -> bool {
    let number = |v: &Json| v.as_f64().or(v.as_bool().map(|b| f64::from(u8::from(b))));
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// A configuration, with marks at the keys that have been read. Clones share the marks.
#[derive(Debug, Clone)]
pub struct Settings(Rc<Node>);

#[derive(Debug)]
struct Node {
    place: String,
    entries: Map<String, Json>,
    read: RefCell<BTreeSet<String>>,
    parts: RefCell<BTreeMap<String, Settings>>,
    whole: Cell<bool>,
}

/// A value as it stands in a message.
fn shown(value: &Json) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Settings {
    /// The keys and values at `place`, such as `layer "d" (Dense)`.
    pub fn new(place: impl Into<String>, entries: Map<String, Json>) -> Self {
        let (read, parts) = (RefCell::default(), RefCell::default());
        Self(Rc::new(Node { place: place.into(), entries, read, parts, whole: Cell::new(false) }))
    }

    /// An error at this configuration.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error("keras", format!("{}: {}", self.0.place, message.into()))
    }

    /// Where it stands.
    pub fn place(&self) -> &str {
        &self.0.place
    }

    fn wrong(&self, key: &str, wanted: &str, found: &Json) -> Diagnostic {
        self.error(format!("`{key}` is {}, expected {wanted}", shown(found)))
    }

    /// The value of a key as it is, which counts as read; `null` if there is none.
    pub fn value(&self, key: &str) -> &Json {
        const NULL: &Json = &Json::Null;
        self.0.entries.get(key).map_or(NULL, |value| {
            self.0.read.borrow_mut().insert(key.to_owned());
            value
        })
    }

    /// The value of a key for looks only: it does not count as read.
    pub fn peek(&self, key: &str) -> &Json {
        self.0.entries.get(key).unwrap_or(&Json::Null)
    }

    /// Whether the key is there, `null` or not. It does not count as read.
    pub fn has(&self, key: &str) -> bool {
        self.0.entries.contains_key(key)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.entries.keys().map(String::as_str)
    }

    /// A number; none if the key is missing or `null`.
    ///
    /// # Errors
    /// A value of another type.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Diagnostic> {
        let value = self.value(key);
        match value {
            Json::Null => Ok(None),
            Json::Number(number) => Ok(number.as_f64()),
            Json::Object(object) => match object.get(NOT_FINITE).and_then(Json::as_str) {
                Some("Infinity") => Ok(Some(f64::INFINITY)),
                Some("-Infinity") => Ok(Some(f64::NEG_INFINITY)),
                Some("NaN") => Ok(Some(f64::NAN)),
                _ => Err(self.wrong(key, "a number", value)),
            },
            other => Err(self.wrong(key, "a number", other)),
        }
    }

    /// A finite number; none if the key is missing or `null`.
    ///
    /// # Errors
    /// A value of another type, or one that is not finite.
    pub fn finite(&self, key: &str) -> Result<Option<f64>, Diagnostic> {
        match self.number(key)? {
            Some(number) if !number.is_finite() => Err(self.wrong(key, "a finite number", self.peek(key))),
            number => Ok(number),
        }
    }

    /// An integer, possibly written as 3.0; none if the key is missing or `null`.
    ///
    /// # Errors
    /// Anything else, or an integer beyond 32 bits.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, Diagnostic> {
        match self.number(key)? {
            Some(number) if number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX) => Ok(Some(number as i64)),
            Some(_) => Err(self.wrong(key, "an integer", self.peek(key))),
            None => Ok(None),
        }
    }

    /// `true` or `false`, possibly written as 1 or 0; none if the key is missing.
    ///
    /// # Errors
    /// Anything else.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, Diagnostic> {
        if !self.has(key) {
            return Ok(None);
        }
        let value = self.value(key);
        match (value.as_bool(), value.as_f64()) {
            (Some(flag), _) => Ok(Some(flag)),
            (None, Some(number)) if number == 0.0 || number == 1.0 => Ok(Some(number == 1.0)),
            _ => Err(self.wrong(key, "true or false", value)),
        }
    }

    /// A text; none if the key is missing or `null`.
    ///
    /// # Errors
    /// A value of another type.
    pub fn text(&self, key: &str) -> Result<Option<&str>, Diagnostic> {
        match self.value(key) {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(text)),
            other => Err(self.wrong(key, "a text", other)),
        }
    }

    /// One of `choices`; `default` if the key is missing or `null`.
    ///
    /// # Errors
    /// A value of another type, or a text that is no choice.
    pub fn choice<'c>(&self, key: &str, choices: &[&'c str], default: &'c str) -> Result<&'c str, Diagnostic> {
        let text = self.text(key)?.unwrap_or(default);
        choices.iter().find(|choice| **choice == text).copied().ok_or_else(|| {
            let list: Vec<String> = choices.iter().map(|c| quoted(c).to_string()).collect();
            self.error(format!("`{key}` is {}; supported are {}", quoted(text), list.join(", ")))
        })
    }

    /// `rank` sizes, given as a list or as one number for all; none if the key is missing or `null`.
    ///
    /// # Errors
    /// Anything else, or a size beyond 2²⁰.
    pub fn sizes(&self, key: &str, rank: usize) -> Result<Option<Vec<usize>>, Diagnostic> {
        let size = |v: &Json| v.as_u64().filter(|v| *v <= MAX_SIZE).map(|v| v as usize);
        let value = self.value(key);
        let sizes = match value {
            Json::Null => return Ok(None),
            Json::Array(list) => list.iter().map(size).collect(),
            one => size(one).map(|v| vec![v; rank]),
        };
        let sizes: Option<Vec<usize>> = sizes;
        match sizes.filter(|s| s.len() == rank) {
            Some(sizes) => Ok(Some(sizes)),
            None => Err(self.wrong(key, &format!("{rank} sizes"), value)),
        }
    }

    /// A list; none if the key is missing or `null`.
    ///
    /// # Errors
    /// A value of another type.
    pub fn list(&self, key: &str) -> Result<Option<&[Json]>, Diagnostic> {
        match self.value(key) {
            Json::Null => Ok(None),
            Json::Array(list) => Ok(Some(list)),
            other => Err(self.wrong(key, "a list", other)),
        }
    }

    /// The configuration under a key, whose keys have to be read as well; none if the key is missing or `null`.
    ///
    /// # Errors
    /// A value of another type.
    pub fn object(&self, key: &str) -> Result<Option<Self>, Diagnostic> {
        match self.value(key) {
            Json::Null => Ok(None),
            Json::Object(entries) => Ok(Some(self.part(key, entries.clone()))),
            other => Err(self.wrong(key, "an object", other)),
        }
    }

    /// Entries that stand under `key` in another form, such as the arguments of a call; all of them have to be read.
    /// A second call for the same key gives the same part.
    pub fn part(&self, key: &str, entries: Map<String, Json>) -> Self {
        self.value(key);
        let mut parts = self.0.parts.borrow_mut();
        let part = || Self::new(format!("{}, {key}", self.0.place), entries);
        parts.entry(key.to_owned()).or_insert_with(part).clone()
    }

    /// Counts everything in it as read, because the reader has refused it or does not use it; `why` is for the reader
    /// of the code.
    pub fn ignore(&self, _why: &'static str) {
        self.0.whole.set(true);
    }

    /// Counts the keys of `known` as read where their values are without influence.
    pub fn accept(&self, known: &[Known]) {
        for Known { key, accept, .. } in known {
            if self.0.entries.get(*key).is_some_and(|value| accept.holds(value)) {
                self.0.read.borrow_mut().insert((*key).to_owned());
            }
        }
    }

    /// The keys that have been read so far.
    pub fn read_keys(&self) -> Vec<String> {
        self.0.read.borrow().iter().cloned().collect()
    }

    /// An error unless every key has been read or is `known` to be without influence, here and in all parts.
    ///
    /// # Errors
    /// The place, the key, its value and what is supported.
    pub fn finish(&self, known: &[Known]) -> Result<(), Diagnostic> {
        if self.0.whole.get() {
            return Ok(());
        }
        self.accept(known);
        let read = self.0.read.borrow();
        if let Some((key, value)) = self.0.entries.iter().find(|(key, _)| !read.contains(*key)) {
            let rule = known.iter().find(|k| k.key == key);
            let help = match rule.map(|r| r.accept) {
                Some(Accept::Values(values)) => format!("supported is {}", values.join(" or ")),
                Some(Accept::When(what, _)) => format!("supported is {what}"),
                _ => "leave it out or set it so that it has no effect; a setting that is not understood is never \
                      passed over"
                    .to_owned(),
            };
            return Err(self.error(format!("its setting `{key}` = {} is not supported", shown(value))).help(help));
        }
        self.0.parts.borrow().values().try_for_each(|part| part.finish(&[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: Json) -> Settings {
        match json {
            Json::Object(entries) => Settings::new("layer", entries),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn what_nobody_read_is_refused() {
        let s = settings(serde_json::json!({"units": 3, "gain": 0.5, "note": "a"}));
        assert_eq!(s.integer("units").unwrap(), Some(3));
        let known = [Known::any("note", "a note")];
        let error = s.finish(&known).unwrap_err();
        assert!(error.message.contains("`gain` = 0.5"), "{}", error.message);
        assert_eq!(s.number("gain").unwrap(), Some(0.5));
        s.finish(&known).unwrap();
        assert!(s.finish(&[]).is_ok(), "an accepted key stays accepted");
    }

    #[test]
    fn parts_have_to_be_read_as_well() {
        let s = settings(serde_json::json!({"quantizer": {"bits": 3, "odd": 1}}));
        let part = s.object("quantizer").unwrap().unwrap();
        part.integer("bits").unwrap();
        assert!(s.finish(&[]).unwrap_err().message.contains("`odd`"));
        s.object("quantizer").unwrap().unwrap().flag("odd").unwrap();
        s.finish(&[]).unwrap();
    }

    #[test]
    fn only_some_values_are_without_influence() {
        let known = [Known::only("noise", &["1.0", "null"], "full quantisation")];
        settings(serde_json::json!({"noise": 1})).finish(&known).unwrap();
        settings(serde_json::json!({"noise": null})).finish(&known).unwrap();
        let error = settings(serde_json::json!({"noise": 0.5})).finish(&known).unwrap_err();
        assert_eq!(error.help.as_deref(), Some("supported is 1.0 or null"));
    }

    #[test]
    fn a_value_of_another_type_is_no_default() {
        let s = settings(serde_json::json!({"a": "3", "b": 2, "c": [1, 2], "d": 1.5, "e": {"__float__": "NaN"}}));
        assert!(s.number("a").is_err() && s.integer("a").is_err() && s.flag("a").is_err());
        assert!(s.flag("b").is_err() && s.text("b").is_err() && s.object("b").is_err() && s.list("b").is_err());
        assert!(s.sizes("c", 3).is_err() && s.integer("d").is_err() && s.sizes("d", 1).is_err());
        assert!(s.number("e").unwrap().unwrap().is_nan() && s.finite("e").is_err());
        assert_eq!(s.sizes("c", 2).unwrap(), Some(vec![1, 2]));
        assert_eq!(s.sizes("b", 3).unwrap(), Some(vec![2; 3]));
        assert_eq!((s.number("none").unwrap(), s.flag("none").unwrap()), (None, None));
        assert!(s.choice("a", &["1", "2"], "1").unwrap_err().message.contains("supported are"));
    }
}
