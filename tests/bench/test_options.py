"""The options of the commands that read or draw people: every number has its limits, and nothing heavy is needed."""

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

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
}
HEAVY = ("torch", "zoo", "cv2", "pandas", "pydantic", "scipy", "matplotlib", "PIL")


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


BAD = (
    "-1", "1" + "0" * 11, "9" * 5000, str(2**64), "nan", "inf", "1e400", "", "x", "1.5.2", "0x10", "1_000", "\0", "½",
)  # fmt: skip


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
            if kind is cli.seconds and bad == "1_000":
                continue  # a number to Python, and a sensible one
            with pytest.raises(InputError, match=r" from [\d.,e-]+ to | above 0 and up to |names nothing") as caught:
                parse([*subcommand, *COMMANDS[name, subcommand], f"{option}={bad}"])
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 250


@pytest.mark.parametrize(("name", "subcommand"), COMMANDS)
def test_help_needs_nothing_heavy(name: str, subcommand: tuple[str, ...]) -> None:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({HEAVY}))"
    run = f"import runpy; runpy.run_module('bench.{name}', None, '__main__')"
    start = f"sys.argv = ['x', *{subcommand}, '--help']; {run}"
    done = subprocess.run([sys.executable, "-c", f"{blocked}; {start}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")


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
