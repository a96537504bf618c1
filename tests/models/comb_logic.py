"""Traces small random networks with alkaid and saves them as CombLogic: `python comb_logic.py` with requirements-comb.txt.

Writes comb_*.json, the program, and comb_*.npz, random inputs and what alkaid's own interpreter gives for them.
`python comb_logic.py FOLDER COUNT` writes as many random networks of gates into a folder instead.
"""

import sys

import numpy as np
from alkaid.trace import FVArrayInput, trace
from alkaid.trace.ops import quantize, relu

SAMPLES = 1024


def dense(rng, x, outputs, bits):
    top = 2 ** (bits - 1)
    weights = rng.integers(-top, top, (x.shape[-1], outputs)).astype(np.float32)
    weights[rng.random(weights.shape) < 0.4] = 0.0
    return x @ (weights / top) + (rng.integers(-top, top, outputs) / top).astype(np.float32)


def wrapping(rng, x):
    """Rounding down and wrapping, mixed precision."""
    x = quantize(x, 1, 3, rng.integers(1, 5, x.shape))
    for width, bits in [(12, 4), (8, 3)]:
        x = quantize(relu(dense(rng, x, width, bits)), 0, 3, rng.integers(1, 5, width))
    return dense(rng, x, 5, 5)


def saturating(rng, x):
    """Rounding to the nearest and saturation; maximum, products and a table."""
    x = quantize(x, 1, 2, 4)
    y = quantize(relu(dense(rng, x, 10, 5)), 0, 2, 3, "SAT", "RND")
    z = quantize(dense(rng, y, 6, 4), 1, 2, 2, "SAT", "RND")
    low, high = np.tanh(z[:3]), z[3:]
    return np.concatenate([np.maximum(z[:3], high), z[:3] * high, quantize(low, 1, 0, 5, "SAT", "RND"), np.abs(z)])


def gates(rng, x):
    """Gates, inversions and tests of all bits, on patterns that differ in sign, width and binary point."""
    count = x.shape[-1]
    x = quantize(x, rng.integers(0, 2, count), rng.integers(0, 4, count), rng.integers(1, 5, count))
    y = x[rng.permutation(count)]
    z = quantize(x + 2.0 * y, 1, 2, 2)
    mask = np.float32(rng.integers(-20, 20) / 8)
    a = [x & y, x | y * 4.0, x ^ -y, ~x & z, (x ^ mask) | 0.5, -(z & -0.75)]
    b = [(x ^ y).to_bool("any"), (~z).to_bool("all"), x.to_bool("all"), x == z, x > y, x <= 0.5 * z, np.sign(z)]
    votes = sum(b[1:], b[0]) + (a[0] ^ a[1])
    rounded = quantize(a[2] * b[0] + ~a[3], 1, 3, 2, "SAT", "RND_CONV")
    return np.concatenate([*a, *b, votes, rounded, dense(rng, np.concatenate([~x, b[3]]), 3, 3)])


def save(network, inputs, seed, path):
    rng = np.random.default_rng(seed)
    traced = FVArrayInput((inputs,))
    logic = trace(traced, network(rng, traced))
    logic.save(f"{path}.json")
    x = (rng.integers(-512, 512, (SAMPLES, inputs)) / 64.0).astype(np.float64)
    np.savez_compressed(f"{path}.npz", x=x, y=logic.predict(x))
    opcodes, counts = np.unique([op.opcode for op in logic.ops], return_counts=True)
    print(logic, dict(zip(opcodes.tolist(), counts.tolist())))


if len(sys.argv) == 3:
    for k in range(int(sys.argv[2])):
        save(gates, 1 + k % 8, k, f"{sys.argv[1]}/comb_{k}")
else:
    for name, network, inputs in [("wrapping", wrapping, 10), ("saturating", saturating, 8), ("gates", gates, 5)]:
        save(network, inputs, 3, f"comb_{name}")
