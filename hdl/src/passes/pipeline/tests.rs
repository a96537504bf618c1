//! Stages keep the meaning and the clock, register bits are compared with the best of all schedules.

use std::sync::Arc;

use super::bounds::latest;
use super::placement::{cut_one_by_one, register_bits};
use super::*;
use crate::dfg::{ModuleBuilder, RegisterStyle, Reset};
use crate::num::Format;
use crate::passes::delay::{GenericDelay, UnitDelay};
use crate::passes::tests::{assert_equivalent, random_data_path, random_design};

fn options(goal: Goal, register_inputs: bool, register_outputs: bool) -> Options {
    Options { register_inputs, register_outputs, input_delay: 100, output_delay: 120, ..Options::new(goal) }
}

/// Whatever the goal, a stream of samples comes out as from the combinational module, at the stated latency and clock.
#[test]
fn streams_keep_their_meaning() {
    let model = GenericDelay::default();
    for seed in 0..25 {
        let module = random_data_path(seed, 60);
        for ports in 0..4 {
            for goal in [Goal::Clock(2500), Goal::Latency(4), Goal::Latency(7)] {
                let options = options(goal, ports & 1 == 1, ports & 2 == 2);
                let (new, report) = pipeline(&module, &model, &options).unwrap();
                let new = Arc::new(new);
                assert_eq!(new.latency(), report.latency);
                if let Goal::Clock(clock) = goal {
                    assert!(report.clock <= u64::from(clock));
                }
                let timing = Timing::of(&new, &model, options.input_delay);
                assert!(timing.longest() + 150 <= report.clock);
                assert_equivalent(&module, &new, seed);
                for (n, op) in new.graph.nodes().map(|n| (n, new.graph.op(n))) {
                    let registered = |on: bool, n: NodeId| {
                        !on || matches!(new.graph.op(n), crate::dfg::Op::Delay(..) | crate::dfg::Op::Const(_))
                    };
                    if !matches!(op, crate::dfg::Op::Delay(..)) {
                        assert!(
                            op.operands().all(|a| registered(
                                options.register_inputs && matches!(new.graph.op(a), crate::dfg::Op::Input(_)),
                                a
                            )),
                            "operand of {}",
                            n.0
                        );
                    }
                }
                assert!(new.output_elements().all(|e| !options.register_outputs
                    || matches!(new.graph.op(e.node), crate::dfg::Op::Delay(..) | crate::dfg::Op::Const(_))));
            }
        }
    }
}

/// All schedules of a small module, tried one by one.
fn best_bits(problem: &Problem<'_>, budget: u64, latency: u32) -> u64 {
    let start = earliest(problem, budget).unwrap();
    let free: Vec<NodeId> = problem.nodes().filter(|n| problem.role(*n) == Role::Free).collect();
    let mut best = u64::MAX;
    let choices = u64::from(latency) + 1;
    for mut code in 0..choices.pow(free.len() as u32) {
        let mut schedule = start.clone();
        for n in &free {
            schedule.stage[n.index()] = (code % choices) as u32;
            code /= choices;
        }
        if schedule.settle(problem, budget, latency).is_some() {
            best = best.min(register_bits(problem, &schedule.stage, latency));
        }
    }
    best
}

/// On small modules the register bits are the least of all schedules; cuts of one boundary after the other miss them in
/// one of fifty modules at most.
#[test]
fn register_bits_are_least() {
    let mut tried = 0;
    let mut missed = 0;
    for seed in 0..400 {
        let module = clean(&random_data_path(seed, 9)).unwrap();
        let options = options(Goal::Latency(0), false, seed % 2 == 0);
        let problem = Problem::new(&module, &UnitDelay, &options).unwrap();
        let free = problem.role.iter().filter(|r| **r == Role::Free).count();
        if free > 9 {
            continue;
        }
        let budget = 1150 + 1000 * (seed % 2);
        let early = earliest(&problem, budget).unwrap();
        let latency = early.latency(&problem, budget) + (seed % 3 / 2) as u32;
        if (u64::from(latency) + 1).pow(free as u32) > 300_000 {
            continue;
        }
        let late = latest(&problem, budget, latency, &early);
        let best = best_bits(&problem, budget, latency);
        let schedule = fewest_bits(&problem, budget, latency).unwrap();
        assert_eq!(register_bits(&problem, &schedule.stage, latency), best);
        let one_by_one = cut_one_by_one(&problem, budget, latency, &early, &late);
        let bits = one_by_one.into_iter().filter_map(|stage| {
            let mut schedule = Schedule { stage, arrival: early.arrival.clone() };
            schedule.settle(&problem, budget, latency)?;
            Some(register_bits(&problem, &schedule.stage, latency))
        });
        tried += 1;
        missed += usize::from(bits.min() != Some(best));
    }
    assert!(tried > 100, "{tried}");
    assert!(missed * 50 <= tried, "{missed} of {tried}");
}

/// A clock that leaves more time never costs registers.
#[test]
fn slower_clocks_need_no_more_registers() {
    let model = GenericDelay::default();
    for seed in 0..10 {
        let module = random_data_path(seed, 80);
        let options = Options::new(Goal::Latency(6));
        let module = clean(&module).unwrap();
        let problem = Problem::new(&module, &model, &options).unwrap();
        let bits = |budget| {
            let early = earliest(&problem, budget).ok()?;
            let met = early.latency(&problem, budget) <= 6;
            let schedule = met.then(|| fewest_bits(&problem, budget, 6).unwrap())?;
            Some(register_bits(&problem, &schedule.stage, 6))
        };
        let bits: Vec<u64> = (20..80).filter_map(|t| bits(t * 100)).collect();
        assert!(bits.is_sorted_by(|a, b| a >= b), "{bits:?}");
    }
}

/// On larger modules cuts save much against placing every node as early, or every node as late, as it can be.
#[test]
fn cuts_save_registers() {
    let model = GenericDelay::default();
    let (mut ends, mut cut) = (0, 0);
    for seed in 0..20 {
        let module = clean(&random_data_path(seed, 400)).unwrap();
        let options = Options::new(Goal::Latency(0));
        let problem = Problem::new(&module, &model, &options).unwrap();
        let budget = 2500;
        let early = earliest(&problem, budget).unwrap();
        let latency = early.latency(&problem, budget);
        let late = latest(&problem, budget, latency, &early);
        let bits = |stage: &[u32]| register_bits(&problem, stage, latency);
        ends += bits(&early.stage).min(bits(&late));
        cut += bits(&fewest_bits(&problem, budget, latency).unwrap().stage);
    }
    println!("register bits: {ends} at the better end, {cut} cut");
    assert!(cut * 100 < ends * 85, "{cut} of {ends}");
}

#[test]
fn registers_stand_where_values_are_narrow() {
    let m = ModuleBuilder::new("narrow");
    let x = m.input("x", Format::unsigned(4, 0).unwrap());
    let y = m.input("y", Format::unsigned(4, 0).unwrap());
    // 9 bits that could be registered as 8 or as 1
    let z = (x * x + y * y).lt(m.constant(40, 0));
    m.output("z", z & x.bit(0));
    let module = m.finish().unwrap();
    let goal = Goal::ClockAndLatency { clock: 9000, latency: 2 };
    let (_, report) = pipeline(&module, &UnitDelay, &Options::new(goal)).unwrap();
    assert_eq!(report.register_bits, 2);
}

#[test]
fn stored_weights_need_no_registers() {
    let m = ModuleBuilder::new("weights");
    let x = m.input("x", Format::signed(8, 0).unwrap());
    let data = m.input("data", Format::signed(6, 0).unwrap());
    let load = m.input("load", Format::BIT);
    let w = m.state("w", Format::signed(6, 0).unwrap(), RegisterStyle::default());
    w.set_next_when(load, data);
    m.output("y", (x * w.value() + x) * w.value());
    let module = m.finish().unwrap();
    let goal = Goal::Latency(3);
    let (new, report) = pipeline(&module, &UnitDelay, &Options::new(goal)).unwrap();
    assert_eq!((report.latency, report.clock), (3, 1000));
    assert_eq!(new.states.len(), 1);
    assert_eq!(report.critical_path.len(), 2);
    let flat = crate::passes::flatten(&random_design(3)).unwrap();
    let error = pipeline(&flat, &UnitDelay, &Options::new(Goal::Clock(3000))).unwrap_err();
    assert_eq!(error.0[0].code, "immovable-register");
}

#[test]
fn registers_that_are_there_are_moved() {
    let m = ModuleBuilder::new("again");
    let x = m.input_array("x", 4, Format::signed(8, 0).unwrap());
    let late = m.input_port("late", vec![Format::signed(8, 0).unwrap()], crate::dfg::Stamp::at(2));
    m.output("y", ((x[0] + x[1]).delay(1) + (x[2] + x[3]).delay(3) + late[0]).delay(2));
    let module = m.finish().unwrap();
    let (new, report) = pipeline(&module, &UnitDelay, &Options::new(Goal::Clock(1000))).unwrap();
    assert_eq!(report.latency, 3);
    // the sum of four waits for the late input, and the total stands at the output
    assert_eq!(report.register_bits, 18 + 10 + 11);
    assert_equivalent(&module, &Arc::new(new), 5);
}

fn message(module: &Module, options: &Options) -> String {
    pipeline(module, &GenericDelay::default(), options)
        .unwrap_err()
        .0
        .into_iter()
        .map(|d| format!("{} | {}", d.message, d.help.unwrap_or_default()))
        .collect()
}

#[test]
fn impossible_goals_say_the_least_possible() {
    let m = ModuleBuilder::new("slow");
    let x = m.input("x", Format::signed(8, 0).unwrap());
    m.output("y", (x * x + x).delay(1) * x);
    let module = m.finish().unwrap();
    let clock = |c| Options::new(Goal::Clock(c));
    let both = |clock, latency| Options::new(Goal::ClockAndLatency { clock, latency });
    assert_eq!(
        message(&module, &clock(400)),
        "a clock of 400 ps is impossible, however many stages there are | the least possible clock is 1560 ps"
    );
    assert_eq!(
        message(&module, &clock(10)),
        "a clock of 10 ps is impossible: a stage cannot do anything in it | the least possible clock is 1560 ps"
    );
    assert!(pipeline(&module, &GenericDelay::default(), &clock(1560)).is_ok());
    assert!(pipeline(&module, &GenericDelay::default(), &clock(1559)).is_err());
    let (_, three) = pipeline(&module, &GenericDelay::default(), &clock(2000)).unwrap();
    assert_eq!(
        message(&module, &both(2000, three.latency - 1)),
        format!(
            "a latency of {} cycles is impossible at a clock of 2000 ps | the least possible latency at this clock is {} cycles, the least possible clock at this latency 2960 ps",
            three.latency - 1,
            three.latency
        )
    );
    let registered = options(Goal::Latency(1), true, true);
    assert_eq!(
        message(&module, &registered),
        "a latency of 1 cycles is impossible | the least possible latency is 2 cycles: registers at the ports and late inputs take them"
    );
}

/// A chain of more stages than can be swept is cut all the same, in time.
#[test]
fn a_deep_chain_is_cut() {
    let m = ModuleBuilder::new("deep");
    let x = m.input_array("x", 2, Format::signed(8, 0).unwrap());
    let chain = (0..10_000).fold(x[0], |sum, _| (sum + x[1]).wrap(8, true));
    m.output("y", chain);
    let module = m.finish().unwrap();
    let options = Options::new(Goal::Clock(3000));
    let (_, report) = pipeline(&module, &UnitDelay, &options).unwrap();
    assert_eq!(report.latency, 3334);
    assert_eq!(report.register_bits, 2 * 8 * 3333 + 8);
    let error = pipeline(&module, &UnitDelay, &Options::new(Goal::Latency(4097))).unwrap_err();
    assert_eq!(error.0[0].message, "a latency of 4097 cycles is too long");
}

#[test]
fn a_reset_register_stays() {
    let m = ModuleBuilder::new("reset");
    let x = m.input("x", Format::signed(8, 0).unwrap());
    let style = RegisterStyle { reset: Reset::Synchronous, ..RegisterStyle::default() };
    m.output("y", x.registered(style) + x.delay(1));
    let module = m.finish().unwrap();
    let error = pipeline(&module, &UnitDelay, &Options::new(Goal::Clock(5000))).unwrap_err();
    assert_eq!(error.0[0].code, "immovable-register");
}
