//! Which structure of cells: the front of area against delay.
//!
//! Sharing and compression pull against each other: a shared sum saves the full adders of all its uses but one, and
//! makes them wait for its carries. The plans of the search are therefore cut at every depth, the rest being summed by
//! one carry-save tree an output, and shared sums and outputs are finished in several ways. Of each way area and delay
//! are noted; only the chosen one is built.

use rayon::prelude::*;
use serde::Serialize;

use crate::arith::cells::CellCosts;
use crate::arith::cells::compress::{CarrySave, Compressor, FinalAdder, compress};
use crate::arith::cells::prefix::Shape;
use crate::arith::cells::sums::{CellSums, Ending, SharedAdders, SharedSums, output};
use crate::arith::optimise::plan::{Plan, Shared};
use crate::arith::optimise::search::{self, Effort};
use crate::arith::problem::Objective;
use crate::arith::problem::{ArithError, Problem};

/// Which structure is wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// The fastest that is at most so many times as large as the smallest.
    Larger(f64),
    /// The smallest that takes at most so many ps.
    Within(u32),
    /// The fastest of at most so many µm².
    Fastest(f64),
}

impl Wanted {
    /// Barely larger than the smallest: by as little most structures get a fifth to a third faster.
    pub const BALANCED: Self = Self::Larger(1.15);
}

/// Estimated cost of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Cell area in µm².
    pub area_um2: f64,
    /// From the inputs to the last output bit, in ps, wires not counted.
    pub delay_ps: u32,
}

/// Structures of which none is both smaller and faster than another.
pub struct Front<'a> {
    problem: &'a Problem,
    costs: &'a CellCosts,
    wide: bool,
    plans: Vec<Plan>,
    /// The smallest first.
    structures: Vec<Structure>,
}

/// How a structure is made.
#[derive(Clone, Copy, Debug)]
struct Structure {
    cost: Point,
    plan: usize,
    /// Sums shared beyond this depth are dissolved.
    depth: u32,
    shared: SharedAdders,
}

/// Shared sums that all ripple.
const RIPPLING: SharedAdders =
    SharedAdders { slow_after: u32::MAX, fast: Ending { shape: Shape::Ripple, rippling: 1.0 } };

/// Ways to finish an output: the share of its bits that ripple, and how carries run in the others.
const OUTPUTS: [(f64, &[Shape]); 4] = [
    (0.75, &[Shape::BrentKung, Shape::Earliest]),
    (0.5, &[Shape::BrentKung, Shape::Earliest]),
    (0.25, &[Shape::Sklansky, Shape::Earliest]),
    (0.0, &[Shape::BrentKung, Shape::KoggeStone, Shape::Earliest]),
];

/// Ways to finish the latest of the shared sums: the share of them that ripples, and how the others end.
const SHARED: [(f64, Ending); 4] = [
    (0.0, ending(Shape::Earliest, 0.0)),
    (0.0, ending(Shape::BrentKung, 0.5)),
    (0.5, ending(Shape::Earliest, 0.0)),
    (0.75, ending(Shape::Earliest, 0.0)),
];

const fn ending(shape: Shape, rippling: f64) -> Ending {
    Ending { shape, rippling }
}

impl<'a> Front<'a> {
    /// Searches for shared sums and rates every structure. Unless the front is `wide`, it only has structures of ripple
    /// adders out of one search, of which one is the smallest.
    ///
    /// # Errors
    /// Those of [`Problem::validate`].
    pub fn search(
        problem: &'a Problem,
        costs: &'a CellCosts,
        wide: bool,
        effort: Effort,
        seed: u64,
    ) -> Result<Self, ArithError> {
        problem.validate()?;
        let least = problem.least_depth().map_or(0, |d| d.1);
        let within = |depth: &u32| problem.max_depth.is_none_or(|most| *depth < most);
        let bounds = [least + 1, least].into_iter().filter(within).map(Some);
        let bounds = bounds.filter(|_| wide);
        let plan = |max_depth| {
            let bounded = Problem { max_depth, objective: Objective::LogicBits, ..problem.clone() };
            search::search(&bounded, effort, seed).plan
        };
        let mut front = Self {
            problem,
            costs,
            wide,
            plans: [problem.max_depth].into_iter().chain(bounds).map(plan).collect(),
            structures: Vec::new(),
        };
        let cuts: Vec<(usize, u32)> = front
            .plans
            .iter()
            .enumerate()
            .flat_map(|(index, plan)| {
                let deepest = plan.nodes.iter().map(|n| n.depth).max().unwrap_or(0);
                (0..=deepest).map(move |depth| (index, depth))
            })
            .collect();
        let rated = |&(plan, depth): &(usize, u32)| front.rate(plan, depth);
        let rated: Vec<Vec<Structure>> = cuts.par_iter().map(rated).collect();
        front.structures = best_of(rated.concat());
        Ok(front)
    }

    /// What the structures cost, the smallest first.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        self.structures.iter().map(|s| s.cost)
    }

    /// The structure that is wanted.
    ///
    /// # Errors
    /// A bound out of reach, with what can be reached.
    pub fn choose(&self, wanted: Wanted) -> Result<CellSums, ArithError> {
        let (smallest, fastest) = match &self.structures[..] {
            [first, .., last] => (first, last),
            [only] => (only, only),
            [] => unreachable!("every matrix has a structure"),
        };
        let fastest_of = |area: f64| {
            let meets = |s: &&Structure| s.cost.area_um2 <= area;
            self.structures.iter().rev().find(meets)
        };
        let found = match wanted {
            Wanted::Larger(factor) => Ok(fastest_of(smallest.cost.area_um2 * factor).unwrap_or(smallest)),
            Wanted::Within(bound) => {
                let meets = |s: &&Structure| s.cost.delay_ps <= bound;
                self.structures
                    .iter()
                    .find(meets)
                    .ok_or(ArithError::TooSlow { asked_ps: bound, least_ps: fastest.cost.delay_ps })
            }
            Wanted::Fastest(bound) => fastest_of(bound).ok_or(ArithError::TooSmall {
                asked_um2: bound.floor() as u64,
                least_um2: smallest.cost.area_um2.ceil() as u64,
            }),
        };
        found.map(|structure| self.build(structure))
    }

    /// The structures of one cut.
    fn rate(&self, plan: usize, depth: u32) -> Vec<Structure> {
        let cut = cut(&self.plans[plan], depth);
        let mut ways = vec![RIPPLING];
        if self.wide {
            let mut delays = SharedSums::of(&cut, self.costs, RIPPLING).delays();
            delays.sort_unstable();
            let way = |(share, fast): (f64, Ending)| SharedAdders {
                slow_after: match (delays.len() as f64 * share) as usize {
                    0 => 0,
                    rippling => delays[rippling - 1],
                },
                fast,
            };
            ways.extend(SHARED.into_iter().filter(|_| !delays.is_empty()).map(way));
        }
        let structures = |shared: SharedAdders| {
            let sums = SharedSums::of(&cut, self.costs, shared);
            let column = |column: usize| {
                let mut trees = self.endings(&cut, column, &sums);
                let cost = |tree: &CarrySave| (tree.area(self.costs), tree.delay());
                let costs: Vec<(f64, u32)> = trees.iter().map(cost).collect();
                (trees.swap_remove(0), costs)
            };
            let columns = (0..cut.columns.len()).into_par_iter().map(column);
            let (rippling, choices): (Vec<CarrySave>, Vec<_>) = columns.unzip();
            // of the outputs' areas the combinations take care
            let shared_area =
                sums.area(&cut, &rippling, self.costs) - choices.iter().map(|c: &Vec<(f64, u32)>| c[0].0).sum::<f64>();
            let structure = |(area, delay_ps): (f64, u32)| Structure {
                cost: Point { area_um2: shared_area + area, delay_ps },
                plan,
                depth,
                shared,
            };
            combined(&choices).into_iter().map(structure).collect::<Vec<_>>()
        };
        ways.into_iter().flat_map(structures).collect()
    }

    /// One output with each of its final adders, the ripple chain first.
    fn endings(&self, cut: &Plan, column: usize, sums: &SharedSums) -> Vec<CarrySave> {
        let (terms, bias, range) = output(cut, self.problem, column, &sums.arrivals);
        let mut trees = vec![compress(&terms, bias, range, FinalAdder::RIPPLE, self.costs)];
        let bits = trees[0].rows.len();
        for (share, shapes) in OUTPUTS.into_iter().filter(|_| self.wide) {
            let from = (bits as f64 * share) as usize;
            let reduced = Compressor::reduced(&terms, bias, range, from, self.costs);
            trees.extend(shapes.iter().map(|&shape| reduced.clone().finish(shape)));
        }
        trees
    }

    /// The cells of a structure.
    fn build(&self, structure: &Structure) -> CellSums {
        let cut = cut(&self.plans[structure.plan], structure.depth);
        let sums = SharedSums::of(&cut, self.costs, structure.shared);
        let bound = structure.cost.delay_ps;
        let smallest = |column: usize| {
            let trees = self.endings(&cut, column, &sums).into_iter();
            trees
                .filter(|tree| tree.delay() <= bound)
                .min_by(|a, b| a.area(self.costs).total_cmp(&b.area(self.costs)))
                .expect("the structure was rated")
        };
        let columns = (0..cut.columns.len()).into_par_iter();
        let outputs = columns.map(smallest).collect();
        sums.with(&cut, outputs, self.costs)
    }
}

/// The plan with every shared sum beyond `depth` dissolved into the outputs.
fn cut(plan: &Plan, depth: u32) -> Plan {
    let mut plan = plan.clone();
    let is_beyond = |n: &Shared| n.recipe.is_some() && n.depth > depth;
    let mut gone: Vec<bool> = plan.nodes.iter().map(is_beyond).collect();
    plan.dissolve(&mut gone);
    plan.prune();
    plan
}

/// Least area of all sums together for each delay that it takes to make one smaller; `choices` are area and delay of
/// each sum's endings.
fn combined(choices: &[Vec<(f64, u32)>]) -> Vec<(f64, u32)> {
    let mut events: Vec<(u32, usize, f64)> = (0..)
        .zip(choices)
        .flat_map(|(sum, endings)| endings.iter().map(move |&(area, delay)| (delay, sum, area)))
        .collect();
    events.sort_by_key(|e| (e.0, e.1));
    let mut least = vec![f64::INFINITY; choices.len()];
    let mut points = Vec::new();
    if choices.is_empty() {
        points.push((0.0, 0));
    }
    for together in events.chunk_by(|a, b| a.0 == b.0) {
        for &(_, sum, area) in together {
            least[sum] = least[sum].min(area);
        }
        let area: f64 = least.iter().sum();
        let smaller = points.last().is_none_or(|&(last, _)| area < last);
        if area.is_finite() && smaller {
            points.push((area, together[0].0));
        }
    }
    points
}

/// Those of which none is both smaller and faster, the smallest first.
fn best_of(mut structures: Vec<Structure>) -> Vec<Structure> {
    let order = |a: &Structure, b: &Structure| {
        a.cost.area_um2.total_cmp(&b.cost.area_um2).then(a.cost.delay_ps.cmp(&b.cost.delay_ps))
    };
    structures.sort_by(order);
    let mut fastest = u32::MAX;
    structures.retain(|s| {
        let faster = s.cost.delay_ps < fastest;
        fastest = fastest.min(s.cost.delay_ps);
        faster
    });
    structures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arith::Matrix;
    use constraints::Target;
    use hdl::num::Interval;

    fn costs() -> CellCosts {
        CellCosts::on(&Target::load("osu018").unwrap()).unwrap()
    }

    fn problem() -> Problem {
        let row = |i: i64| (0..6).map(|j| (i * 37 + j * 53) % 61 - 30).collect();
        let rows: Vec<Vec<i64>> = (1..7).map(row).collect();
        Problem::new(Matrix::from_rows(&rows).unwrap(), vec![Interval::of_width(8, true).unwrap(); 6])
    }

    #[test]
    fn what_is_built_costs_what_the_front_says() {
        let (problem, costs) = (problem(), costs());
        let front = Front::search(&problem, &costs, true, Effort::Fast, 0).unwrap();
        let points: Vec<Point> = front.points().collect();
        assert!(points.len() > 5);
        for pair in points.windows(2) {
            assert!(pair[0].area_um2 < pair[1].area_um2 && pair[0].delay_ps > pair[1].delay_ps);
        }
        for point in points {
            let within = front.choose(Wanted::Within(point.delay_ps)).unwrap();
            assert_eq!(within.delay, point.delay_ps);
            assert!((within.area - point.area_um2).abs() < 1e-3);
            let fastest = front.choose(Wanted::Fastest(point.area_um2)).unwrap();
            assert_eq!(fastest, within);
        }
    }

    #[test]
    fn a_bound_out_of_reach_names_what_can_be_reached() {
        let (problem, costs) = (problem(), costs());
        let front = Front::search(&problem, &costs, true, Effort::Fast, 0).unwrap();
        let smallest = front.points().next().unwrap();
        let fastest = front.points().last().unwrap();
        assert_eq!(
            front.choose(Wanted::Within(fastest.delay_ps - 1)),
            Err(ArithError::TooSlow { asked_ps: fastest.delay_ps - 1, least_ps: fastest.delay_ps })
        );
        assert_eq!(
            front.choose(Wanted::Fastest(1000.5)),
            Err(ArithError::TooSmall { asked_um2: 1000, least_um2: smallest.area_um2.ceil() as u64 })
        );
    }

    #[test]
    fn area_buys_speed() {
        let (problem, costs) = (problem(), costs());
        let front = Front::search(&problem, &costs, true, Effort::Fast, 0).unwrap();
        let smallest = front.points().next().unwrap();
        let mut last = smallest.delay_ps;
        for factor in [1.15, 1.5] {
            let larger = front.choose(Wanted::Larger(factor)).unwrap();
            assert!(larger.area <= smallest.area_um2 * factor);
            assert!(larger.delay < last);
            last = larger.delay;
        }
    }

    #[test]
    fn the_smallest_is_there_without_the_wide_front() {
        let (problem, costs) = (problem(), costs());
        let narrow = Front::search(&problem, &costs, false, Effort::Fast, 0).unwrap();
        let wide = Front::search(&problem, &costs, true, Effort::Fast, 0).unwrap();
        let area = |front: &Front<'_>| front.points().next().unwrap().area_um2;
        assert!(area(&wide) <= area(&narrow));
    }

    #[test]
    fn areas_combine_at_every_delay() {
        let choices = [vec![(10.0, 9), (20.0, 5)], vec![(1.0, 4), (8.0, 3)], vec![(5.0, 7)]];
        assert_eq!(combined(&choices), [(26.0, 7), (16.0, 9)]);
        assert_eq!(combined(&[]), [(0.0, 0)]);
    }
}
