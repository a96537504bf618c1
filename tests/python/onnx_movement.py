"""Operators of ONNX that move, repeat or leave out elements, with random settings."""

import numpy as np
from onnx_graph import Graph, f32


class Movement(Graph):
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
