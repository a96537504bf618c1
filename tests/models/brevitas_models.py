"""Trains and exports the Brevitas models of this folder: `python brevitas_models.py` with requirements-brevitas.txt.

Writes jets_brevitas.onnx and digits_brevitas.onnx (QONNX) and, for 1,024 samples each, what Brevitas gives at every
activation quantiser (.npz). The scales of the jet tagger are powers of two; those of the digit classifier are floats
of their own for each channel.
"""

import torch
from brevitas import nn as qnn
from brevitas.export import export_qonnx
from brevitas.quant import (
    Int8ActPerTensorFixedPoint, Int8ActPerTensorFloat, Int8WeightPerChannelFloat, Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint, Uint8ActPerTensorFloat,
)
from torch import nn

from data import digits, jets, save

SAMPLES = 1024


def jet_tagger():
    def dense(inputs, outputs, bits):
        return qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=Int8WeightPerTensorFixedPoint, weight_bit_width=bits)

    layers = [qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=8)]
    sizes = [16, 64, 32, 32]
    for inputs, outputs, bits, activation in zip(sizes, sizes[1:], (6, 4, 3), (6, 5, 4)):
        layers += [dense(inputs, outputs, bits), qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=activation)]
    return nn.Sequential(*layers, dense(32, 5, 6))


def digit_classifier():
    weights = {"bias": False, "weight_quant": Int8WeightPerChannelFloat}
    return nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=5),
        qnn.QuantConv2d(1, 4, 3, weight_bit_width=5, **weights), nn.BatchNorm2d(4),
        qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=4),
        qnn.QuantConv2d(4, 8, 3, stride=2, padding=1, weight_bit_width=4, **weights), nn.BatchNorm2d(8),
        qnn.QuantReLU(act_quant=Uint8ActPerTensorFloat, bit_width=4),
        nn.MaxPool2d(3, stride=1), nn.Flatten(), qnn.QuantLinear(8, 10, weight_bit_width=5, **weights),
    )


def train(model, x, classes, epochs, rate):
    x, classes = torch.from_numpy(x), torch.from_numpy(classes)
    optimiser = torch.optim.Adam(model.parameters(), rate)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), classes[batch]).backward()
            optimiser.step()
    model.eval()


def export(model, name, x, classes):
    # gives the file's tensors the names `seen`, `relu0`, … so that they are found again
    tensors = {}

    def keep(title):
        return lambda module, inputs, output: tensors.__setitem__(title, output.detach().numpy())

    quantisers = [m for m in model if isinstance(m, (qnn.QuantIdentity, qnn.QuantReLU))]
    for k, module in enumerate(quantisers):
        module.register_forward_hook(keep("seen" if k == 0 else f"relu{k - 1}"))
    with torch.no_grad():
        scores = model(torch.from_numpy(x)).numpy()
    save(f"{name}.npz", x, {**tensors, "scores": scores}, classes)
    for module in quantisers:
        module._forward_hooks.clear()
    export_qonnx(model, args=torch.from_numpy(x[:1]), export_path=f"{name}.onnx", input_names=["x"], output_names=["scores"])


torch.manual_seed(1)
torch.set_num_threads(1)
tagger = jet_tagger()
train(tagger, *jets(20_000, seed=1), epochs=6, rate=3e-3)
export(tagger, "jets_brevitas", *jets(SAMPLES, seed=2))
classifier = digit_classifier()
(x, classes), (all_x, all_classes) = digits()
train(classifier, x[:, None], classes, epochs=40, rate=5e-3)
export(classifier, "digits_brevitas", all_x[-SAMPLES:, None], all_classes[-SAMPLES:])
