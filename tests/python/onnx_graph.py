"""An ONNX graph under construction, of which every node is executed as it is appended."""

import numpy as np
import onnxruntime
from onnx import defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from qonnx.custom_op.registry import getCustomOp

SAMPLES = 6
GENERAL, LAST = "qonnx.custom_op.general", "qonnx.custom_op.channels_last"
DOMAINS = [GENERAL, "onnx.brevitas"]
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

    def attempt(self, *makers):
        """One of these, unless no framework takes it."""
        before = self.name, self.values, len(self.nodes), dict(self.constants)
        try:
            self.pick(*makers)()
        except Exception:
            self.name, self.values, count, self.constants = before
            del self.nodes[count:]

    def model(self):
        tensor = lambda name, v: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(self.nodes, "campaign", [tensor("x", self.inputs[0])], [tensor(self.name, self.values[0])],
                                  [numpy_helper.from_array(v, name) for name, v in self.constants.items() if name in used])
        sets = [helper.make_opsetid("", self.opset), helper.make_opsetid(self.general, self.qonnx), helper.make_opsetid(LAST, 1)]
        return helper.make_model(graph, opset_imports=sets, ir_version=8 if self.opset < 21 else 10)
