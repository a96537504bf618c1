"""Trains the encoder that ships with the generator and writes encoder.json, decoder.json and showers.json beside itself.

The encoder is trained as the silicon computes it (`network.silicon_encoder`: 8-bit data, 6-bit weights, 9-bit outputs, every
product floored before it is summed), together with a float decoder. Afterwards the written masters are read back and the
training's arithmetic is compared with the integer model; any difference is an error. `record.py` then measures the result.

    python train_encoder.py
"""

import argparse
import sys

import jax
import numpy as np

import samples
from fit import Task, fit
from network import initial_parameters, silicon_encoder
from showers import default_vectors
from silicon_contract import Widths, encode, normalise, quantise_weights

STEPS = 80_000
SEED = 7


def train(steps: int) -> dict:
    """Encoder and decoder parameters, fitted jointly on the training sample."""
    training = samples.sample(samples.TRAINING_SEED, samples.TRAINING_EVENTS)
    inputs = normalise(training.calq, Widths().bits).astype(np.float32)
    task = Task(lambda parameters, x: silicon_encoder(parameters["encoder"], x)[1], inputs, training.shares, steps, SEED)
    return fit(initial_parameters(SEED), task)


def differences(trained: dict, shipped: dict) -> int:
    """Values in which the training's arithmetic with one set of masters and the integer model with another differ, on the test sample."""
    widths = Widths()
    calq = samples.sample(samples.TEST_SEED, samples.TEST_EVENTS).calq
    exact = encode(calq, quantise_weights(shipped, widths.weight_bits), widths)
    trained = {name: np.asarray(value, np.float32) for name, value in trained.items()}
    hidden, encoded = jax.jit(silicon_encoder)(trained, exact.normalised.astype(np.float32))
    return int((hidden * 2 ** (widths.bits - 1) != exact.hidden).sum() + (encoded * 2 ** (widths.output_bits - 1) != exact.encoded).sum())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default %(default)s, as shipped)")
    steps = parser.parse_args().steps
    if steps < 1:
        parser.error("--steps must be at least 1")
    parameters = train(steps)
    samples.write_masters(parameters["encoder"])
    samples.write_decoder(parameters["decoder"])
    samples.write_showers(default_vectors(samples.VECTOR_SEED))
    shipped = samples.read_masters()
    wrong = differences(parameters["encoder"], shipped)
    blind = differences(parameters["encoder"], {**shipped, "dense_bias": shipped["dense_bias"] + 2.0 ** -5}) == 0
    print(f"the trained network and the integer model of the written masters differ in {wrong} values")
    if blind:
        print("and also agree when a bias is disturbed: the comparison is blind")
    return int(wrong > 0 or blind)


if __name__ == "__main__":
    sys.exit(main())
