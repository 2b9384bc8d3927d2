"""One process for one network of a kit, started by ``bench.kit.making``: it builds the artifact and tries it."""

import dataclasses
import hashlib
import io
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.core.workers import serve


def _build(task: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    """The files of a network, put into the kit's folder, and what its manifest says of them."""
    from bench.core.errors import InputError, described
    from bench.timing.parity import ParityError

    ready()
    try:
        return _network(task)
    except ParityError as error:
        return {"parity_error": str(error)}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": described(error)[:300]}


def _network(task: dict[str, Any]) -> dict[str, Any]:
    from bench.backends import catalogue
    from bench.kit import old_runtimes
    from bench.opening import open_network, reference
    from bench.speed import preparation

    folder, threads, name = Path(task["folder"]), task["threads"], task["backend"]
    model, example = preparation.network(task)
    images = example.cpu().numpy()
    expected = reference(model, images, device="cpu", threads=threads, who=task["model"])
    artifact = catalogue.build(name, model, example, threads=threads, portable=True)
    if not artifact.files:
        raise _unfit(name)
    files = _put(artifact.files, folder / "artifacts" / task["id"])
    backend = catalogue.find(name)
    packages = " and ".join(backend.open_packages)
    runs_on = f"{packages}, made with {catalogue.version(name)}: an older one may refuse the file"
    if files[0].suffix == ".onnx":
        runs_on = old_runtimes.make_old(files[0])
    size = sum(file.stat().st_size for file in files)
    shipped = dataclasses.replace(artifact, files=tuple(files), from_cache=False, size_bytes=size)
    tried = open_network(
        lambda: shipped, images, device="cpu", threads=threads, who=task["model"], built=True
    )  # fmt: skip
    tried.session.close()
    expected.check(shipped, tried.outputs)
    notes: dict[str, Any] = {}
    if backend.quantises:
        from bench.backends import calibration

        notes["calibration"] = f"{calibration.COUNT} drawn people, seed {calibration.SEED}"
    told = shipped.to_json()
    del told["files"]
    return {
        "artifact": told,
        "files": [file.relative_to(folder).as_posix() for file in files],
        "input": _keep(folder, "input", [images]),
        "expected": _keep(folder, "expected", expected.outputs),
        "reference": expected.backend,
        "rounding": expected.rounding,
        "runtime": catalogue.version(name),
        "runs_on": runs_on,
        "notes": notes,
    }


def _unfit(name: str) -> Exception:
    from bench.core.errors import InputError

    return InputError(f"backend {name} runs a network in memory, and this one makes no file of it")


def _put(files: Sequence[Path], folder: Path) -> list[Path]:
    """Copies of an artifact's files, by the name ``network``: those of the cache are named by their content."""
    folder.mkdir(parents=True)
    stem = files[0].stem
    copies = []
    for file in files:
        own = file.name.removeprefix(stem) if file.name.startswith(stem) else f"-{file.name}"
        copies.append(Path(shutil.copyfile(file, folder / f"network{own}")))
    return copies


def _keep(folder: Path, kind: str, arrays: Sequence[Any]) -> str:
    """A file of arrays, once for all networks that share it; its path within the kit."""
    import numpy as np

    content = io.BytesIO()
    if kind == "input":
        np.save(content, arrays[0])
    else:
        np.savez(content, *arrays)
    digest = hashlib.sha256(b"".join(repr(one.shape).encode() + one.tobytes() for one in arrays)).hexdigest()[:16]
    path = folder / "arrays" / f"{kind}-{digest}{'.npy' if kind == 'input' else '.npz'}"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_bytes(content.getvalue())
    return path.relative_to(folder).as_posix()


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(serve(_build))
