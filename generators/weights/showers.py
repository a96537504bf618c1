"""Synthetic calorimeter charges on one module: showers, pile-up, noise, and the front end's number format.

A parametrised model, not a detector simulation. Lateral profiles are the usual two-component form
f(r) = 2 r R^2 / (r^2 + R^2)^2 (Grindhammer and Peters, hep-ex/0001020), whose radius is R sqrt(u / (1 - u)) for uniform u.
Energies are in minimum-ionising particles (MIP), lengths in trigger-cell edges (24 mm; a Moliere radius is about one).
"""

from dataclasses import dataclass

import numpy as np

from geometry import CELLS, cell_at

FULL_SCALE = (1 << 22) - 1
COUNTS_PER_MIP = 8.0
SPOTS = 256  # energy deposits sampled per event; their scatter stands for the sampling fluctuations
CLUSTERS = 6
REACH = 5.0  # showers start within this radius of the centre; the module's corners are at 4, so some are only partly inside
CHUNK = 4096

# Share of each kind of event.
KINDS = ("electromagnetic", "hadronic", "two showers", "pile-up")
SHARES = (0.40, 0.35, 0.10, 0.15)


@dataclass(frozen=True)
class Events:
    """n events: charges `[n][48]` of at most 22 bits, and the index of each one's kind in KINDS."""

    calq: np.ndarray
    kind: np.ndarray


def log_uniform(rng: np.random.Generator, low: float, high: float, size) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def offsets(rng: np.random.Generator, radius: np.ndarray) -> np.ndarray:
    """Isotropic offsets `[..., 2]` with the profile of the given radii."""
    u = rng.uniform(0.0, 0.995, radius.shape)  # the far tail is another module's
    r, phi = radius * np.sqrt(u / (1.0 - u)), rng.uniform(0.0, 2.0 * np.pi, radius.shape)
    return np.stack([r * np.cos(phi), r * np.sin(phi)], axis=-1)


def in_disc(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    r, phi = REACH * np.sqrt(rng.uniform(size=(n, count))), rng.uniform(0.0, 2.0 * np.pi, (n, count))
    return np.stack([r * np.cos(phi), r * np.sin(phi)], axis=-1)


def spots_to_cells(points: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Sums deposits `[n][spots]` at points `[n][spots][2]` into cells `[n][48]`."""
    n = len(points)
    flat = cell_at(points) + (CELLS + 1) * np.arange(n)[:, None]
    return np.bincount(flat.ravel(), energy.ravel(), n * (CELLS + 1)).reshape(n, CELLS + 1)[:, :CELLS]


def shower_energy(rng: np.random.Generator, kind: np.ndarray) -> np.ndarray:
    """Deposits `[n][48]` of one electromagnetic shower, one hadronic shower (electromagnetic clusters and a halo), or two showers."""
    n = len(kind)
    hadronic, double = (kind == 1)[:, None], (kind == 2)[:, None]
    origin = in_disc(rng, n, CLUSTERS)
    spread = offsets(rng, np.broadcast_to(log_uniform(rng, 0.3, 1.2, (n, 1)), (n, CLUSTERS)))
    centre = np.where(double[..., None], origin, origin[:, :1] + np.where(hadronic[..., None], spread, 0.0))
    # One cluster, two, or a few: the energy sharing is Dirichlet over those that exist.
    count = np.where(kind == 0, 1, np.where(kind == 2, 2, 1 + rng.integers(1, CLUSTERS, n)))
    part = np.where(np.arange(CLUSTERS) < count[:, None], rng.exponential(size=(n, CLUSTERS)), 0.0)
    boundary = np.cumsum(part, axis=1) / part.sum(axis=1, keepdims=True)
    cluster = np.minimum((rng.uniform(size=(n, SPOTS))[..., None] > boundary[:, None]).sum(axis=2), CLUSTERS - 1)
    core = log_uniform(rng, 0.06, 0.5, (n, CLUSTERS))
    tail = np.where(hadronic, rng.uniform(1.0, 3.0, (n, 1)), rng.uniform(0.5, 1.3, (n, 1)))
    in_core = rng.uniform(size=(n, SPOTS)) < np.where(hadronic, rng.uniform(0.5, 0.8, (n, 1)), rng.uniform(0.75, 0.97, (n, 1)))
    radius = np.where(in_core, np.take_along_axis(core, cluster, 1), tail)
    points = np.take_along_axis(centre, cluster[..., None], 1) + offsets(rng, radius)
    energy = np.where(kind == 3, 0.0, log_uniform(rng, 30.0, 10000.0, n)) / SPOTS
    return spots_to_cells(points, np.broadcast_to(energy[:, None], (n, SPOTS)))


def pile_up_energy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Deposits `[n][48]` of soft tracks in every cell and of a few soft photons."""
    rate = log_uniform(rng, 0.05, 1.5, (n, 1))
    tracks = rng.gamma(np.maximum(rng.poisson(rate, (n, CELLS)), 1e-9))
    photons = rng.poisson(2.0 * rate, (n, CLUSTERS)) > 0
    energy = np.where(photons, rng.exponential(6.0, (n, CLUSTERS)), 0.0)
    per = 16
    points = in_disc(rng, n, CLUSTERS)[:, :, None] + offsets(rng, np.full((n, CLUSTERS, per), 0.35))
    deposits = np.broadcast_to(energy[..., None] / per, (n, CLUSTERS, per))
    return tracks + spots_to_cells(points.reshape(n, -1, 2), deposits.reshape(n, -1))


def front_end(rng: np.random.Generator, mip: np.ndarray) -> np.ndarray:
    """Charges as the encoder receives them: noise, the 4-bit exponent 3-bit mantissa float, middle of its bin, calibration.

    Modules are low density (1 dropped bit) or high density (3). Calibrations are 12-bit over 2^11, common to a module up to 5 %.
    """
    n = len(mip)
    noisy = mip + rng.normal(0.0, 1.0, mip.shape) * rng.uniform(0.1, 0.5, (n, 1))
    dropped = np.where(rng.uniform(size=(n, 1)) < 0.5, 1, 3)
    code = np.clip(noisy * COUNTS_PER_MIP, 0, None).astype(np.int64) >> dropped
    code = np.minimum(code, (1 << 18) - 1)
    length = np.frexp(code.astype(float))[1].astype(np.int64)
    shift = np.maximum(length - 4, 0)  # the exponent less one, when there is one
    value = ((code >> shift) << shift << dropped) + (1 << (shift + dropped - 1))
    calibration = rng.uniform(600.0, 2000.0, (n, 1)) * rng.uniform(0.95, 1.05, mip.shape)
    return np.minimum((value * calibration.astype(np.int64)) >> 11, FULL_SCALE)


def module_events(seed: int, n: int) -> Events:
    """n events of the standard mix, the same ones for the same seed."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(len(KINDS), n, p=SHARES)
    calq = []
    for start in range(0, n, CHUNK):
        part = kind[start:start + CHUNK]
        calq.append(front_end(rng, shower_energy(rng, part) + pile_up_energy(rng, len(part))))
    return Events(np.concatenate(calq), kind)


def default_vectors(seed: int) -> np.ndarray:
    """The 256 events `[256][48]` that ship with the generator: mostly showers, and the corners of the arithmetic."""
    rng = np.random.default_rng(seed)
    corners = np.zeros((72, CELLS), np.int64)
    cells = rng.permutation(CELLS)
    for event in range(24):  # one cell: powers of two and one less, where the normalisation's shift changes
        corners[event, cells[event]] = (1 << event % 23) - (event % 2) if event < 22 else (1, FULL_SCALE)[event - 22]
    corners[24:32] = 0
    corners[32:40] = FULL_SCALE  # all cells, then fewer and fewer
    for event in range(33, 40):
        corners[event, rng.permutation(CELLS)[: 6 * (event - 32)]] = 0
    corners[40:56] = rng.integers(0, FULL_SCALE + 1, (16, CELLS))
    corners[56:72] = rng.integers(0, 4, (16, CELLS)) * (rng.uniform(size=(16, CELLS)) < 0.2)
    return np.concatenate([module_events(seed, 256 - len(corners)).calq, corners])
