"""Keywords as arguments of the program, which reads and checks them."""

from __future__ import annotations

import os
from typing import Any


def arguments(**options: Any) -> list[str]:
    """`accept_rounding=True, input_format=["u8.8"]` as `--accept-rounding --input-format=u8.8`.

    None and False leave an option away, a list gives it once for each item.
    """
    given = []
    for name, value in options.items():
        option = "--" + name.rstrip("_").replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            given.append(option)
            continue
        values = value if isinstance(value, (list, tuple)) else [value]
        given += [f"{option}={os.fspath(v) if isinstance(v, os.PathLike) else v}" for v in values]
    return given
