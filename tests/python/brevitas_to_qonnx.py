"""From a Brevitas model to a file that hwgen builds, with inputs and the results of torch.

Usage: brevitas_to_qonnx.py OUT [--model dense|convolutional|residual|activations]

Writes OUT/model.onnx (QONNX), OUT/x.npy and OUT/y.npy; then

    hwgen build OUT/model.onnx --inputs OUT/x.npy --expected OUT/y.npy --out rtl/

Scales are powers of two (the Fixed-Point quantisers of Brevitas), so torch's own sums are exact and every bit must agree. Needs torch,
brevitas, onnx, onnxscript and numpy; see docs/importers.md.
"""

import argparse
import pathlib

import numpy as np
import onnx
import torch
from brevitas import nn as qnn
from brevitas.export import export_qonnx
from brevitas.quant import (
    Int8ActPerTensorFixedPoint, Int8WeightPerTensorFixedPoint, SignedBinaryWeightPerTensorConst, Uint8ActPerTensorFixedPoint,
)
from torch import nn

SAMPLES = 256
WEIGHTS = {"weight_quant": Int8WeightPerTensorFixedPoint, "weight_bit_width": 5}


def signed(bits):
    return qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=bits)


def relu(bits):
    return qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=bits)


def dense():
    binary = qnn.QuantLinear(16, 16, bias=False, weight_quant=SignedBinaryWeightPerTensorConst)
    layers = [signed(8), qnn.QuantLinear(12, 16, bias=False, **WEIGHTS), relu(6), binary, signed(6), qnn.QuantLinear(16, 5, bias=False, **WEIGHTS)]
    return nn.Sequential(*layers), (12,)


def convolutional():
    return nn.Sequential(
        signed(8), qnn.QuantConv2d(2, 4, 3, padding=1, bias=False, **WEIGHTS), nn.BatchNorm2d(4), relu(4), nn.MaxPool2d(2),
        qnn.QuantConv2d(4, 6, 3, groups=2, bias=False, **WEIGHTS), relu(5), nn.Flatten(), qnn.QuantLinear(24, 3, bias=False, **WEIGHTS),
    ), (2, 8, 8)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen, self.joined, self.relu = signed(8), signed(7), relu(6)
        self.first = qnn.QuantConv2d(3, 3, 3, padding=1, bias=True, **WEIGHTS)
        self.last = qnn.QuantLinear(3, 4, bias=False, **WEIGHTS)

    def forward(self, x):
        x = self.joined(self.seen(x))
        x = self.relu(x + self.joined(self.first(x)))
        return self.last(nn.functional.max_pool2d(x, 6).flatten(1))


def activations():
    sigmoid = qnn.QuantSigmoid(act_quant=Uint8ActPerTensorFixedPoint, bit_width=6)
    tanh = qnn.QuantTanh(act_quant=Int8ActPerTensorFixedPoint, bit_width=6)
    smooth = [nn.SiLU(), signed(7), nn.GELU(), signed(7), nn.Hardswish(), signed(7)]
    layers = [signed(8), qnn.QuantLinear(10, 8, bias=False, **WEIGHTS), sigmoid, qnn.QuantLinear(8, 8, bias=False, **WEIGHTS), tanh]
    return nn.Sequential(*layers, *smooth, qnn.QuantLinear(8, 4, bias=False, **WEIGHTS)), (10,)


MODELS = {"dense": dense, "convolutional": convolutional, "residual": lambda: (Residual(), (3, 6, 6)), "activations": activations}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", choices=MODELS, default="convolutional")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    torch.set_num_threads(1)
    model, shape = MODELS[options.model]()
    # quantisers find their scales and normalisations their means on data, here in place of training
    for _ in range(40):
        model(2 * torch.randn(64, *shape))
    model.eval()
    x = 2 * torch.randn(SAMPLES, *shape)
    with torch.no_grad():
        y = model(x)
    y = y.value if hasattr(y, "value") else y
    np.save(options.out / "x.npy", x.numpy())
    np.save(options.out / "y.npy", y.numpy())
    path = options.out / "model.onnx"
    export_qonnx(model, args=x[:1], export_path=str(path), input_names=["x"], output_names=["y"])
    # newer versions of torch write the weights to a second file: all in one again
    onnx.save(onnx.load(path), path)
    path.with_suffix(".onnx.data").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
