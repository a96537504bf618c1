"""A drawing of modules, true and decoded, as SVG."""

import numpy as np

from geometry import CELLS, outline

SCALE = 11.0  # user units a cell edge
WIDTH, HEIGHT = 90, 96  # of one module
MARGIN = 16
# Shares from 0 to 1: white, yellow, red, dark violet.
RAMP = np.array([[255, 255, 255], [254, 217, 118], [227, 26, 28], [63, 0, 60]])


def _colour(share: float) -> str:
    place = np.sqrt(min(share, 1.0)) * (len(RAMP) - 1)  # the root shows faint tails
    low = min(int(place), len(RAMP) - 2)
    red, green, blue = np.rint(RAMP[low] + (place - low) * (RAMP[low + 1] - RAMP[low])).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _module(shares: np.ndarray, x: float, y: float) -> str:
    cells = []
    for cell in range(CELLS):
        corners = outline(cell) * [SCALE, -SCALE] + [x, y]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
        cells.append(f'<polygon points="{points}" fill="{_colour(shares[cell])}"/>')
    return "\n".join(cells)


def svg(columns: list[tuple[str, np.ndarray, np.ndarray]]) -> str:
    """One column a (title, true shares `[48]`, decoded shares `[48]`)."""
    width, height = MARGIN + WIDTH * len(columns), 2 * HEIGHT + MARGIN
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="8">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for row, label in enumerate(("true", "decoded")):
        y = MARGIN + HEIGHT * (row + 0.5)
        parts.append(f'<text transform="translate(10,{y:.0f}) rotate(-90)" text-anchor="middle">{label}</text>')
    parts.append('<g stroke="#999" stroke-width="0.3">')
    centres = [MARGIN + WIDTH * (i + 0.5) for i in range(len(columns))]
    for x, (_, *pair) in zip(centres, columns, strict=True):
        parts += [_module(shares, x, MARGIN + HEIGHT * (row + 0.5)) for row, shares in enumerate(pair)]
    parts.append("</g>")
    parts += [f'<text x="{x:.0f}" y="10" text-anchor="middle">{title}</text>' for x, (title, *_) in zip(centres, columns, strict=True)]
    return "\n".join([*parts, "</svg>", ""])
