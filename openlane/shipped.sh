#!/bin/sh
# Emits the shipped designs with their hardening folders, maps them for the floor plan, and checks each configuration:
# shipped.sh OUT. HWGEN names the program, PYTHON a Python that may have librelane, FUSESOC FuseSoC's program. SIZE=small
# takes small designs of the same kinds, for a try.
set -eu

if [ $# -ne 1 ]; then
    echo "usage: shipped.sh OUT" >&2
    exit 2
fi
out=$1
here=$(cd "$(dirname "$0")" && pwd)
hwgen=${HWGEN:-hwgen}
python=${PYTHON:-python3}
fusesoc=${FUSESOC:-fusesoc}
mkdir -p "$out"

# NAME COMMAND...
emit() {
    name=$1
    shift
    "$hwgen" "$@" --out "$out/$name"
    # the floor plan needs an area, which more effort makes two per cent smaller
    "$hwgen" synth "$out/$name" --target osu018 --effort fast --steps map --limit 7200 --out "$out/$name-mapped"
}

case ${SIZE:-full} in
full)
    emit encoder-fixed encoder --weights fixed
    emit encoder-programmable encoder --weights programmable
    emit interaction interaction --nodes 8 --edges 12
    ;;
small)
    emit encoder-fixed encoder --weights fixed --bits 3 --weight-bits 3
    emit interaction interaction --nodes 3 --edges 2
    ;;
*)
    echo "shipped.sh: SIZE is full or small" >&2
    exit 2
    ;;
esac

failed=0
if "$python" -c 'import librelane' 2>/dev/null; then
    "$python" "$here/check.py" "$out"/*-mapped/openlane/config.json || failed=1
else
    echo "not checked: librelane is not installed; pip install librelane" >&2
fi
if command -v "$fusesoc" >/dev/null 2>&1; then
    for folder in "$out"/*-mapped; do
        core=$(sed -n 's/^name: //p' "$folder/design.core")
        (cd "$folder" && "$fusesoc" --cores-root=. run --setup --target lint "$core") || failed=1
    done
else
    echo "not checked: fusesoc is not installed; pip install fusesoc" >&2
fi
exit $failed
