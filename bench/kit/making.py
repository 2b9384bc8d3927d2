"""``python -m bench.kit make``: a folder that times networks on a device, and an archive of it."""

import argparse
import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.backends.artifact import sha256
from bench.backends.catalogue import Backend
from bench.core import machine, workers
from bench.core.errors import InputError
from bench.core.files import side_folder
from bench.core.record import Measurement, now
from bench.kit.manifest import NAME, KitNetwork, Manifest
from bench.models import choose, model_names
from bench.speed import options as speed
from bench.speed.plan import SpeedPlan
from bench.timing.process_variables import process_variables

WORKER = "bench.kit.building"
# The project's own modules that a device needs, copied as they are; of the families only those that are chosen.
MODULES = (
    "bench/__init__.py", "bench/opening.py", "bench/core/__init__.py", "bench/core/address_space.py",
    "bench/core/errors.py", "bench/core/hardware.py", "bench/core/board.py", "bench/core/lazy.py",
    "bench/core/library_settings.py", "bench/core/system_files.py", "bench/timing/*.py", "bench/backends/__init__.py",
    "bench/backends/adapted.py", "bench/backends/artifact.py", "bench/backends/session.py",
    "bench/backends/catalogue.py", "bench/backends/openvino_kernels.py", "bench/backends/native_output.py",
    "bench/backends/families/__init__.py", "bench/speed/__init__.py", "bench/speed/energy.py", "bench/speed/figures.py",
    "bench/speed/statistics.py", "bench/speed/timed_set.py", "bench/kit/__init__.py", "bench/kit/bounded_json.py",
    "bench/kit/console.py", "bench/kit/device.py", "bench/kit/ledger.py", "bench/kit/lock.py", "bench/kit/manifest.py",
    "bench/kit/one_set.py", "bench/kit/reporting.py",
)  # fmt: skip
RUN = "bench/kit/run.py"
SPARE_BYTES = 16 * 2**20  # of a disk, beside the kit
README = """\
This folder times pose networks on this device. It needs Python 3.9 or later, numpy and the runtimes below.

    python run.py                  # every network in fresh processes; --help says what else there is
    python run.py --list           # what is in the kit
    python run.py --protocol sustained --for 600

What it finds is in records/: bring that folder home, and run python -m bench.kit collect records --results DIR.
It may be cut off at any time: the next start goes on. Needs:
{needs}
"""


def main(arguments: argparse.Namespace) -> int:
    out: Path = arguments.out
    if not out.name:  # the folder that this command works in, or the root of the disk
        raise InputError(f"--out {out} is there already: give the name of a folder to be made")
    archive = out.with_name(out.name + ".zip")
    for path in (out, archive):
        if path.exists():
            raise InputError(f"--out {out}: {path} is there already: give another folder, or remove it")
    plans = make_plans(arguments)
    failures: list[str] = []
    status = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "kit"
        folder.mkdir()
        networks: list[KitNetwork] = []
        with cli.progress(len(plans), "building", shown=not arguments.quiet) as step:
            tasks = [
                asdict(plan) | {"id": name, "folder": str(folder)}
                for plan, name in zip(plans, identities(plans), strict=True)
            ]
            for plan, (task, answer) in zip(plans, workers.run_each(tasks, _start), strict=True):
                error = answer if isinstance(answer, InputError) else answer.get("parity_error")
                if error is not None:
                    failures.append(f"{plan.who}: {error}" if isinstance(error, str) else str(error))
                    status = max(status, 1 if isinstance(error, str) else 2)
                    shutil.rmtree(folder / "artifacts" / task["id"], ignore_errors=True)
                else:
                    assert not isinstance(answer, InputError)
                    networks.append(KitNetwork(id=task["id"], measurement=measurement(plan), **answer))
                step(plan.who)
        if networks:
            finish(folder, networks, out, archive, quiet=arguments.quiet)
            print(out)
    if failures:
        left_out = " (the rest is in the kit)" if networks else ""
        cli.fail("; ".join(failures) + left_out, status)
    return 0


def make_plans(arguments: argparse.Namespace) -> list[SpeedPlan]:
    """One plan a network and backend, all checked that can be checked beforehand.

    Raises:
        InputError: an unknown network or backend, or one that a kit cannot carry.
    """
    models = choose(arguments, model_names(arguments.models), cli.given_input(arguments.input, "kit make"))
    backends = carried(arguments.backend)
    for model in models:
        if model.file:
            model.file.check_batch(1)
            for backend in backends:
                model.file.check_backend(backend)
    threads = machine.checked_threads(arguments.threads)
    return [
        SpeedPlan(
            **model.planned, image=None, batch=1, device="cpu", backend=backend, precision="fp32", threads=threads,
            protocol="paper", rounds=speed.ROUNDS, warmup=speed.WARMUP, sets=speed.SETS, seed=arguments.seed,
        )
        for model in models for backend in backends
    ]  # fmt: skip


def carried(text: str) -> list[str]:
    """The backends asked for; with ``all``, those that a kit can carry and this machine can build.

    Raises:
        InputError: one is unknown, cannot be built here, or does not run from files that another machine can open.
    """
    fit = [backend.name for backend in catalogue.catalogue().values() if travels(backend)]
    if text == "all":
        return [name for name in catalogue.usable("cpu", "fp32")[0] if name in fit]
    names = cli.listed(text)
    for name in names:
        catalogue.resolve(name, "cpu", "fp32")
        if name not in fit:
            raise InputError(
                f"backend {name} does not run from files on a CPU without PyTorch: choose from {', '.join(fit)}"
            )
    return names


def travels(backend: Backend) -> bool:
    """Whether its artifacts are files that a machine without PyTorch can open."""
    return "cpu" in backend.devices and bool(backend.open_packages) and "torch" not in backend.open_packages


def identities(plans: Sequence[SpeedPlan]) -> list[str]:
    """What each network is called in a kit: a name for folders as well, also where those ignore case."""
    found: dict[str, str] = {}
    for plan in plans:
        name = re.sub(r"[^\w-]+", "_", measurement(plan)["model"])[:80]
        # Files in two folders may have networks of one name.
        forms = (f"{name}{ending}.{plan.backend}" for ending in ("", *(f"-{n}" for n in range(2, len(plans) + 1))))
        chosen = next(form for form in forms if form.casefold() not in found)
        found[chosen.casefold()] = chosen
    return list(found.values())


def measurement(plan: SpeedPlan) -> dict[str, Any]:
    """What is measured, without what the device decides on."""
    told = plan.measurement().model_dump(mode="json", include=set(Measurement.model_fields), exclude_none=True)
    del told["threads"]
    told["protocol"] = {key: value for key, value in told["protocol"].items() if key.startswith("image")}
    return told


def finish(folder: Path, networks: Sequence[KitNetwork], out: Path, archive: Path, *, quiet: bool) -> None:
    """Add the modules, the manifest and the README, say how large it is, and put folder and archive in place.

    Raises:
        InputError: there is no room for them.
        OSError: they cannot be written.
    """
    families = {catalogue.find(network.measurement["backend"]).family for network in networks}
    copy_modules(folder, sorted(families))
    needs = dict.fromkeys(f"- {network.measurement['backend']}: {network.runs_on}" for network in networks)
    (folder / "README.txt").write_text(README.format(needs="\n".join(needs)), encoding="utf-8")
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    software = machine.this_software("").model_dump(mode="json", exclude_none=True)
    for of_the_device in ("python", "runtime", "packages"):
        del software[of_the_device]
    manifest = Manifest(
        networks=list(networks),
        files={name: sha256(folder / name) for name in names},
        protocols={
            "paper": {"rounds": speed.ROUNDS, "warmup": speed.WARMUP, "sets": speed.SETS},
            "steady": {
                "rounds": speed.STEADY_ROUNDS, "warmup": speed.WARMUP, "sets": speed.STEADY_SETS,
                "budget_s": speed.STEADY_BUDGET_S,
            },
            "sustained": {"rounds": 1, "warmup": speed.WARMUP, "sets": 1},
        },
        software=software, made_at=now(), command=cli.command_line(),
    )  # fmt: skip
    (folder / NAME).write_text(manifest.to_json())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if not quiet:
        cli.say(f"{len(networks)} networks, {size / 1e6:.1f} MB; the archive is of about that size too")
    out.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out.parent).free
    if free < 2 * size + SPARE_BYTES:
        raise InputError(f"--out {out}: {2 * size / 1e6:.0f} MB are needed, and {free / 1e6:.0f} MB are free there")
    put_in_place(folder, out, archive)


def copy_modules(folder: Path, families: Sequence[str]) -> None:
    patterns = (*MODULES, *(f"bench/backends/families/{family}.py" for family in families))
    for pattern in patterns:
        found = sorted(machine.ROOT.glob(pattern))
        assert found, pattern
        for path in found:
            copy = folder / path.relative_to(machine.ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    shutil.copyfile(machine.ROOT / RUN, folder / "run.py")


def put_in_place(folder: Path, out: Path, archive: Path) -> None:
    """Folder and archive appear whole, or not at all."""
    try:
        with side_folder(out.parent) as side:
            shutil.copytree(folder, side / out.name)
            with zipfile.ZipFile(side / archive.name, "w", zipfile.ZIP_DEFLATED) as file:
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    file.write(path, f"{out.name}/{path.relative_to(folder).as_posix()}")
            (side / archive.name).replace(archive)
            (side / out.name).replace(out)
    except OSError as error:
        error.filename = error.filename or str(out)
        raise


def _start(task: dict[str, Any]) -> workers.Worker:
    who = f"{task['model']}, {task['backend']}"
    return workers.Worker(WORKER, task, who, process_variables(task["threads"]))
