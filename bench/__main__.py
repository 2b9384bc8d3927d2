"""``python -m bench``, installed as ``lightpose``: lists the commands, and runs the one that is named first."""

import importlib
import sys

from bench import cli
from bench.core import interrupts
from bench.core.errors import InputError

COMMANDS = {
    "complexity": "count parameters and multiply-adds, by five counters",
    "speed": "time networks by the paper's protocol, in any backend and precision",
    "pipeline": "time the whole way from a frame to everybody's joints",
    "explain": "explain where a network's time goes, operator by operator",
    "accuracy": "evaluate networks on COCO, MPII or drawn people",
    "train": "train networks by the paper's recipe",
    "predict": "draw the joints that a network finds on pictures",
    "export": "write a network to a file that runs without this project",
    "kit": "time networks on another device, and bring its records back",
    "regress": "check whether a change made a network slower",
    "choose": "choose a network by limits on latency, accuracy, size and memory",
    "report": "make tables and figures from records",
    "record": "check records, or print their JSON Schema",
    "data": "write the synthetic data set, or draw samples of it",
}


def main() -> None:
    """Leaves with the exit status of the command; 2 for an unknown one."""
    interrupts.end_at_once()
    name, *rest = sys.argv[1:] or ["--help"]
    with cli.errors_as_lines():
        if name in ("-h", "--help"):
            print(overview(), end="")
            sys.exit(0)
        if name == "--version":
            cli.print_version()
            sys.exit(0)
        parse = importlib.import_module(f"bench.{known(name)}.options").parse
    cli.run(parse, f"bench.{name}.command", rest)


def overview() -> str:
    """The list of commands, one per line."""
    called = cli.program("")
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {about}" for name, about in COMMANDS.items()]
    return "\n".join(
        [
            f"usage: {called} COMMAND ...",
            "",
            *lines,
            "",
            f"{called} COMMAND --help shows the options of a command; --version prints the version.",
            "",
        ]
    )


def known(name: str) -> str:
    """The name of a command.

    Raises:
        InputError: there is no such command; the message has the nearest one.
    """
    if name in COMMANDS:
        return name
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise InputError(f"unknown command {name[:40]!r}: {hint}{cli.program('')} lists the commands")


if __name__ == "__main__":
    main()
