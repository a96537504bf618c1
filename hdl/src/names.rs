//! Identifiers that are safe in Verilog: what a user may call a thing, and unique names for what has none.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::LazyLock;

/// Longest identifier that every tool takes.
pub const MAX_LENGTH: usize = 255;

/// Every reserved word of Verilog-2001 and SystemVerilog (IEEE 1364-2001 annex B, IEEE 1800-2017 annex B).
const KEYWORDS: &str = "accept_on alias always always_comb always_ff always_latch and assert assign assume automatic \
before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking \
cmos config const constraint context continue cover covergroup coverpoint cross deassign default defparam design \
disable dist do edge else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup \
endinterface endmodule endpackage endprimitive endprogram endproperty endspecify endsequence endtable endtask enum \
event eventually expect export extends extern final first_match for force foreach forever fork forkjoin function \
generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include \
initial inout input inside instance int integer interconnect interface intersect join join_any join_none large let \
liblist library local localparam logic longint macromodule matches medium modport module nand negedge nettype new \
nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos posedge primitive \
priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand \
randc randcase randsequence rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran \
rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal \
showcancelled signed small soft solve specify specparam static string strong strong0 strong1 struct super supply0 \
supply1 sync_accept_on sync_reject_on table tagged task this throughout time timeprecision timeunit tran tranif0 \
tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unique0 unsigned until until_with untyped use \
uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor";

/// Whether `word` is reserved.
pub fn is_keyword(word: &str) -> bool {
    static ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| KEYWORDS.split_ascii_whitespace().collect());
    ALL.contains(word)
}

/// Whether `name` can stand in Verilog as it is, or why not.
pub fn check_identifier(name: &str) -> Result<(), String> {
    let mut characters = name.chars();
    let Some(first) = characters.next() else {
        return Err("a name cannot be empty".into());
    };
    if name.len() > MAX_LENGTH {
        return Err(format!("{} characters are too many, {MAX_LENGTH} are allowed", name.chars().count()));
    }
    if !(first.is_ascii_alphabetic() || first == '_') {
        return Err("a name begins with a letter or an underscore".into());
    }
    if let Some(bad) = characters.find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
        return Err(format!("{bad:?} is no letter, digit or underscore"));
    }
    if is_keyword(name) {
        return Err("this is a reserved word of Verilog".into());
    }
    Ok(())
}

/// `name` in quotes for a message, shortened and without control characters.
pub fn quoted(name: &str) -> String {
    const SHOWN: usize = 40;
    let mut text = String::from("`");
    for c in name.chars().take(SHOWN) {
        let _ = write!(text, "{}", c.escape_debug());
    }
    text.push_str(if name.chars().count() > SHOWN { "…`" } else { "`" });
    text
}

/// Hands out names that are all different: the wanted one, with a number behind it only on conflict.
#[derive(Debug, Clone, Default)]
pub struct Allocator {
    taken: HashSet<String>,
    last: HashMap<String, u32>,
}

impl Allocator {
    /// Takes `name` as it is.
    pub fn reserve(&mut self, name: &str) {
        self.taken.insert(name.to_owned());
    }

    /// Whether `name` is given away.
    pub fn is_taken(&self, name: &str) -> bool {
        self.taken.contains(name)
    }

    /// A free identifier that is `wanted` or begins with it.
    pub fn allocate(&mut self, wanted: &str) -> String {
        const SUFFIX: usize = 11; // an underscore and ten digits
        let wanted = sanitised(wanted, MAX_LENGTH - SUFFIX);
        let mut name = wanted.clone();
        let last = self.last.entry(wanted.clone()).or_insert(0);
        while is_keyword(&name) || self.taken.contains(&name) {
            *last += 1;
            name = format!("{wanted}_{last}");
        }
        self.taken.insert(name.clone());
        name
    }
}

/// `text` with everything that no identifier may hold made an underscore, cut after `length` characters.
pub fn sanitised(text: &str, length: usize) -> String {
    let mut name: String = text.chars().take(length).map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_identifiers_pass() {
        for good in ["a", "_x9", "encoder", "n_1"] {
            assert_eq!(check_identifier(good), Ok(()), "{good}");
        }
        for bad in ["", "9a", "a b", "a;b", "module", "wire", "logic", "a$", "é", "\\esc", &"x".repeat(10_000)] {
            assert!(check_identifier(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn allocated_names_are_identifiers_and_differ() {
        let mut names = Allocator::default();
        names.reserve("a_1");
        let wanted = ["a", "a", "a", "a b", "module", "", "9", &"x".repeat(10_000)];
        let got: Vec<String> = wanted.iter().map(|w| names.allocate(w)).collect();
        assert_eq!(got[..7], ["a", "a_2", "a_3", "a_b", "module_1", "_", "_9"]);
        assert!(got.iter().all(|name| check_identifier(name).is_ok()));
    }

    #[test]
    fn a_quoted_name_is_short_and_printable() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert!(quoted(&"x".repeat(10_000)).chars().count() < 50);
    }
}
