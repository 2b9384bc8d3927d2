"""What the commands share: options, errors, progress."""

import argparse
import contextlib
import errno
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.core.errors import InputError
from bench.core.record import Record, append, read

# Progress and prose; results go to standard output.
console = Console(stderr=True, soft_wrap=True, highlight=False)
# Wide enough for the tables where output goes to a file or a pipe.
output = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
DEFAULT_RESULTS = Path("results/local")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Names defaults that say something: not those of switches, nor of what is worked out later."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, False) else super()._get_help_string(action)


def make_parser(name: str, description: str, *, records: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that every command has, and those of commands that make records."""
    parser = _Parser(
        prog=f"python -m bench.{name}", description=description, formatter_class=_Help,
        allow_abbrev=False,
    )  # fmt: skip
    if records:
        parser.add_argument(
            "--results", type=Path, default=DEFAULT_RESULTS, metavar="DIR", help="folder of the records"
        )
        parser.add_argument("--json", action="store_true", help="print the records as JSON lines, nothing else")
    parser.add_argument("--quiet", action="store_true", help="no progress and no prose")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def add_model_options(parser: argparse.ArgumentParser, *, several_inputs: bool = False) -> None:
    """Options that say which networks, and what they take."""
    add_models_option(parser)
    more = "[,HxW]" if several_inputs else ""
    parser.add_argument("--input", default="256x192", metavar=f"HxW{more}", help="height x width of the input")
    parser.add_argument("--joints", type=positive, default=17, help="heatmaps of a network of the zoo")


def add_models_option(parser: argparse.ArgumentParser, default: str | None = "all", note: str = "") -> None:
    """The option that says which networks."""
    parser.add_argument(
        "--models", default=default, metavar="NAME[,NAME]",
        help=f"{note}all, names of the zoo, simplebaseline:timm/NAME, lightweight:timm/NAME, or a factory "
        "of your own as path/to/file.py:function or package.module:function",
    )  # fmt: skip


def add_ahead_option(parser: argparse.ArgumentParser) -> None:
    """For commands that measure in fresh processes."""
    parser.add_argument(
        "--ahead", type=positive, default=1, metavar="N",
        help="processes that get ready at a time, where there are cores for it; each then measures alone (default: 1)",
    )  # fmt: skip


def add_missing_option(parser: argparse.ArgumentParser) -> None:
    """For commands that are run again and again, as run_all.sh does."""
    parser.add_argument(
        "--missing", action="store_true",
        help="leave out what this version of the project already has a record of (a network of your own is taken "
        "for unchanged)",
    )  # fmt: skip


def positive(text: str) -> int:
    """An argument that is a whole number above zero."""
    with contextlib.suppress(ValueError):
        if int(text) > 0:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")


def natural(text: str) -> int:
    """An argument that is a whole number from zero."""
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")


def seconds(text: str) -> float:
    """An argument that is a time above zero."""
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")


def parse_inputs(text: str) -> list[tuple[int, int]]:
    """``256x192,384x288`` as (height, width) pairs."""
    return [_parse_input(part.strip()) for part in text.split(",")]


def _parse_input(text: str) -> tuple[int, int]:
    height, separator, width = text.lower().partition("x")
    if not (separator and height.isdecimal() and width.isdecimal()):
        raise InputError(f"input size {text!r} is not HEIGHTxWIDTH, for example 256x192")
    if not (32 <= int(height) <= 4096 and 32 <= int(width) <= 4096):
        raise InputError(f"input size {text!r} is impossible: height and width go from 32 to 4096")
    return int(height), int(width)


def input_text(size: tuple[int, int]) -> str:
    """(256, 192) as ``256x192``, as records write it."""
    return f"{size[0]}x{size[1]}"


@contextlib.contextmanager
def progress(total: int, what: str, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr, or a line a step where that is no terminal; call the result after each step."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal), transient=True) as bar:
        task = bar.add_task(what, total=total)
        done = 0

        def step(word: str) -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=1, description=f"{what}: {word}")
            if shown and not console.is_terminal:
                say(f"{what} {done}/{total}: {word}")

        yield step


@contextlib.contextmanager
def ticker(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """What goes on, where nobody knows how long it takes: a line on stderr that changes, or one every ten seconds."""
    said = 0.0
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(console.status("")) if shown and console.is_terminal else None

        def tell(word: str) -> None:
            nonlocal said
            if status:
                status.update(escape(word))
            elif shown and time.monotonic() - said > 10:
                said = time.monotonic()
                say(word)

        yield tell


@contextlib.contextmanager
def counter(total: int, what: str, *, shown: bool) -> Iterator[Callable[[int, str], None]]:
    """A progress bar over many small things, with their rate; call the result with how many were done, and of what.

    Where stderr is no terminal, a line every ten seconds.
    """
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    started = said = time.monotonic()
    done = 0
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal), transient=True) as bar:
        task = bar.add_task(what, total=total, rate="")

        def step(count: int, word: str) -> None:
            nonlocal done, said
            done += count
            now = time.monotonic()
            rate = f"{done / max(now - started, 1e-9):.1f} {what}/s"
            bar.update(task, advance=count, description=word, rate=rate)
            if shown and not console.is_terminal and (now - said > 10 or done >= total):
                said = now
                say(f"{word}: {done}/{total} {what}, {rate}")

        yield step


def save(records: list[Record], arguments: argparse.Namespace) -> None:
    """Append records to the results folder and, with ``--json``, print them."""
    append(records, arguments.results)
    if arguments.json:
        for record in records:
            print(record.to_json(), flush=True)


def open_results(folder: Path) -> list[Record]:
    """The records that are there; fails before a long measurement rather than after it.

    Raises:
        OSError: the folder cannot be made or written.
        RecordError: a file in it holds what is no record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".writable"
    try:
        probe.write_bytes(b"\0" * 4096)
    except OSError as error:
        error.filename = str(folder)
        raise
    finally:
        probe.unlink(missing_ok=True)
    return read(folder)


def command_line() -> str:
    """This process's command as one would type it, for records."""
    main = sys.modules["__main__"].__spec__
    name = main.name.removesuffix(".__main__") if main else Path(sys.argv[0]).name
    return shlex.join(["python", "-m", name, *sys.argv[1:]])


def now() -> str:
    """The time as records write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run(main: Callable[[list[str]], int]) -> NoReturn:
    """Run a command's main function and leave with its exit status.

    0 done, 1 a check failed, 2 bad usage or bad input, 130 interrupted. Errors are one line on
    stderr; ``--debug`` adds the traceback.
    """
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    try:
        sys.exit(main(sys.argv[1:]))
    except InputError as error:
        fail(str(error), 2)
    except OSError as error:
        fail(_os_error(error), 2)
    except KeyboardInterrupt as error:
        fail(str(error) or "interrupted: what was recorded is kept", 130)
    except Exception as error:
        fail(f"unexpected {type(error).__name__}: {error} (--debug shows where)", 2)


def say(text: str) -> None:
    """A line of prose on stderr."""
    console.print(escape(text))


def warn(text: str) -> None:
    """A line on stderr that says what may be wrong with the result."""
    console.print(f"[yellow]warning:[/] {escape(text)}")


def fail(message: str, status: int) -> NoReturn:
    """Leave with a status and one line on stderr."""
    if "--debug" in sys.argv:
        traceback.print_exc()
    line = " ".join(message.split())
    print(f"error: {line}" if status != 130 else line, file=sys.stderr)
    sys.exit(status)


def _os_error(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"{where}the disk is full: free some space and run the same command again"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where}permission denied: give a folder that can be written"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"{where}is a file, and a folder is needed here"
    return f"{where}{error.strerror or error}"
