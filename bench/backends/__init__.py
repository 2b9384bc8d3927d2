"""Runtimes, one file each: ``prepare(model, example) -> run``, where ``run(example) -> heatmaps``.

``model`` is in evaluation mode, and model and example are on the device and in the precision to run in. Outputs
are torch tensors, or whatever structure of them the model returns. A file also says the runtime's
``version()`` and the ``PACKAGES`` that it needs.
"""

import importlib
import importlib.util
from types import ModuleType

from bench import InputError

BACKENDS = ("eager", "onnxruntime")


def load(name: str) -> ModuleType:
    """The backend's module.

    Raises:
        InputError: no such backend, or what it needs is not installed.
    """
    if name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}: choose from {', '.join(BACKENDS)}")
    module = importlib.import_module(f"bench.backends.{name}")
    absent = [package for package in module.PACKAGES if importlib.util.find_spec(package) is None]
    if absent:
        raise InputError(
            f"backend {name} needs {', '.join(absent)}: install with pip install 'lightpose-bench[{name}]'"
        )
    return module
