#!/usr/bin/env bash
# Faults a second of `hwgen faults` on the encoder's Verilog and on its netlist, without what reading them takes.
# usage: tests/bench/faults.sh [TARGET]   (default: osu018; HWGEN=program)
. "$(dirname "$0")/tools.sh"
target=${1:-osu018}
"$HWGEN" encoder --bits 8 --target "$target" --no-verify --out "$work/rtl" >/dev/null 2>&1
"$HWGEN" synth "$work/rtl" --target "$target" --steps map --out "$work/mapped" >/dev/null 2>&1
# seconds of a campaign with so many faults
seconds() {
  local count=$1
  shift
  "$HWGEN" faults "$work/rtl" "$@" --injections "$count" 2>&1 >/dev/null | sed -n 's/^note: .* faults in \(.*\) s$/\1/p'
}
rate() {
  local name=$1 few many
  shift
  few=$(seconds 512 "$@") many=$(seconds 2000000 "$@")
  awk -v name="$name" -v few="$few" -v many="$many" 'BEGIN { printf "%s: %.0f faults a second\n", name, 1999488 / (many - few) }'
}
netlist=(--netlist "$work/mapped/netlist.v" --target "$target")
rate "upsets in the Verilog" --campaign double
rate "upsets in the netlist" --campaign double "${netlist[@]}"
rate "transients in the netlist" --campaign set "${netlist[@]}"
