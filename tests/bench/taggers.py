"""Sizes of whole trained networks beside alkaid's, each tool reading the model file as it is.

usage: KERAS_BACKEND=tensorflow python taggers.py HWGEN WORK_DIR MODEL.keras… [--effort EFFORT]

Models are those of `tests/models/taggers_hgq2.py` or others of HGQ2; the Python has requirements-hgq2.txt and alkaid. Look-up
tables are counted as `peers.py` does, of combinational networks; alkaid's are the least over its delay settings, with its
three-operand adders and without.
"""
import argparse
import json
import subprocess
from pathlib import Path

import keras
import hgq  # noqa: F401, registers its layers
from alkaid.codegen import RTLModel
from alkaid.converter import trace_model
from alkaid.trace import HWConfig, trace

from peers import DELAY_SETTINGS, sources, synthesise


def alkaid(file, work):
    """The least look-up tables over the delay settings."""
    model = keras.models.load_model(file, compile=False)
    found = []
    for delay in DELAY_SETTINGS:
        inputs, outputs = trace_model(model, HWConfig(1, 1, -1), {"hard_dc": delay}, False)
        circuit = trace(inputs, outputs)
        for ternary in (False, True):
            folder = work / f"{file.stem}_alkaid{delay}_{ternary}"
            RTLModel(circuit, folder, "top", latency_cutoff=-1, ternary_fuse=ternary).write()
            found.append(synthesise(sources(folder), "top", folder / "yosys")["LUTs, Yosys"])
    return min(found)


def hwgen(program, file, effort, work):
    """Look-up tables and adder bits."""
    folder = work / f"{file.stem}_hwgen"
    command = [program, "build", file, "--target", "xcup", "--latency", 0, "--effort", effort, "--out", folder]
    subprocess.run([*map(str, command), "--accept-rounding"], check=True, capture_output=True)
    report = json.loads((folder / "report.json").read_text())
    files = [f for f in sorted(folder.glob("*.v")) if not f.name.endswith("_tb.v")]
    return synthesise(files, report["top"], folder.with_name(folder.name + "_yosys"))["LUTs, Yosys"], report["size"]["adder_bits"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hwgen", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--effort", default="normal")
    options = parser.parse_args()
    print("| network | adder bits | LUTs, Yosys | alkaid | ÷ |\n|---|---:|---:|---:|---:|")
    for file in options.models:
        luts, bits = hwgen(options.hwgen.resolve(), file, options.effort, options.work)
        peer = alkaid(file, options.work)
        print(f"| {file.stem} | {bits:,} | {luts:,} | {peer:,} | {luts / peer:.2f} |", flush=True)


main()
