"""Makes a worktree, says where, and takes it away when its standard input ends: its parent is done, or dead.

python worktree_keeper.py REPOSITORY COMMIT
"""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # it ends when there is nothing left to take away
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    repository, commit = sys.argv[1:]
    try:
        folder = Path(tempfile.mkdtemp(prefix="bench-regress-"))
    except OSError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    try:
        made = _git(repository, "worktree", "add", "--quiet", "--detach", str(folder / "base"), commit)
        problem = made.stderr.strip().splitlines()[-1:] or ["git worktree add failed"]
        print(json.dumps({"error": problem[0]} if made.returncode else {"folder": str(folder)}), flush=True)
        sys.stdin.read()
    finally:
        _git(repository, "worktree", "remove", "--force", str(folder / "base"))
        shutil.rmtree(folder, ignore_errors=True)
        _git(repository, "worktree", "prune")


def _git(repository: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    # In a hook, git's own variables would name another place.
    return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
