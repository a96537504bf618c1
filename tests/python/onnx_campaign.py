"""Random ONNX graphs with random settings of every attribute, and what the frameworks make of them.

Usage: onnx_campaign.py OUT --graphs N --seed S

Operators of ai.onnx in operator sets 6 to 24 (QDQ and QOperator among them) and of both QONNX domains follow each other at random. Each
node is executed by itself, by onnxruntime, or by the `onnx` package's reference where onnxruntime has no code for it, or by `qonnx`; a
node that none of them takes is left out. Writes OUT/NNNNN.onnx and OUT/NNNNN.json for `cargo test -p hwgen-tests --test import_campaign`.
Each graph is made in a process of its own, for onnxruntime aborts on some values. Needs onnx, onnxruntime, qonnx and numpy.
"""

import argparse
import json
import os
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from qonnx.custom_op.registry import getCustomOp

SAMPLES = 6
GENERAL, LAST = "qonnx.custom_op.general", "qonnx.custom_op.channels_last"
DOMAINS = [GENERAL, "onnx.brevitas"]
ROUNDING = ["ROUND", "half_even", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "round"]
CODES = {TensorProto.INT8: np.int8, TensorProto.UINT8: np.uint8}
f32 = np.float32

onnxruntime.set_default_logger_severity(4)
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.intra_op_num_threads = 1
OPTIONS.inter_op_num_threads = 1


class Left(Exception):
    """The node cannot be made here."""


class Graph:
    """A graph under construction: `values` are the present tensor's, one array a sample."""

    def __init__(self, rng):
        self.rng = rng
        self.opset = int(rng.integers(6, 25))
        self.qonnx = int(rng.integers(1, 3))
        self.general = DOMAINS[rng.integers(2)]
        self.nodes, self.constants, self.kinds = [], {}, {}
        self.dyadic = self.chance(0.7)
        self.format = self.pick("s8.4", "u6.2", "s6.0", "s5.3")
        shape = {0: (1, 6), 1: (1, 3, 6), 2: (1, 4, 4, 4), 3: (1, 2, 5, 5), 4: (2, 6)}[int(rng.integers(5))]
        self.inputs = self.samples(shape)
        self.name, self.values = "x", self.inputs

    # drawing

    def pick(self, *items):
        return items[self.rng.integers(len(items))]

    def chance(self, p):
        return self.rng.random() < p

    def int(self, low, high):
        """A number from low to high."""
        return int(self.rng.integers(low, high + 1))

    def samples(self, shape):
        width, frac = (int(v) for v in self.format[1:].split("."))
        low = -(2 ** (width - 1)) if self.format[0] == "s" else 0
        return [(self.rng.integers(low, low + 2**width, shape) / 2.0**frac).astype(f32) for _ in range(SAMPLES)]

    def floats(self, *shape):
        """Constants, few bits of a fixed point mostly."""
        if self.dyadic or self.chance(0.3):
            return (self.rng.integers(-12, 13, shape) / 4).astype(f32)
        return self.rng.normal(0, 1.5, shape).astype(f32)

    def positive(self, *shape):
        if self.dyadic:
            return (2.0 ** self.rng.integers(-3, 3, shape)).astype(f32)
        return self.rng.uniform(0.05, 1.5, shape).astype(f32)

    @property
    def shape(self):
        return self.values[0].shape

    @property
    def rank(self):
        return len(self.shape)

    @property
    def kind(self):
        return self.values[0].dtype

    def some(self, **attributes):
        """Each attribute or not; a function is called only if it is wanted."""
        return {name: value() if callable(value) else value for name, value in attributes.items() if self.chance(0.6)}

    def known(self, op, attributes):
        """Those that the operator has in this operator set."""
        try:
            schema = defs.get_schema(op, self.opset, "")
        except defs.SchemaError:
            raise Left from None
        return {name: value for name, value in attributes.items() if name in schema.attributes}

    # nodes

    def node(self, op, *operands, outputs=1, take=0, domain="", **attributes):
        """Appends a node on the present tensor, or on `operands` where those begin with a name."""
        if domain == "":
            attributes = self.known(op, attributes)
        names, arrays = [], []
        for operand in operands if operands and isinstance(operands[0], tuple) else [(self.name, self.values), *operands]:
            if operand is None:
                names.append("")
            elif isinstance(operand, tuple):
                names.append(operand[0])
                arrays.append(operand)
            else:
                names.append(f"c{len(self.constants)}")
                self.constants[names[-1]] = np.asarray(operand)
        while names and names[-1] == "":
            names.pop()
        results = [f"t{len(self.nodes)}_{k}" for k in range(outputs)]
        made = helper.make_node(op, names, results, name=f"{op}_{len(self.nodes)}", domain=domain, **attributes)
        values = [self.execute(made, {name: value[k] for name, value in arrays}) for k in range(SAMPLES)]
        shapes = {(v[take].shape, v[take].dtype) for v in values}
        if len(shapes) != 1 or values[0][take].size == 0 or values[0][take].size > 600:
            raise Left
        if values[0][take].dtype.kind == "f" and not all(np.isfinite(v[take]).all() for v in values):
            raise Left
        self.nodes.append(made)
        self.name, self.values = results[take], [v[take] for v in values]

    def execute(self, node, tensors):
        """The results of one node."""
        fixed = {name: self.constants[name] for name in node.input if name in self.constants}
        if node.domain in (self.general, LAST):
            context = {**fixed, **tensors, **{name: self.values[0] for name in node.output}}
            version = self.opset if node.domain == LAST else self.qonnx
            getCustomOp(node, version).execute_node(context, None)
            return [np.asarray(context[name]) for name in node.output]
        infos = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for name, v in tensors.items()]
        results = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "node", infos, results, [numpy_helper.from_array(v, name) for name, v in fixed.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8 if self.opset < 21 else 10)
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), OPTIONS, providers=["CPUExecutionProvider"])
            return session.run(None, tensors)
        except Exception as error:
            if "NOT_IMPLEMENTED" not in str(error) and "NotImplemented" not in type(error).__name__:
                raise Left from None
        return ReferenceEvaluator(model).run(None, tensors)

    # quantisers

    def quant(self):
        bits = self.int(1, 7)
        signed = self.int(0, 1)
        channels = self.rank > 1 and self.chance(0.3)
        scale = self.positive(*([1, self.shape[1]] + [1] * (self.rank - 2))) if channels else self.positive()
        zero = 0 if self.chance(0.75) or (bits == 1 and signed) else self.int(-3, 3)
        self.node(self.pick("Quant", "IntQuant"), scale, f32(zero), f32(bits), domain=self.general, signed=signed,
                  narrow=self.int(0, 1) if bits > 1 else 0, **self.some(rounding_mode=self.pick(*ROUNDING)))

    def bipolar(self):
        self.node("BipolarQuant", self.positive(), domain=self.general)

    def trunc(self):
        operands = [self.positive(), f32(0), f32(self.int(4, 8))]
        operands += [f32(self.int(1, 4))] if self.qonnx < 2 else [operands[0] * f32(2.0 ** self.int(0, 3)), f32(self.int(2, 6))]
        more = self.some(signed=self.int(0, 1), narrow=self.int(0, 1)) if self.qonnx > 1 else {}
        self.node("Trunc", *operands, domain=self.general, rounding_mode=self.pick(*ROUNDING), **more)

    def float_quant(self):
        exponent, mantissa = self.int(2, 4), self.int(0, 3)
        numbers = [f32(v) for v in (exponent, mantissa, self.int(0, 2**exponent - 1))]
        self.node("FloatQuant", self.positive(), *numbers, f32(self.pick(1e6, 12, 7)), domain=self.general, has_inf=0, has_nan=0,
                  has_subnormal=1, saturation=1, rounding_mode=self.pick("ROUND", "HALF_UP", "CEIL"))

    def thresholds(self):
        rows = self.pick(1, self.shape[1])
        thresholds = np.sort(self.rng.normal(0, 3, (rows, self.int(1, 7))), axis=1).astype(f32)
        layout = self.some(data_layout=self.pick("NCHW"[: self.rank], "NHWC" if self.rank == 4 else "NC"))
        self.node("MultiThreshold", np.round(thresholds) if self.dyadic else thresholds, domain=self.general, out_dtype="INT8",
                  **self.some(out_scale=self.pick(2.0, 0.5, 0.3), out_bias=self.pick(-1.0, 0.25)), **layout)

    def quantize(self):
        """Codes; DequantizeLinear may follow or an operator on integers."""
        number, kind = self.pick(*CODES.items())
        along = self.opset >= 13 and self.chance(0.3)
        axis = self.int(0, self.rank - 1)
        size = (self.shape[axis],) if along else ()
        low, high = np.iinfo(kind).min, np.iinfo(kind).max
        zero = self.pick(np.zeros(size, kind), self.rng.integers(max(low, -20), min(high, 90), size).astype(kind))
        more = {"axis": self.pick(axis, axis - self.rank)} if along else {}
        scale = self.positive(*size)
        others = self.some(saturate=self.int(0, 1), output_dtype=self.pick(0, int(number)), block_size=0)
        self.node("QuantizeLinear", scale, zero, **more, **others)
        self.scale = (scale, zero, more)

    def dequantize(self):
        if self.kind not in (np.int8, np.uint8):
            raise Left
        scale, zero, more = self.scale
        self.node("DequantizeLinear", scale, zero, **more, **self.some(block_size=0))

    def integer_layer(self):
        """QOperator's products."""
        self.quantize()
        scale, zero, more = self.scale
        if more:
            return self.dequantize()
        kind = self.pick(np.int8, np.uint8)
        zeros = self.pick(kind(0), kind(self.int(0, 9)))
        out = self.pick(np.int8, np.uint8)
        ends = [self.positive() * f32(4), self.pick(out(0), out(self.int(0, 60)))]
        if self.rank < 3:
            w = self.rng.integers(0, 60, (self.shape[-1], self.int(1, 4))).astype(kind)
            if self.chance(0.3):
                self.node("MatMulInteger", w, zero, zeros)
                return self.node("Cast", to=1)
            self.node("QLinearMatMul", scale, zero, w, self.positive(), zeros, *ends)
        else:
            kernel, attributes = self.window("QLinearConv")
            w = self.rng.integers(0, 40, (self.int(1, 3), self.shape[1], *kernel)).astype(kind)
            bias = self.pick([], [self.rng.integers(-500, 500, w.shape[0]).astype(np.int32)])
            self.node("QLinearConv", scale, zero, w, self.positive(), zeros, *ends, *bias, **attributes)
        self.scale = (ends[0], ends[1], {})
        self.dequantize()

    def quantiser(self):
        makers = [self.quant] * 5 + [self.bipolar, self.trunc, self.thresholds, self.float_quant, self.quantize, self.quantize]
        self.pick(*makers)()
        if self.kind != f32:
            if self.chance(0.3) and self.opset >= 12 and self.rank > 2:
                self.node("MaxPool", **self.window("MaxPool")[1])
            self.dequantize()

    # layers

    def window(self, op):
        spatial = self.shape[2:]
        kernel = [self.int(1, min(3, e)) for e in spatial]
        n = len(spatial)
        if n == 0:
            raise Left
        place = self.pick({"pads": [self.int(0, k - 1) for k in kernel * 2]}, {}, {"auto_pad": self.pick("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")})
        attributes = {**place, **self.some(strides=[self.int(1, 3) for _ in range(n)])}
        if "auto_pad" not in place and self.chance(0.3):
            attributes["dilations"] = [self.int(1, 2) for _ in range(n)]
        if op in ("MaxPool", "AveragePool"):
            attributes.update(self.some(ceil_mode=self.int(0, 1), count_include_pad=self.int(0, 1), storage_order=self.int(0, 1)))
        if op in ("MaxPool", "AveragePool") or self.chance(0.5):
            attributes["kernel_shape"] = kernel
        return kernel, attributes

    def weights(self, *shape):
        """Constants, plain or behind a quantiser node of their own."""
        w = self.floats(*shape)
        if not self.dyadic:
            w = np.round(w * 4) * self.positive() if self.chance(0.5) else w
        else:
            w = np.round(w)
        if self.chance(0.5):
            return w.astype(f32)
        before = self.name, self.values
        self.constants["w"] = w.astype(f32)
        self.name, self.values = f"w{len(self.constants)}", [self.constants.pop("w")] * SAMPLES
        self.constants[self.name] = self.values[0]
        scale = self.positive(*([shape[0]] + [1] * (len(shape) - 1)) if self.chance(0.4) else ())
        self.node("Quant", scale, f32(0), f32(self.int(2, 6)), domain=self.general, signed=1, narrow=self.int(0, 1), **self.some(rounding_mode=self.pick(*ROUNDING)))
        made = self.name, self.values
        self.name, self.values = before
        return made

    def conv(self):
        kernel, attributes = self.window("Conv")
        groups = self.pick(*(g for g in range(1, self.shape[1] + 1) if self.shape[1] % g == 0))
        filters = groups * self.int(1, 2)
        operands = [self.weights(filters, self.shape[1] // groups, *kernel)] + self.pick([], [self.floats(filters)])
        self.node("Conv", (self.name, self.values), *operands, group=groups, **attributes)

    def conv_transpose(self):
        kernel, attributes = self.window("ConvTranspose")
        attributes.update(self.some(output_padding=[self.int(0, 1) for _ in kernel]))
        if self.chance(0.2):
            attributes["output_shape"] = [self.int(e, 2 * e) for e in self.shape[2:]]
        groups = self.pick(*(g for g in range(1, self.shape[1] + 1) if self.shape[1] % g == 0))
        filters = self.int(1, 2)
        operands = [self.floats(self.shape[1], filters, *kernel)] + self.pick([], [self.floats(filters * groups)])
        self.node("ConvTranspose", *operands, group=groups, **attributes)

    def dense(self):
        n = self.shape[-1]
        if self.rank == 2 and self.chance(0.5):
            turned = self.int(0, 1)
            m = self.int(1, 5)
            c = self.pick([], [self.floats(m)], [self.floats(1, m)])
            more = self.some(alpha=self.pick(0.5, 2.0), beta=self.pick(1.0, 0.5), transA=self.pick(0, 0, 1), broadcast=1)
            depth = self.shape[0] if more.get("transA") else n
            w = self.weights(*((m, depth) if turned else (depth, m)))
            return self.node("Gemm", (self.name, self.values), w, *c, transB=turned, **more)
        outer = self.pick((), (), (1,), self.shape[:-2])
        if self.chance(0.2) and self.rank > 1:
            return self.node("MatMul", (f"c{len(self.constants)}", [self.constant(self.floats(3, self.shape[-2]))] * SAMPLES), (self.name, self.values))
        self.node("MatMul", (self.name, self.values), self.weights(*outer, n, self.int(1, 5)))

    def constant(self, value):
        self.constants[f"c{len(self.constants)}"] = value
        return value

    def pool(self):
        op = self.pick("MaxPool", "AveragePool")
        self.node(op, **self.window(op)[1])

    def reduce(self):
        op = self.pick("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum")
        axes = [int(a) - self.pick(0, self.rank) for a in self.rng.permutation(self.rank)[: self.int(0, self.rank)]]
        more = self.some(keepdims=self.int(0, 1), noop_with_empty_axes=self.int(0, 1))
        as_operand = self.opset >= (13 if op == "ReduceSum" else 18)
        if as_operand:
            return self.node(op, *self.pick([np.array(axes, np.int64)], []) if not axes else [np.array(axes, np.int64)], **more)
        self.node(op, **({"axes": axes} if axes else {}), **more)

    def normalisation(self):
        c = self.shape[1]
        values = [self.floats(c), self.floats(c), self.floats(c), self.positive(c)]
        epsilon = self.pick({"epsilon": 0.0}, {"epsilon": 1e-3}, {}) if not self.dyadic else {"epsilon": 0.0}
        self.node("BatchNormalization", *values, **epsilon, **self.some(momentum=0.5, spatial=1, training_mode=0))

    def last(self):
        """An operator whose channels are the last axis."""
        if self.rank != 4:
            raise Left
        h, w, c = self.shape[1:]
        window = {"kernel_shape": [self.int(1, min(2, h)), self.int(1, min(2, w))], "strides": [self.int(1, 2), self.int(1, 2)], "pads": [self.int(0, 1) for _ in range(4)]}
        if self.chance(0.3):
            return self.node("MaxPool", domain=LAST, **window)
        if self.chance(0.3):
            return self.node("BatchNormalization", self.floats(c), self.floats(c), self.floats(c), self.positive(c), domain=LAST, epsilon=0.0)
        filters = np.round(self.floats(self.int(1, 3), *window["kernel_shape"], c))
        self.node("Conv", filters, domain=LAST, dilations=[1, 1], group=1, **window)

    # element-wise

    def unary(self):
        a = lambda: float(self.pick(0.5, 0.25, 0.1, 1.5))
        op, attributes = self.pick(
            ("Relu", {}), ("LeakyRelu", {"alpha": a}), ("Elu", {"alpha": a}), ("Celu", {"alpha": a}), ("Selu", {"alpha": a, "gamma": a}),
            ("HardSigmoid", {"alpha": a, "beta": a}), ("HardSwish", {}), ("Softplus", {}), ("Softsign", {}), ("Mish", {}), ("Erf", {}), ("Exp", {}),
            ("Gelu", {"approximate": self.pick("none", "tanh")}), ("Swish", {"alpha": a}), ("Sigmoid", {}), ("Tanh", {}), ("Abs", {}), ("Neg", {}),
            ("ThresholdedRelu", {"alpha": a}), ("Shrink", {"bias": a, "lambd": a}), ("Round", {}), ("Floor", {}), ("Ceil", {}), ("Sign", {}),
            ("Identity", {}), ("Dropout", {"ratio": 0.3, "seed": 3}), ("Cast", {}), ("Clip", {}), ("PRelu", {}), ("Sqrt", {}), ("Log", {}), ("Reciprocal", {}))
        operands, attributes = [], self.some(**attributes)
        if op == "Dropout" and self.opset < 7:
            attributes["is_test"] = 1
        if op == "Cast":
            attributes = {"to": 1, **self.some(saturate=1)}
        if op == "Clip":
            low, high = self.pick((-1.0, 2.5), (None, 1.5), (0.0, 6.0), (-0.5, None))
            numbers = {name: v for name, v in (("min", low), ("max", high)) if v is not None}
            operands, attributes = ([None if v is None else f32(v) for v in (low, high)], {}) if self.opset >= 11 else ([], numbers)
        if op == "PRelu":
            c = self.shape[1]
            operands = [self.positive(c)] if self.opset < 7 else [self.positive(*([c] + [1] * (self.rank - 2)))]
        self.node(op, *operands, **attributes)

    def composite(self):
        """Activations as exporters write them out."""
        x = self.name, self.values
        kind = self.pick("silu", "gelu", "mish", "hard_swish", "square", "double")
        if kind == "gelu":
            for op, constant in (("Div", 1.4142135), ("Erf", None), ("Add", 1.0)):
                self.node(op, *([] if constant is None else [f32(constant)]), **({} if self.opset >= 7 or constant is None else {"broadcast": 1}))
        else:
            chain = {"silu": ["Sigmoid"], "mish": ["Softplus", "Tanh"], "hard_swish": ["HardSigmoid"], "square": ["Relu"], "double": ["Neg"]}[kind]
            for op in chain:
                self.node(op)
        self.node(self.pick("Mul", "Mul", "Add", "Sub", "Max"), x, (self.name, self.values))

    def binary(self):
        op = self.pick("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow")
        if op == "Pow":
            return self.node(op, f32(self.pick(1, 2, 3, 0.5)))
        keep = [e if self.chance(0.4) else 1 for e in self.shape]
        shape = self.pick((), tuple(keep), tuple(keep[self.int(0, self.rank - 1):]))
        c = self.floats(*shape)
        if op == "Div":
            c = np.where(c == 0, f32(0.5), c).astype(f32)
        more = {"broadcast": 1} if self.opset < 7 and op in ("Add", "Sub", "Mul", "Div") else {}
        if more and len(shape) == 1 and self.chance(0.5):
            more["axis"] = self.rank - 1
        pair = [(self.name, self.values), c]
        if self.chance(0.3) and not more:
            self.constants[f"c{len(self.constants)}"] = c
            pair = [(f"c{len(self.constants) - 1}", [c] * SAMPLES), (self.name, self.values)]
        self.node(op, *pair)

    # movement

    def movement(self):
        r, shape = self.rank, self.shape
        i64 = lambda *v: np.array(v, np.int64)
        axis = self.int(-r, r - 1)
        op = self.pick("Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather", "Pad", "Expand", "Tile",
                       "DepthToSpace", "SpaceToDepth", "Resize", "Upsample", "Concat")
        if op == "Transpose":
            return self.node(op, **self.some(perm=[int(a) for a in self.rng.permutation(r)]))
        if op == "Reshape":
            target = self.pick((0, -1), (shape[0], -1, 1), (-1, shape[-1]), (1, 0, -1))
            return self.node(op, i64(*target), **self.some(allowzero=0))
        if op == "Flatten":
            return self.node(op, **self.some(axis=lambda: self.int(0 if self.opset < 11 else -r, r)))
        if op == "Squeeze":
            ones = [a - self.pick(0, r) for a, e in enumerate(shape) if e == 1]
            return self.node(op, *([i64(*ones)] if self.opset >= 13 and self.chance(0.5) else []), **({"axes": ones} if self.opset < 13 and ones else {}))
        if op == "Unsqueeze":
            axes = [self.int(0, r)]
            return self.node(op, *([i64(*axes)] if self.opset >= 13 else []), **({"axes": axes} if self.opset < 13 else {}))
        if op == "Slice":
            start, end, step = self.int(-2, 1), self.pick(100, -1, 2), self.pick(1, 2, -1)
            if self.opset < 10:
                return self.node(op, starts=[start], ends=[end], **self.some(axes=[axis % r]))
            return self.node(op, *map(i64, *[(start, end if step > 0 else -100, axis, step)]))
        if op == "Split":
            n = shape[axis]
            parts = self.int(1, min(3, n))
            cut = [n // parts] * (parts - 1) + [n - (n // parts) * (parts - 1)]
            how = {"axis": axis if self.opset >= 11 else axis % r}
            if self.opset < 13:
                return self.node(op, outputs=parts, take=self.int(0, parts - 1), **how, **self.some(split=cut))
            if self.opset >= 18 and self.chance(0.5):
                return self.node(op, outputs=parts, take=self.int(0, parts - 1), num_outputs=parts, **how)
            return self.node(op, i64(*cut), outputs=parts, take=self.int(0, parts - 1), **how)
        if op == "Gather":
            low = -shape[axis] if self.opset >= 11 else 0
            return self.node(op, self.rng.integers(low, shape[axis], self.pick((), (2,), (1, 2))).astype(np.int64), axis=axis if self.opset >= 11 else axis % r)
        if op == "Pad":
            mode = self.pick("constant", "reflect", "edge", "wrap")
            some = [int(a) for a in self.rng.permutation(r)[: self.int(1, r)]] if self.opset >= 18 else list(range(r))
            pads = [self.int(-1 if mode == "constant" else 0, min(1, shape[a] - 1)) for a in some * 2]
            value = self.pick(0.0, 1.0)
            if self.opset < 11:
                return self.node(op, pads=pads, **self.some(mode=mode, value=value))
            return self.node(op, i64(*pads), self.pick(None, f32(value)), i64(*some) if self.opset >= 18 else None, **self.some(mode=mode))
        if op == "Expand":
            return self.node(op, i64(*[e if e > 1 else self.int(1, 2) for e in shape]))
        if op == "Tile":
            return self.node(op, i64(*[self.pick(1, 1, 2) for _ in shape]))
        if op in ("DepthToSpace", "SpaceToDepth"):
            return self.node(op, blocksize=self.pick(1, 2), **self.some(mode=self.pick("DCR", "CRD")))
        if op == "Concat":
            extents = list(shape)
            extents[axis] = self.int(1, 2)
            more = np.round(self.floats(*extents))
            return self.node(op, *self.pick([more], [(self.name, self.values), (self.name, self.values)]), axis=axis if self.opset >= 11 else axis % r)
        scales = [f32(1 if a < 2 else self.pick(1, 2, 0.5, 3)) for a in range(r)]
        if op == "Upsample":
            scales = np.maximum(scales, 1)
            mode = self.some(mode=self.pick("nearest", "linear"))
            return self.node(op, *([np.array(scales, f32)] if self.opset >= 9 else []), **({"scales": [float(s) for s in scales]} if self.opset < 9 else {}), **mode)
        attributes = self.some(mode=self.pick("nearest", "linear", "cubic"),
                               coordinate_transformation_mode=self.pick("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel", "tf_half_pixel_for_nn", "half_pixel_symmetric"),
                               nearest_mode=self.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"), exclude_outside=self.pick(0, 0, 1),
                               antialias=self.pick(0, 0, 1), keep_aspect_ratio_policy=self.pick("stretch", "not_larger"), cubic_coeff_a=-0.5)
        if self.opset < 11:
            return self.node(op, np.array(scales, f32), **attributes)
        if self.chance(0.5):
            return self.node(op, None, np.array(scales, f32), **attributes)
        self.node(op, None, None, i64(*[max(1, int(e * s)) for e, s in zip(shape, scales)]), **attributes)

    def ending(self):
        op = self.pick("ArgMax", "ArgMin", "Softmax", "TopK")
        axis = self.int(-self.rank, self.rank - 1)
        axis = axis if self.opset >= 11 else axis % self.rank
        if op == "TopK":
            k = [np.array([1], np.int64)] if self.opset >= 10 else []
            return self.node(op, *k, outputs=2, take=0, **({"k": 1} if self.opset < 10 else {}), **self.some(axis=axis, largest=self.int(0, 1), sorted=self.int(0, 1)))
        self.node(op, **self.some(axis=axis, keepdims=self.int(0, 1), select_last_index=self.pick(0, 0, 1)))

    def attempt(self, *makers):
        """One of these, unless no framework takes it."""
        before = self.name, self.values, len(self.nodes), dict(self.constants)
        try:
            self.pick(*makers)()
        except Exception:
            self.name, self.values, count, self.constants = before
            del self.nodes[count:]

    def build(self):
        layers = [self.conv, self.conv, self.dense, self.dense, self.pool, self.reduce, self.conv_transpose, self.integer_layer, self.last]
        for _ in range(self.int(1, 3)):
            if self.chance(0.5):
                self.attempt(self.unary, self.binary, self.composite, self.movement)
            if self.chance(0.7):
                self.attempt(self.quantiser)
            self.attempt(*layers)
            if self.chance(0.4):
                self.attempt(self.normalisation, self.unary, self.binary, self.composite)
            if self.chance(0.4):
                self.attempt(self.movement, self.unary)
            if self.chance(0.7):
                self.attempt(self.quantiser)
        if self.chance(0.1):
            self.attempt(self.ending)
        return self

    def model(self):
        tensor = lambda name, v: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(self.nodes, "campaign", [tensor("x", self.inputs[0])], [tensor(self.name, self.values[0])],
                                  [numpy_helper.from_array(v, name) for name, v in self.constants.items() if name in used])
        sets = [helper.make_opsetid("", self.opset), helper.make_opsetid(self.general, self.qonnx), helper.make_opsetid(LAST, 1)]
        return helper.make_model(graph, opset_imports=sets, ir_version=8 if self.opset < 21 else 10)


def write(folder, number, seed):
    graph = Graph(np.random.default_rng([seed, number])).build()
    if not graph.nodes:
        return False
    onnx.save(graph.model(), folder / f"{number:05}.onnx")
    flat = lambda arrays: [[float(v) for v in a.reshape(-1)] for a in arrays]
    case = {"format": graph.format, "x": flat(graph.inputs), "y": flat(graph.values)}
    (folder / f"{number:05}.json").write_text(json.dumps(case))
    return True


def isolated(folder, number, seed):
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if write(folder, number, seed) else 1)
        finally:
            os._exit(2)
    return os.waitpid(child, 0)[1] == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--graphs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    number = written = 0
    while written < options.graphs:
        written += isolated(options.out, number, options.seed)
        number += 1
    print(f"{written} graphs in {options.out}")


if __name__ == "__main__":
    main()
