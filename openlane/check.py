#!/usr/bin/env python3
"""Checks emitted config.json files with LibreLane's own loader: check.py CONFIG...

Needs `pip install librelane`, but no PDK: the variables that a PDK sets are left out, and a stand-in with the two files
that the loader opens takes its place. Unknown names, wrong types and missing files are errors.
"""
import os
import sys
import tempfile

from librelane.config import Config
from librelane.config.flow import flow_common_variables
from librelane.flows import Flow

PDK, CELLS = "sky130A", "sky130_fd_sc_hd"
# Set by a PDK, but needed to find its files.
KEPT = {"PDK", "PDK_ROOT", "STD_CELL_LIBRARY"}


def stand_in(root):
    """Writes the two files of a PDK that the loader opens."""
    base = os.path.join(root, PDK, "libs.tech", "librelane")
    os.makedirs(os.path.join(base, CELLS))
    with open(os.path.join(base, "config.tcl"), "w") as file:
        file.write(f'set ::env(STD_CELL_LIBRARY) "{CELLS}"\n')
    with open(os.path.join(base, CELLS, "config.tcl"), "w") as file:
        file.write("\n")


def check(path, root):
    """Loads one file; the loader raises on what is wrong with it."""
    flow = Flow.factory.get("Classic")
    steps = [v for step in flow.Steps for v in step.config_vars]
    variables = [*flow_common_variables, *flow.config_vars, *steps]
    known = {v.name: v for v in variables if not v.pdk or v.name in KEPT}
    Config.load(
        config_in=path,
        flow_config_vars=list(known.values()),
        design_dir=os.path.dirname(os.path.abspath(path)),
        pdk=PDK,
        scl=CELLS,
        pdk_root=root,
    )


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    failed = False
    with tempfile.TemporaryDirectory() as root:
        stand_in(root)
        for path in paths:
            try:
                check(path, root)
                print(f"{path}: accepted")
            except Exception as error:  # the loader has several kinds, with the reasons as attributes
                failed = True
                print(f"{path}: {error} {getattr(error, 'errors', '')}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
