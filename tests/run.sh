#!/usr/bin/env bash
# Installs the tools that the tests call, where they are missing, and runs every test.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A package=([iverilog]=iverilog [verilator]=verilator [yosys]=yosys [sta]=opensta [nextpnr-ice40]=nextpnr-ice40)
missing=()
for tool in iverilog verilator yosys sta nextpnr-ice40; do
  command -v "$tool" >/dev/null || missing+=("${package[$tool]}")
done
! command -v python3 >/dev/null || python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
[ -e /usr/share/qflow/tech/osu018/osu018_stdcells.lib ] || missing+=(qflow-tech-osu018)
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "please install: ${missing[*]}" >&2
    exit 1
  fi
  sudo=$([ "$(id -u)" = 0 ] || echo sudo)
  $sudo apt-get update -qq
  $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" make g++
fi

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
cargo test -p hwgen-hdl --features rust-hdl --test rust_hdl_bridge
cargo test --workspace "$@"
python/test.sh
