"""``run.py`` on the device: times a kit's networks and writes their records.

Every set is a fresh process of ``run.py`` itself; sets of all networks take turns in shuffled order. A finished set is
on the disk before the next begins, and the next start goes on from there. Needs numpy and the runtimes only.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import argparse
import contextlib
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.core import board, hardware
from bench.core.errors import InputError, how_it_died
from bench.kit import lock, one_set, reporting
from bench.kit.console import say
from bench.kit.ledger import Ledger
from bench.kit.manifest import NAME, KitNetwork, Manifest
from bench.timing.parity import ParityError
from bench.timing.process_variables import process_variables

ONE_SET = "--one-set"  # how a process of a set is called
HEARTBEAT_S = 60.0  # between two lines while nothing else is said
SUSTAINED_S = 600.0
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of the disk, of the user's share of it, of what a file may hold


def main(folder: str) -> int:
    """Exit status: 0 done, 1 a network computes something else, 2 one or all could not run, 130 interrupted."""
    if sys.argv[1:] == [ONE_SET]:
        return one_set.main(folder)
    with contextlib.suppress(AttributeError):  # a console that is no stream of Python's own
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names may have any letters
    try:
        return run(Path(folder), parse(sys.argv[1:]))
    except InputError as error:
        say(f"error: {error}")
    except OSError as error:
        full = error.errno in FULL
        reason = "the disk is full: free some space, and start again to go on" if full else error.strerror or error
        say(f"error: {error.filename or folder}: {reason}")
    except KeyboardInterrupt:
        say("interrupted: the finished sets are kept, the same command goes on from there")
        return 130
    return 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise InputError(f"{message} (python run.py --help)")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    about = "Time the networks of this kit on this device."
    parser = _Parser(prog="python run.py", description=about, allow_abbrev=False)
    parser.add_argument("--list", action="store_true", help="say what is in the kit, and run nothing")
    parser.add_argument("--models", metavar="NAME[,NAME]", help="only these (default: all)")
    parser.add_argument("--backend", metavar="NAME[,NAME]", help="only these (default: all)")
    parser.add_argument("--protocol", choices=["paper", "steady", "sustained"], default="paper",
                        help="paper: 50 rounds in each of 5 processes; steady: rounds until the median is known within "
                        "1 %%; sustained: rounds for a time, to see what heat does")  # fmt: skip
    parser.add_argument("--for", dest="for_s", type=_seconds, metavar="SECONDS",
                        help=f"how long each network goes on, sustained only (default: {SUSTAINED_S:g})")  # fmt: skip
    parser.add_argument("--threads", type=_number, help="CPU threads (default: one a core, as far as a quota allows)")
    parser.add_argument("--sets", type=_number, help="fresh processes a network; not with sustained")
    parser.add_argument("--cores", metavar="LIST", help="keep to these: numbers such as 0-3,6, or big or little")
    parser.add_argument("--missing", action="store_true",
                        help="leave out what has a record from this kit, device and these options already")  # fmt: skip
    parser.add_argument("--timeout", type=_seconds, default=1800.0, metavar="SECONDS",
                        help="ends a set that hangs (default: 1800; sustained: that and the time)")  # fmt: skip
    return parser.parse_args(argv)


def _number(text: str) -> int:
    if text.isdecimal() and len(text) < 5 and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number from 1 to 9999")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < float(text) <= 30 * 86400:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a number of seconds above 0 and up to 2,592,000")


# ------------------------------------------------------------------------------ what is run


@dataclass(frozen=True)
class TimingSettings:
    """How all networks of a run are timed."""

    protocol: dict[str, Any]  # as records have it, without what the network adds
    kind: str  # paper, steady or sustained
    until: dict[str, float]  # what ends a set, as bench.timing.clock takes it
    warmup: int
    sets: int
    threads: int
    cores: list[int]
    limit_s: float


@dataclass
class NetworkProgress:
    """What is there of one network."""

    network: KitNetwork
    runtime: str
    work: str  # what its finished sets are kept under
    artifact: dict[str, Any]
    parts: dict[str, dict[str, Any]]
    timed: list[dict[str, Any]] = field(default_factory=list)
    started_at: str = ""


def run(kit: Path, arguments: argparse.Namespace) -> int:
    """All that is not done yet.

    Raises:
        InputError: the kit cannot be used, or nothing of it was chosen.
        OSError: what is found cannot be written.
    """
    manifest = Manifest.read(kit / NAME)
    if arguments.list:
        for network in choose(manifest.networks, arguments):
            say(f"{network.who}: {network.runs_on}")
        return 0
    modules = sorted(name for name in manifest.files if name.endswith(".py"))
    wrong = manifest.wrong(kit, [name for name in modules if "/families/" not in name])
    if wrong:
        raise InputError(wrong)
    chosen = choose(manifest.networks, arguments)
    settings = make_settings(manifest, arguments)
    records = kit / "records"
    with lock.alone(records / ".running"):
        return _KitRun(kit, manifest, settings, records).all(chosen, missing=arguments.missing)


def choose(networks: Sequence[KitNetwork], arguments: argparse.Namespace) -> list[KitNetwork]:
    """The networks that were asked for.

    Raises:
        InputError: one is not in the kit.
    """
    chosen = list(networks)
    for option, key in (("models", "model"), ("backend", "backend")):
        asked = getattr(arguments, option)
        if asked is None:
            continue
        names = [name.strip() for name in asked.split(",") if name.strip()]
        there = {one.measurement[key] for one in networks}
        for name in names:
            if name not in there:
                raise InputError(f"--{option} {name[:60]}: not in this kit, which has {', '.join(sorted(there))}")
        chosen = [one for one in chosen if one.measurement[key] in names]
    if not chosen:
        raise InputError("nothing of this kit was chosen: python run.py --list says what there is")
    return chosen


def make_settings(manifest: Manifest, arguments: argparse.Namespace) -> TimingSettings:
    """The protocol with its numbers, as ``bench.speed`` has them.

    Raises:
        InputError: more threads than processors, or cores that are not there.
    """
    kind = arguments.protocol
    usual = manifest.protocols[kind]
    if kind == "sustained" and arguments.sets:
        raise InputError("--sets: a sustained run is one process, in which heat builds up; leave it out")
    if kind != "sustained" and arguments.for_s:
        raise InputError(f"--for has no effect with --protocol {kind}: give --protocol sustained with it")
    sets = int(arguments.sets or usual["sets"])
    rounds, warmup = int(usual["rounds"]), int(usual["warmup"])
    name = "custom" if kind == "paper" and sets != usual["sets"] else kind
    cores = chosen_cores(arguments.cores)
    usable = len(cores) or hardware.usable_cores()
    threads = arguments.threads or min(hardware.default_threads(), usable)
    if threads > usable:
        raise InputError(f"--threads {threads} are more than the {usable} processors to run on")
    protocol: dict[str, Any] = {"name": name, "warmup": warmup, "sets": sets}
    protocol["interval"] = {1: "rounds", 2: "none"}.get(sets, "sets, then rounds")
    until: dict[str, float] = {"rounds": rounds}
    limit_s = arguments.timeout
    if kind == "sustained":
        protocol["for_s"] = until["for_s"] = arguments.for_s or SUSTAINED_S
        limit_s += until["for_s"]
    else:
        protocol["rounds"] = rounds
    if kind == "steady":
        protocol["budget_s"] = usual["budget_s"]
        until["budget_s"] = usual["budget_s"] / sets
    if cores:
        protocol["cores"] = ",".join(map(str, cores))
    return TimingSettings(protocol, kind, until, warmup, sets, threads, cores, limit_s)


def chosen_cores(text: str | None) -> list[int]:
    """``0-3,6``, ``big`` or ``little`` as numbers; none where nothing was asked for.

    Raises:
        InputError: this system cannot keep a process to cores, or they are not there.
    """
    if text is None:
        return []
    if not hasattr(os, "sched_setaffinity"):
        raise InputError("--cores: this system does not let a process choose its cores; leave it out")
    if text in ("big", "little"):
        try:
            return board.cores_named(text)
        except ValueError as error:
            raise InputError(f"--cores {text}: {error}; give numbers") from None
    cores = set()
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        last = last or first
        if not (first.isdecimal() and last.isdecimal() and len(first) < 5 and len(last) < 5):
            raise InputError(f"--cores {text[:60]!r}: give numbers such as 0-3,6, or big or little")
        cores |= set(range(int(first), int(last) + 1))
    missing = cores - os.sched_getaffinity(0)
    if missing or not cores:
        raise InputError(f"--cores {text[:60]}: processor {min(missing, default=-1)} is not there for this process")
    return sorted(cores)


def _is_set(part: dict[str, Any]) -> bool:
    """Whether what the disk has of a set is one; if not, it is timed again."""
    from bench.speed.timed_set import SetResult

    try:
        rounds = SetResult(**part["result"]).latency_ms
        return isinstance(part["started_at"], str) and bool(rounds) and min(rounds) > 0
    except (KeyError, TypeError):
        return False


class _KitRun:
    """One run of a kit."""

    def __init__(self, kit: Path, manifest: Manifest, settings: TimingSettings, records: Path) -> None:
        self.kit, self.manifest, self.settings, self.records = kit, manifest, settings, records
        self.ledger = Ledger(records / "speed.partial")
        self.maker = reporting.RecordMaker(kit, manifest, settings.protocol, settings.threads, records)
        self.status = 0
        self.failures: list[str] = []
        self.known: set[str] = set()  # work that needs no doing

    def all(self, networks: Sequence[KitNetwork], *, missing: bool) -> int:
        settings = self.settings
        say(f"on {self.maker.machine['cpu']}, {settings.threads} threads, {settings.protocol['name']}")
        for note in self.maker.warnings:
            say(f"warning: {note}")
        if missing:
            self.known = self.maker.recorded()
        everything = [one for one in map(self._start, networks) if one is not None]
        done = [one for one in everything if len(one.timed) == self.settings.sets]
        alive = [one for one in everything if one not in done]
        made = [record for one in done for record in self._finish(one)]
        total = sum(self.settings.sets - len(one.timed) for one in alive)
        steps = reporting.Steps(total)
        alive = [one for one in alive if self._fit(one)]
        order = random.Random(0)  # a seed of its own: the same order in every run of the same networks
        for index in range(self.settings.sets):
            turn = [one for one in alive if len(one.timed) == index]
            order.shuffle(turn)
            for one in turn:
                result = self._one_set(one, index)
                if result is None:
                    alive.remove(one)
                    steps.drop(self.settings.sets - index)
                    continue
                steps.step(f"{one.network.who}, set {index + 1}", result)
                if len(one.timed) == self.settings.sets:
                    made += self._finish(one)
        reporting.print_table(made)
        for line in self.failures:
            say(f"failed: {line}")
        if made:
            say(f"{len(made)} records are in {self.records}: bring that folder home")
        self.ledger.drop({one.work for one in everything})
        return self.status

    def _start(self, network: KitNetwork) -> NetworkProgress | None:
        """A network with what an earlier run left of it; none where its files or its runtime are not right, or where
        its record is there and only missing ones are asked for.
        """
        try:
            families = [name for name in self.manifest.files if "/families/" in name]
            wrong = self.manifest.wrong(self.kit, [*families, *network.needs()])
            if wrong:
                raise InputError(wrong)
            runtime = self.maker.runtime(network)
        except InputError as error:
            self._failed(network, error)
            return None
        work = self.maker.identity(network, runtime)
        if work in self.known:
            self.ledger.drop({work})  # a kill came between its record and this
            say(f"{network.who}: has its record already")
            return None
        parts = self.ledger.parts(work)
        artifact = network.artifact_in(self.kit).to_json()
        one = NetworkProgress(network, runtime, work, artifact, parts)
        while len(one.timed) < self.settings.sets and _is_set(part := parts.get(f"set {len(one.timed) + 1}", {})):
            one.timed.append(part["result"])
            one.started_at = one.started_at or part["started_at"]
        if one.timed:
            say(f"{network.who}: {len(one.timed)} of {self.settings.sets} sets are there from before")
        return one

    def _fit(self, one: NetworkProgress) -> bool:
        """Let a backend that has several forms of a network choose the one that is fastest here."""
        from bench.backends import catalogue
        from bench.backends.artifact import Artifact, sha256

        backend = catalogue.find(one.network.measurement["backend"])
        if backend.quantises or not hasattr(catalogue.family_of(backend), "fit"):
            return True
        with contextlib.suppress(KeyError, TypeError):  # it was not chosen before, or the disk has something else
            known = one.parts["fitted"]
            files = Artifact.from_json(known["artifact"]).files
            if all(file.is_file() for file in files) and [sha256(file) for file in files] == known["sha256"]:
                one.artifact = known["artifact"]
                return True
        into = self.records / "fitted" / f"{one.network.id}-{one.work[:12]}"
        into.mkdir(parents=True, exist_ok=True)
        say(f"{one.network.who}: choosing what is fastest here")
        answer = self._process(one, {"fit": True, "into": str(into)})
        if isinstance(answer, Exception):
            self._failed(one.network, answer)
            return False
        self.ledger.add(one.work, "fitted", answer)
        one.artifact = answer["artifact"]
        return True

    def _one_set(self, one: NetworkProgress, index: int) -> dict[str, Any] | None:
        started_at = self.maker.now()
        clocks = time.time(), time.monotonic()
        answer = self._process(one, {})
        if isinstance(answer, Exception):
            self._failed(one.network, answer)
            return None
        result: dict[str, Any] = answer["result"]
        jumped_s = (time.time() - clocks[0]) - (time.monotonic() - clocks[1])
        if abs(jumped_s) > 2:
            result["warnings"].append(f"the clock jumped by {jumped_s:+.0f} s meanwhile; latency has one of its own")
        self.ledger.add(one.work, f"set {index + 1}", {"started_at": started_at, "result": result})
        one.timed.append(result)
        one.started_at = one.started_at or started_at
        return result

    def _process(self, one: NetworkProgress, more: dict[str, Any]) -> dict[str, Any] | Exception:
        """What a fresh process found, or why it found nothing."""
        settings = self.settings
        answer = self.records / ".answer"
        with contextlib.suppress(FileNotFoundError):
            answer.unlink()
        task = {
            "model": one.network.measurement["model"], "input": one.network.input, "expected": one.network.expected,
            "reference": one.network.reference, "rounding": one.network.rounding, "artifact": one.artifact,
            "kind": settings.kind, "until": settings.until, "warmup": settings.warmup, "threads": settings.threads,
            "cores": settings.cores, "answer": str(answer),
            **more,
        }  # fmt: skip
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [sys.executable, str(self.kit / "run.py"), ONE_SET],
                stdin=subprocess.PIPE, stdout=output, stderr=output,
                env={**os.environ, **process_variables(settings.threads)},
            )  # fmt: skip
            try:
                hung = self._wait(process, json.dumps(task).encode() + b"\n", one.network.who)
            finally:
                process.kill()
                process.wait()
                if process.stdin:
                    with contextlib.suppress(OSError):
                        process.stdin.close()
            if hung:
                return InputError(f"took more than {settings.limit_s:g} s: it hangs, or needs a longer --timeout")
            output.seek(0)
            said = output.read().decode(errors="replace")
        try:
            found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
            answer.unlink()
        except (OSError, ValueError):
            if process.returncode == one_set.NOT_WRITTEN:
                reason = next((int(line) for line in reversed(said.splitlines()) if line.isdecimal()), errno.EIO)
                raise OSError(reason, os.strerror(reason), str(answer)) from None
            return InputError(f"its process {how_it_died(process.returncode, said)}")
        if "parity_error" in found:
            return ParityError(found["parity_error"])
        return InputError(found["input_error"]) if "input_error" in found else found

    def _wait(self, process: subprocess.Popen[bytes], task: bytes, who: str) -> bool:
        """Tell it what to do and wait for its end, with a line now and then; whether it took too long."""
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: there will be no answer
            process.stdin.write(task)
            process.stdin.flush()
        started = time.monotonic()
        while time.monotonic() - started < self.settings.limit_s:
            try:
                process.wait(min(HEARTBEAT_S, self.settings.limit_s))
                return False
            except subprocess.TimeoutExpired:
                say(f"{who}: going on for {time.monotonic() - started:.0f} s")
        return True

    def _finish(self, one: NetworkProgress) -> list[dict[str, Any]]:
        """The record of a network with all its sets, written once."""
        record = self.maker.record(one.network, one.runtime, one.timed, one.started_at)
        if "recorded" not in one.parts:
            reporting.append_once(record, self.records, resumed=bool(one.parts))
            self.ledger.add(one.work, "recorded", {})
        return [record]

    def _failed(self, network: KitNetwork, error: Exception) -> None:
        line = f"{network.who}: {error}"
        say(f"failed: {line}")
        self.failures.append(line)
        self.status = max(self.status, 1 if isinstance(error, ParityError) else 2)
