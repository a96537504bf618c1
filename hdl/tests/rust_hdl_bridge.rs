//! Two instances of a generated module in one rust-hdl parent: simulated there, and its Verilog in Icarus.

use std::process::Command;
use std::sync::Arc;

use hdl::dfg::{Module, ModuleBuilder};
use hdl::num::Format;
use rust_hdl::prelude::*;

hdl::rust_hdl_block! {
    /// `y = a · b + 1`, one cycle later.
    pub struct Product { in a: 8, in b: 8, out y: 17 }
}

fn product() -> Arc<Module> {
    let m = ModuleBuilder::new("product");
    let format = Format::unsigned(8, 0).unwrap();
    let (a, b) = (m.input("a", format), m.input("b", format));
    let y = (a * b + m.constant(1, 0)).delay(1);
    m.output_port("y", &[y], &[Format::unsigned(17, 0).unwrap()]);
    m.finish().unwrap()
}

/// `(a·b + 1, b·c + 1)` from two instances of one module.
#[derive(LogicBlock)]
struct Pair {
    pub clk: Signal<In, Clock>,
    pub a: Signal<In, Bits<8>>,
    pub b: Signal<In, Bits<8>>,
    pub c: Signal<In, Bits<8>>,
    pub first_y: Signal<Out, Bits<17>>,
    pub second_y: Signal<Out, Bits<17>>,
    first: Product,
    second: Product,
}

impl Logic for Pair {
    #[hdl_gen]
    fn update(&mut self) {
        self.first.clk.next = self.clk.val();
        self.second.clk.next = self.clk.val();
        self.first.a.next = self.a.val();
        self.first.b.next = self.b.val();
        self.second.a.next = self.b.val();
        self.second.b.next = self.c.val();
        self.first_y.next = self.first.y.val();
        self.second_y.next = self.second.y.val();
    }
}

fn pair() -> Pair {
    let module = product();
    let mut pair = Pair {
        clk: Default::default(),
        a: Default::default(),
        b: Default::default(),
        c: Default::default(),
        first_y: Default::default(),
        second_y: Default::default(),
        first: Product::new(&module).unwrap(),
        second: Product::new(&module).unwrap(),
    };
    pair.clk.connect();
    pair.a.connect();
    pair.b.connect();
    pair.c.connect();
    pair.connect_all();
    pair
}

#[test]
fn rust_hdl_simulates_both_instances() {
    let mut simulation = Simulation::new();
    simulation.add_clock(5, |pair: &mut Box<Pair>| pair.clk.next = !pair.clk.val());
    simulation.add_testbench(move |mut sim: Sim<Pair>| {
        let mut pair = sim.init()?;
        for (a, b, c) in [(3u64, 5u64, 7u64), (255, 255, 0), (16, 9, 200)] {
            wait_clock_false!(sim, clk, pair);
            pair.a.next = a.to_bits::<8>();
            pair.b.next = b.to_bits();
            pair.c.next = c.to_bits();
            wait_clock_cycle!(sim, clk, pair);
            sim_assert_eq!(sim, pair.first_y.val(), (a * b + 1).to_bits::<17>(), pair);
            sim_assert_eq!(sim, pair.second_y.val(), (b * c + 1).to_bits::<17>(), pair);
        }
        sim.done(pair)
    });
    simulation.run(Box::new(pair()), 1000).unwrap();
}

#[test]
fn its_verilog_holds_the_body_once_and_runs_in_icarus() {
    let verilog = generate_verilog(&pair());
    let folder = tempfile::tempdir().unwrap();
    let bench = "
        module bench;
          reg clock = 0; reg [7:0] a = 200, b = 3, c = 9; wire [16:0] first_y, second_y;
          top dut(.clk(clock), .a(a), .b(b), .c(c), .first_y(first_y), .second_y(second_y));
          initial begin #1 clock = 1; #1 $display(\"%0d %0d\", first_y, second_y); end
        endmodule";
    std::fs::write(folder.path().join("design.v"), verilog + bench).unwrap();
    let mut compiler = Command::new("iverilog");
    compiler.args(["-g2005", "-s", "bench", "-o", "a.out", "design.v"]).current_dir(&folder);
    let Ok(compiled) = compiler.output() else {
        return println!("skipped: iverilog is not installed");
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let run = Command::new("vvp").args(["-n", "a.out"]).current_dir(&folder).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout).trim(), "601 28");
}

#[test]
fn ports_must_agree() {
    hdl::rust_hdl_block! {
        struct Wrong { in a: 8, in b: 7, out y: 17 }
    }
    hdl::rust_hdl_block! {
        struct Missing { in a: 8, out y: 17 }
    }
    let text = |error: hdl::diag::Diagnostics| error.to_string();
    assert!(text(Wrong::new(&product()).err().unwrap()).contains("`b` of `product` has 8 bits, the block says 7"));
    assert!(text(Missing::new(&product()).err().unwrap()).contains("`b` of `product` (8 bits) is not in the block"));
}
