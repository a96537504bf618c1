"""Random networks of QKeras with random settings of every quantiser's keys, and QKeras' results; see `case.py`.

Needs tests/models/requirements-qkeras.txt.
"""

import case
import numpy as np
import tensorflow as tf
from qkeras import QActivation, QAveragePooling2D, QConv2D, QDense, QGlobalAveragePooling2D
from qkeras.utils import load_qmodel


def number(rng, low, high):
    return int(rng.integers(low, high + 1))


def truth(rng):
    return ["0", "1", "False", "True"][number(rng, 0, 3)]


def values(rng):
    """A quantiser of values, as text."""
    bits, integer = number(rng, 2, 7), number(rng, 0, 2)
    slope = [0.0, 0.5, 0.25][number(rng, 0, 2)]
    bound = [None, 0.5, 1.5, 3.0][number(rng, 0, 3)]
    alpha = ["None", "1", "1.0", "0.5", "2"][number(rng, 0, 4)]
    alpha = "" if alpha == "None" else f",alpha={alpha}"
    relu = f"quantized_relu({bits},{integer},0,{slope}"
    choices = [
        f"quantized_bits({bits},{integer},{truth(rng)},{truth(rng)}{alpha})",
        f"quantized_bits({bits},{integer},keep_negative={truth(rng)},use_stochastic_rounding=1{alpha})",
        f"{relu})",
        f"{relu},0,{bound},False)" if bound else f"{relu},1)",
        f"quantized_relu({bits},{integer},1)",
        f"quantized_tanh({bits},0,{truth(rng)},{truth(rng)})",
        f"quantized_sigmoid({bits},{truth(rng)},{truth(rng)})",
        f"binary({truth(rng)}{alpha})",
        f"ternary(threshold={[0.2, 0.5, 1.0][number(rng, 0, 2)]}{alpha})",
        f"quantized_po2({number(rng, 3, 5)})",
        f"quantized_relu_po2({number(rng, 2, 4)},{[1, 2, 4][number(rng, 0, 2)]})",
        f"quantized_hswish({bits},{integer})",
        "stochastic_binary()",
        "stochastic_ternary()",
        "hard_sigmoid",
        "hard_tanh",
        "relu",
        "tanh",
        f"quantized_bits({bits},{integer},qnoise_factor=0.5)",
    ]
    return choices[number(rng, 0, len(choices) - 1)]


def weights(rng):
    """A quantiser of weights, as text."""
    bits, integer = number(rng, 2, 6), number(rng, 0, 1)
    rule = ["1", "0.3", "2.0", "'auto'", "'auto_po2'"][number(rng, 0, 4)]
    choices = [
        f"quantized_bits({bits},{integer},{truth(rng)},alpha={rule})",
        f"quantized_bits({bits},{integer},1,alpha={rule})",
        f"quantized_bits({bits},{integer})",
        f"binary(alpha={rule})",
        f"ternary(alpha={rule})",
        "ternary(threshold=0.4)",
        "stochastic_ternary(alpha='auto_po2')",
        f"quantized_po2({number(rng, 3, 5)},{[1, 2][number(rng, 0, 1)]})",
    ]
    return choices[number(rng, 0, len(choices) - 1)]


def network(rng):
    image = rng.random() < 0.3
    shape = (5, 5, 2) if image else (6,)
    x = seen = tf.keras.Input(shape, name="x")
    x = QActivation("quantized_bits(6,2,alpha=1)", name="seen")(x)
    if image:
        x = QConv2D(3, 2, kernel_quantizer=weights(rng), bias_quantizer="quantized_bits(6,2)", name="c")(x)
        x = QActivation(values(rng), name="c_act")(x)
        pool = [
            lambda: QAveragePooling2D(2, average_quantizer="quantized_bits(6,0,1)", activation=values(rng), name="p"),
            lambda: QGlobalAveragePooling2D(average_quantizer="quantized_bits(8,0,1)", name="p"),
            lambda: tf.keras.layers.MaxPooling2D(2, name="p"),
        ][number(rng, 0, 2)]
        x = tf.keras.layers.Flatten(name="f")(pool()(x))
    for k in range(number(rng, 1, 2)):
        bias = ["quantized_bits(6,2)", "quantized_bits(5,1,1,alpha='auto_po2')", "quantized_po2(4,2)"][number(rng, 0, 2)]
        x = QDense(4, kernel_quantizer=weights(rng), bias_quantizer=bias, name=f"d{k}")(x)
        x = QActivation(values(rng), name=f"a{k}")(x)
    return tf.keras.Model(seen, x), shape


def make(path, rng):
    tf.keras.backend.clear_session()
    model, shape = network(rng)
    model.set_weights([rng.normal(0, 0.7, w.shape).astype(np.float32) for w in model.get_weights()])
    x = (rng.integers(-48, 48, (200, *shape)) / 8).astype(np.float32)
    model.save(f"{path}.h5", include_optimizer=False)
    # what QKeras does not save (`is_quantized_clip`) is not in the file
    saved = load_qmodel(f"{path}.h5", compile=False)
    case.save(path, [x], [saved(x)], "--input-format s8.3")
    return True


if __name__ == "__main__":
    case.run(make)
