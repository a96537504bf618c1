#!/bin/sh
# Hardens the design of this folder: run.sh [SWITCHES OF LIBRELANE...]
# Uses librelane, or else openlane, from the PATH; HARDEN names another program. PDK_ROOT says where PDKs are.
set -eu
cd "$(dirname "$0")"

say() { echo "run.sh: $*" >&2; }

tool=${HARDEN:-}
if [ -z "$tool" ]; then
    for candidate in librelane openlane; do
        if command -v "$candidate" >/dev/null 2>&1; then
            tool=$candidate
            break
        fi
    done
fi

if [ -z "$tool" ]; then
    say "neither librelane nor openlane is installed"
    say "install it with its tools: https://librelane.readthedocs.io (Nix or Docker), or 'pip install librelane' for"
    say "the flow alone"
    exit 1
fi
if ! command -v "$tool" >/dev/null 2>&1; then
    say "HARDEN names $tool, which is not installed"
    exit 1
fi

# With --dockerized the tools come in a container; otherwise they must be here.
case " $* " in
*" --dockerized "*) ;;
*)
    missing=
    for program in yosys openroad magic klayout netgen; do
        command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
    done
    if [ -n "$missing" ]; then
        say "missing:$missing"
        say "run it inside 'nix-shell' of LibreLane, or with Docker: ./run.sh --dockerized"
        exit 1
    fi
    ;;
esac

exec "$tool" "$@" config.json
