"""Benchmark networks that are no plain chain of layers, in hwgen's own form (`hwgen schema`).

`econ`: 4×4×3 unsigned bytes, 3×3 convolution with zero padding, dense layer; both with ReLU, round half up, saturate.
`in`: two dense layers on every ordered pair of nodes, summed for each receiving node.
"""


class Network:
    """Layers one after the other; a tensor is the number that `add` gives."""

    def __init__(self, name, shape, lowest, highest):
        self.content = {"name": name, "layers": [], "outputs": []}
        self.content["inputs"] = [{"name": "x", "shape": shape, "range": [lowest, highest]}]

    def add(self, op, *inputs):
        layers = self.content["layers"]
        layers.append({"name": f"layer{len(layers)}", "op": op, "inputs": list(inputs)})
        return len(layers)

    def dense(self, x, weights, bias):
        """`weights` with a row for each input."""
        columns = [list(column) for column in zip(*weights)]
        shape = [len(columns), len(weights)]
        matrix = {"shape": shape, "values": [w for column in columns for w in column]}
        return self.add({"dense": {"weights": matrix, "bias": bias}}, x)

    def activation(self, x, drop, bits):
        """ReLU, round half up, saturate."""
        limit = {"saturate": {"lo": 0, "hi": 2**bits - 1}}
        return self.add({"requantise": {"drop": drop, "rounding": "half_up", "limit": limit}}, self.add("relu", x))

    def finish(self, x):
        self.content["outputs"].append({"name": "y", "tensor": x})
        return self.content


def econ(case):
    net = Network("econ", [1, 4, 4, 3], 0, 255)
    kernel = case["K"]  # row, column, channel, filter
    filters, channels = len(case["kb"]), len(kernel[0][0])
    taps = [(c, i, j) for c in range(channels) for i in range(3) for j in range(3)]
    values = [kernel[i][j][c][f] for f in range(filters) for c, i, j in taps]
    window = {"kernel": [3, 3], "strides": [1, 1], "dilations": [1, 1], "pads_begin": [1, 1], "pads_end": [1, 1]}
    weights = {"shape": [filters, channels, 3, 3], "values": values}
    convolution = {"weights": weights, "bias": case["kb"], "window": window, "groups": 1}
    planes = net.add({"transpose": {"axes": [0, 3, 1, 2]}}, 0)
    hidden = net.activation(net.add({"convolution": convolution}, planes), case["shifts"][0], 8)
    pixels = net.add({"transpose": {"axes": [0, 2, 3, 1]}}, hidden)
    flat = net.add({"reshape": {"shape": [1, 16 * filters]}}, pixels)
    return net.finish(net.activation(net.dense(flat, case["D"], case["db"]), case["shifts"][1], 9))


def edges(case):
    nodes, features = case["N"], case["P"]
    net = Network("inedge", [nodes, features], -128, 127)
    pairs = [(i, j) for i in range(nodes) for j in range(nodes) if i != j]

    def of(side):
        indices = [pair[side] for pair in pairs]
        return net.add({"gather": {"axis": 0, "indices": indices}}, 0)

    x = net.add({"concat": {"axis": 1}}, of(0), of(1))
    for weights, bias, drop in [("A", "ab", 0), ("B", "bb", 1)]:
        x = net.activation(net.dense(x, case[weights], case[bias]), case["shifts"][drop], 8)
    outputs = len(case["bb"])
    messages = net.add({"reshape": {"shape": [nodes, nodes - 1, outputs]}}, x)
    return net.finish(net.add({"reduce": {"kind": "sum", "axes": [1]}}, messages))


MODELS = {"econ": econ, "in": edges}
