"""Modules that the user's own files import from their folders."""

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench import models
from bench.core import neighbours
from bench.core.errors import InputError

NETWORK = """
from torch import nn
{how}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        import later
        self.layer = nn.Conv2d(3, WIDTH, 1)
        self.later = later.FOLDER
    def forward(self, x):
        import last
        return self.layer(x), last.FOLDER
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Two folders, each with a file ``net.py`` and modules and packages of the same names beside it."""
    before = set(sys.modules)
    monkeypatch.setattr(neighbours, "_folders", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    made = []
    for width, name in enumerate("ab", 1):
        folder = tmp_path / name
        for package in ("", "whole", "bare"):
            (folder / package).mkdir(parents=True, exist_ok=True)
        (folder / "whole" / "__init__.py").write_text("from .part import WIDTH\n")
        for file in ("helper.py", "whole/part.py", "bare/part.py", "later.py", "last.py"):
            (folder / file).write_text(f"WIDTH, FOLDER = {width}, {name!r}\n")
        made.append(folder)
    yield made
    for name in set(sys.modules) - before:
        if any(str(getattr(sys.modules[name], "__file__", "")).startswith(str(folder)) for folder in made):
            del sys.modules[name]


@pytest.mark.parametrize("how", ["from helper import WIDTH", "from whole import WIDTH", "from bare.part import WIDTH"])
def test_each_file_imports_its_own_neighbours(
    how: str, folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at the second time, in functions, and where one's folder is the working folder, and so first in the path."""
    monkeypatch.chdir(folders[0])
    monkeypatch.syspath_prepend("")
    for folder in folders:
        (folder / "net.py").write_text(NETWORK.format(how=how))
    for _ in range(2):
        for width, (folder, name) in enumerate(
            zip(folders, ("net.py:Net", f"{folders[1]}/net.py:Net"), strict=True), 1
        ):
            network = models.build(name)
            assert (network.layer.out_channels, network.later) == (width, folder.name)
            assert pickle.loads(pickle.dumps(network)).layer.out_channels == width
    assert models.build("net:Net").layer.out_channels == 1  # as a module of the working folder


def test_imports_in_functions_find_the_neighbours_of_the_network_that_runs(folders: list[Path]) -> None:
    """``bench.accuracy`` builds all networks of a command first; the last one's neighbours were found for each."""
    names = [f"{folder}/net.py:Net" for folder in folders]
    for folder in folders:
        (folder / "net.py").write_text(NETWORK.format(how="from helper import WIDTH"))
    networks = [models.build(name) for name in names]
    for _ in range(2):
        for name, network, folder in zip(names, networks, folders, strict=True):
            models.take_up(name)
            assert network(torch.zeros(1, 3, 4, 4))[1] == folder.name
    models.take_up("lite_hrnet_18")  # the zoo's has none


def test_a_file_finds_the_packages_of_the_working_folder_however_the_command_was_called(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``python -m`` has that folder in its path, and the installed command has not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in ("", str(tmp_path))])
    (tmp_path / "a" / "net.py").write_text(NETWORK.format(how="from a.whole import WIDTH"))
    assert models.build("a/net.py:Net").later == "a"


def test_a_file_of_a_package_is_to_be_given_as_its_module(folders: list[Path]) -> None:
    (folders[0] / "net.py").write_text(NETWORK.format(how="from .helper import WIDTH"))
    with pytest.raises(InputError, match=r"net\.py: attempted relative import.*give it as PACKAGE\.MODULE:FUNCTION"):
        models.build(f"{folders[0]}/net.py:Net")


def test_a_neighbour_leaves_its_name_to_an_installed_package(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "installed"
    (installed / "helper").mkdir(parents=True)
    (installed / "helper" / "__init__.py").write_text("WIDTH, FOLDER = 7, 'installed'\n")
    (installed / "loaded.py").write_text("WIDTH = 8\n")
    monkeypatch.syspath_prepend(str(installed))
    import loaded  # type: ignore[import-not-found]

    for folder in folders:
        (folder / "loaded.py").write_text("WIDTH = 9\n")
        (folder / "net.py").write_text(NETWORK.format(how="import loaded\nfrom helper import WIDTH"))
    for width, folder in enumerate(folders, 1):
        assert models.build(f"{folder}/net.py:Net").layer.out_channels == width
        assert "helper" not in sys.modules
        assert sys.modules["loaded"] is loaded
    import helper  # type: ignore[import-not-found]

    assert helper.FOLDER == "installed"
    del sys.modules["helper"], sys.modules["loaded"]
