"""The catalogue of published weights, and fetching them once into the user's cache folder."""

import contextlib
import csv
import difflib
import hashlib
import http.client
import importlib.resources
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from bench.core.files import PROJECT, cache_path
from zoo.errors import ZooError
from zoo.registry import Size, list_models

# Seconds without a byte after which a server counts as gone.
TIMEOUT = 30.0
# What weights="published" means, by number of joints: data set and input size.
DEFAULTS = {17: ("coco", "256x192"), 16: ("mpii", "256x256")}

# Bytes that are here, and in all if the server says.
Step = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Entry:
    """One published checkpoint, with its publisher's figures."""

    dataset: str
    model: str
    input: str  # height x width
    metrics: tuple[str, ...]  # as NAME=VALUE
    sha256_prefix: str
    url: str  # empty where figures alone were published
    joints: int = 17
    training_data: str = "COCO"
    boxes: str = ""  # of people, behind the figures, where the publisher says which

    @property
    def file(self) -> str:
        return self.url.rpartition("/")[2]


def published() -> list[Entry]:
    """Every checkpoint that was published for a network of the zoo."""
    return [entry for entry in published_figures() if entry.url]


def published_figures() -> list[Entry]:
    """The same, and what was published as figures without a checkpoint."""
    text = importlib.resources.files("zoo.weights").joinpath("published.csv").read_text()
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return [
        Entry(
            row["dataset"],
            row["model"],
            row["input"],
            tuple(filter(None, (row["metric_1"], row["metric_2"]))),
            row["sha256_prefix"],
            row["url"],
            int(row["joints"]),
            row["training_data"],
            row["boxes"],
        )
        for row in rows
    ]


def find(
    model: str,
    input_size: str | None = None,
    dataset: str = "coco",
    *,
    training_data: str | None = None,
    catalogue: Sequence[Entry] | None = None,
) -> Entry:
    """The published checkpoint of a network; of several, the one that is trained on the fewest data sets.

    Args:
        model: a name from ``zoo.list_models()``.
        input_size: height x width, for example ``256x192``; without it, the smallest one published.
        dataset: ``coco`` or ``mpii``.
        training_data: ``COCO``, ``MPII``, ``AIC+COCO`` or ``Body7``, where there are several.
        catalogue: other than ``published()``.

    Raises:
        ZooError: there is none; the message says which there are.
    """
    entries = published() if catalogue is None else catalogue
    models = sorted({entry.model for entry in entries})
    of_model = [entry for entry in entries if entry.model == model]
    if not of_model:
        near = difflib.get_close_matches(model, models, n=1, cutoff=0.8) if model not in list_models() else []
        hint = f"did you mean {near[0]}?" if near else f"there are of {', '.join(models)}"
        raise ZooError(f"no weights were published of {model!r}: {hint}")
    wanted = [
        entry
        for entry in of_model
        if entry.dataset == dataset
        and entry.input == (input_size or entry.input)
        and entry.training_data == (training_data or entry.training_data)
    ]
    if not wanted:
        several = len({entry.training_data for entry in of_model if entry.dataset == "coco"}) > 1
        have = ", ".join(
            f"{entry.dataset} {entry.input}{f' trained on {entry.training_data}' if several else ''}"
            for entry in of_model
        )
        asked = f"{dataset} {input_size or ''}{f' trained on {training_data}' if training_data else ''}"
        raise ZooError(f"no weights of {model} were published for {asked}: there are for {have}")
    return min(wanted, key=lambda entry: entry.input)


def cache_folder() -> Path:
    """Where fetched weights are kept."""
    return cache_path("weights")


def is_cached(entry: Entry) -> bool:
    """Whether an earlier ``fetch`` left the file."""
    return (cache_folder() / entry.file).is_file()


def fetch(entry: Entry, *, cache: Path | None = None, step: Step | None = None) -> Path:
    """The file of a published checkpoint, downloaded if it is not in the cache yet.

    The checksum is looked at every time. An interrupted download stays as ``FILE.partial`` and
    goes on from there the next time; ``FILE`` appears whole or not at all.

    Args:
        entry: what to fetch.
        cache: the folder, ``cache_folder()`` by default.
        step: called on the way with the bytes that are here, and in all if known.

    Raises:
        ZooError: no network, a cut connection, a file that is not what was published, or a cache
            that cannot be written. One line that says what to do.
    """
    target = (cache or cache_folder()) / entry.file
    partial = target.with_name(f"{target.name}.partial")
    try:
        if target.is_file() and _matches(target, entry):
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if target.is_file() and _matches(target, entry):  # another process fetched it meanwhile
                return target
            _download(entry, partial, target, step or (lambda done, total: None))
            if not _matches(partial, entry):
                partial.unlink()
                raise ZooError(
                    f"{entry.url} is not the file that was published: its SHA-256 does not begin with "
                    f"{entry.sha256_prefix}; it was deleted. Run the same again to download it afresh"
                )
            partial.replace(target)
    except OSError as error:
        raise ZooError(f"{error.filename or target} cannot be written: {error.strerror or error}") from error
    return target


def fetch_default(
    model: str, num_joints: int, input_size: Size = (256, 192), *, catalogue: Sequence[Entry] | None = None
) -> Path:
    """The file that ``create_model(model, weights="published")`` loads, with a progress bar on a terminal.

    Raises:
        ZooError: nothing was published for that network and number of joints, or see ``fetch``.
    """
    if num_joints not in DEFAULTS:
        raise ZooError(f"no weights were published for {num_joints} joints: there are for 17 (COCO) and 16 (MPII)")
    dataset, size = DEFAULTS[num_joints]
    if input_size != (256, 192):
        size = "{}x{}".format(*input_size)
    entry = find(model, size, dataset, catalogue=catalogue)
    with bar(entry.file) as step:
        return fetch(entry, step=step)


@contextlib.contextmanager
def bar(title: str, *, shown: bool = True) -> Iterator[Step]:
    """A progress bar on stderr, if that is a terminal."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not (shown and console.is_terminal)) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _matches(file: Path, entry: Entry) -> bool:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest().startswith(entry.sha256_prefix)


def _download(entry: Entry, partial: Path, target: Path, step: Step) -> None:
    """Write the rest of ``partial``, from where it ends."""
    start = partial.stat().st_size if partial.exists() else 0
    try:
        response = _open(entry.url, start)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            if error.headers.get("Content-Range") == f"bytes */{start}":
                return  # all of it is here already
            partial.unlink()
            _download(entry, partial, target, step)
            return
        raise ZooError(
            f"{entry.url}: the server answers {error.code} {error.reason}; if it stays so, the publisher has moved "
            f"the file: get it elsewhere and put it at {target}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        host = urllib.parse.urlsplit(entry.url).netloc
        cause = getattr(error, "reason", None) or error
        reason = getattr(cause, "strerror", None) or cause
        raise ZooError(
            f"{host} cannot be reached ({reason}): go online and run the same again, or put {entry.url} at {target}"
        ) from error
    with response:
        resumed = start > 0 and response.status == http.client.PARTIAL_CONTENT
        if resumed and not (response.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
            partial.unlink()
            _download(entry, partial, target, step)
            return
        done = start if resumed else 0
        length = response.headers.get("Content-Length") or ""
        total = done + int(length) if length.isdecimal() else None
        with partial.open("ab" if resumed else "wb") as file:
            for chunk in _chunks(response):
                file.write(chunk)
                done += len(chunk)
                step(done, total)
        if total is not None and done < total:
            raise ZooError(
                f"the connection to {entry.url} was cut after {done / 1e6:.1f} of {total / 1e6:.1f} MB: "
                "run the same again, it goes on from there"
            )


def _open(url: str, start: int) -> http.client.HTTPResponse:
    if not re.match(r"https?://", url):
        raise ZooError(f"{url} is no address to download from: it must begin with https://")
    request = urllib.request.Request(url, headers={"User-Agent": PROJECT})
    if start:
        request.add_header("Range", f"bytes={start}-")
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """What arrives until the end, or until the connection is cut."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        while chunk := response.read1(1 << 16):
            yield chunk
