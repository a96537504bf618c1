"""Fixed-point numbers as the generator has them, for training: quantisers that are exact forwards and straight through backwards.

Every value is a float32 that is an exact multiple of a power of two and needs at most 24 bits, so sums and products are exact.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Fixed:
    """ap_fixed<width, integer>, or ap_ufixed: floored or to nearest with halves up, wrapping around or saturating."""

    width: int
    integer: int
    signed: bool = True
    nearest: bool = False
    saturates: bool = False

    @property
    def step(self) -> float:
        return 2.0 ** (self.integer - self.width)

    @property
    def limits(self) -> tuple[float, float]:
        top = 2.0 ** (self.integer - self.signed)
        return (-top if self.signed else 0.0), top - self.step

    def text(self) -> str:
        modes = f",{'RND' if self.nearest else 'TRN'},{'SAT' if self.saturates else 'WRAP'}"
        return f"ap_{'' if self.signed else 'u'}fixed<{self.width},{self.integer}{modes}>"

    def __call__(self, x: jax.Array) -> jax.Array:
        """Quantised forwards; backwards the gradient of the clipped operand."""
        low, high = self.limits
        clipped = jnp.clip(x, low, high)
        exact = jnp.floor(x / self.step + 0.5 * self.nearest) * self.step
        exact = jnp.clip(exact, low, high) if self.saturates else low + jnp.mod(exact - low, high + self.step - low)
        return clipped + jax.lax.stop_gradient(exact - clipped)

    def integers(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.rint(np.asarray(x, np.float64) / self.step), np.int64)


@dataclass(frozen=True)
class Formats:
    """Formats of a network: features, weights, pre-activations, what is behind a ReLU, and sums over edges or particles."""

    input: Fixed
    weight: Fixed
    pre: Fixed
    relu: Fixed
    sum: Fixed


class Mlp:
    """A perceptron: ReLU after every layer, after the last one too if `relu_last`."""

    def __init__(self, name: str, sizes: list[int], relu_last: bool):
        self.name, self.sizes, self.relu_last = name, sizes, relu_last

    def start(self, rng: np.random.Generator) -> list[dict]:
        def layer(n, m):
            return {"w": rng.normal(0, np.sqrt(1.5 / n), (m, n)).astype(np.float32), "b": np.zeros(m, np.float32)}

        return [layer(n, m) for n, m in zip(self.sizes, self.sizes[1:])]

    def relu(self, k: int) -> bool:
        return self.relu_last or k + 2 < len(self.sizes)

    def __call__(self, layers: list[dict], masks: list, x: jax.Array, formats: Formats | None) -> jax.Array:
        """Its outputs; in floating point without formats."""
        for k, (layer, mask) in enumerate(zip(layers, masks, strict=True)):
            weight, bias = layer["w"] * mask, layer["b"]
            if formats:
                weight, bias = formats.weight(weight), formats.weight(bias)
            x = x @ weight.T + bias
            if formats:
                x = formats.pre(x)
            if self.relu(k):
                x = jax.nn.relu(x)
                x = formats.relu(x) if formats else x
        return x

    def exported(self, layers: list[dict], masks: list, formats: Formats) -> list[dict]:
        """The layers as the generator reads them."""

        def one(k, layer, mask):
            return {
                "weight": formats.weight.text(),
                "weights": formats.weight.integers(formats.weight(layer["w"] * mask)).tolist(),
                "bias": formats.weight.integers(formats.weight(layer["b"])).tolist(),
                "pre_activation": formats.pre.text(),
                "relu": formats.relu.text() if self.relu(k) else None,
            }

        return [one(k, layer, mask) for k, (layer, mask) in enumerate(zip(layers, masks, strict=True))]
