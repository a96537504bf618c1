//! Four registers of 32 bits behind an AXI4-Lite port, with byte strobes.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::{ModuleBuilder, Value, u};

const COUNT: i128 = 4;

fn register_block() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("register_block");
    let bit = |name: &str| m.input(name, 0..=1);
    let address = m.stream("aw", m.input("awaddr", u(4)), bit("awvalid"));
    let data = m.stream("w", (m.input("wdata", u(32)), m.input("wstrb", u(4))), bit("wvalid"));
    let reads = m.stream("ar", m.input("araddr", u(4)), bit("arvalid"));
    let (bready, rready) = (bit("bready"), bit("rready"));
    for (name, ready) in [("awready", address.ready()), ("wready", data.ready()), ("arready", reads.ready())] {
        m.output(name, ready);
    }

    let registers: Vec<_> = (0..COUNT).map(|k| m.reg(&format!("register{k}"), u(32))).collect();
    // an address and its data go together; the answer stays until it is taken
    let answered = m.reg("answered", 0..=1);
    let writes = address.join("write", data);
    let (to, (word, strobes)) = writes.data;
    writes.accept(!answered | bready);
    let write = writes.fires();
    answered.set(write | answered & !bready);
    for (k, register) in (0..COUNT).zip(&registers) {
        let byte = |k: u32| strobes.bit(k).mux(word.slice(8 * k + 7, 8 * k), register.slice(8 * k + 7, 8 * k));
        let merged = (0..3).rev().fold(byte(3), |high: Value<'_>, k| high.concat(byte(k), 8));
        m.when(write & to.slice(3, 2).equals(k), || register.set(merged));
    }

    let (there, found) = (m.reg("there", 0..=1), m.reg("found", u(32)));
    reads.accept(!there | rready);
    there.set(reads.fires() | there & !rready);
    let held: Vec<Value<'_>> = registers.iter().map(|r| r.value()).collect();
    m.when(reads.fires(), || found.set(reads.data.slice(3, 2).select(&held)));

    m.output("bvalid", answered);
    m.output("bresp", m.constant(0, 0));
    m.output("rvalid", there);
    m.output("rdata", found);
    m.output("rresp", m.constant(0, 0));
    m.finish()
}

fn write(bench: &mut Bench, address: i128, data: i128, strobes: i128) {
    for (name, value) in [("awaddr", address), ("wdata", data), ("wstrb", strobes), ("awvalid", 1), ("wvalid", 1)] {
        bench.set(name, value);
    }
    bench.wait_for("awready", 1, 10);
    bench.step();
    bench.set("awvalid", 0);
    bench.set("wvalid", 0);
    bench.set("bready", 1);
    bench.wait_for("bvalid", 1, 10);
    bench.step();
    bench.set("bready", 0);
}

fn read(bench: &mut Bench, address: i128) -> i128 {
    bench.set("araddr", address);
    bench.set("arvalid", 1);
    bench.wait_for("arready", 1, 10);
    bench.step();
    bench.set("arvalid", 0);
    bench.wait_for("rvalid", 1, 10);
    bench.set("rready", 1);
    let word = bench.get("rdata");
    bench.step();
    bench.set("rready", 0);
    word
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::new(&register_block()?)?;
    bench.reset();
    for k in 0..COUNT {
        write(&mut bench, 4 * k, 0x1122_3344 * (k + 1), 0xf);
    }
    write(&mut bench, 4, 0xaabb_ccdd, 0b0101);
    let expected = [0x1122_3344, 0x22bb_66dd, 0x3366_99cc, 0x4488_cd10];
    for (k, word) in (0..COUNT).zip(expected) {
        assert_eq!(read(&mut bench, 4 * k), word, "register {k}");
    }
    println!("registers read back; Icarus: {:?}", bench.replay()?);
    Ok(())
}
