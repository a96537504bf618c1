//! Names in the scripts of other programs: one function a language, which quotes a name or refuses it.
//!
//! A folder's files and a library's cells are called as their makers like. A name that a program would take for a
//! command, an option or a pattern must never reach it bare.

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::{check_identifier, quoted};

/// The name of a module, a port or a cell, which stands in any script as it is.
///
/// # Errors
/// `script-name` if it is no plain identifier: Yosys and OpenSTA take patterns where they take names.
pub fn identifier(name: &str) -> Result<&str, Diagnostics> {
    check_identifier(name).map(|()| name).map_err(|why| refused(name, &why))
}

/// The path of a file in a Yosys script.
///
/// # Errors
/// `script-name` for what Yosys 0.23 reads as the end of a command, a pattern, an option or an expansion, also in
/// quotes: it has no escapes.
pub fn yosys(path: &str) -> Result<String, Diagnostics> {
    if path.is_empty() || path.starts_with(['-', '+', '~', '<', '@', '%', ' ']) || path.ends_with(' ') {
        return Err(refused(path, "a path in a Yosys script begins and ends with a letter, a digit, `_`, `.` or `/`"));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./+".contains(c);
    let quotable = |c: char| plain(c) || " ,=:@()'".contains(c);
    match path.chars().find(|c| !quotable(*c)) {
        Some(bad) => Err(refused(path, &format!("{bad:?} cannot stand in a Yosys script"))),
        None if path.chars().all(plain) => Ok(path.to_owned()),
        None => Ok(format!("\"{path}\"")),
    }
}

/// A word of a Tcl script, such as a path; any text can be one.
pub fn tcl(word: &str) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '\\' | '"' | '$' | '[' | ']' | '{' | '}' => text.extend(['\\', c]),
            // three octal digits, since a hexadecimal escape takes as many as follow it
            c if c.is_control() && u32::from(c) < 0o400 => text += &format!("\\{:03o}", u32::from(c)),
            c => text.push(c),
        }
    }
    text + "\""
}

fn refused(name: &str, why: &str) -> Diagnostics {
    let message = format!("the name {} cannot be written into a script: {why}", quoted(name));
    Diagnostic::error("script-name", message).help("rename it, or emit the folder again").into()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// Names that are commands, patterns, options or the end of a word somewhere.
    const HOSTILE: [&str; 22] = [
        "x.v; exec -expect-return 0 -- touch owned",
        "x.v\n!touch owned",
        "!touch owned",
        "a\" ; !touch owned ; \"",
        "[exec touch owned]",
        "$HOME",
        "$::env(HOME)",
        "`touch owned`",
        "$(touch owned)",
        "a\\",
        "}",
        "{",
        "*",
        "?.v",
        "-lib",
        "+/xilinx/cells_sim.v",
        "~/x.v",
        "<<END",
        "# comment",
        "a\rb",
        "",
        " ",
    ];

    #[test]
    fn hostile_names_are_refused_where_they_cannot_be_quoted() {
        for name in HOSTILE {
            assert!(identifier(name).is_err(), "{name:?}");
            let error = yosys(name).unwrap_err();
            assert_eq!(error.0[0].code, "script-name", "{name:?}");
        }
        assert_eq!(yosys("rtl/encoder.v").unwrap(), "rtl/encoder.v");
        assert_eq!(yosys("my rtl/encoder.v").unwrap(), "\"my rtl/encoder.v\"");
        assert_eq!(tcl("a [b] $c"), "\"a \\[b\\] \\$c\"");
    }

    #[test]
    fn yosys_reads_a_file_by_its_quoted_name() {
        if Command::new("yosys").arg("-V").output().is_err() {
            println!("skipped: yosys is not installed");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["a b.v", "a,b=c:d@e.v", "it's (one).v", "a'b.v", "a+b-c.v"] {
            std::fs::write(folder.path().join(name), "module m; endmodule\n").unwrap();
            let script = format!("read_verilog {}\nhierarchy -check -top m\n", yosys(name).unwrap());
            std::fs::write(folder.path().join("s.ys"), script).unwrap();
            let done = Command::new("yosys").args(["-q", "-s", "s.ys"]).current_dir(folder.path()).output().unwrap();
            assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }

    /// What Tcl makes of these words, if it is installed.
    fn by_tcl(words: &[String]) -> Option<Vec<String>> {
        let program = ["tclsh", "tclsh8.6"].into_iter().find(|p| Command::new(p).arg("/dev/null").output().is_ok())?;
        let folder = tempfile::tempdir().unwrap();
        let lines = words.iter().map(|word| format!("lappend said {}\n", tcl(word)));
        let script = format!(
            "{}foreach w $said {{puts [binary encode hex [encoding convertto utf-8 $w]]}}\n",
            lines.collect::<String>()
        );
        std::fs::write(folder.path().join("s.tcl"), script).unwrap();
        let mut command = Command::new(program);
        let done = command.args(["-encoding", "utf-8", "s.tcl"]).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let hex = |line: &str| -> String {
            let byte = |i: usize| u8::from_str_radix(&line[i..i + 2], 16).unwrap();
            String::from_utf8((0..line.len()).step_by(2).map(byte).collect()).unwrap()
        };
        Some(String::from_utf8(done.stdout).unwrap().lines().map(hex).collect())
    }

    #[test]
    fn tcl_reads_hostile_words_as_they_are() {
        let words: Vec<String> = HOSTILE.iter().map(|word| (*word).to_owned()).collect();
        match by_tcl(&words) {
            Some(read) => assert_eq!(read, words),
            None => println!("skipped: tclsh is not installed"),
        }
    }

    proptest! {
        #[test]
        fn nothing_gets_out_of_a_quoted_word(name in "[ -~\\n\\t\\\\\"$\\[\\];]{0,24}") {
            if let Ok(text) = yosys(&name) {
                let inner = text.trim_matches('"');
                prop_assert_eq!(inner, name.as_str());
                prop_assert!(!text.contains([';', '\n', '#', '$', '\\', '*', '?', '[', '!', '`', '<', '>']));
                prop_assert!(text == name || (text.starts_with('"') && text.ends_with('"')));
            }
            let text = tcl(&name);
            let mut escaped = false;
            for c in text[1..text.len() - 1].chars() {
                prop_assert!(escaped || !"\"$[".contains(c));
                escaped = c == '\\' && !escaped;
            }
            prop_assert!(!escaped);
        }
    }
}
