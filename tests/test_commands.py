"""Every command from outside: its help where nothing heavy can be imported, and Ctrl-C at any moment."""

import argparse
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.__main__ import COMMANDS, overview
from bench.cli import writable_file, writable_folder
from bench.core.errors import InputError
from bench.core.files import cache_folder
from bench.core.lazy import attach
from tests.bench.test_processes import marked, wait_until
from tests.conftest import ROOT

HEAVY = ("torch", "torchvision", "timm", "zoo", "cv2", "pandas", "matplotlib", "onnxruntime", "openvino")

# As sitecustomize.py on PYTHONPATH: none of these can be imported, and what was tried is told at the end.
BLOCK = f"""
import atexit, sys

class Blocked:
    tried = []
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            self.tried.append(name)
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())
atexit.register(lambda: Blocked.tried and print("tried to import", *Blocked.tried, file=sys.stderr))
"""


@dataclass(frozen=True)
class Ended:
    """A command that has ended, and the processor time that it took."""

    status: int
    out: str
    error: str
    processor_s: float


def run_blocked(arguments: Sequence[str], folder: Path) -> Ended:
    (folder / "sitecustomize.py").write_text(BLOCK)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return Ended(done.returncode, done.stdout, done.stderr, spent)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_nothing_heavy(command: str, tmp_path: Path) -> None:
    """Of the command and of its subcommands; a bare % in a help text would end it with an error."""
    asked: list[list[str]] = [[command]]
    while asked:
        words = asked.pop()
        done = run_blocked((f"bench.{words[0]}", *words[1:], "--help"), tmp_path)
        told = f"bench.{' '.join(words)} --help took {done.processor_s:.2f} s of processor time\n{done.error}"
        assert (done.status, done.error) == (0, ""), told
        assert done.out.startswith(f"usage: python -m bench.{' '.join(words)} "), told
        assert "--debug" in done.out
        subcommands = re.search(r"^positional arguments:\n +\{([^}]+)\}", done.out, re.M)
        asked += [[*words, name] for name in subcommands[1].split(",")] if subcommands else []


def test_the_list_of_commands_is_whole_and_light(tmp_path: Path) -> None:
    done = run_blocked(("bench",), tmp_path)
    assert (done.status, done.out, done.error) == (0, done.out, "")
    listed = re.findall(r"^  (\w+)  ", done.out, re.M)
    assert sorted(listed) == sorted(path.parent.name for path in (ROOT / "bench").glob("*/__main__.py"))
    version = run_blocked(("bench", "--version"), tmp_path)
    assert (version.status, version.error) == (0, "")
    assert re.fullmatch(r"lightpose-bench \d+\.\d+\.\d+\S*\n", version.out)


def test_the_nearest_command_is_named(tmp_path: Path) -> None:
    done = run_blocked(("bench", "sped", "--models", "x"), tmp_path)
    assert (done.status, done.out) == (2, "")
    assert done.error == "error: unknown command 'sped': did you mean speed? python -m bench lists the commands\n"
    done = run_blocked(("bench", "juggle"), tmp_path)
    assert (done.status, len(done.error.splitlines())) == (2, 1)


def lightpose(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The installed command: a script that calls the function that pyproject.toml names."""
    script = "import sys; sys.argv[0] = '/somewhere/bin/lightpose'; from bench.__main__ import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_installed_command_is_the_same() -> None:
    assert 'lightpose = "bench.__main__:main"' in (ROOT / "pyproject.toml").read_text()
    listed = lightpose()
    assert listed.stdout.startswith("usage: lightpose COMMAND")
    assert listed.stdout.replace("lightpose COMMAND", "python -m bench COMMAND") == overview()
    assert lightpose("record", "check", "--help").stdout.startswith("usage: lightpose record check ")
    done = lightpose("complexity", "--input", "3")
    assert (done.returncode, done.stderr) == (2, "error: input size '3' is not HEIGHTxWIDTH, for example 256x192\n")
    checked = lightpose("record", "check", "results/reference")
    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_record_says_the_command_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.cli import command_line

    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/lightpose", "speed", "--models", "a b"])
    assert command_line() == "lightpose speed --models 'a b'"


@pytest.mark.parametrize("arguments", [("bench",), ("bench", "speed", "--help"), ("bench.record", "schema")])
def test_a_reader_that_leaves_early_hears_nothing(arguments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait() == 0
    if os.name != "posix":
        return
    script = f"{sys.executable} -m {' '.join(arguments)} >&-"
    closed = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")


# What cannot be written


def test_an_output_that_cannot_be_written_is_found_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("what was there")
    (tmp_path / "folder").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    else:
        (tmp_path / "pipe").mkdir()
    for good in (tmp_path / "a" / "b", tmp_path / "folder"):
        assert writable_folder(str(good)) == good
    for good in (tmp_path / "a" / "b.onnx", tmp_path / "file"):
        assert writable_file(str(good)) == good
    bad = {
        (writable_folder, "file"): "is a file, and a folder is needed",
        (writable_folder, "file/deep/below"): "is a file, and a folder is needed",
        (writable_file, "file/net.onnx"): "is a file, and a folder is needed",
        (writable_file, "folder"): "is a folder, and a file is needed",
        (writable_file, "pipe"): "is no regular file|is a folder",
        (writable_folder, "a\0b"): "is no folder",
    }
    for (kind, path), says in bad.items():
        with pytest.raises(argparse.ArgumentTypeError, match=says):
            kind(str(tmp_path / path))
    if sys.platform == "linux":  # nobody may write there, whoever it is
        with pytest.raises(argparse.ArgumentTypeError, match="'/proc/below/deep' cannot be written: /proc: "):
            writable_folder("/proc/below/deep")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe"]
    assert (tmp_path / "file").read_text() == "what was there"


def test_a_cache_folder_that_cannot_be_written_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = cache_folder("onnx")
    assert folder.is_dir()
    assert tmp_path in folder.parents
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cache folder .*file.* cannot be written .*XDG_CACHE_HOME"):
        cache_folder("onnx")


@pytest.mark.parametrize("command", ["--help", "work"])
def test_nothing_is_written_outside_of_the_cache_and_results(command: str, tmp_path: Path) -> None:
    """With a home folder and a folder for temporary files of its own, a command leaves only its cache there."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    environment = os.environ | {
        "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "XDG_CACHE_HOME": str(tmp_path / "home/.cache")
    }  # fmt: skip
    pytest.importorskip("onnxruntime", reason="ONNX Runtime, which keeps files of its own, is not installed")
    words = ["--backend", "onnxruntime", "--sets", "1", "--rounds", "2", "--input", "64x64"]
    options = ["--help"] if command == "--help" else [*work("speed", tmp_path), *words]
    done = subprocess.run(
        [sys.executable, "-m", "bench.speed", *options], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    written = {path for name in ("home", "tmp") for path in (tmp_path / name).rglob("*") if path.is_file()}
    ours = tmp_path / "home/.cache/lightpose-bench"
    assert not [path for path in written if ours not in path.parents]


# Ctrl-C

posix = pytest.mark.skipif(os.name != "posix", reason="this system has no signals")


def work(command: str, folder: Path) -> list[str]:
    """Options that give a command something to do for some seconds."""
    results = ["--results", str(folder / "r")]
    weights = ["--model", "lightweight_mobilenetv3", "--weights", "random"]
    return {
        "complexity": results,
        "speed": ["--models", "lightweight_mobilenetv3", *results],
        "pipeline": ["--models", "lightweight_mobilenetv3", *results],
        "explain": ["--models", "lightweight_mobilenetv3", *results],
        "accuracy": ["--images", "300", *results],
        "train": ["--model", "lightweight_mobilenetv3", "--out", str(folder / "trained")],
        "predict": [str(ROOT / "bench" / "assets" / "astronaut.png"), "--out", str(folder / "people")],
        "export": [*weights, "--format", "torchscript", "--out", str(folder / "net.pt")],
        "kit": ["make", "--models", "lightweight_mobilenetv3", "--out", str(folder / "kit")],
        "regress": ["--self-test", "2", "--models", "lightweight_mobilenetv3", *results],
        "choose": ["--results", str(ROOT / "results" / "reference"), "--machine", "AMD EPYC, 2 cores"],
        "report": ["--results", str(ROOT / "results" / "reference"), "--out", str(folder / "report")],
        "record": ["check", str(ROOT / "results" / "reference")],
        "data": ["synthetic", "--images", "100", "--out", str(folder / "set")],
    }[command]


@posix
@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_in_the_first_second_is_one_line(command: str, tmp_path: Path) -> None:
    """Whatever is being imported or begun.

    Before Python has come to the first line of this project, Ctrl-C is Python's own affair: it ends by the signal,
    with a traceback of its start or without. That is told apart by where the traceback ends, and is not counted.
    """
    moments = random.Random(command)
    ours = 0
    for attempt in range(2):
        delay_s = moments.uniform(0.02, 1.2)
        process = subprocess.Popen(
            [sys.executable, "-m", f"bench.{command}", *work(command, tmp_path / str(attempt))],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=120)
        told = f"after {delay_s:.2f} s, status {process.returncode}:\n{error}"
        if process.returncode in (-signal.SIGINT, 1) and f"{ROOT / 'bench'}{os.sep}" not in error:
            continue  # before this project's first line
        ours += 1
        assert process.returncode in (130, 0), told
        assert "Traceback" not in error, told
        if process.returncode == 130:
            assert sum("interrupted" in line for line in error.splitlines()) == 1, told
            assert "interrupted" in error.splitlines()[-1], told
    assert ours, "every signal came before Python had started"


SWALLOWED = """
import argparse, os, signal, sys
from bench import cli

def main(arguments):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("PLEASE READ THIS")  # as NumPy does while it is imported

if __name__ == "__main__":
    cli.run(lambda argv: argparse.Namespace(), "swallowed")
"""


@posix
def test_ctrl_c_that_an_import_turns_into_an_error_is_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "swallowed.py").write_text(SWALLOWED)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    done = subprocess.run([sys.executable, "-m", "swallowed"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted: what was recorded is kept\n")


# Kills

# One of the two for each command: all begin by the same means.
BLOWS = [
    pytest.param(command, blow, id=f"{command}-{blow.name}")
    for command, blow in zip(COMMANDS, itertools.cycle((signal.SIGKILL, signal.SIGTERM)))
]


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(("command", "blow"), BLOWS)
def test_nothing_is_left_of_a_command_that_is_killed(command: str, blow: signal.Signals, tmp_path: Path) -> None:
    """No process, however it was started, and no temporary file."""
    with tempfile.TemporaryDirectory() as temporary:
        process = subprocess.Popen(
            [sys.executable, "-m", f"bench.{command}", *work(command, tmp_path)],
            cwd=ROOT, env=os.environ | {"TMPDIR": temporary, "MARK": str(tmp_path)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        # Itself, its child and the guardian are three; commands with workers have more, and some time for that.
        wait_until(lambda: process.poll() is not None or len(marked(str(tmp_path))) > 3, 4)
        time.sleep(random.Random(f"{command} {blow}").uniform(0, 2))
        process.send_signal(blow)
        assert process.wait(30) in (-blow, 0)
        assert wait_until(lambda: not marked(str(tmp_path)), 30), marked(str(tmp_path))
        assert wait_until(lambda: not list(Path(temporary).iterdir()), 30), list(Path(temporary).iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_command_ends_with_the_script_that_asks_for_it(tmp_path: Path) -> None:
    """As run_all.sh does: killing it does not leave the command that it was running."""
    words = " ".join(["bench.data", *work("data", tmp_path)])
    script = f"export LIGHTPOSE_PARENT=$$; {sys.executable} -m {words}; echo the script went on"
    shell = subprocess.Popen(
        ["bash", "-c", script], cwd=ROOT, env=os.environ | {"MARK": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert wait_until(lambda: len(marked(str(tmp_path))) > 3)
    shell.kill()
    shell.wait()
    assert wait_until(lambda: not marked(str(tmp_path))), marked(str(tmp_path))


def test_public_names_are_imported_on_first_use() -> None:
    get, names, public = attach("bench.core", {"InputError": "bench.core.errors"})
    assert get("InputError") is InputError
    assert names() == public == ["InputError"]
    with pytest.raises(AttributeError, match=r"module 'bench\.core' has no attribute 'Nothing'"):
        get("Nothing")
