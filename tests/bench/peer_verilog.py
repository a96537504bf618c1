"""Writes the combinational Verilog that da4ml or alkaid makes of a matrix of signed inputs.

usage: peer_verilog.py da4ml|alkaid CASE.json OUT_DIR
"""
import json
import sys
from importlib import import_module

import numpy as np

BITS = 8


def main():
    tool, case, out = sys.argv[1:4]
    content = json.load(open(case))
    weights = np.array(content["W"], dtype=np.float32)
    bits = content.get("x_bits", BITS)
    model = import_module(f"{tool}.codegen").RTLModel
    quantize = import_module(f"{tool}.trace.ops").quantize
    if tool == "da4ml":
        from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

        symbols = FixedVariableArrayInput((len(weights),), hwconf=HWConfig(1, -1, -1), solver_options={"hard_dc": -1})
        circuit = comb_trace(symbols, quantize(symbols, 1, bits - 1, 0) @ weights)
        model(circuit, "top", out, latency_cutoff=-1).write()
    else:
        from alkaid.trace import FVArrayInput, trace

        symbols = FVArrayInput((len(weights),), solver_options={"hard_dc": -1})
        circuit = trace(symbols, quantize(symbols, 1, bits - 1, 0) @ weights)
        model(circuit, out, "top", latency_cutoff=-1, ternary_fuse=False).write()


main()
