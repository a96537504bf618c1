"""Where the 48 trigger cells sit: in the encoder's image and on the silicon.

The 8x8 image is the hexagonal module cut along one of its three seams and laid flat. Three rhombi of 4x4 trigger cells
meet in the module's centre. In the image they are the top-left, top-right and bottom-left quarter, the module's centre is
the point where the quarters touch, and the bottom-right quarter is empty. Distances are taken on the hexagon, so the two
sides of the cut seam are neighbours again. The unit of length is the edge of a trigger cell (24 mm on an 8-inch sensor).
"""

import numpy as np

CELLS = 48
SIDE = 8
HALF = SIDE // 2
EMPTY = CELLS  # index of the constant zero that fills padding and the empty quarter

# The directions of the three seams, 120 degrees apart; they sum to zero.
SEAMS = np.array([[np.cos(a), np.sin(a)] for a in np.deg2rad([90.0, 210.0, 330.0])])


def _image() -> np.ndarray:
    image = np.full((SIDE, SIDE), EMPTY)
    image[:HALF] = np.arange(SIDE * HALF).reshape(HALF, SIDE)
    image[HALF:, :HALF] = np.arange(SIDE * HALF, CELLS).reshape(HALF, HALF)
    return image


def _patches() -> np.ndarray:
    padded = np.full((SIDE + 1, SIDE + 1), EMPTY)  # zeros at the bottom and at the right only
    padded[:SIDE, :SIDE] = IMAGE
    return np.array([padded[2 * r:2 * r + 3, 2 * c:2 * c + 3].ravel() for r in range(HALF) for c in range(HALF)])


def _seam_coordinates() -> np.ndarray:
    """Each cell's centre as a sum of seam directions, `[48][3]`: the top-left quarter spans seams 0 (up) and 1 (left)."""
    place = np.zeros((CELLS, 3))
    for row, col in np.argwhere(IMAGE != EMPTY):
        up, left = HALF - row - 0.5, HALF - col - 0.5
        place[IMAGE[row, col]] = [max(up, 0.0), max(left, 0.0), max(-up, -left, 0.0)]
    return place


IMAGE = _image()  # [8][8] cell indices, EMPTY where there is none
PATCHES = _patches()  # [16][9] cells under the 3x3 kernel at each of the 4x4 stride-2 positions, row then column
SEAM_COORDINATES = _seam_coordinates()  # [48][3]
CENTRES = SEAM_COORDINATES @ SEAMS  # [48][2]
DISTANCE = np.linalg.norm(CENTRES[:, None] - CENTRES[None], axis=2)  # [48][48]


def outline(cell: int) -> np.ndarray:
    """The four corners of a cell's rhombus, in order, `[4][2]`."""
    first, second = SEAMS[SEAM_COORDINATES[cell] > 0] / 2.0
    return CENTRES[cell] + np.array([first + second, first - second, -first - second, second - first])


def cell_at(points: np.ndarray) -> np.ndarray:
    """The cell under each point `[..., 2]`, EMPTY outside the module."""
    # Three seams overdetermine a plane: the decomposition whose smallest part is zero names the rhombus.
    parts = points @ SEAMS.T * (2.0 / 3.0)
    parts -= parts.min(axis=-1, keepdims=True)
    steps = np.floor(parts).astype(int)
    up, left, away = steps[..., 0], steps[..., 1], steps[..., 2]
    absent = parts.argmin(axis=-1)
    row = np.where(absent == 0, HALF + away, HALF - 1 - up)
    col = np.where(absent == 1, HALF + away, HALF - 1 - left)
    inside = steps.max(axis=-1) < HALF
    return np.where(inside, IMAGE[row.clip(0, SIDE - 1), col.clip(0, SIDE - 1)], EMPTY)
