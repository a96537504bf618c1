"""Small Keras models in which one setting of one layer is not the default, with the framework's own results.

    keras_attributes.py OUT [--random COUNT] [--seed N]

Runs under Keras 3 and under TensorFlow 2.15 with QKeras; which layers are tried depends on what can be imported. Each
model is written as OUT/NAME.keras or .h5, with inputs OUT/NAME.x.npy and results OUT/NAME.y.npy; OUT/index.json says
which layer and settings each one tries, and OUT/keys.json lists the keys of each class's get_config. Inputs are
multiples of 1/8 in [-4, 4), weights multiples of 1/8, so that what is left are exact sums.

With --random, COUNT models of one to three layers with several settings changed at random.
"""

import argparse
import json
import os
import random

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

try:
    import tensorflow as tf

    KERAS3 = tuple(map(int, tf.__version__.split(".")[:2])) >= (2, 16)
except ImportError:
    KERAS3 = True
if KERAS3:
    import keras
else:
    keras = tf.keras
layers = keras.layers

# class, arguments, shape of the operand without the batch
PLAIN = [
    ("Dense", dict(units=3), (4,)),
    ("Dense", dict(units=3), (2, 4)),
    ("Conv1D", dict(filters=2, kernel_size=3), (6, 2)),
    ("Conv2D", dict(filters=2, kernel_size=2), (4, 5, 2)),
    ("DepthwiseConv1D", dict(kernel_size=2), (5, 2)),
    ("DepthwiseConv2D", dict(kernel_size=2), (4, 5, 2)),
    ("SeparableConv1D", dict(filters=3, kernel_size=2), (5, 2)),
    ("SeparableConv2D", dict(filters=3, kernel_size=2), (4, 5, 2)),
    ("Conv1DTranspose", dict(filters=2, kernel_size=2), (4, 2)),
    ("Conv2DTranspose", dict(filters=2, kernel_size=2), (3, 3, 2)),
    ("BatchNormalization", {}, (3, 4)),
    ("BatchNormalization", {}, (3, 3, 3)),
    ("LayerNormalization", {}, (3, 4)),
    ("UnitNormalization", {}, (4,)),
    ("Normalization", dict(mean=0.5, variance=4.0), (4,)),
    ("Rescaling", dict(scale=0.5), (4,)),
    ("Activation", dict(activation="relu"), (4,)),
    ("ReLU", {}, (4,)),
    ("LeakyReLU", {}, (4,)),
    ("PReLU", {}, (3, 4)),
    ("ELU", {}, (4,)),
    ("ThresholdedReLU", {}, (4,)),
    ("Softmax", {}, (3, 4)),
    ("Dropout", dict(rate=0.3), (4,)),
    ("SpatialDropout1D", dict(rate=0.3), (3, 4)),
    ("SpatialDropout2D", dict(rate=0.3), (3, 3, 4)),
    ("GaussianNoise", dict(stddev=0.3), (4,)),
    ("GaussianDropout", dict(rate=0.3), (4,)),
    ("AlphaDropout", dict(rate=0.3), (4,)),
    ("ActivityRegularization", {}, (4,)),
    ("Flatten", {}, (2, 3, 2)),
    ("Reshape", dict(target_shape=(3, 4)), (2, 6)),
    ("Permute", dict(dims=(2, 1)), (3, 4)),
    ("Permute", dict(dims=(3, 1, 2)), (2, 3, 4)),
    ("RepeatVector", dict(n=3), (4,)),
    ("ZeroPadding1D", {}, (3, 2)),
    ("ZeroPadding2D", {}, (3, 3, 2)),
    ("Cropping1D", {}, (5, 2)),
    ("Cropping2D", dict(cropping=1), (4, 5, 2)),
    ("UpSampling1D", {}, (3, 2)),
    ("UpSampling2D", {}, (2, 3, 2)),
    ("MaxPooling1D", {}, (5, 2)),
    ("MaxPooling2D", {}, (4, 5, 2)),
    ("AveragePooling1D", {}, (5, 2)),
    ("AveragePooling2D", {}, (4, 5, 2)),
    ("GlobalMaxPooling1D", {}, (4, 3)),
    ("GlobalMaxPooling2D", {}, (3, 4, 3)),
    ("GlobalAveragePooling1D", {}, (4, 3)),
    ("GlobalAveragePooling2D", {}, (4, 2, 3)),
    ("Masking", {}, (3, 4)),
]

MERGES = ["Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average", "Concatenate", "Dot"]

QUANTISER = "quantized_bits(6,2,1,alpha=1)"
QKERAS = [
    ("QDense", dict(units=3, kernel_quantizer=QUANTISER, bias_quantizer=QUANTISER), (4,)),
    ("QConv1D", dict(filters=2, kernel_size=3, kernel_quantizer=QUANTISER, bias_quantizer=QUANTISER), (6, 2)),
    ("QConv2D", dict(filters=2, kernel_size=2, kernel_quantizer=QUANTISER, bias_quantizer=QUANTISER), (4, 5, 2)),
    ("QDepthwiseConv2D", dict(kernel_size=2, depthwise_quantizer=QUANTISER, bias_quantizer=QUANTISER), (4, 5, 2)),
    ("QConv2DBatchnorm", dict(filters=2, kernel_size=2, kernel_quantizer=QUANTISER, bias_quantizer=QUANTISER), (4, 5, 2)),
    ("QSeparableConv2D", dict(filters=2, kernel_size=2, depthwise_quantizer=QUANTISER, pointwise_quantizer=QUANTISER, bias_quantizer=QUANTISER), (4, 5, 2)),
    ("QActivation", dict(activation="quantized_bits(4,1,alpha=1)"), (4,)),
    ("QActivation", dict(activation="quantized_relu(4,1)"), (4,)),
    ("QAveragePooling2D", dict(average_quantizer="quantized_bits(8,0,1,alpha=1)", activation="quantized_bits(6,2,alpha=1)"), (4, 4, 2)),
    ("QGlobalAveragePooling2D", dict(average_quantizer="quantized_bits(8,0,1,alpha=1)", activation="quantized_bits(6,2,alpha=1)"), (2, 4, 2)),
    ("QBatchNormalization", {}, (3, 4)),
]

TEXTS = {
    "data_format": ["channels_first", "channels_last"],
    "padding": ["same", "causal", "valid"],
    "interpolation": ["bilinear", "nearest"],
    "activation": ["relu", "relu6", "tanh", "sigmoid", "elu", "softmax", "hard_sigmoid", "softplus", "softsign", "swish",
                   "gelu", "exponential", "selu", "leaky_relu", "hard_tanh", "hard_silu", "log_softmax", "silu", "mish"],
    "dtype": ["float16", "bfloat16", "float64", "mixed_float16"],
}


def candidates(key, value, rng):
    """Other values of a setting."""
    if key == "name":
        return []
    if key in TEXTS and not isinstance(value, (list, tuple, int)) or key == "dtype":
        return [v for v in TEXTS[key] if v != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [v for v in (1, 2, 3, 0, -1, 4) if v != value]
    if isinstance(value, float):
        return [v for v in (0.5, 0.25, 1.0, 2.0, 0.0, -0.5) if v != value]
    if isinstance(value, (list, tuple)):
        shuffled = list(value)[::-1]
        lists = [[2 if v == 1 else 1 for v in value]] if all(isinstance(v, int) for v in value) else []
        return [v for v in [shuffled, *lists, 2, 3] if v != value]
    if value is None:
        if "initializer" in key or "regularizer" in key or "constraint" in key or "quantizer" in key:
            return []
        return [1, 2.0, 0.5, "same", [2], True]
    return []


def fill(layer, rng):
    """Weights that are multiples of 1/8."""
    new = []
    for weight in layer.weights:
        shape = tuple(weight.shape)
        path = getattr(weight, "path", weight.name)
        if "variance" in path:
            new.append(rng.choice([0.25, 1.0, 4.0], shape).astype("float32"))
        elif np.dtype(getattr(weight.dtype, "name", weight.dtype)).kind in "iub":
            new.append(np.array(weight))
        else:
            new.append((rng.integers(-12, 13, shape) / 8).astype("float32"))
    layer.set_weights(new)


def inputs(shape, rng, count=24):
    return (rng.integers(-32, 32, (count, *shape)) / 8).astype("float32")


class Writer:
    def __init__(self, out):
        self.out, self.index = out, []
        os.makedirs(out, exist_ok=True)

    def write(self, model, xs, note):
        ys = model(xs if len(xs) > 1 else xs[0], training=False)
        ys = ys if isinstance(ys, (list, tuple)) else [ys]
        name = f"{len(self.index):05d}"
        suffix = ".h5" if len(self.index) % 2 else ".keras"
        path = os.path.join(self.out, name + suffix)
        model.save(path)
        for k, x in enumerate(xs):
            np.save(os.path.join(self.out, f"{name}.x{k}.npy"), x)
        for k, y in enumerate(ys):
            np.save(os.path.join(self.out, f"{name}.y{k}.npy"), np.asarray(y, dtype="float32"))
        self.index.append(dict(file=name + suffix, inputs=len(xs), outputs=len(ys), **note))
        if len(self.index) % 50 == 0:
            self.finish({})

    def finish(self, keys):
        with open(os.path.join(self.out, "index.json"), "w") as file:
            json.dump(self.index, file, indent=1)
        with open(os.path.join(self.out, "keys.json"), "w") as file:
            json.dump(keys, file, indent=1, sort_keys=True)


def classes():
    found = [(getattr(layers, name), kwargs, shape) for name, kwargs, shape in PLAIN if hasattr(layers, name)]
    if not KERAS3:
        import qkeras

        found += [(getattr(qkeras, name), kwargs, shape) for name, kwargs, shape in QKERAS if hasattr(qkeras, name)]
    return found


def quietly(attempt):
    try:
        return attempt()
    except Exception:
        return None


def one(writer, layer, shape, rng, note):
    x = keras.Input(shape)
    model = keras.Model(x, layer(x))
    fill(layer, rng)
    writer.write(model, [inputs(shape, rng)], note)
    return True


def each_key(writer, rng):
    keys = {}
    for kind, kwargs, shape in classes():
        base = quietly(lambda: kind(**kwargs))
        if base is None:
            continue
        config = base.get_config()
        quietly(lambda: one(writer, base, shape, rng, dict(layer=kind.__name__, key=None, value=None)))
        keys.setdefault(kind.__name__, sorted(set(config) | set(keys.get(kind.__name__, []))))
        for key, value in config.items():
            for other in candidates(key, value, rng):
                def attempt():
                    layer = kind.from_config({**config, key: other})
                    return one(writer, layer, shape, rng, dict(layer=kind.__name__, key=key, value=repr(other)))

                quietly(attempt)
    for name in MERGES:
        kind = getattr(layers, name)
        base = {"axes": -1} if name == "Dot" else {}
        for extra in [{}, {"axis": 1}, {"axis": -2}, {"normalize": True}, {"axes": 1}]:
            def attempt():
                a, b = keras.Input((3, 4)), keras.Input((3, 4))
                layer = kind(**{**base, **extra})
                keys.setdefault(name, sorted(layer.get_config()))
                model = keras.Model([a, b], layer([a, b]))
                writer.write(model, [inputs((3, 4), rng), inputs((3, 4), rng)], dict(layer=name, key=repr(extra), value=None))

            quietly(attempt)
    return keys


def at_random(writer, rng, count, choose):
    table = classes()
    tries = 0
    while len(writer.index) < count and tries < 20 * count:
        tries += 1

        def attempt():
            shapes = sorted({shape for _, _, shape in table}, key=str)
            shape = choose.choice(shapes)
            x = keras.Input(shape)
            note, built, y = [], [], x
            reused = None
            for depth in range(choose.randint(1, 3)):
                fitting = [c for c in table if len(c[2]) == len(y.shape) - 1]
                kind, kwargs, _ = choose.choice(fitting)
                config = kind(**kwargs).get_config()
                changes = {}
                for key in choose.sample(sorted(config), min(len(config), choose.randint(0, 4))):
                    options = candidates(key, config[key], rng)
                    if options and key not in ("dtype",):
                        changes[key] = choose.choice(options)
                config.update(changes)
                config.pop("name", None)
                layer = kind.from_config(config)
                y = layer(y)
                built.append(layer)
                note.append([kind.__name__, {k: repr(v) for k, v in changes.items()}])
            # sometimes the input is added again, or an inner result is given as well
            outputs = y
            if choose.random() < 0.2 and tuple(y.shape) == tuple(x.shape):
                outputs = layers.Add()([y, x])
                note.append(["Add", {}])
            elif choose.random() < 0.2:
                outputs = [y, built[0].output]
            model = keras.Model(x, outputs)
            for layer in built:
                fill(layer, rng)
            writer.write(model, [inputs(shape, rng)], dict(layers=note))

        quietly(attempt)
        keras.backend.clear_session()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--random", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng, choose = np.random.default_rng(arguments.seed), random.Random(arguments.seed)
    writer = Writer(arguments.out)
    keys = {}
    if arguments.random:
        at_random(writer, rng, arguments.random, choose)
    else:
        keys = each_key(writer, rng)
    writer.finish(keys)
    print(len(writer.index), "models")


if __name__ == "__main__":
    main()
