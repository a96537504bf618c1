"""The networks that are trained: their forward passes as the hardware computes them, their losses, and what the generator reads."""

import json
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fixed import Fixed, Formats, Mlp

SIGMOID_INDEX = Fixed(10, 4, nearest=True, saturates=True)
SIGMOID_OUTPUT = Fixed(8, 0, signed=False, nearest=True, saturates=True)


def read(path: Path) -> dict[str, np.ndarray]:
    """Events as `hwgen events` writes them, one array a key."""
    events = [json.loads(line) for line in path.open()]
    return {key: np.array([event[key] for event in events]) for key in events[0]}


@dataclass(frozen=True)
class Tracking:
    """The edge classifier: R1 10→8→8→4, sum over a receiver's edges, O 7→8→8→3, R2 10→8→8→1, sigmoid."""

    formats: Formats
    blocks = (Mlp("relation", [10, 8, 8, 4], False), Mlp("object", [7, 8, 8, 3], False), Mlp("score", [10, 8, 8, 1], False))

    def prepare(self, events: dict) -> dict:
        grid = self.formats.input
        features = {key: np.rint(events[key] / grid.step).astype(np.float32) * np.float32(grid.step) for key in ("nodes", "edges")}
        return features | {key: events[key].astype(np.int32) for key in ("sender", "receiver", "valid", "truth")}

    def scores(self, parameters: list, masks: list, event: dict, quantised: bool) -> jax.Array:
        """What goes into the sigmoid, `[events][edges]`."""
        formats = self.formats if quantised else None
        relation, obj, score = (lambda x, m=m, p=p, k=k: m(p, k, x, formats) for m, p, k in zip(self.blocks, parameters, masks))
        ends = lambda x: [jnp.take_along_axis(x, event[end][..., None], axis=1) for end in ("receiver", "sender")]
        x = event["nodes"]
        message = relation(jnp.concatenate([*ends(x), event["edges"]], -1))
        into = jax.nn.one_hot(event["receiver"], x.shape[1]) * event["valid"][..., None]
        total = jnp.einsum("ben,bem->bnm", into, message)
        total = formats.sum(total) if formats else total
        new = obj(jnp.concatenate([x, total], -1))
        return score(jnp.concatenate([*ends(new), message], -1))[..., 0]

    def loss(self, parameters: list, masks: list, event: dict, quantised: bool) -> jax.Array:
        """Cross entropy, mean over segments."""
        each = optax.sigmoid_binary_cross_entropy(self.scores(parameters, masks, event, quantised), event["truth"])
        return (each * event["valid"]).sum() / event["valid"].sum()

    def quality(self, parameters: list, masks: list, event: dict, quantised: bool) -> dict[str, float]:
        """Area under the curve of the edge weights, as the hardware gives them."""
        scores = np.asarray(self.scores(parameters, masks, event, quantised))
        if quantised:
            scores = np.asarray(SIGMOID_OUTPUT(jax.nn.sigmoid(SIGMOID_INDEX(scores))))
        live = event["valid"] == 1
        return {"AUC": auc(scores[live], event["truth"][live] == 1)}

    def exported(self, parameters: list, masks: list, event: dict) -> dict:
        step, (low, _) = SIGMOID_INDEX.step, SIGMOID_INDEX.limits
        patterns = np.concatenate([np.arange(0, -low, step), np.arange(low, 0, step)])
        table = np.rint(1 / (1 + np.exp(-patterns)) / SIGMOID_OUTPUT.step).clip(0, 2**SIGMOID_OUTPUT.width - 1)
        sigmoid = {"index": SIGMOID_INDEX.text(), "output": SIGMOID_OUTPUT.text(), "table": table.astype(int).tolist()}
        aggregate = {"how": "sum", "quantiser": self.formats.sum.text()}
        return {
            "kind": "tracking",
            "nodes": event["nodes"].shape[1],
            "edges": event["edges"].shape[1],
            "node_features": event["nodes"].shape[2],
            "edge_features": event["edges"].shape[2],
            "input": self.formats.input.text(),
            **exported(self, parameters, masks),
            "aggregate": aggregate,
            "sigmoid": sigmoid,
        }


@dataclass(frozen=True)
class Jets:
    """A small JEDI-net: f_R 6→8→4, sum over senders, f_O 7→16→8, sum over particles, φ 8→16→5."""

    formats: Formats
    blocks = (Mlp("relation", [6, 8, 4], True), Mlp("object", [7, 16, 8], True), Mlp("classifier", [8, 16, 5], False))

    def prepare(self, jets: dict) -> dict:
        grid = self.formats.input
        features = np.rint(jets["particles"] / grid.step).astype(np.float32) * np.float32(grid.step)
        return {"particles": features, "class": jets["class"].astype(np.int32)}

    def scores(self, parameters: list, masks: list, jets: dict, quantised: bool) -> jax.Array:
        """One score a class, `[jets][classes]`."""
        formats = self.formats if quantised else None
        relation, obj, classifier = (lambda x, m=m, p=p, k=k: m(p, k, x, formats) for m, p, k in zip(self.blocks, parameters, masks))
        x = jets["particles"]
        batch, n, features = x.shape
        receiver = jnp.broadcast_to(x[:, :, None], (batch, n, n, features))
        sender = jnp.broadcast_to(x[:, None], (batch, n, n, features))
        message = relation(jnp.concatenate([receiver, sender], -1)) * (1 - jnp.eye(n))[..., None]
        return classifier(obj(jnp.concatenate([x, message.sum(2)], -1)).sum(1))

    def loss(self, parameters: list, masks: list, jets: dict, quantised: bool) -> jax.Array:
        """Cross entropy, mean over jets."""
        return optax.softmax_cross_entropy_with_integer_labels(self.scores(parameters, masks, jets, quantised), jets["class"]).mean()

    def quality(self, parameters: list, masks: list, jets: dict, quantised: bool) -> dict[str, float]:
        scores = np.asarray(jax.nn.softmax(self.scores(parameters, masks, jets, quantised)))
        areas = [auc(scores[:, k], jets["class"] == k) for k in range(scores.shape[1])]
        return {"mean AUC": float(np.mean(areas)), "accuracy": float((scores.argmax(1) == jets["class"]).mean())}

    def exported(self, parameters: list, masks: list, jets: dict) -> dict:
        exact = {"how": "sum", "quantiser": None}
        return {
            "kind": "jedinet",
            "particles": jets["particles"].shape[1],
            "features": jets["particles"].shape[2],
            "input": self.formats.input.text(),
            **exported(self, parameters, masks),
            "aggregate": exact,
            "pool": exact,
        }


def exported(network: Tracking | Jets, parameters: list, masks: list) -> dict:
    blocks = zip(network.blocks, parameters, masks, strict=True)
    return {block.name: block.exported(layers, kept, network.formats) for block, layers, kept in blocks}


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """The probability that a true one scores higher than a false one, ties by half."""
    ordered = np.sort(scores[~truth])
    below = np.searchsorted(ordered, scores[truth], "left") + np.searchsorted(ordered, scores[truth], "right")
    return float(below.mean() / 2 / len(ordered))
