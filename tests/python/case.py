"""What the makers of random models have in common: their command line, and the files of a case.

    MAKER OUT --models N --seed S

A case is a model (OUT/NNNNN.onnx, .h5 or .keras), what a user gives with it (.args), inputs (.x.npy) and the framework's
results (.y.npy). Several inputs or results are numbered: .x0.npy, .x1.npy. Cases whose settings the framework itself does
not take are left out. `cargo test -p hwgen-tests --test campaign` runs the makers and reads the cases.
"""

import argparse
import os
import pathlib

import numpy as np

# settings that no framework takes would go on without end
ATTEMPTS = 30


def save(path, xs, ys, arguments):
    """Inputs and results of the model at `path`, each with the samples along its first axis."""
    for letter, arrays in (("x", xs), ("y", ys)):
        for k, array in enumerate(arrays):
            number = k if len(arrays) > 1 else ""
            np.save(f"{path}.{letter}{number}.npy", np.asarray(array, np.float32))
    pathlib.Path(f"{path}.args").write_text(arguments + "\n")


def attempt(make, path, rng):
    """Whether `make` wrote a case; what is left of one is removed."""
    try:
        made = make(path, rng)
    except Exception as why:
        print(path.name, type(why).__name__, str(why)[:100].replace("\n", " "))
        made = False
    if not made:
        for file in path.parent.glob(path.name + ".*"):
            file.unlink()
    return made


def isolated(make, path, rng):
    """The same in a process of its own, which may be aborted."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if attempt(make, path, rng) else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def run(make, attempt=attempt):
    """Cases by `make`, which writes one at a path without suffix and says whether it did."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--models", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    written = 0
    for number in range(ATTEMPTS * options.models):
        if written == options.models:
            break
        written += attempt(make, options.out / f"{number:05}", np.random.default_rng([options.seed, number]))
    print(f"{written} models in {options.out}")
