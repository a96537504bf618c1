//! Properties of the whole optimiser.

use hdl::num::Interval;
use proptest::prelude::*;

use super::*;
use crate::arith::problem::ends;
use crate::arith::rng::Rng;

fn exact(problem: &Problem, x: &[i64]) -> Vec<i64> {
    let bias = |j: usize| problem.bias.as_ref().map_or(0, |b| b[j]);
    let dot = |j: usize| x.iter().enumerate().map(|(i, v)| v * problem.matrix.at(i, j)).sum::<i64>();
    (0..problem.matrix.columns()).map(|j| dot(j) + bias(j)).collect()
}

fn costs() -> CellCosts {
    CellCosts::on(&constraints::Target::load("osu018").unwrap()).unwrap()
}

/// The graph's outputs with the sign that the consumer was asked to take made good.
fn check_on_vectors(problem: &Problem, graph: &AdderGraph, seed: u64) {
    let n = problem.inputs.len();
    let mut rng = Rng::new(seed);
    for round in 0..200usize {
        let pick = |(i, (lo, hi)): (usize, (i64, i64))| match round {
            0 => lo,
            1 => hi,
            2..100 if i < 64 && round >> (i % 6) & 1 == 1 => lo,
            2..100 => hi,
            _ => lo + rng.below((hi - lo + 1) as usize) as i64,
        };
        let x: Vec<i64> = problem.inputs.iter().map(|range| ends(*range)).enumerate().map(pick).collect();
        assert_eq!(graph.eval(&x), exact(problem, &x), "inputs {n}, {x:?}");
    }
}

fn entry() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(0), 4 => -128i64..128, 1 => -5000i64..5000, 1 => (0u32..12).prop_map(|s| 1 << s)]
}

fn range() -> impl Strategy<Value = Interval> {
    (-300i128..300, 0i128..400).prop_map(|(lo, span)| Interval::new(lo, lo + span).unwrap())
}

prop_compose! {
    fn problem()(rows in 1usize..9, columns in 1usize..9)(
        entries in prop::collection::vec(prop::collection::vec(entry(), columns), rows),
        inputs in prop::collection::vec(range(), rows),
        bias in prop::option::of(prop::collection::vec(-2000i64..2000, columns)),
        spare in prop::option::of(0u32..4),
        free_output_signs in any::<bool>(),
        logic in any::<bool>(),
    ) -> Problem {
        let matrix = Matrix::from_rows(&entries).unwrap();
        let objective = if logic { Objective::LogicBits } else { Objective::AdderBits };
        let mut p = Problem { matrix, inputs, bias, max_depth: None, free_output_signs, objective };
        p.max_depth = spare.map(|s| s + p.least_depth().map_or(0, |d| d.1));
        p
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn graphs_equal_the_matrix(problem in problem(), seed in 0u64..1000) {
        for effort in [Effort::Fast, Effort::Seconds(0.01)] {
            let graph = optimise(&problem, effort, seed).unwrap();
            certify::adders::check(&problem, &graph).unwrap();
            check_on_vectors(&problem, &graph, seed);
            if let Some(bound) = problem.max_depth {
                prop_assert!(graph.depth() <= bound);
            }
            for (_, a, b) in graph.adders() {
                prop_assert!(!(a.neg && b.neg) && (a.shift == 0 || b.shift == 0));
            }
            if !problem.free_output_signs {
                prop_assert!(graph.outputs.iter().flatten().all(|t| !t.neg));
            }
        }
    }

    #[test]
    fn cells_equal_the_matrix(problem in problem(), seed in 0u64..1000, bound in prop::option::of(0u32..6000)) {
        let costs = costs();
        let front = Front::search(&problem, &costs, bound.is_some(), Effort::Fast, seed).unwrap();
        let cells = match front.choose(bound.map_or(Wanted::BALANCED, Wanted::Within)) {
            Err(ArithError::TooSlow { asked_ps, least_ps }) => {
                prop_assert!(asked_ps < least_ps);
                front.choose(Wanted::Within(least_ps)).unwrap()
            }
            other => other.unwrap(),
        };
        certify::adders::check_cells(&problem, &cells).unwrap();
        let m = hdl::dfg::ModuleBuilder::new("cells");
        let formats = problem.inputs.iter().map(|range| hdl::num::Format::integer(*range));
        let x = m.input_port("x", formats.collect(), hdl::dfg::Stamp::at(0));
        m.output_array("y", &cells::lower::build(&m, &x, &cells));
        let module = m.finish().unwrap();
        let mut rng = Rng::new(seed);
        for round in 0..20usize {
            let pick = |(i, (lo, hi)): (usize, (i64, i64))| match round {
                0..10 if (seed as usize + round * 7) >> (i % 10) & 1 == 1 => hi,
                0..10 => lo,
                _ => lo + rng.below((hi - lo + 1) as usize) as i64,
            };
            let x: Vec<i64> = problem.inputs.iter().map(|range| ends(*range)).enumerate().map(pick).collect();
            let wide: Vec<i128> = x.iter().map(|v| i128::from(*v)).collect();
            let expected = exact(&problem, &x);
            prop_assert_eq!(&cells.eval(&x), &expected);
            let built = hdl::dfg::eval::evaluate(&module, &wide).unwrap();
            prop_assert_eq!(built, expected.iter().map(|v| i128::from(*v)).collect::<Vec<_>>());
        }
        if !cells.outputs[0].summands.is_empty() {
            let mut wrong = cells.clone();
            wrong.outputs[0].summands.pop();
            prop_assert!(certify::adders::check_cells(&problem, &wrong).is_err());
        }
        for node in 0..cells.sums.len() {
            let mut wrong = cells.clone();
            let Some(tree) = &mut wrong.sums[node] else { continue };
            tree.summands[1].term.neg ^= true;
            prop_assert!(certify::adders::check_cells(&problem, &wrong).is_err());
            wrong.sums[node] = None;
            prop_assert!(certify::adders::check_cells(&problem, &wrong).is_err());
        }
    }

    #[test]
    fn below_the_least_depth_is_an_error_that_names_it(mut problem in problem()) {
        let (output, least) = problem.least_depth().unwrap();
        prop_assume!(least > 0);
        problem.max_depth = Some(least - 1);
        prop_assert_eq!(
            optimise(&problem, Effort::Fast, 0),
            Err(ArithError::TooDeep { asked: least - 1, least, output })
        );
    }
}

fn random(n: usize, m: usize, bits: u32, sparse: f64, seed: u64) -> Problem {
    let mut rng = Rng::new(seed);
    let half = 1i64 << (bits - 1);
    let mut entry = || {
        let w = rng.below(2 * half as usize) as i64 - half;
        if rng.unit() < sparse { 0 } else { w }
    };
    let rows: Vec<Vec<i64>> = (0..n).map(|_| (0..m).map(|_| entry()).collect()).collect();
    Problem::new(Matrix::from_rows(&rows).unwrap(), vec![Interval::of_width(8, true).unwrap(); n])
}

#[test]
fn the_same_seed_gives_the_same_graph_on_any_number_of_threads() {
    let problem = random(12, 10, 6, 0.2, 3);
    let run = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| optimise(&problem, Effort::Normal, seed).unwrap())
    };
    let one = run(1, 7);
    assert_eq!(one, run(3, 7));
    certify::adders::check(&problem, &one).unwrap();
}

#[test]
fn more_effort_is_never_worse() {
    for (sparse, seed) in [(0.0, 1), (0.85, 2)] {
        let problem = random(16, 16, 6, sparse, seed);
        let bits = |effort| report::run(&problem, effort, 1).unwrap().1.adder_bits;
        assert!(bits(Effort::Normal) <= bits(Effort::Fast));
    }
}

#[test]
fn many_inputs_are_shared_in_groups_and_proved() {
    let mut problem = random(200, 70, 4, 0.5, 9);
    problem.max_depth = Some(problem.least_depth().unwrap().1);
    let (graph, figures) = report::run(&problem, Effort::Fast, 0).unwrap();
    assert!(figures.depth <= problem.max_depth.unwrap());
    let digits: u32 = (0..70).flat_map(|j| problem.matrix.column(j)).map(|(_, w)| digits::weight(w)).sum();
    assert!(figures.adders < digits as usize * 3 / 4);
    check_on_vectors(&problem, &graph, 5);
}

#[test]
fn many_outputs_are_shared_in_groups_and_proved() {
    let mut problem = random(70, 1500, 3, 0.9, 4);
    problem.max_depth = Some(problem.least_depth().unwrap().1 + 1);
    let (graph, _) = report::run(&problem, Effort::Fast, 0).unwrap();
    check_on_vectors(&problem, &graph, 6);
}

#[test]
fn degenerate_matrices() {
    let p = |rows: &[Vec<i64>]| {
        Problem::new(Matrix::from_rows(rows).unwrap(), vec![Interval::of_width(4, false).unwrap(); rows.len()])
    };
    for rows in [vec![], vec![vec![]], vec![vec![0]], vec![vec![1]], vec![vec![-1]], vec![vec![-8, 8], vec![-8, 0]]] {
        let problem = p(&rows);
        for effort in [Effort::Fast, Effort::Normal, Effort::Seconds(0.0)] {
            let graph = optimise(&problem, effort, 0).unwrap();
            certify::adders::check(&problem, &graph).unwrap();
        }
    }
}

#[test]
fn mistakes_are_errors() {
    let two = Matrix::from_rows(&[vec![1, 2], vec![3, 4]]).unwrap();
    let inputs = vec![Interval::of_width(8, true).unwrap(); 2];
    let ok = Problem::new(two.clone(), inputs.clone());
    assert!(matches!(
        Matrix::from_rows(&[vec![1], vec![1, 2]]),
        Err(ArithError::Ragged { row: 1, found: 2, expected: 1 })
    ));
    let few = Problem::new(two, inputs[..1].to_vec());
    assert!(matches!(few.validate(), Err(ArithError::Shape { axis: "rows", found: 1, .. })));
    let bias = Problem { bias: Some(vec![1]), ..ok.clone() };
    assert!(matches!(bias.validate(), Err(ArithError::Shape { axis: "columns", .. })));
    let mut wide = ok.clone();
    wide.inputs[1] = Interval::new(0, 1 << 61).unwrap();
    assert!(matches!(wide.validate(), Err(ArithError::WideInput { input: 1 })));
    let wide = Problem::new(Matrix::from_rows(&[vec![i64::MAX]]).unwrap(), vec![Interval::of_width(8, true).unwrap()]);
    assert!(matches!(wide.validate(), Err(ArithError::TooWide { output: 0 })));
}

/// A shared difference that is turned round, and read twice by its own multiple.
#[test]
fn a_negative_multiple_of_a_negative_multiple() {
    for bits in [1, 8] {
        for rows in [vec![vec![-7, -21]], vec![vec![-7, -21, -63, -35]]] {
            let inputs = vec![Interval::of_width(bits, false).unwrap()];
            let problem = Problem::new(Matrix::from_rows(&rows).unwrap(), inputs);
            let graph = optimise(&problem, Effort::Fast, 0).unwrap();
            assert_eq!(certify::adders::check(&problem, &graph), Ok(()));
        }
    }
}

prop_compose! {
    /// Inputs of one to three bits, some wider, for a target that pays for look-up tables.
    fn few_bits()(rows in 1usize..12, columns in 1usize..5)(
        entries in prop::collection::vec(prop::collection::vec(entry(), columns), rows),
        inputs in prop::collection::vec((-4i128..3, 0i128..5, prop::bool::weighted(0.15)), rows),
        bias in prop::option::of(prop::collection::vec(-2000i64..2000, columns)),
        six in any::<bool>(),
    ) -> Problem {
        let input = |&(lo, span, wide): &(i128, i128, bool)| {
            Interval::new(if wide { -100 } else { lo }, lo + span).unwrap()
        };
        let mut problem = Problem::new(
            Matrix::from_rows(&entries).unwrap(),
            inputs.iter().map(input).collect(),
        );
        problem.bias = bias;
        problem.objective = if six { Objective::Luts } else { Objective::LogicBits };
        problem
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn sums_with_tables_are_the_matrix(problem in few_bits(), seed in any::<u64>()) {
        let graph = optimise(&problem, Effort::Fast, seed).unwrap();
        prop_assert_eq!(certify::adders::check(&problem, &graph), Ok(()));
        check_on_vectors(&problem, &graph, seed);
    }
}
