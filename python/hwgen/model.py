"""Trained networks: read, evaluated, inspected, built."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

import numpy as np

from . import _hwgen
from .design import Design
from .options import arguments
from .reports import Inspection, read

Arrays = Union[np.ndarray, Sequence[np.ndarray], Mapping[str, np.ndarray]]


class Model:
    """A trained network in exact integers, as `load` and its companions give it."""

    def __init__(self, network: _hwgen.Network):
        self._network = network
        #: Shape of each input, by name, without the axis of events.
        self.inputs: dict[str, tuple[int, ...]] = {name: _event(shape) for name, shape in network.inputs}
        #: Shape of each output.
        self.outputs: dict[str, tuple[int, ...]] = {name: _event(shape) for name, shape in network.outputs}
        #: What must be known of its numbers, such as what stays outside the hardware; empty if there is nothing.
        self.remarks: str = network.remarks

    def predict(self, x: Arrays, *, integers: bool = False, codes: bool = False) -> Arrays:
        """The outputs for the events of `x`: an array, or one for each input as a list or a dict by name.

        The first axis counts events. `x` holds the framework's numbers, or the integers of the inputs with `codes`; the
        outputs are the framework's numbers, or their integers with `integers`. A network with several outputs gives a
        dict if `x` is one, else a list.
        """
        events, count = self._events(x, codes)
        run = self._network.integers if integers else self._network.floats
        flat = run(events)
        shaped = [values.reshape(count, *shape) for values, shape in zip(flat, self.outputs.values())]
        if isinstance(x, Mapping):
            return dict(zip(self.outputs, shaped))
        return shaped[0] if len(shaped) == 1 else shaped

    def trace(self, x: Arrays, layers: Sequence[str] | None = None, *, codes: bool = False) -> dict[str, np.ndarray]:
        """The integers that each layer gives for the events of `x`, by its name; of `layers` only if they are named.

        Where a layer of the framework is several of integers, it is the last of them. What an integer is worth is `inspect().layers[...].scale`.
        """
        known = {name: k for k, (name, _) in enumerate(self._network.layers)}
        unknown = [name for name in layers or () if name not in known]
        if unknown:
            raise _hwgen.InputError(f"there is no layer {unknown[0]!r}; the layers are {', '.join(known)}")
        wanted = {name: known[name] for name in (known if layers is None else layers)}
        events, count = self._events(x, codes)
        flat = self._network.trace(events, list(wanted.values()))
        shapes = [_event(self._network.layers[k][1]) for k in wanted.values()]
        return {name: values.reshape(count, *shape) for name, values, shape in zip(wanted, flat, shapes)}

    def inspect(self) -> Inspection:
        """What the network consists of: layers, formats, ranges, work, and where precision is lost."""
        return read(Inspection, json.loads(self._network.inspect()))

    def build(
        self,
        out: str | os.PathLike[str],
        *,
        inputs: Arrays | None = None,
        expected: Arrays | None = None,
        target: str | None = None,
        clock_ns: float | None = None,
        latency: int | None = None,
        effort: str | float | None = None,
        reuse: int | None = None,
        stream: bool = False,
        events: int | None = None,
        top: str | None = None,
        sums: str | None = None,
        multipliers: str | None = None,
        area_factor: float | None = None,
        yes: bool = False,
        force: bool = False,
    ) -> Design:
        """Verilog with test bench, constraints, model and report in the folder `out`, as `hwgen build` writes it.

        `inputs` are events for the test bench, `expected` the framework's results, which the model must equal. The other
        keywords are the options of `hwgen build`.
        """
        chosen = {name: value for name, value in locals().items() if name not in ("self", "out", "inputs", "expected")}
        with tempfile.TemporaryDirectory() as place:
            given = _files(place, "inputs", self.inputs, inputs) + _files(place, "expected", self.outputs, expected)
            report = self._network.build([*arguments(out=out, **chosen), *given])
        return Design(out, report)

    def _events(self, x: Arrays, codes: bool) -> tuple[list[np.ndarray], int]:
        """The flat elements of each input, and how many events they are of."""
        arrays = _by_name("input", self.inputs, x)
        flat, counts = [], []
        for (name, shape), given in zip(self.inputs.items(), arrays):
            given = np.asarray(given)
            if [e for e in given.shape[1:] if e != 1] != [e for e in shape if e != 1] or given.ndim == 0:
                raise _hwgen.InputError(
                    f"an array of shape {given.shape} has no events of input {name!r}, whose shape is {shape}; "
                    "the first axis counts events"
                )
            flat.append(_elements(name, given, codes))
            counts.append(len(given))
        if len(set(counts)) > 1:
            raise _hwgen.InputError(f"the inputs have {counts} events, not equally many")
        return flat, counts[0] if counts else 0


def _event(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of one event: without the axis of extent 1 along which frameworks stack events."""
    return tuple(shape[1:] if len(shape) > 1 and shape[0] == 1 else shape)


def _elements(name: str, given: np.ndarray, codes: bool) -> np.ndarray:
    """The elements as they are handed over: those of an array that has the type already are not copied."""
    wanted = np.dtype(np.int64 if codes else np.float32)
    number = given.dtype.kind in "iub" or (given.dtype.kind == "f" and not codes)
    if not number:
        kind = "integers" if codes else "numbers"
        raise _hwgen.InputError(f"input {name!r} takes {kind}, not an array of {given.dtype}")
    flat = np.ascontiguousarray(given, dtype=wanted).reshape(-1)
    if given.dtype.kind in "iu" and given.dtype.itemsize > 2 and not np.array_equal(flat, given.reshape(-1)):
        raise _hwgen.InputError(f"input {name!r} has integers that {wanted} does not hold")
    return flat


def _by_name(what: str, known: Mapping[str, Any], x: Arrays) -> list[np.ndarray]:
    """The arrays of all ports in order."""
    if isinstance(x, Mapping):
        wrong = set(x) ^ set(known)
        if wrong:
            raise _hwgen.InputError(f"the {what}s are {', '.join(known)}, not {', '.join(map(str, x)) or 'none'}")
        return [x[name] for name in known]
    arrays = list(x) if isinstance(x, (list, tuple)) and len(known) != 1 else [x]
    if len(arrays) != len(known):
        raise _hwgen.InputError(f"{len(arrays)} arrays are given for the {what}s {', '.join(known)}")
    return arrays


def _files(place: str, option: str, known: Mapping[str, Any], x: Arrays | None) -> list[str]:
    """The arrays as files, which the program's options name."""
    if x is None:
        return []
    given = []
    for k, (name, array) in enumerate(zip(known, _by_name(option, known, x))):
        path = Path(place, f"{option}{k}.npy")
        np.save(path, np.asarray(array))
        given.append(f"--{option}={name}={path}")
    return given


def load(
    path: str | os.PathLike[str],
    *,
    weights_file: str | os.PathLike[str] | None = None,
    input_format: str | Sequence[str] | None = None,
    accept_rounding: bool = False,
    from_: str | None = None,
    to: str | None = None,
    output_format: str | Sequence[str] | None = None,
) -> Model:
    """The network in any file that `hwgen build` reads; the keywords are its options."""
    chosen = {name: value for name, value in locals().items() if name != "path"}
    return Model(_hwgen.Network([*arguments(**chosen), "--", os.fspath(path)]))


def from_keras(model: Any, **options: Any) -> Model:
    """The network of a Keras model with HGQ2 or QKeras; the keywords are those of `load`."""
    # the archive's form came with Keras 3; what QKeras writes is read in both
    ending = "keras" if hasattr(model, "export") else "h5"
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, f"model.{ending}")
        model.save(path)
        return load(path, **options)


def from_onnx(model: Any, **options: Any) -> Model:
    """The network of an `onnx.ModelProto`; the keywords are those of `load`."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "model.onnx")
        path.write_bytes(model.SerializeToString())
        return load(path, **options)


def from_torch(model: Any, example: Any, **options: Any) -> Model:
    """The network of a PyTorch module with Brevitas's layers, exported for the tensor `example`.

    The keywords are those of `load`.
    """
    try:
        from brevitas.export import export_qonnx
    except ImportError as missing:
        raise ImportError("from_torch exports with Brevitas: pip install brevitas onnx onnxoptimizer") from missing
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "model.onnx")
        export_qonnx(model.eval(), args=example, export_path=str(path))
        return load(path, **options)
