"""The auto-encoder as JAX functions: the encoder as the silicon computes it, the same in floats, and the float decoder.

Quantisers are straight-through: the forward pass has the exact integers of `silicon_contract`, the backward pass is that of the
unrounded arithmetic inside the quantiser's range. Integers are held as float32, where they are exact (all are below 2^24).
"""

import jax
import jax.numpy as jnp

from geometry import CELLS, HALF, PATCHES
from silicon_contract import Widths

LATENT = 16
FILTERS = 8
HIDDEN = HALF * HALF * FILTERS
DECODER = {"first": (LATENT, 128), "second": (128, 64), "last": (64, CELLS)}  # layer: inputs, outputs


def initial_parameters(seed: int) -> dict:
    """Random weights: {"encoder": the four tensors of the masters, "decoder": weight and bias of each layer of DECODER}."""
    keys = iter(jax.random.split(jax.random.key(seed), 5))

    def normal(shape, deviation):
        return deviation * jax.random.normal(next(keys), shape)

    encoder = {
        "conv_weight": 0.35 * jnp.abs(normal((3, 3, FILTERS), 1.0)) - 0.1,
        "conv_bias": jnp.full(FILTERS, 0.05),
        "dense_weight": normal((LATENT, HIDDEN), 0.25),
        "dense_bias": jnp.full(LATENT, 0.5),
    }
    decoder = {}
    for layer, (inputs, outputs) in DECODER.items():
        decoder[layer + "_weight"] = normal((inputs, outputs), inputs ** -0.5)
        decoder[layer + "_bias"] = jnp.zeros(outputs)
    return {"encoder": encoder, "decoder": decoder}


def straight_through(exact: jax.Array, smooth: jax.Array) -> jax.Array:
    """The value of `exact` with the gradient of `smooth`."""
    return smooth + jax.lax.stop_gradient(exact - smooth)


def register(weight: jax.Array, widths: Widths) -> jax.Array:
    """A master weight as its integer register."""
    one = 2.0 ** (widths.weight_bits - 1)
    scaled = jnp.clip(weight * one, -one, one - 1)
    return straight_through(jnp.floor(scaled), scaled)


def floored_layer(inputs: jax.Array, weight: jax.Array, bias: jax.Array, product_shift: int, bias_shift: int, out_bits: int) -> jax.Array:
    """`silicon_contract.layer`: inputs `[..., k]`, weight `[k][outputs]`, bias `[outputs]`, all integers; shifts are to the right."""
    scale = 2.0 ** -product_shift
    smooth = inputs @ weight * scale
    floors = jnp.floor(jax.lax.stop_gradient(inputs)[..., :, None] * jax.lax.stop_gradient(weight) * scale).sum(axis=-2)
    shifted = bias * 2.0 ** -bias_shift
    total = straight_through(floors, smooth) + straight_through(jnp.floor(shifted), shifted)
    return jnp.clip(total, 0.0, 2.0 ** out_bits - 1)


def patches(shares: jax.Array) -> jax.Array:
    """Cells `[n][48]` to the pixels under each kernel position `[n][16][9]`."""
    return jnp.pad(shares, ((0, 0), (0, 1)))[:, PATCHES]


def silicon_encoder(masters: dict, normalised: jax.Array, widths: Widths = Widths()) -> tuple[jax.Array, jax.Array]:
    """Integer inputs `[n][48]` to (hidden `[n][128]`, outputs `[n][16]`), both as real numbers in [0, 2)."""
    data, weight, out = widths.bits - 1, widths.weight_bits - 1, widths.output_bits - 1
    registers = {name: register(value, widths) for name, value in masters.items()}
    kernel = registers["conv_weight"].reshape(9, FILTERS)
    hidden = floored_layer(patches(normalised), kernel, registers["conv_bias"], weight, weight - data, widths.bits).reshape(-1, HIDDEN)
    encoded = floored_layer(hidden, registers["dense_weight"].T, registers["dense_bias"], data + weight - out, weight - out, widths.output_bits)
    return hidden * 2.0 ** -data, encoded * 2.0 ** -out


def float_encoder(masters: dict, normalised: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The encoder without rounding or saturation; inputs `[n][48]` are real numbers in [0, 2)."""
    kernel = masters["conv_weight"].reshape(9, FILTERS)
    hidden = jax.nn.relu(patches(normalised) @ kernel + masters["conv_bias"]).reshape(-1, HIDDEN)
    return hidden, jax.nn.relu(hidden @ masters["dense_weight"].T + masters["dense_bias"])


def decode(decoder: dict, encoded: jax.Array) -> jax.Array:
    """Outputs `[n][16]` in [0, 2) to the shares of the module's charge `[n][48]`, which sum to one.

    It runs off the detector, in floats: two dense layers with ReLU and one with softmax. A mirror image of the encoder (dense,
    transposed convolution) reconstructs less well, and nothing is gained by its thrift.
    """
    features = encoded
    for layer in ("first", "second"):
        features = jax.nn.relu(features @ decoder[layer + "_weight"] + decoder[layer + "_bias"])
    return jax.nn.softmax(features @ decoder["last_weight"] + decoder["last_bias"])
