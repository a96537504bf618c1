"""Small Keras models in which one setting of one layer is not the default, with the framework's own results.

    keras_attributes.py OUT [--seed N]

Runs under Keras 3 and under TensorFlow 2.15 with QKeras. Writes cases as `case.py` says, and OUT/index.json, which says
which layer and setting each one tries.
"""

import argparse
import json
import pathlib

import case
import numpy as np
from keras_settings import MERGES, candidates, classes, fill, inputs, layers
from keras_version import keras


class Writer:
    def __init__(self, out):
        self.out, self.index = out, []
        out.mkdir(parents=True, exist_ok=True)

    def write(self, model, xs, note):
        ys = model(xs if len(xs) > 1 else xs[0], training=False)
        name = f"{len(self.index):05}"
        suffix = ".h5" if len(self.index) % 2 else ".keras"
        model.save(self.out / (name + suffix))
        case.save(self.out / name, xs, ys if isinstance(ys, (list, tuple)) else [ys], "--input-format s6.3")
        self.index.append({"file": name + suffix, **note})

    def finish(self):
        (self.out / "index.json").write_text(json.dumps(self.index, indent=1))


def quietly(attempt):
    try:
        return attempt()
    except Exception:
        return None


def one(writer, layer, shape, rng, note):
    x = keras.Input(shape)
    model = keras.Model(x, layer(x))
    fill(layer, rng)
    writer.write(model, [inputs(shape, rng)], note)
    return True


def each_key(writer, rng):
    for kind, kwargs, shape in classes():
        base = quietly(lambda: kind(**kwargs))
        if base is None:
            continue
        config = base.get_config()
        quietly(lambda: one(writer, base, shape, rng, dict(layer=kind.__name__, key=None, value=None)))
        for key, value in config.items():
            for other in candidates(key, value):
                def attempt():
                    layer = kind.from_config({**config, key: other})
                    return one(writer, layer, shape, rng, dict(layer=kind.__name__, key=key, value=repr(other)))

                quietly(attempt)
    for name in MERGES:
        kind = getattr(layers, name)
        base = {"axes": -1} if name == "Dot" else {}
        for extra in [{}, {"axis": 1}, {"axis": -2}, {"normalize": True}, {"axes": 1}]:
            def attempt():
                a, b = keras.Input((3, 4)), keras.Input((3, 4))
                layer = kind(**{**base, **extra})
                model = keras.Model([a, b], layer([a, b]))
                writer.write(model, [inputs((3, 4), rng), inputs((3, 4), rng)], dict(layer=name, key=repr(extra), value=None))

            quietly(attempt)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    writer = Writer(arguments.out)
    each_key(writer, np.random.default_rng(arguments.seed))
    writer.finish()
    print(len(writer.index), "models")


if __name__ == "__main__":
    main()
