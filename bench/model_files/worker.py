"""One model file looked at in a process of its own, started by ``bench.model_files.reading``.

Runtimes are written for files of their own converters: a broken one may end the process.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.core.workers import serve


def _look(task: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    from bench.core.errors import InputError, described

    ready()
    try:
        return _describe(Path(task["path"]), task["backend"], task["sources"])
    except (InputError, OSError) as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": described(error)[:300]}


def _describe(path: Path, backend: str, sources: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from bench.backends import catalogue
    from bench.backends.adapted import adapted
    from bench.backends.artifact import Artifact, digest
    from bench.core.errors import InputError, described
    from bench.model_files import fitting
    from bench.model_files.description import merged, of_metadata
    from bench.model_files.model_file import ModelFile

    found = catalogue.on_disk(backend, path)
    with catalogue.open_artifact(Artifact(backend, found.precision, found.files), threads=1) as session:
        said = merged({f"the metadata inside {path.name}": of_metadata(session.metadata, path.name), **sources})
        form = fitting.form(path, session.inputs, said)
        told = ModelFile(
            path=path, files=found.files, sha256=digest(found.files), backend=backend,
            precision=said.precision or found.precision, size=form.size, batch=form.batch, layout=form.layout,
            input_type=form.type, outputs={}, said=said,
        )  # fmt: skip
        raw = told.model_copy(update={"said": said.model_copy(update={"output_names": None})})
        images = np.zeros((form.batch or 1, 3, *form.size), np.float32)
        try:
            arrays = adapted(session, raw.metadata()).run(images)
        except InputError:
            raise
        except Exception as error:
            size = f"{form.size[0]}x{form.size[1]}"
            raise InputError(f"{path.name} fails on an input of {size}: {described(error)[:300]}") from error
        shapes = {name: tuple(array.shape) for name, array in zip(session.outputs, arrays, strict=True)}
    whole = told.model_copy(update={"outputs": shapes, "said": fitting.outputs(path, shapes, form.size, said)})
    return {"file": whole.model_dump(mode="json")}


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(serve(_look))
