"""Random ONNX graphs with random settings of every attribute, and what the frameworks make of them; see `case.py`.

Operators of ai.onnx in operator sets 6 to 24 (QDQ and QOperator among them) and of both QONNX domains follow each other at random. Each
node is executed by itself, by onnxruntime, or by the `onnx` package's reference where onnxruntime has no code for it, or by `qonnx`; a
node that none of them takes is left out. Needs onnx, onnxruntime, qonnx and numpy.
"""

import case
import numpy as np
import onnx
from onnx_elements import Elements
from onnx_layers import Layers
from onnx_movement import Movement


class Network(Layers, Elements, Movement):
    """Quantisers and layers at random."""

    def ending(self):
        op = self.pick("ArgMax", "ArgMin", "Softmax", "TopK")
        axis = self.int(-self.rank, self.rank - 1)
        axis = axis if self.opset >= 11 else axis % self.rank
        if op == "TopK":
            k = [np.array([1], np.int64)] if self.opset >= 10 else []
            return self.node(op, *k, outputs=2, take=0, **({"k": 1} if self.opset < 10 else {}), **self.some(axis=axis, largest=self.int(0, 1), sorted=self.int(0, 1)))
        self.node(op, **self.some(axis=axis, keepdims=self.int(0, 1), select_last_index=self.pick(0, 0, 1)))

    def build(self):
        layers = [self.conv, self.conv, self.dense, self.dense, self.pool, self.reduce, self.conv_transpose, self.integer_layer, self.last, self.branches]
        for _ in range(self.int(1, 3)):
            if self.chance(0.5):
                self.attempt(self.unary, self.binary, self.composite, self.movement)
            if self.chance(0.7):
                self.attempt(self.quantiser)
            self.attempt(*layers)
            if self.chance(0.4):
                self.attempt(self.normalisation, self.unary, self.binary, self.composite)
            if self.chance(0.4):
                self.attempt(self.movement, self.unary)
            if self.chance(0.7):
                self.attempt(self.quantiser)
        if self.chance(0.1):
            self.attempt(self.ending)
        return self


def make(path, rng):
    network = Network(rng).build()
    if not network.nodes:
        return False
    onnx.save(network.model(), f"{path}.onnx")
    case.save(path, [np.stack(network.inputs)], [np.stack(network.values)], f"--input-format {network.format}")
    return True


if __name__ == "__main__":
    # onnxruntime aborts on some values
    case.run(make, case.isolated)
