//! Operations on the bits of values: gates, tests of all bits, inversion.
//!
//! A pattern is two's complement without end: its sign goes on in front, zeros go on behind.

use hdl::diag::Diagnostic;
use hdl::num::{Format, Interval, OutOfRange};

use super::form::Form;
use super::layers::{Layers, operands, wrapped};
use super::program::{Operation, limits};
use super::{Collector, Kind, Task, error, power};
use crate::model::{Array, Op, Requantise, StepFunction, TensorId};

/// Most bits of a pattern.
const MAX_PATTERN: u32 = 60;

/// What two bits become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gate {
    /// 1 if both are.
    And,
    /// 1 if one is.
    Or,
    /// 1 if they differ.
    Xor,
}

impl Gate {
    fn range(self, x: Interval, y: Interval) -> Result<Interval, OutOfRange> {
        match self {
            Gate::And => x.and(y),
            Gate::Or => x.or(y),
            Gate::Xor => x.xor(y),
        }
    }
}

impl Collector<'_> {
    /// Every bit inverted, or whether any or all are 1.
    pub(super) fn unary_bits(&mut self, operation: &Operation) -> Result<Form, Diagnostic> {
        let ([x], [code]) = operation.parts()?;
        let form = self.operand(x)?.clone();
        let (pattern, format) = (self.program.5[x].format()?, operation.format()?);
        let kind = match code {
            0 => return inverted(&form, &pattern, &format),
            1 => Kind::Any,
            2 => Kind::All,
            other => return Err(error(format!("there is no function {other} of all bits"))),
        };
        if format.frac != 0 || limits(&format).1 < 1 {
            return Err(error("its range holds no 1, which stands for yes"));
        }
        self.task(kind, vec![form], vec![pattern], format)
    }

    /// A gate for each pair of bits; the second operand is shifted first.
    pub(super) fn binary_bits(&mut self, operation: &Operation) -> Result<Form, Diagnostic> {
        let ([x, y], [shift, code]) = operation.parts()?;
        let gate = match code {
            0 => Gate::And,
            1 => Gate::Or,
            2 => Gate::Xor,
            other => return Err(error(format!("there is no gate {other}"))),
        };
        let (a, b) = (self.operand(x)?.clone(), self.operand(y)?);
        let forms = vec![a, b.scaled(power(shift)?)];
        let mut patterns = vec![self.program.5[x].format()?, self.program.5[y].format()?];
        patterns[1].frac -= shift as i32;
        let frac = patterns[0].frac.max(patterns[1].frac);
        let aligned = |pattern: &Format| {
            let all = pattern.range.shl(frac.abs_diff(pattern.frac)).ok();
            let fits = all.filter(|range| range.width() <= MAX_PATTERN);
            fits.ok_or_else(|| error("its operands are too wide when their points are aligned"))
        };
        let (a, b) = (aligned(&patterns[0])?, aligned(&patterns[1])?);
        let result = gate.range(a, b).map_err(|e| error(e.to_string()))?;
        let format = operation.format()?;
        let (lo, hi) = limits(&format);
        let holds = i128::from(lo) <= result.lo() && result.hi() <= i128::from(hi);
        if !holds || format.range.width() > 0 && format.frac != frac {
            return Err(error(format!(
                "its range does not hold what the gates give, {result} in steps of 2^{}",
                -frac
            )));
        }
        self.task(Kind::Gates(gate), forms, patterns, format)
    }
}

/// What is left of all ones: `-1 - n` of a signed integer, else `2^width - 1 - n`. The point may move.
fn inverted(form: &Form, pattern: &Format, format: &Format) -> Result<Form, Diagnostic> {
    let [inverted, given] = [pattern, format].map(|f| f.range.width());
    if (pattern.range.signed(), inverted) != (format.range.signed(), given) {
        return Err(error(format!("{inverted} bits are inverted, but its range has {given}"))
            .help("its range has the sign and the width of the operand's"));
    }
    let ones = match pattern.range.signed() {
        true => -1,
        false => limits(pattern).1,
    };
    let ones = Form::constant(ones as f64 * power((-pattern.frac).into())?);
    let moved = power((pattern.frac - format.frac).into())?;
    Ok(ones.plus(form, -1.0)?.scaled(moved))
}

impl Layers {
    /// A gate for each pair of bits of two operands.
    pub(super) fn gates(&mut self, level: u32, gate: Gate, tasks: &[Task]) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let (op, name) = match gate {
            Gate::And => (Op::And, format!("and{level}")),
            Gate::Or => (Op::Or, format!("or{level}")),
            Gate::Xor => (Op::Xor, format!("xor{level}")),
        };
        let x = self.aligned_patterns(&name, tasks, 0)?;
        let y = self.aligned_patterns(&name, tasks, 1)?;
        let results = self.push(&name, op, vec![x, y])?;
        let fracs: Vec<i32> = tasks.iter().map(common_frac).collect();
        self.formatted(&name, results, &fracs, tasks)
    }

    /// A function of all bits of each operand.
    pub(super) fn tested(
        &mut self,
        name: &str,
        tasks: &[Task],
        function: fn(&Format) -> StepFunction,
    ) -> Result<(TensorId, Vec<i32>), Diagnostic> {
        let x = self.patterns(name, tasks, 0)?;
        let functions =
            Array { shape: vec![1, tasks.len()], values: tasks.iter().map(|t| function(&t.patterns[0])).collect() };
        let functions = functions.compact();
        let tensor = self.push(name, Op::Threshold { functions }, vec![x])?;
        Ok((tensor, vec![0; tasks.len()]))
    }

    /// Operand `k` of each task as an integer of its format.
    fn patterns(&mut self, name: &str, tasks: &[Task], k: usize) -> Result<TensorId, Diagnostic> {
        let (x, fracs) = self.natural_rows(name, &operands(tasks, k))?;
        let formats = tasks.iter().map(|t| &t.patterns[k]).zip(fracs);
        let cut = formats.map(|(format, frac)| wrapped(frac - format.frac, format));
        self.each(name, x, cut.collect())
    }

    /// The same with zeros behind it, as many as give the operands of a task one step.
    fn aligned_patterns(&mut self, name: &str, tasks: &[Task], k: usize) -> Result<TensorId, Diagnostic> {
        let x = self.patterns(name, tasks, k)?;
        let extended = |task: &Task| {
            let pattern = task.patterns[k];
            let zeros = common_frac(task) - pattern.frac;
            let range = pattern.range.shl(zeros as u32).expect("aligned patterns fit");
            wrapped(-zeros, &Format { range, ..pattern })
        };
        let extended: Vec<Requantise> = tasks.iter().map(extended).collect();
        match extended.iter().all(|r| r.drop == 0) {
            true => Ok(x),
            false => self.each(name, x, extended),
        }
    }
}

/// Fraction bits of two patterns whose points are aligned.
fn common_frac(task: &Task) -> i32 {
    task.patterns[0].frac.max(task.patterns[1].frac)
}

/// 1 but for the pattern of zeros.
pub(super) fn any_bit(format: &Format) -> StepFunction {
    StepFunction {
        first: i64::from(format.range.signed()),
        steps: match format.range.signed() {
            true => vec![(0, 0), (1, 1)],
            false => vec![(1, 1)],
        },
    }
}

/// 1 for the pattern of ones: -1, or the greatest integer without a sign.
pub(super) fn all_bits(format: &Format) -> StepFunction {
    let steps = match format.range.signed() {
        true => vec![(-1, 1), (0, 0)],
        false => vec![(limits(format).1, 1)],
    };
    StepFunction { first: 0, steps }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    /// A program of one operation on inputs that are integers from `low` to `high` with so many fraction bits.
    fn program(inputs: &[(i64, i64, i32)], operation: (i64, &[i64]), result: (f64, f64, f64)) -> String {
        let ranges = inputs.iter().map(|(low, high, frac)| {
            let step = 2f64.powi(-frac);
            (*low as f64 * step, *high as f64 * step, step)
        });
        let mut operations: Vec<String> = ranges
            .enumerate()
            .map(|(k, (low, high, step))| format!("[[],-1,[{k}],[{low:?},{high:?},{step:?}],0,0]"))
            .collect();
        let (count, operands) = (inputs.len(), (0..inputs.len()).collect::<Vec<_>>());
        let (kind, numbers) = operation;
        let (low, high, step) = result;
        operations.push(format!("[{operands:?},{kind},{numbers:?},[{low:?},{high:?},{step:?}],0,0]"));
        let (operations, shifts) = (operations.join(","), vec![0; count]);
        format!(
            "{{\"model\":[[{count},1],{shifts:?},[{count}],[0],[false],[{operations}],-1,-1],\
             \"meta\":\"ALIRModel\",\"spec_version\":4}}"
        )
    }

    /// The only output for these inputs.
    fn result(program: &str, inputs: &[f64]) -> f64 {
        let graph = read(program.as_bytes()).expect("a valid program").graph;
        let inputs = inputs.iter().map(|x| *x as f32).collect();
        f64::from(graph.predict(&[inputs]).expect("as many inputs")[0][0])
    }

    /// Signs and points that differ; the second operand is shifted. Counted in quarters.
    #[test]
    fn gates_align_points_and_extend_signs() {
        let inputs = [(-4, 3, 1), (0, 7, 0)];
        let range = (-4.0, 3.75, 0.25);
        let gates: [fn(i64, i64) -> i64; 3] = [|x, y| x & y, |x, y| x | y, |x, y| x ^ y];
        for (code, gate) in (0..).zip(gates) {
            let program = program(&inputs, (10, &[-2, code]), range);
            for (x, y) in (-4..4).flat_map(|x| (0..8).map(move |y| (x, y))) {
                let got = result(&program, &[x as f64 / 2.0, y as f64]);
                assert_eq!(got * 4.0, gate(2 * x, y) as f64, "{code}: {x}, {y}");
            }
        }
    }

    #[test]
    fn inversion_keeps_sign_and_width() {
        let unsigned = program(&[(0, 5, 1)], (9, &[0]), (0.0, 3.5, 0.5));
        let signed = program(&[(-4, 3, 1)], (9, &[0]), (-2.0, 1.5, 0.5));
        for n in 0..6 {
            assert_eq!(result(&unsigned, &[f64::from(n) / 2.0]), f64::from(7 - n) / 2.0);
            let n = n - 3;
            assert_eq!(result(&signed, &[f64::from(n) / 2.0]), f64::from(-1 - n) / 2.0);
        }
    }

    /// The pattern has as many bits as the range needs, though not all of them occur.
    #[test]
    fn tests_see_every_bit() {
        let yes = (0.0, 1.0, 1.0);
        for (low, high, ones) in [(-4, 3, -1), (0, 7, 7), (0, 6, 7), (-1, 0, -1), (0, 1, 1)] {
            let any = program(&[(low, high, 2)], (9, &[1]), yes);
            let all = program(&[(low, high, 2)], (9, &[2]), yes);
            for n in low..=high {
                let x = [n as f64 / 4.0];
                assert_eq!(result(&any, &x), f64::from(n != 0), "any of {n}");
                assert_eq!(result(&all, &x), f64::from(n == ones), "all of {n}");
            }
        }
        // no bits at all are all ones
        let nothing = program(&[(0, 0, 0)], (9, &[2]), yes);
        assert_eq!(result(&nothing, &[0.0]), 1.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |program: String, why: &str| {
            let said = read(program.as_bytes()).expect_err("a wrong program").to_string();
            assert!(said.contains(why) && said.contains("operation "), "{said}");
        };
        let (a, b) = ((-4, 3, 0), (0, 7, 0));
        let whole = |low: f64, high: f64| (low, high, 1.0);
        refused(program(&[a, b], (10, &[0, 1]), whole(-4.0, 3.0)), "[-8, 7]");
        refused(program(&[a, b], (10, &[-1, 1]), whole(-8.0, 7.0)), "2^-1");
        refused(program(&[a, b], (10, &[0, 3]), whole(-8.0, 7.0)), "gate 3");
        refused(program(&[a, b], (10, &[60, 0]), whole(-8.0, 7.0)), "too wide");
        refused(program(&[a], (9, &[0]), whole(-8.0, 7.0)), "3 bits are inverted");
        refused(program(&[a], (9, &[3]), whole(-4.0, 3.0)), "function 3");
        refused(program(&[a], (9, &[1]), (0.0, 0.5, 0.5)), "no 1");
        refused(program(&[a], (9, &[1]), whole(-1.0, 0.0)), "no 1");
        refused(program(&[a], (10, &[0, 1]), whole(-8.0, 7.0)), "2 operands");
    }
}
