//! Builds, cleans, prints, cuts and drops data paths of 10 thousand to a million nodes: time and memory a node.
//!
//! `cargo bench -p hwgen-hdl --bench scale [-- NODES…]`. Every size runs in a process of its own, so that its peak of
//! resident memory is its own. On Linux only the peak is shown.

use std::env;
use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdl::dfg::{Module, ModuleBuilder, Value, text};
use hdl::lower::lower;
use hdl::num::Format;
use hdl::passes::clean;
use hdl::passes::delay::GenericDelay;
use hdl::passes::pipeline::{Goal, Options, pipeline};
use hdl::random::Numbers;
use hdl::verilog::write_design;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
const CHILD: &str = "HWGEN_SCALE_NODES";

fn main() {
    if let Some(nodes) = env::var(CHILD).ok().and_then(|n| n.parse().ok()) {
        return measure(nodes);
    }
    let given: Vec<usize> = env::args().filter_map(|a| a.parse().ok()).collect();
    let sizes = if given.is_empty() { SIZES.to_vec() } else { given };
    println!("nanoseconds a node of each step, then peak bytes a node before and after the pipeline pass");
    println!(
        "{:>9} {:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>7} {:>7}",
        "nodes", "made", "build", "clean", "print", "lower", "verilog", "parse", "pipeline", "drop", "bytes", "bytes+"
    );
    let program = env::current_exe().expect("the bench knows where it is");
    for nodes in sizes {
        let status = Command::new(&program).env(CHILD, nodes.to_string()).status();
        assert!(status.is_ok_and(|s| s.success()), "{nodes} nodes failed");
    }
}

/// A network of layers: sums of pairs, constant multiples and clamps of values at most 64 places back.
fn data_path(nodes: usize) -> Arc<Module> {
    let m = ModuleBuilder::new("scale");
    let mut values: Vec<Value<'_>> = m.input_array("x", 64, Format::signed(8, 0).unwrap());
    let mut numbers = Numbers::new(1);
    let mut random = |limit| numbers.below(limit);
    while values.len() < nodes {
        let layer = values.len() / 64 * 64;
        let pick = layer.saturating_sub(64);
        let a = values[pick + random(values.len().min(64))];
        let b = values[pick + random(values.len().min(64))];
        let sum = match random(4) {
            0 => a - b,
            1 => (a << 1).with_frac(0) + b,
            _ => a + b,
        };
        values.push(if sum.range().width() > 14 { sum.wrap(8, true) } else { sum });
    }
    m.output_array("y", &values[values.len() - 64..]);
    m.finish().unwrap()
}

fn timed<T>(step: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = black_box(step());
    (start.elapsed(), result)
}

fn measure(nodes: usize) {
    let (build, module) = timed(|| data_path(nodes));
    let made = module.graph.len();
    let (clean_time, cleaned) = timed(|| clean(&module).unwrap());
    let mut sink = Counter(0);
    let (print, ()) = timed(|| text::write(&module, &mut sink).unwrap());
    let (lower_time, design) = timed(|| lower(&module).unwrap());
    let (verilog, _) = timed(|| write_design(&design, &mut sink).unwrap().len());
    drop(design);
    let before = peak();
    let (parse, _) = if nodes <= 100_000 {
        let printed = text::print(&module);
        timed(|| text::parse(&printed).unwrap().len())
    } else {
        (Duration::ZERO, 0)
    };
    let options = Options::new(Goal::Clock(5000));
    let (cut, _) = timed(|| pipeline(&cleaned, &GenericDelay::default(), &options).unwrap().1);
    let after = peak();
    let (drop_time, ()) = timed(|| drop((module, cleaned)));
    let each = |time: Duration| time.as_nanos() as usize / made;
    println!(
        "{nodes:>9} {made:>9} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>9} {:>9} {:>7} {:>7}",
        each(build),
        each(clean_time),
        each(print),
        each(lower_time),
        each(verilog),
        each(parse),
        each(cut),
        each(drop_time),
        before / made,
        after / made
    );
}

/// Takes text and forgets it.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Most resident memory so far, in bytes; 0 where the system does not say.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|l| l.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}
