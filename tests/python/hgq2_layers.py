"""Small networks of HGQ2's layers with the framework's results: `hgq2_layers.py FOLDER` with tests/models/requirements-hgq2.txt.

Writes NAME.keras, NAME.x.npy and NAME.y.npy for each layer in `data/keras/hgq2-layers`.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from hgq.layers import QAffinedUnaryFunctionLUT, QDense, QDot, QEinsum, QSoftmax


def save(name, make, shape):
    x = keras.Input(shape)
    model = keras.Model(x, make(x))
    samples = (np.random.default_rng(1).integers(-64, 64, (64, *shape)) / 16).astype(np.float32)
    model(samples[:8], training=True)  # WRAP takes its range from what it sees
    path = os.path.join(sys.argv[1], name)
    model.save(path + ".keras")
    np.save(path + ".x.npy", samples)
    np.save(path + ".y.npy", model.predict(samples, verbose=0))


save("softmax", lambda x: QSoftmax()(QDense(4)(x)), (5,))
save("einsum", lambda x: QEinsum("bij,bkj->bik")([QDense(3)(x), QDense(3)(x)]), (4, 6))
save("dot", lambda x: QDot(axes=2)([x, x]), (4, 6))
save("aff", lambda x: QAffinedUnaryFunctionLUT("tanh")(x), (4,))
