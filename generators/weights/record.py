"""Measures the shipped weights with the integer model and writes RECORD.md and events.svg beside itself.

    python record.py
"""

import sys
import zlib

import jax
import numpy as np

import samples
from baselines import baselines
from fit import Task, fit
from metrics import EMD_EVENTS, Quality, quality
from network import FILTERS, decode, float_encoder, initial_parameters
from picture import svg
from samples import HERE, Sample
from showers import KINDS
from silicon_contract import Encoded, Widths, encode, quantise_weights
from train_encoder import SEED, STEPS

REFIT_EVENTS, REFIT_STEPS = 50_000, 6_000
PICTURED = (0, 0, 1, 1, 2, 3)  # kinds

TEXT = """# The shipped encoder weights

Written by `record.py`; do not edit. From this folder, with Python 3.11:

    pip install -r requirements.txt
    python silicon_contract.py GOLDEN.json ...   # the integer model against golden vectors
    python train_encoder.py                      # encoder.json, decoder.json, showers.json
    python record.py                             # this file and events.svg

Seeds are fixed and the arithmetic runs on one thread in one order, so a repeated run gives the same bytes on the same kind of
processor; another instruction set may sum in another order and give slightly other weights.

## What is measured

- **Network**: {parameters} encoder weights, trained {steps} steps on {training} synthetic events through the silicon contract at B = 8, W = 6, O = 9
  with straight-through gradients; every other width reuses the same masters. Numbers below come from the integer model of the contract.
- **Test sample**: {test} synthetic events of another seed, none of them empty: {mix}. They are a parametrised model, not a detector simulation.
- Decoding gives each cell's share of the module's charge; the sum itself leaves the block beside the outputs and is taken as exact. With true charges
  c, their sum S, and decoded charges d (also of sum S):
  - **Energy-weighted error** = Σ_events Σ_cells |c − d| / Σ_events S. 0 is perfect, 2 is all charge in wrong cells.
  - **EMD** = mean over the first {emd} events of the exact optimal transport cost from d/S to c/S, where moving all charge by one trigger-cell edge (24 mm)
    costs 1; distances are Euclidean on the hexagonal module. **Weighted EMD** is the mean weighted by S.
  - **TV** = mean over events of Σ |c − d| / 2S: the share of charge in the wrong cell, each event alike.

## Against other descriptions

{against}

The float-trained network has the same structure, steps and events, unrounded and unsaturated arithmetic and inputs: what quantisation costs is the distance to it.
The shipped masters in floats are the same weights without any rounding, decoded by the shipped decoder, which has learnt the silicon's downward bias.
Keeping the 13 largest cells, at about the same number of bits and at the price of a sorting network of 48 inputs, has the smaller energy-weighted error, because
it keeps peaks exactly; the encoder has the smaller EMD, because it keeps the whole picture. Nobody should take the encoder for the best compression of every sample.

## By kind of event, at B = 8, W = 6, O = 9

{kinds}

## Range of the 8-bit network on the test sample

{usage}

## By width

The shipped decoder was trained at 8 bits only, and other widths shift the outputs through other floors. No decoder per width is shipped; the refitted columns start
from the shipped one and fit {refit_steps} steps on {refit} training events at that width, to show how much the outputs still tell.

W = 6, O = 9:

{fixed}

W = max(2, B − 2), O = B + 1:

{scaled}

The last column checks other implementations of the contract: the CRC-32 of the outputs for `showers.json`, each a 16-bit little-endian integer, event by event.

![Events before and after](events.svg)

Events of the test sample, chosen by order of appearance among the upper half in charge of their kind. The colour is the root of a cell's share.
"""


def table(header: list[str], rows: list[list]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.3f}" for cell in line) + " |" for line in lines)


def scores(result: Quality) -> list[float]:
    return [result.error, result.emd, result.weighted_emd, result.variation]


SCORES = ["energy-weighted error", "EMD", "weighted EMD", "TV"]


def outputs(calq: np.ndarray, masters: dict, widths: Widths) -> Encoded:
    return encode(calq, quantise_weights(masters, widths.weight_bits), widths)


def reals(encoded: np.ndarray, widths: Widths) -> np.ndarray:
    return (encoded * 2.0 ** (1 - widths.output_bits)).astype(np.float32)


def decoded(decoder: dict, encoded: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(decode)(decoder, encoded))


def float_network(training: Sample, test: Sample) -> np.ndarray:
    """Shares `[n][48]` decoded by a network trained like the shipped one, but in floats."""
    task = Task(lambda parameters, x: float_encoder(parameters["encoder"], x)[1], training.scaled(), training.shares, STEPS, SEED)
    parameters = fit(initial_parameters(SEED), task)
    return decoded(parameters["decoder"], float_encoder(parameters["encoder"], test.scaled())[1])


def width_row(widths: Widths, training: Sample, test: Sample, masters: dict, decoder: dict) -> list:
    found = reals(outputs(test.calq, masters, widths).encoded, widths)
    shipped = quality(test, decoded(decoder, found))
    inputs = reals(outputs(training.calq[:REFIT_EVENTS], masters, widths).encoded, widths)
    task = Task(lambda parameters, x: x, inputs, training.shares[:REFIT_EVENTS], REFIT_STEPS, SEED)
    refitted = quality(test, decoded(fit({"decoder": decoder}, task)["decoder"], found))
    dead = f"{(found.max(axis=0) == 0).sum()}"
    names = [str(widths.bits), str(widths.weight_bits), str(widths.output_bits)]
    vectors = outputs(samples.read_showers(), masters, widths).encoded
    return [*names, shipped.error, shipped.emd, refitted.error, refitted.emd, dead, f"{zlib.crc32(vectors.astype('<u2').tobytes()):08x}"]


WIDTH_HEADER = ["B", "W", "O", "error, shipped decoder", "EMD, shipped decoder", "error, refitted", "EMD, refitted", "dead outputs", "CRC-32"]


def usage(result: Encoded, widths: Widths) -> str:
    """How the hidden values and outputs use their formats."""
    # The positions wholly over the empty quarter are the bias of their filter, whatever the event.
    constant = (result.hidden == result.hidden[0]).all(axis=0)
    dead = constant & (result.hidden[0] == 0)
    structural = np.zeros((4, 4, FILTERS), bool)
    structural[2:, 2:] = True
    structural = structural.ravel()
    rows = []
    for name, values, bits in (("hidden", result.hidden[:, ~structural], widths.bits), ("outputs", result.encoded, widths.output_bits)):
        top = (1 << bits) - 1
        medians, ranges = np.median(values, axis=0), np.percentile(values, 99, axis=0)
        never = (values.max(axis=0) == 0).sum()
        shares = [f"{(values == 0).mean():.1%}", f"{(values == top).mean():.2%}"]
        spans = [f"{medians.min():.0f} to {medians.max():.0f}", f"{ranges.min():.0f} to {ranges.max():.0f} of {top}"]
        rows.append([name, str(values.shape[1]), f"{never}", *shares, *spans])
    header = ["", "number", "dead (always 0)", "values that are 0", "values saturated", "medians", "99th percentiles"]
    note = f"\n\nThe {structural.sum()} hidden values over the empty quarter are constants of the biases ({(dead & structural).sum()} of them 0) and aren't counted."
    return table(header, rows) + note


def pictured(test: Sample, shares: np.ndarray) -> str:
    columns, used = [], set()
    for kind in PICTURED:
        floor = np.median(test.total[test.kind == kind])
        event = next(i for i in np.flatnonzero((test.kind == kind) & (test.total >= floor)) if i not in used)
        used.add(event)
        columns.append((KINDS[kind], test.shares[event], shares[event]))
    return svg(columns)


def main() -> int:
    masters, decoder, chip = samples.read_masters(), samples.read_decoder(), Widths()
    training = samples.sample(samples.TRAINING_SEED, samples.TRAINING_EVENTS)
    test = samples.sample(samples.TEST_SEED, samples.TEST_EVENTS)
    result = outputs(test.calq, masters, chip)
    shares = decoded(decoder, reals(result.encoded, chip))
    unrounded = float_encoder({name: value.astype(np.float32) for name, value in masters.items()}, test.scaled())[1]
    entries = {
        "**shipped, B = 8, W = 6, O = 9 (144 bits)**": shares,
        "float-trained network": float_network(training, test),
        "shipped masters in floats": decoded(decoder, unrounded),
        **baselines(training, test),
    }
    kinds = []
    for kind, name in enumerate(KINDS):
        pick = test.kind == kind
        part = Sample(test.calq[pick], test.total[pick], test.shares[pick], test.kind[pick])
        kinds.append([name, str(pick.sum()), *scores(quality(part, shares[pick]))])
    widths = range(2, 11)
    text = TEXT.format(
        parameters=sum(value.size for value in masters.values()), steps=STEPS, training=len(training.calq), test=len(test.calq), emd=EMD_EVENTS,
        mix=", ".join(f"{name} {(test.kind == kind).mean():.0%}" for kind, name in enumerate(KINDS)),
        against=table(["description", *SCORES], [[name, *scores(quality(test, value))] for name, value in entries.items()]),
        kinds=table(["kind", "events", *SCORES], kinds), usage=usage(result, chip), refit_steps=REFIT_STEPS, refit=REFIT_EVENTS,
        fixed=table(WIDTH_HEADER, [width_row(Widths(bits), training, test, masters, decoder) for bits in widths]),
        scaled=table(WIDTH_HEADER, [width_row(Widths(bits, max(2, bits - 2), bits + 1), training, test, masters, decoder) for bits in widths]),
    )
    (HERE / "RECORD.md").write_text(text)
    (HERE / "events.svg").write_text(pictured(test, shares))
    return 0


if __name__ == "__main__":
    sys.exit(main())
