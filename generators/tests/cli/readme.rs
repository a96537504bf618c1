//! The README's transcripts: every `$ hwgen …` in its `console` blocks is run, block by block, and must print what
//! stands there. `[..]` stands for anything within a line, a line `...` for any lines.

use std::fs;
use std::path::Path;

use crate::support::Home;

/// A command and the lines that it prints.
struct Step<'a> {
    command: &'a str,
    lines: Vec<&'a str>,
}

/// The steps of each `console` block.
fn blocks(text: &str) -> Vec<Vec<Step<'_>>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line.trim() == "```console") {
        let mut steps: Vec<Step<'_>> = Vec::new();
        for line in lines.by_ref().take_while(|line| line.trim() != "```") {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command, lines: Vec::new() }),
                (None, Some(step)) => step.lines.push(line),
                (None, None) => panic!("no command before `{line}`"),
            }
        }
        blocks.push(steps);
    }
    blocks
}

/// Whether `line` is `pattern`, in which `[..]` stands for anything.
fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Whether `lines` are as expected, where a line `...` stands for any lines.
fn lines_match(expected: &[&str], lines: &[&str]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((&"...", rest)) => (0..=lines.len()).any(|skip| lines_match(rest, &lines[skip..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| line_matches(first, line) && lines_match(rest, lines))
        }
    }
}

#[test]
fn transcripts_are_true() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(readme).unwrap();
    let blocks = blocks(&text);
    assert!(!blocks.is_empty(), "the README shows no command");
    for steps in &blocks {
        let home = Home::new();
        for step in steps {
            let words: Vec<&str> = step.command.split_whitespace().collect();
            let args = words.strip_prefix(&["hwgen"]);
            let args = args.unwrap_or_else(|| panic!("`{}` cannot be run here", step.command));
            let said = home.success(args);
            let lines: Vec<&str> = said.lines().collect();
            let expected = step.lines.join("\n");
            assert!(lines_match(&step.lines, &lines), "the README says\n{expected}\n`{}` says\n{said}", step.command);
        }
    }
}

#[test]
fn a_false_transcript_is_seen() {
    let steps = blocks("text\n```console\n$ hwgen a\nx [..] y\n...\nz\n$ hwgen b\n```\n");
    assert_eq!(steps[0].len(), 2);
    let expected = &steps[0][0].lines;
    assert!(lines_match(expected, &["x 1 y", "more", "z"]));
    assert!(lines_match(expected, &["x  y", "z"]));
    for wrong in [&["x 1 y"][..], &["x 1", "z"], &["w x 1 y", "z"], &["x 1 y", "z", "more"], &[]] {
        assert!(!lines_match(expected, wrong), "{wrong:?}");
    }
}
