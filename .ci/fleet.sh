#!/usr/bin/env bash
# What tests/bench/test_fleet.py needs: an ssh server, and ansible-core in a folder of its own. Quick when they are there.
# Prints the path of ansible-playbook. Status 3 where they cannot be had.
set -euo pipefail

folder=${XDG_CACHE_HOME:-$HOME/.cache}/lightpose-bench/fleet
if ! command -v sshd >/dev/null && [ ! -x /usr/sbin/sshd ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "no ssh server: install openssh-server" >&2
        exit 3
    fi
    # RUNLEVEL: the server is not to be started for the machine.
    { apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=120 install openssh-server openssh-client; } >&2 || exit 3
fi
if [ ! -x "$folder/bin/ansible-playbook" ]; then
    mkdir -p "$(dirname "$folder")"
    rm -rf "$folder"
    { python3 -m venv "$folder" && "$folder/bin/python" -m pip install --quiet "ansible-core>=2.16"; } >&2 || {
        rm -rf "$folder"
        exit 3
    }
fi
echo "$folder/bin/ansible-playbook"
