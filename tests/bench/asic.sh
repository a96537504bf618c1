#!/usr/bin/env bash
# Cell area and delay of hwgen's sums of cells beside the Verilog of da4ml and alkaid, all through one flow.
# usage: tests/bench/asic.sh [--effort normal] [--only square16] [--target osu018] [--networks] [--peers FILE]
#        [CASES.json...]
# Without cases it takes those of `hwgen bench arith` up to 32 inputs, the matrices of the trained networks in
# tests/models, and the matrices of $HWGEN_SHARED/bench (or ../shared/bench) if they are there; --networks takes the
# networks there, which Yosys maps for ten minutes each; --peers keeps the peers' figures for the next run.
# $PEERS names a Python with the two tools, else they are installed from PyPI into a temporary folder; $LIB names the
# library's liberty file if it is not that of osu018.
. "$(dirname "$0")/tools.sh"
peers
lib=${LIB:-/usr/share/qflow/tech/osu018/osu018_stdcells.lib}
"$PEERS" tests/bench/asic.py "$HWGEN" "$work" "${HWGEN_SHARED:-../shared}" "$(realpath "$lib")" "$@"
