"""Layers of Keras and QKeras, other values for their settings, and weights and inputs whose sums are exact.

Which layers there are depends on what can be imported: Keras 3, or TensorFlow 2.15 with QKeras. Inputs are multiples of 1/8
in [-4, 4), weights multiples of 1/8.
"""

import numpy as np
from keras_version import KERAS3, keras

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


def candidates(key, value):
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


def classes():
    found = [(getattr(layers, name), kwargs, shape) for name, kwargs, shape in PLAIN if hasattr(layers, name)]
    if not KERAS3:
        import qkeras

        found += [(getattr(qkeras, name), kwargs, shape) for name, kwargs, shape in QKERAS if hasattr(qkeras, name)]
    return found
