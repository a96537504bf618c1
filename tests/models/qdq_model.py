"""Writes qdq.onnx, a small network in the QDQ format, and what onnxruntime computes with it: needs onnx, onnxruntime, numpy.

Values are quantised by QuantizeLinear, clipped to fewer bits than their integer type has (QCDQ), and dequantised; weights are
8-bit integers behind DequantizeLinear. It has weights at random: what counts is the form of the file.
"""

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SAMPLES = 1024
rng = np.random.default_rng(4)
constants, nodes = {}, []


def constant(name, values, dtype):
    constants[name] = np.asarray(values, dtype)
    return name


def node(op, inputs, output, **attributes):
    nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
    return output


def quantised(x, name, scale, low, high):
    """4 bits of an 8-bit type."""
    operands = [constant(f"{name}_scale", scale, np.float32), constant(f"{name}_zero", 0, np.int8)]
    codes = node("QuantizeLinear", [x, *operands], f"{name}_codes")
    limits = [constant(f"{name}_low", low, np.int8), constant(f"{name}_high", high, np.int8)]
    codes = node("Clip", [codes, *limits], f"{name}_limited")
    return node("DequantizeLinear", [codes, *operands], name)


def weights(name, shape, scale):
    codes = constant(f"{name}_codes", rng.integers(-7, 8, shape), np.int8)
    operands = [constant(f"{name}_scale", scale, np.float32), constant(f"{name}_zero", np.zeros(np.shape(scale)), np.int8)]
    return node("DequantizeLinear", [codes, *operands], name, **({"axis": 0} if np.ndim(scale) else {}))


x = quantised("pixels", "input", 0.125, 0, 15)
kernel = weights("kernel", (4, 1, 3, 3), np.float32([0.0625, 0.125, 0.0625, 0.25]))
bias = constant("bias", rng.integers(-16, 16, 4) / 8, np.float32)
x = node("Conv", [x, kernel, bias], "conv", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0])
x = quantised(node("Relu", [x], "relu"), "hidden", 0.25, 0, 15)
x = node("Flatten", [x], "flat")
x = node("Gemm", [x, weights("matrix", (5, 64), 0.125), constant("offset", rng.integers(-9, 9, 5) / 4, np.float32)], "scores",
         transB=1)

info = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
graph = helper.make_graph(nodes, "qdq", [info("pixels", [1, 1, 8, 8])], [info(x, [1, 5])],
                          [numpy_helper.from_array(v, n) for n, v in constants.items()])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "qdq.onnx")
session = onnxruntime.InferenceSession("qdq.onnx", providers=["CPUExecutionProvider"])
pixels = (rng.integers(-16, 80, (SAMPLES, 1, 8, 8)) / 32).astype(np.float32)
scores = np.concatenate([session.run(None, {"pixels": p[None]})[0] for p in pixels])
np.savez_compressed("qdq.npz", x=pixels.reshape(SAMPLES, -1), scores=scores)
