"""Every attribute and operand that ONNX's schema gives a supported operator, at values other than the default.

Usage: onnx_attributes.py OUT [--schema FILE]

Writes OUT/NNNNN.onnx and OUT/NNNNN.json: the operator, what was set, the version of the operator set, the input's numbers and the
reference's outputs, null if the reference refuses the file. `cargo test -p hwgen-tests --test import_onnx_attributes` imports every
file: hwgen must refuse it or be equal. --schema writes the schema's list of attributes and operands, which a test of the normal
suite compares with the importer's table. Needs onnx, onnxruntime, qonnx and numpy.
"""

import argparse
import json
import os
import pathlib
import pickle

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, defs, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from qonnx.custom_op import channels_last, general
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

OLDEST, NEWEST = 6, 24
SAMPLES = 4
f32 = np.float32
rng = np.random.default_rng(15)
GENERAL, LAST, MICROSOFT = "qonnx.custom_op.general", "qonnx.custom_op.channels_last", "com.microsoft"

onnxruntime.set_default_logger_severity(4)
ONE_THREAD = onnxruntime.SessionOptions()
ONE_THREAD.intra_op_num_threads = 1


def grid(*shape):
    """Numbers of the format s8.3 that no sum or product rounds."""
    return (rng.integers(-40, 41, shape) / 8).astype(f32)


def weights(*shape):
    return (rng.integers(-3, 4, shape) / 4).astype(f32)


def codes(*shape):
    return rng.integers(0, 60, shape).astype(np.uint8)


def i64(*values):
    return np.array(values, np.int64)


class Spec:
    """A node to begin with: the input's shape and type, constants behind it (None: left out), domain and attributes."""

    def __init__(self, shape=(1, 3, 4, 4), constants=(), outputs=1, kind=f32, **attributes):
        self.shape, self.constants, self.outputs, self.kind = shape, list(constants), outputs, kind
        self.attributes, self.domain, self.version = attributes, "", 0

    def of(self, domain, version):
        self.domain, self.version = domain, version
        return self


def base(op, version):
    """The node, or None where the operator is not there in this version."""
    plain = {
        "Abs", "Exp", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "Identity", "LeakyRelu", "Neg", "Relu", "Sigmoid", "Tanh",
        "Ceil", "Celu", "Elu", "Erf", "Floor", "Gelu", "HardSwish", "Mish", "Reciprocal", "Round", "Selu", "Shrink", "Sign", "Softplus",
        "Softsign", "Swish", "ThresholdedRelu", "Log", "Sqrt",
        "Flatten", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ArgMax", "ArgMin", "Dropout", "Transpose", "Softmax",
    }
    if op in plain:
        attributes = {"is_test": 1} if op == "Dropout" and version < 7 else {}
        return Spec(**attributes)
    if op in ("Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"):
        return Spec(constants=[grid(1, 3, 4, 4)])
    if op == "Pow":
        return Spec(constants=[f32(2)] if version >= 7 else [np.full((1, 3, 4, 4), 2, f32)])
    if op == "Div":
        return Spec(constants=[np.full((1, 3, 4, 4), 4, f32)])
    if op in ("MaxPool", "AveragePool"):
        return Spec(kernel_shape=[2, 2])
    if op == "BatchNormalization":
        attributes = {"is_test": 1} if version < 7 else {}
        return Spec(constants=[weights(3), weights(3), weights(3), np.array([1, 4, 1], f32)], epsilon=0.0, **attributes)
    if op == "Cast":
        return Spec(to=1)
    if op == "Clip":
        return Spec(constants=[f32(-1), f32(2)]) if version >= 11 else Spec(min=-1.0, max=2.0)
    if op == "Concat":
        return Spec(constants=[grid(1, 3, 4, 4)], axis=1)
    if op == "Conv":
        return Spec(constants=[weights(2, 3, 2, 2), weights(2)])
    if op == "ConvTranspose":
        return Spec(constants=[weights(3, 2, 2, 2), weights(2)])
    if op == "DepthToSpace":
        return Spec((1, 8, 2, 2), blocksize=2)
    if op == "SpaceToDepth":
        return Spec((1, 2, 4, 4), blocksize=2)
    if op == "DequantizeLinear":
        return Spec(constants=[f32(0.25), np.int8(3)], kind=np.int8)
    if op == "QuantizeLinear":
        return Spec(constants=[f32(0.25), np.int8(3)])
    if op == "Expand":
        return Spec((1, 3, 1, 4), [i64(1, 3, 2, 4)])
    if op == "Gather":
        return Spec(constants=[i64(0, 0)])
    if op == "Gemm":
        return Spec((3, 4), [weights(4, 3), weights(3, 3)])
    if op == "MatMul":
        return Spec((1, 3, 4), [weights(4, 2)])
    if op == "PRelu":
        return Spec(constants=[np.array([0.5, 0.25, 2], f32)] if version < 7 else [np.array([[[0.5]], [[0.25]], [[2]]], f32)])
    if op == "Pad":
        pads = [0, 0, 1, 2, 0, 0, 0, 1]
        return Spec(constants=[i64(*pads)]) if version >= 11 else Spec(pads=pads)
    if op == "Reshape":
        return Spec(constants=[i64(0, -1, 2)])
    if op == "Resize":
        scales = np.array([1, 1, 2, 2], f32)
        return Spec(constants=[scales] if version < 11 else [np.zeros(0, f32), scales])
    if op == "Upsample":
        return Spec(constants=[np.array([1, 1, 2, 2], f32)]) if version >= 9 else Spec(scales=[1.0, 1.0, 2.0, 2.0])
    if op == "Slice":
        if version < 10:
            return Spec(starts=[0, 1], ends=[1, 3])
        return Spec(constants=[i64(0, 1), i64(1, 3)])
    if op == "Split":
        return Spec((1, 4, 4, 4), outputs=2, axis=1)
    if op == "Squeeze":
        return Spec((1, 3, 1, 4))
    if op == "Unsqueeze":
        return Spec(constants=[i64(1)]) if version >= 13 else Spec(axes=[1])
    if op == "Tile":
        return Spec(constants=[i64(1, 2, 1, 1)])
    if op == "TopK":
        return Spec(constants=[i64(1)], outputs=2) if version >= 10 else Spec(outputs=2, k=1)
    if op == "ConvInteger":
        return Spec(constants=[codes(2, 3, 2, 2), np.uint8(3), np.uint8(2)], kind=np.uint8)
    if op == "MatMulInteger":
        return Spec((1, 3, 4), [codes(4, 2), np.uint8(3), np.uint8(2)], kind=np.uint8)
    if op == "QLinearConv":
        scales = [f32(0.25), np.uint8(3), codes(2, 3, 2, 2), f32(0.1), np.uint8(100), f32(3.7), np.uint8(120)]
        return Spec(constants=scales + [np.array([-300, 70], np.int32)], kind=np.uint8)
    if op == "QLinearMatMul":
        return Spec((1, 3, 4), [f32(0.25), np.uint8(3), codes(4, 2), f32(0.1), np.uint8(100), f32(3.7), np.uint8(120)], kind=np.uint8)
    return None


def custom(op, version):
    """A node of QONNX' operators, or None for those that hwgen does not know."""
    if op in ("Quant", "IntQuant"):
        return Spec(constants=[f32(0.25), f32(0), f32(4)], signed=1, narrow=0, rounding_mode="ROUND")
    if op == "BipolarQuant":
        return Spec(constants=[f32(0.25)])
    if op == "FloatQuant":
        numbers = [f32(v) for v in (0.5, 4, 3, 7, 480)]
        return Spec(constants=numbers, rounding_mode="ROUND", has_inf=0, has_nan=0, has_subnormal=1, saturation=1)
    if op == "MultiThreshold":
        return Spec(constants=[np.sort(grid(3, 5), axis=1)], out_dtype="INT8")
    if op == "Trunc":
        scales = [f32(0.125), f32(0), f32(8)] + ([f32(5)] if version < 2 else [f32(0.5), f32(6)])
        return Spec(constants=scales, rounding_mode="FLOOR")
    return None


def last(op):
    """A node of QONNX' operators whose channels are the last axis."""
    whole = {"kernel_shape": [2, 2], "strides": [1, 1], "pads": [0, 0, 0, 0]}
    if op == "Conv":
        return Spec((1, 4, 4, 3), [weights(2, 2, 2, 3), weights(2)], dilations=[1, 1], group=1, **whole)
    if op == "MaxPool":
        return Spec((1, 4, 4, 3), **whole)
    return Spec((1, 4, 4, 3), [weights(3), weights(3), weights(3), np.array([1, 4, 1], f32)], epsilon=0.0)


SUPPORTED = """Abs Add ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Conv ConvInteger ConvTranspose
DepthToSpace DequantizeLinear Div Dropout Elu Erf Exp Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool GlobalMaxPool
HardSigmoid HardSwish Identity LeakyRelu Log MatMul MatMulInteger Max MaxPool Mean Min Mish Mul Neg PRelu Pad Pow QLinearConv
QLinearMatMul QuantizeLinear Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize Round Selu Shrink Sigmoid
Sign Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh ThresholdedRelu Tile TopK Transpose
Unsqueeze Upsample""".split()
CONSTANTS_ONLY = "Constant ConstantOfShape Equal ReduceProd Shape Size Where".split()
KINDS = {"i": "INT", "f": "FLOAT", "s": "STRING", "ints": "INTS"}


def qonnx_classes(module):
    """(operator, version, attributes with their kinds) of each class that the module lists."""
    for name in module.__all__:
        op, _, version = name.partition("_v")
        node = helper.make_node(op, [], [])
        types = getattr(module, name)(node).get_nodeattr_types()
        yield op, int(version or 1), [(attribute, KINDS[kind[0]]) for attribute, kind in types.items()]

TEXTS = {
    "auto_pad": ["VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET"],
    "mode": ["reflect", "edge", "wrap", "constant", "CRD", "DCR", "linear", "cubic", "nearest"],
    "coordinate_transformation_mode": ["asymmetric", "align_corners", "pytorch_half_pixel", "tf_half_pixel_for_nn",
                                       "half_pixel_symmetric", "tf_crop_and_resize", "half_pixel"],
    "nearest_mode": ["floor", "ceil", "round_prefer_ceil", "round_prefer_floor"],
    "keep_aspect_ratio_policy": ["not_larger", "not_smaller", "stretch"],
    "round_mode": ["up", "down", "nearest"],
    "rounding_mode": ["CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "round", "half_even"],
    "data_layout": ["NCHW", "NHWC", "NC", "CN"],
    "out_dtype": ["UINT4", "BIPOLAR", ""],
}
LISTS = {
    "pads": [[1, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 1], [0, 0, -1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, 0, 0, 0]],
    "strides": [[2, 1], [2, 2], [3, 1]],
    "dilations": [[2, 1], [1, 3]],
    "kernel_shape": [[1, 3], [3, 3], [2, 2]],
    "axes": [[0], [1], [-1], [1, 3], [3, 1], [], [2]],
    "perm": [[0, 2, 3, 1], [3, 2, 1, 0]],
    "output_padding": [[1, 0], [1, 1]],
    "output_shape": [[5, 5], [4, 4]],
    "split": [[1, 3], [2, 2], [4]],
    "starts": [[0, 0], [-1, -2]],
    "ends": [[1, 2], [100, 100]],
    "scales": [[1.0, 1.0, 1.5, 3.0], [1.0, 1.0, 0.5, 1.0]],
}
COMPANIONS = [{}, {"strides": [2, 2]}, {"dilations": [2, 2]}, {"kernel_shape": [3, 3], "strides": [2, 2]}]


def settings(name, kind, op):
    """Values of an attribute."""
    if name in TEXTS:
        return TEXTS[name] + ["nonsense"]
    if name in LISTS:
        return LISTS[name]
    if name == "num_outputs":
        return [-1, 0, 1, 2, 3]
    if kind == "INT":
        return [-2, -1, 0, 1, 2, 3] + ([10, 7, 9, 11, 6, 17] if name == "to" else []) + ([5, 21, 22, 16] if "dtype" in name else [])
    if kind == "FLOAT":
        return [0.5, 2.0, -1.0, 0.0]
    if kind == "STRING":
        return ["nonsense", ""]
    return []


def operand_settings(op, version, k, value):
    """Other constants in place of operand `k`, None is nothing."""
    yield None
    if value is None:
        return
    if value.dtype == np.int64:
        for other in ([0], [1], [-1], [1, 2], [3, 1], [2, -1], [0, 0], [], [1, 2, 2, 4], [0, -1], [-1, 2], [0, 1, 0, 0, 0, 0, 1, 0],
                      [0, 0, -1, 0, 0, 0, 0, 2], [1, 1, 5, 6]):
            yield np.array(other, np.int64)
        yield value.astype(np.int32)
        return
    if value.size > 0:
        yield value.reshape(-1)[:1].copy()
        yield value.reshape(-1)[0].copy()
    if value.ndim == 4:
        yield value[:, :1].copy()
        yield value[0].copy()
        yield value[0, 0].copy()
        yield value[:, :, :1].copy()
    for kind in (np.float64, np.float16, np.int8, np.uint8, np.int32):
        yield value.astype(kind)
    if value.ndim == 0 and value.dtype == f32:
        for other in (0.5, 0.375, 3.0, -0.25, 1.0, 0.0):
            yield f32(other)
        yield np.array([0.5, 0.25, 1], f32)
        yield np.array([[[0.5]], [[0.25]], [[1]]], f32)


def model(op, version, spec, shape=None):
    names, initializers = ["x"], []
    for k, value in enumerate(spec.constants):
        names.append("" if value is None else f"c{k}")
        if value is not None:
            initializers.append(numpy_helper.from_array(np.asarray(value), f"c{k}"))
    while names and names[-1] == "":
        names.pop()
    outputs = [f"y{k}" for k in range(spec.outputs)]
    nodes = [helper.make_node(op, names, outputs, name="node", domain=spec.domain, **spec.attributes)]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.kind))
    typed = spec.domain in (GENERAL, LAST)
    info = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape or spec.shape) if typed else helper.make_empty_tensor_value_info(name)
    infos = [info(name) for name in outputs]
    graph = helper.make_graph(nodes, "attributes", [helper.make_tensor_value_info("x", kind, spec.shape)], infos, initializers)
    imports = [helper.make_opsetid("", version)] + ([helper.make_opsetid(spec.domain, spec.version)] if spec.domain else [])
    return helper.make_model(graph, opset_imports=imports, ir_version=8 if version < 21 else 10)


def samples(spec, positive=False):
    if positive:
        return [(rng.integers(1, 128, spec.shape) / 8).astype(spec.kind) for _ in range(SAMPLES)]
    if spec.kind == f32:
        return [(rng.integers(-128, 128, spec.shape) / 8).astype(f32) for _ in range(SAMPLES)]
    if np.issubdtype(spec.kind, np.integer):
        limits = np.iinfo(spec.kind)
        low, high = max(limits.min, -2000), min(limits.max, 2000)
        return [rng.integers(low, high, spec.shape, endpoint=True).astype(spec.kind) for _ in range(SAMPLES)]
    return [(rng.integers(-128, 128, spec.shape) / 8).astype(spec.kind) for _ in range(SAMPLES)]


def isolated(function, *arguments):
    """The function's result, computed in a process of its own: onnxruntime aborts on some values. None if it did."""
    back, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(back)
        with os.fdopen(there, "wb") as pipe:
            pickle.dump(function(*arguments), pipe)
        os._exit(0)
    os.close(there)
    with os.fdopen(back, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(child, 0)
    return pickle.loads(data) if status == 0 else None


def reference(made, inputs, custom):
    """The outputs for every sample, or None."""
    try:
        if custom:
            results = []
            for x in inputs:
                wrapped = ModelWrapper(made)
                for output in made.graph.output:
                    wrapped.set_tensor_shape(output.name, list(x.shape))
                done = execute_onnx(wrapped, {"x": x})
                results.append([done[output.name] for output in made.graph.output])
            return results
        try:
            session = onnxruntime.InferenceSession(made.SerializeToString(), ONE_THREAD, providers=["CPUExecutionProvider"])
            return [session.run(None, {"x": x}) for x in inputs]
        except Exception as error:
            # only what onnxruntime has no code for is left to the slower reference
            if "NOT_IMPLEMENTED" not in str(error) and "NotImplemented" not in type(error).__name__ and made.opset_import[0].version >= 7:
                return None
            evaluator = ReferenceEvaluator(made)
            return [evaluator.run(None, {"x": x}) for x in inputs]
    except Exception:
        return None


class Writer:
    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def write(self, op, version, what, spec):
        try:
            made = model(op, version, spec)
        except (TypeError, ValueError):
            return  # onnx itself cannot write such a node
        inputs = samples(spec, op in ("Log", "Reciprocal", "Sqrt"))
        results = isolated(reference, made, inputs, spec.domain in (GENERAL, LAST))
        if results is not None and not all(np.isfinite(np.asarray(y, np.float64)).all() for row in results for y in row):
            results = None
        if results is not None:
            made = model(op, version, spec, results[0][0].shape)
        flat = lambda a: [float(v) for v in np.asarray(a, np.float64).reshape(-1)]
        case = {
            "operator": " ".join(filter(None, [spec.domain, op])), "version": version, "what": what, "format": "s8.3" if spec.kind == f32 else None,
            "x": [flat(x) for x in inputs],
            "y": None if results is None else [[flat(y) for y in row] for row in results],
            "shapes": None if results is None else [list(np.asarray(y).shape) for y in results[0]],
        }
        path = self.folder / f"{self.count:05}"
        path.with_suffix(".onnx").write_bytes(made.SerializeToString())
        path.with_suffix(".json").write_text(json.dumps(case))
        self.count += 1


def copy(spec, **changes):
    other = Spec(spec.shape, spec.constants, spec.outputs, spec.kind, **spec.attributes).of(spec.domain, spec.version)
    for name, value in changes.items():
        setattr(other, name, value)
    return other


def cases(writer, op, version, attributes, operands, spec):
    writer.write(op, version, "nothing", spec)
    for name, kind in attributes:
        for value in settings(name, kind, op):
            for more in COMPANIONS if name in ("pads", "auto_pad", "ceil_mode", "count_include_pad") else [{}]:
                more = {k: v for k, v in more.items() if k in [n for n, _ in attributes]}
                writer.write(op, version, name, copy(spec, attributes={**spec.attributes, **more, name: value}))
    writer.write(op, version, "an unknown attribute", copy(spec, attributes={**spec.attributes, "unheard_of": 3}))
    for k in range(max(len(operands) - 1, len(spec.constants))):
        name = "operand " + (operands[k + 1] if k + 1 < len(operands) else str(k + 1))
        given = spec.constants[k] if k < len(spec.constants) else None
        others = operand_settings(op, version, k, None if given is None else np.asarray(given))
        if k >= len(spec.constants):
            others = [i64(0), i64(1, 2), i64(0, 1, 2, 3), f32(0.5), np.array(True), i64(2), i64(1, 1, 6, 6)]
        for other in others:
            constants = spec.constants + [None] * (k + 1 - len(spec.constants))
            constants[k] = other
            writer.write(op, version, name, copy(spec, constants=constants))
    writer.write(op, version, "one operand more", copy(spec, constants=spec.constants + [grid(1, 3, 4, 4)]))
    writer.write(op, version, "one result more", copy(spec, outputs=spec.outputs + 1))
    for kind in (np.int8, np.uint8, np.int32, np.int64, np.float64, np.float16):
        same = [c.astype(kind) if c is not None and np.asarray(c).dtype == f32 and op not in ("Resize", "Upsample") else c
                for c in (None if c is None else np.asarray(c) for c in spec.constants)]
        writer.write(op, version, f"data type {np.dtype(kind).name}", copy(spec, kind=kind, constants=same))


def versions_of(op):
    found = {s.since_version: s for s in defs.get_all_schemas_with_history() if s.name == op and s.domain == ""}
    for since in sorted(found):
        later = [v for v in found if v > since and v <= OLDEST]
        if since <= NEWEST and not later:
            yield max(since, OLDEST), found[since]


def schema(path):
    operators = {}
    for op in SUPPORTED + CONSTANTS_ONLY:
        operators[op] = [{"version": v, "attributes": sorted(s.attributes), "operands": len(s.inputs)} for v, s in versions_of(op)]
    of = lambda module: {op: sorted({a for o, _, found in qonnx_classes(module) if o == op for a, _ in found}) for op, _, _ in qonnx_classes(module)}
    text = json.dumps({"ai.onnx": operators, GENERAL: of(general)}, indent=1)
    path.write_text(text + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--schema", type=pathlib.Path)
    parser.add_argument("--only", help="operators, separated by commas")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.schema:
        schema(options.schema)
    writer = Writer(options.out)
    wanted = options.only.split(",") if options.only else None
    for op in [op for op in SUPPORTED if wanted is None or op in wanted]:
        for version, found in versions_of(op):
            spec = base(op, version)
            if spec is not None and not found.deprecated:
                attributes = [(a.name, str(a.type).split(".")[-1]) for a in found.attributes.values()]
                cases(writer, op, version, attributes, [i.name for i in found.inputs], spec)
    places = lambda spec: ["X"] + [str(k + 1) for k in range(len(spec.constants))]
    for op, version, attributes in qonnx_classes(general):
        spec = custom(op, version)
        if spec is not None and (wanted is None or op in wanted):
            cases(writer, op, 13, attributes, places(spec), spec.of(GENERAL, version))
    newest = {op: attributes for op, _, attributes in qonnx_classes(channels_last)}
    for op, attributes in newest.items() if wanted is None or LAST in wanted else []:
        spec = last(op)
        cases(writer, op, 13, attributes, places(spec), spec.of(LAST, 13))
    for op in ("QuantizeLinear", "DequantizeLinear") if wanted is None else []:
        spec = base(op, 13)
        cases(writer, op, 13, [("axis", "INT")], places(spec), spec.of(MICROSOFT, 1))
    print(f"{writer.count} files in {options.out}")


if __name__ == "__main__":
    main()
