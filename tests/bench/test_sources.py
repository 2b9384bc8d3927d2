"""What a network of the user's own rests on: the files that decide whether a record is of the same network."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import models
from bench.backends.artifact import digest

FILES = {
    "net.py": """
from importlib import import_module
import helper, package.part
from bare.inner import WIDTH
from torch import nn

def make():
    from later import NAME
    import_module("dynamic")
    return open("configs/wide.yaml")
""",
    "helper.py": "from deep import *\nimport helper  # itself\n",
    "deep.py": "import json\n",
    "package/__init__.py": "from . import sibling\n",
    "package/part.py": "from .inner.module import one\n",
    "package/sibling.py": "",
    "package/inner/__init__.py": "",
    "package/inner/module.py": "one = 1\n",
    "bare/inner.py": "WIDTH = 3\n",
    "later.py": "NAME = 'best.pth'\n",
    "dynamic.py": "this is no Python\0",
    "configs/wide.yaml": "width: 3\n",
    "best.pth": "weights",
}
BESIDE = {
    "other.py": "", "package/unused.py": "", "net.log": "", "configs/narrow.yaml": "", "README.md": "", "one.py": "",
}  # fmt: skip


@pytest.fixture
def sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str | None]:
    """What a record has of a network, read anew; in a folder of the user's own."""
    for name, text in (FILES | BESIDE).items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)

    def read(name: str) -> str | None:
        models._network_sha256.cache_clear()
        return models.network_sha256(name)

    return read


@pytest.mark.parametrize("name", ["net.py:make", "{}/net.py:make", "net:make"])
def test_a_change_in_any_file_that_a_network_rests_on_makes_another_network(
    name: str, sha256: Callable[[str], str | None], tmp_path: Path
) -> None:
    """``--missing`` and interrupted work go by it; a change in the first file alone counted."""
    name = name.format(tmp_path)
    before = sha256(name)
    for file, text in (FILES | BESIDE).items():
        (tmp_path / file).write_text(text + "# changed\n")
        assert (sha256(name) != before) == (file in FILES), file
        (tmp_path / file).write_text(text)
        assert sha256(name) == before
    (tmp_path / "helper.py").unlink()
    assert sha256(name) != before


def test_what_cannot_be_read_is_passed_over(
    sha256: Callable[[str], str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text may name a file of somebody else's."""
    names = ("/root/x.json", "configs/wide.yaml", "no\\0name.json", "a" * 250 + ".json", "~/x.json", "..", "configs")
    (tmp_path / "net.py").write_text(f"import helper\nNAMES = {names}\nPATTERN = '\\d'\n")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).suffix == ".py" and real(path, mode))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = models.source_files("net.py:make")
    assert [path.name for path in found] == ["net.py", "deep.py", "helper.py"]


def test_a_module_of_a_package_rests_on_the_package(sha256: Callable[[str], str | None], tmp_path: Path) -> None:
    before = sha256("package.inner.module:one")
    for file, counts in (("package/__init__.py", True), ("package/sibling.py", True), ("package/part.py", False)):
        (tmp_path / file).write_text("# changed\n")
        assert (sha256("package.inner.module:one") != before) == counts, file
        (tmp_path / file).write_text(FILES[file])
    assert sha256("package.inner.missing:one") is None


def test_one_file_alone_has_its_own_hash_and_an_installed_one_too(
    sha256: Callable[[str], str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of before keep theirs; of an installed package, its version tells."""
    assert sha256("deep.py:make") == digest([tmp_path / "deep.py"])
    installed = tmp_path / "site-packages" / "installed"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("from . import part\nimport helper\n")
    (installed / "part.py").write_text("")
    monkeypatch.syspath_prepend(str(installed.parent))
    assert sha256("installed:make") == digest([installed / "__init__.py"])


def test_this_project_is_no_part_of_the_user_s_network(
    sha256: Callable[[str], str | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hash is in every record."""
    (tmp_path / "net.py").write_text("import zoo.blocks\nfrom bench.core import record\nimport helper\n")
    monkeypatch.chdir(Path(models.__file__).parents[1])
    found = [path.name for path in models.source_files(f"{tmp_path}/net.py:make")]
    assert found == ["net.py", "deep.py", "helper.py"]
