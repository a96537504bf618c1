"""Output folders: simulated, proved, mapped."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

from . import _hwgen
from .options import arguments
from .reports import Outcome, Report, Synthesis, Verification, read


class Remark(UserWarning):
    """What a reader of a result must know of the files that it is of."""


class Design:
    """An output folder of hwgen."""

    def __init__(self, dir: str | os.PathLike[str], report: str | None = None):
        #: Where it is.
        self.dir = Path(dir)
        text = report or _report(self.dir)
        #: Latency, interface, formats, size and checks.
        self.report: Report = read(Report, json.loads(text))

    def simulate(
        self,
        engine: str = "batch",
        *,
        vectors: str | os.PathLike[str] | None = None,
        random: int | None = None,
        seed: int | None = None,
        first: int | None = None,
        waves: str | os.PathLike[str] | None = None,
        limit: int | None = None,
        check: bool = True,
    ) -> list[Outcome]:
        """Runs vectors in `batch`, `icarus`, `verilator` or `all`, every output bit compared.

        A mismatch is an error, unless `check` is false. The other keywords are the options of `hwgen sim`.
        """
        chosen = {name: value for name, value in locals().items() if name not in ("self", "check")}
        text, remarks = _hwgen.simulate([*arguments(**chosen), "--", str(self.dir)], check)
        _remark(remarks)
        return [read(Outcome, outcome) for outcome in json.loads(text)]

    def verify(self, *, check: bool = True) -> list[Verification]:
        """Proves the Verilog equal to its model for every input; what is not proved is an error, unless `check` is false."""
        text, remarks = _hwgen.verify(self.dir, check)
        _remark(remarks)
        return [read(Verification, verification) for verification in json.loads(text)]

    def synth(
        self,
        target: str | None = None,
        *,
        liberty: str | os.PathLike[str] | None = None,
        clock_ns: float | None = None,
        steps: str | list[str] | None = None,
        effort: str | None = None,
        hierarchy: str | None = None,
        dsp: bool = False,
        gates: str | None = None,
        limit: int | None = None,
        out: str | os.PathLike[str] | None = None,
        force: bool = False,
        check: bool = True,
    ) -> Synthesis:
        """Maps the Verilog to cells or look-up tables: size, timing, power and proofs.

        A step that does not end well is an error, unless `check` is false. The other keywords are the options of
        `hwgen synth`.
        """
        chosen = {name: value for name, value in locals().items() if name not in ("self", "check")}
        return read(Synthesis, json.loads(_hwgen.synth([*arguments(**chosen), "--", str(self.dir)], check)))


def _report(dir: Path) -> str:
    try:
        return (dir / "report.json").read_text(encoding="utf-8")
    except OSError as error:
        raise _hwgen.InputError(f"this is no folder that hwgen wrote: {error}") from error


def _remark(remarks: list[str]) -> None:
    for remark in remarks:
        warnings.warn(remark, Remark, stacklevel=3)
