"""Random networks of Brevitas with random settings of layers and quantisers, exported as QONNX; see `case.py`.

The results are those of the exported file, executed by qonnx. Where torch's own are others by more than the last bits, Brevitas
has exported another function, and the network is left out. The last line counts the files whose results are torch's own, those
with noise in the last place and those left out. Needs tests/models/requirements-brevitas.txt and qonnx.
"""

from collections import Counter

import case
import numpy as np
import onnx
import torch
from brevitas import nn as qnn
from brevitas import quant
from brevitas.export import export_qonnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn

SAMPLES = 32
SEEN = Counter()
WEIGHTS = [
    quant.Int8WeightPerTensorFixedPoint,
    quant.Int8WeightPerTensorFixedPoint,
    quant.Int8WeightPerTensorFloat,
    quant.Int8WeightPerChannelFloat,
    quant.SignedBinaryWeightPerTensorConst,
    quant.SignedTernaryWeightPerTensorConst,
]
SIGNED = [
    quant.Int8ActPerTensorFixedPoint,
    quant.Int8ActPerTensorFixedPoint,
    quant.Int8ActPerTensorFloat,
    quant.SignedBinaryActPerTensorConst,
    quant.SignedTernaryActPerTensorConst,
    quant.ShiftedUint8ActPerTensorFixedPoint,
]
UNSIGNED = [quant.Uint8ActPerTensorFixedPoint, quant.Uint8ActPerTensorFloat]
BIASES = [None, quant.Int8BiasPerTensorFixedPointInternalScaling, quant.Int8BiasPerTensorFloatInternalScaling]
ROUNDINGS = ["ROUND", "ROUND", "FLOOR", "CEIL"]


class Random:
    """Choices of one model."""

    def __init__(self, rng):
        self.rng = rng

    def of(self, items):
        return items[int(self.rng.integers(len(items)))]

    def number(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability):
        return self.rng.random() < probability

    def activation(self, kinds):
        """Keys of a quantiser of values."""
        kind = self.of(kinds)
        keys = {"act_quant": kind, "float_to_int_impl_type": self.of(ROUNDINGS)}
        if "Binary" not in kind.__name__ and "Ternary" not in kind.__name__:
            keys["bit_width"] = self.number(2, 7)
        else:
            keys["scaling_init"] = self.of([0.5, 1.0, 0.3])
            del keys["float_to_int_impl_type"]
        if kind in SIGNED[:3] and self.chance(0.3):
            keys["narrow_range"] = True
        return keys

    def weights(self):
        """Keys of the weights' quantiser."""
        kind = self.of(WEIGHTS)
        keys = {"weight_quant": kind, "bias": self.chance(0.5)}
        if "Const" in kind.__name__:
            keys["weight_scaling_init"] = self.of([0.5, 1.0, 0.3])
        else:
            keys["weight_bit_width"] = self.number(2, 6)
            keys["weight_float_to_int_impl_type"] = self.of(ROUNDINGS)
            # False is exported wrongly by 0.10: `signed` and `narrow` change places
            keys["weight_narrow_range"] = True
        if keys["bias"]:
            keys["bias_quant"] = self.of(BIASES)
        return keys


def seen(r):
    return qnn.QuantIdentity(**r.activation(SIGNED[:3]))


def quantiser(r):
    """An activation with a quantiser behind it."""
    return r.of([
        lambda: qnn.QuantIdentity(**r.activation(SIGNED)),
        lambda: qnn.QuantReLU(**r.activation(UNSIGNED)),
        lambda: qnn.QuantSigmoid(**r.activation(UNSIGNED)),
        lambda: qnn.QuantTanh(**r.activation(SIGNED[:3])),
        lambda: qnn.QuantHardTanh(min_val=-1.0, max_val=1.0, **r.activation(SIGNED[:3])),
    ])()


def plain(r):
    """A layer that torch has and Brevitas leaves as it is."""
    return r.of([
        nn.Identity, nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.SiLU, nn.GELU, nn.ELU, nn.SELU, nn.Mish, nn.Hardswish, nn.Hardsigmoid,
        lambda: nn.LeakyReLU(r.of([0.1, 0.25, 0.5])), lambda: nn.PReLU(init=0.25), lambda: nn.Dropout(0.3), nn.Softplus, nn.Softsign,
    ])()


class Residual(nn.Module):
    """A layer and its operand, quantised alike and added."""

    def __init__(self, inner, joined):
        super().__init__()
        self.inner, self.joined = inner, joined

    def forward(self, x):
        return self.joined(x) + self.joined(self.inner(x))


def convolution(r, channels):
    groups = r.of([g for g in range(1, channels + 1) if channels % g == 0])
    filters = groups * r.number(1, 2)
    place = {"kernel_size": r.number(1, 3), "stride": r.number(1, 2), "padding": r.number(0, 1), "dilation": r.number(1, 2)}
    if r.chance(0.2):
        place |= {"dilation": 1, "stride": r.number(1, 2)}
        return qnn.QuantConvTranspose2d(channels, filters, groups=groups, **place, **r.weights()), filters
    return qnn.QuantConv2d(channels, filters, groups=groups, **place, **r.weights()), filters


def network(r):
    image = r.chance(0.5)
    shape = (r.number(1, 3), 6, 6) if image else (r.number(2, 8),)
    layers, width = [seen(r)], shape[0]
    if image:
        for _ in range(r.number(1, 2)):
            layer, width = convolution(r, width)
            layers.append(layer)
            layers += [nn.BatchNorm2d(width)] if r.chance(0.4) else []
            layers += [plain(r)] if r.chance(0.2) else []
            layers.append(quantiser(r))
            layers += [r.of([nn.MaxPool2d(2, ceil_mode=r.chance(0.2)), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Upsample(scale_factor=2)])] if r.chance(0.3) else []
        layers.append(nn.Flatten())
        width = nn.Sequential(*layers).eval()(torch.zeros(1, *shape))
        width = getattr(width, "value", width).shape[1]
        layers.append(seen(r))
    for _ in range(r.number(1, 2)):
        units = r.number(2, 5)
        if r.chance(0.2):
            layers.append(Residual(qnn.QuantLinear(width, width, **r.weights()), seen(r)))
            layers.append(seen(r))
        layers.append(qnn.QuantLinear(width, units, **r.weights()))
        width = units
        layers += [nn.BatchNorm1d(width)] if r.chance(0.3) else []
        layers += [plain(r)] if r.chance(0.2) else []
        layers += [quantiser(r)] if r.chance(0.7) else []
    return nn.Sequential(*layers), shape


def executed(file, x):
    """What the file gives for each sample."""
    model = ModelWrapper(file).transform(InferShapes())
    [result] = [output.name for output in model.graph.output]
    return np.concatenate([execute_onnx(model, {"x": sample[None]})[result] for sample in x])


def make(path, rng):
    torch.manual_seed(int(rng.integers(1 << 30)))
    torch.set_num_threads(1)
    model, shape = network(Random(rng))
    # quantisers find their scales and normalisations their means on data, here in place of training
    with torch.no_grad():
        for _ in range(12):
            model(2 * torch.randn(16, *shape))
        model.eval()
        x = torch.from_numpy((rng.integers(-64, 64, (SAMPLES, *shape)) / 16).astype(np.float32))
        y = model(x)
    y = getattr(y, "value", y)
    file = f"{path}.onnx"
    export_qonnx(model, args=x[:1], export_path=file, input_names=["x"], output_names=["y"])
    # newer versions of torch write the weights to a second file: all in one again
    onnx.save(onnx.load(file), file)
    results = executed(file, x.numpy())
    case.save(path, [x.numpy()], [results], "--input-format s7.4")
    same = bool(np.allclose(results, y.numpy(), rtol=1e-4, atol=1e-5))
    SEEN["equal" if np.array_equal(results, y.numpy()) else "noise" if same else "left out"] += 1
    return same


if __name__ == "__main__":
    case.run(make)
    print(f"against torch itself: {SEEN['equal']} equal, {SEEN['noise']} noise in the last place, {SEEN['left out']} left out")
