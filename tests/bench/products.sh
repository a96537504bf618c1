#!/usr/bin/env bash
# Sums of products of two variables in every form: eight sums of sixteen products of 8 unsigned by 6 signed bits.
# usage: tests/bench/products.sh [TARGET...]   (default: nangate45 xcup ice40-hx8k ecp5-45k; HWGEN=program)
. "$(dirname "$0")/tools.sh"
[ $# -gt 0 ] || set -- nangate45 xcup ice40-hx8k ecp5-45k
cat >"$work/sums.json" <<'J'
{"name": "sums",
 "inputs": [{"name": "x", "shape": [1, 16], "range": [0, 255]}, {"name": "w", "shape": [16, 8], "range": [-32, 31]}],
 "layers": [{"name": "sums", "op": "mat_mul", "inputs": [0, 1]}],
 "outputs": [{"name": "y", "tensor": 2}]}
J
for target in "$@"; do
  for form in operator array booth booth8; do
    "$HWGEN" build "$work/sums.json" --target "$target" --multipliers "$form" --latency 0 --out "$work/rtl" >/dev/null
    "$HWGEN" synth "$work/rtl" --target "$target" --steps map --out "$work/net" --json >"$work/report.json" 2>/dev/null
    python3 - "$target" "$form" "$work/report.json" <<'P'
import json, sys
figures = json.load(open(sys.argv[3]))["figures"]
wanted = ("area", "look-up tables")
found = [f"{f['value']:g} {f['unit']}" for f in figures if f["name"] in wanted and f["unit"] != "%"]
print(f"| {sys.argv[1]} | {sys.argv[2]} | {found[0].strip()} |", flush=True)
P
  done
done
