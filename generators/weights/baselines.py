"""Other ways to describe a module: trivial ones, and the usual non-neural compressions at the encoder's budget of 144 bits."""

import numpy as np

from geometry import CELLS, IMAGE, SIDE
from samples import Sample
from silicon_contract import normalise

COMPONENTS = 16
BEST = 13  # a 48-bit map and 13 x 7 bits are 139 bits


def _shares(estimate: np.ndarray) -> np.ndarray:
    estimate = np.maximum(estimate, 0.0) + 1e-9
    return estimate / estimate.sum(axis=1, keepdims=True)


def _largest(calq: np.ndarray, count: int) -> np.ndarray:
    kept = np.zeros_like(calq)
    order = np.argsort(-calq, axis=1, kind="stable")[:, :count]
    np.put_along_axis(kept, order, np.take_along_axis(calq, order, 1), 1)
    return kept


def _super_cells(calq: np.ndarray) -> np.ndarray:
    spread = np.zeros((CELLS, CELLS))
    for row in range(0, SIDE, 2):
        for col in range(0, SIDE, 2):
            block = IMAGE[row:row + 2, col:col + 2].ravel()
            if block[0] < CELLS:
                spread[np.ix_(block, block)] = 0.25
    return calq @ spread


def baselines(training: Sample, test: Sample) -> dict[str, np.ndarray]:
    """Name to the shares `[n][48]` it gives for the test sample."""
    mean = training.shares.mean(axis=0)
    axes = np.linalg.svd(training.shares[:20_000] - mean, full_matrices=False)[2][:COMPONENTS]
    coarse = normalise(test.calq, 3)
    return {
        "uniform": _shares(np.ones(test.calq.shape)),
        "mean of the training sample": _shares(np.tile(mean, (len(test.calq), 1))),
        f"{COMPONENTS} principal components, floats": _shares(mean + (test.shares - mean) @ axes.T @ axes),
        "12 sums of 2x2 cells, exact, spread evenly (144 bits allow 12 each)": _shares(_super_cells(test.calq)),
        "3 bits a cell, middle of the bin (144 bits)": _shares(np.where(coarse > 0, coarse + 0.5, 0.0)),
        f"the {BEST} largest cells, exact charges (a 48-bit map and 7 bits each are 139)": _shares(_largest(test.calq, BEST).astype(float)),
    }
