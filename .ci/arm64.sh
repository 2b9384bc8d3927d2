#!/usr/bin/env bash
# Makes a folder with Debian's QEMU, Debian's Python for arm64, and wheels for it, and prints its path: tests/bench/
# test_kit_arm64.py runs kits there. Nothing is installed: apt keeps lists and packages in that folder, and they are
# only unpacked. Quick when it is there. Status 3 where it cannot be made: another system, or no network.
set -euo pipefail

script=$(realpath "${BASH_SOURCE[0]}")
root=${LIGHTPOSE_ARM64:-${XDG_CACHE_HOME:-$HOME/.cache}/lightpose-bench/arm64}
wanted=$(cksum <"$script")
if [ "$(cat "$root/made" 2>/dev/null)" = "$wanted" ]; then
    echo "$root"
    exit
fi
for program in apt-get dpkg python3; do
    command -v "$program" >/dev/null || { echo "no root for arm64: $program is missing" >&2; exit 3; }
done

mkdir -p "$(dirname "$root")"
new=$(mktemp -d "$root.XXXXXX")
finished=
leave() {
    rm -rf "$new"
    [ -n "$finished" ] && return
    echo "no root for arm64 could be made: are Debian's packages and Python's wheels within reach?" >&2
    exit 3
}
trap leave EXIT

# download ARCHITECTURE PACKAGE...: fetched with all they need, by lists of their own.
download() {
    local architecture=$1 apt=$new/apt-$1
    shift
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status" # of installed packages there are none
    local options=(
        -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture" -o "Dir::State::Lists=$apt/lists"
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o Debug::NoLocking=1
    )
    apt-get "${options[@]}" -qq update
    apt-get "${options[@]}" -qq -y --no-install-recommends --download-only install "$@"
}

{
    download "$(dpkg --print-architecture)" qemu-user-static
    dpkg -x "$new"/apt-*/cache/archives/qemu-user-static_*.deb "$new/qemu"
    find "$new/qemu" -type f ! -name qemu-aarch64-static -delete
    download arm64 python3.11-minimal libpython3.11-stdlib libstdc++6
    for package in "$new"/apt-arm64/cache/archives/*.deb; do dpkg -x "$package" "$new/root"; done
    rm -rf "$new"/apt-*
    # 1.17.3 is an ONNX Runtime as boards have it; later ones crash in this QEMU. It needs numpy 1.
    python3 -m pip download --quiet --no-deps --dest "$new/downloaded" --platform manylinux2014_aarch64 \
        --platform manylinux_2_17_aarch64 --platform manylinux_2_28_aarch64 --only-binary=:all: --python-version 3.11 \
        "numpy==1.26.*" onnxruntime==1.17.3 ncnn==1.0.20261020
    for wheel in "$new"/downloaded/*.whl; do python3 -m zipfile -e "$wheel" "$new/wheels"; done
    rm -r "$new/downloaded"
} >&2
finished=yes

# QEMU runs one program: what that starts must be started by QEMU again, so Python is to start itself by this script.
cat >"$new/wheels/sitecustomize.py" <<'PYTHON'
import os
import sys

sys.executable = os.environ["EMULATED_PYTHON"]
PYTHON
cat >"$new/python" <<'SH'
#!/bin/sh
# EMULATED_CPU: the processor, as QEMU names it. EMULATED_BOARD: a folder whose files are seen in place of the system's.
here=$(dirname "$(readlink -f "$0")")
exec "$here/qemu/usr/bin/qemu-aarch64-static" -cpu "${EMULATED_CPU:-max,sve=off}" -L "${EMULATED_ROOT:-$here/root}" \
    -E "PYTHONHOME=$here/root/usr" -E "PYTHONPATH=$here/wheels" -E "EMULATED_PYTHON=$here/python" \
    "$here/root/usr/bin/python3.11" "$@"
SH
chmod +x "$new/python"
echo "$wanted" >"$new/made"
rm -rf "$root"
mv "$new" "$root"
echo "$root"
