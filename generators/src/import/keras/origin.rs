//! Whose a class is, as far as a file says.
//!
//! Keras 3 (and `.keras` of Keras 2.12 on) writes `module` and, for classes that it does not export itself,
//! `registered_name`. Keras' `.h5` files have neither: there a class has the name of its package in front if it was
//! registered under one (`hgq>QDense`), and nothing else tells a class of the user's own from the framework's.

use hdl::diag::Diagnostic;
use hdl::names::quoted;
use serde_json::Value as Json;

use crate::import::keras::settings::Settings;

/// Who made a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The file does not say.
    Unsaid,
    /// Keras.
    Keras,
    /// Keras 3's functions, which stand in a model like layers.
    Operation,
    /// QKeras.
    QKeras,
    /// HGQ and HGQ2.
    Hgq,
    /// TensorFlow's model optimization.
    Optimization,
}

/// Modules, by what they begin with, the longest first.
const MODULES: &[(&str, Origin)] = &[
    ("keras.src.ops", Origin::Operation),
    ("keras.ops", Origin::Operation),
    ("keras", Origin::Keras),
    ("tf_keras", Origin::Keras),
    ("tensorflow.keras", Origin::Keras),
    ("tensorflow.python.keras", Origin::Keras),
    ("qkeras", Origin::QKeras),
    ("hgq", Origin::Hgq),
    ("HGQ", Origin::Hgq),
    ("tensorflow_model_optimization", Origin::Optimization),
];

/// Packages under which frameworks register classes.
const PACKAGES: &[(&str, Origin)] = &[("hgq", Origin::Hgq), ("hgq2", Origin::Hgq), ("HGQ", Origin::Hgq)];

/// A class of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    /// Its name without a package.
    pub name: String,
    /// Whose it is.
    pub origin: Origin,
}

/// Whether `module` is `root` or inside it.
fn inside(module: &str, root: &str) -> bool {
    module.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Class {
    /// The class that `class_name`, `module` and `registered_name` of an object say; none without a `class_name`.
    ///
    /// # Errors
    /// A module or package that is none of the frameworks', or names that contradict each other: what was found.
    pub fn of(object: &Json) -> Result<Option<Self>, String> {
        Self::named(&object["class_name"], &object["module"], &object["registered_name"])
    }

    /// The name of the plain function that an object says; none if it says something else.
    ///
    /// # Errors
    /// A function that is none of the frameworks'.
    pub fn of_function(object: &Json) -> Result<Option<String>, String> {
        let name = &object["config"];
        if object["class_name"] != "function" || !name.is_string() {
            return Ok(None);
        }
        // Keras 2 writes where the class of all functions is, and its name
        let module = Some(&object["module"]).filter(|module| **module != "builtins");
        let registered = Some(&object["registered_name"]).filter(|registered| **registered != "function");
        let function = Self::named(name, module.unwrap_or(&Json::Null), registered.unwrap_or(&Json::Null))?;
        Ok(function.map(|function| function.name))
    }

    /// As [`Class::of`], and the three keys count as read.
    ///
    /// # Errors
    /// As there.
    pub fn read(object: &Settings) -> Result<Option<Self>, Diagnostic> {
        let [class, module, registered] = ["class_name", "module", "registered_name"].map(|key| object.value(key));
        Self::named(class, module, registered).map_err(|why| {
            object.error(why).help(
                "a class of your own is not read, whatever it is called, because the file does not say what it \
                 computes: build the model of layers of Keras, QKeras or HGQ2",
            )
        })
    }

    fn named(class: &Json, module: &Json, registered: &Json) -> Result<Option<Self>, String> {
        let class = match class {
            Json::Null => return Ok(None),
            Json::String(class) => class,
            other => return Err(format!("its class is {other}")),
        };
        let (package, name) = package(class);
        let (module, registered) = (text("module", module)?, text("registered_name", registered)?);
        let unknown = |what: &str| format!("its class {} is {what}", quoted(name));
        let known_package = |package: &str| {
            let found = PACKAGES.iter().find(|(known, _)| *known == package).map(|(_, origin)| *origin);
            found.ok_or_else(|| unknown(&format!("registered by the package {}, which is not known", quoted(package))))
        };
        let mut origins = Vec::new();
        if let Some(package) = package {
            origins.push(known_package(package)?);
        }
        if let Some(module) = module {
            let known = MODULES.iter().find(|(root, _)| inside(module, root)).map(|(_, origin)| *origin);
            origins
                .push(known.ok_or_else(|| unknown(&format!("of the module {}, which is not known", quoted(module))))?);
        }
        if let Some(registered) = registered {
            match self::package(registered) {
                (_, other) if other != name => return Err(unknown(&format!("registered as {}", quoted(registered)))),
                (Some(package), _) => origins.push(known_package(package)?),
                // Keras leaves the module out for classes that were defined in the program itself
                (None, _) if module.is_none() => return Err(unknown("registered by a program of its own")),
                (None, _) => {}
            }
        }
        let origin = origins.first().copied().unwrap_or(Origin::Unsaid);
        if origins.iter().any(|other| *other != origin) {
            return Err(unknown("said to be of two frameworks"));
        }
        if !origin.has(name) {
            let module = module.or(registered).unwrap_or_default();
            return Err(unknown(&format!("said to be of {}, which has none of that name", quoted(module))));
        }
        Ok(Some(Self { name: name.to_owned(), origin }))
    }
}

fn package(name: &str) -> (Option<&str>, &str) {
    name.split_once('>').map_or((None, name), |(package, name)| (Some(package), name))
}

fn text<'j>(key: &str, value: &'j Json) -> Result<Option<&'j str>, String> {
    match value {
        Json::Null => Ok(None),
        Json::String(text) => Ok(Some(text)),
        other => Err(format!("its `{key}` is {other}, expected a text")),
    }
}

impl Origin {
    /// Whether a class of that name may be of this framework. QKeras' and HGQ2's layers are called Q and a capital, those
    /// of HGQ also H, P or FixedPoint; Keras has no such names.
    fn has(self, name: &str) -> bool {
        let mut letters = name.chars();
        let own = letters.next() == Some('Q') && letters.next().is_some_and(char::is_uppercase);
        match self {
            Self::Keras | Self::Operation | Self::Optimization => !own,
            Self::Unsaid | Self::QKeras | Self::Hgq => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn origin(class: &str, module: Json, registered: Json) -> Result<Origin, String> {
        let object = json!({"class_name": class, "module": module, "registered_name": registered});
        Class::of(&object).map(|class| class.expect("there is a class").origin)
    }

    #[test]
    fn classes_of_the_frameworks() {
        for (class, module, registered, expected) in [
            ("ReLU", json!("keras.layers"), json!(null), Origin::Keras),
            ("Functional", json!("keras.src.models.functional"), json!("Functional"), Origin::Keras),
            ("Add", json!("keras.src.ops.numpy"), json!("Add"), Origin::Operation),
            ("QDense", json!("qkeras.qlayers"), json!("QDense"), Origin::QKeras),
            ("QDense", json!("hgq.layers.core.dense"), json!("hgq>QDense"), Origin::Hgq),
            ("hgq>QDense", json!(null), json!(null), Origin::Hgq),
            ("QDense", json!(null), json!(null), Origin::Unsaid),
        ] {
            assert_eq!(origin(class, module, registered), Ok(expected), "{class}");
        }
    }

    #[test]
    fn functions_of_the_frameworks() {
        let name = |module: Json, registered: Json| {
            let object =
                json!({"class_name": "function", "config": "relu", "module": module, "registered_name": registered});
            Class::of_function(&object)
        };
        for (module, registered) in [("keras.activations", json!(null)), ("builtins", json!("function"))] {
            assert_eq!(name(json!(module), registered), Ok(Some("relu".to_owned())));
        }
        assert!(name(json!("__main__"), json!("relu")).is_err() && name(json!(null), json!("relu")).is_err());
    }

    #[test]
    fn classes_of_others_are_refused() {
        for (class, module, registered, why) in [
            ("ReLU", json!("__main__"), json!("ReLU"), "`__main__`"),
            ("ReLU", json!("kerasics.layers"), json!(null), "`kerasics.layers`"),
            ("ReLU", json!(null), json!("ReLU"), "program of its own"),
            ("Dense", json!(null), json!("mine>Dense"), "`mine`"),
            ("mine>Dense", json!(null), json!(null), "`mine`"),
            ("QDense", json!("qkeras.qlayers"), json!("hgq>QDense"), "two frameworks"),
            ("QDense", json!("keras.layers"), json!(null), "none of that name"),
            ("QDense", json!("hgq.layers"), json!("hgq>QConv"), "registered as"),
            ("QDense", json!(3), json!(null), "expected a text"),
        ] {
            let error = origin(class, module, registered).unwrap_err();
            assert!(error.contains(why), "{class}: {error}");
        }
    }
}
