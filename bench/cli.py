"""What the commands share: options, errors, progress. Imports nothing heavy: commands parse their options first."""

import argparse
import contextlib
import errno
import functools
import importlib
import re
import shlex
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from bench.core import interrupts, streams, supervision
from bench.core.errors import InputError, described, is_of_memory, os_reason, os_text, text_of
from bench.core.files import PROJECT, longest_name

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.progress import Progress, ProgressColumn
    from rich.segment import Segment
    from rich.table import Table

    from bench.core.record import Record

DEFAULT_RESULTS = Path("results/local")


class _Parser(argparse.ArgumentParser):
    def parse_args(self, *given: Any, **more: Any) -> Any:  # type: ignore[override]
        """Refuses empty texts, which a script's variable without a value gives, and which would pass for defaults."""
        found = super().parse_args(*given, **more)
        for action in self._actions:
            value = getattr(found, action.dest, None)
            if any(isinstance(one, str) and not one.strip() for one in (value if isinstance(value, list) else [value])):
                raise InputError(
                    f"{'/'.join(action.option_strings) or action.dest} is empty: leave it out, or say what"
                )
        return found

    def error(self, message: str) -> NoReturn:
        line = " ".join(message.split())
        short = line if len(line) <= 400 else f"{line[:200]} ... {line[-150:]}"  # it quotes what was given
        raise InputError(f"{short} (see {self.prog} --help)")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except those of switches and those that are worked out later."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        undefined = action.default is None or action.default is False  # 0 is a default
        text = action.help if undefined else super()._get_help_string(action)
        # argparse fills in %(default)s; any other % stands for itself, doubled or not.
        return re.sub(r"(?<!%)%(?![(%])", "%%", text) if text else text


class _Version(argparse.Action):
    """Looks up the version only when asked, because that takes longer than the rest of the parser."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**(options | {"nargs": 0, "help": "print the version of this project and exit"}))

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print_version()
        parser.exit()


def print_version() -> None:
    from importlib.metadata import version

    print(f"{PROJECT} {version(PROJECT)}")


# ------------------------------------------------------------------------------ options


def program(name: str) -> str:
    """How to call a command (an empty name: the list of commands), in the form that this process was called in."""
    if Path(sys.argv[0]).stem == "lightpose":
        return f"lightpose {name}".rstrip()
    return f"python -m bench.{name}".rstrip(".")


def make_parser(name: str, description: str, *, records: bool = True) -> argparse.ArgumentParser:
    """A parser with the options of every command and, with ``records``, those of commands that make records."""
    parser = _Parser(prog=program(name), description=description, formatter_class=_Help, allow_abbrev=False)
    if records:
        parser.add_argument(
            "--results", type=folder, default=DEFAULT_RESULTS, metavar="DIR", help="folder of the records"
        )
        parser.add_argument("--json", action="store_true", help="print the records as JSON lines, and nothing else")
    parser.add_argument("--quiet", action="store_true", help="no progress and no remarks")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    parser.add_argument("--version", action=_Version)
    return parser


def refuse(parser: argparse.ArgumentParser, argv: Sequence[str], options: Iterable[str], why: str) -> None:
    """Fail if one of some options was given, be it with its default: it would have no effect.

    Args:
        parser: that knows them.
        argv: the command line.
        options: as on the command line, such as ``--people``.
        why: it has none, for the message.

    Raises:
        InputError: one was.
    """
    given = {word.partition("=")[0] for word in argv}
    for option in options:
        assert option in parser._option_string_actions, option
        if option in given:
            raise InputError(f"{option} has no effect here: {why}; leave it out")


def parse_subcommand(
    name: str,
    description: str,
    commands: Mapping[str, tuple[str, Callable[[], argparse.ArgumentParser]]],
    argv: list[str],
) -> argparse.Namespace:
    """The options of a command that consists of several; ``command`` says which one was given.

    Args:
        name: of the command.
        description: of what they do together.
        commands: what each does, and its parser.
        argv: what was given.
    """
    if argv and argv[0] in commands:
        return commands[argv[0]][1]().parse_args(argv[1:], argparse.Namespace(command=argv[0]))
    parser = make_parser(name, description, records=False)
    about = "; ".join(f"{command}: {text}" for command, (text, _) in commands.items())
    help_text = f"{about} ({program(f'{name} COMMAND')} --help says more)"
    parser.add_argument("command", choices=list(commands), help=help_text)
    return parser.parse_args(argv)


def add_model_options(parser: argparse.ArgumentParser, *, several_inputs: bool = False) -> None:
    """Options for the networks and their input."""
    add_models_option(parser)
    more = "[,HxW]" if several_inputs else ""
    parser.add_argument(
        "--input", metavar=f"HxW{more}", help="height x width of the input (default: 256x192; of a model file, its own)"
    )
    add_joints_option(parser)
    add_model_info_option(parser)


def add_models_option(parser: argparse.ArgumentParser, default: str | None = "paper", note: str = "") -> None:
    """The option that says which networks."""
    parser.add_argument(
        "--models", default=default, metavar="NAME[,NAME]", type=names,
        help=f"{note}paper (its eight networks), newer or all, names of the zoo, simplebaseline:timm/NAME, "
        "lightweight:timm/NAME, a function of your own as path/to/file.py:function or package.module:function, or a "
        "model file (docs/files.md)",
    )  # fmt: skip


def add_joints_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--joints", type=joints, help="number of joints, for networks of the zoo (default: 17)")


def add_skeleton_option(parser: argparse.ArgumentParser, what: str) -> None:
    """For joints that are not those of a built-in data set."""
    parser.add_argument(
        "--skeleton", type=file, metavar="FILE",
        help=f"{what}: a JSON file with joints, flip_pairs, sigmas, limbs, upper_body, head, where nothing else "
        "says them (docs/data.md)",
    )  # fmt: skip


def add_model_info_option(parser: argparse.ArgumentParser) -> None:
    """For what a model file does not say of itself."""
    parser.add_argument(
        "--model-info", action="append", default=[], metavar="KEY=VALUE",
        help="what a model file does not say, such as output_kind=heatmap or mean=[0.5,0.5,0.5]; a file FILE.json "
        "beside it says it once and for all (docs/files.md)",
    )  # fmt: skip


def add_device_option(parser: argparse.ArgumentParser, default: str = "auto") -> None:
    parser.add_argument("--device", default=default, help="cpu, cuda, cuda:N, or auto (cuda if there is one)")


def add_threads_option(parser: argparse.ArgumentParser, default: int | None = None, why: str = "") -> None:
    usual = why or "one per physical core, within OMP_NUM_THREADS and a container's quota"
    parser.add_argument("--threads", type=threads, default=default, help=f"CPU threads (default: {usual})")


def add_timeout_option(parser: argparse.ArgumentParser) -> None:
    """For commands that run the user's own networks."""
    parser.add_argument(
        "--timeout", type=seconds, default=1800.0, metavar="SECONDS", help="stop a network that hangs after this time"
    )


def add_ahead_option(parser: argparse.ArgumentParser) -> None:
    """For commands that measure in fresh processes."""
    parser.add_argument(
        "--ahead", type=count, default=1, metavar="N",
        help="processes that get ready at the same time, if there are cores for them; each then measures alone",
    )  # fmt: skip


def add_missing_option(parser: argparse.ArgumentParser) -> None:
    """For commands that are run repeatedly, as run_all.sh does."""
    parser.add_argument(
        "--missing", action="store_true",
        help="skip what already has a record, measured in the same way by this version of the project",
    )  # fmt: skip


# ------------------------------------------------------------------------------ kinds of arguments


def whole_number(name: str, low: int, high: int) -> Callable[[str], int]:
    """A validator of whole numbers from ``low`` to ``high``, which stand in the message.

    Every kind of number has one such validator, below, and is refused before any work.
    """

    def parse(text: str) -> int:
        if re.fullmatch(r"[+-]?[0-9]{1,30}", text.strip()) and low <= int(text) <= high:
            return int(text)
        shown = text if len(text) <= 40 else f"{text[:40]}... ({len(text)} characters)"
        raise argparse.ArgumentTypeError(f"{shown!r} is not {name}: give a whole number from {low:,} to {high:,}")

    return parse


count = whole_number("a valid count", 1, 1_000_000)
epochs = whole_number("a number of epochs", 1, 100_000)
batch = whole_number("a batch size", 1, 4096)
threads = whole_number("a number of threads", 1, 1024)
processes = whole_number("a number of processes", 0, 256)
joints = whole_number("a number of joints", 1, 1024)
pictures = whole_number("a number of pictures", 1, 10_000_000)
pictures_or_people = whole_number("a number of pictures or people", 1, 10_000_000)
tolerated = whole_number("a number of pictures", 0, 10_000_000)
seed = whole_number("a seed", 0, 2**63 - 1)


def decimal(text: str) -> float:
    """A number in digits that everyone reads, as whole numbers are; raises ``ValueError``."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text.strip(), re.ASCII):
        raise ValueError
    return float(text)


def seconds(text: str) -> float:
    """An argument that is a time above zero, at most thirty days."""
    with contextlib.suppress(ValueError):
        if 0 < decimal(text) <= 30 * 86400:
            return decimal(text)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds above 0 and up to 2,592,000")


def real_number(name: str, low: float, high: float) -> Callable[[str], float]:
    """A validator of numbers from ``low`` to ``high``, which stand in the message."""

    def parse(text: str) -> float:
        with contextlib.suppress(ValueError):
            if low <= decimal(text) <= high:
                return decimal(text)
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {name}: give a number from {low:g} to {high:g}")

    return parse


learning_rate = real_number("a learning rate", 1e-9, 10)
confidence = real_number("a confidence", 0, 1)


def names(text: str) -> str:
    """An argument that is a comma-separated list of at least one name; an empty list never means all."""
    if not [part for part in text.split(",") if part.strip()]:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing: give all, or names separated by commas")
    return text


def listed(text: str) -> list[str]:
    """``a,b`` as a list of names, each once."""
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def file(text: str) -> Path:
    """An argument that is the path of a file."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no file")
    return Path(text)


def folder(text: str) -> Path:
    """An argument that is a folder, which may not exist yet."""
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no folder")
    return Path(text)


def writable_file(text: str) -> Path:
    """An argument that is a file to write, with folders above it that may have to be made; found out before any work.

    Nothing is made yet.
    """
    path = file(text)
    _check_name(path, text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, and a file is needed here")
    if path.exists() and not path.is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no regular file")
    _check_writable(path.parent, text)
    return path


def writable_folder(text: str) -> Path:
    """An argument that is a folder to write to, there or to be made; found out before any work. It is not made yet."""
    path = folder(text)
    _check_name(path, text)
    _check_writable(path, text)
    return path


def _check_name(path: Path, text: str) -> None:
    """Fail on a name that the system cannot have, such as one that is too long, of the path or of a folder to make."""
    import os

    try:
        made = (path, *(folder for folder in path.parents if not folder.exists()))
        longest = longest_name(path.parent)
        if any(len(os.fsencode(one.name)) > longest for one in made):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        path.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # not there, or for others to say
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise argparse.ArgumentTypeError(f"{text[:40]!r} cannot be the name of a file: {reason}") from error


def _check_writable(path: Path, text: str) -> None:
    """Fail if a file cannot be made in the folder, or in the nearest one above it that is there."""
    import tempfile

    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be written: {path}: {os_reason(error)}") from error


def parse_inputs(text: str) -> list[tuple[int, int]]:
    """``256x192,384x288`` as (height, width) pairs."""
    return [_parse_input(part.strip()) for part in text.split(",")]


def given_input(text: str | None, command: str) -> tuple[int, int] | None:
    """``one_input``, where it was given."""
    return one_input(text, command) if text else None


def one_input(text: str, command: str) -> tuple[int, int]:
    """``256x192`` as (height, width), for a command that takes one size at a time."""
    size, *more = parse_inputs(text)
    if more:
        raise InputError(f"--input {text}: give one size at a time to bench.{command}")
    return size


def _parse_input(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,6})[xX]([0-9]{1,6})", text)
    if not found:
        raise InputError(f"input size {text[:40]!r} is not HEIGHTxWIDTH, for example 256x192")
    height, width = int(found[1]), int(found[2])
    if not (32 <= height <= 4096 and 32 <= width <= 4096):
        raise InputError(f"input size {text!r} is impossible: height and width go from 32 to 4096")
    return height, width


def input_text(size: tuple[int, int]) -> str:
    """(256, 192) as ``256x192``, as records write it."""
    return f"{size[0]}x{size[1]}"


# ------------------------------------------------------------------------------ what is printed


@functools.cache
def console() -> "Console":
    """For progress and remarks, on standard error; results go to standard output."""
    from rich.console import Console

    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


@functools.cache
def output() -> "Console":
    """For tables, on standard output, as they are, without markup; wide enough if that is a file or a pipe."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False, width=None if sys.stdout.isatty() else 120)


_FOLDED = 12  # the least width of a column whose words may be broken


@dataclass(frozen=True)
class _AtLeast:
    """A table as wide as the terminal, or as it must be."""

    table: "Table"
    width: int

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Segment]":
        yield from console.render(self.table, options.update(width=max(options.max_width, self.width)))


def show_table(table: "Table", title: str = "") -> None:
    """Print a table on standard output, with its title above it on one line, however narrow the table is.

    No name and no figure is cut, however narrow the terminal is: there, lines go on in the next one.
    """
    from rich.measure import Measurement

    if title:
        output().print(title, style="italic", soft_wrap=True)
    wide = output().options.update(width=10_000)
    for column in table.columns:
        if column.no_wrap or column.overflow != "fold":
            widths = [Measurement.get(output(), wide, cell) for cell in (column.header, *column.cells)]
            column.min_width = max(width.maximum if column.no_wrap else width.minimum for width in widths)
    least = sum((column.min_width or _FOLDED) + 3 for column in table.columns) + 1  # with a line and blanks beside each
    output().print(_AtLeast(table, least), crop=False)


def say(text: str) -> None:
    """Print a remark on stderr."""
    from rich.markup import escape

    console().print(escape(text))


def warn(text: str) -> None:
    """Print a warning on stderr."""
    from rich.markup import escape

    console().print(f"[yellow]warning:[/] {escape(text)}")


def _bar(*extra: "ProgressColumn", shown: bool) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *extra, TimeRemainingColumn())
    return Progress(*columns, console=console(), disable=not (shown and console().is_terminal), transient=True)


@contextlib.contextmanager
def progress(total: int, what: str, *, shown: bool) -> Iterator[Callable[[str], None]]:
    """A progress bar on stderr, or one line per step if that is not a terminal; call the result after each step."""
    from rich.markup import escape

    with _bar(shown=shown) as bar:
        task = bar.add_task(what, total=total)
        done = 0

        def step(note: str) -> None:
            nonlocal done
            done += 1
            bar.update(task, advance=1, description=escape(f"{what}: {note}"))
            if shown and not console().is_terminal:
                say(f"{what} {done}/{total}: {note}")

        yield step


@contextlib.contextmanager
def ticker(*, shown: bool) -> Iterator[Callable[[str], None]]:
    """Shows what is going on when its length is unknown: one changing line on stderr, or a line every ten seconds."""
    from rich.markup import escape

    said = 0.0
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(console().status("")) if shown and console().is_terminal else None

        def tell(note: str) -> None:
            nonlocal said
            if status:
                status.update(escape(note))
            elif shown and time.monotonic() - said > 10:
                said = time.monotonic()
                say(note)

        yield tell


class Step(Protocol):
    """Told how many were done, and of what; ``earlier``: before this command started, so no part of its rate."""

    def __call__(self, number: int, note: str, /, *, earlier: bool = False) -> None: ...


@contextlib.contextmanager
def counter(total: int, what: str, *, shown: bool) -> Iterator[Step]:
    """A progress bar for many small steps, with their rate; call the result with how many were done, and of what.

    A line every ten seconds if stderr is not a terminal.
    """
    from rich.markup import escape
    from rich.progress import TextColumn

    started = said = time.monotonic()
    done = now_done = 0
    with _bar(TextColumn("{task.fields[rate]}"), shown=shown) as bar:
        task = bar.add_task(what, total=total, rate="")

        def step(number: int, note: str, *, earlier: bool = False) -> None:
            nonlocal done, now_done, said
            done += number
            now_done += 0 if earlier else number
            now = time.monotonic()
            rate = f"{now_done / max(now - started, 1e-9):.1f} {what}/s"
            bar.update(task, advance=number, description=escape(note), rate=rate)
            if shown and not console().is_terminal and (now - said > 10 or done >= total):
                said = now
                say(f"{note}: {done}/{total} {what}, {rate}")

        yield step


def save(records: "list[Record]", arguments: argparse.Namespace) -> None:
    """Append records to the results folder, each once, and, with ``--json``, print them."""
    from bench.core.results import append_once

    append_once(records, arguments.results)
    if arguments.json:
        for record in records:
            print(record.to_json(), flush=True)


def command_line() -> str:
    """This process's command as one would type it, for records."""
    if Path(sys.argv[0]).stem == "lightpose":
        return shlex.join(["lightpose", *sys.argv[1:]])
    main = sys.modules["__main__"].__spec__
    name = main.name.removesuffix(".__main__") if main else Path(sys.argv[0]).name
    return shlex.join(["python", "-m", name, *sys.argv[1:]])


# ------------------------------------------------------------------------------ running a command


def run(parse: Callable[[list[str]], argparse.Namespace], module: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Parse the options, then import the module that does the work, then leave with what its ``main`` returns.

    Exit status: 0 done, 1 a check failed, 2 bad usage or bad input, 130 interrupted. Errors are one line on stderr;
    ``--debug`` adds the traceback.

    Args:
        parse: the command line, without the program, to options; with light imports only.
        module: has ``main(options) -> int``.
        argv: the command line; by default this process's.
    """
    from bench.core import processes

    interrupts.end_at_once()
    warnings.showwarning = lambda message, *_, **__: warn(str(message))
    try:
        with errors_as_lines():
            arguments = parse(list(sys.argv[1:] if argv is None else argv))
            _set_up_process(arguments)
            main: Callable[[argparse.Namespace], int] = importlib.import_module(module).main
            interrupts.raise_in_python()
            with processes.no_exit():
                status = main(arguments)
                interrupts.ignore()
        sys.exit(status)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        supervision.report_end(status)
        processes.end_soon(status)
        raise


def _set_up_process(arguments: argparse.Namespace) -> None:
    """A child from now on, whose end is told; nothing is left running or in temporary folders when it ends, and
    libraries write nothing elsewhere."""
    from bench.core import address_space, library_settings, processes

    processes.end_with_whoever_asked()
    parent = supervision.work_in_child()
    if parent is not None:
        processes.end_with_parent(parent)
    if "timeout" in arguments:
        processes.set_limit(arguments.timeout)
    library_settings.forbid_telemetry()
    processes.clean_up_afterwards()
    library_settings.set_folders()
    if "models" in arguments or "model" in arguments:
        address_space.check()


@contextlib.contextmanager
def errors_as_lines() -> Iterator[None]:
    """Ends the process with one line and the status that is right for what is raised within; writes out what waits."""
    streams.open_what_is_closed()
    streams.write_every_letter()
    interrupted = "interrupted: what was recorded is kept"
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt as error:
        fail(str(error) or interrupted, 130)
    except SystemExit:
        raise
    except BaseException as error:  # code of the user's own may raise what is no Exception
        if interrupts.received():
            fail(interrupted, 130)
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            streams.leave_quietly()
        fail(_as_line(error), 2)


def _as_line(error: BaseException) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        return os_text(error)
    if is_of_memory(error):
        return described(error)
    return f"unexpected {type(error).__name__}: {text_of(error)} (--debug shows where)"


class _Failed(SystemExit):
    """The end of a command that said why."""


def fail(message: str, status: int) -> NoReturn:
    """Leave with a status and one line on stderr."""
    interrupts.ignore()
    if "--debug" in sys.argv:
        traceback.print_exc()
    line = " ".join(message.split())
    line = f"error: {line}" if status != 130 else line
    try:
        print(line, file=sys.stderr)
    except (OSError, ValueError):  # it may be closed
        supervision.say_for_me(f"{line}\n")
    raise _Failed(status)
