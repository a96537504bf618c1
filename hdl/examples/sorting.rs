//! A sorting network, cut into pipeline stages for a clock without a change to its description.

use std::error::Error;
use std::sync::Arc;

use hdl::bench::Bench;
use hdl::dfg::Module;
use hdl::passes::{delay::GenericDelay, pipeline};
use hdl::random::Numbers;
use hdl::{ModuleBuilder, s};

const COUNT: usize = 8;

/// Batcher's odd-even merge sort of a power of two of values.
fn sorter() -> Result<Arc<Module>, hdl::Diagnostics> {
    let m = ModuleBuilder::new("sorter");
    let mut x: Vec<_> = (0..COUNT).map(|k| m.input(&format!("x{k}"), s(8, 0))).collect();
    let mut sorted = 1;
    while sorted < COUNT {
        let mut apart = sorted;
        while apart >= 1 {
            let first = apart % sorted;
            for low in (first..COUNT - apart).filter(|k| (k - first) / apart % 2 == 0) {
                let high = low + apart;
                if low / (2 * sorted) == high / (2 * sorted) {
                    (x[low], x[high]) = (x[low].min(x[high]), x[low].max(x[high]));
                }
            }
            apart /= 2;
        }
        sorted *= 2;
    }
    for (k, x) in x.into_iter().enumerate() {
        m.output(&format!("y{k}"), x);
    }
    m.finish()
}

/// Runs the bench in the evaluator, and again in Icarus.
pub fn main() -> Result<(), Box<dyn Error>> {
    let options = pipeline::Options::new(pipeline::Goal::Latency(3));
    let (pipelined, _) = pipeline::pipeline(&*sorter()?, &GenericDelay::default(), &options)?;
    let latency = pipelined.latency() as usize;
    assert_eq!(latency, 3);
    let mut bench = Bench::new(&Arc::new(pipelined))?;
    let mut numbers = Numbers::new(3);
    let rows: Vec<Vec<i128>> =
        (0..50).map(|_| (0..COUNT).map(|_| numbers.below(256) as i128 - 128).collect()).collect();
    for t in 0..rows.len() {
        rows[t].iter().enumerate().for_each(|(k, x)| bench.set(&format!("x{k}"), *x));
        if let Some(row) = t.checked_sub(latency) {
            let mut expected = rows[row].clone();
            expected.sort_unstable();
            let got: Vec<i128> = (0..COUNT).map(|k| bench.get(&format!("y{k}"))).collect();
            assert_eq!(got, expected);
        }
        bench.step();
    }
    println!("a row a cycle, {latency} cycles later; Icarus: {:?}", bench.replay()?);
    Ok(())
}
