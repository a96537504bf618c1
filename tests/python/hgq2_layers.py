"""Small networks of HGQ2's layers with the framework's results: `hgq2_layers.py FOLDER` with tests/models/requirements-hgq2.txt.

Writes NAME.keras, NAME.x.npy and NAME.y.npy for each layer in `data/keras/hgq2-layers`.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
from hgq.layers import (
    QAffinedUnaryFunctionLUT,
    QConvT1D,
    QConvT2D,
    QDense,
    QDenseT,
    QDot,
    QEinsum,
    QLinformerAttention,
    QMultiHeadAttention,
    QSoftmax,
    Quantizer,
)
from hgq.quantizer.config import QuantizerConfig


def save(name, make, shape, suffix=".keras"):
    keras.utils.set_random_seed(3)
    x = keras.Input(shape)
    model = keras.Model(x, make(x))
    samples = (np.random.default_rng(1).integers(-64, 64, (64, *shape)) / 16).astype(np.float32)
    model(samples[:8], training=True)  # WRAP takes its range from what it sees
    rng = np.random.default_rng(2)
    for weight in model.weights:
        if weight.name in ("bias", "gamma", "beta", "moving_mean", "moving_variance") and weight.shape:
            weight.assign(rng.uniform(0.25, 1.0, weight.shape))
    path = os.path.join(sys.argv[1], name)
    model.save(path + suffix)
    np.save(path + ".x.npy", samples)
    np.save(path + ".y.npy", model.predict(samples, verbose=0))


def seen(x):
    """The operand in one format, so that the input has one."""
    return Quantizer("kif", k0=1, i0=2, f0=2, overflow_mode="SAT", heterogeneous_axis=(), homogeneous_axis=None)(x)


AFFINE = QuantizerConfig("kif", "datalane", i0=1, f0=2, overflow_mode="SAT", affine=(2.0, 0.5))

save("softmax", lambda x: QSoftmax()(QDense(4)(x)), (5,))
save("einsum", lambda x: QEinsum("bij,bkj->bik")([QDense(3)(x), QDense(3)(x)]), (4, 6))
save("dot", lambda x: QDot(axes=2)([x, x]), (4, 6))
save("aff", lambda x: QAffinedUnaryFunctionLUT("tanh")(x), (4,))
save("dense_t", lambda x: QDenseT(3, batch_norm=True, activation="relu")(seen(x)), (4,))
save("dense_t_affine", lambda x: QDenseT(2, subnn_activation="relu", iq_conf=AFFINE)(seen(x)), (4,))
save("dense_t_named", lambda x: QDenseT(2, n_hl=2, d_hl=3, batch_norm=True)(seen(x)), (4,), ".h5")
save("conv_t1d", lambda x: QConvT1D(2, 3, padding="same", strides=2, subnn_activation="relu")(seen(x)), (6, 2))
save("conv_t2d", lambda x: QConvT2D(2, (2, 1), dilation_rate=2, subnn_activation="tanh")(seen(x)), (5, 4, 1))
save("attention", lambda x: QMultiHeadAttention(2, 3)(x, x), (4, 6))
save("attention_fused", lambda x: QMultiHeadAttention(2, 3, value_dim=2, fuse="qkv", stable_softmax=False)(x, x), (4, 6))
save("attention_named", lambda x: QMultiHeadAttention(2, 3, fuse="kv", use_bias=False)(x, x), (4, 6), ".h5")
save("linformer", lambda x: QLinformerAttention(2, 2, 3, output_shape=4)(x, x), (4, 6))
save("linformer_named", lambda x: QLinformerAttention(1, 2, 3, share_kv_proj=True)(x, x), (4, 6), ".h5")
