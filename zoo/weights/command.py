"""What ``python -m zoo.weights`` does.

Exit status: 0 done, 2 bad usage, no network or a bad file with one line on stderr, 130 interrupted.
"""

import argparse
import errno
import re
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from bench.core import streams
from bench.core.errors import os_text
from zoo.errors import ZooError
from zoo.weights.catalogue import DEFAULTS, Entry, bar, fetch, find, is_cached, published

DATASETS = [dataset for dataset, _ in DEFAULTS.values()]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ZooError(f"{message} (see python -m zoo.weights --help)")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="python -m zoo.weights", description="Published weights of the networks.", allow_abbrev=False)
    shared = _Parser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | fetch")
    commands.add_parser("list", parents=[shared], help="what was published, with the publisher's figures")
    fetching = commands.add_parser(
        "fetch", parents=[shared], help="download weights into the cache and print where they are"
    )
    fetching.add_argument("model", metavar="MODEL", help="a name that the list shows")
    fetching.add_argument("--input", type=_size, metavar="HxW", help="height x width; default: the smallest published")
    fetching.add_argument("--dataset", choices=DATASETS, default="coco", help="default: coco")
    fetching.add_argument("--training-data", metavar="NAME", help="what the list shows, where there are several")
    fetching.add_argument("--quiet", action="store_true", help="no progress")
    return parser.parse_args(argv)


def _size(text: str) -> str:
    if not re.fullmatch(r"\d+x\d+", text.lower()):
        raise argparse.ArgumentTypeError(f"{text!r} is not HEIGHTxWIDTH, for example 256x192")
    return text.lower()


def run(argv: Sequence[str], catalogue: Sequence[Entry] | None = None) -> int:
    """The command with its arguments; ``catalogue`` stands in for what was published."""
    arguments = parse(argv)
    entries = published() if catalogue is None else catalogue
    if arguments.command == "list":
        print_list(entries)
        return 0
    entry = find(
        arguments.model,
        arguments.input,
        arguments.dataset,
        training_data=arguments.training_data,
        catalogue=entries,
    )
    with bar(entry.file, shown=not arguments.quiet) as step:
        print(fetch(entry, step=step))
    return 0


def print_list(entries: Sequence[Entry]) -> None:
    table = Table(
        title="Published weights, with the publisher's figures",
        caption="COCO: AP and AR on val2017. MPII: PCKh on the validation set.",
    )
    for heading in ("model", "data set", "input", "trained on", "figures", "SHA-256", "fetched"):
        table.add_column(heading, no_wrap=True)
    for entry in entries:
        here = "yes" if is_cached(entry) else "no"
        figures = " ".join(entry.metrics)
        table.add_row(entry.model, entry.dataset, entry.input, entry.training_data, figures, entry.sha256_prefix, here)
    # Wide enough for the table where the output goes to a file or a pipe.
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table)


def main(argv: Sequence[str], catalogue: Sequence[Entry] | None = None) -> int:
    """``run`` with its errors as one line on stderr and an exit status."""
    streams.open_what_is_closed()
    try:
        try:
            return run(argv, catalogue)
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno == errno.EPIPE:
            streams.leave_quietly()
        streams.forget_output()
        message, status = f"error: {os_text(error)}", 2
    except ZooError as error:
        message, status = f"error: {' '.join(str(error).split())}", 2
    except KeyboardInterrupt:
        message, status = "interrupted; what was downloaded is kept, the same command goes on from there", 130
    except Exception as error:
        message, status = f"error: unexpected {type(error).__name__}: {error} (--debug shows where)", 2
    if "--debug" in argv:
        traceback.print_exc()
    print(message, file=sys.stderr)
    return status
