#!/usr/bin/env bash
# Checks the CUDA backend on this machine; made by `npm run check:cuda -- --pack`. Results go to the folder named by OUT, else to
# `results` beside this file. Arguments are passed on (`--only products`).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${OUT:-$here/results}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
xz -dc -T0 "$here/node.xz" >"$work/node"
chmod +x "$work/node"
tar -xJf "$here/app.tar.xz" -C "$work"
cd "$work/app"
mkdir -p "$out"
export TMPDIR="$work" NODE_NO_WARNINGS=1 PYTHONPATH="$work/app/peers"
timeout "${LIMIT:-480}" "$work/node" bench/cuda/main.ts --output "$out" "$@"
