"""Event samples as the networks see them, and the weight files."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from showers import module_events
from silicon_contract import PARAMETERS, bit_length

HERE = Path(__file__).parent
MASTERS = HERE / "encoder.json"
DECODER_FILE = HERE / "decoder.json"
SHOWERS = HERE / "showers.json"

TRAINING_SEED, TEST_SEED, VECTOR_SEED = 2105, 1683, 48
TRAINING_EVENTS, TEST_EVENTS = 200_000, 3_000


@dataclass(frozen=True)
class Sample:
    """Events with charge: charges `[n][48]`, their sums `[n]`, shares of the sum `[n][48]`, kind `[n]`."""

    calq: np.ndarray
    total: np.ndarray
    shares: np.ndarray
    kind: np.ndarray

    def scaled(self) -> np.ndarray:
        """The charges over the power of two of their sum, not truncated: real numbers in [0, 2)."""
        return (self.calq * 2.0 ** -(bit_length(self.total) - 1.0)[:, None]).astype(np.float32)


def sample(seed: int, n: int) -> Sample:
    """The n events of a seed, without the empty ones: they have no shares."""
    events = module_events(seed, n)
    total = events.calq.sum(axis=1)
    seen = total > 0
    return Sample(events.calq[seen], total[seen], (events.calq / np.maximum(total, 1)[:, None])[seen].astype(np.float32), events.kind[seen])


def _rounded(values, digits: int):
    """Nested lists of floats of so many significant digits."""
    return [_rounded(v, digits) for v in values] if np.ndim(values) else float(f"{float(values):.{digits}g}")


def _write(path: Path, header: dict, tensors: dict, digits: int) -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    lines += [f"{json.dumps(key)}: {json.dumps(_rounded(np.asarray(value), digits), separators=(',', ':'))}" for key, value in tensors.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def write_masters(masters: dict) -> None:
    """Float masters, limited to the registers' range [-1, 1]."""
    header = {
        "kind": "hwgen-encoder-masters",
        "description": "Float master weights of the 48-cell trigger encoder: conv_weight[row][column][filter], conv_bias[filter], "
        "dense_weight[output][hidden], dense_bias[output]; hidden is by row, column, filter. A W-bit register is floor(w * 2^(W-1)), saturated.",
        "trained_at": {"bits": 8, "weight_bits": 6, "output_bits": 9},
    }
    _write(MASTERS, header, {name: np.clip(masters[name], -1.0, 1.0) for name in PARAMETERS}, 9)


def write_decoder(decoder: dict) -> None:
    """The float decoder's tensors, by name."""
    header = {
        "kind": "hwgen-encoder-decoder",
        "description": "Float decoder of encoder.json, for evaluation: each layer is inputs @ weight + bias; ReLU after first and second, "
        "softmax after last. Inputs are the 16 outputs over 2^(O-1); the result is each cell's share of the module's charge.",
    }
    _write(DECODER_FILE, header, dict(sorted(decoder.items())), 5)


def write_showers(calq: np.ndarray) -> None:
    """Charges `[n][48]`."""
    header = {"kind": "hwgen-encoder-events", "description": "Synthetic charges on 48 trigger cells, an event a row."}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in header.items()]
    rows = ",\n".join(json.dumps(event.tolist(), separators=(",", ":")) for event in calq)
    SHOWERS.write_text("{\n" + ",\n".join([*lines, f'"calq": [\n{rows}\n]']) + "\n}\n")


def _read(path: Path, kind: str) -> dict:
    content = json.loads(path.read_text())
    if content.get("kind") != kind:
        raise SystemExit(f"{path}: expected a file of kind {kind}, found {content.get('kind')}; run train_encoder.py to write it")
    return {name: np.array(value) for name, value in content.items() if isinstance(value, list)}


def read_masters() -> dict:
    """The four master tensors, in double precision as every reader of the decimal numbers sees them."""
    return _read(MASTERS, "hwgen-encoder-masters")


def read_decoder() -> dict:
    """The decoder's tensors."""
    return {name: value.astype(np.float32) for name, value in _read(DECODER_FILE, "hwgen-encoder-decoder").items()}


def read_showers() -> np.ndarray:
    """The shipped charges `[256][48]`."""
    return _read(SHOWERS, "hwgen-encoder-events")["calq"]
