"""Layers of ONNX with random settings: products, windows, reductions, branches."""

import numpy as np
from onnx_graph import LAST, SAMPLES, Left, f32
from onnx_quantisers import ROUNDING, Quantisers


class Layers(Quantisers):
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

    def branches(self):
        """Two branches of one tensor on one grid, joined again."""
        start, scale, ends = (self.name, self.values), self.positive(), []
        for _ in range(2):
            self.name, self.values = start
            if self.chance(0.5) and self.opset >= 7:
                self.node("Mul", f32(self.pick(0.5, 1.7, -1.0)))
            self.node("Quant", scale, f32(0), f32(self.int(2, 5)), domain=self.general, signed=1, narrow=0,
                      rounding_mode=self.pick(*ROUNDING))
            ends.append((self.name, self.values))
        op = self.pick("Add", "Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean", "Concat")
        self.node(op, *ends, **({"axis": self.int(0, self.rank - 1)} if op == "Concat" else {}))

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
