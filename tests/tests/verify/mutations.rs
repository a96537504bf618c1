//! Random single changes of the Verilog: what does harm is refuted, and what is not refuted does none.
//!
//! `HWGEN_MUTATIONS=N` tries N of them; what is not refuted is then run by Icarus for every input, if that is installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use hwgen::flow::verify::Verdict;
use sim::tools::Scratch;

use crate::{NETWORK, judged};

/// A kind of change, and how it is made at a random place of some Verilog; none where that place is not fit for it.
type Kind = (&'static str, fn(&str, &mut Rng) -> Option<String>);

const KINDS: [Kind; 7] = [
    ("operator", operator),
    ("operand", operand),
    ("constant bit", constant),
    ("index or width", digit),
    ("sign", sign),
    ("subtraction", subtraction),
    ("removed register", register),
];

/// `text` with what stands from `at` on, `length` bytes of it, replaced.
fn replaced(text: &str, at: usize, length: usize, by: &str) -> String {
    [&text[..at], by, &text[at + length..]].concat()
}

/// A random place where `wanted` stands, outside the lines that give the module its ports.
fn place(text: &str, wanted: &str, random: &mut Rng) -> Option<usize> {
    let is_fit = |at: &usize| {
        let line = text[..*at].rfind('\n').map_or(0, |k| k + 1);
        !["module", "  input", "  output", "`", "//"].iter().any(|begin| text[line..].starts_with(begin))
    };
    let places: Vec<usize> = text.match_indices(wanted).map(|(at, _)| at).filter(is_fit).collect();
    random.choice(places)
}

fn operator(text: &str, random: &mut Rng) -> Option<String> {
    let exchanges = [(" + ", " - "), (" - ", " + "), (" & ", " | "), (" | ", " & "), ("~", ""), (" ^ ", " | ")];
    let (from, to) = random.choice(exchanges)?;
    Some(replaced(text, place(text, from, random)?, from.len(), to))
}

/// Names of the nets that are declared, with how they are.
fn nets(text: &str) -> Vec<(&str, &str)> {
    let declared = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("  wire ").or_else(|| line.strip_prefix("  reg "))?;
        let (width, rest) = rest.split_once("] ")?;
        Some((rest.split([' ', ';']).next()?, width))
    });
    declared.filter(|(name, _)| !name.starts_with('_')).collect()
}

/// A net is read instead of another of the same width.
fn operand(text: &str, random: &mut Rng) -> Option<String> {
    let nets = nets(text);
    let (from, width) = random.choice(&nets)?;
    let others = nets.iter().filter(|(name, own)| own == width && name != from);
    let (to, _) = random.choice(others.collect::<Vec<_>>())?;
    let at = place(text, from, random)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_read = text[..at].ends_with(['{', '(', ' ', '}', '~']) && !text[at + from.len()..].starts_with(is_name);
    let is_written = text[at + from.len()..].starts_with([' ', ';']) && !text[..at].ends_with("& ");
    (is_read && !is_written).then(|| replaced(text, at, from.len(), to))
}

fn constant(text: &str, random: &mut Rng) -> Option<String> {
    let at = place(text, "'d", random)?;
    let begin = text[..at].rfind(|c: char| !c.is_ascii_digit())? + 1;
    let width: u32 = text[begin..at].parse().ok()?;
    let digits = text[at + 2..].bytes().take_while(u8::is_ascii_digit).count();
    let value: u128 = text[at + 2..][..digits].parse().ok()?;
    Some(replaced(text, at + 2, digits, &(value ^ 1 << random.u32(..width)).to_string()))
}

fn digit(text: &str, random: &mut Rng) -> Option<String> {
    let before = random.choice(["[", ":"])?;
    let at = place(text, before, random)? + 1;
    let digit = text.as_bytes()[at];
    let other = (digit.is_ascii_digit()).then(|| (digit - b'0' + random.u8(1..10)) % 10)?;
    Some(replaced(text, at, 1, &other.to_string()))
}

/// Zeros, or the lowest bit, instead of copies of a sign.
fn sign(text: &str, random: &mut Rng) -> Option<String> {
    let at = place(text, "{{", random)? + 1;
    let length = text[at..].find("}}")? + 2;
    let (count, bit) = text[at + 1..at + length - 1].split_once('{')?;
    let by = match random.bool() {
        true => format!("{count}'d0"),
        false => format!("{{{count}{{{}[0]}}}}", bit.split('[').next()?),
    };
    Some(replaced(text, at, length, &by))
}

fn subtraction(text: &str, random: &mut Rng) -> Option<String> {
    let at = place(text, ".SUBTRACT(", random)? + ".SUBTRACT(".len();
    let other = (text.as_bytes()[at] - b'0' + random.u8(1..4)) % 4;
    Some(replaced(text, at, 1, &other.to_string()))
}

/// A wire takes the place of a register.
fn register(text: &str, random: &mut Rng) -> Option<String> {
    let at = place(text, " <= ", random)?;
    let begin = text[..at].rfind('\n')? + 1;
    let end = at + text[at..].find(';')?;
    let (name, value) = (text[begin..at].trim(), &text[at + 4..end]);
    let without = replaced(text, begin, end + 2 - begin, "");
    let declared = without.find(&format!(" {name};"))?;
    let line = without[..declared].rfind('\n')? + 1;
    let width = without[line..declared].strip_prefix("  reg")?;
    Some(replaced(&without, line, declared + name.len() + 2 - line, &format!("  wire{width} {name} = {value};")))
}

/// Runs every input through the modules `before` and `after`, and says how many give something else; another input
/// follows at once, so that an output which comes in the wrong cycle is seen.
const EVERY_INPUT: &str = "\
module bench;
  reg clk = 0;
  reg [15:0] x = 0;
  wire [33:0] expected, got;
  before one(.clk(clk), .x(x), .y(expected));
  after two(.clk(clk), .x(x), .y(got));
  integer k, wrong;
  initial begin
    wrong = 0;
    for (k = 0; k < 65536; k = k + 1) begin
      x = k;
      #1 clk = 1;
      #1 clk = 0;
      x = ~x;
      #1 if (expected !== got) wrong = wrong + 1;
    end
    $display(\"%0d of %0d inputs differ\", wrong, k);
  end
endmodule
";

/// How many inputs Icarus sees to differ between both texts, which have the module of adders in `folder` in common, in
/// words; none if it refuses one, an error if it is not there.
fn differing_by_icarus(folder: &Path, before: &str, after: &str) -> std::io::Result<Option<String>> {
    let bench = Scratch::new()?;
    let path = |name: &str| bench.path().join(name);
    for (name, text) in [("before", before), ("after", after)] {
        fs::write(path(name), text.replacen("module network (", &format!("module {name} ("), 1))?;
    }
    fs::write(path("bench"), EVERY_INPUT)?;
    let sources = [path("before"), path("after"), path("bench"), folder.join("hwgen_add3.v")];
    let built =
        Command::new("iverilog").args(["-g2001", "-s", "bench", "-o"]).arg(path("run")).args(sources).output()?;
    if !built.status.success() {
        return Ok(None);
    }
    let said = Command::new("vvp").arg("-n").arg(path("run")).output()?.stdout;
    Ok(Some(String::from_utf8_lossy(&said).trim().to_owned()))
}

#[test]
fn harmful_changes_are_refuted() {
    let asked = std::env::var("HWGEN_MUTATIONS").ok().and_then(|n| n.parse().ok());
    let wanted: usize = asked.unwrap_or(12);
    let network = NETWORK.lock().expect("no other test failed in it");
    let (folder, text) = &*network;
    let mut random = Rng::with_seed(18);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut tried = 0;
    while tried < wanted {
        let (kind, change) = random.choice(KINDS).expect("there are some");
        let Some(changed) = change(text, &mut random).filter(|changed| changed != text) else { continue };
        let outcome = match judged(folder, text, &changed) {
            None => "refused",
            Some((verdicts, _)) if verdicts.contains(&Verdict::Refuted) => "refuted",
            Some((verdicts, agree)) => {
                let proved = verdicts.iter().all(|v| *v == Verdict::Proved);
                assert!(agree, "a harmful change is called {verdicts:?}\n{changed}");
                match asked.map(|_| differing_by_icarus(folder, text, &changed)) {
                    // our reader does not look at nets that nothing reads
                    Some(Ok(None)) => "refused",
                    Some(Ok(Some(said))) => match said == "0 of 65536 inputs differ" {
                        true => "harmless, as Icarus shows for every input",
                        // while the input stays, both agree: a value comes in the wrong cycle
                        false if !proved => "not proved: a value comes in the wrong cycle, as Icarus shows",
                        false => panic!("{verdicts:?}, but {said} ({kind})\n{changed}"),
                    },
                    Some(Err(_)) | None if proved => "proved",
                    Some(Err(_)) | None => "not proved",
                }
            }
        };
        *counts.entry((kind, outcome)).or_default() += 1;
        // what is no Verilog that hwgen could write does not count
        tried += usize::from(outcome != "refused");
    }
    for ((kind, outcome), count) in &counts {
        println!("{kind}: {count} {outcome}");
    }
    assert!(counts.keys().any(|(_, outcome)| *outcome == "refuted"), "{counts:?}");
}
