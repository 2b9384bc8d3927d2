"""Checkpoint files as other programs write them, made for the tests."""

import collections
import contextlib
import datetime
import pickle
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch

MAGIC, VERSION = torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION
FACTS = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def zip_of(pickled: bytes, path: Path) -> Path:
    """PyTorch's zip archive around a hand-made pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
    return path


def legacy_of(pickled: bytes, path: Path, *, facts: bytes = pickle.dumps(FACTS, 2), keys: bytes = b"].") -> Path:
    """The bare pickles that PyTorch wrote before 1.6, around a hand-made one."""
    path.write_bytes(pickle.dumps(MAGIC, 2) + pickle.dumps(VERSION, 2) + facts + pickled + keys)
    return path


@contextlib.contextmanager
def mmengine() -> Iterator[types.ModuleType]:
    """A stand-in for the library, there only while a checkpoint is written."""

    class HistoryBuffer:
        def __init__(self) -> None:
            self._log_history = np.array([0.5, 0.25])
            self._count_history = np.array([1, 1])
            self._max_length = 1000000
            # Protocol 2 writes a method as getattr(class, name).
            self._statistics_methods = {"min": HistoryBuffer.min}
            self.recent = collections.deque([1.0, 2.0], maxlen=5)

        def min(self) -> float:
            return float(self._log_history.min())

    class ConfigDict(dict):
        pass

    def run(command: str) -> None:
        Path(command.split()[-1]).touch()

    names = ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer")
    modules = {name: types.ModuleType(name) for name in names}
    for item in (HistoryBuffer, ConfigDict, run, HistoryBuffer.min):
        item.__module__ = names[-1]
        item.__qualname__ = item.__qualname__.partition("<locals>.")[2]
    modules[names[-1]].__dict__.update(HistoryBuffer=HistoryBuffer, ConfigDict=ConfigDict, run=run)
    sys.modules.update(modules)
    try:
        yield modules[names[-1]]
    finally:
        for name in names:
            del sys.modules[name]


def mmengine_metadata(module: types.ModuleType) -> dict[str, object]:
    """What MMEngine's runner leaves beside the weights, in kind."""
    return {
        "meta": {
            "epoch": 210,
            "experiment": module.ConfigDict(model=module.ConfigDict(type="TopdownPoseEstimator")),
            "time": datetime.datetime(2023, 1, 2),
            "seed": np.int64(7),
        },
        "message_hub": {
            "log_scalars": collections.OrderedDict({"train/loss": module.HistoryBuffer()}),
            "runtime_info": collections.OrderedDict(best_score=np.float64(0.7), iters={1, 2}),
            "resumed_keys": collections.OrderedDict(),
        },
    }


@contextlib.contextmanager
def stand_ins(**classes: str) -> Iterator[dict[str, type]]:
    """Classes of libraries by name, each in the module that it is given; there only while a checkpoint is written."""
    made = {name: type(name, (dict,), {"__module__": module}) for name, module in classes.items()}
    paths = [module.split(".") for module in classes.values()]
    modules = {".".join(path[: length + 1]) for path in paths for length in range(len(path))}
    new = [name for name in modules if name not in sys.modules]
    sys.modules.update({name: types.ModuleType(name) for name in new})
    try:
        with contextlib.ExitStack() as stack:
            for name, module in classes.items():
                stack.enter_context(mock.patch.object(sys.modules[module], name, made[name], create=True))
            yield made
    finally:
        for name in new:
            del sys.modules[name]
