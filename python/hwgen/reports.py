"""What the program's JSON says, as dataclasses; field for field."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Optional, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read(kind: type[T], data: Any) -> T:
    """`data` as a value of `kind`, all the way down; fields that are not there are None, `pass_` is `pass`."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: read(hints[field.name], data.get(field.name.rstrip("_"))) for field in fields(kind)})
    if data is None:
        return data
    inner = get_args(kind)
    if get_origin(kind) is list:
        return [read(inner[0], item) for item in data]  # type: ignore[return-value]
    if get_origin(kind) is dict:
        return {key: read(inner[1], value) for key, value in data.items()}  # type: ignore[return-value]
    if type(None) in inner:
        return read(inner[0], data)
    return data


@dataclass(frozen=True)
class InspectedLayer:
    """A layer, for one evaluation."""

    name: str
    kind: str
    shape: list[int]
    format: str
    range: list[int]
    #: What one step of an integer is worth, where that is known and one number.
    scale: Optional[float]
    weights: int
    zero_weights: int
    multiplies: int
    additions: int
    comparisons: int
    bit_operations: int
    loss: Optional[str]


@dataclass(frozen=True)
class Doubt:
    """A layer whose steps may lie one integer off, because the framework's own sums are not exact there."""

    layer: str
    steps: int
    of: int


@dataclass(frozen=True)
class Inspection:
    """What a network consists of: inputs first, then the layers in order."""

    name: str
    layers: list[InspectedLayer]
    outputs: list[str]
    doubts: list[Doubt]


@dataclass(frozen=True)
class Timing:
    """Clock and cycles of a design; delays are estimates."""

    clock_ns: float
    latency: int
    initiation_interval: int
    stage_delays_ps: list[int]
    least_clock_ps: int
    source: str


@dataclass(frozen=True)
class Elements:
    """A run of elements of one format on a port."""

    first: int
    count: int
    format: str
    width: int
    lowest_bit: int


@dataclass(frozen=True)
class Port:
    """A port of the top module."""

    name: str
    direction: str
    bits: int
    elements: list[Elements]
    cycle: Optional[int]


@dataclass(frozen=True)
class LayerFormats:
    """The number formats of a layer."""

    layer: str
    shape: str
    input: str
    weight: str
    product: str
    accumulator_frac: int
    output: str
    quantiser: str


@dataclass(frozen=True)
class SizeEstimate:
    """What a design takes by its target's formulas; what a technology does not have is 0."""

    target: str
    look_up_tables: int
    flip_flops: int
    area_um2: float


@dataclass(frozen=True)
class Size:
    """Counts of a design's data-flow graph."""

    operators: dict[str, int]
    adders: int
    adder_bits: int
    pipeline_register_bits: int
    state_bits: int
    estimate: Optional[SizeEstimate]


@dataclass(frozen=True)
class Check:
    """Something that was run to check a design, and what came out."""

    what: str
    result: str


@dataclass(frozen=True)
class Report:
    """The report of an output folder."""

    schema: str
    generator: str
    design: str
    top: str
    parameters: dict[str, str]
    timing: Timing
    interface: list[Port]
    layers: list[LayerFormats]
    size: Size
    checks: list[Check]
    files: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """How one engine did on vectors; seconds are those to build and to run."""

    engine: str
    runs: str
    vectors: int
    latency: Optional[int]
    #: Whether every bit was right: `pass` in JSON, which is a word of Python.
    pass_: bool
    mismatches: list[str]
    seconds: list[float]


@dataclass(frozen=True)
class ProvedLayer:
    """A layer of which every number was proved."""

    layer: str
    numbers: int
    method: str


@dataclass(frozen=True)
class Counterexample:
    """An input for which the Verilog gives something else than the model."""

    port: str
    element: int
    bit: int
    got: int
    layer: Optional[str]
    vectors: dict[str, list[list[int]]]


@dataclass(frozen=True)
class Verification:
    """What was proved of one reading of the Verilog; the verdict is proved, refuted or not_proved."""

    read_by: str
    verdict: str
    proved: list[ProvedLayer]
    not_proved: list[str]
    latency: int
    counterexample: Optional[Counterexample]
    seconds: float


@dataclass(frozen=True)
class Step:
    """A step of a synthesis; the state is done, failed, broken, timed-out or skipped."""

    name: str
    state: str
    seconds: float
    cpu_seconds: float
    memory_mb: float
    result: str


@dataclass(frozen=True)
class Figure:
    """A number and where it comes from; the basis is measured, scaled or estimated."""

    name: str
    value: float
    unit: str
    basis: str
    tool: str
    library: str
    corner: str
    activity: Optional[str]
    method: str


@dataclass(frozen=True)
class Path:
    """A set-up path, between the nets with names."""

    from_: str
    to: str
    cells: int
    slack_ns: float


@dataclass(frozen=True)
class Synthesis:
    """The report of a synthesis."""

    schema: str
    generator: str
    top: str
    target: str
    clock_ns: float
    latency: int
    steps: list[Step]
    figures: list[Figure]
    cells: dict[str, int]
    layers: dict[str, dict[str, int]]
    paths: list[Path]
    notes: list[str]

    def figure(self, name: str) -> Optional[Figure]:
        """The first figure of that name."""
        return next((figure for figure in self.figures if figure.name == name), None)
