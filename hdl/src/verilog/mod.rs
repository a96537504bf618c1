//! A streaming Verilog-2001 writer: one statement a net, names from scope to operator, lint clean by construction.
//!
//! Wiring is written where it is read: slices, extensions, constants, and inversions and concatenations with one reader.
//! Bits that nothing reads are gathered in one net `_unused`, as Verilator's manual advises. Equal designs give equal bytes.

mod add3;
mod expression;
mod kept;
mod layout;
mod module;
mod read;
pub(crate) mod scan;
mod usage;

use std::io::{self, Write};

pub use add3::{AMD_CELLS, CarryCell};
pub use kept::{KEPT_REGISTER, kept_kinds, kept_modules};
pub use read::{File, read};

use crate::dfg::{Reset, ScopeId};
use crate::rtl::{Design, ModuleId};

/// Which part of the network a run of emitted lines belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineMap {
    /// First line, counted from 1.
    pub first_line: u32,
    /// Last line.
    pub last_line: u32,
    /// The module that the lines are in.
    pub module: ModuleId,
    /// The scope in that module; see [`Module::scope_path`](crate::rtl::Module::scope_path).
    pub scope: ScopeId,
}

/// Writes one module of a valid design, and says which lines are what. A black box takes no lines.
pub fn write_module(design: &Design, id: ModuleId, out: &mut impl Write) -> io::Result<Vec<LineMap>> {
    write_from(design, id, mixed_resets(design), 1, out).map(|(map, _)| map)
}

/// Writes all modules of a valid design, children first, and those of its kept registers.
pub fn write_design(design: &Design, out: &mut impl Write) -> io::Result<Vec<LineMap>> {
    let mixed = mixed_resets(design);
    let mut map = Vec::new();
    let mut line = 1;
    for id in (0..design.modules.len() as u32).map(ModuleId) {
        let (part, next) = write_from(design, id, mixed, line, out)?;
        map.extend(part);
        line = next;
    }
    out.write_all(kept_modules(&kept_kinds(design)).as_bytes())?;
    Ok(map)
}

/// One module from line `line` on, and the line after it.
fn write_from(
    design: &Design,
    id: ModuleId,
    mixed_resets: bool,
    line: u32,
    out: &mut impl Write,
) -> io::Result<(Vec<LineMap>, u32)> {
    if design.module(id).black_box.is_some() {
        return Ok((Vec::new(), line));
    }
    let lines = layout::Lines::new(out, id, line);
    module::Writer::new(design, id, mixed_resets, lines).write()
}

/// Whether the reset is used both ways somewhere. Linters then want it under two names.
fn mixed_resets(design: &Design) -> bool {
    let uses = |reset: Reset| {
        let mut registers = design.modules.iter().flat_map(|m| &m.registers);
        registers.any(|r| r.reset == reset)
    };
    uses(Reset::Synchronous) && uses(Reset::Asynchronous)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::{parse, validate};

    fn text(rtl: &str) -> String {
        let design = parse(rtl).unwrap();
        assert_eq!(validate(&design), Ok(()));
        let mut text = Vec::new();
        write_design(&design, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn wiring_is_written_where_it_is_read_and_unary_operators_are_kept_apart() {
        let written = text(
            "module m
               input x 8
               %0 8 @0 input 0
               %1 8 @0 not %0
               %2 1 @0 any %1
               %3 8 @0 const 0
               %4 8 @0 sub %3 %1
               %5 3 @0 slice %4 5
               %6 6 @0 sext %5
               %7 8 @0 zext %6
               %8 8 @0 not %1
               %9 8 @0 add %7 %8 = _unused
               output any 1 %2
               output sum 8 %9
             end",
        );
        expect_test::expect![[r#"
            module m (
              input  wire [7:0] x,
              output wire any,
              output wire [7:0] sum
            );
              wire any2 = |(~x);
              wire [7:0] sub4 = -(~x);
              wire [7:0] _unused = {2'd0, {3{sub4[7]}}, sub4[7:5]} + ~(~x);
              assign any = any2;
              assign sum = _unused;
              wire _unused_ = &{1'b0, sub4[4:0]};
            endmodule
        "#]]
        .assert_eq(&written);
    }

    #[test]
    fn a_reset_used_both_ways_has_two_names() {
        let written = text(
            "module m
               clock ck
               reset rn
               input x 1
               %0 1 @0 input 0
               %1 1 @0 reg 0
               %2 1 @0 reg 1
               register %0 - asynchronous 1
               register %1 %0 synchronous 0
               output y 1 %2
             end",
        );
        expect_test::expect![[r#"
            module m (
              input  wire ck,
              input  wire rn,
              input  wire x,
              output wire y
            );
              reg reg1;
              reg reg2;
              wire rn_synchronous = rn;
              always @(posedge ck or posedge rn) begin
                if (rn) begin
                  reg1 <= 1'd1;
                end else begin
                  reg1 <= x;
                end
              end
              always @(posedge ck) begin
                if (rn_synchronous) begin
                  reg2 <= 1'd0;
                end else if (x) begin
                  reg2 <= reg1;
                end
              end
              assign y = reg2;
            endmodule
        "#]]
        .assert_eq(&written);
    }

    #[test]
    fn no_scope_can_inject_verilog() {
        let m = crate::dfg::ModuleBuilder::new("m");
        let x = m.input("x", crate::num::Format::BIT);
        let scope = format!("a;b\n endmodule //{}", "é".repeat(10_000));
        let y = m.scope(&scope, || (x + x).named("y1"));
        m.output("y", y);
        let design = crate::lower::lower(&m.finish().unwrap()).unwrap();
        let mut text = Vec::new();
        let map = write_design(&design, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.is_ascii() && text.lines().count() <= 10, "{text}");
        let ends = text.lines().filter(|line| line.contains("endmodule;") || *line == "endmodule");
        assert_eq!(ends.count(), 1, "{text}");
        let path = |part: &LineMap| design.module(part.module).scope_path(part.scope);
        assert!(map.iter().any(|part| path(part) == scope));
    }
}
