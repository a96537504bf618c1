"""How far decoded events are from the true ones."""

from dataclasses import dataclass

import numpy as np
import ot

from geometry import DISTANCE
from samples import Sample

EMD_EVENTS = 1000


@dataclass(frozen=True)
class Quality:
    """Energy-weighted error, total variation, earth mover's distance and its energy-weighted mean; zero is perfect for each."""

    error: float
    variation: float
    emd: float
    weighted_emd: float


def earth_mover(true: np.ndarray, decoded: np.ndarray) -> np.ndarray:
    """The exact optimal transport cost `[n]` between rows of shares, by network simplex, in trigger-cell edges."""
    true, decoded = (shares.astype(np.float64) / shares.sum(axis=1, keepdims=True, dtype=np.float64) for shares in (true, decoded))
    return np.array([ot.emd2(a, b, DISTANCE) for a, b in zip(true, decoded, strict=True)])


def quality(sample: Sample, decoded: np.ndarray) -> Quality:
    """Compares the shares `[n][48]` decoded for a sample; the earth mover's distance takes its first EMD_EVENTS events."""
    off = np.abs(sample.shares - decoded).sum(axis=1)
    emd = earth_mover(sample.shares[:EMD_EVENTS], decoded[:EMD_EVENTS])
    return Quality(
        error=float(np.average(off, weights=sample.total)),
        variation=float(off.mean() / 2),
        emd=float(emd.mean()),
        weighted_emd=float(np.average(emd, weights=sample.total[:EMD_EVENTS])),
    )
