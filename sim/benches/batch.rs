//! Throughput of the batch simulator on synthetic adder networks, in one thread.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hdl::dfg::{Module, ModuleBuilder, Stamp, Value};
use hdl::num::{Format, Interval};
use sim::batch::{Batch, Linked, Sum};

/// A small deterministic generator (splitmix64), so that the network is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Layers of `width` neurons, each the sum of `fan_in` shifted values, rectified and brought back to 8 bits.
fn network(width: usize, fan_in: usize, layers: usize) -> Arc<Module> {
    let m = ModuleBuilder::new("network");
    let mut random = Random(1);
    let mut values = m.input_array("x", width, Format::unsigned(8, 0).unwrap());
    for _ in 0..layers {
        let neuron = |random: &mut Random| {
            let terms: Vec<Value<'_>> = (0..fan_in)
                .map(|_| values[random.below(width as u64) as usize] * m.constant(1 << random.below(5), 0))
                .collect();
            let sum = Value::tree(&terms, |a, b| if random.below(2) == 0 { a + b } else { a - b });
            let sum = sum.expect("a neuron has terms");
            let limits = Interval::new(0, 255).expect("not empty");
            sum.with_frac(4).truncate(0).saturate(limits).delay(1)
        };
        values = (0..width).map(|_| neuron(&mut random)).collect();
    }
    m.output_array("y", &values);
    m.finish().unwrap()
}

/// Dense layers of these widths whose matrices are left to the simulator: 8-bit values, weights of so many bits, of which
/// one in `sparse` is not 0.
fn layers(widths: &[usize], weight_bits: u32, sparse: u64) -> Linked {
    let m = ModuleBuilder::new("layers");
    let mut random = Random(1);
    let mut values = m.input_array("x0", widths[0], Format::unsigned(8, 0).unwrap());
    let (mut sums, mut exported) = (Vec::new(), 0);
    for (k, &width) in widths[1..].iter().enumerate() {
        let first = exported as u32;
        m.output_array(&format!("operand{k}"), &values);
        exported += values.len();
        let most = 1i64 << (weight_bits - 1);
        let mut weight = || match random.below(sparse) {
            0 => random.below(2 * most as u64) as i64 - most,
            _ => 0,
        };
        for _ in 0..width {
            let terms = (0..values.len() as u32).map(|i| (first + i, weight())).filter(|(_, w)| *w != 0).collect();
            sums.push(Sum { terms, bias: 0, cut: 0 });
        }
        let reach = i128::from(most) * 255 * values.len() as i128;
        let format = Format::integer(Interval::new(-reach, reach).expect("not empty"));
        let results = m.input_port(&format!("sums{k}"), vec![format; width], Stamp::at(0));
        let limits = Interval::new(0, 255).expect("not empty");
        values = results.into_iter().map(|v| v.with_frac(6).truncate(0).saturate(limits)).collect();
    }
    m.output_array("y", &values);
    let outputs = exported..exported + values.len();
    Linked { module: m.finish().unwrap(), inputs: widths[0], outputs, sums }
}

fn throughput(c: &mut Criterion) {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut group = c.benchmark_group("batch");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2)).sample_size(20);
    for (width, fan_in, depth) in [(32, 20, 4), (64, 20, 4), (64, 40, 4)] {
        let module = network(width, fan_in, depth);
        let batch = Batch::compile(&module).unwrap();
        let samples = 16_384;
        let mut random = Random(2);
        let inputs: Vec<i32> = (0..samples * width).map(|_| random.below(256) as i32).collect();
        group.throughput(Throughput::Elements(samples as u64));
        let size = batch.size();
        let name = format!("{}-instructions-{}-slots", size.instructions, size.slots);
        group.bench_function(name, |b| b.iter(|| one_thread.install(|| batch.run(&inputs).unwrap())));
    }
    for (name, weight_bits, sparse) in [("dense", 8, 1), ("half", 8, 2), ("narrow", 3, 2)] {
        let linked = layers(&[16, 64, 32, 32, 5], weight_bits, sparse);
        let batch = Batch::compile_linked(&linked).unwrap();
        let samples = 16_384;
        let mut random = Random(2);
        let inputs: Vec<i32> = (0..samples * 16).map(|_| random.below(256) as i32).collect();
        group.throughput(Throughput::Elements(samples as u64));
        group.bench_function(name, |b| b.iter(|| one_thread.install(|| batch.run(&inputs).unwrap())));
    }
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
