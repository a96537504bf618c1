//! A controller of the serial peripheral interface: eight bits out and eight in, the most significant first, data changing
//! on the falling edge of the serial clock and sampled on its rising edge (mode 0).

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::lang::Encoding;
use hdl::{ModuleBuilder, u};

/// Clock cycles of half a bit.
const HALF: i128 = 2;

hdl::states! {
    /// Where a transfer is.
    enum Transfer { Idle, Low, High }
}

fn spi() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("spi");
    let (words, miso) = (m.sink("words", u(8)), m.input("miso", 0..=1));
    let (timer, left) = (m.reg("timer", 0..HALF), m.reg("left", 0..=7));
    let (shift, done) = (m.reg("shift", u(8)), m.reg("done", 0..=1));
    let sampled = m.reg("sampled", 0..=1);
    let state = m.machine::<Transfer>("state", Encoding::Gray);
    let tick = timer.equals(0);
    done.set(0);
    m.when(tick, || timer.set(HALF - 1)).otherwise(|| timer.set(timer - 1));
    state.arms(|now| match now {
        Transfer::Idle => {
            timer.set(HALF - 1);
            left.set(7);
            m.when(words.valid, || {
                shift.set(words.data);
                state.go(Transfer::Low);
            });
        }
        Transfer::Low => {
            m.when(tick, || {
                sampled.set(miso);
                state.go(Transfer::High);
            });
        }
        Transfer::High => {
            m.when(tick, || {
                shift.set(shift.slice(6, 0).concat(sampled, 1));
                m.when(left.gt(0), || {
                    left.set(left - 1);
                    state.go(Transfer::Low);
                })
                .otherwise(|| {
                    done.set(1);
                    state.go(Transfer::Idle);
                });
            });
        }
    });
    words.accept(state.is(Transfer::Idle));
    m.output("select_n", state.is(Transfer::Idle));
    m.output("sclk", state.is(Transfer::High));
    m.output("mosi", shift.bit(7));
    m.output("done", done);
    m.output("received", shift);
    m.finish()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::new(&spi()?)?;
    bench.reset();
    for (sent, answer) in [(0xc5, 0x3a), (0x01, 0x80), (0xff, 0x00)] {
        bench.set("words_data", sent);
        bench.set("words_valid", 1);
        bench.wait_for("words_ready", 1, 10);
        bench.step();
        bench.set("words_valid", 0);
        let mut seen = 0;
        for bit in (0..8).rev() {
            bench.set("miso", answer >> bit & 1);
            bench.wait_for("sclk", 1, 10);
            seen = seen << 1 | bench.get("mosi");
            bench.wait_for("sclk", 0, 10);
        }
        assert_eq!(seen, sent);
        bench.wait_for("done", 1, 10);
        assert_eq!(bench.get("received"), answer);
    }
    println!("three bytes each way; Icarus: {:?}", bench.replay()?);
    Ok(())
}
