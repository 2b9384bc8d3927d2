"""Files appear whole or not at all."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.core import files
from bench.core.files import fitting, is_side_path, side_path, whole_file, write_whole
from bench.core.library_settings import set_folders
from tests.conftest import ROOT


def test_a_file_appears_with_its_folders_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    write_whole(path, b"one")
    write_whole(path, memoryview(b"two"))
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_names_of_any_length_that_a_file_can_have_are_written(tmp_path: Path) -> None:
    """What is being written has a longer name: it is cut where it would be too long, by bytes and not by letters."""
    names = [
        *("a" * length + ".png" for length in (200, 231, 232, 251)), "あ" * 80 + ".jpg", "あ" * 83 + "x.jpg",
        "あ" * 83 + "y.jpg", "🏃" * 62 + ".tar.gz", "x." + "y" * 253, "é" * 127,
    ]  # fmt: skip
    sides = [side_path(tmp_path / name) for name in names]
    assert len(set(sides)) == len(names)
    for name, side in zip(names, sides, strict=True):
        assert len(os.fsencode(side.name)) <= 255
        assert is_side_path(side)
        assert side.suffix == Path(name).suffix or len(Path(name).suffix) > 200
        assert cli.writable_file(str(tmp_path / name)) == tmp_path / name
        write_whole(tmp_path / name, name.encode())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: name.encode() for name in names}


@pytest.mark.parametrize("name", ["a" * 256, "あ" * 86, "new/" + "a" * 256, "あ" * 86 + "/new", "new/a/" + "é" * 128])
def test_names_that_no_file_can_have_are_refused_before_the_work(name: str, tmp_path: Path) -> None:
    """Also in folders that are still to be made."""
    for kind in (cli.writable_file, cli.writable_folder):
        with pytest.raises(argparse.ArgumentTypeError, match="cannot be the name of a file: File name too long"):
            kind(str(tmp_path / name))


def test_a_folder_that_holds_shorter_names_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pathconf", lambda *_: 143)  # as of an encrypted home
    path = tmp_path / "new" / ("あ" * 45 + ".png")
    assert 141 <= len(os.fsencode(side_path(path).name)) <= 143  # 3 bytes a letter; process numbers differ
    assert fitting(path) == path
    assert len(os.fsencode(fitting(path.with_stem("あ" * 47)).name)) <= 143
    with pytest.raises(argparse.ArgumentTypeError, match="File name too long"):
        cli.writable_file(str(path.with_stem("あ" * 47)))


def test_libraries_need_no_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They make a folder there: a network would be blamed for one that cannot be made, and reports warned of it."""
    (tmp_path / "file").write_text("")
    variables = ("TORCHINDUCTOR_CACHE_DIR", "MPLCONFIGDIR")
    for base, kept in ((tmp_path / "cache", True), (tmp_path / "file", False)):
        for variable in variables:
            monkeypatch.setenv(variable, "")  # whose value is put back afterwards
            monkeypatch.delenv(variable)
        monkeypatch.setattr(files, "cache_path", lambda kind, base=base: base / kind)
        set_folders()
        assert [Path(os.environ[variable]).is_relative_to(base) for variable in variables] == [kept, kept]
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("MPLCONFIGDIR", "mine")
    set_folders()
    assert os.environ["MPLCONFIGDIR"] == "mine"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    write_whole(path, b"one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as raised:
        write_whole(path, b"two")
    assert raised.value.filename == str(path)
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_or_an_interruption_half_way_leaves_nothing(tmp_path: Path) -> None:
    def half(error: type[BaseException]) -> None:
        with whole_file(tmp_path / "a.bin") as partial:
            partial.write_bytes(b"half")
            raise error

    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            half(error)
        assert not list(tmp_path.iterdir())


KILLED = """
import os, signal, sys
from pathlib import Path
from bench.core.files import side_folder, whole_file

folder = Path(sys.argv[1])
with side_folder(folder) as side, whole_file(folder / "a.bin") as partial:
    (side / "half").write_bytes(b"half")
    partial.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks that tell of a process that has ended")
def test_what_a_killed_process_was_writing_goes_with_the_next_that_writes(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
    (tmp_path / ".notes.partial").write_text("somebody's own")
    assert len(list(tmp_path.glob(".lightpose-*"))) == 4
    processes[0].kill()
    processes[0].wait()
    files._remove_abandoned.cache_clear()
    write_whole(tmp_path / "b.bin", b"b")
    left = list(tmp_path.glob(".lightpose-*"))
    assert len(left) == 2  # of the one that is still writing
    assert any(path.name == f".lightpose-{processes[1].pid}-a.bin" for path in left)
    processes[1].communicate()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a.bin": b"half", "b.bin": b"b", ".notes.partial": b"somebody's own",
    }  # fmt: skip
