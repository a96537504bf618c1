"""Runs da4ml and alkaid on matrices and compares them with hwgen's figures for the same matrices.

usage: peers.py CASES_DIR HWGEN.json

For each tool the best adder-bit count over its delay settings is taken. Adder bits are the result widths of the
two-operand adders and subtractors, summed, as hwgen counts them.
"""
import json
import sys
import time
from pathlib import Path

import numpy as np

DELAY_SETTINGS = (-1, 0, 1, 2)
ADDER_OPCODES = (0, 1)


def da4ml(weights, bits, delay):
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace
    from da4ml.trace.ops import quantize
    from da4ml.types import minimal_kif

    symbols = FixedVariableArrayInput((len(weights),), hwconf=HWConfig(1, -1, -1), solver_options={"hard_dc": delay})
    circuit = comb_trace(symbols, quantize(symbols, 1, bits - 1, 0) @ weights)
    return circuit, minimal_kif, lambda op: [i for i in (op.id0, op.id1) if i >= 0] if op.opcode != -1 else []


def alkaid(weights, bits, delay):
    from alkaid.trace import FVArrayInput, trace
    from alkaid.trace.ops import quantize

    symbols = FVArrayInput((len(weights),), solver_options={"hard_dc": delay})
    circuit = trace(symbols, quantize(symbols, 1, bits - 1, 0) @ weights)
    return circuit, lambda interval: interval.kif, lambda op: list(op.addr)


def measure(tool, weights, bits, delay):
    start = time.perf_counter()
    circuit, kif, operands = tool(weights, bits, delay)
    seconds = time.perf_counter() - start
    depth = []
    for op in circuit.ops:
        below = max((depth[i] for i in operands(op)), default=0)
        depth.append(below + (op.opcode in ADDER_OPCODES))
    adders = [op for op in circuit.ops if op.opcode in ADDER_OPCODES]
    return {
        "adders": len(adders),
        "adder_bits": int(sum(sum(kif(op.qint)) for op in adders)),
        "depth": max(depth[i] for i in circuit.out_idxs if i >= 0),
        "seconds": seconds,
    }


def main():
    cases, ours = Path(sys.argv[1]), {row["case"]: row for row in json.load(open(sys.argv[2]))}
    head = ("case", "hwgen bits", "depth", "s", "da4ml bits", "depth", "s", "alkaid bits", "depth", "s", "ratio")
    print(("| {:<18} |" + " {:>10} | {:>5} | {:>7} |" * 3 + " {:>5} |").format(*head))
    print(("|{:-<20}|" + "{:-<12}|{:-<7}|{:-<9}|" * 3 + "{:-<7}|").format(*[""] * 11))
    for name, mine in ours.items():
        case = json.load(open(cases / f"{name}.json"))
        weights = np.array(case["W"], dtype=np.float32)
        cells = [name, mine["adder_bits"], mine["depth"], f"{mine['seconds']:.3f}"]
        best = []
        for tool in (da4ml, alkaid):
            results = [measure(tool, weights, case["x_bits"], delay) for delay in DELAY_SETTINGS]
            least = min(results, key=lambda r: r["adder_bits"])
            best.append(least["adder_bits"])
            cells += [least["adder_bits"], least["depth"], f"{least['seconds']:.3f}"]
        cells.append(f"{mine['adder_bits'] / min(best):.3f}")
        print(("| {:<18} |" + " {:>10} | {:>5} | {:>7} |" * 3 + " {:>5} |").format(*cells), flush=True)


main()
