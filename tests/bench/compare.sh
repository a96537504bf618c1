#!/usr/bin/env bash
# Compares hwgen's constant arithmetic with da4ml and alkaid on the same weights, in one run.
# usage: tests/bench/compare.sh [--effort 10] [--only square16] [--no-synthesis]
# Besides the generated matrices it runs those of the trained networks in tests/models, and the cases of
# $HWGEN_SHARED/bench (or ../shared/bench) if they are there.
# $PEERS names a Python with the two tools, else they are installed from PyPI into a temporary folder.
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
"$PEERS" tests/bench/peers.py "$(realpath "$HWGEN")" "$work" "${HWGEN_SHARED:-../shared}" "$@"
