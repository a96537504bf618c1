"""Runs hwgen, da4ml and alkaid on the same weights and prints every figure beside its ratio to the better peer.

usage: peers.py HWGEN WORK_DIR SHARED_DIR [--effort EFFORT] [--only TEXT] [--no-synthesis]

How things are counted:
- adder bits: result widths of the two-operand adders and subtractors, summed; the least over a peer's delay settings,
  and hwgen's with its depth bounded by that of the peer that has the least;
- LUT estimate: each tool's own, hwgen's with three-operand adders, the peers' with two-operand ones;
- LUT estimate, fused: the same against alkaid's estimate after its fusion into three-operand adders, the least over its
  delay settings;
- seconds to peers' bits: of hwgen's least effort with no more adder bits, at no more depth, than the peers' best; of the
  peers at the setting that has their best;
- LUTs: LUT1 to LUT6 after `synth_xilinx -family xcup -nodsp`; a LUT6_2 counts as one, on all sides;
- register bits: at the number of stages that the peer's default pipeline has, its input registers among them. The peers
  divide their longest path evenly; hwgen's stages are cut for the shortest clock that as many of them meet, and for
  clocks that are longer by a tenth and by a quarter.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from case import input_ranges
from networks import MODELS
from trained import matrices

DELAY_SETTINGS = (-1, 0, 1, 2)
ADDER_OPCODES = (0, 1)
# efforts, of which the first that reaches the peers' adder bits counts
EFFORTS = ("fast", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "normal", "high")
# delay settings of whole networks, of which that with the fewest stages counts
NETWORK_DELAYS = {"da4ml": ("-1", "2"), "alkaid": ("def",)}
# figure: what must be reached and what is aimed at, hwgen's figure divided by the better peer's
LIMITS = {
    "adder bits": (0.96, 0.88),
    "LUT estimate, fused": (0.92, 0.80),
    "LUTs, Yosys": (0.80, 0.60),
    "Yosys seconds": (0.7, 0.3),
    "register bits": (0.85, 0.65),
    "register bits, 1.1 x clock": (0.85, 0.65),
    "register bits, 1.25 x clock": (0.85, 0.65),
    "seconds to peers' bits": (0.10, 0.02),
}


def da4ml(weights, formats, delay):
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
    from da4ml.trace.ops import quantize
    from da4ml.types import minimal_kif

    symbols = FixedVariableArrayInput((len(weights),), hwconf=HWConfig(1, -1, -1), solver_options={"hard_dc": delay})
    circuit = comb_trace(symbols, quantize(symbols, *formats, 0) @ weights)
    return circuit, minimal_kif, lambda op: [i for i in (op.id0, op.id1) if i >= 0] if op.opcode != -1 else []


def alkaid(weights, formats, delay):
    from alkaid.trace import FVArrayInput, trace
    from alkaid.trace.ops import quantize

    symbols = FVArrayInput((len(weights),), solver_options={"hard_dc": delay})
    circuit = trace(symbols, quantize(symbols, *formats, 0) @ weights)
    return circuit, lambda interval: interval.kif, lambda op: list(op.addr)


def fused_estimate(circuit):
    """alkaid's look-up tables once its three-operand adders are in, as its own Verilog writer has them by default."""
    from alkaid.trace.passes import add_surrogate, dead_code_elimin, fuse_ternary_adders

    fused = dead_code_elimin(fuse_ternary_adders(circuit))
    return float(add_surrogate(fused, _skip_op8_cost=True).cost)


def verilog(tool, circuit, folder):
    """Writes a peer's combinational Verilog and returns its files."""
    if tool is da4ml:
        from da4ml.codegen import RTLModel

        RTLModel(circuit, "top", str(folder), latency_cutoff=-1).write()
    else:
        from alkaid.codegen import RTLModel

        RTLModel(circuit, str(folder), "top", latency_cutoff=-1).write()
    return sources(folder)


def sources(folder):
    """A peer's Verilog, without the modules of its library that the design does not use: one of them opens a file."""
    design = sorted(folder.glob("src/*.v"))
    text = "".join(f.read_text() for f in design)
    library = sorted(folder.glob("src/static/*.v"))
    return design + [f for f in library if re.search(rf"\b{f.stem}\b", text) or "table" not in f.stem]


def peer(tool, weights, formats):
    """The least adder bits over the delay settings, with the circuit that has them; of each input sign and integer bits."""
    best, fused = None, []
    for delay in DELAY_SETTINGS:
        start = time.perf_counter()
        circuit, kif, operands = tool(weights, formats, delay)
        seconds = time.perf_counter() - start
        if tool is alkaid:
            fused.append(fused_estimate(circuit))
        depth = []
        for op in circuit.ops:
            below = max((depth[i] for i in operands(op)), default=0)
            depth.append(below + (op.opcode in ADDER_OPCODES))
        adders = [op for op in circuit.ops if op.opcode in ADDER_OPCODES]
        figures = {
            "adders": len(adders),
            "adder bits": int(sum(sum(kif(op.qint)) for op in adders)),
            "depth": max((depth[i] for i in circuit.out_idxs if i >= 0), default=0),
            "LUT estimate": float(circuit.cost),
            "seconds to peers' bits": seconds,
        }
        if best is None or figures["adder bits"] < best[0]["adder bits"]:
            best = figures, circuit
    figures, circuit = best
    return figures | ({"LUT estimate, fused": min(fused)} if fused else {}), circuit


def synthesise(files, top, folder):
    """Look-up tables and seconds of Yosys."""
    folder.mkdir(parents=True, exist_ok=True)
    sources = " ".join(str(f) for f in files)
    script = (
        f"read_verilog -DHWGEN_AMD_CELLS -sv {sources}; synth_xilinx -family xcup -top {top} -noiopad -noclkbuf -nodsp -flatten; "
        f"tee -o {folder}/stat stat"
    )
    before = os.times()
    subprocess.run(["yosys", "-q", "-p", script], check=True, capture_output=True)
    after = os.times()
    table = (folder / "stat").read_text().rsplit("Number of cells:", 1)[1]
    luts = sum(int(n) for n in re.findall(r"^ +LUT\w* +(\d+)$", table, re.M))
    return {"LUTs, Yosys": luts, "Yosys seconds": after.children_user - before.children_user}


def hwgen(arguments, program):
    run = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True)
    return run.stdout


def peer_formats(ranges):
    """Sign and integer bits that hold each range of integers."""
    signs = [int(lo < 0) for lo, _ in ranges]
    bits = [max(hi.bit_length(), (-lo - 1).bit_length() if lo < 0 else 0) for lo, hi in ranges]
    return np.array(signs), np.array(bits)


def matrix(name, weights, ranges, options, work):
    """Every figure of one matrix for the three tools; `ranges` has least and greatest integer of each input."""
    file = work / f"{name}.json"
    file.write_text(json.dumps(weights))
    rows = {}
    for tool in (da4ml, alkaid):
        figures, circuit = peer(tool, np.array(weights, dtype=np.float32), peer_formats(ranges))
        if options.synthesis:
            folder = work / f"{name}_{tool.__name__}"
            figures |= synthesise(verilog(tool, circuit, folder), "top", folder / "yosys")
        rows[tool.__name__] = figures
    best = min(rows.values(), key=lambda r: r["adder bits"])
    depth = best["depth"]
    limits = ",".join(f"{lo}:{hi}" for lo, hi in ranges)
    common = ["cmvm", file, f"--input-ranges={limits}", "--json"]

    def ours(*arguments):
        return json.loads(hwgen([*common, *arguments], options.hwgen))

    few_bits = ours("--effort", options.effort, "--max-depth", depth)
    for effort in EFFORTS:
        reached = ours("--effort", effort, "--max-depth", depth)
        if reached["adder_bits"] <= best["adder bits"]:
            break
    folder = work / f"{name}_hwgen"
    few_luts = ours("--effort", options.effort, "--target", "xcup", "--out", folder)
    rows["hwgen"] = {
        "adders": few_bits["adders"],
        "adder bits": few_bits["adder_bits"],
        "depth": few_bits["depth"],
        "LUT estimate": few_luts["estimate"]["luts"],
        "LUT estimate, fused": few_luts["estimate"]["luts"],
        "seconds to peers' bits": reached["seconds"],
    }
    if options.synthesis:
        files = [f for f in sorted(folder.glob("*.v")) if not f.name.endswith("_tb.v")]
        rows["hwgen"] |= synthesise(files, "cmvm", work / f"{name}_yosys")
    return rows


def shortest_clock(command):
    """The shortest clock in ns at which the command succeeds, to a thousandth; what it says when it fails leads there."""
    clock = 1.0
    while True:
        run = subprocess.run([*command, "--clock-ns", f"{clock:.3f}"], capture_output=True, text=True)
        if run.returncode == 0:
            return clock
        said = re.search(r"least possible clock at this latency (\d+) ps", run.stderr)
        if said is None:
            raise RuntimeError(run.stderr)
        clock = max(clock * 1.001, int(said[1]) / 1000)


def network(name, case, shared, options, work):
    """Register bits and look-up tables of a pipelined network; the scripts beside the cases run the peers."""
    rows = {}
    for tool, delays in NETWORK_DELAYS.items():
        choices = []
        for delay in delays:
            folder = work / f"{name}_{tool}{delay}"
            run = subprocess.run(
                [sys.executable, "peers.py", tool, name, delay, "5", str(folder)],
                cwd=shared, check=True, capture_output=True, text=True,
            )
            said = json.loads(run.stdout.splitlines()[-1])
            choices.append((said["stages"], said["reg_bits"], folder))
        least, bits, folder = min(choices)
        rows[tool] = {"stages": least}
        rows[tool] |= {figure: bits for figure in LIMITS if figure.startswith("register bits")}
        if options.synthesis:
            rows[tool] |= synthesise(sources(folder), "top", folder / "yosys")
    stages = min(r["stages"] for r in rows.values())
    folder = work / f"{name}_hwgen"
    content = json.loads(case.read_text())
    if content["kind"] in MODELS:
        model = work / f"{name}_model.json"
        model.write_text(json.dumps(MODELS[content["kind"]](content)))
        arguments = ["build", model]
    else:
        arguments = ["dense", "--weights", case]
    arguments += ["--target", "xcup", "--latency", stages, "--effort", options.effort]
    clock = shortest_clock([options.hwgen, *map(str, arguments), "--out", str(folder)])
    rows["hwgen"] = {"stages": stages, "clock, ns": clock}
    for factor in (1.25, 1.1, 1):
        hwgen([*arguments, "--clock-ns", f"{clock * factor:.3f}", "--out", folder], options.hwgen)
        report = json.loads((folder / "report.json").read_text())
        inputs = sum(p["bits"] for p in report["interface"] if p["direction"] == "input" and p["cycle"] == 0)
        figure = "register bits" if factor == 1 else f"register bits, {factor} x clock"
        rows["hwgen"][figure] = report["size"]["pipeline_register_bits"] + inputs
    if estimate := report["size"].get("estimate"):
        rows["hwgen"]["LUT estimate"] = estimate["look_up_tables"]
    if options.synthesis:
        files = [f for f in sorted(folder.glob("*.v")) if not f.name.endswith("_tb.v")]
        rows["hwgen"] |= synthesise(files, report["top"], work / f"{name}_yosys")
    return rows


def show(name, rows):
    for figure in dict.fromkeys(key for row in rows.values() for key in row):
        values = [rows[tool].get(figure) for tool in ("hwgen", "da4ml", "alkaid")]
        cells = ["" if v is None else f"{v:.3f}" if isinstance(v, float) and v < 100 else f"{v:.0f}" for v in values]
        ratio = must = aim = verdict = ""
        if figure in LIMITS and values[0] is not None:
            number = values[0] / max(min(v for v in values[1:] if v is not None), 1e-9)
            (must, aim), ratio = LIMITS[figure], f"{number:.3f}"
            verdict = "aim" if number <= aim else "must" if number <= must else "missed"
        print(
            f"| {name:<18} | {figure:<27} | {cells[0]:>9} | {cells[1]:>9} | {cells[2]:>9} "
            f"| {ratio:>6} | {must!s:>5} | {aim!s:>5} | {verdict:<6} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hwgen")
    parser.add_argument("work", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--only", default="")
    parser.add_argument("--no-synthesis", dest="synthesis", action="store_false")
    options = parser.parse_args()
    work = options.work

    print(f"| {'case':<18} | {'figure':<27} | {'hwgen':>9} | {'da4ml':>9} | {'alkaid':>9} | ratio  |  must |   aim |        |")
    print(f"|{'-' * 20}|{'-' * 29}|" + f"{'-' * 11}|" * 3 + f"{'-' * 8}|{'-' * 7}|{'-' * 7}|{'-' * 8}|")
    generated = work / "cases"
    hwgen(["bench", "arith", "--export", generated, "--list"], options.hwgen)
    files = sorted(generated.glob("*.json"))
    bench = options.shared.resolve() / "bench"
    files += sorted((bench / "cases").glob("*.json"))
    for file in files:
        name = file.stem
        if options.only not in name:
            continue
        case = json.loads(file.read_text())
        if case.get("kind", "cmvm") == "cmvm":
            show(name, matrix(name, case["W"], input_ranges(case), options, work))
        else:
            show(name, network(name, file, bench, options, work))
    for name, weights, ranges in matrices(options.hwgen, Path("tests/models"), work):
        if options.only in name:
            show(name, matrix(name, weights, ranges, options, work))


if __name__ == "__main__":
    main()
