"""Trains and exports the HGQ2 models of this folder: `KERAS_BACKEND=jax python hgq2_models.py` with requirements-hgq2.txt.

Writes jets_hgq2.keras, branches_hgq2.keras and digits_hgq2.keras (Keras 3) and, for 1,024 samples each, what the model itself gives at every
quantiser (.npz). Every weight and every value learns its own number of bits.
"""

import keras
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import QAdd, QBatchNormDense, QConv2D, QDense, QEinsumDense, QMaximum, QMaxPooling2D
from hgq.utils import trace_minmax

from data import digits, jets, save

SAMPLES = 1024


def jet_tagger():
    x = jet = keras.Input((16,), name="jet")
    for k, width in enumerate([64, 32, 32]):
        x = QDense(width, activation="relu", name=f"dense{k}")(x)
    return keras.Model(jet, QDense(5, enable_oq=True, name="scores")(x))


def branches():
    """The jet tagger with branches: a residual connection, a layer that is used twice, a fused normalisation."""
    jet = keras.Input((16,), name="jet")
    x = QBatchNormDense(24, activation="relu", name="normalised")(jet)
    x = QAdd(name="residual")([x, QDense(24, activation="relu", name="inner")(x)])
    shared = QDense(24, activation="relu", name="shared")
    x = QMaximum(name="greatest")([shared(x), shared(shared(x))])
    x = keras.layers.Reshape((4, 6), name="rows")(x)
    x = QEinsumDense("bij,jk->bik", (4, 3), bias_axes="k", activation="relu", name="einsum")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(jet, QDense(5, name="scores")(x))


def digit_classifier():
    x = pixels = keras.Input((8, 8, 1), name="pixels")
    x = QConv2D(4, 3, activation="relu", name="conv0")(x)
    x = QConv2D(8, 3, strides=2, padding="same", activation="relu", name="conv1")(x)
    x = QMaxPooling2D(3, strides=1, name="pool")(x)
    x = keras.layers.Flatten(name="flat")(x)
    return keras.Model(pixels, QDense(10, name="scores")(x))


def train(model, x, classes, epochs):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(4e-3), loss)
    model.fit(x, classes, batch_size=128, epochs=epochs, verbose=0)
    print(model.name, "effective bit operations", trace_minmax(model, x))


def export(model, name, x, classes):
    seen = {}
    for layer in model.layers:
        once = len(layer._inbound_nodes) == 1 and not isinstance(layer.input, list)
        if getattr(layer, "enable_iq", False) and once:
            seen[layer.iq.name] = layer.iq(layer.input)
    outputs = [*seen.values(), model.output]
    results = keras.Model(model.inputs, outputs).predict(x, batch_size=len(x), verbose=0)
    tensors = dict(zip([*seen, model.output_names[0]], results))
    # a model of its own carries no state of the optimiser
    keras.Model(model.inputs, model.outputs, name=name).save(f"{name}.keras")
    save(f"{name}.npz", x, tensors, classes)


keras.utils.set_random_seed(1)
weights = QuantizerConfigScope(place="weight", default_q_type="kbi", overflow_mode="SAT_SYM", b0=5)
values = QuantizerConfigScope(place="datalane", default_q_type="kif", overflow_mode="WRAP", i0=3, f0=4)
with weights, values, LayerConfigScope(enable_ebops=True, beta0=3e-6):
    tagger, branched, classifier = jet_tagger(), branches(), digit_classifier()
for model, name in [(tagger, "jets_hgq2"), (branched, "branches_hgq2")]:
    train(model, *jets(20_000, seed=1), epochs=12)
    export(model, name, *jets(SAMPLES, seed=2))
(x, classes), (all_x, all_classes) = digits()
train(classifier, x[..., None], classes, epochs=80)
export(classifier, "digits_hgq2", all_x[-SAMPLES:, ..., None], all_classes[-SAMPLES:])
