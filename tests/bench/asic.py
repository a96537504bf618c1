"""Area and delay of hwgen's sums of cells beside those of da4ml and alkaid.

usage: asic.py HWGEN WORK_DIR SHARED_DIR LIBERTY [--effort EFFORT] [--only TEXT] [--target NAME] [--networks]
               [--peers FILE] [CASES...]

Yosys maps the same way for everybody (light mapping on purpose: what is compared is the structure), library cells that
Verilog instantiates stay as they are, OpenSTA times the mapped netlist with ideal inputs and no wires. Two questions:
- area: hwgen's default structure against the peers' smallest, whose delay it must not exceed; where it does, the one that
  `--max-delay` gives;
- delay: hwgen's fastest of no more area than that, against the fastest that the peers have at any area; where that is not
  fast enough, hwgen's fastest of no more area than the peers' fastest has.
The peers run with and without their bound on the depth. `estimate` is hwgen's own figure divided by the mapped one.
Mapping the peers is nearly all of the time, and takes every core; --peers keeps their figures for the next run.
"""
import argparse
import hashlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

from case import input_ranges
from networks import MODELS
from trained import matrices

TOOLS = ("da4ml", "alkaid")
DELAY_SETTINGS = (-1, 0)
# what must be reached and what is aimed at
AREA, DELAY = (0.65, 0.50), (0.70, 0.50)
# how far an estimate may be off the mapped area
ESTIMATE = 0.10
# shares of the peers' area and delay that are asked for, since it is the estimates that are bounded
ASKED, ASKED_NS = 0.95, 0.90
# hwgen's default for --area-factor
BALANCED = 1.15
LARGEST = 32


def run(command, **options):
    return subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, **options).stdout


def mapped(files, top, folder, liberty):
    """Cell area in square micrometres and delay in ns."""
    folder.mkdir(parents=True)
    sources = " ".join(map(str, files))
    script = (
        f"read_liberty -lib {liberty}; read_verilog -sv {sources}; synth -top {top} -flatten -noabc; "
        f"abc -fast -liberty {liberty} -script +strash;map;topo; opt_clean; "
        f"tee -o {folder}/stat stat -liberty {liberty}; splitnets -format __; opt_clean -purge; "
        f"write_verilog -noattr -noexpr -simple-lhs {folder}/net.v"
    )
    run(["yosys", "-q", "-p", script])
    commands = [
        f"read_liberty {liberty}", f"read_verilog {folder}/net.v", f"link_design {top}",
        "create_clock -name v -period 1000", "set_input_delay 0 -clock v [all_inputs]",
        "set_output_delay 0 -clock v [all_outputs]", "report_checks -digits 4",
    ]
    (folder / "sta.tcl").write_text("\n".join(commands) + "\n")
    timing = run(["sta", "-no_splash", "-exit", folder / "sta.tcl"])
    area = re.search(r"Chip area.*?: ([\d.]+)", (folder / "stat").read_text())[1]
    delay = re.search(r"([\d.]+) +data arrival time", timing)[1]
    return float(area), float(delay)


def peers(case, designs, options):
    """Area and delay of each peer's design: `designs` has its folder and the command that writes it."""
    key = f"{case.stem} {Path(options.liberty).stem} {hashlib.sha256(case.read_bytes()).hexdigest()}"
    known = json.loads(options.peers.read_text()) if options.peers and options.peers.exists() else {}
    if key not in known:

        def figures(design):
            folder, command, place = design
            run([sys.executable, *command, folder], cwd=place)
            return mapped(peer_files(folder), "top", folder / "mapped", options.liberty)

        with ThreadPoolExecutor(cpu_count()) as pool:
            known[key] = list(pool.map(figures, designs))
        if options.peers:
            options.peers.write_text(json.dumps(known, indent=1))
    return [tuple(figures) for figures in known[key]]


def peer_files(folder):
    """A peer's Verilog, without the modules of its library that the design does not use: one of them opens a file."""
    files = sorted(folder.rglob("*.v"))
    return [f for f in files if "wrapper" not in f.name and f.name != "lookup_table.v"]


def own_files(folder, top):
    return [folder / f"{top}.v", *folder.glob("hwgen_*.v")]


def judged(ratio, limits):
    return "aim" if ratio <= limits[1] else "must" if ratio <= limits[0] else "missed"


def matrix(name, weights, ranges, options):
    """One row of the table; `ranges` has least and greatest integer of each input."""
    work = options.work / name
    work.mkdir()
    case = work / f"{name}.json"
    case.write_text(json.dumps({"W": weights, "ranges": ranges}))
    script = "tests/bench/peer_verilog.py"
    designs = [(work / f"{t}{d}", [script, t, case, d], None) for t in TOOLS for d in DELAY_SETTINGS]
    known = peers(case, designs, options)
    least, least_ns = min(known)
    fastest_ns, fastest = min((ns, area) for area, ns in known)

    def ours(label, *arguments):
        folder = work / label
        limits = ",".join(f"{lo}:{hi}" for lo, hi in ranges)
        common = ["cmvm", case, f"--input-ranges={limits}", "--target", options.target, "--effort", options.effort]
        figures = json.loads(run([options.hwgen, *common, "--json", "--out", folder, *arguments]))
        area, ns = mapped(own_files(folder, "cmvm"), "cmvm", folder / "mapped", options.liberty)
        return area, ns, figures["area_um2"] / area, figures["delay_ns"] / ns

    default = ours("default")
    if default[1] > least_ns:
        default = ours("within", "--max-delay", ASKED_NS * least_ns)
    allowed = least
    quick = ours("fastest", "--max-area", ASKED * allowed)
    if quick[1] > DELAY[0] * fastest_ns and fastest > least:
        allowed = fastest
        quick = ours("larger", "--max-area", ASKED * allowed)
    print_row(name, least, least_ns, fastest_ns, default, allowed, quick)


def print_row(name, least, least_ns, fastest_ns, default, allowed, quick):
    """Peers' figures, the default structure's and the fastest's: area, delay, and how their estimates compare."""
    area, ns, area_error, ns_error = default
    quick, quick_ns, quick_error, quick_ns_error = quick
    small = judged(area / least, AREA) if ns <= least_ns else "missed"
    fast = judged(quick_ns / fastest_ns, DELAY) if quick <= allowed else "missed"
    close = all(abs(error - 1) <= ESTIMATE for error in (area_error, quick_error))
    row(
        name, f"{least:.0f}", f"{least_ns:.2f}", f"{fastest_ns:.2f}",
        f"{area:.0f}", f"{ns:.2f}", f"{area / least:.2f}", f"{ns / least_ns:.2f}", small,
        f"{quick:.0f}", f"{quick_ns:.2f}", f"{quick / allowed:.2f}", f"{quick_ns / fastest_ns:.2f}", fast,
        f"{area_error:.2f} {quick_error:.2f}", "must" if close else "missed", f"{ns_error:.2f} {quick_ns_error:.2f}",
    )


def network(name, case, options):
    """The same of a whole network as combinational logic, in the structure that hwgen gives it."""
    work = options.work / name
    work.mkdir()
    place = options.shared.resolve() / "bench"
    designs = [(work / tool, ["peers.py", tool, name, "-1", "0"], place) for tool in TOOLS]
    known = peers(case, designs, options)
    least, least_ns = min(known)
    fastest_ns = min(ns for _, ns in known)
    content = json.loads(case.read_text())
    arguments = ["dense", "--weights", case]
    if content["kind"] in MODELS:
        model = work / "model.json"
        model.write_text(json.dumps(MODELS[content["kind"]](content)))
        arguments = ["build", model]

    def ours(label, *more):
        folder = work / label
        common = ["--target", options.target, "--effort", options.effort, "--latency", 0, "--out", folder]
        run([options.hwgen, *arguments, *common, *more])
        area, ns = mapped(own_files(folder, "network"), "network", folder / "mapped", options.liberty)
        report = json.loads((folder / "report.json").read_text())
        return area, ns, report["size"]["estimate"]["area_um2"] / area, report["timing"]["stage_delays_ps"][0] / 1000 / ns

    default = ours("default")
    larger = ours("larger", "--area-factor", max(BALANCED, ASKED * BALANCED * least / default[0]))
    quick = min(default, larger, key=lambda figures: figures[1])
    print_row(name, least, least_ns, fastest_ns, default, least, quick)


def row(*cells):
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hwgen")
    parser.add_argument("work", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("liberty")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--only", default="")
    parser.add_argument("--target", default="osu018")
    parser.add_argument("--networks", action="store_true")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("cases", type=Path, nargs="*")
    options = parser.parse_intermixed_args()

    row(
        "case", "peers' least µm²", "ns", "peers' least ns", "hwgen µm²", "ns", "area ÷", "delay ÷", "",
        "fastest µm²", "ns", "area ÷", "delay ÷", "", "area estimates", "", "delay estimates",
    )
    row(*["---"] * 17)
    shared = sorted((options.shared / "bench/cases").glob("*.json"))
    files = options.cases
    if not files:
        run([options.hwgen, "bench", "arith", "--export", options.work / "cases", "--list"])
        files = sorted((options.work / "cases").glob("*.json")) + shared
    for file in files:
        case = json.loads(file.read_text())
        is_matrix = case.get("kind", "cmvm") == "cmvm"
        large = is_matrix and len(case["W"]) > LARGEST and not options.cases
        if options.only not in file.stem or large or is_matrix == options.networks:
            continue
        if is_matrix:
            matrix(file.stem, case["W"], input_ranges(case), options)
        else:
            network(file.stem, file, options)
    if not options.networks and not options.cases:
        for name, weights, ranges in matrices(options.hwgen, Path("tests/models"), options.work):
            if options.only in name:
                matrix(name, weights, ranges, options)


main()
