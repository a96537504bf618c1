"""Random networks of HGQ2 with random settings of every layer's and quantiser's keys, and HGQ2's results; see `case.py`.

Needs tests/models/requirements-hgq2.txt.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import case
import keras
import numpy as np
from hgq import layers as hgq
from hgq.config import QuantizerConfig
from keras_save import FORMS, save_model

ROUNDINGS = ["TRN", "RND", "RND_CONV", "TRN_ZERO", "RND_ZERO", "RND_MIN_INF", "RND_INF", "S_RND", "S_RND_CONV", "rnd"]
OVERFLOWS = ["WRAP", "SAT", "SAT_SYM", "wrap", "sat", "Sat_Sym"]
FUNCTIONS = ["linear", "relu", "tanh", "sigmoid", "elu", "softplus", "hard_sigmoid", "silu", "relu6", "leaky_relu"]


class Random:
    """Choices of one model."""

    def __init__(self, rng):
        self.rng = rng

    def of(self, *choices):
        return choices[int(self.rng.integers(len(choices)))]

    def number(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability):
        return self.rng.random() < probability

    def quantiser(self, place, axes=True):
        """A configuration for `place`; `axes` says whether elements may have their own formats.

        Floats are left out: HGQ2 0.2 cannot make a quantiser of them.
        """
        kind = self.of("kbi", "kif")
        keys = {"round_mode": self.of(*ROUNDINGS), "overflow_mode": self.of(*OVERFLOWS), "i0": self.number(0, 3)}
        keys["b0" if kind == "kbi" else "f0"] = self.number(2, 7)
        keys["k0"] = self.number(0, 3) > 0
        if axes and self.chance(0.3):
            keys |= self.of(
                {"homogeneous_axis": None, "heterogeneous_axis": ()},
                {"homogeneous_axis": (0,), "heterogeneous_axis": None},
                {"homogeneous_axis": (0, -1), "heterogeneous_axis": None},
                {"homogeneous_axis": None, "heterogeneous_axis": (-1,)},
            )
        if self.chance(0.06):
            keys["scaler"] = self.of(0.5, 2.0, 0.3)
        if self.chance(0.04):
            keys["affine"] = self.of((2.0, 0.5), (0.25, 0.0))
        if self.chance(0.1):
            keys["qnoise_factor"] = 0.5
        if self.chance(0.1):
            keys["trainable"] = False
        if self.chance(0.03):
            place = "weight"
        return QuantizerConfig(kind, place, **keys)

    def common(self, weights=False, inputs=True):
        """Keys of any layer."""
        keys = {"iq_conf": self.quantiser("datalane")} if inputs and self.chance(0.7) else {}
        if self.chance(0.25):
            keys |= {"enable_oq": True, "oq_conf": self.quantiser("datalane")}
        if weights:
            keys |= {"kq_conf": self.quantiser("weight"), "bq_conf": self.quantiser("bias", False)}
        if self.chance(0.15):
            keys["enable_ebops"] = False
        if self.chance(0.1):
            keys["beta0"] = 1e-6
        if self.chance(0.03) and "enable_oq" not in keys:
            keys["enable_iq"] = False
            keys.pop("iq_conf", None)
        return keys


def linear(r, x):
    """A layer of weights on `x`."""
    rank, units = len(x.shape), r.number(1, 4)
    activation = r.of(None, None, "relu", "tanh")
    options = {"activation": activation, "use_bias": r.chance(0.7)}
    letters = "abc"[:rank]
    layers = [
        lambda: hgq.QDense(units, **options, **r.common(True)),
        lambda: hgq.QBatchNormalization(epsilon=r.of(1e-3, 0.1), center=r.chance(0.8), scale=r.chance(0.8), **r.common(True)),
        lambda: hgq.QEinsumDense(
            f"{letters},{letters[-1]}z->{letters[:-1]}z",
            x.shape[1:-1] + (units,),
            bias_axes=r.of("z", None),
            activation=activation,
            **r.common(True),
        ),
        lambda: hgq.QEinsumDenseBatchnorm(
            f"{letters},{letters[-1]}z->{letters[:-1]}z",
            x.shape[1:-1] + (units,),
            bias_axes="z",
            activation=activation,
            **r.common(True),
        ),
        lambda: hgq.QDenseT(
            units,
            n_hl=r.number(0, 2),
            d_hl=r.number(2, 6),
            activation=activation,
            subnn_activation=r.of("tanh", "relu", None, "sigmoid", "silu"),
            toq_conf=r.quantiser("table", False),
            use_bias=r.chance(0.7),
            batch_norm=r.chance(0.5),
            bn_center=r.chance(0.8),
            bn_scale=r.chance(0.8),
            **{k: v for k, v in r.common().items() if "oq" not in k},
        ),
    ]
    if rank == 2:
        layers.append(lambda: hgq.QBatchNormDense(units, **options, **r.common(True)))
    else:
        window = {"padding": r.of("valid", "same"), "strides": r.number(1, 2)}
        dilation = {"dilation_rate": 2} if window["strides"] == 1 and r.chance(0.3) else {}
        pooling = {**window, "strides": r.of(None, 1, 2)}
        layers += [
            lambda: hgq.QConv1D(units, r.number(1, 3), **window, **dilation, **options, **r.common(True)),
            lambda: hgq.QConvT1D(
                units,
                r.number(1, 3),
                **window,
                **dilation,
                activation=activation,
                toq_conf=r.quantiser("table", False),
                subnn_activation=r.of("tanh", "relu", None),
            ),
            lambda: hgq.QMaxPooling1D(2, **pooling, **r.common()),
            lambda: hgq.QAveragePooling1D(2, **pooling, **r.common()),
            lambda: hgq.QGlobalAveragePooling1D(keepdims=r.chance(0.3), **r.common()),
            lambda: hgq.QGlobalMaxPooling1D(keepdims=r.chance(0.3), **r.common()),
        ]
    return r.of(*layers)()(x)


def attention(r, x):
    parts = ["qkvo_iq", "qkvo_oq", "softmax_oq"]
    keys = {f"{part}_conf": r.quantiser("datalane") for part in parts if r.chance(0.5)}
    if r.chance(0.5):
        keys |= {"qkvo_kq_conf": r.quantiser("weight"), "qkvo_bq_conf": r.quantiser("bias", False)}
    keys |= {
        "value_dim": r.of(None, 1, 3),
        "use_bias": r.chance(0.7),
        "output_shape": r.of(None, None, 3, (2, 2)),
        "stable_softmax": r.chance(0.7),
        "dropout": r.of(0.0, 0.2),
    }
    if r.chance(0.3):
        return hgq.QLinformerAttention(r.number(1, 2), 2, r.number(1, 3), share_kv_proj=r.chance(0.4), **keys)(x, x)
    return hgq.QMultiHeadAttention(r.number(1, 2), r.number(1, 3), fuse=r.of("none", "qkv", "kv"), **keys)(x, x)


def function(r, x):
    """A layer without weights."""
    merges = [hgq.QAdd, hgq.QSubtract, hgq.QMultiply, hgq.QMaximum, hgq.QMinimum, hgq.QAveragePow2]
    table = {"allow_heterogeneous_table": r.chance(0.5), "oq_conf": r.quantiser("table", False)}
    softmax = {f"{part}_conf": r.quantiser("table", False) for part in ("exp_iq", "exp_oq", "inv_iq", "inv_oq") if r.chance(0.4)}

    def merged():
        keys = r.common(inputs=False)
        if r.chance(0.5) and "enable_iq" not in keys:
            keys["iq_confs"] = [r.quantiser("datalane"), r.quantiser("datalane")]
        other = hgq.QDense(x.shape[-1], **r.common(True))(x)
        return r.of(*merges)(**keys)([x, other])

    layers = [
        merged,
        lambda: hgq.QUnaryFunctionLUT(r.of(*FUNCTIONS), iq_conf=r.quantiser("datalane"), **table)(x),
        lambda: hgq.QAffinedUnaryFunctionLUT(r.of(*FUNCTIONS), **table)(x),
        lambda: hgq.QSoftmax(stable=r.chance(0.7), input_scaler=r.of(1.0, 0.5, 0.3), **softmax)(x),
        lambda: hgq.QSum(axes=-1, scale=r.of(1.0, 0.25), keepdims=True, iq_conf=r.quantiser("datalane"))(x),
        lambda: hgq.QMeanPow2(axes=-1, keepdims=True, iq_conf=r.quantiser("datalane"))(x),
        lambda: hgq.Quantizer(r.quantiser("datalane"))(x),
    ]
    if len(x.shape) == 3:
        layers += [
            lambda: attention(r, x),
            lambda: attention(r, x),
            lambda: hgq.QDot(axes=r.of(1, 2, (1, 1)))([x, x]),
            lambda: hgq.QEinsum(r.of("bij,bkj->bik", "bij,bik->bjk", "bij,bij->bij"))([x, x]),
        ]
    return r.of(*layers)()


def network(r):
    shape = r.of((4,), (6, 2), (4, 3))
    x = entry = keras.Input(shape)
    x = hgq.Quantizer("kif", k0=1, i0=3, f0=r.number(0, 3), overflow_mode="SAT", heterogeneous_axis=(), homogeneous_axis=None)(x)
    for _ in range(r.number(1, 3)):
        x = r.of(linear, linear, function)(r, x)
    return keras.Model(entry, x), shape


def trained(r, model, x):
    """Random weights, and bits as training leaves them: real numbers, in ranges that `WRAP` has seen."""
    for weight in model.weights:
        if weight.name in ("kernel", "bias", "gamma", "beta", "bn_gamma", "bn_beta", "moving_mean", "scale") and weight.shape:
            weight.assign(r.rng.normal(0, 0.8, weight.shape))
        elif weight.name == "moving_variance":
            weight.assign(r.rng.uniform(0.1, 2.0, weight.shape))
    model(x[:16], training=True)
    for weight in model.weights:
        if weight.name in ("b", "f", "i") and r.chance(0.7):
            spread = 0.6 if weight.name == "i" else 1.5
            weight.assign(np.asarray(weight) + r.rng.uniform(-spread, spread, weight.shape))


def make(path, rng):
    keras.backend.clear_session()
    r = Random(rng)
    model, shape = network(r)
    x = (rng.integers(-96, 96, (100, *shape)) / 8).astype(np.float32)
    trained(r, model, x)
    case.save(path, [x], [model(x)], "")
    save_model(model, path, r.of(".keras", *FORMS))
    return True


if __name__ == "__main__":
    case.run(make)
