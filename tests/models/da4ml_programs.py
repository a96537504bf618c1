"""Traces a small random network with da4ml 0.6: `python da4ml_programs.py` with requirements-da4ml.txt.

Writes comb_da4ml.json, the program, and comb_da4ml.npz, random inputs and what da4ml's own interpreter gives for them.
"""

import numpy as np
from da4ml.trace import FixedVariableArrayInput, comb_trace
from da4ml.trace.ops import quantize, relu

SAMPLES = 1024


def dense(rng, x, outputs, bits):
    top = 2 ** (bits - 1)
    weights = rng.integers(-top, top, (x.shape[-1], outputs)).astype(np.float32)
    weights[rng.random(weights.shape) < 0.4] = 0.0
    return x @ (weights / top) + (rng.integers(-top, top, outputs) / top).astype(np.float32)


def network(rng, x):
    """Sums, negated and plain quantisers, selections, products, a table, gates and tests of bits."""
    x = quantize(x, np.ones(8, int), np.full(8, 2), rng.integers(1, 4, 8))
    y = quantize(relu(dense(rng, x, 8, 5)), np.zeros(8, int), np.full(8, 2), np.full(8, 3), "SAT", "RND")
    z = quantize(dense(rng, y, 6, 4), np.ones(6, int), np.full(6, 2), np.full(6, 2), "SAT", "RND")
    low, high = np.tanh(z[:3]), z[3:]
    table = quantize(low, np.ones(3, int), np.zeros(3, int), np.full(3, 5), "SAT", "RND")
    bits = [z[:3] & high, z[:3] | high, z[:3] ^ high, ~z, z[:3] > high]
    negated = quantize(-z, np.ones(6, int), np.ones(6, int), np.ones(6, int))
    return np.concatenate([np.maximum(z[:3], high), z[:3] * high, table, np.abs(z), relu(-z), negated, *bits])


def main():
    rng = np.random.default_rng(6)
    traced = FixedVariableArrayInput((8,))
    logic = comb_trace(traced, network(rng, traced))
    logic.save("comb_da4ml.json")
    x = (rng.integers(-512, 512, (SAMPLES, 8)) / 64.0).astype(np.float64)
    np.savez_compressed("comb_da4ml.npz", x=x, y=logic.predict(x))


if __name__ == "__main__":
    main()
