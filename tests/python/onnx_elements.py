"""Element-wise operators of ONNX with random settings."""

import numpy as np
from onnx_graph import SAMPLES, Graph, f32


class Elements(Graph):
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
