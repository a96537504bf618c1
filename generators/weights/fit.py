"""The training loop, and the loss that both the joint training and the refitting of decoders minimise."""

import os
from collections.abc import Callable
from dataclasses import dataclass

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # one thread sums in one order: the same bytes each run

import jax
import jax.numpy as jnp
import numpy as np
import optax

from geometry import DISTANCE
from network import decode

BATCH = 256
PEAK_RATE = 4e-3
REPORT = 5000


@dataclass(frozen=True)
class Task:
    """What to fit: `encode(parameters, inputs) -> outputs [n][16]`, decoded with parameters["decoder"] and compared with shares `[n][48]`."""

    encode: Callable
    inputs: np.ndarray
    shares: np.ndarray
    steps: int
    seed: int


def reconstruction_loss(decoder: dict, encoded: jax.Array, shares: jax.Array) -> jax.Array:
    """Mean over events of energy distance plus total variation between true and decoded shares.

    The energy distance, sqrt(-d' D d) for a difference d and the distances D between cells, grows with how far charge is moved like
    the earth mover's distance, and is differentiable; the total variation keeps single cells sharp.
    """
    difference = shares - decode(decoder, encoded)
    moved = -jnp.sum((difference @ DISTANCE.astype(np.float32)) * difference, axis=1)
    return jnp.mean(jnp.sqrt(jnp.maximum(moved, 0.0) + 1e-6) + 0.5 * jnp.abs(difference).sum(axis=1))


def fit(parameters: dict, task: Task) -> dict:
    """Adam with a cosine schedule from PEAK_RATE to zero; returns the fitted parameters."""
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(PEAK_RATE, task.steps)))

    def loss(parameters, inputs, shares):
        return reconstruction_loss(parameters["decoder"], task.encode(parameters, inputs), shares)

    @jax.jit
    def step(parameters, state, inputs, shares):
        value, gradient = jax.value_and_grad(loss)(parameters, inputs, shares)
        updates, state = optimiser.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    rng, state, recent = np.random.default_rng(task.seed), optimiser.init(parameters), []
    for number in range(1, task.steps + 1):
        pick = rng.integers(0, len(task.inputs), BATCH)
        parameters, state, value = step(parameters, state, task.inputs[pick], task.shares[pick])
        recent.append(value)
        if number % REPORT == 0:
            print(f"step {number}: loss {np.mean(jax.device_get(recent)):.4f}", flush=True)
            recent.clear()
    return parameters
