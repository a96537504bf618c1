//! Random modules: every operator, in every combination that turns up.

use std::sync::Arc;

use hdl::random::{self, Numbers};
use hdl::verilog;

use crate::support::{self, Run};

fn random_runs(seed: u64, count: usize, size: usize) -> Vec<Run> {
    let mut numbers = Numbers::new(seed);
    let runs = (0..count).map(|k| {
        let module = random::module(&format!("m{k}"), &numbers.choices(size));
        let stimulus = (0..16).map(|_| (numbers.inputs(&module), numbers.bits().is_multiple_of(8)));
        support::run(Arc::clone(&module), stimulus.collect())
    });
    runs.collect()
}

#[test]
fn random_modules_run_in_icarus_as_evaluated() {
    for (seed, size) in [(1, 30), (2, 120), (3, 300)] {
        support::simulate(&random_runs(seed, 40, size));
    }
}

#[test]
fn random_modules_are_lint_clean() {
    if !support::available("verilator", "--version") {
        return;
    }
    for (seed, size) in [(4, 30), (5, 120), (6, 300)] {
        let runs = random_runs(seed, 40, size);
        assert_eq!(support::lint(&support::files_of(&runs)), "");
    }
}

#[test]
fn the_linter_sees_a_bit_that_nothing_reads() {
    if !support::available("verilator", "--version") {
        return;
    }
    let run = &random_runs(4, 40, 120)[7];
    let mut files = run.files();
    let text = &mut files.last_mut().unwrap().1;
    *text = text.replace("endmodule", "  wire [3:0] stray = 4'd5;\nendmodule");
    assert!(support::lint(&files).contains("UNUSED"));
}

#[test]
fn equal_designs_give_equal_bytes_and_lines_are_accounted_for() {
    for (first, second) in random_runs(7, 10, 200).iter().zip(random_runs(7, 10, 200)) {
        let (mut one, mut two) = (Vec::new(), Vec::new());
        let map = verilog::write_design(&first.design, &mut one).unwrap();
        verilog::write_design(&second.design, &mut two).unwrap();
        assert_eq!(one, two);
        let lines = one.iter().filter(|&&c| c == b'\n').count() as u32;
        let next = map.iter().fold(1, |next, part| {
            assert_eq!(part.first_line, next);
            part.last_line + 1
        });
        assert_eq!(next, lines + 1);
    }
}

/// Icarus says where the Verilog of another design differs from what the evaluator saw.
#[test]
fn a_replay_sees_other_verilog() {
    let design = |step| {
        let m = hdl::ModuleBuilder::new("count");
        let count = m.reg("count", hdl::u(4));
        count.set((count + step).wrap(4, false));
        m.output("y", count);
        m.finish().unwrap()
    };
    let mut run = support::run(design(1), vec![(Vec::new(), false); 5]);
    run.design = hdl::lower::lower(&design(3)).unwrap();
    match hdl::bench::replay(&[run]) {
        Ok(result) => assert_eq!(result, hdl::bench::Replay::NotInstalled),
        Err(difference) => assert!(difference.contains("count.y in cycle 1: 3, expected 1"), "{difference}"),
    }
}
