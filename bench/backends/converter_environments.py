"""Environments of their own for converters whose packages do not go with this project's, made once by uv when needed.

What goes into one is locked, with hashes, in ``requirements-NAME.lock`` beside this file, which

    uv pip compile --universal --python-version 3.12 --generate-hashes --no-header --no-annotate --no-emit-index-url

makes from a line such as ``onnx2tf==2.6.9``.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from bench.core.errors import InputError
from bench.core.files import cache_path

PYTHON = ">=3.12"  # of these environments; the environment variable UV_PYTHON names another


def find_uv() -> str | None:
    """The program uv: beside this Python, or on the path."""
    return shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")


def folder_of(name: str) -> Path:
    """Where the environment of a converter is, or will be: another lock has another folder."""
    return cache_path("environments") / f"{name}-{hashlib.sha256(_lock(name).read_bytes()).hexdigest()[:12]}"


def python_of(name: str) -> Path:
    """The Python of a converter's environment, which is made if it is not there yet.

    Raises:
        InputError: it cannot be made, for example for want of uv, of a network or of a Python.
    """
    folder = folder_of(name)
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    complete = folder / "complete"
    if complete.is_file():
        return python
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not complete.is_file():  # another process may have made it in the meantime
            print(f"preparing an environment for {name} in {folder}: once, for some minutes ...", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was interrupted
            wanted = [] if "UV_PYTHON" in os.environ else ["--python", PYTHON]
            _uv(name, "venv", "--no-project", *wanted, str(folder))
            _uv(name, "pip", "install", "--python", str(python), "--require-hashes", "-r", str(_lock(name)))
            complete.touch()
    return python


def _lock(name: str) -> Path:
    return Path(__file__).with_name(f"requirements-{name}.lock")


def _uv(name: str, *arguments: str) -> None:
    uv = find_uv()
    if uv is None:
        raise InputError(f"the environment of {name} is made by uv, which is not here: install with pip install uv")
    done = subprocess.run(
        [uv, "--quiet", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PATH": _path()},
    )  # fmt: skip
    if done.returncode:
        said = [line.strip(" ×╰─▶") for line in done.stderr.splitlines() if line.strip()]
        raise InputError(f"the environment of {name} cannot be made: {': '.join(said[-2:]) or 'uv does not say why'}")


def _path() -> str:
    """The path, and behind it every Python of pyenv: what pyenv puts on the path starts the chosen version alone."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, sorted(pyenv.glob("versions/3.*/bin")))])
