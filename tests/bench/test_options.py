"""The options of commands: every number has its limits, and what is printed is as it was given."""

import argparse
import importlib
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.table import Table

from bench import cli
from bench.codecs.losses import WEIGHTS
from bench.core.errors import InputError
from bench.train.recipe import LOSSES

ROOT = Path(__file__).resolve().parents[2]
# What each needs besides the option in question.
COMMANDS = {
    ("accuracy", ()): (),
    ("predict", ()): ("a.png", "--out", "o"),
    ("train", ()): ("--model", "lightweight_mobilenetv3"),
    ("data", ("synthetic",)): ("--out", "o"),
    ("data", ("sheet",)): ("--out", "o.png"),
    ("speed", ()): (),
    ("pipeline", ()): (),
    ("explain", ()): (),
    ("regress", ()): ("--base", "v1"),
    ("choose", ()): (),
    ("kit", ("make",)): ("--out", "o"),
}


def numeric(name: str, subcommand: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """The options of a command that take a number, with their validators."""
    made: list[argparse.ArgumentParser] = []
    make = cli.make_parser
    monkeypatch.setattr(cli, "make_parser", lambda *given, **more: made.append(make(*given, **more)) or made[-1])
    importlib.import_module(f"bench.{name}.options").parse([*subcommand, *COMMANDS[name, subcommand]])
    other = {None, cli.names, cli.folder, cli.file, cli.writable_folder, cli.writable_file}
    return [
        (action.option_strings[0], action.type)
        for parser in made
        for action in parser._actions
        if action.option_strings and action.type not in other
    ]


@pytest.mark.parametrize(("name", "subcommand"), COMMANDS)
def test_an_empty_text_is_no_default(name: str, subcommand: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's variable without a value would give it."""
    made: list[argparse.ArgumentParser] = []
    make = cli.make_parser
    monkeypatch.setattr(cli, "make_parser", lambda *given, **more: made.append(make(*given, **more)) or made[-1])
    parse = importlib.import_module(f"bench.{name}.options").parse
    parse([*subcommand, *COMMANDS[name, subcommand]])
    texts = [action for action in made[-1]._actions if action.option_strings and action.nargs is None]
    assert len(texts) >= 2
    for option in (action.option_strings[0] for action in texts):
        for empty in ("", " "):
            with pytest.raises(InputError, match=re.escape(option)):
                parse([*subcommand, *COMMANDS[name, subcommand], f"{option}={empty}"])


BAD = (
    "-1", "1" + "0" * 11, "9" * 5000, str(2**64), "nan", "inf", "1e400", "", "x", "1.5.2", "0x10", "1_000", "\0", "½",
    "٣",
)  # fmt: skip


LIMITS = r" from [\d.,e+x-]+ to | above 0 and up to | between 0 and | 0 to |names nothing"


@pytest.mark.parametrize(("name", "subcommand"), COMMANDS)
def test_every_number_has_limits_that_the_message_gives(
    name: str, subcommand: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = numeric(name, subcommand, monkeypatch)
    assert len(options) >= 2
    parse = importlib.import_module(f"bench.{name}.options").parse
    for option, kind in options:
        assert kind not in (int, float), option
        for bad in BAD:
            if option in ("--seed", "--seeds") and bad == "1" + "0" * 11:
                continue  # a seed may well be so large
            with pytest.raises(InputError, match=LIMITS) as caught:
                parse([*subcommand, *COMMANDS[name, subcommand], f"{option}={bad}"])
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 250


def test_names_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever stands for a style or a sign in rich's own language."""
    name = "x[bold]y[/b]:ok"
    table = Table()
    table.add_column(name)
    cli.show_table(table, name)
    cli.say(name)
    cli.warn(name)
    said = capsys.readouterr()
    assert (said.out.count(name), said.err.count(name)) == (2, 2)


@pytest.mark.parametrize("width", [10, 40, 80])
def test_no_figure_of_a_table_is_cut_on_a_narrow_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns that may not be wrapped are wider than the terminal together; those that may give way first."""
    out = io.StringIO()
    monkeypatch.setattr(cli, "output", lambda: Console(file=out, width=width, markup=False))
    for wrapped in (True, False):
        table = Table()
        for number in range(8):
            table.add_column(f"heading {number}", justify="right", no_wrap=not wrapped)
        table.add_column("free", overflow="fold")
        figures = [f"{1000 + number}.{number}" for number in range(7)]
        table.add_row("simplebaseline_mobilenetv2", *figures, "any length of words")
        cli.show_table(table)
        shown = out.getvalue()
        assert "…" not in shown
        assert all(figure in shown for figure in ("simplebaseline_mobilenetv2", *figures))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437"])
def test_letters_that_a_console_does_not_have_are_written_out(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that has done its work does not fail in saying so, and a line of JSON stays what it was."""
    text = "— ± né сеть \U0001f600 \udce9 ✓"
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with cli.errors_as_lines():
        print(json.dumps(text, ensure_ascii=False))
        print(text, file=sys.stderr)
        sys.stderr.flush()
    written = sys.stdout.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert json.loads(written) == text
    assert r"\u0441\u0435\u0442\u044c" in sys.stderr.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]


def test_public_names_are_those_of_their_modules_whichever_was_imported_first() -> None:
    code = (
        "import bench.data.cropping, bench.codecs.decoding, bench.codecs.losses;"
        "from bench.data import COCO, MPII, box_to_crop, crop, make_target, normalise, open_dataset, photograph;"
        "from bench.accuracy import coco_results, decode, flip_average, oks_nms, score_coco, score_mpii;"
        "from bench.train import heatmap_loss; from bench.data.synthetic import SyntheticDataset, draw_scene;"
        "assert all(callable(one) for one in (box_to_crop, crop, make_target, decode, score_coco, heatmap_loss))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_losses_are_those_that_can_be_computed() -> None:
    assert tuple(WEIGHTS) == LOSSES


def test_the_rate_of_a_command_that_goes_on_leaves_out_what_was_done_before(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 100.5, 120.0, 140.0])
    monkeypatch.setattr(cli, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with cli.counter(1000, "people", shown=True) as step:
        step(900, "goes on", earlier=True)
        step(40, "goes on")
        step(60, "done")
    assert capsys.readouterr().err.splitlines() == [
        "goes on: 940/1000 people, 2.0 people/s",
        "done: 1000/1000 people, 2.5 people/s",
    ]
