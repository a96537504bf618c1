#!/usr/bin/env bash
# Tests the Python package with the library that `cargo test --workspace` has built: a wheel would build all of it again.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v python3 >/dev/null; then
  echo "the Python package is not tested: there is no python3" >&2
  exit 0
fi
target=${CARGO_TARGET_DIR:-target}
venv=$target/python
[ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check numpy pytest
# tests among what is built, so that dependencies have the same features
cargo build --workspace --lib --tests
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
rm -rf "$site/hwgen"
cp -r python/hwgen "$site"
cp "$target/debug/lib_hwgen.so" "$site/hwgen/_hwgen.abi3.so"
"$venv/bin/python" -m pytest -q -p no:cacheprovider python/tests
