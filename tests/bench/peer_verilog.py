"""Writes the combinational Verilog that da4ml or alkaid makes of a matrix.

usage: peer_verilog.py da4ml|alkaid CASE.json DELAY OUT_DIR

CASE.json has `W`, a row for each input, and `ranges`, the least and greatest integer of each; DELAY is the tool's bound on
the depth beyond the least possible, -1 for none.
"""
import json
import sys
from importlib import import_module

import numpy as np


def formats(ranges):
    """Sign and integer bits that hold each range of integers."""
    signs = [int(lo < 0) for lo, _ in ranges]
    bits = [max(hi.bit_length(), (-lo - 1).bit_length() if lo < 0 else 0) for lo, hi in ranges]
    return np.array(signs), np.array(bits)


def main():
    tool, case, delay, out = sys.argv[1:5]
    content = json.load(open(case))
    weights = np.array(content["W"], dtype=np.float32)
    inputs = formats(content["ranges"])
    options = {"hard_dc": int(delay)}
    model = import_module(f"{tool}.codegen").RTLModel
    quantize = import_module(f"{tool}.trace.ops").quantize
    if tool == "da4ml":
        from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

        symbols = FixedVariableArrayInput((len(weights),), hwconf=HWConfig(1, -1, -1), solver_options=options)
        circuit = comb_trace(symbols, quantize(symbols, *inputs, 0) @ weights)
        model(circuit, "top", out, latency_cutoff=-1).write()
    else:
        from alkaid.trace import FVArrayInput, trace

        symbols = FVArrayInput((len(weights),), solver_options=options)
        circuit = trace(symbols, quantize(symbols, *inputs, 0) @ weights)
        model(circuit, out, "top", latency_cutoff=-1, ternary_fuse=False).write()


main()
