"""The encoder's silicon contract in integers: what the generated hardware computes, bit for bit, at any width.

`uW.F` is an unsigned W-bit integer with F fraction bits, `sW.F` a signed one. Widths are B (data), W (weights), O (outputs):
inputs and hidden values are u{B}.{B-1}, weights and biases s{W}.{W-1}, outputs u{O}.{O-1}. Every product is floored to its
accumulator's fraction bits *before* it is summed, so a sum is not the floor of the exact sum.

Run as a program it checks itself against golden vectors: `python silicon_contract.py golden.json ...`.
"""

import json
import sys
from dataclasses import dataclass

import numpy as np

from geometry import CELLS, PATCHES

PARAMETERS = ("conv_weight", "conv_bias", "dense_weight", "dense_bias")
CHUNK = 256  # events at a time: the dense layer's products are 2048 an event


@dataclass(frozen=True)
class Widths:
    """Bit widths of the data path; the manufactured chip is the default."""

    bits: int = 8
    weight_bits: int = 6
    output_bits: int = 9


@dataclass(frozen=True)
class Encoded:
    """What the block computes for n events."""

    module_sum: np.ndarray  # [n] the sum as a 5E+4M float code
    normalised: np.ndarray  # [n][48] u{B}.{B-1}
    hidden: np.ndarray  # [n][128] u{B}.{B-1}, by row, column, filter
    encoded: np.ndarray  # [n][16] u{O}.{O-1}


def quantise_weights(masters: dict, weight_bits: int) -> dict:
    """Float masters to register values: floor(w * 2^(W-1)), saturated."""
    one = 1 << (weight_bits - 1)
    return {name: np.clip(np.floor(np.asarray(masters[name], float) * one), -one, one - 1).astype(np.int64) for name in PARAMETERS}


def floor_shift(value: np.ndarray, right: int) -> np.ndarray:
    """value / 2^right, floored; a negative shift is to the left."""
    return value >> right if right >= 0 else value << -right


def bit_length(value: np.ndarray) -> np.ndarray:
    """Number of bits of each non-negative integer below 2^52; 0 has none."""
    return np.frexp(value.astype(np.float64))[1].astype(np.int64)


def module_sum_code(total: np.ndarray) -> np.ndarray:
    """The 5-bit exponent, 4-bit mantissa float of a sum, truncated; below 16 the code is the value."""
    length = bit_length(total)
    mantissa = (total >> np.maximum(length - 5, 0)) & 15
    return np.where(total < 16, total, ((length - 4) << 4) | mantissa)


def normalise(calq: np.ndarray, bits: int) -> np.ndarray:
    """Charges `[n][48]` over the largest power of two in their sum, truncated to u{B}.{B-1}: [0, 2)."""
    exponent = np.maximum(bit_length(calq.sum(axis=1)) - 1, 0)
    left = (bits - 1 - exponent)[:, None]
    return (calq << np.maximum(left, 0)) >> np.maximum(-left, 0)


def layer(inputs: np.ndarray, weight: np.ndarray, bias: np.ndarray, in_fraction: int, weight_fraction: int, out_bits: int) -> np.ndarray:
    """ReLU(Σ floor(input · weight) + bias), saturated to u{out_bits}.{out_bits-1}.

    Shapes: inputs `[..., k]`, weight `[k][outputs]`, bias `[outputs]`.
    """
    out_fraction = out_bits - 1
    products = floor_shift(inputs[..., :, None] * weight, in_fraction + weight_fraction - out_fraction)
    total = products.sum(axis=-2) + floor_shift(bias, weight_fraction - out_fraction)
    return np.clip(total, 0, (1 << out_bits) - 1)


def encode(calq: np.ndarray, registers: dict, widths: Widths) -> Encoded:
    """Encodes charges `[n][48]` with integer weights."""
    bits, weight_fraction = widths.bits, widths.weight_bits - 1
    kernel = registers["conv_weight"].reshape(9, 8)
    normalised = normalise(calq, bits)
    image = np.concatenate([normalised, np.zeros_like(normalised[:, :1])], axis=1)
    hidden, encoded = [], []
    for start in range(0, len(calq), CHUNK):
        patches = image[start:start + CHUNK][:, PATCHES]
        features = layer(patches, kernel, registers["conv_bias"], bits - 1, weight_fraction, bits).reshape(-1, 128)
        hidden.append(features)
        encoded.append(layer(features, registers["dense_weight"].T, registers["dense_bias"], bits - 1, weight_fraction, widths.output_bits))
    return Encoded(module_sum_code(calq.sum(axis=1)), normalised, np.concatenate(hidden), np.concatenate(encoded))


def mismatches(golden: dict) -> dict:
    """How many numbers of each recorded layer differ from the model; golden weights are 6-bit registers."""
    registers = {name: np.array(golden[name], np.int64) for name in PARAMETERS}
    result = encode(np.array(golden["calq"], np.int64), registers, Widths())
    computed = {"module_sum_5e4m": result.module_sum, "normalised": result.normalised, "hidden": result.hidden, "encoded": result.encoded}
    return {name: int((values != np.array(golden[name])).sum()) for name, values in computed.items() if golden.get(name) is not None}


def main() -> int:
    failed = False
    for path in sys.argv[1:]:
        with open(path) as file:
            golden = json.load(file)
        assert np.shape(golden["calq"])[1] == CELLS
        right = mismatches(golden)
        # The check must be able to fail: the lowest bit of the weights changes the outputs.
        golden["dense_weight"] = [[weight ^ 1 for weight in row] for row in golden["dense_weight"]]
        blind = mismatches(golden)["encoded"] == 0
        failed |= blind or any(right.values())
        print(f"{path}: mismatches {right}; with the weights disturbed the check {'passes: it is blind' if blind else 'fails, as it must'}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
