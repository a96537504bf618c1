"""Writes tests/tests/data/torch: the state dictionary of a small edge classifier as torch.save and numpy.savez write it.

usage: python tests/python/torch_state.py tests/tests/data/torch    (requirements: torch, numpy)
"""

import sys
from pathlib import Path

import numpy
import torch
from torch import nn


class Perceptron(nn.Module):
    """Linear layers with ReLUs between them."""

    def __init__(self, *sizes):
        super().__init__()
        layers = [part for pair in zip(sizes, sizes[1:]) for part in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*layers[:-1])


class EdgeClassifier(nn.Module):
    """Two features of a node, one of an edge, two of a message, one result of a node."""

    def __init__(self):
        super().__init__()
        self.R1, self.O, self.R2 = Perceptron(5, 3, 2), Perceptron(4, 4, 1), Perceptron(4, 3, 1)


def main():
    folder = Path(sys.argv[1])
    torch.manual_seed(1)
    state = EdgeClassifier().state_dict()
    # a matrix that does not lie in row-major order
    state["O.layers.0.weight"] = state["O.layers.0.weight"].t()
    torch.save(state, folder / "state.pt")
    numpy.savez(folder / "state.npz", **{name: tensor.numpy() for name, tensor in state.items()})


if __name__ == "__main__":
    main()
