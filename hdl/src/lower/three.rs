//! Three-operand adders: which sums become one, and the instances that they are.

use rustc_hash::FxHashMap;

use super::cover::{Adder, Cover};
use super::module::Lowering;
use crate::dfg::{Graph, Module, NodeId, Op};
use crate::rtl::{self, BlackBox, Cell, Instance, ModuleId, Net, Output, Port};

/// What sums are made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Adders {
    /// `a + b`, which every tool understands.
    #[default]
    TwoOperand,
    /// Instances of [`ADD3`] where a sum of three is cheaper than two sums.
    ThreeOperand,
}

/// Name of the module `y = a ± b ± c`: `WIDTH` bits each; with `SUBTRACT` 1 `c` is subtracted, with 2 `b` and `c`.
pub const ADD3: &str = "hwgen_add3";

/// The kinds of [`ADD3`] that a design uses.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    known: FxHashMap<(u32, u8), ModuleId>,
    /// Those that are not modules of the design yet; the first becomes module `next`.
    pub new: Vec<rtl::Module>,
    /// The number of modules so far.
    pub next: u32,
}

impl Shapes {
    fn id(&mut self, width: u32, subtract: u8) -> ModuleId {
        *self.known.entry((width, subtract)).or_insert_with(|| {
            let port = |name: &str| Port { name: name.to_owned(), width };
            let parameters = [("WIDTH", i128::from(width)), ("SUBTRACT", subtract.into())];
            let mut module = rtl::Module::default();
            module.name = ADD3.to_owned();
            module.inputs = ["a", "b", "c"].map(port).into();
            module.outputs.push(Output { name: "y".to_owned(), width, net: None });
            module.black_box = Some(BlackBox { parameters: parameters.map(|(k, v)| (k.to_owned(), v)).into() });
            self.new.push(module);
            ModuleId(self.next + self.new.len() as u32 - 1)
        })
    }
}

/// An operand of a sum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    n: NodeId,
    minus: bool,
    /// Known zeros at the least significant end.
    zeros: u32,
}

/// What a node is in a three-operand adder.
#[derive(Debug, Clone, Copy)]
pub(super) enum Three {
    /// Its result; these are the operands, see [`sorted`].
    Sum([Term; 3]),
    /// Inside.
    Inside,
    /// A sum of two that must be kept apart from one of its operands, see [`joined`].
    Apart,
}

/// For each node of `source` what it is in the choice of three-operand adders that takes the fewest look-up tables.
pub(super) fn choose(source: &Module, widths: &[u32]) -> Vec<Option<Three>> {
    let graph = &source.graph;
    let mut readers = vec![0u32; graph.len()];
    source.roots().for_each(|n| readers[n.index()] += 2);
    for n in graph.nodes().filter(|n| widths[n.index()] > 0) {
        graph.op(n).operands().for_each(|a| readers[a.index()] += 1);
    }
    let own = |t: Term| readers[t.n.index()] == 1 && widths[t.n.index()] > 0;
    let inner = |n: NodeId, t: Term| {
        let [x, y] = terms(graph, t.n).filter(|_| own(t))?;
        let turned = |x: Term| Term { minus: x.minus != t.minus, ..x };
        // an inner sum that drops bits which the outer one needs must stay
        let whole = |x: Term| {
            let needs = graph.range(x.n).width().min(widths[n.index()]);
            is_zero(graph, x.n) || needs > 0 && widths[x.n.index()] >= needs
        };
        (whole(x) && whole(y)).then(|| [turned(x), turned(y)])
    };
    let adder = |n: NodeId| {
        let Some([a, b]) = terms(graph, n).filter(|_| widths[n.index()] > 0) else {
            return Adder::default();
        };
        let width = widths[n.index()];
        let extra = |t: Term| match own(t) && fits_tables(graph, &readers, t) {
            true => widths[t.n.index()].min(width),
            false => 0,
        };
        let mut adder = Adder {
            // one of two operands is made in the adder's tables, the other goes onto the carry chain as it is
            alone: alone(graph, [a, b], width) + extra(a).min(extra(b)),
            ..Adder::default()
        };
        for (side, (made, other)) in [(a, b), (b, a)].into_iter().enumerate() {
            let there = is_zero(graph, other.n) || widths[other.n.index()] > 0;
            if let Some([x, y]) = inner(n, made).filter(|_| there) {
                adder.operands[side] = Some(made.n.0);
                let all = sorted([x, y, other]);
                let tables: u32 = all.map(extra).iter().sum();
                adder.taking[side] = width - first(&all).min(width) + tables;
            }
        }
        adder
    };
    let adders: Vec<Adder> = graph.nodes().map(adder).collect();
    let mut chosen: Vec<Option<Three>> = vec![None; graph.len()];
    for (n, takes) in graph.nodes().zip(Cover::cheapest(&adders).takes) {
        let (Some(side), Some([a, b])) = (takes, terms(graph, n)) else {
            continue;
        };
        let (made, other) = if side == 0 { (a, b) } else { (b, a) };
        if let Some([x, y]) = inner(n, made) {
            chosen[n.index()] = Some(Three::Sum(sorted([x, y, other])));
            chosen[made.n.index()] = Some(Three::Inside);
        }
    }
    for n in graph.nodes().filter(|n| widths[n.index()] > 0) {
        let sum = |t: Term| terms(graph, t.n).is_some() && chosen[t.n.index()].is_none();
        let whole = |t: &Term| own(*t) && sum(*t) && widths[t.n.index()] == widths[n.index()];
        if chosen[n.index()].is_none() && joined(graph, n).is_some_and(|t| t.iter().any(whole)) {
            chosen[n.index()] = Some(Three::Apart);
        }
    }
    chosen
}

/// Whether it is the zero of a negation, which has no bits of its own.
fn is_zero(graph: &Graph, n: NodeId) -> bool {
    graph.as_constant(n) == Some(0)
}

/// The operands of a sum of two whose every bit is added.
///
/// Yosys takes a sum into another one that is as wide and its only reader, and then adds three numbers by a row of full
/// adders and a chain, where two chains with what makes their operands in their tables were meant.
fn joined(graph: &Graph, n: NodeId) -> Option<[Term; 2]> {
    let added = |t: &Term| t.zeros == 0 && graph.as_constant(t.n).is_none();
    terms(graph, n).filter(|t| t.iter().all(added))
}

/// The operands of a sum or difference.
fn terms(graph: &Graph, n: NodeId) -> Option<[Term; 2]> {
    let term = |n, minus| Term {
        n,
        minus,
        zeros: match graph.op(n) {
            Op::Shl(_, s) => s,
            _ => 0,
        },
    };
    match graph.op(n) {
        Op::Add(a, b) => Some([term(a, false), term(b, false)]),
        Op::Sub(a, b) => Some([term(a, false), term(b, true)]),
        _ => None,
    }
}

/// Inputs of the look-up tables beside the carry chain.
const LUT_INPUTS: u32 = 6;

/// Whether the tables of a two-operand adder can make an operand as well, for which those of a three-operand adder have no
/// room: gates, and a table of few bits that is subtracted, since synthesis gives what is added to the chain as it is.
fn fits_tables(graph: &Graph, readers: &[u32], t: Term) -> bool {
    let mut n = t.n;
    while let Op::Shl(x, _) | Op::Concat(x, ..) = graph.op(n) {
        n = x;
    }
    match graph.op(n) {
        Op::And(..) | Op::Or(..) | Op::Xor(..) => true,
        Op::Table(index, _) => t.minus && readers[n.index()] == 1 && graph.range(index).width() < LUT_INPUTS,
        _ => false,
    }
}

/// Look-up tables of a two-operand adder: one for each bit that is not passed from the operand that reaches lower.
fn alone(graph: &Graph, [a, b]: [Term; 2], width: u32) -> u32 {
    let (low, high) = if a.zeros <= b.zeros { (a, b) } else { (b, a) };
    let range = graph.range(low.n);
    if low.minus {
        width
    } else if range.lo() >= 0 && range.width() <= high.zeros && !high.minus {
        0
    } else {
        width - high.zeros.min(width)
    }
}

/// The operand that reaches lowest first; of two that reach as low, the subtracted one last.
fn sorted(mut terms: [Term; 3]) -> [Term; 3] {
    terms.sort_by_key(|t| (t.zeros, t.minus));
    terms
}

/// The lowest bit that has to be computed: below it only one operand has bits, and these are added.
fn first([low, next, _]: &[Term; 3]) -> u32 {
    if low.minus { low.zeros } else { next.zeros }
}

impl Lowering<'_> {
    /// The low `width` bits of a sum of two that no tool takes for a part of a sum of three: it begins a bit lower.
    pub fn sum_apart(&mut self, op: Op, width: u32) -> Net {
        let (cell, x, y): (fn(Net, Net) -> Cell, NodeId, NodeId) = match op {
            Op::Add(x, y) => (Cell::Add, x, y),
            Op::Sub(x, y) => (Cell::Sub, x, y),
            _ => unreachable!("only sums are kept apart"),
        };
        let zero = self.b.integer(0, 1);
        let [x, y] = [x, y].map(|n| {
            let bits = self.low(n, width);
            self.b.concat(&[bits, zero])
        });
        let sum = self.b.binary(cell, x, y);
        self.b.slice(sum, 1, width)
    }

    /// The low `width` bits of a sum of three.
    pub fn sum_of_three(&mut self, terms: [Term; 3], width: u32) -> Net {
        let below = first(&terms).min(width);
        let low = (below > 0).then(|| self.low(terms[0].n, below));
        if below == width {
            return low.expect("a net has bits");
        }
        // subtracted operands are the last ones
        let mut order = terms;
        order.sort_by_key(|t| t.minus);
        let subtract = order.iter().filter(|t| t.minus).count() as u8;
        let inputs = order.map(|t| {
            let bits = self.bits(t.n).shr(&mut self.b, below);
            bits.low(&mut self.b, width - below)
        });
        let index = self.b.module.instances.len() as u32;
        let module = self.shapes.id(width - below, subtract);
        self.b.module.instances.push(Instance {
            name: format!("sum{}", inputs[0].0),
            module,
            inputs: inputs.into(),
            scope: self.b.scope,
        });
        let high = self.b.add(Cell::Output(index, 0), width - below);
        match low {
            Some(low) => self.b.concat(&[high, low]),
            None => high,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dfg::ModuleBuilder;
    use crate::lower::{lower, lower_to};
    use crate::num::Format;
    use crate::verilog;

    fn text(module: &std::sync::Arc<Module>, adders: Adders) -> String {
        let mut text = Vec::new();
        verilog::write_design(&lower_to(module, adders).unwrap(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn sums_of_three_become_instances_and_low_bits_pass() {
        let m = ModuleBuilder::new("m");
        let x = m.input_array("x", 4, Format::signed(4, 0).unwrap());
        m.output("y", x[0] - (x[1] << 2) - (x[2] << 3));
        let shared = x[0] + x[3];
        m.output("z", shared - x[2]);
        m.output("shared", shared);
        let module = m.finish().unwrap();
        expect_test::expect![[r#"
            module m (
              input  wire [15:0] x,
              output wire [7:0] y,
              output wire [5:0] z,
              output wire [4:0] shared
            );
              wire [5:0] out16;
              hwgen_add3 #(.WIDTH(6), .SUBTRACT(2)) sum11 (.a({{4{x[3]}}, x[3:2]}), .b({{2{x[7]}}, x[7:4]}), .c({x[11],
                  x[11:8], 1'd0}), .y(out16));
              wire [4:0] add20 = {x[3], x[3:0]} + {x[15], x[15:12]};
              wire [5:0] sub23 = {add20[4], add20} - {{2{x[11]}}, x[11:8]};
              assign y = {out16, x[1:0]};
              assign z = sub23;
              assign shared = add20;
            endmodule
        "#]]
        .assert_eq(&text(&module, Adders::ThreeOperand));
        let plain = lower(&module).unwrap();
        assert!(plain.modules.iter().all(|m| m.black_box.is_none()));
    }

    #[test]
    fn a_negated_sum_is_a_sum_of_three() {
        let m = ModuleBuilder::new("m");
        let x = m.input_array("x", 2, Format::signed(4, 0).unwrap());
        m.output("y", -(x[0] + (x[1] << 1)));
        let text = text(&m.finish().unwrap(), Adders::ThreeOperand);
        assert!(text.contains("SUBTRACT(2)") && !text.contains("= -"), "{text}");
    }

    /// A row of gates is made by the tables of an adder of two, but not by those of an adder of three.
    #[test]
    fn gates_stay_in_front_of_adders_of_two() {
        let sum = |gates: bool| {
            let m = ModuleBuilder::new("m");
            let x = m.input_array("x", 5, Format::signed(4, 0).unwrap());
            let row = |k: usize| match gates {
                true => x[k] & x[4],
                false => x[k],
            };
            m.output("y", x[0] + row(1) + row(2));
            text(&m.finish().unwrap(), Adders::ThreeOperand)
        };
        assert!(sum(false).contains(ADD3));
        assert!(!sum(true).contains(ADD3));
    }

    #[test]
    fn a_subtracted_table_stays_with_its_adder() {
        let design = |bits| {
            let m = ModuleBuilder::new("m");
            let x = m.input("x", Format::unsigned(bits, 0).unwrap());
            let y = m.input("y", Format::signed(4, 0).unwrap());
            let z = m.input("z", Format::signed(4, 0).unwrap());
            let entries: Vec<i128> = (0..1 << bits).map(|i| i * i - 480).collect();
            m.output("out", y - x.lookup(&entries, 0) + z);
            text(&m.finish().unwrap(), Adders::ThreeOperand)
        };
        assert!(!design(5).contains(ADD3));
        assert!(design(6).contains(ADD3));
    }

    #[test]
    fn sums_as_wide_as_what_reads_them_are_kept_apart() {
        let m = ModuleBuilder::new("m");
        let x = m.input("x", Format::unsigned(5, 0).unwrap());
        let y = m.input_array("y", 2, Format::signed(4, 0).unwrap());
        let entries: Vec<i128> = (0..32).map(|i| i & 1).collect();
        let [first, second] = [0, 1].map(|k| x.lookup(&entries, k));
        m.output("out", (y[0] + y[1] - first - second).wrap(5, true));
        let module = m.finish().unwrap();
        let text = text(&module, Adders::ThreeOperand);
        assert!(text.contains(", 1'd0} - {"), "{text}");
    }

    #[test]
    fn an_inner_sum_that_drops_bits_stays() {
        let m = ModuleBuilder::new("m");
        let x = m.input_array("x", 3, Format::signed(4, 0).unwrap());
        m.output("y", (x[0] + x[1]).wrap(4, true) + x[2]);
        let module = m.finish().unwrap();
        assert!(!text(&module, Adders::ThreeOperand).contains(ADD3));
    }

    /// Every number of subtracted operands, against the integers, for both cells and for the sum that stands for them.
    #[test]
    fn the_cells_add() {
        if std::process::Command::new("iverilog").arg("-V").output().is_err() {
            eprintln!("skipped: iverilog is not installed");
            return;
        }
        for cell in [verilog::CarryCell::Carry4, verilog::CarryCell::Carry8] {
            let folder = tempfile::tempdir().unwrap();
            let bench = "module bench;\n  integer i, wrong;\n  reg [2:0] a, b, c;\n  reg [10:0] p, q, r;\n  \
                wire [2:0] y0, y1, y2;\n  wire [10:0] z0, z1, z2;\n  \
                hwgen_add3 #(.WIDTH(3), .SUBTRACT(0)) u0 (.a(a), .b(b), .c(c), .y(y0));\n  \
                hwgen_add3 #(.WIDTH(3), .SUBTRACT(1)) u1 (.a(a), .b(b), .c(c), .y(y1));\n  \
                hwgen_add3 #(.WIDTH(3), .SUBTRACT(2)) u2 (.a(a), .b(b), .c(c), .y(y2));\n  \
                hwgen_add3 #(.WIDTH(11), .SUBTRACT(0)) v0 (.a(p), .b(q), .c(r), .y(z0));\n  \
                hwgen_add3 #(.WIDTH(11), .SUBTRACT(1)) v1 (.a(p), .b(q), .c(r), .y(z1));\n  \
                hwgen_add3 #(.WIDTH(11), .SUBTRACT(2)) v2 (.a(p), .b(q), .c(r), .y(z2));\n  \
                wire [2:0] e0 = a + b + c, e1 = a + b - c, e2 = a - b - c;\n  \
                wire [10:0] f0 = p + q + r, f1 = p + q - r, f2 = p - q - r;\n  \
                initial begin\n    wrong = 0;\n    for (i = 0; i < 4096; i = i + 1) begin\n      \
                {a, b, c} = i; p = $random; q = $random; r = $random; #1;\n      \
                if ({y0, y1, y2, z0, z1, z2} !== {e0, e1, e2, f0, f1, f2}) wrong = wrong + 1;\n    end\n    \
                $display(\"wrong %0d\", wrong);\n  end\nendmodule\n";
            let source = folder.path().join("bench.v");
            std::fs::write(&source, cell.add3() + bench).unwrap();
            let program = folder.path().join("bench");
            let run = |name: &str, arguments: &[&std::ffi::OsStr]| {
                let output = std::process::Command::new(name).args(arguments).output().unwrap();
                String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
            };
            let cells = format!("-D{}", verilog::AMD_CELLS);
            for body in [cells.as_str(), "-DNOTHING"] {
                let compiled = run(
                    "iverilog",
                    &["-g2001".as_ref(), body.as_ref(), "-o".as_ref(), program.as_ref(), source.as_ref()],
                );
                assert_eq!(compiled, "", "{cell} {body}");
                assert_eq!(run("vvp", &["-n".as_ref(), program.as_ref()]), "wrong 0\n", "{cell} {body}");
            }
        }
    }
}
