#!/usr/bin/env bash
# Compares hwgen's constant arithmetic with da4ml and alkaid on the same weights, in one run.
# usage: tests/bench/compare.sh [--effort 10] [--only square16] [--no-synthesis]
# Besides the generated matrices it runs those of the trained networks in tests/models, and the cases of
# $HWGEN_SHARED/bench (or ../shared/bench) if they are there.
# $PEERS names a Python with the two tools, else they are installed from PyPI into a temporary folder.
. "$(dirname "$0")/tools.sh"
peers
"$PEERS" tests/bench/peers.py "$HWGEN" "$work" "${HWGEN_SHARED:-../shared}" "$@"
