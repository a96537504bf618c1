#!/usr/bin/env bash
# Compares hwgen's constant-matrix optimiser with da4ml and alkaid on the same matrices, in one run.
# usage: tests/bench/compare.sh [options of hwgen bench arith, such as --effort 10 --only square16]
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/peers"
"$work/peers/bin/pip" install --quiet numpy da4ml==0.6.0 alkaid==0.8.2
cargo run --quiet --release -- bench arith --export "$work/cases" --json "$@" >"$work/hwgen.json"
"$work/peers/bin/python" tests/bench/peers.py "$work/cases" "$work/hwgen.json"
