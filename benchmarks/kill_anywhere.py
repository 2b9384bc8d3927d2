"""Commands killed at random moments, again and again: nothing lost, doubled, half-written or left running.

    python benchmarks/kill_anywhere.py --kills 40 --only run_all,accuracy,train

Works in a copy of the project in a temporary folder, with the Python that runs this. Each command is first run to its
end, undisturbed. Then, in an empty folder, it is started and killed (its first process by SIGKILL, SIGTERM or SIGHUP,
or all in the foreground by SIGINT, as Ctrl-C does) after a random time, and started again where it stopped, until it
has ended by itself; then once more from the beginning, until there were as many kills as asked for. Half of the times
are counted from the start, half from when the command first writes something. After every kill:

- no process is left that has this run's mark in its environment, and nothing in the temporary folder;
- every records file begins with what it held before, ends with a whole line, and has no measurement twice;
- every JSON file of the results can be read.

And at every end: the same files as in the undisturbed run, the same records by identity and by every metric that is
no time, and weights, predictions and drawn pictures equal to the byte. Whatever does not hold is printed, and the exit
status is 1. Linux only.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench.core.record import Record
from bench.core.results import read_file, record_files

ROOT = Path(__file__).resolve().parent.parent
MARK = "LIGHTPOSE_KILL_ANYWHERE"
GRACE_S = 30.0  # until a process that is still there counts as left behind
BLOWS = {signal.SIGKILL: 5, signal.SIGTERM: 2, signal.SIGINT: 2, signal.SIGHUP: 1}  # how often each
RESULTS = ("results/local", "reports/local")
TIMES = re.compile(r"(_ms|_s|_per_s|_share|seconds)$")  # of metrics that no two runs have in common
SAME_BYTES = re.compile(r"(\.safetensors|/predictions/.*\.json|/people/.*|/drawn_.*)$")
NAMED_BY_TIME = re.compile(r"events\.out\.tfevents\.")


@dataclass(frozen=True)
class Command:
    """What is run, killed and run again; the same words start it and go on with it."""

    words: tuple[str, ...]
    latest_s: float  # kills come at most so long after the start, or after the first thing that is written


PYTHON = (sys.executable, "-m")
PEOPLE = "people/annotations/person_keypoints_val2017.json"  # a few, drawn beforehand
COMMANDS = {
    "run_all": Command(("bash", "run_all.sh", "--quick"), 60),
    "accuracy": Command(
        (*PYTHON, "bench.accuracy", "--missing", "--images", "8", "--batch", "2", "--workers", "1", "--threads", "1"),
        30,
    ),
    "train": Command(
        (*PYTHON, "bench.train", "--resume", "--model", "lightweight_mobilenetv3", "--annotations", PEOPLE, "--images",
         "people/val2017", "--val-annotations", PEOPLE, "--input", "64x64", "--epochs", "2", "--batch", "2",
         "--checkpoint-every", "2", "--validate-every", "1", "--workers", "1", "--threads", "1"),
        30,
    ),
}  # fmt: skip


@dataclass
class Seen:
    """What came of all kills of one command."""

    blows: Counter[str] = field(default_factory=Counter)
    moments_s: list[float] = field(default_factory=list)
    gone_s: list[float] = field(default_factory=list)  # from the kill until nothing of it ran
    completions: int = 0
    faults: list[str] = field(default_factory=list)


class Place:
    """A copy of the project, with temporary and cache folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        self.temporary = folder / "t"
        self.mark = uuid.uuid4().hex
        self.temporary.mkdir()
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("tests/", "results/")):
                (self.project / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.project / name)
        self._use_this_environment()
        self.environment = os.environ | {
            "TMPDIR": str(self.temporary), "XDG_CACHE_HOME": str(folder / "cache"), MARK: self.mark,
            "PYTHONPATH": str(self.project), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        }  # fmt: skip

        draw = ("bench.data", "synthetic", "--images", "4", "--seed", "1", "--out", "people")
        subprocess.run([*PYTHON, *draw], cwd=self.project, env=self.environment, check=True, capture_output=True)

    def _use_this_environment(self) -> None:
        """As ``.venv``, installed as setup.sh wants it."""
        venv = self.project / ".venv"
        venv.mkdir()
        for part in Path(sys.prefix).iterdir():
            if part.name != "installed":
                (venv / part.name).symlink_to(part)
        wanted = subprocess.run(
            "cat requirements.lock pyproject.toml | cksum", shell=True, cwd=self.project, capture_output=True, text=True
        )
        (venv / "installed").write_text(wanted.stdout)

    def clear(self) -> None:
        for name in RESULTS:
            shutil.rmtree(self.project / name, ignore_errors=True)

    def start(self, words: Iterable[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("wb") as output:
            return subprocess.Popen(
                list(words), cwd=self.project, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip

    def running(self) -> dict[int, str]:
        """Processes with the mark, and what they are."""
        found = {}
        for process in Path("/proc").iterdir():
            if process.name.isdecimal():
                try:
                    if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes().split(b"\0"):
                        words = (process / "cmdline").read_bytes().split(b"\0")
                        found[int(process.name)] = b" ".join(words).decode(errors="replace")[:120]
                except OSError:
                    continue
        return found


# ------------------------------------------------------------------------------ what must hold


def contents(project: Path) -> dict[Path, bytes]:
    """The records files as they are."""
    return {file: file.read_bytes() for file in records_of(project)}


def records_of(project: Path) -> list[Path]:
    folder = project / RESULTS[0]
    return record_files(folder) if folder.is_dir() else []


def damage(project: Path, before: dict[Path, bytes]) -> list[str]:
    """What is wrong with the files after a kill.

    Args:
        project: has the folders of results and reports.
        before: ``contents`` before the command that was killed.
    """
    found = []
    for file, old in before.items():
        if not file.is_file() or not file.read_bytes().startswith(old):
            found.append(f"{file.name} lost what it held")
    for file in records_of(project):
        if not file.read_bytes().endswith(b"\n"):
            found.append(f"{file.name} ends with a half-written line")
        try:
            with warnings.catch_warnings(action="error"):
                twice = [key for key, count in Counter(record.key for record in read_file(file)).items() if count > 1]
            found += [f"{file.name} has a measurement twice: {key[0][:100]}" for key in twice]
        except Exception as error:
            found.append(str(error))
    for folder in RESULTS:
        for file in (project / folder).rglob("*.json"):
            try:
                json.loads(file.read_bytes())
            except ValueError:
                found.append(f"{file.name} is half-written")
    return found


@dataclass(frozen=True)
class Outcome:
    """What an undisturbed run leaves."""

    files: frozenset[str]
    same: dict[str, bytes]  # of files that have no times in them
    records: dict[tuple[str, ...], dict[str, float]]  # by key, the metrics that are no times; of timing, their names


def outcome(project: Path) -> Outcome:
    paths = [path for folder in RESULTS for path in (project / folder).rglob("*") if path.is_file()]
    names = {path.relative_to(project).as_posix(): path for path in paths}
    records = [record for file in records_of(project) for record in read_file(file)]
    return Outcome(
        frozenset(name for name in names if not NAMED_BY_TIME.search(name)),
        {name: path.read_bytes() for name, path in names.items() if SAME_BYTES.search(name)},
        {record.key: lasting(record) for record in records},
    )


def lasting(record: Record) -> dict[str, float]:
    """The metrics of a record that two runs have in common; of a measurement of time, only what they are called."""
    timed = record.kind == "speed"
    return {name: 0 if timed else value for name, value in record.metrics.items() if not TIMES.search(name)}


def differences(wanted: Outcome, found: Outcome) -> list[str]:
    """What a run that was killed again and again left otherwise than the undisturbed one."""
    listed = [f"{name} is missing at the end" for name in sorted(wanted.files - found.files)]
    listed += [f"{name} is left over at the end" for name in sorted(found.files - wanted.files)]
    listed += [f"{name} differs" for name in sorted(wanted.same) if found.same.get(name, b"") != wanted.same[name]]
    for key, metrics in wanted.records.items():
        if key not in found.records:
            listed.append(f"no record of {key[0][:100]}")
        elif found.records[key] != metrics:
            listed.append(f"other metrics: {found.records[key]}, {metrics} undisturbed")
    return listed + [f"a record of its own: {key[0][:100]}" for key in found.records if key not in wanted.records]


# ------------------------------------------------------------------------------ killing


def undisturbed(place: Place, command: Command, log: Path) -> tuple[Outcome, float]:
    """What the command leaves, and how long it takes."""
    place.clear()
    started = time.monotonic()
    status = place.start(command.words, log).wait()
    if status:
        raise SystemExit(f"error: {' '.join(command.words)} ended with {status}: {log.read_text()[-500:]}")
    return outcome(place.project), time.monotonic() - started


def kill(process: subprocess.Popen[bytes], blow: signal.Signals) -> None:
    if blow == signal.SIGINT:
        os.killpg(process.pid, blow)  # as a terminal sends it
    else:
        process.send_signal(blow)


def attack(place: Place, command: Command, kills: int, random_: random.Random, log: Path, name: str) -> Seen:
    """Kill a command so many times, and look after each."""
    seen = Seen()
    wanted, takes_s = undisturbed(place, command, log)
    print(f"{name}: {takes_s:.0f} s undisturbed", file=sys.stderr, flush=True)
    latest_s = min(command.latest_s, takes_s)
    place.clear()
    unfinished = False  # what was killed is always brought to its end
    while sum(seen.blows.values()) < kills or unfinished:
        before = contents(place.project)
        # After the last kill it is left alone until it ends.
        last = sum(seen.blows.values()) >= kills
        wait_s, late = random_.uniform(0, latest_s), random_.random() < 0.5
        blow = random_.choices(list(BLOWS), list(BLOWS.values()))[0]
        known, started = state(place.project), time.monotonic()
        process = place.start(command.words, log)
        while late and not last and process.poll() is None and state(place.project) == known:
            time.sleep(0.01)
        try:
            status = process.wait(None if last else wait_s / 4 if late else wait_s)
        except subprocess.TimeoutExpired:
            kill(process, blow)
            unfinished = True
            seen.blows[blow.name] += 1
            seen.moments_s.append(time.monotonic() - started)
            process.wait()
            seen.faults += look_for_processes(place, seen)
            seen.faults += damage(place.project, before)
            if blow == signal.SIGINT and "Traceback" in log.read_text(errors="replace"):
                seen.faults.append(f"Ctrl-C: {log.read_text(errors='replace')[-800:]}")
        else:
            unfinished = False
            seen.completions += 1
            if status:
                seen.faults.append(f"ended with {status}: {log.read_text(errors='replace')[-500:]}")
            seen.faults += look_for_processes(place, None) + damage(place.project, before)
            seen.faults += differences(wanted, outcome(place.project))
            place.clear()
        done = sum(seen.blows.values())
        print(f"{name}: {done} kills, {seen.completions} ends, {len(seen.faults)} faults", file=sys.stderr, flush=True)
        for fault in dict.fromkeys(seen.faults[-3:]):
            print(f"  {fault}", file=sys.stderr, flush=True)
    return seen


def state(project: Path) -> dict[str, tuple[int, int]]:
    """Size and time of everything that was written."""
    found = {}
    for folder in RESULTS:
        for path in (project / folder).rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                found[str(path)] = path.stat().st_size, path.stat().st_mtime_ns
    return found


def look_for_processes(place: Place, seen: Seen | None) -> list[str]:
    """Wait until nothing of the command runs; what is left after the grace, and in the temporary folder."""
    started = time.monotonic()
    while (left := place.running()) and time.monotonic() - started < GRACE_S:
        time.sleep(0.05)
    if seen is not None:
        seen.gone_s.append(time.monotonic() - started)
    faults = [f"still running after {GRACE_S:.0f} s: {what}" for what in left.values()]
    for process in left:
        os.kill(process, signal.SIGKILL)
    names = sorted(path.name for path in place.temporary.iterdir())
    shutil.rmtree(place.temporary)
    place.temporary.mkdir()
    return faults + [f"left in the temporary folder: {name}" for name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40, help="of each command")
    parser.add_argument("--only", default=",".join(COMMANDS), help=f"of {', '.join(COMMANDS)}")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and signals")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        place = Place(Path(folder))
        for name in arguments.only.split(","):
            generator = random.Random(f"{arguments.seed} {name}")
            rows.append((name, attack(place, COMMANDS[name], arguments.kills, generator, Path(folder) / "log", name)))
    print("| command | kills | by | moments | runs that came to their end | last process gone after | faults |")
    print("|---|---|---|---|---|---|---|")
    for name, seen in rows:
        by = ", ".join(f"{count} {blow}" for blow, count in sorted(seen.blows.items()))
        moments = f"{min(seen.moments_s):.1f} to {max(seen.moments_s):.1f} s" if seen.moments_s else ""
        gone = f"{max(seen.gone_s):.1f} s at most" if seen.gone_s else ""
        kills = sum(seen.blows.values())
        print(f"| `{name}` | {kills} | {by} | {moments} | {seen.completions} | {gone} | {len(seen.faults)} |")
    for name, seen in rows:
        for fault, count in Counter(seen.faults).items():
            print(f"{name}: {count} times: {fault}")
    return 1 if any(seen.faults for _, seen in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
