import os

import numpy as np

__version__: str

class Error(Exception):
    """A check said no, or a tool that it needs is missing."""

class InputError(Error):
    """What was asked for cannot be."""

def show_progress() -> None:
    """Says on standard error what long calls are doing, from now on."""

def simulate(arguments: list[str], check: bool) -> tuple[str, list[str]]: ...
def synth(arguments: list[str], check: bool) -> str: ...
def verify(dir: os.PathLike[str], check: bool) -> tuple[str, list[str]]: ...

class Network:
    remarks: str
    inputs: list[tuple[str, list[int]]]
    outputs: list[tuple[str, list[int]]]
    layers: list[tuple[str, list[int]]]
    def __init__(self, arguments: list[str]) -> None: ...
    def integers(self, events: list[np.ndarray]) -> list[np.ndarray]: ...
    def floats(self, events: list[np.ndarray]) -> list[np.ndarray]: ...
    def trace(self, events: list[np.ndarray], layers: list[int]) -> list[np.ndarray]: ...
    def inspect(self) -> str: ...
    def build(self, arguments: list[str]) -> str: ...
