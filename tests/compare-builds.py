#!/usr/bin/env python3
"""Runs two builds of hwgen on the same command lines and says which emitted files differ, byte for byte.

usage: tests/compare-builds.py OLD NEW [--only TEXT] [--all] [--seconds 300] [--show] [--keep DIR]

The list has the encoder in all its modes, design studies, every kind of model of tests/models, interaction networks of
every kind, and a constant matrix for every target, each small enough for a binary without optimisation; --all adds the
shipped encoder and trained networks as cells. Where files differ, latency, register bits and estimated size of both
stand side by side. Version numbers of the program, times and memory are no difference. Exit code 1 if anything differs.
"""

import argparse
import difflib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MODELS = Path(__file__).resolve().parent / "models"
SMALL = "--bits 3 --weight-bits 3"
FEW = "--events 16 --effort fast"

ENCODER = [
    f"encoder {SMALL} --sums operators",
    f"encoder {SMALL} --input normalised",
    f"encoder {SMALL} --input normalised --contract qkeras --target generic --latency 1",
    f"encoder {SMALL} --contract qkeras --front-end --target xcup",
    f"encoder {SMALL} --weights programmable --target generic",
    f"encoder {SMALL} --weights programmable --front-end --multipliers operator --target xc7",
    f"encoder {SMALL} --weights programmable --contract qkeras --input normalised --multipliers booth8 --target xcup",
]
DENSE = [
    f"dense --layers 6,8,3 --bits 4 --sparsity 0.3 {FEW}",
    f"dense --layers 6,8,3 --bits 4 --requantise tw {FEW} --target xcup --clock-ns 2",
    f"dense --layers 8,16,8,4 --bits 5 --reuse 8 --events 4",
    f"dense --layers 16,32,5 --bits 6 --sparsity 0.5 {FEW} --target xc7 --clock-ns 3",
]
# what each reader takes
BUILD = [
    f"build MODELS/{file} --accept-rounding {FEW} --target {target}"
    for file, target in [
        ("jets_brevitas.onnx", "generic"),
        ("jets_qkeras.h5", "xcup"),
        ("jets_hgq2.keras", "generic"),
        ("digits_brevitas.onnx", "xcup"),
        ("digits_qkeras.h5", "generic"),
        ("digits_hgq2.keras", "xcup"),
        ("branches_hgq2.keras", "generic"),
        ("qdq.onnx", "xc7"),
        ("comb_gates.json", "lp65"),
        ("comb_wrapping.json", "xcup"),
        ("comb_saturating.json", "osu018"),
    ]
] + [f"build MODELS/digits_qkeras.h5 --accept-rounding --reuse 36 --events 4 --target {t}" for t in ["xcup", "generic"]]
INTERACTION = [
    "interaction --nodes 4 --edges 6 --events 16 --target xcup",
    "interaction --nodes 4 --edges 6 --events 16 --sorted --target generic --clock-ns 5",
    "interaction --nodes 4 --edges 6 --events 16 --structure flat --aggregation max --target xc7",
    "interaction --nodes 6 --edges 6 --layers 3 --events 16 --target xcup",
    "interaction --nodes 8 --edges 8 --events 16 --reuse 4 --target xcup",
    "interaction --network jedinet --nodes 4 --events 16 --target generic",
    "interaction --network jedi-linear --nodes 4 --events 16 --target xcup",
    "interaction --network deep-sets --nodes 4 --aggregation mean --events 16 --target xcup",
]
TARGETS = ["ecp5-45k", "ecp5-85k", "generic", "ice40-hx8k", "lp65", "nangate45", "osu018", "sky130", "xc7", "xcup"]
CMVM = [f"cmvm MATRIX --signed --effort fast --target {target}" for target in TARGETS] + [
    "cmvm MATRIX --input-bits 1 --effort fast --target xcup",
    "cmvm MATRIX --signed --effort fast --target osu018 --max-delay 3",
]
LARGE = [
    "encoder",
    "encoder --sums operators",
    "encoder --weights programmable --bits 3 --weight-bits 4",
    f"build MODELS/jets_qkeras.h5 {FEW}",
    f"build MODELS/jets_hgq2.keras --accept-rounding {FEW} --target osu018",
    "interaction --nodes 4 --edges 6 --events 16",
    f"dense --layers 16,64,32,32,5 --bits 6 --sparsity 0.8 {FEW}",
]


def matrix():
    """Eight inputs, six outputs, weights of six bits."""
    return [[(37 * i * i + 11 * j * (i + 3) + 5 * j) % 63 - 31 for j in range(6)] for i in range(8)]


def run(program, line, home, seconds):
    """What `program` prints and writes for a command line: file name to content, and the exit code."""
    home.mkdir(parents=True)
    (home / "matrix.json").write_text(json.dumps(matrix()))
    words = [w.replace("MODELS", str(MODELS)).replace("MATRIX", "matrix.json") for w in line.split()]
    try:
        done = subprocess.run([program, *words, "--out", "out"], cwd=home, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return {}, f"not done after {seconds} s"
    files = {str(p.relative_to(home / "out")): p.read_bytes() for p in (home / "out").rglob("*") if p.is_file()}
    files["(printed)"] = done.stdout + done.stderr
    return {name: plain(content) for name, content in files.items()}, done.returncode


def plain(content):
    """Content without versions of the program, times and memory, and without what came of a proof in limited time."""
    content = re.sub(rb"(?m)^the Verilog (?:is|was|as|could)[ ,].*\n", b"", content)
    content = re.sub(rb"hwgen \d+\.\d+\.\d+", b"hwgen", content)
    return re.sub(rb"(\| (?:seconds|peak memory, MB) *\|)[ \d.]+\|", rb"\1", content)


def figures(files):
    """Latency, register bits and estimated size, as the report has them."""
    report = json.loads(files.get("report.json", b"{}"))
    size, timing = report.get("size", {}), report.get("timing", {})
    estimate = size.get("estimate") or {}
    return {
        "latency": timing.get("latency"),
        "interval": timing.get("initiation_interval"),
        "register bits": size.get("pipeline_register_bits"),
        "state bits": size.get("state_bits"),
        "adder bits": size.get("adder_bits"),
        "look-up tables": estimate.get("look_up_tables"),
        "flip-flops": estimate.get("flip_flops"),
        "cells, µm²": estimate.get("area_um2"),
    }


def compare(line, old, new, show):
    """Prints how two runs differ, and says whether they do."""
    (old_files, old_code), (new_files, new_code) = old, new
    names = sorted(old_files.keys() | new_files.keys())
    changed = [name for name in names if old_files.get(name) != new_files.get(name)]
    if not changed and old_code == new_code:
        print(f"same     {line}" + (f" (both: {old_code})" if old_code else ""), flush=True)
        return False
    print(f"DIFFERS  {line}")
    if old_code != new_code:
        print(f"  exit code: {old_code} | {new_code}")
    for name in changed:
        kind = "only new" if name not in old_files else "only old" if name not in new_files else "changed"
        print(f"  {kind}: {name}")
        if show and kind == "changed":
            texts = [files[name].decode(errors="replace").splitlines() for files in (old_files, new_files)]
            for text in list(difflib.unified_diff(*texts, "old", "new", lineterm="", n=1))[:20]:
                print("    " + text[:160])
    both = figures(old_files), figures(new_files)
    for name in both[0]:
        a, b = both[0][name], both[1][name]
        if a or b:
            ratio = f" ({b / a:.3f})" if a and b and a != b else ""
            print(f"  {name}: {a} | {b}{ratio}")
    sys.stdout.flush()
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--only", default="", help="only command lines that contain this text")
    parser.add_argument("--all", action="store_true", help="the large ones too")
    parser.add_argument("--seconds", type=float, default=300, help="time for one run")
    parser.add_argument("--show", action="store_true", help="show the first lines that differ")
    parser.add_argument("--keep", type=Path, help="leave the emitted folders here")
    args = parser.parse_args()
    lines = ENCODER + DENSE + BUILD + INTERACTION + CMVM + (LARGE if args.all else [])
    lines = [line for line in lines if args.only in line]
    programs = [args.old.resolve(), args.new.resolve()]
    different = 0
    with tempfile.TemporaryDirectory() as temporary:
        base = args.keep or Path(temporary)
        for number, line in enumerate(lines):
            homes = [base / f"{number:02}" / side for side in ("old", "new")]
            runs = [run(p, line, home, args.seconds) for p, home in zip(programs, homes)]
            different += compare(line, *runs, args.show)
    print(f"{len(lines)} command lines, {different} differ")
    return min(different, 1)


if __name__ == "__main__":
    sys.exit(main())
