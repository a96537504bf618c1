#!/usr/bin/env bash
# Cell area and delay of constant matrices, hwgen's cells beside the Verilog of da4ml and alkaid, all through one flow:
# Yosys maps the same way for everybody (light mapping on purpose: what is compared is the structure), library cells
# that Verilog instantiates stay as they are, OpenSTA times the mapped netlist with ideal inputs and no wires.
# The last columns tell how far hwgen's own estimates of area and delay are from that.
# usage: tests/bench/asic.sh [CASES.json...]   (default: cases of `hwgen bench arith`; LIB=file.lib TARGET=name override)
set -euo pipefail
cd "$(dirname "$0")/../.."
lib=$(realpath "${LIB:-/usr/share/qflow/tech/osu018/osu018_stdcells.lib}") target=${TARGET:-osu018}
delay=${MAX_DELAY:+--max-delay $MAX_DELAY}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
hwgen=${HWGEN:-}
if [ -z "$hwgen" ]; then
  cargo build --quiet --release -p hwgen
  hwgen=target/release/hwgen
fi
peers=${PEERS:-}
if [ -z "$peers" ]; then
  python3 -m venv "$work/peers"
  "$work/peers/bin/pip" install --quiet numpy da4ml==0.6.0 alkaid==0.8.2
  peers=$work/peers/bin/python
fi
if [ $# -eq 0 ]; then
  "$hwgen" bench arith --effort fast --only square16 --export "$work/cases" --json >/dev/null
  set -- "$work"/cases/*.json
fi

# map OUT TOP FILES...: prints area in square micrometres and delay in ns
map() {
  local out=$1 top=$2; shift 2
  mkdir -p "$out"
  yosys -q -p "read_liberty -lib $lib; read_verilog -sv $*; synth -top $top -flatten -noabc; \
    abc -fast -liberty $lib -script +strash;map;topo; opt_clean; tee -o $out/stat stat -liberty $lib; \
    splitnets -format __; opt_clean -purge; write_verilog -noattr -noexpr -simple-lhs $out/net.v" >"$out/log" 2>&1
  printf '%s\n' "read_liberty $lib" "read_verilog $out/net.v" "link_design $top" \
    "create_clock -name v -period 1000" "set_input_delay 0 -clock v [all_inputs]" \
    "set_output_delay 0 -clock v [all_outputs]" "report_checks -digits 4" >"$out/sta.tcl"
  sta -no_splash -exit "$out/sta.tcl" >"$out/sta"
  echo "$(awk '/Chip area/ {print $NF}' "$out/stat") $(awk '/data arrival time/ {print $1; exit}' "$out/sta")"
}

ratio() { awk "BEGIN {printf \"%.3f\", $1 / $2}"; }

echo "| case | hwgen µm² | ns | peers' least µm² | ns | area ÷ | delay ÷ | estimated ÷ mapped area | delay |"
echo "|---|---|---|---|---|---|---|---|---|"
for case in "$@"; do
  name=$(basename "$case" .json)
  # shellcheck disable=SC2086
  "$hwgen" cmvm "$case" --input-bits 8 --signed --target "$target" --effort "${EFFORT:-normal}" $delay \
    --out "$work/$name" --json >"$work/$name.figures"
  read -r area ns < <(map "$work/ours_$name" cmvm "$work/$name"/cmvm.v "$work/$name"/hwgen_*.v)
  best="" best_ns=""
  for tool in da4ml alkaid; do
    "$peers" tests/bench/peer_verilog.py "$tool" "$case" "$work/${tool}_$name"
    read -r a d < <(map "$work/${tool}_map_$name" top $(find "$work/${tool}_$name" -name '*.v' ! -name lookup_table.v ! -name '*wrapper*'))
    if [ -z "$best" ] || awk "BEGIN {exit !($a < $best)}"; then best=$a best_ns=$d; fi
  done
  read -r own own_ns < <(python3 -c "import json,sys; r = json.load(open(sys.argv[1])); print(r['area_um2'], r['delay_ns'])" "$work/$name.figures")
  echo "| $name | $area | $ns | $best | $best_ns | $(ratio "$area" "$best") | $(ratio "$ns" "$best_ns") | $(ratio "$own" "$area") | $(ratio "$own_ns" "$ns") |"
done
