//! Boolean functions of cell pins, as truth tables.

/// Most inputs of a function that is looked at.
pub const MAX_INPUTS: usize = 6;

/// Longest expression that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;

/// The truth table of `variable` among `MAX_INPUTS` variables: bit `k` is its value in assignment `k`.
const COLUMNS: [u64; MAX_INPUTS] = [
    0xaaaa_aaaa_aaaa_aaaa,
    0xcccc_cccc_cccc_cccc,
    0xf0f0_f0f0_f0f0_f0f0,
    0xff00_ff00_ff00_ff00,
    0xffff_0000_ffff_0000,
    0xffff_ffff_0000_0000,
];

/// Operators by rising precedence, as the Liberty reference orders them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operator {
    Parenthesis,
    Or,
    And,
    Xor,
    Not,
}

/// What an expression can be evaluated to.
trait Logic: Sized {
    fn not(self) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
}

/// A truth table.
impl Logic for u64 {
    fn not(self) -> Self {
        !self
    }

    fn and(self, other: Self) -> Self {
        self & other
    }

    fn or(self, other: Self) -> Self {
        self | other
    }

    fn xor(self, other: Self) -> Self {
        self ^ other
    }
}

/// A Verilog expression.
impl Logic for String {
    fn not(self) -> Self {
        format!("(~{self})")
    }

    fn and(self, other: Self) -> Self {
        format!("({self} & {other})")
    }

    fn or(self, other: Self) -> Self {
        format!("({self} | {other})")
    }

    fn xor(self, other: Self) -> Self {
        format!("({self} ^ {other})")
    }
}

/// Evaluates expressions by the shunting-yard algorithm, so that nesting costs heap and not stack.
struct Evaluator<V> {
    values: Vec<V>,
    operators: Vec<Operator>,
}

impl<V: Logic> Evaluator<V> {
    fn reduce(&mut self) -> Option<()> {
        let operator = self.operators.pop()?;
        let b = self.values.pop()?;
        let value = match operator {
            Operator::Parenthesis => return None,
            Operator::Not => b.not(),
            Operator::Or => self.values.pop()?.or(b),
            Operator::And => self.values.pop()?.and(b),
            Operator::Xor => self.values.pop()?.xor(b),
        };
        self.values.push(value);
        Some(())
    }

    fn binary(&mut self, operator: Operator) -> Option<()> {
        while self.operators.last().is_some_and(|&o| o >= operator) {
            self.reduce()?;
        }
        self.operators.push(operator);
        Some(())
    }

    fn close(&mut self) -> Option<()> {
        while *self.operators.last()? != Operator::Parenthesis {
            self.reduce()?;
        }
        self.operators.pop();
        Some(())
    }

    fn finish(mut self) -> Option<V> {
        while !self.operators.is_empty() {
            self.reduce()?;
        }
        let value = self.values.pop()?;
        self.values.is_empty().then_some(value)
    }
}

/// The truth table of a Liberty `function` of `inputs`, of which bit `k` belongs to the assignment in which input `i`
/// has the value of bit `i` of `k`. `None` if there are too many inputs, or the text is no function of them.
///
/// `!` and postfix `'` negate, `^` comes next, then `&`, `*` and mere juxtaposition, then `|` and `+`.
pub fn truth_table(function: &str, inputs: &[&str]) -> Option<u64> {
    if inputs.len() > MAX_INPUTS {
        return None;
    }
    Some(evaluate(function, |name| operand(name, inputs))? & mask(inputs.len()))
}

/// A Liberty `function` as a Verilog expression, its operands replaced by what `operand` gives for them; `None` if it
/// knows one not, or the text is no function.
pub(super) fn verilog(function: &str, operand: impl Fn(&str) -> Option<String>) -> Option<String> {
    evaluate(function, |name| match name {
        "0" | "1" => Some(format!("1'b{name}")),
        _ => operand(name),
    })
}

/// The value of `function`, given those of its operands.
fn evaluate<V: Logic>(function: &str, operand: impl Fn(&str) -> Option<V>) -> Option<V> {
    if function.len() > MAX_LENGTH {
        return None;
    }
    let mut evaluator = Evaluator { values: Vec::new(), operators: Vec::new() };
    let mut operand_before = false;
    let mut rest = function.trim_start();
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        if operand_before && !")'^&*|+".contains(c) {
            evaluator.binary(Operator::And)?;
            operand_before = false;
        }
        match c {
            '!' => evaluator.operators.push(Operator::Not),
            '(' => evaluator.operators.push(Operator::Parenthesis),
            ')' if operand_before => evaluator.close()?,
            '\'' if operand_before => {
                let value: V = evaluator.values.pop()?;
                evaluator.values.push(value.not());
            }
            '^' | '&' | '*' | '|' | '+' if operand_before => {
                evaluator.binary(match c {
                    '^' => Operator::Xor,
                    '&' | '*' => Operator::And,
                    _ => Operator::Or,
                })?;
                operand_before = false;
            }
            _ => {
                taken = rest.find(|c: char| !(c.is_alphanumeric() || "_[].".contains(c))).unwrap_or(rest.len());
                evaluator.values.push(operand(&rest[..taken])?);
                operand_before = true;
            }
        }
        rest = rest[taken..].trim_start();
    }
    evaluator.finish()
}

fn operand(name: &str, inputs: &[&str]) -> Option<u64> {
    match inputs.iter().position(|input| *input == name) {
        Some(i) => Some(COLUMNS[i]),
        None => match name {
            "0" => Some(0),
            "1" => Some(u64::MAX),
            _ => None,
        },
    }
}

/// All assignments of `inputs` variables.
pub(super) fn mask(inputs: usize) -> u64 {
    u64::MAX >> (64 - (1 << inputs.min(MAX_INPUTS)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_both_libraries() {
        let abc = ["A", "B", "C"];
        for (function, table) in [
            ("(A B)", 0x88),
            ("(!((A B)+C))", 0x07),
            ("((A^B)^C)", 0x96),
            ("(((A B)+(B C))+(C A))", 0xe8),
            ("((A & B) | (C & (A | B)))", 0xe8),
            ("A' B", 0x44),
            ("(A+B)'", 0x11),
            ("!!A", 0xaa),
            ("!A^B", 0x99),
            ("A+B^C", 0xbe),
            ("1", 0xff),
            ("0", 0),
        ] {
            assert_eq!(truth_table(function, &abc), Some(table), "{function}");
        }
    }

    #[test]
    fn what_is_no_function_of_the_inputs_has_no_table() {
        for text in ["", "A+", "(A", "A)", "D", "A++B", "()", "^A", "'", "A B C D E F G"] {
            assert_eq!(truth_table(text, &["A", "B", "C"]), None, "{text:?}");
        }
        assert_eq!(truth_table(&"!(".repeat(100_000), &["A"]), None);
        assert_eq!(truth_table("A", &["A", "B", "C", "D", "E", "F", "G"]), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[AB01()!'^&*|+ é]{0,40}") {
            let _ = truth_table(&text, &["A", "B"]);
        }
    }
}
