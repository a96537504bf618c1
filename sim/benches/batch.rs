//! Throughput of the batch simulator on synthetic adder networks, in one thread.

use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hdl::dfg::{Module, ModuleBuilder, Value};
use hdl::num::{Format, Interval};
use sim::batch::Batch;

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

fn throughput(c: &mut Criterion) {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let mut group = c.benchmark_group("batch");
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2)).sample_size(20);
    for (width, fan_in, layers) in [(32, 20, 4), (64, 20, 4), (64, 40, 4)] {
        let module = network(width, fan_in, layers);
        let batch = Batch::compile(&module).unwrap();
        let samples = 16_384;
        let mut random = Random(2);
        let inputs: Vec<i32> = (0..samples * width).map(|_| random.below(256) as i32).collect();
        group.throughput(Throughput::Elements(samples as u64));
        let size = batch.size();
        let name = format!("{}-instructions-{}-slots", size.instructions, size.slots);
        group.bench_function(name, |b| b.iter(|| one_thread.install(|| batch.run(&inputs).unwrap())));
    }
    group.finish();
}

criterion_group!(benches, throughput);
criterion_main!(benches);
