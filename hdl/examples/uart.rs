//! A serial transmitter and receiver: a start bit, eight data bits, the least significant first, and a stop bit.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::lang::{Encoding, Stream};
use hdl::{ModuleBuilder, Operand, Value, u};

/// Clock cycles of a bit.
const DIVISOR: i128 = 6;

hdl::states! {
    /// What the receiver sees on the line.
    enum Receiving { Idle, Start, Data, Stop }
}

/// The line: frames of the stream's words.
fn transmitter<'m>(m: &'m ModuleBuilder, words: &Stream<'m>) -> Value<'m> {
    let (timer, left) = (m.reg("tx_timer", 0..DIVISOR), m.reg("tx_left", 0..=10));
    let shift = m.reg("tx_shift", u(10)).reset(0x3ff);
    let idle = left.equals(0);
    m.when(idle & words.valid, || {
        shift.set(1.on(m).concat(words.data, 8).concat(0, 1));
        left.set(10);
        timer.set(DIVISOR - 1);
    })
    .elif(timer.gt(0), || timer.set(timer - 1))
    .elif(left.gt(0), || {
        shift.set(1.on(m).concat(shift.slice(9, 1), 9));
        left.set(left - 1);
        timer.set(DIVISOR - 1);
    });
    words.accept(idle);
    shift.bit(0)
}

/// The words of the frames on `line`, each there for one cycle; frames without a stop bit are dropped.
fn receiver<'m>(m: &'m ModuleBuilder, line: Value<'m>) -> (Value<'m>, Value<'m>) {
    let (timer, count) = (m.reg("rx_timer", 0..DIVISOR), m.reg("rx_count", 0..=7));
    let (data, valid) = (m.reg("rx_data", u(8)), m.reg("rx_valid", 0..=1));
    let state = m.machine::<Receiving>("rx_state", Encoding::OneHot);
    valid.set(0);
    // samples in the middle of each bit
    let sample = timer.equals(0);
    m.when(sample, || timer.set(DIVISOR - 1)).otherwise(|| timer.set(timer - 1));
    state.arms(|now| match now {
        Receiving::Idle => {
            timer.set(DIVISOR / 2 - 1);
            m.when(!line, || state.go(Receiving::Start));
        }
        Receiving::Start => {
            count.set(0);
            m.when(sample & line, || state.go(Receiving::Idle)).elif(sample, || state.go(Receiving::Data));
        }
        Receiving::Data => {
            m.when(sample, || {
                data.set(line.concat(data.slice(7, 1), 7));
                m.when(count.equals(7), || state.go(Receiving::Stop)).otherwise(|| count.set(count + 1));
            });
        }
        Receiving::Stop => {
            m.when(sample, || {
                valid.set(line);
                state.go(Receiving::Idle);
            });
        }
    });
    (data.value(), valid.value())
}

/// What is sent comes back: the transmitter's line is the receiver's.
fn uart() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("uart");
    let words = m.sink("words", u(8));
    let line = transmitter(&m, &words);
    let (data, valid) = receiver(&m, line);
    m.output("line", line);
    m.output("data", data);
    m.output("valid", valid);
    m.finish()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::new(&uart()?)?;
    bench.reset();
    for word in [0x00, 0xff, 0xa5, 0x3c] {
        bench.set("words_data", word);
        bench.set("words_valid", 1);
        bench.wait_for("words_ready", 1, 100);
        bench.step();
        bench.set("words_valid", 0);
        bench.wait_for("valid", 1, 100);
        assert_eq!(bench.get("data"), word);
    }
    println!("four words came back; Icarus: {:?}", bench.replay()?);
    Ok(())
}
