"""Trains three small jet taggers with HGQ2 as they are trained for hardware: `KERAS_BACKEND=tensorflow python taggers_hgq2.py FOLDER`.

16-64-32-32-5 like `jets_hgq2`, but pruned: a rising price of bits takes most weights to none, and every weight, every
input and every activation ends with a width of its own. They are for `tests/bench/taggers.py`, which compares sizes, and
are not stored: FOLDER gets `normalised.keras` (dense layers with fused batch normalisation), `plain.keras` and
`saturating.keras`.
"""

import sys
from pathlib import Path

import keras
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfig, QuantizerConfigScope
from hgq.layers import QDense, QEinsumDenseBatchnorm
from hgq.utils import trace_minmax
from hgq.utils.sugar import BetaScheduler, PieceWiseSchedule

from data import jets

WIDTHS = (64, 32, 32)
EPOCHS = 40


def normalised(width, **options):
    return QEinsumDenseBatchnorm("bc,cC->bC", width, bias_axes="C", **options)


# name: layer, overflow of activations, price of a bit at the end
TAGGERS = {
    "normalised": (normalised, "WRAP", 4e-5),
    "plain": (QDense, "WRAP", 6e-5),
    "saturating": (QDense, "SAT", 5e-5),
}


def tagger(dense, overflow):
    weights = QuantizerConfigScope(place="weight", default_q_type="kbi", overflow_mode="SAT_SYM", b0=5)
    values = QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode=overflow, i0=3, f0=4)
    # alkaid takes raw inputs by quantisers that wrap only
    jets = QuantizerConfig(place="datalane", q_type="kif", overflow_mode="WRAP", i0=3, f0=4)
    with weights, values, LayerConfigScope(enable_ebops=True, beta0=1e-6):
        x = jet = keras.Input((16,), name="jet")
        for k, width in enumerate(WIDTHS):
            options = {"iq_conf": jets} if k == 0 else {}
            x = dense(width, activation="relu", name=f"dense{k}", **options)(x)
        return keras.Model(jet, dense(5, name="scores")(x))


def nonzero(model):
    """Weights that are left, of all."""
    kernels = [np.asarray(layer.qkernel) for layer in model.layers if hasattr(layer, "qkernel")]
    return sum(int(np.count_nonzero(k)) for k in kernels), sum(k.size for k in kernels)


def main(folder):
    x, classes = jets(20_000, seed=1)
    seen, truth = jets(10_000, seed=2)
    for name, (dense, overflow, price) in TAGGERS.items():
        keras.utils.set_random_seed(1)
        model = tagger(dense, overflow)
        model.compile(keras.optimizers.Adam(4e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        prices = BetaScheduler(PieceWiseSchedule([(0, 1e-6, "constant"), (5, 1e-6, "log"), (EPOCHS - 8, price, "constant")]))
        model.fit(x, classes, batch_size=256, epochs=EPOCHS, verbose=0, callbacks=[prices])
        bits = trace_minmax(model, x)
        right = np.mean(model.predict(seen, batch_size=2000, verbose=0).argmax(1) == truth)
        left, of = nonzero(model)
        print(f"{name}: {left} of {of} weights, {bits} effective bit operations, accuracy {right:.4f}", flush=True)
        # a model of its own carries no state of the optimiser
        keras.Model(model.inputs, model.outputs, name=name).save(folder / f"{name}.keras")


main(Path(sys.argv[1]))
