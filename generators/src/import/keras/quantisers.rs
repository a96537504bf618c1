//! Which arguments QKeras' quantisers have, and what becomes of each one. Tables in the documentation are made of this.

use std::fmt::Write;

/// What becomes of an argument.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// It is read.
    Read(&'static str),
    /// It changes nothing at inference, for this reason.
    Harmless(&'static str),
    /// Only these values, a JSON list, are supported, for this reason.
    Must(&'static str, &'static str),
}

/// An argument.
#[derive(Debug)]
pub(super) struct Key {
    pub name: &'static str,
    pub meaning: Meaning,
}

/// A quantiser.
#[derive(Debug)]
pub(super) struct Class {
    pub name: &'static str,
    /// In the order of the constructor, list after list.
    pub keys: &'static [&'static [Key]],
    /// How many of them may be given by position.
    pub positional: usize,
}

impl Class {
    /// All its arguments.
    pub(super) fn arguments(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().flatten()
    }
}

use Meaning::{Harmless, Must, Read};

const fn key(name: &'static str, meaning: Meaning) -> Key {
    Key { name, meaning }
}

const STOCHASTIC: Key = key("use_stochastic_rounding", Harmless("only in training; at inference it rounds to nearest"));
const NOISE: Key = key(
    "qnoise_factor",
    Must("[1]", "a part of the values would pass without being quantised; set it to 1 and save again"),
);
const PART: Key = key(
    "qnoise_factor",
    Read("how much of the difference to the quantised value is added; of weights only 1, else a multiple of 2^-8"),
);
const VARIABLE_NAME: Key = key("var_name", Harmless("a name"));
const THROUGH: Key = key("use_ste", Harmless("gradients only"));
const VARIABLES: Key = key("use_variables", Harmless("where `qnoise_factor` is kept"));
const UNROLLS: Key = key("number_of_unrolls", Read("iterations that find `alpha='auto_po2'`"));
const TEMPERATURE: Key = key("temperature", Harmless("random only in training"));
const REAL_SIGMOID: Key = key("use_real_sigmoid", Harmless("random only in training"));
const ALPHA: Key =
    key("alpha", Read("null, a positive number; of weights also a list a channel, `'auto'` and `'auto_po2'`"));
const AXIS: Key = key("scale_axis", Must("[null]", "scales are taken along the last axis"));
const BITS: Key = key("bits", Read("1 to 32"));
const INTEGER: Key = key("integer", Read("-32 to 32"));
const SYMMETRIC: Key = key("symmetric", Read("whether the least value is left out"));
const MAX_VALUE: Key = key("max_value", Read("null or a number that is not negative"));
const QUADRATIC: Key = key("quadratic_approximation", Must("[0]", "exponents would be even only"));
const LOGARITHM: Key = key("log2_rounding", Must("[\"rnd\"]", "exponents would be rounded down"));

/// Arguments of later versions of QKeras that say how a scale is found.
const ELEMENTS: Key = key("elements_per_scale", Must("[null]", "scales are one a channel"));
const LEAST_EXPONENT: Key = key("min_po2_exponent", Must("[null]", "scales have no limits"));
const GREATEST_EXPONENT: Key = key("max_po2_exponent", Must("[null]", "scales have no limits"));
const TRAINED_SCALE: Key = key("post_training_scale", Must("[null]", "scales are those of the weights in the file"));

/// What a quantiser with a scale has.
const SCALED: &[Key] = &[ALPHA, STOCHASTIC, AXIS];
/// What belongs to how gradients pass.
const GRADIENTS: &[Key] = &[VARIABLE_NAME, THROUGH, VARIABLES];

/// The quantisers.
const CLASSES: &[Class] = &[
    Class {
        name: "quantized_bits",
        keys: &[
            &[BITS, INTEGER, SYMMETRIC, key("keep_negative", Read("whether there is a sign"))],
            SCALED,
            &[PART],
            GRADIENTS,
            &[ELEMENTS, LEAST_EXPONENT, GREATEST_EXPONENT, TRAINED_SCALE],
        ],
        positional: 11,
    },
    Class {
        name: "quantized_relu",
        keys: &[
            &[
                BITS,
                INTEGER,
                key(
                    "use_sigmoid",
                    Read("whether a hard sigmoid stands in front; without `negative_slope`, to 12 bits"),
                ),
                key("negative_slope", Read("0 or a power of two whose least value is a multiple of the step")),
                STOCHASTIC,
                key("relu_upper_bound", Read("null or a multiple of the step; without meaning if `is_quantized_clip`")),
                key("is_quantized_clip", Read("QKeras does not save it, so that it is true in objects")),
            ],
            &[NOISE],
            GRADIENTS,
        ],
        positional: 11,
    },
    Class {
        name: "quantized_tanh",
        keys: &[&[
            BITS,
            STOCHASTIC,
            SYMMETRIC,
            key("use_real_tanh", Read("tanh instead of `2 · hard_sigmoid(x) - 1`")),
        ]],
        positional: 4,
    },
    Class {
        name: "quantized_sigmoid",
        keys: &[&[
            BITS,
            SYMMETRIC,
            key("use_real_sigmoid", Read("sigmoid instead of `0.5 x + 0.5` in 0…1")),
            STOCHASTIC,
        ]],
        positional: 4,
    },
    Class {
        name: "binary",
        keys: &[&[key("use_01", Read("0 and 1 instead of ±1")), ALPHA, STOCHASTIC]],
        positional: 3,
    },
    Class { name: "stochastic_binary", keys: &[&[ALPHA, TEMPERATURE, REAL_SIGMOID]], positional: 3 },
    Class {
        name: "ternary",
        keys: &[&[ALPHA, key("threshold", Read("null is 0.33")), STOCHASTIC, UNROLLS]],
        positional: 4,
    },
    Class {
        name: "stochastic_ternary",
        keys: &[&[ALPHA, key("threshold", Read("null is 0.33")), TEMPERATURE, REAL_SIGMOID, UNROLLS]],
        positional: 5,
    },
    Class {
        name: "quantized_po2",
        keys: &[&[BITS, MAX_VALUE, STOCHASTIC, QUADRATIC, LOGARITHM], &[NOISE], GRADIENTS],
        positional: 9,
    },
    Class {
        name: "quantized_relu_po2",
        keys: &[
            &[
                BITS,
                MAX_VALUE,
                key("negative_slope", Must("[0]", "only the positive part is supported")),
                STOCHASTIC,
                QUADRATIC,
                LOGARITHM,
            ],
            &[NOISE],
            GRADIENTS,
        ],
        positional: 10,
    },
    Class {
        name: "quantized_hswish",
        keys: &[
            &[BITS, INTEGER, SYMMETRIC],
            SCALED,
            &[NOISE],
            GRADIENTS,
            &[
                key("relu_shift", Read("a positive number")),
                key("relu_upper_bound", Read("a positive number")),
                key("keep_negative", Must("[1]", "QKeras does not read it")),
            ],
        ],
        positional: 12,
    },
];

/// The quantiser of that name.
pub(super) fn class(name: &str) -> Option<&'static Class> {
    CLASSES.iter().find(|c| c.name == name)
}

/// All names, for an error.
pub(super) fn supported() -> String {
    let names: Vec<&str> = CLASSES.iter().map(|c| c.name).collect();
    format!("supported quantisers are {}", names.join(", "))
}

/// The arguments of all quantisers as a table of Markdown.
pub fn quantiser_table() -> String {
    let mut text = String::from("| quantiser | argument | what becomes of it |\n|---|---|---|\n");
    for class in CLASSES {
        for key in class.arguments() {
            let what = match key.meaning {
                Read(what) => format!("read: {what}"),
                Harmless(why) => format!("without effect: {why}"),
                Must(values, why) => {
                    let values = values.trim_matches(['[', ']']);
                    format!("only {values}: {why}")
                }
            };
            let _ = writeln!(text, "| `{}` | `{}` | {what} |", class.name, key.name);
        }
    }
    text
}
