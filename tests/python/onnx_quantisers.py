"""Quantisers of ONNX and QONNX with random settings, and products of integers."""

import numpy as np
from onnx import TensorProto
from onnx_graph import Graph, Left, f32

ROUNDING = ["ROUND", "half_even", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "round"]
CODES = {TensorProto.INT8: np.int8, TensorProto.UINT8: np.uint8}


class Quantisers(Graph):
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
            if self.chance(0.3) and self.opset >= 12:
                # codes of fewer bits than the type has
                self.node("Clip", *(self.kind.type(v) for v in ((-8, 7) if self.kind == np.int8 else (0, 15))))
            self.dequantize()
