"""Writes a residual network of the size of MLPerf Tiny's image classifier, with random weights, as `hwgen build` reads it.

    python3 tests/models/resnet8.py model.json [--weight-bits 8] [--activation-bits 8] [--size 32] [--seed 1]

Inputs are 3 by 32 by 32 pixels of 8 bits (or of another size, a multiple of 4); nine convolutions of 16, 32 and 64 filters, three of them a short way or behind
one, an average over all pixels, ten scores. What is dropped behind each sum follows from the spread of random weights.
"""

import argparse
import json
import math
import random


class Network:
    """Layers one after another; a tensor is its number."""

    def __init__(self, weight_bits, activation_bits, seed):
        self.random = random.Random(seed)
        self.weight = 2 ** (weight_bits - 1) - 1
        self.most = 2**activation_bits - 1
        self.layers = []

    def push(self, name, op, *inputs):
        """Appends a layer and gives its tensor; the network's one input is tensor 0."""
        self.layers.append({"name": name, "op": op, "inputs": list(inputs)})
        return len(self.layers)

    def weights(self, shape):
        """Random weights, and how many bits to drop behind their sum."""
        count = math.prod(shape)
        values = [self.random.randint(-self.weight, self.weight) for _ in range(count)]
        drop = round(math.log2(self.weight * math.sqrt(count / shape[0])) - 1)
        return {"shape": shape, "values": values}, max(drop, 0)

    def convolution(self, name, x, channels, filters, kernel, stride):
        """A convolution that keeps the size but for its stride, and the bits to drop behind it."""
        weights, drop = self.weights([filters, channels, kernel, kernel])
        after = (kernel - 1 + 1) // 2
        before = after if stride == 1 else kernel - 1 - after
        window = {
            "kernel": [kernel] * 2,
            "strides": [stride] * 2,
            "dilations": [1, 1],
            "pads_begin": [before] * 2,
            "pads_end": [after] * 2,
        }
        bias = [self.random.randint(-self.most, self.most) for _ in range(filters)]
        op = {"convolution": {"weights": weights, "bias": bias, "window": window, "groups": 1}}
        return self.push(name, op, x), drop

    def quantise(self, name, x, drop, least):
        """Rounding half to even and saturation, from `least` on."""
        limit = {"saturate": {"lo": least, "hi": self.most}}
        op = {"requantise": {"drop": drop, "rounding": "half_even", "limit": limit}}
        return self.push(name, op, x)

    def block(self, name, x, channels, filters, stride):
        """Two convolutions and a short way around them."""
        y, drop = self.convolution(f"{name}_a", x, channels, filters, 3, stride)
        y = self.quantise(f"{name}_a_relu", y, drop, 0)
        y, drop = self.convolution(f"{name}_b", y, filters, filters, 3, 1)
        y = self.quantise(f"{name}_b_quantised", y, drop, -self.most)
        if stride > 1:
            x, drop = self.convolution(f"{name}_short", x, channels, filters, 1, stride)
            x = self.quantise(f"{name}_short_quantised", x, drop, -self.most)
        y = self.push(f"{name}_sum", "add", y, x)
        return self.quantise(f"{name}_relu", y, 0, 0)


def main():
    """Writes the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--weight-bits", type=int, default=8)
    parser.add_argument("--activation-bits", type=int, default=8)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    network = Network(args.weight_bits, args.activation_bits, args.seed)
    x, drop = network.convolution("first", 0, 3, 16, 3, 1)
    x = network.quantise("first_relu", x, drop, 0)
    x = network.block("stack1", x, 16, 16, 1)
    x = network.block("stack2", x, 16, 32, 2)
    x = network.block("stack3", x, 32, 64, 2)
    x = network.push("pool", {"reduce": {"kind": "sum", "axes": [2, 3]}}, x)
    x = network.quantise("pool_quantised", x, 2 * (args.size // 4).bit_length() - 2, 0)
    x = network.push("flat", {"reshape": {"shape": [1, 64]}}, x)
    weights, _ = network.weights([10, 64])
    x = network.push("head", {"dense": {"weights": weights, "bias": [0] * 10}}, x)
    model = {
        "name": "resnet8",
        "inputs": [{"name": "image", "shape": [1, 3, args.size, args.size], "range": [0, 255]}],
        "layers": network.layers,
        "outputs": [{"name": "scores", "tensor": x}],
    }
    with open(args.file, "w", encoding="utf-8") as file:
        json.dump(model, file)


if __name__ == "__main__":
    main()
