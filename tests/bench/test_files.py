"""Files appear whole or not at all."""

import os
from pathlib import Path

import pytest

from bench.core.files import whole_file, write_whole


def test_a_file_appears_with_its_folders_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    write_whole(path, b"one")
    write_whole(path, memoryview(b"two"))
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


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
