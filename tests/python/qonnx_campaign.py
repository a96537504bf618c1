"""Random small QONNX graphs with the outputs that the `qonnx` package computes for them.

Usage: qonnx_campaign.py OUT --graphs N --seed S

Writes OUT/00000.onnx, OUT/00000.json, ...; the JSON holds the inputs' formats (null: quantised by the network), and
for each sample the input and output numbers. `cargo test -p hwgen-tests --test import_campaign` imports every graph
and compares. Needs onnx, onnxruntime, qonnx and numpy.
"""

import argparse
import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

BATCH = 8
OPSETS = [13, 16, 18, 19, 21]
GENERAL = "qonnx.custom_op.general"
DOMAINS = [GENERAL, "finn.custom_op.general", "onnx.brevitas", ""]
ROUNDING = ["ROUND", "half_even", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "round"]
f32 = np.float32


class Graph:
    """A graph under construction: `x` is the present tensor, `shape` its extents behind the batch axis."""

    def __init__(self, rng):
        self.rng = rng
        self.nodes, self.constants, self.shapes = [], {}, {}
        self.dyadic = rng.random() < 0.6
        self.quantised = False  # whether the tensor lies on a grid that linear layers can use
        self.width = 0  # bits of a quantised tensor
        self.x, self.shape, self.format = "x", (), None
        self.opset = int(self.pick(*OPSETS))

    def pick(self, *items):
        return items[self.rng.integers(len(items))]

    def chance(self, p):
        return self.rng.random() < p

    def constant(self, values, dtype=f32):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(values, dtype)
        return name

    def node(self, op, inputs, shape=None, domain="", outputs=1, **attributes):
        names = [f"t{len(self.shapes) + k}" for k in range(outputs)]
        shapes = shape if outputs > 1 else [self.shape if shape is None else shape]
        for name, extents in zip(names, shapes):
            self.shapes[name] = tuple(extents)
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{names[0]}", domain=domain, **attributes))
        if outputs == 1:
            self.x, self.shape = names[0], self.shapes[names[0]]
        return names

    def scale(self, shape=()):
        if self.dyadic:
            return f32(2.0) ** self.rng.integers(-4, 3, shape).astype(f32)
        return self.rng.uniform(0.05, 1.5, shape).astype(f32)

    def channels(self, values):
        """One value a channel, stretched over the spatial axes."""
        return np.reshape(values, (-1,) + (1,) * (len(self.shape) - 1))

    # quantisers

    def quantiser(self, last=False):
        kind = self.rng.random()
        if kind < 0.1:
            return self.bipolar()
        if kind < 0.2:
            return self.multi_threshold()
        if kind < 0.3:
            return self.quantize_linear()
        if kind < 0.36 and self.quantised:
            return self.trunc()
        channelwise = last and self.chance(0.4)
        scale = self.channels(self.scale(self.shape[0])) if channelwise else self.scale()
        bits = int(self.rng.integers(1, 8))
        signed = int(self.rng.integers(2))
        narrow = int(self.rng.integers(2)) if bits > 1 else 0
        zero = 0 if self.chance(0.75) or (bits == 1 and signed) else int(self.rng.integers(-3, 4))
        operands = [self.x, self.constant(scale), self.constant(f32(zero)), self.constant(f32(bits))]
        op = self.pick("Quant", "IntQuant")
        self.node(op, operands, domain=GENERAL, signed=signed, narrow=narrow, rounding_mode=self.pick(*ROUNDING))
        self.quantised, self.width = True, bits + 1

    def bipolar(self):
        self.node("BipolarQuant", [self.x, self.constant(self.scale())], domain=GENERAL)
        self.quantised, self.width = True, 2

    def multi_threshold(self):
        count = int(self.rng.integers(1, 8))
        rows = self.pick(1, self.shape[0])
        thresholds = np.sort(self.rng.normal(0, 3, (rows, count)), axis=1).astype(f32)
        if self.chance(0.5):
            thresholds = np.round(thresholds)
        scale, bias = (2.0, -1.0) if self.chance(0.3) else (1.0, self.pick(0.0, -4.0, 2.0))
        layout = "NC" + "HW"[: len(self.shape) - 1]
        self.node("MultiThreshold", [self.x, self.constant(thresholds)], domain=GENERAL, out_dtype="INT8",
                  out_scale=scale, out_bias=bias, data_layout=layout)
        self.quantised, self.width = True, 5

    def quantize_linear(self):
        signed = self.chance(0.5)
        kind = np.int8 if signed else np.uint8
        zero = int(self.rng.integers(-5, 6)) if signed else int(self.rng.integers(0, 200))
        operands = [self.constant(self.scale()), self.constant(zero, kind)]
        self.node("QuantizeLinear", [self.x] + operands)
        self.nodes[-1].name += "_q"
        self.kinds = getattr(self, "kinds", {})
        self.kinds[self.x] = TensorProto.INT8 if signed else TensorProto.UINT8
        if self.chance(0.4):
            # QCDQ: codes of fewer bits than the integer type has
            low, high = (-8, 7) if signed else (0, 15)
            limits = [self.constant(v, kind) for v in (low, high)]
            self.node("Clip", [self.x] + limits)
            self.nodes[-1].name += "_q"
            self.kinds[self.x] = self.kinds[self.nodes[-1].input[0]]
        self.node("DequantizeLinear", [self.x] + operands)
        self.quantised, self.width = True, 9

    def trunc(self):
        scale = self.unit
        if scale is None:
            return self.bipolar()
        bits, drop = self.width, int(self.rng.integers(1, 4))
        bits = max(bits, drop + 1)
        operands = [self.x, self.constant(f32(scale)), self.constant(f32(0)), self.constant(f32(bits))]
        rounding = self.pick(*ROUNDING)
        if self.chance(0.5):
            self.node("Trunc", operands + [self.constant(f32(bits - drop))], domain=GENERAL, rounding_mode=rounding)
        else:
            out = [self.constant(f32(scale * 2.0**drop)), self.constant(f32(bits - drop))]
            self.node("Trunc", operands + out, domain=GENERAL, rounding_mode=rounding,
                      signed=int(self.rng.integers(2)), narrow=int(self.rng.integers(2)))
            self.versions = True
        self.quantised = True

    @property
    def unit(self):
        """The scale of the last quantiser, if it is one number."""
        last = self.nodes[-1] if self.nodes else helper.make_node("Identity", [], [])
        if last.op_type in ("Quant", "IntQuant", "BipolarQuant"):
            scale = self.constants[last.input[1]]
            return float(scale) if scale.size == 1 else None
        return None

    # layers

    def weights(self, shape, axis):
        bits = int(self.rng.integers(1, 6))
        floats = self.rng.normal(0, 1.5, shape).astype(f32)
        if bits == 1:
            name = self.constant(floats)
            old = self.x, self.shape
            self.node("BipolarQuant", [name, self.constant(self.scale())], shape, domain=GENERAL)
        else:
            extents = [1] * len(shape)
            if self.chance(0.5):
                extents[axis] = shape[axis]
            old = self.x, self.shape
            operands = [self.constant(self.scale(extents)), self.constant(f32(0)), self.constant(f32(bits))]
            self.node("Quant", [self.constant(floats)] + operands, shape, domain=GENERAL, signed=1,
                      narrow=int(self.rng.integers(2)), rounding_mode=self.pick(*ROUNDING))
        name, (self.x, self.shape) = self.x, old
        self.static.add(name)
        return name

    def bias(self, count):
        values = self.rng.normal(0, 2, count)
        return self.constant(np.round(values * 4) / 4 if self.dyadic else values)

    def dense(self):
        if len(self.shape) > 1:
            inner = int(np.prod(self.shape))
            if self.chance(0.5):
                self.node("Flatten", [self.x], (inner,))
            else:
                self.node("Reshape", [self.x, self.constant([0, -1], np.int64)], (inner,))
        inputs, outputs = self.shape[0], int(self.rng.integers(1, 9))
        if self.chance(0.5):
            self.node("MatMul", [self.x, self.weights((inputs, outputs), 1)], (outputs,))
            if self.chance(0.4):
                self.node("Add", [self.x, self.bias(outputs)])
        elif self.chance(0.5):
            w = self.weights((outputs, inputs), 0)
            self.node("Gemm", [self.x, w, self.bias(outputs)], (outputs,), transB=1)
        else:
            w = self.weights((outputs, inputs), 0)
            old = self.x, self.shape
            self.node("Transpose", [w], (inputs, outputs), perm=[1, 0])
            w, (self.x, self.shape) = self.x, old
            self.static.add(w)
            self.node("MatMul", [self.x, w], (outputs,))
        self.quantised = False

    def window(self):
        spatial = self.shape[1:]
        kernel = [int(self.rng.integers(1, min(3, e) + 1)) for e in spatial]
        strides = [int(self.rng.integers(1, 3)) for _ in spatial]
        pads = [int(self.rng.integers(0, k)) for k in kernel * 2]
        rank = len(spatial)
        out = [(e + pads[a] + pads[a + rank] - kernel[a]) // strides[a] + 1 for a, e in enumerate(spatial)]
        return kernel, strides, pads, out

    def convolution(self):
        kernel, strides, pads, out = self.window()
        channels = self.shape[0]
        groups = self.pick(*(g for g in range(1, channels + 1) if channels % g == 0)) if self.chance(0.5) else 1
        filters = groups * int(self.rng.integers(1, 4 if groups == 1 else 3))
        dilations = [1] * len(kernel)
        if self.chance(0.2) and all(e + 0 >= 2 * k - 1 for e, k in zip(self.shape[1:], kernel)):
            dilations = [2] * len(kernel)
            rank = len(kernel)
            out = [(e + pads[a] + pads[a + rank] - (kernel[a] - 1) * 2 - 1) // strides[a] + 1
                   for a, e in enumerate(self.shape[1:])]
        operands = [self.x, self.weights((filters, channels // groups, *kernel), 0)]
        if self.chance(0.5):
            operands.append(self.bias(filters))
        place = {"pads": pads}
        if self.chance(0.3):
            kind = self.pick("SAME_UPPER", "SAME_LOWER", "VALID")
            place = {"auto_pad": kind}
            reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
            spatial = [(e, r, s) for e, r, s in zip(self.shape[1:], reach, strides)]
            out = [(e - r) // s + 1 if kind == "VALID" else -(-e // s) for e, r, s in spatial]
            if min(out) < 1:
                return
        if self.chance(0.5):
            place["kernel_shape"] = kernel
        self.node("Conv", operands, (filters, *out), strides=strides, group=groups, dilations=dilations, **place)
        self.quantised = False

    def transposed(self):
        """A transposed convolution."""
        spatial, channels = self.shape[1:], self.shape[0]
        groups = self.pick(*(g for g in range(1, channels + 1) if channels % g == 0)) if self.chance(0.3) else 1
        kernel = [int(self.rng.integers(1, 4)) for _ in spatial]
        strides = [int(self.rng.integers(1, 4)) for _ in spatial]
        dilations = [int(self.pick(1, 1, 2)) for _ in spatial]
        pads = [int(self.rng.integers(0, k)) for k in kernel * 2]
        more = [int(self.rng.integers(0, max(s, d))) if self.chance(0.3) else 0 for s, d in zip(strides, dilations)]
        rank = len(spatial)
        out = [(e - 1) * s + m + (k - 1) * d + 1 - pads[a] - pads[a + rank]
               for a, (e, s, m, k, d) in enumerate(zip(spatial, strides, more, kernel, dilations))]
        if min(out) < 1 or max(out) > 12:
            return
        filters = int(self.rng.integers(1, 3))
        operands = [self.x, self.weights((channels, filters, *kernel), 1 if groups == 1 else 0)]
        if self.chance(0.5):
            operands.append(self.bias(filters * groups))
        self.node("ConvTranspose", operands, (filters * groups, *out), kernel_shape=kernel, strides=strides, pads=pads,
                  group=groups, dilations=dilations, output_padding=more)
        self.quantised = False

    def resize(self):
        """The nearest elements again, or means of neighbours."""
        if len(self.shape) != 3:
            return
        scales = [float(self.pick(1, 2, 2, 3, 0.5)) for _ in range(2)]
        out = [int(np.floor(e * s)) for e, s in zip(self.shape[1:], scales)]
        if min(out) < 1:
            return
        linear = self.chance(0.3)
        attributes = {"mode": "linear" if linear else "nearest"}
        attributes["coordinate_transformation_mode"] = self.pick("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
        if not linear:
            attributes["nearest_mode"] = self.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
        if self.chance(0.5):
            operands = [self.x, "", self.constant([1, 1, *scales])]
        else:
            operands = [self.x, "", "", self.constant([1, self.shape[0], *out], np.int64)]
            self.batched.append(operands[-1])
        self.node("Resize", operands, (self.shape[0], *out), **attributes)
        self.quantised = self.quantised and not linear

    def padding(self):
        """Elements around, in every mode, named for all axes or for some."""
        rank = len(self.shape)
        mode = self.pick("constant", "reflect", "edge") + ""
        if self.opset >= 19 and self.chance(0.3):
            mode = "wrap"
        axes = [int(a) + 1 for a in self.rng.permutation(rank)[: self.rng.integers(1, rank + 1)]]
        most = [min(2, self.shape[a - 1] - 1) for a in axes]
        begin = [int(self.rng.integers(0, m + 1)) for m in most]
        end = [int(self.rng.integers(-1 if mode == "constant" and m > 0 else 0, m + 1)) for m in most]
        shape = list(self.shape)
        for axis, b, e in zip(axes, begin, end):
            shape[axis - 1] += b + e
        if self.opset >= 18:
            operands = [self.constant(begin + end, np.int64), "", self.constant(axes, np.int64)]
        else:
            all_axes = {a: (b, e) for a, b, e in zip(axes, begin, end)}
            pairs = [all_axes.get(a, (0, 0)) for a in range(rank + 1)]
            operands = [self.constant([b for b, _ in pairs] + [e for _, e in pairs], np.int64)]
        self.node("Pad", [self.x, *operands], shape, mode=mode)

    def channels_last(self):
        """A convolution between transpositions, as exporters of channels-last frameworks leave it."""
        rank = len(self.shape)
        last, second = [0, *range(2, rank + 1), 1], [0, rank, *range(1, rank)]
        turned = lambda: (*self.shape[1:], self.shape[0])
        self.node("Transpose", [self.x], turned(), perm=last)
        self.quantiser()
        back = lambda: (self.shape[-1], *self.shape[:-1])
        self.node("Transpose", [self.x], back(), perm=second)
        self.convolution()
        self.node("Transpose", [self.x], turned(), perm=last)
        self.quantiser()
        self.node("Transpose", [self.x], back(), perm=second)

    def pooling(self):
        kernel, strides, pads, out = self.window()
        if self.chance(0.25):
            whole = (self.shape[0], *(1 for _ in self.shape[1:]))
            if self.chance(0.5):
                self.node("GlobalMaxPool", [self.x], whole)
            elif self.quantised:
                kind = self.pick("GlobalAveragePool", "ReduceMean", "ReduceMax")
                axes, operands = {}, []
                if kind != "GlobalAveragePool":
                    numbers = [a - self.pick(0, len(self.shape) + 1) for a in range(2, len(self.shape) + 1)]
                    if self.opset >= 18:
                        operands = [self.constant(numbers, np.int64)]
                        axes = {"noop_with_empty_axes": int(self.rng.integers(2))}
                    else:
                        axes = {"axes": numbers}
                self.node(kind, [self.x] + operands, whole, **axes)
                self.quantised = False
        elif self.chance(0.5):
            place = {"pads": pads}
            if self.chance(0.3):
                kind = self.pick("SAME_UPPER", "SAME_LOWER", "VALID")
                place = {"auto_pad": kind}
                spatial = list(zip(self.shape[1:], kernel, strides))
                out = [(e - k) // s + 1 if kind == "VALID" else -(-e // s) for e, k, s in spatial]
            self.node("MaxPool", [self.x], (self.shape[0], *out), kernel_shape=kernel, strides=strides,
                      storage_order=int(self.rng.integers(2)), **place)
        elif self.quantised:
            if self.dyadic and any(k == 3 for k in kernel):
                kernel = [min(k, 2) for k in kernel]
                rank = len(kernel)
                pads = [0] * (2 * rank)
                out = [(e - kernel[a]) // strides[a] + 1 for a, e in enumerate(self.shape[1:])]
            self.node("AveragePool", [self.x], (self.shape[0], *out), kernel_shape=kernel, strides=strides, pads=pads,
                      count_include_pad=1)
            self.quantised = False

    def batch_normalization(self):
        c = self.shape[0]
        values = [self.rng.normal(0, 1, c), self.rng.normal(0, 2, c), self.rng.normal(0, 3, c), self.rng.uniform(0.1, 20, c)]
        self.node("BatchNormalization", [self.x] + [self.constant(v) for v in values], epsilon=1e-5)
        self.quantised = False

    def activation(self):
        kind = self.pick("Relu", "LeakyRelu", "PRelu", "Clip", "Neg", "HardSigmoid", "Mul", "Add", "Sub", "Div", "Rsub", "Abs")
        c = self.shape[0]
        parameter = lambda v: self.constant(self.channels(v) if self.chance(0.5) else f32(v[0]))
        if kind == "LeakyRelu":
            self.node(kind, [self.x], alpha=float(self.pick(0.125, 0.1, 0.5)))
        elif kind == "PRelu":
            self.node(kind, [self.x, self.constant(self.channels(self.rng.uniform(0, 1, c)))])
        elif kind == "Clip":
            self.node(kind, [self.x, self.constant(f32(-1)), self.constant(f32(2.5))])
        elif kind in ("Mul", "Div"):
            self.node(kind, [self.x, parameter(self.rng.uniform(0.2, 3, c) * self.rng.choice([-1, 1], c))])
        elif kind in ("Add", "Sub"):
            self.node(kind, [self.x, parameter(self.rng.normal(0, 2, c))])
        elif kind == "Rsub":
            self.node("Sub", [parameter(self.rng.normal(0, 2, c)), self.x])
        else:
            self.node(kind, [self.x])
        self.quantised = self.quantised and kind in ("Relu", "Neg")

    def movement(self):
        rank = len(self.shape)
        kind = self.pick("Transpose", "Slice", "Gather", "Reshape", "Split", "Squeeze", "Pad")
        if kind == "Transpose" and rank > 1:
            order = [int(a) for a in self.rng.permutation(rank)]
            self.node(kind, [self.x], [self.shape[a] for a in order], perm=[0] + [a + 1 for a in order])
        elif kind == "Slice" and self.shape[0] > 1:
            step = self.pick(1, 2, -1)
            start, end = (0, 100) if step > 0 else (-1, -100)
            count = len(range(self.shape[0])[::step])
            indices = [self.constant([v], np.int64) for v in (start, end, 1, step)]
            self.node(kind, [self.x] + indices, (count, *self.shape[1:]))
        elif kind == "Gather":
            indices = self.rng.integers(0, self.shape[0], self.shape[0])
            self.node(kind, [self.x, self.constant(indices - self.pick(0, self.shape[0]), np.int64)], self.shape,
                      axis=self.pick(1, -rank))
        elif kind == "Split" and self.shape[0] > 1:
            first = self.shape[0] // 2
            parts = [(first, *self.shape[1:]), (self.shape[0] - first, *self.shape[1:])]
            sizes = self.constant([first, self.shape[0] - first], np.int64)
            a, b = self.node(kind, [self.x, sizes], parts, outputs=2, axis=1)
            self.node("Concat", [b, a], self.shape, axis=1)
        elif kind == "Squeeze":
            self.node("Unsqueeze", [self.x, self.constant([2], np.int64)], (self.shape[0], 1, *self.shape[1:]))
            self.node("Squeeze", [self.x, self.constant([2], np.int64)], (self.shape[0], *self.shape[2:]))
        elif kind == "Pad" and self.quantised and self.nodes and self.nodes[-1].op_type == "Quant":
            self.padding()

    def residual(self):
        """Two branches of one tensor, each quantised with the same scale, added, multiplied or compared."""
        start, shape, width = self.x, self.shape, self.width
        scale = self.constant(self.scale())
        branches = []
        for _ in range(2):
            self.x, self.shape = start, shape
            if self.chance(0.5):
                self.node("Mul", [self.x, self.constant(f32(self.rng.uniform(0.5, 2)))])
            bits = int(self.rng.integers(2, 5))
            self.node("Quant", [self.x, scale, self.constant(f32(0)), self.constant(f32(bits))], domain=GENERAL,
                      signed=1, narrow=0, rounding_mode=self.pick(*ROUNDING))
            branches.append(self.x)
        if self.chance(0.2):
            self.node("Concat", branches, (2 * shape[0], *shape[1:]), axis=self.pick(1, -len(shape)))
        elif self.chance(0.2):
            third = [self.pick(*branches)] * int(self.rng.integers(1, 3))
            self.node(self.pick("Sum", "Mean", "Max", "Min"), branches + third)
        else:
            self.node(self.pick("Add", "Sub", "Mul", "Max", "Min", "Add"), branches)
        self.quantised, self.width = False, max(width, 5)

    def build(self):
        self.static = set()
        self.batched = []  # constants whose first number is the batch's extent
        rank = self.pick(1, 1, 2, 3)
        extents = {1: (self.rng.integers(2, 12),), 2: (self.rng.integers(1, 4), self.rng.integers(3, 9))}
        self.shape = tuple(int(e) for e in extents.get(rank, (self.rng.integers(1, 4), *self.rng.integers(3, 6, 2))))
        self.input_shape = self.shape
        if self.chance(0.6):
            self.format = self.pick("s8.4", "u6.2", "s6.0", "u4.4")
            if self.chance(0.5):
                self.activation()
        elif self.chance(0.4):
            self.node("Mul", [self.x, self.constant(f32(1.7))])
            self.node("Sub", [self.x, self.constant(f32(0.3))])
        if self.format is None or self.chance(0.7):
            self.quantiser()
        else:
            self.quantised, self.width = not self.nodes, 8
        for _ in range(self.rng.integers(1, 4)):
            if not self.quantised:
                self.quantiser()
            if self.chance(0.3):
                self.movement()
            layers = [self.dense, self.residual] + [
                self.convolution, self.convolution, self.transposed, self.resize, self.channels_last, self.pooling
            ] * (len(self.shape) > 1)
            self.pick(*layers)()
            if self.chance(0.3):
                self.batch_normalization()
            if self.chance(0.5):
                self.activation()
            if self.chance(0.2) and len(self.shape) > 1:
                self.pooling()
            if self.chance(0.2):
                self.movement()
            if self.chance(0.8):
                self.quantiser(last=True)
        if not self.nodes:
            self.quantiser(last=True)
        if self.quantised and self.chance(0.05):
            self.node("ArgMax", [self.x], (1, *self.shape[1:]), axis=1)
            self.kinds = getattr(self, "kinds", {})
            self.kinds[self.x] = TensorProto.INT64
        return self

    def model(self, batch):
        info = lambda name, shape, kind=TensorProto.FLOAT: helper.make_tensor_value_info(name, kind, shape)
        kinds = getattr(self, "kinds", {})
        whole = lambda name: list(self.shapes[name]) if name in self.static else [batch, *self.shapes[name]]
        inner = [info(n, whole(n), kinds.get(n, TensorProto.FLOAT)) for n in self.shapes if n != self.x]
        first = lambda n, v: np.concatenate([[batch], v[1:]]).astype(v.dtype) if n in self.batched else v
        initializers = [numpy_helper.from_array(first(n, v), n) for n, v in self.constants.items()]
        graph = helper.make_graph(self.nodes, "campaign", [info("x", [batch, *self.input_shape])],
                                  [info(self.x, [batch, *self.shape], kinds.get(self.x, TensorProto.FLOAT))],
                                  initializers, value_info=inner)
        version = 2 if getattr(self, "versions", False) else 1
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(GENERAL, version)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def samples(self):
        shape = (BATCH, *self.input_shape)
        if self.format is None:
            return self.rng.normal(0, 2, shape).astype(f32)
        width, frac = (int(v) for v in self.format[1:].split("."))
        low = -(2 ** (width - 1)) if self.format[0] == "s" else 0
        return (self.rng.integers(low, low + 2**width, shape) / 2.0**frac).astype(f32)


def write(folder, number, seed):
    rng = np.random.default_rng([seed, number])
    graph = Graph(rng).build()
    if any(n.op_type == "Trunc" and len(n.input) == 5 for n in graph.nodes) and getattr(graph, "versions", False):
        return False  # one file cannot import both versions of the operator
    x = graph.samples()
    try:
        y = execute_onnx(ModelWrapper(graph.model(BATCH)), {"x": x})[graph.x]
    except (onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
            onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
        return False  # it refuses windows whose automatic padding would be negative, or with dilation
    if not np.isfinite(y).all():
        return False
    model = graph.model(1)
    domain = DOMAINS[rng.integers(len(DOMAINS))]
    for node in model.graph.node:
        if node.domain == GENERAL:
            node.domain = domain
    onnx.save(model, folder / f"{number:05}.onnx")
    flat = lambda a: [[float(v) for v in row] for row in a.reshape(BATCH, -1)]
    case = {"format": graph.format, "x": flat(x), "y": flat(y)}
    (folder / f"{number:05}.json").write_text(json.dumps(case))
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--graphs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    number = written = 0
    while written < options.graphs:
        written += write(options.out, number, options.seed)
        number += 1
    print(f"{written} graphs in {options.out}")


if __name__ == "__main__":
    main()
