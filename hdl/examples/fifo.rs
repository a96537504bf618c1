//! A queue between two streams, with a register slice behind it: the stream library's parts put together.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::random::Numbers;
use hdl::{ModuleBuilder, s};

/// A queue of five words, as many as need not be a power of two.
fn buffered() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("buffered");
    let words = m.sink("words", s(9, 0));
    m.source("out", words.fifo("queue", 5).skid("slice"));
    m.finish()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::new(&buffered()?)?;
    let mut numbers = Numbers::new(7);
    bench.reset();
    let (mut sent, mut received) = (0, 0);
    while received < 100 {
        bench.set("words_data", sent % 256 - 128);
        bench.set("words_valid", i128::from(numbers.below(3) > 0));
        bench.set("out_ready", numbers.below(2) as i128);
        sent += i128::from(bench.fires("words"));
        if bench.fires("out") {
            assert_eq!(bench.get("out_data"), received % 256 - 128);
            received += 1;
        }
        bench.step();
    }
    println!("{received} words in order; Icarus: {:?}", bench.replay()?);
    Ok(())
}
