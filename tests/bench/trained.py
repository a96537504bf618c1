"""The matrices of trained networks, with the format of every input: from the model that `hwgen build` writes.

A constant factor before a matrix becomes part of its weights, so that an input is the integer that its quantiser gives.
"""
import json
import subprocess

# networks in tests/models, trained by the scripts beside them, and the options that their import wants
TRAINED = {
    "jets_hgq2.keras": ["--accept-rounding"],
    "jets_qkeras.h5": [],
    "jets_brevitas.onnx": [],
}


def matrices(program, models, folder):
    """Name, weights with a row for each input, and `(least, greatest)` of each input, for every dense layer."""
    for file, options in TRAINED.items():
        out = folder / file
        command = [program, "build", models / file, "--effort", "fast", "--out", out, *options]
        subprocess.run([*map(str, command)], check=True, capture_output=True)
        network = json.loads((out / "model.json").read_text())["network"]
        layers = network["inputs"] + network["layers"]
        for layer in layers:
            dense = named(layer, "dense")
            if dense is None:
                continue
            outputs, inputs = dense["weights"]["shape"]
            values = dense["weights"]["values"]
            factors, source = factored(layers, layer["inputs"][0], inputs)
            weights = [[values[o * inputs + i] * factors[i] for o in range(outputs)] for i in range(inputs)]
            yield f"{file.split('.')[0]}_{layer['name'].strip('/').replace('/', '_')}", weights, ranges(layers[source], inputs)


def named(layer, op):
    """What the operation says of itself if it is called so."""
    found = layer.get("op", {})
    return found.get(op) if isinstance(found, dict) else None


def factored(layers, tensor, count):
    """The product with a constant that a tensor is, if it is one: factors, and the tensor that they multiply."""
    layer = layers[tensor]
    if layer.get("op") != "mul":
        return [1] * count, tensor
    source, other = layer["inputs"]
    return named(layers[other], "constant")["values"], source


def ranges(layer, count):
    """The integers that a quantiser gives."""
    if "op" not in layer:
        wrapping = layer["encode"]["quantiser"].get("wrapping")
        if wrapping is None:
            return [tuple(layer["range"])] * count
        return [(int(lo), int(hi)) for lo, hi in zip(wrapping["low"]["values"], wrapping["high"]["values"])]
    each = named(layer, "requantise_each")
    formats = each["formats"]["values"] if each else [named(layer, "requantise")] * count
    return [limits(format["limit"]) for format in formats]


def limits(limit):
    if "saturate" in limit:
        return limit["saturate"]["lo"], limit["saturate"]["hi"]
    width, signed = limit["wrap"]["width"], limit["wrap"]["signed"]
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
