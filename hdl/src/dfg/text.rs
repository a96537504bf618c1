//! The text form of modules: prints, and parses back to the same module.
//!
//! ```text
//! module m0 "mac" {
//!   input "x" @0 : [-128, 127] . 4
//!   input "w" @0 : [-32, 31] . 0
//!   state "total" : [-2048, 2047] sync 0
//!   scope "accumulate"
//!   %0 = input 0 : [-128, 127] @0
//!   %1 = input 1 : [-32, 31] @0
//!   %2 = state 0 : [-2048, 2047] @any
//!   %3 = mul %0 %1 : [-4064, 4096] @0 in 1 as "product"
//!   %4 = add %2 %3 : [-6112, 6143] @0 in 1
//!   %5 = wrap %4 s12 : [-2048, 2047] @0
//!   next 0 = %5
//!   output "y" @any : %2 [-2048, 2047] . 4
//! }
//! ```
//!
//! A module is a list of lines in this order; several of a kind are numbered from 0 as they come. Modules stand before
//! those that hold them. A format is a range and, after a dot, the fraction bits; a stamp is `@` and a cycle, or `@any`.
//!
//! | line | meaning |
//! |---|---|
//! | `blackbox [clock NAME]` | only the interface is known |
//! | `parameter NAME = NUMBER`, `answer NAME STAMP : FORMAT` | parameters and outputs of a black box |
//! | `input NAME STAMP : FORMAT, …` | input port |
//! | `voted all`, `voted : NAME, …` | registers, as Verilog calls them, that stand three times in hardware |
//! | `style RESET INITIAL` | register style, counted from 1; style 0 is the plain register |
//! | `state NAME : RANGE RESET INITIAL` | register with feedback; resets are `none`, `sync`, `async` |
//! | `memory NAME : DEPTH x RANGE` | register file |
//! | `instance NAME = mNUMBER STAMP` | instance of a module above, and the cycle in which it starts |
//! | `table : NUMBER, …` | constant table |
//! | `scope NAME` | scope, counted from 1; scope 0 is the module |
//! | `%N = OPERATOR ARGUMENTS : RANGE STAMP [in SCOPE] [as NAME]` | node, see [`Op`](super::Op) |
//! | `enable STYLE = %N` | enable of a register style |
//! | `next STATE = %N [when %N]` | next value of a register, and its enable |
//! | `write MEMORY = %ADDRESS %DATA when %ENABLE` | write port of a register file |
//! | `connect INSTANCE : %N, …` | inputs of an instance |
//! | `output NAME STAMP : %N FORMAT, …` | output port |
//!
//! Source lines are not part of the text form.

pub use super::text_parse::parse;
pub use super::text_print::{print, write};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::tests::{assert_equivalent, random_data_path, random_design};
    use crate::random::{self, Numbers};

    const MAC: &str = r#"module m0 "mac" {
  input "x" @0 : [-128, 127] . 4
  input "w" @0 : [-32, 31] . 0
  state "total" : [-2048, 2047] sync 0
  scope "accumulate"
  %0 = input 0 : [-128, 127] @0
  %1 = input 1 : [-32, 31] @0
  %2 = state 0 : [-2048, 2047] @any
  %3 = mul %0 %1 : [-4064, 4096] @0 in 1 as "product"
  %4 = add %2 %3 : [-6112, 6143] @0 in 1
  %5 = wrap %4 s12 : [-2048, 2047] @0
  next 0 = %5
  output "y" @any : %2 [-2048, 2047] . 4
}
"#;

    #[test]
    fn the_example_is_its_own_print() {
        let modules = parse(MAC).unwrap();
        assert_eq!(print(&modules[0]), MAC);
    }

    #[test]
    fn designs_come_back() {
        for seed in 0..40 {
            let any = random::module("any", &Numbers::new(seed).choices(300));
            for module in [random_data_path(seed, 50), random_design(seed), any] {
                let text = print(&module);
                let modules = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
                let back = modules.last().unwrap();
                assert_eq!(print(back), text);
                assert_equivalent(&module, back, seed);
            }
        }
    }

    #[test]
    fn black_boxes_come_back() {
        let text = r#"module m0 "ram" {
  blackbox clock "ck"
  parameter "WIDTH" = 8
  answer "q" @1 : [0, 255] . 0
  input "d" @0 : [0, 255] . 0
}

module m1 "top" {
  input "x" @0 : [0, 255] . 0
  style async 3
  instance "u" = m0 @0
  scope "odd \"name\" \u{a}"
  %0 = input 0 : [0, 255] @0
  %1 = output 0 0 : [0, 255] @1 in 1
  %2 = delay %1 1 : [0, 255] @2
  enable 1 = %0
  connect 0 : %0
  output "y" @2 : %2 [0, 255] . 0
}
"#;
        let modules = parse(text).unwrap();
        assert_eq!(print(&modules[1]), text);
    }

    /// Place and message of what is wrong with the example once `from` has become `to`.
    fn complaint(from: &str, to: &str) -> String {
        assert!(MAC.contains(from), "{from}");
        let error = parse(&MAC.replacen(from, to, 1)).unwrap_err();
        let place = error.0[0].labels[0].place.clone().unwrap();
        format!("{place} {}", error.0[0].message)
    }

    #[test]
    fn errors_say_where() {
        let mut wrong = Vec::new();
        for (from, to, expected) in [
            ("module m0", "module m1", "1:8 this is module m0"),
            ("\"mac\"", "\"a b\"", "1:11 name `a b`: ' ' is no letter, digit or underscore"),
            ("\"w\"", "\"x\"", "3:9 there already is a port `x`"),
            ("[-32, 31]", "[32, 31]", "3:19 this range is empty or too wide"),
            ("sync 0", "sync 9999", "4:38 this is not in [-2048, 2047]"),
            ("sync", "maybe", "4:33 `none`, `sync` or `async` is wanted"),
            ("input 1 :", "input 2 :", "7:14 there are only 2 of these"),
            ("%2 = state", "%3 = state", "8:3 the next node is %2"),
            ("mul %0", "mul %9", "9:13 %9 is not there"),
            ("= mul", "= div", "9:8 there is no operator `div`"),
            ("-4064", "-4065", "9:8 %3 is [-4064, 4096] @0, not [-4065, 4096] @0"),
            ("4096] @0", "4096] @1", "9:8 %3 is [-4064, 4096] @0, not [-4064, 4096] @1"),
            ("mul %0 %1", "sub %0 %0", "9:8 this is a `const` in a simpler form, %3"),
            ("mul %0 %1", "mul %1 %0", "9:8 this is a `mul` in a simpler form, %3"),
            ("in 1", "in 2", "9:40 there are only 2 of these"),
            ("wrap %4 s12", "wrap %4 s200", "11:8 the exact result needs more than 120 bits"),
            ("wrap %4 s12", "shl %4 4000000000", "11:8 the exact result needs more than 120 bits"),
            ("next 0 = %5", "next 0 = %4", "14:1 register `total` holds [-2048, 2047], node 4 is [-6112, 6143]"),
            ("next 0 = %5", "next 0 = %7", "14:1 %7 is not there"),
            ("  next 0 = %5\n", "", "13:1 register `total` is never driven"),
            ("[-2048, 2047] . 4", "[-2048, 2046] . 4", "14:1 output `y` is s12.4 @any, its driver [-2048, 2047] @any"),
            ("output", "outputs", "13:3 no line begins with `outputs`"),
            ("}", "", "15:1 a line of a module is wanted"),
            ("\"w\"", "\"w", "3:9 the quote does not end"),
            ("31]", "99999999999999999999999999999999999999999999]", "3:24 this is no number"),
            (
                "state \"total\" : [",
                "memory \"m\" : 99999999 x [0, 1] state \"total\" : [",
                "4:16 a register file has at most 16777216 words",
            ),
        ] {
            let got = complaint(from, to);
            if got != expected {
                wrong.push(format!("{from} -> {to}\n  {got}\n  {expected}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_deep_hierarchy_is_refused() {
        let mut text = String::from("module m0 \"a\" {\n}\n");
        for k in 1..1000 {
            text += &format!("module m{k} \"a\" {{\n instance \"u\" = m{} @any\n}}\n", k - 1);
        }
        let error = parse(&text).unwrap_err();
        assert!(error.0[0].message.contains("inside each other"), "{error}");
    }

    /// Damaged text is an error or another module, never a panic.
    #[test]
    fn damage_does_not_panic() {
        let text = print(&random_design(7));
        let mut r = Numbers::new(1);
        for _ in 0..3000 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=r.below(3) {
                let at = r.below(bytes.len());
                match r.below(3) {
                    0 => drop(bytes.drain(at..(at + r.below(30)).min(bytes.len()))),
                    1 => bytes[at] = b"0123456789%@[],:\"{} s"[r.below(21)],
                    _ => bytes.insert(at, b"0123456789-%@[]"[r.below(15)]),
                }
            }
            let _ = parse(&String::from_utf8(bytes).unwrap());
        }
    }
}
