# Sourced by the benchmarks: a folder for their files, the program, and a Python with the peers.
# $HWGEN names the program, else it is built. $PEERS names a Python with da4ml and alkaid, else they are installed from
# PyPI into the folder, where a benchmark asks for it by `peers`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${HWGEN:-}" ]; then
  cargo build --quiet --release -p hwgen --bin hwgen
  HWGEN=target/release/hwgen
fi
HWGEN=$(realpath "$HWGEN")
peers() {
  if [ -z "${PEERS:-}" ]; then
    python3 -m venv "$work/peers"
    "$work/peers/bin/pip" install --quiet numpy da4ml==0.6.0 alkaid==0.8.2
    PEERS=$work/peers/bin/python
  fi
}
