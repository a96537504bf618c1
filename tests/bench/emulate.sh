#!/usr/bin/env bash
# Events a second of `hwgen run` beside Verilator on the same design and alkaid's interpreter on the same weights, in one
# run; every result is compared.
# usage: tests/bench/emulate.sh [--only dense] [--events 100000] [--no-verilator] [--no-peer]
# Cases: dense, half, narrow (16-64-32-32-5 with whole, half sparse, and few-bit sparse weights), encoder, programmable,
# interaction. $PEERS names a Python with NumPy and alkaid, else they are installed from PyPI into a temporary folder.
. "$(dirname "$0")/tools.sh"
peers
"$PEERS" tests/bench/emulate.py "$HWGEN" "$work" "$@"
