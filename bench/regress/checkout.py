"""The sources of another revision, in a temporary git worktree that is gone afterwards whatever happens."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.core import processes
from bench.core.errors import InputError, last_line

KEEPER = Path(__file__).with_name("worktree_keeper.py")


@dataclass(frozen=True)
class Checkout:
    """Two trees to compare."""

    base: Path
    base_commit: str
    head: Path  # the working tree itself
    head_commit: str
    changed: int  # files of the working tree that differ from head_commit
    below: Path  # where in the repository the command was given


@contextlib.contextmanager
def checkout(revision: str, start: Path) -> Iterator[Checkout]:
    """Check a revision out beside the working tree.

    A process of its own (``worktree_keeper.py``) makes the worktree and waits for this one to end, in whatever way, to
    take it away again: ``kill -9`` would leave no time to.

    Args:
        revision: a commit, branch or tag of the repository.
        start: a folder in the repository.

    Raises:
        InputError: no git, no repository, no such revision, or the worktree cannot be made.
    """
    root = Path(_git(start, "rev-parse", "--show-toplevel"))
    head = _git(root, "rev-parse", "--verify", "HEAD")
    try:
        commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    except InputError:
        raise InputError(
            f"there is no revision {revision!r} in {root}: give a commit, branch or tag, such as HEAD~1 (a shallow "
            "clone may lack it: git fetch --unshallow)"
        ) from None
    changed = _git(root, "status", "--porcelain", "--untracked-files=normal")
    keeper = subprocess.Popen(
        [sys.executable, str(KEEPER), str(root), commit], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": processes.outer_temporary_folder()},  # not one of those that end with the command
        start_new_session=True,  # Ctrl-C is not for it
    )  # fmt: skip
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        answer = json.loads(keeper.stdout.readline() or '{"error": "its process died"}')
        if "error" in answer:
            raise InputError(f"a worktree of {revision} cannot be made: {answer['error']}")
        base = Path(answer["folder"]) / "base"
        yield Checkout(base, commit, root, head, len(changed.splitlines()), start.resolve().relative_to(root.resolve()))
    finally:
        keeper.stdin.close()
        keeper.wait()
        keeper.stdout.close()


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]  # as in bench.core.machine
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise InputError("git is not installed, and --base needs it: install git, or compare with --baseline") from None
    if done.returncode:
        if "safe.directory" in done.stderr:
            raise InputError(
                f"{folder} belongs to another user, so git does not open it: "
                f"git config --global --add safe.directory {shlex.quote(str(folder))} allows it"
            )
        last = last_line(done.stderr, f"git {arguments[0]} failed")
        raise InputError(f"{folder} is no git repository with a commit: {last.removeprefix('fatal: ')}")
    return done.stdout.strip()
