//! Names that a model gives, as identifiers and as words of comments: nothing of a name can be read as program text.

use hdl::names::{Allocator, sanitised};

/// Longest part of an identifier that is a model's own.
const LENGTH: usize = 48;
/// Characters of a name that a comment shows.
const SHOWN: usize = 80;

/// Words that C, C++, Python or Rust reserve, or that are modules of Python's which generated text reads.
const RESERVED: &str = "alignas alignof and and_eq as asm assert async atomic auto await become bitand bitor bool box \
break case catch char class compl concept const consteval constexpr constinit continue crate decltype def default del \
delete do double dyn elif else enum except explicit export extern false final finally float fn for friend from gen \
global goto if impl import in inline int is lambda let long loop macro main match mod move mut mutable namespace new \
noexcept none nonlocal not not_eq nullptr numpy operator or or_eq override pass priv private protected pub public raise \
ref register reinterpret_cast requires restrict return self short signed sizeof static std struct super switch template \
test this thread_local throw trait true try type typedef typeid typename typeof union unsafe unsigned unsized use using \
virtual void volatile wchar_t where while with xor xor_eq yield";

/// The identifier of a whole network: lower case, and no word of a language.
pub fn of_network(name: &str) -> String {
    let name = sanitised(&name.to_ascii_lowercase(), LENGTH);
    // a name that begins with an underscore belongs to the compiler
    let name = if name.starts_with('_') { format!("model{name}") } else { name };
    let reserved = RESERVED.split_ascii_whitespace().any(|word| word == name);
    if reserved { format!("{name}_model") } else { name }
}

/// Identifiers of ports, all different: `kind`, an underscore and the port's own name in lower case.
pub fn of_ports<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = Allocator::default();
    names.map(|name| taken.allocate(&format!("{kind}_{}", sanitised(&name.to_ascii_lowercase(), LENGTH)))).collect()
}

/// A name as a comment can show it in any language: what is no plain character is a question mark.
pub fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.:/-+()[]".contains(c);
    let shown = name.chars().take(SHOWN).map(|c| if plain(c) { c } else { '?' });
    // two slashes or a slash and a star would begin or end a comment
    shown.collect::<String>().replace("//", "/?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers_and_no_words_of_a_language() {
        for (name, expected) in [
            ("Jets", "jets"),
            ("int", "int_model"),
            ("lambda", "lambda_model"),
            ("9 lives", "model_9_lives"),
            ("a\n#include </etc/passwd>", "a__include___etc_passwd_"),
            ("", "model_"),
        ] {
            assert_eq!(of_network(name), expected);
        }
        let ports = of_ports("in", ["x", "X", "x;y", "int", "x"].into_iter());
        assert_eq!(ports, ["in_x", "in_x_1", "in_x_y", "in_int", "in_x_2"]);
    }

    #[test]
    fn comments_cannot_be_left() {
        assert_eq!(shown("a*/ int main() {\n\"\"\" // \\"), "a?/ int main() ????? /? ?");
    }
}
