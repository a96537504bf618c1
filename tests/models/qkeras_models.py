"""Trains and exports the QKeras models of this folder: `python qkeras_models.py` with requirements-qkeras.txt.

Writes jets_qkeras.h5 and digits_qkeras.h5 and, for 1,024 samples each, what `predict` gives at every quantiser (.npz).
"""

import numpy as np
import tensorflow as tf
from qkeras import QActivation, QConv2D, QDense, quantized_bits, quantized_relu
from tensorflow.keras import Model, Sequential
from tensorflow.keras.layers import Activation, Flatten, Input, MaxPooling2D

from data import digits, jets, save

SAMPLES = 1024


def weights(bits, integer=0):
    return {"kernel_quantizer": quantized_bits(bits, integer, alpha=1), "bias_quantizer": quantized_bits(8, 2, alpha=1)}


def jet_tagger():
    layers = [Input((16,), name="jet"), QActivation(quantized_bits(8, 3, alpha=1), name="seen")]
    for k, (width, bits, activation) in enumerate([(64, 6, 6), (32, 4, 5), (32, 3, 4)]):
        layers += [QDense(width, name=f"dense{k}", **weights(bits)), QActivation(quantized_relu(activation, 2), name=f"relu{k}")]
    return Sequential([*layers, QDense(5, name="scores", **weights(6))])


def digit_classifier():
    return Sequential([
        Input((8, 8, 1), name="pixels"), QActivation(quantized_relu(4, 0), name="seen"),
        QConv2D(4, 3, name="conv0", **weights(6)), QActivation(quantized_relu(4, 1), name="relu0"),
        QConv2D(8, 3, strides=2, padding="same", name="conv1", **weights(5)), QActivation(quantized_relu(5, 2), name="relu1"),
        MaxPooling2D(3, strides=1, name="pool"), Flatten(name="flat"), QDense(10, name="scores", **weights(6)),
    ])


def train(model, x, classes, epochs):
    scores = Activation("softmax")(model.output)
    trained = Model(model.input, scores)
    trained.compile(tf.keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    trained.fit(x, classes, batch_size=64, epochs=epochs, verbose=0)


def export(model, name, x, classes):
    kept = [layer.name for layer in model.layers if isinstance(layer, QActivation)] + ["scores"]
    tensors = Model(model.input, [model.get_layer(k).output for k in kept]).predict(x, verbose=0)
    model.save(f"{name}.h5", include_optimizer=False)
    save(f"{name}.npz", x, dict(zip(kept, tensors)), classes)


tf.keras.utils.set_random_seed(1)
tagger = jet_tagger()
train(tagger, *jets(20_000, seed=1), epochs=6)
export(tagger, "jets_qkeras", *jets(SAMPLES, seed=2))
classifier = digit_classifier()
(x, classes), (all_x, all_classes) = digits()
train(classifier, x[..., None], classes, epochs=60)
export(classifier, "digits_qkeras", all_x[-SAMPLES:, ..., None], all_classes[-SAMPLES:])
