#!/usr/bin/env bash
# Cell area and delay of hwgen's sums of cells beside the Verilog of da4ml and alkaid, all through one flow.
# usage: tests/bench/asic.sh [--effort normal] [--only square16] [--target osu018] [--networks] [--peers FILE]
#        [CASES.json...]
# Without cases it takes those of `hwgen bench arith` up to 32 inputs, the matrices of the trained networks in
# tests/models, and the matrices of $HWGEN_SHARED/bench (or ../shared/bench) if they are there; --networks takes the
# networks there, which Yosys maps for ten minutes each; --peers keeps the peers' figures for the next run.
# $PEERS names a Python with the two tools, else they are installed from PyPI into a temporary folder; $LIB names the
# library's liberty file if it is not that of osu018.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${PEERS:-}" ]; then
  python3 -m venv "$work/peers"
  "$work/peers/bin/pip" install --quiet numpy da4ml==0.6.0 alkaid==0.8.2
  PEERS=$work/peers/bin/python
fi
if [ -z "${HWGEN:-}" ]; then
  cargo build --quiet --release -p hwgen --bin hwgen
  HWGEN=target/release/hwgen
fi
lib=${LIB:-/usr/share/qflow/tech/osu018/osu018_stdcells.lib}
"$PEERS" tests/bench/asic.py "$(realpath "$HWGEN")" "$work" "${HWGEN_SHARED:-../shared}" "$(realpath "$lib")" "$@"
