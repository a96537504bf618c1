"""A model of functions instead of layers, with the framework's own results.

    keras_functions.py OUT

Under Keras 3 OUT is written as .keras or .h5 with functions of `keras.ops`, under TensorFlow 2.15 as .h5 with
`TFOpLambda` and `SlicingOpLambda`. Beside it stand OUT's inputs (.x.npy, .z.npy) and OUT.y.npy, in which the results of
all functions stand one after the other, [samples, numbers].
"""

import pathlib
import sys

import numpy as np
import tensorflow as tf
from keras_version import KERAS3, keras


def arithmetic(x, z):
    """What both versions write as operators."""
    yield from (x + z, x + 1.5, 2.0 * x, x - z, 1.0 - x, x / 2.0, x * z, -x, abs(x))
    yield from (x[:, 1], x[:, 1:3, ::2], x[..., 0], x[:, None], x[:, ::-1, -1], x[:, :1, 2:])


def functions_3(x, z):
    ops = keras.ops
    row = np.arange(6, dtype="float32") - 2
    yield from (ops.add(x, z), ops.subtract(x, row), ops.multiply(x, row), ops.maximum(x, 0.0), ops.minimum(x, z))
    yield from (ops.maximum(x, row), ops.clip(x, -1.0, 1.25), ops.square(x), ops.cast(x, "float32"))
    yield from (ops.relu(x), ops.relu6(x), ops.leaky_relu(x, 0.25), ops.hard_sigmoid(4 * x), ops.negative(x))
    yield from (ops.reshape(x, (-1, 24)), ops.reshape(x, (-1, 2, 12)), ops.transpose(x, (0, 2, 1)))
    yield from (ops.swapaxes(x, 1, 2), ops.moveaxis(x, 2, 1), ops.squeeze(x[:, :1], axis=1), ops.expand_dims(x, -1))
    yield from (ops.flip(x, axis=1), ops.pad(x, ((0, 0), (1, 2), (0, 0))), ops.repeat(x, 2, axis=1))
    yield from (ops.tile(x, (1, 2, 1)), ops.take(x, [0, 2], axis=1), ops.concatenate([x, z], axis=-1))
    yield from (ops.stack([x, z], axis=1), ops.split(x, 2, axis=2)[1], ops.split(x, [1, 3], axis=1)[2])
    yield from (ops.split(x, [1, 3], axis=1)[1], ops.unstack(x, axis=1)[2], ops.sum(x, axis=1))
    yield from (ops.mean(x, axis=1, keepdims=True), ops.max(x, axis=-1), ops.min(x, axis=(1, 2)))
    yield from (ops.argmax(x, axis=-1), ops.matmul(x, ops.transpose(z, (0, 2, 1))), ops.einsum("bij,bkj->bik", x, z))
    yield ops.matmul(x, np.eye(6, 2, dtype="float32") * 0.5)


def functions_2(x, z):
    yield from (tf.add(x, z), tf.maximum(x, 0.0), tf.minimum(x, z), tf.clip_by_value(x, -1.0, 1.25), tf.square(x))
    yield from (tf.cast(x, "float32"), tf.nn.relu(x), tf.nn.relu6(x), tf.nn.leaky_relu(x, 0.25), tf.identity(x))
    yield from (tf.reshape(x, (-1, 24)), tf.transpose(x, (0, 2, 1)), tf.squeeze(x[:, :1], axis=1))
    yield from (tf.expand_dims(x, 1), tf.reverse(x, [1]), tf.pad(x, ((0, 0), (1, 2), (0, 0))), tf.repeat(x, 2, axis=1))
    yield from (tf.tile(x, (1, 2, 1)), tf.gather(x, [0, 2], axis=1), tf.concat([x, z], -1), tf.stack([x, z], axis=1))
    yield from (tf.split(x, 2, axis=2)[1], tf.split(x, [1, 3], axis=1)[1], tf.unstack(x, axis=1)[2])
    yield from (tf.reduce_sum(x, axis=1), tf.reduce_mean(x, axis=1, keepdims=True), tf.reduce_max(x, axis=-1))
    yield from (tf.reduce_min(x, [1, 2]), tf.argmax(x, axis=-1), tf.matmul(x, z, transpose_b=True))
    yield from (tf.slice(x, [0, 1, 0], [-1, 2, 3]), keras.activations.relu(x), tf.math.multiply(x, 0.25))


def main():
    out = pathlib.Path(sys.argv[1])
    x, z = keras.Input((4, 6), name="x"), keras.Input((4, 6), name="z")
    functions = functions_3 if KERAS3 else functions_2
    results = [*arithmetic(x, z), *functions(x, z)]
    model = keras.Model([x, z], results)
    model.save(out)
    rng = np.random.default_rng(1)
    given = [(rng.integers(-32, 32, (16, 4, 6)) / 8).astype("float32") for _ in "xz"]
    outputs = [np.asarray(y, dtype="float32").reshape(16, -1) for y in model(given)]
    for name, array in zip("xz", given):
        np.save(out.with_suffix(f".{name}.npy"), array)
    np.save(out.with_suffix(".y.npy"), np.concatenate(outputs, axis=1))
    print(len(results), "functions")


if __name__ == "__main__":
    main()
