"""Trains an interaction network on events of `hwgen events` and writes it as `hwgen interaction --model` reads it.

First in floating point, then as the hardware computes, with few-bit weights of which ever more of the smallest are pruned.

    hwgen events tracking --count 8000 --seed 100 --out training.jsonl
    hwgen events tracking --count 2000 --seed 200 --out test.jsonl
    python train.py tracking training.jsonl test.jsonl --out tracking.json
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")  # one thread sums in one order: the same bytes each run

import jax
import numpy as np
import optax

from fixed import Fixed, Formats
from networks import Jets, Tracking, read

BATCH = 128
RATE = 4e-3
SEED = 7
REPORT = 1000

WEIGHT = Fixed(5, 2, nearest=True, saturates=True)
NETWORKS = {
    "tracking": Tracking(Formats(Fixed(14, 7), WEIGHT, Fixed(14, 7), Fixed(13, 6, signed=False), Fixed(14, 7))),
    "jets": Jets(Formats(Fixed(10, 4), WEIGHT, Fixed(14, 8, saturates=True), Fixed(8, 4, signed=False, saturates=True), Fixed(24, 14))),
}


def fit(network: Tracking | Jets, parameters: list, masks: list, data: dict, steps: int, pruned: float, quantised: bool) -> tuple[list, list]:
    """Adam with a cosine schedule. During the first half the smallest weights are pruned, up to a share of each matrix."""
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(RATE, steps)))
    state, rng = optimiser.init(parameters), np.random.default_rng(SEED)
    count = len(next(iter(data.values())))

    @jax.jit
    def step(parameters, masks, state, batch):
        value, gradient = jax.value_and_grad(network.loss)(parameters, masks, batch, quantised)
        updates, state = optimiser.update(gradient, state, parameters)
        return optax.apply_updates(parameters, updates), state, value

    recent = []
    for number in range(1, steps + 1):
        pick = rng.integers(0, count, BATCH)
        parameters, state, value = step(parameters, masks, state, {key: column[pick] for key, column in data.items()})
        recent.append(value)
        if pruned and number <= steps // 2 and number % (steps // 40) == 0:
            share = pruned * (1 - (1 - number / (steps // 2)) ** 3)
            masks = [[smallest_away(layer["w"], share) for layer in block] for block in parameters]
        if number % REPORT == 0:
            print(f"step {number}: loss {np.mean(jax.device_get(recent)):.4f}", flush=True)
            recent.clear()
    return parameters, masks


def smallest_away(weight: jax.Array, share: float) -> np.ndarray:
    """1 for every weight but the smallest ones, a share of the matrix."""
    magnitude = np.abs(np.asarray(weight))
    return (magnitude >= np.quantile(magnitude, share)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("training", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("--steps", type=int, default=5000, help="of each of the two trainings (default %(default)s)")
    parser.add_argument("--pruned", type=float, default=0.7, help="share of the weights that become 0 (default %(default)s)")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.steps < 40 or not 0 <= args.pruned < 1:
        parser.error("--steps must be at least 40, and --pruned from 0 to below 1")

    network = NETWORKS[args.network]
    training, test = (network.prepare(read(path)) for path in (args.training, args.test))
    rng = np.random.default_rng(SEED)
    parameters = [block.start(rng) for block in network.blocks]
    masks = [[np.ones_like(layer["w"]) for layer in block] for block in parameters]
    parameters, _ = fit(network, parameters, masks, training, args.steps, 0.0, False)
    print("floating point:", network.quality(parameters, masks, test, False), flush=True)
    parameters, masks = fit(network, parameters, masks, training, args.steps, args.pruned, True)
    print("as hardware:", network.quality(parameters, masks, test, True))
    model = network.exported(parameters, masks, test)
    weights = np.concatenate([np.ravel(layer["weights"]) for block in network.blocks for layer in model[block.name]])
    print(f"{np.count_nonzero(weights)} of {weights.size} weights are not 0")
    args.out.write_text(json.dumps(model) + "\n")


if __name__ == "__main__":
    main()
