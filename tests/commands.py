"""Commands called within the test's own process: options as on the command line, errors as exceptions."""

import contextlib
import importlib
import os
import signal
from collections.abc import Callable, Iterator
from unittest import mock

from bench import cli


def command(name: str) -> Callable[[list[str]], int]:
    """``main`` of ``python -m bench.NAME``."""

    def main(argv: list[str]) -> int:
        with _ctrl_c_kept():
            arguments = importlib.import_module(f"bench.{name}.options").parse(argv)
            status: int = importlib.import_module(f"bench.{name}.command").main(arguments)
            return status

    return main


def run_command(name: str) -> None:
    """A command with the options of ``sys.argv``, errors as lines and exit status; leaves by ``SystemExit``.

    What a command does to the process that is its own is left out: this one is the tests'.
    """
    with _ctrl_c_kept(), mock.patch.object(cli, "_set_up_process"):
        cli.run(importlib.import_module(f"bench.{name}.options").parse, f"bench.{name}.command")


@contextlib.contextmanager
def _ctrl_c_kept() -> Iterator[None]:
    """A command that has failed ignores Ctrl-C from then on, and so would all processes that later tests start."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def clean() -> dict[str, str]:
    """The environment without what leads to this project's own packages."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
