//! Measures the [`AsicModel`] of a cell library: OpenSTA times chains of its cells.
//!
//! Every operator is a chain of one cell, each driving the next through its slowest input. The delay of a level is
//! that of twelve levels less that of four, over eight, so that the ends do not count and rising and falling edges
//! do equally. Loads are what arithmetic makes typical: an inverter drives four inverters, a gate or multiplexer two of its
//! kind, an adder the next adder. There are no wires: see [`AsicModel::wire_delay`].
//!
//! Energy and leakage are those of the seventh cell of a chain with its load, every pin changing in half of the
//! cycles. A flip-flop's energy is linear in that activity, so a second activity tells the clock's part.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hdl::diag::{Diagnostic, Diagnostics};
use hdl::names::check_identifier;

use crate::liberty::{CellMatch, Library, Role};
use crate::quote::tcl;
use constraints::targets::{AsicModel, Basis, Figure, Operator};

/// A library of the size of the open ones takes about a second.
const LIMIT: Duration = Duration::from_secs(300);

/// Clock period in ns: long enough for every chain in every process at hand.
const PERIOD_NS: f64 = 1000.0;

/// Levels of the chain whose end effects are taken off, and of the one that is measured.
const LENGTHS: [usize; 2] = [4, 12];

/// Which cell of the long chain the energy is measured in.
const PROBED: usize = 6;

/// A chain: cells of `role` from output `output` to input `input`, each loaded with `fan_out` such inputs.
struct Chain {
    name: &'static str,
    role: Role,
    input: usize,
    output: usize,
    fan_out: usize,
}

/// The chains that are timed, in the order in which the report is read.
const CHAINS: [Chain; 9] = [
    chain("inverter", Role::Inverter, 0, 0, 4),
    chain("nand2", Role::Nand2, 0, 0, 2),
    chain("and2", Role::And2, 0, 0, 2),
    chain("or2", Role::Or2, 0, 0, 2),
    chain("xor2", Role::Xor2, 0, 0, 2),
    chain("mux2", Role::Mux2, 0, 0, 2),
    chain("half_adder", Role::HalfAdder, 0, 0, 1),
    chain("full_adder", Role::FullAdder, 0, 0, 1),
    chain("ripple", Role::FullAdder, 2, 1, 1),
];

const fn chain(name: &'static str, role: Role, input: usize, output: usize, fan_out: usize) -> Chain {
    Chain { name, role, input, output, fan_out }
}

/// Measures the library in the Liberty file at `path` with the OpenSTA program `sta`.
///
/// # Errors
/// Those of [`Library::read`]; `liberty-cells` if the library lacks one of the basic cells; those of running OpenSTA,
/// and `calibrate-output` if it prints what is not understood.
pub fn measure(path: &Path, sta: &Path) -> Result<AsicModel, Diagnostics> {
    let library = Library::read(path)?;
    let cells = CHAINS.iter().map(|chain| required(&library, chain.role)).collect::<Result<Vec<_>, _>>()?;
    let flip_flop = required(&library, Role::FlipFlop)?;
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let work = tempfile::tempdir().map_err(|e| failed(&format!("no temporary folder: {e}")))?;
    let write =
        |name: &str, text: String| fs::write(work.path().join(name), text).map_err(|e| failed(&format!("{name}: {e}")));
    write("chains.v", netlist(&cells, &flip_flop))?;
    write("chains.tcl", script(&path)?)?;
    let mut command = Command::new(sta);
    command.args(["-no_splash", "-exit", "chains.tcl"]).current_dir(work.path());
    let done = process::run(&mut command, LIMIT)
        .map_err(|error| process::with_help(error, "install the Debian package `opensta`"))?
        .success(&sta.to_string_lossy())?;
    model(&library, &cells, &flip_flop, &Readings::parse(&done.stdout)?)
}

fn failed(message: &str) -> Diagnostics {
    Diagnostic::error("calibrate-output", format!("calibration: {message}")).into()
}

fn required(library: &Library, role: Role) -> Result<CellMatch, Diagnostics> {
    let missing = |what: String| -> Diagnostics {
        Diagnostic::error("liberty-cells", format!("library {}: {what}", library.name))
            .help("hwgen needs INV, NAND2, AND2, OR2, XOR2, MUX2, a half adder, a full adder and a D flip-flop")
            .into()
    };
    let cell = library.find(role).ok_or_else(|| missing(format!("no cell is a {role:?}")))?;
    let names = std::iter::once(&cell.cell).chain(&cell.inputs).chain(&cell.outputs);
    for name in names {
        check_identifier(name)
            .map_err(|why| missing(format!("name {} cannot be used: {why}", hdl::names::quoted(name))))?;
    }
    Ok(cell)
}

/// One module with all chains; chain `k` of length `l` runs from port `i_k_l` to port `o_k_l`.
fn netlist(cells: &[CellMatch], flip_flop: &CellMatch) -> String {
    let mut ports = vec!["clk".to_owned(), "side".to_owned(), "i_ff".to_owned()];
    let mut outputs = vec!["o_ff".to_owned()];
    let mut body = String::new();
    for (k, (chain, cell)) in CHAINS.iter().zip(cells).enumerate() {
        for length in LENGTHS {
            ports.push(format!("i_{k}_{length}"));
            outputs.push(format!("o_{k}_{length}"));
            emit_chain(&mut body, k, length, chain, cell);
        }
    }
    emit_flip_flops(&mut body, flip_flop);
    format!(
        "module chains ({});\ninput {};\noutput {};\n{body}endmodule\n",
        [ports.as_slice(), outputs.as_slice()].concat().join(", "),
        ports.join(", "),
        outputs.join(", "),
    )
}

fn emit_chain(body: &mut String, k: usize, length: usize, chain: &Chain, cell: &CellMatch) {
    let net = |level: usize| match level {
        0 => format!("i_{k}_{length}"),
        l if l == length => format!("o_{k}_{length}"),
        l => format!("n_{k}_{length}_{l}"),
    };
    for level in 1..length {
        let _ = writeln!(body, "wire {};", net(level));
    }
    for level in 0..length {
        let drives = Some((chain.output, net(level + 1)));
        let instance = format!("u_{k}_{length}_{level}");
        emit_cell(body, &instance, cell, (chain.input, &net(level)), drives);
        for load in 1..chain.fan_out {
            let instance = format!("l_{k}_{length}_{level}_{load}");
            emit_cell(body, &instance, cell, (chain.input, &net(level + 1)), None);
        }
    }
}

/// One cell; inputs other than `input` hang on a quiet port.
fn emit_cell(
    body: &mut String,
    instance: &str,
    cell: &CellMatch,
    input: (usize, &str),
    output: Option<(usize, String)>,
) {
    let pins = cell.inputs.iter().enumerate().map(|(i, pin)| {
        let net = if i == input.0 { input.1 } else { "side" };
        format!(".{pin}({net})")
    });
    let driven = output.map(|(o, net)| format!(".{}({net})", cell.outputs[o]));
    let pins: Vec<String> = pins.chain(driven).collect();
    let _ = writeln!(body, "{} {instance} ({});", cell.cell, pins.join(", "));
}

/// Three flip-flops: the first drives the other two.
fn emit_flip_flops(body: &mut String, cell: &CellMatch) {
    let (d, clock, q) = (&cell.inputs[0], &cell.inputs[1], &cell.outputs[0]);
    body.push_str("wire q_ff;\n");
    for (instance, from, to) in [("ff_0", "i_ff", ", .Q(q_ff)"), ("ff_1", "q_ff", ", .Q(o_ff)"), ("ff_2", "q_ff", "")] {
        let to = to.replace(".Q", &format!(".{q}"));
        let _ = writeln!(body, "{} {instance} (.{d}({from}), .{clock}(clk){to});", cell.cell);
    }
}

/// Prints `slack NAME NS` for every chain and `power ACTIVITY INSTANCE` before every power report.
fn script(liberty: &Path) -> Result<String, Diagnostics> {
    let path = liberty.to_str().ok_or_else(|| failed("the path of the Liberty file is no Unicode"))?;
    let path = tcl(path);
    let mut tcl = format!(
        "read_liberty {path}\nread_verilog chains.v\nlink_design chains\n\
         create_clock -name clk -period {PERIOD_NS} [get_ports clk]\n\
         set_input_delay 0 -clock clk [all_inputs]\nset_output_delay 0 -clock clk [all_outputs]\n\
         proc slack {{name from to}} {{\n  set path [lindex [find_timing_paths -from $from -to $to] 0]\n  \
         puts \"slack $name [get_property $path slack]\"\n}}\n"
    );
    for k in 0..CHAINS.len() {
        for l in LENGTHS {
            let _ = writeln!(tcl, "slack {k}_{l} [get_ports i_{k}_{l}] [get_ports o_{k}_{l}]");
        }
    }
    tcl.push_str("slack ff [get_clocks clk] [get_cells ff_1]\n");
    for activity in ["0.5", "1.0"] {
        let _ = writeln!(tcl, "set_power_activity -global -activity {activity} -duty 0.5");
        let probes = (0..CHAINS.len()).map(|k| format!("u_{k}_{}_{PROBED}", LENGTHS[1]));
        for probe in probes.chain(["ff_0".to_owned()]) {
            let _ = writeln!(tcl, "puts \"power {activity}\"\nreport_power -instances [get_cells {probe}] -digits 6");
        }
    }
    Ok(tcl)
}

/// What OpenSTA printed.
struct Readings {
    /// Delay of a level of each chain, in ps.
    delays_ps: Vec<f64>,
    /// Clock to output plus set-up, in ps.
    flip_flop_ps: f64,
    /// Dynamic energy of each probe in fJ a cycle, at activities one half and one.
    energies_fj: [Vec<f64>; 2],
    /// Leakage of each probe in nW.
    leakages_nw: Vec<f64>,
}

impl Readings {
    fn parse(output: &str) -> Result<Self, Diagnostics> {
        let mut slacks = std::collections::BTreeMap::new();
        let mut powers: [Vec<[f64; 2]>; 2] = [Vec::new(), Vec::new()];
        let mut activity = None;
        for line in output.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (words.as_slice(), activity) {
                (["slack", name, value], _) => {
                    slacks.insert((*name).to_owned(), number(value)?);
                }
                (["power", a], _) => activity = Some(usize::from(*a == "1.0")),
                ([internal, switching, leakage, _, _], Some(k)) if internal.contains("e-") => {
                    let dynamic = number(internal)? + number(switching)?;
                    powers[k].push([dynamic, number(leakage)?]);
                    activity = None;
                }
                _ => {}
            }
        }
        Self::evaluate(&slacks, &powers)
    }

    fn evaluate(
        slacks: &std::collections::BTreeMap<String, f64>,
        powers: &[Vec<[f64; 2]>; 2],
    ) -> Result<Self, Diagnostics> {
        let arrival_ps = |name: String| {
            slacks
                .get(&name)
                .map(|slack| (PERIOD_NS - slack) * 1000.0)
                .ok_or_else(|| failed(&format!("OpenSTA reported no path {name}")))
        };
        if powers.iter().any(|p| p.len() != CHAINS.len() + 1) {
            return Err(failed("OpenSTA reported no power for some cell"));
        }
        let levels = (LENGTHS[1] - LENGTHS[0]) as f64;
        let delays_ps = (0..CHAINS.len())
            .map(|k| {
                let [short, long] = LENGTHS.map(|l| arrival_ps(format!("{k}_{l}")));
                Ok((long? - short?) / levels)
            })
            .collect::<Result<_, Diagnostics>>()?;
        // Watts times the period in ns give nJ, of which one is 10^6 fJ.
        let energy = |p: &Vec<[f64; 2]>| p.iter().map(|[e, _]| e * PERIOD_NS * 1e6).collect();
        Ok(Self {
            delays_ps,
            flip_flop_ps: arrival_ps("ff".into())?,
            energies_fj: [energy(&powers[0]), energy(&powers[1])],
            leakages_nw: powers[0].iter().map(|[_, l]| l * 1e9).collect(),
        })
    }
}

fn number(text: &str) -> Result<f64, Diagnostics> {
    text.parse::<f64>()
        .ok()
        .filter(|n| n.is_finite())
        .ok_or_else(|| failed(&format!("{} is no number", hdl::names::quoted(text))))
}

fn model(
    library: &Library,
    cells: &[CellMatch],
    flip_flop: &CellMatch,
    readings: &Readings,
) -> Result<AsicModel, Diagnostics> {
    let operator = |k: usize, cell: &CellMatch, delay_ps: f64, energy_fj: f64| Operator {
        area_um2: cell.area_um2,
        delay_ps,
        energy_fj,
        leakage_nw: readings.leakages_nw[k],
    };
    let of = |name: &str| {
        let k = CHAINS.iter().position(|c| c.name == name);
        let k = k.ok_or_else(|| failed(&format!("no chain {name}")))?;
        Ok::<_, Diagnostics>(operator(k, &cells[k], readings.delays_ps[k], readings.energies_fj[0][k]))
    };
    let last = CHAINS.len();
    let [half, full] = [readings.energies_fj[0][last], readings.energies_fj[1][last]];
    let clock = 2.0 * half - full;
    Ok(AsicModel {
        basis: Basis::Measured,
        source: format!("OpenSTA on chains of cells of {}, no wires", library.name),
        inverter: of("inverter")?,
        nand2: of("nand2")?,
        and2: of("and2")?,
        or2: of("or2")?,
        xor2: of("xor2")?,
        mux2: of("mux2")?,
        half_adder: of("half_adder")?,
        full_adder: of("full_adder")?,
        ripple_ps: of("ripple")?.delay_ps,
        flip_flop: operator(last, flip_flop, readings.flip_flop_ps, half - clock),
        flip_flop_clock_fj: clock,
        wire_delay: estimated(0.25, "wires added 0.05 to 0.5 ns to placed multipliers of 0.4 to 8 k cells"),
        utilisation: estimated(0.7, "usual for standard cells on ten metals"),
    })
}

fn estimated(value: f64, source: &str) -> Figure {
    Figure { value, basis: Basis::Estimated, source: source.into() }
}
