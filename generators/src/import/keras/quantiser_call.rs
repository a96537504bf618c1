//! Calls of QKeras' quantisers and of activations: a name with arguments, as text (`quantized_bits(6,0,alpha=1)`) or as
//! an object with `class_name` and `config`.
//!
//! Every argument is one that the quantiser has, with a value that is supported or changes nothing; see [`quantisers`].

use std::collections::BTreeMap;

use hdl::names::quoted;
use serde_json::Value as Json;

use super::origin::Class;
use super::quantisers::{self, Meaning};

/// Keys of an object that is a call.
const WRAPPING: [&str; 6] =
    ["class_name", "config", "module", "registered_name", "shared_object_id", "__passive_serialization__"];

/// A name with its arguments by name.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The quantiser or function.
    pub name: String,
    arguments: BTreeMap<String, Json>,
}

impl Call {
    /// A call as text, as an object, or a plain function of Keras 3.
    pub(super) fn of(config: &Json) -> Result<Self, String> {
        if let Json::String(text) = config {
            return parse(text);
        }
        let entries = config.as_object().into_iter().flatten();
        if let Some((key, value)) = entries.into_iter().find(|(key, _)| !WRAPPING.contains(&key.as_str())) {
            return Err(format!("`{key}` = {value} beside a quantiser's arguments is not known"));
        }
        let class = match Class::of_function(config)? {
            Some(name) => return parse(&name),
            None => Class::of(config)?.ok_or("an activation or quantiser with a class was expected")?,
        };
        let arguments = match &config["config"] {
            Json::Object(arguments) => arguments.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            Json::Null => BTreeMap::new(),
            _ => return Err(format!("the arguments of {} are no object", quoted(&class.name))),
        };
        let call = Self { name: class.name, arguments };
        call.check()?;
        Ok(call)
    }

    /// Refuses arguments that the quantiser does not have, or that are not what they must be.
    fn check(&self) -> Result<(), String> {
        let Some(class) = quantisers::class(&self.name) else {
            return Ok(());
        };
        for (key, value) in &self.arguments {
            let known = class.arguments().find(|k| k.name == key);
            let known = known.ok_or_else(|| format!("`{key}` of {} is not known", class.name))?;
            if let Meaning::Must(allowed, why) = known.meaning {
                let allowed: Vec<Json> = serde_json::from_str(allowed).expect("a list of values in the table");
                if !allowed.iter().any(|a| same(a, value)) {
                    return Err(format!("`{key}` = {value} of {} is not supported: {why}", class.name));
                }
            }
        }
        Ok(())
    }

    /// The argument under `key`; null if it is absent.
    pub(super) fn value(&self, key: &str) -> &Json {
        self.arguments.get(key).unwrap_or(&Json::Null)
    }

    /// Takes an argument away.
    pub(super) fn remove(&mut self, key: &str) {
        self.arguments.remove(key);
    }

    /// The call as an object.
    pub(super) fn object(&self) -> Json {
        let arguments: serde_json::Map<String, Json> = self.arguments.clone().into_iter().collect();
        serde_json::json!({"class_name": self.name, "config": arguments})
    }

    /// A number, 0 or 1 for a truth value.
    pub(super) fn number(&self, key: &str, default: f64) -> Result<f64, String> {
        match self.value(key) {
            Json::Null => Ok(default),
            Json::Bool(truth) => Ok(f64::from(u8::from(*truth))),
            value => value.as_f64().ok_or_else(|| format!("`{key}` = {value} of {} is no number", self.name)),
        }
    }

    /// Whether a number is not 0.
    pub(super) fn truth(&self, key: &str, default: bool) -> Result<bool, String> {
        Ok(self.number(key, f64::from(u8::from(default)))? != 0.0)
    }

    /// An integer from `least` to `greatest`.
    pub(super) fn integer(&self, key: &str, default: i32, least: i32, greatest: i32) -> Result<i32, String> {
        let value = self.number(key, default.into())?;
        if value.fract() != 0.0 || value < least.into() || value > greatest.into() {
            return Err(format!(
                "`{key}` = {value} of {} is not supported; expected an integer from {least} to {greatest}",
                self.name
            ));
        }
        Ok(value as i32)
    }

    /// An error if an argument is given to a plain function.
    pub(super) fn without_arguments(&self) -> Result<(), String> {
        match self.arguments.first_key_value() {
            None => Ok(()),
            Some((key, value)) => Err(format!("`{key}` = {value} of {} is not supported", self.name)),
        }
    }
}

/// Equal values, where truth values are 0 and 1.
fn same(a: &Json, b: &Json) -> bool {
    let number = |v: &Json| v.as_bool().map(|t| f64::from(u8::from(t))).or(v.as_f64());
    a == b || number(a).is_some_and(|n| number(b) == Some(n))
}

/// Reads text as QKeras does: at most one pair of brackets, arguments between commas, positional ones first.
fn parse(text: &str) -> Result<Call, String> {
    let wrong = |why: &str| format!("{} is no call of a quantiser: {why}", quoted(text));
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(Call { name: text.trim().to_owned(), arguments: BTreeMap::new() });
    };
    let name = name.trim();
    let list = rest.trim_end().strip_suffix(')').ok_or_else(|| wrong("a closing bracket is missing"))?;
    let class = quantisers::class(name);
    let class = class.ok_or_else(|| format!("{} is not supported; {}", quoted(name), quantisers::supported()))?;
    let mut arguments = BTreeMap::new();
    let given: Vec<&str> = list.split(',').map(str::trim).collect();
    let given = if given == [""] { &[][..] } else { &given[..] };
    let mut named = false;
    for (k, argument) in given.iter().enumerate() {
        let (key, text) = match argument.split_once('=') {
            Some((key, value)) => (key.trim(), value.trim()),
            None if named => return Err(wrong("an argument by position follows one by name")),
            None => (positional(class, k)?, *argument),
        };
        named |= argument.contains('=');
        if arguments.insert(key.to_owned(), literal(text).map_err(|why| wrong(&why))?).is_some() {
            return Err(wrong(&format!("`{key}` is given twice")));
        }
    }
    let call = Call { name: name.to_owned(), arguments };
    call.check()?;
    Ok(call)
}

fn positional(class: &quantisers::Class, k: usize) -> Result<&'static str, String> {
    let key = class.arguments().nth(k).filter(|_| k < class.positional);
    key.map(|k| k.name).ok_or_else(|| format!("{} has {} arguments by position at most", class.name, class.positional))
}

/// A number, a truth value or a quoted text. QKeras takes anything else for text without its first and last letter.
fn literal(text: &str) -> Result<Json, String> {
    let quoted_text = |quote: char| text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
    match text {
        "True" => Ok(Json::Bool(true)),
        "False" => Ok(Json::Bool(false)),
        _ => match quoted_text('\'').or(quoted_text('"')) {
            Some(inner) => Ok(inner.into()),
            None => {
                let number = text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Json::from);
                number.ok_or_else(|| format!("{} is no number, True, False or quoted text", quoted(text)))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_by_position_and_by_name() {
        let call = Call::of(&Json::from("quantized_bits(4, 1, symmetric=1, alpha=1.0)")).unwrap();
        assert_eq!((call.number("bits", 8.0), call.number("integer", 0.0)), (Ok(4.0), Ok(1.0)));
        assert_eq!((call.truth("symmetric", false), call.number("alpha", 0.5)), (Ok(true), Ok(1.0)));
        let call = Call::of(&Json::from("quantized_tanh(4,False,True)")).unwrap();
        assert_eq!((call.truth("symmetric", false), call.integer("bits", 8, 1, 32)), (Ok(true), Ok(4)));
        assert_eq!(Call::of(&Json::from("relu")).unwrap().name, "relu");
    }

    #[test]
    fn wrong_calls_say_what_is_wrong() {
        for (text, why) in [
            ("quantized_bits(4", "closing bracket"),
            ("quantized_bits(4,None)", "`None`"),
            ("quantized_bits(bits=4,1)", "by position follows"),
            ("quantized_bits(4,bits=4)", "given twice"),
            ("quantized_bits(4,depth=1)", "`depth`"),
            ("quantized_relu(4,qnoise_factor=0.5)", "qnoise_factor"),
            ("quantized_tanh(4,0,0,0,1)", "by position at most"),
            ("swish(1)", "`swish` is not supported"),
        ] {
            let error = Call::of(&Json::from(text)).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn objects_are_checked_too() {
        let object = |config: Json| Call::of(&serde_json::json!({"class_name": "quantized_relu", "config": config}));
        assert!(object(serde_json::json!({"bits": 4, "qnoise_factor": 1.0, "use_ste": true})).is_ok());
        assert!(object(serde_json::json!({"bits": 4, "qnoise_factor": 0.5})).unwrap_err().contains("qnoise_factor"));
        assert!(object(serde_json::json!({"bits": 4, "enable": 1})).unwrap_err().contains("`enable`"));
    }
}
