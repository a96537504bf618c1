//! A network of two layers: what hwgen wrote is proved, and nothing that was changed in it is proved wrongly.

use std::sync::Arc;

use hdl::random::Numbers;
use hdl::rtl::eval::Stepper;
use num_bigint::BigUint;
use verify::flatten::flatten;
use verify::prove::prove;
use verify::search::search;
use verify::spec::{Element, Id, Op, PortSpec, Spec};

const NETWORK: &str = include_str!("network/network.v");
const FULL_ADDER: (&str, &str) = ("hwgen_full_adder.v", include_str!("network/hwgen_full_adder.v"));
const INVERTER: (&str, &str) = ("hwgen_inverter.v", include_str!("network/hwgen_inverter.v"));

const FIRST: [([i64; 4], i64); 3] = [([0, 2, 4, -7], 20), ([-12, 2, 1, 4], 8), ([-13, 6, 0, -3], 12)];
const SECOND: [[i64; 3]; 2] = [[4, -2, -2], [-2, -4, 8]];

/// A dense layer of three neurons, rounded by 8 to the even and saturated to six bits, and one of two.
fn network() -> Spec {
    let mut spec = Spec { latency: 1, ..Spec::default() };
    spec.layers = ["input", "d1", "latent", "d2"].map(String::from).to_vec();
    let all = (i64::MIN / 4, i64::MAX / 4);
    let x: Vec<Id> = (0..4).map(|k| spec.push(Op::Input, 0, k, (-32, 31))).collect();
    let terms = |x: &[Id], row: &[i64]| x.iter().copied().zip(row.iter().copied()).filter(|(_, w)| *w != 0).collect();
    let sum = |spec: &mut Spec, x: &[Id], row: &[i64], bias, layer, k: usize| {
        spec.push(Op::Sum { bias, terms: terms(x, row), cut: 0 }, layer, k as u32, all)
    };
    let first: Vec<Id> =
        FIRST.iter().enumerate().map(|(k, (row, bias))| sum(&mut spec, &x, row, *bias, 1, k)).collect();
    let round = |v: i64| {
        let (whole, rest) = (v >> 3, v & 7);
        (whole + i64::from(rest > 4 || rest == 4 && whole & 1 == 1)).clamp(-32, 31)
    };
    let latent: Vec<Id> = (0..)
        .zip(&first)
        .map(|(k, x)| spec.push(Op::Map { x: *x, function: Arc::new(round), monotone: true }, 2, k, all))
        .collect();
    let second: Vec<Id> = SECOND.iter().enumerate().map(|(k, row)| sum(&mut spec, &latent, row, 0, 3, k)).collect();
    let port = |name: &str, numbers: &[Id], widths: &[u32]| {
        let mut low = 0;
        let element = |(number, width): (&Id, &u32)| {
            low += width;
            Element { number: *number, low: low - width, width: *width }
        };
        PortSpec { name: name.into(), elements: numbers.iter().zip(widths).map(element).collect() }
    };
    spec.inputs.push(port("x", &x, &[6; 4]));
    spec.outputs.push(port("latent", &latent, &[6; 3]));
    spec.outputs.push(port("d2", &second, &[9, 10]));
    spec
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Proved,
    Refuted,
    Open(String),
    Refused,
}

fn verdict(text: &str, defines: &[&str]) -> Verdict {
    let files = [("network.v", text), FULL_ADDER, INVERTER];
    let Ok(design) = hdl::verilog::read(&files, defines, "network") else { return Verdict::Refused };
    let (flat, spec) = (flatten(&design).unwrap(), network());
    let findings = prove(&flat, &spec);
    match findings.unproved.first() {
        None => Verdict::Proved,
        Some(_) if flat.states.is_empty() && search(&flat, &spec, 8).is_some() => Verdict::Refuted,
        Some(open) => Verdict::Open(format!("{:?}", open)),
    }
}

#[test]
fn words_are_proved_and_cells_are_not_refuted() {
    assert_eq!(verdict(NETWORK, &[]), Verdict::Proved);
    assert!(matches!(verdict(NETWORK, &["SYNTHESIS"]), Verdict::Proved | Verdict::Open(_)));
}

#[test]
fn a_change_that_waits_for_one_input_is_found() {
    let trojan = NETWORK.replace(
        "  assign latent = ",
        "  wire armed = x == 24'd7654321;\n  reg fired;\n  always @(posedge clk) begin\n    fired <= armed;\n  end\n  \
         assign latent = {17'd0, fired} ^ ",
    );
    assert_ne!(trojan, NETWORK);
    for defines in [&[][..], &["SYNTHESIS"]] {
        assert_eq!(verdict(&trojan, defines), Verdict::Refuted);
    }
}

/// Exchanges one operator, number or place of a bit in the body for simulators.
fn mutated(text: &str, numbers: &mut Numbers) -> Option<String> {
    let exchanges = [("+", "-"), ("-", "+"), ("&", "|"), ("|", "&"), ("~", ""), ("^", "|")];
    let bytes = text.as_bytes();
    let body = text.find("`else").unwrap_or(0);
    let at = body + numbers.below(text.len() - body);
    let line = text[..at].rfind('\n').map_or(0, |k| k + 1);
    if ["module", "  input", "  output", "`"].iter().any(|begin| text[line..].starts_with(begin)) {
        return None;
    }
    if let Some((from, to)) = exchanges.iter().find(|(from, _)| text[at..].starts_with(from)) {
        return Some(text[..at].to_owned() + to + &text[at + from.len()..]);
    }
    if bytes[at].is_ascii_digit() && b"[:d".contains(&bytes[at - 1]) {
        let digit = (bytes[at] - b'0' + 1 + numbers.below(8) as u8) % 10;
        return Some(format!("{}{digit}{}", &text[..at], &text[at + 1..]));
    }
    None
}

/// Whether some thousand random inputs give what the model says, in the evaluator of designs.
fn agrees(text: &str, defines: &[&str], numbers: &mut Numbers) -> bool {
    let files = [("network.v", text), FULL_ADDER, INVERTER];
    let design = hdl::verilog::read(&files, defines, "network").unwrap();
    let mut stepper = Stepper::new(&design, &Default::default()).unwrap();
    let spec = network();
    (0..1000).all(|_| {
        let word = numbers.bits() & 0xff_ffff;
        let input = [BigUint::from(word)];
        stepper.step(&input, false);
        let outputs = stepper.step(&input, false);
        let mut values = vec![0i64; spec.numbers.len()];
        (0..4).for_each(|k| values[k] = ((word >> (6 * k) & 63) as i64) << 58 >> 58);
        (0..values.len()).for_each(|id| values[id] = spec.value(id, &values));
        spec.outputs.iter().zip(&outputs).all(|(port, bus)| {
            port.elements
                .iter()
                .all(|e| (0..e.width).all(|k| bus.bit(u64::from(e.low + k)) == (values[e.number] >> k & 1 == 1)))
        })
    })
}

/// How many changes are tried; more with HWGEN_MUTATIONS.
fn count() -> usize {
    std::env::var("HWGEN_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

#[test]
fn changes_are_refuted_or_harmless() {
    let mut numbers = Numbers::new(18);
    let (mut tried, mut refuted, mut open) = (0, 0, 0);
    while tried < count() {
        let Some(text) = mutated(NETWORK, &mut numbers) else { continue };
        match verdict(&text, &[]) {
            Verdict::Refused => continue,
            Verdict::Proved => assert!(agrees(&text, &[], &mut numbers), "{text}"),
            Verdict::Refuted => refuted += 1,
            Verdict::Open(_) => {
                open += 1;
                assert!(agrees(&text, &[], &mut numbers), "a harmful change is not refuted\n{text}");
            }
        }
        tried += 1;
    }
    eprintln!("{tried} changes: {refuted} refuted, {open} neither proved nor refuted");
    assert!(refuted > 0);
}
