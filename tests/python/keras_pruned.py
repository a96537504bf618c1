"""A QKeras layer that is pruned by TensorFlow Model Optimization, saved in the middle of training.

    keras_pruned.py OUT

The weights have not been multiplied by the mask yet, which the wrapper does in every call. Needs
tests/models/requirements-qkeras.txt.
"""

import pathlib
import sys

import case
import keras
import numpy as np
from qkeras import QDense
from tensorflow_model_optimization.sparsity.keras import ConstantSparsity, prune_low_magnitude

out = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(4)
x = keras.Input((6,), name="x")
layer = QDense(3, kernel_quantizer="quantized_bits(4,1,alpha=1)", bias_quantizer="quantized_bits(4,1,alpha=1)")
model = keras.Model(x, prune_low_magnitude(layer, pruning_schedule=ConstantSparsity(0.5, 0))(x))
for weights in model.weights:
    if weights.dtype.is_floating:
        weights.assign(rng.integers(-12, 13, weights.shape) / 8)
    if "mask" in weights.name:
        weights.assign(rng.integers(0, 2, weights.shape))
samples = (rng.integers(-48, 48, (8, 6)) / 8).astype(np.float32)
for name in ("pruned.h5", "pruned_numbered.keras"):
    model.save(out / name, include_optimizer=False) if name.endswith("h5") else model.save(out / name)
results = model(samples, training=False).numpy()
for name in ("pruned", "pruned_numbered"):
    case.save(out / name, [samples], [results], "--input-format s8.3")
