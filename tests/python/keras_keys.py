"""The keys that layers save: `get_config` of each class of a framework.

    keras_keys.py FILE

Adds what can be imported to the JSON in FILE: Keras 3 and HGQ2, or Keras 2 and QKeras. The test
`import::keras::document` requires that all keys of supported classes are read or known to be without influence.
"""

import json
import pathlib
import sys

from keras_version import KERAS3, keras

# arguments that a class may want
ARGUMENTS = [
    {},
    dict(units=2),
    dict(filters=2, kernel_size=2),
    dict(kernel_size=2),
    dict(rate=0.5),
    dict(stddev=0.5),
    dict(scale=0.5),
    dict(activation="relu"),
    dict(activation="quantized_bits(4,1,alpha=1)"),
    dict(target_shape=(2,)),
    dict(dims=(1,)),
    dict(n=2),
    dict(n_out=2),
    dict(axes=-1),
    dict(pool_size=2),
    dict(equation="ab,bc->ac"),
    dict(equation="ab,bc->ac", output_shape=(2,)),
    dict(num_heads=1, key_dim=2),
    dict(num_heads=1, key_dim=2, lin_kv_proj_dim=2),
]


def keys(kind):
    """The keys of a layer without a wrapper's inner layer; none if it wants other arguments."""
    for arguments in [*ARGUMENTS, dict(layer=keras.layers.Dense(2))]:
        try:
            return sorted(kind(**arguments).get_config())
        except Exception:
            continue
    return None


def classes(module, own):
    for name in sorted(dir(module)):
        kind = getattr(module, name)
        layer = isinstance(kind, type) and hasattr(kind, "get_config") and hasattr(kind, "call")
        if layer and kind.__name__ == name and kind.__module__.split(".")[0] in own:
            yield name, keys(kind)


def main():
    # TensorFlow loads this module when something in it is used
    keras.layers.Dense
    path = pathlib.Path(sys.argv[1])
    found = json.loads(path.read_text()) if path.exists() else {}
    if KERAS3:
        import hgq.layers
        import hgq.quantizer

        found["Keras 3"] = dict(classes(keras.layers, ["keras"]))
        found["HGQ2"] = {**dict(classes(hgq.layers, ["hgq"])), **dict(classes(hgq.quantizer, ["hgq"]))}
    else:
        import qkeras

        found["Keras 2"] = dict(classes(keras.layers, ["keras"]))
        found["QKeras"] = dict(classes(qkeras, ["qkeras"]))
    found = {framework: {k: v for k, v in table.items() if v} for framework, table in found.items()}
    lines = [
        f' "{framework}": {{\n' + ",\n".join(f'  "{k}": {json.dumps(v)}' for k, v in table.items()) + "\n }"
        for framework, table in sorted(found.items())
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print({framework: len(table) for framework, table in found.items()})


if __name__ == "__main__":
    main()
