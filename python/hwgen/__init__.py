"""Quantised neural networks as bit-exact hardware: predictions, estimates, Verilog and synthesis."""

from ._hwgen import Error, InputError, __version__, show_progress
from .design import Design, Remark
from .model import Model, from_keras, from_onnx, from_torch, load

__all__ = [
    "Design",
    "Error",
    "InputError",
    "Model",
    "Remark",
    "__version__",
    "from_keras",
    "from_onnx",
    "from_torch",
    "load",
    "show_progress",
]
