"""Outputs of QKeras networks for random inputs on a fixed-point grid.

Usage: keras_reference.py OUT.json --model MODEL.h5        an existing network
       keras_reference.py OUT.json --random SEED           a small random one, saved as OUT.h5

Writes {"format": ..., "x": [[...]], "y": [[...]]}. Needs qkeras 0.9 with tensorflow 2.15.
"""

import argparse
import inspect
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import h5py
import numpy as np
import qkeras
import tensorflow as tf
from qkeras import QActivation, QConv2D, QDense, QDepthwiseConv2D, quantized_bits
from tensorflow.keras import layers

SAMPLES = 32


class QDenseBatchnorm(QDense):
    """A dense layer with a batch normalisation folded into its weights before they are quantised.

    QKeras 0.9 has it for convolutions only; networks with the dense form exist. Inference only.
    """

    def __init__(self, units, epsilon, **keywords):
        super().__init__(units, **keywords)
        self.epsilon = epsilon

    def build(self, shape):
        super().build(shape)
        for name in ("gamma", "beta", "moving_mean", "moving_variance"):
            setattr(self, name, self.add_weight(name=name, shape=(self.units,)))

    def call(self, inputs):
        inverse = tf.math.rsqrt(self.moving_variance + self.epsilon) * self.gamma
        kernel = self.kernel_quantizer_internal(inverse * self.kernel)
        bias = self.bias_quantizer_internal(inverse * (self.bias - self.moving_mean) + self.beta)
        return tf.nn.bias_add(tf.matmul(inputs, kernel), bias)


def quantiser(config):
    known = inspect.signature(getattr(qkeras, config["class_name"]).__init__).parameters
    return getattr(qkeras, config["class_name"])(**{k: v for k, v in config["config"].items() if k in known})


def rebuilt(layer):
    config = layer["config"]
    if layer["class_name"] == "QActivation":
        return QActivation(quantiser(config["activation"]), name=config["name"])
    keywords = {key: quantiser(config[key]) for key in ("kernel_quantizer", "bias_quantizer")}
    if layer["class_name"] == "QDenseBatchnorm":
        return QDenseBatchnorm(config["units"], config["epsilon"], name=config["name"], **keywords)
    return QDense(config["units"], name=config["name"], **keywords)


def load(path):
    """A chain of dense layers; rebuilt one by one, because files of older versions do not load as a whole."""
    with h5py.File(path) as file:
        first, *rest = json.loads(file.attrs["model_config"])["config"]["layers"]
        x = entry = layers.Input(first["config"]["batch_input_shape"][1:])
        for layer in rest:
            x = rebuilt(layer)(x)
        model = tf.keras.Model(entry, x)
        for layer in model.layers:
            tensors = {}
            group = file["model_weights"].get(layer.name)
            if group is not None:
                group.visititems(lambda n, o: tensors.__setitem__(n.split("/")[-1], o) if hasattr(o, "shape") else None)
            for weight in layer.weights:
                weight.assign(tensors[weight.name.split("/")[-1]][()])
    return model


def random_network(seed):
    tf.keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    bits = lambda: quantized_bits(int(rng.integers(3, 7)), 1, 1, alpha=1.0)
    x = entry = layers.Input((12, 11, 2))
    x = QConv2D(4, 3, strides=int(rng.integers(1, 3)), padding="same", kernel_quantizer=bits(), bias_quantizer=bits())(x)
    x = layers.BatchNormalization()(x)
    x = QActivation("quantized_relu(4,1)")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = QDepthwiseConv2D(2, depth_multiplier=1, depthwise_quantizer=bits(), bias_quantizer=bits())(x)
    x = QActivation("quantized_bits(5,2,alpha=1)")(x)
    y = QConv2D(4, 1, kernel_quantizer=bits(), bias_quantizer=bits(), activation="quantized_bits(5,2,alpha=1)")(x)
    x = layers.Add()([x, y])
    x = layers.AveragePooling2D((1, 2))(x)
    x = layers.Flatten()(x)
    x = QDense(6, kernel_quantizer=bits(), bias_quantizer=bits(), activation="quantized_relu(5,2)")(x)
    x = QDense(3, kernel_quantizer=bits(), bias_quantizer=bits())(x)
    model = tf.keras.Model(entry, x)
    for layer in model.layers:
        for weight in layer.weights:
            low = 0.2 if "variance" in weight.name else -1.0
            weight.assign(rng.uniform(low, 1.0, weight.shape))
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path)
    parser.add_argument("--random", type=int)
    options = parser.parse_args()
    if options.model:
        model = load(options.model)
    else:
        model = random_network(options.random)
        model.save(options.out.with_suffix(".h5"))
    shape = model.input_shape[1:]
    x = (np.random.default_rng(5).integers(-128, 128, (SAMPLES, *shape)) / 16).astype(np.float32)
    y = model.predict(x, verbose=0)
    flat = lambda a: [[float(v) for v in row] for row in a.reshape(SAMPLES, -1)]
    options.out.write_text(json.dumps({"format": "s8.4", "x": flat(x), "y": flat(y)}))


if __name__ == "__main__":
    main()
