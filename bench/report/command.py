"""``python -m bench.report``: the paper's tables and figure, made from records, and a page that shows them."""

import argparse
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import cli
from bench.core import kinds, results
from bench.core.errors import InputError
from bench.core.files import side_folder, write_whole
from bench.core.machine import ROOT
from bench.core.record import Machine, Record
from bench.report import models_page, quotes, render
from bench.report.measured import Measured, Setting
from bench.report.page import data, html
from bench.report.section import ReportFigure, Section, Shown
from bench.report.sections import all_sections

PAGE = "index.html"
TIMED = ("speed", "explain", "regress", "pipeline")  # kinds of records that depend on the machine
MOST_FIGURES = 8  # of a section, without --figures all
MANIFEST = ".manifest.json"  # names of the files that the report last wrote into a folder


def main(arguments: argparse.Namespace) -> int:
    if arguments.update_docs:
        return update_docs(ROOT)
    sets = read_sets(arguments.results)
    records = [record for members in sets.values() for record in members]
    if not records:
        raise InputError(
            f"no records in {arguments.results}: run python -m bench.complexity and python -m bench.speed first, "
            "or ./run_all.sh"
        )
    if arguments.compare:
        from bench.report import comparison

        comparison.show(records, read(arguments.compare), (arguments.results, arguments.compare))
        return 0
    write(make(records, sets, all_figures=arguments.figures == "all"), arguments.out)
    index = arguments.out / PAGE
    if arguments.json:
        for record in Measured(records).records:
            print(record.to_json())
    elif not arguments.quiet:
        cli.say(f"{len(records)} records in {arguments.results}")
    if not arguments.json:
        print(index)
    return 0


def update_docs(root: Path) -> int:
    """Write what the pages of a checkout quote; 1 where they quote figures that its records do not give.

    Raises:
        InputError: a block is of a table that the records do not give; nothing was written.
    """
    records = read(root / "results" / "reference")
    measured = Measured(records)
    tables = {section.key: table for section in all_sections() if (table := section.table(measured))}
    report = {f"{key}.csv": render.csv(table, measured).encode() for key, table in tables.items()}
    texts = {page: page.read_text(encoding="utf-8") for page in quotes.pages(root)}
    written = {page: quotes.with_blocks(text, tables) for page, text in texts.items()}
    wrong = [f"{page.relative_to(root)}: {line}" for page in texts for line in quotes.unfounded(written[page], report)]
    for page in texts:
        if written[page] != texts[page]:
            write_whole(page, written[page].encode())
            cli.say(f"written: {page.relative_to(root)}")
    for line in wrong:
        print(line)
    return int(bool(wrong))


def read(path: Path) -> list[Record]:
    """The records of a file or a folder, each with all that a record of its kind must hold.

    Timings of emulated processors are left out, with a line that says how many.

    Raises:
        InputError: a line is no record, or lacks something; the message names file and line.
    """
    return [record for members in read_sets(path).values() for record in members]


def read_sets(path: Path) -> dict[str, list[Record]]:
    """The same by the folder that they lie in, as seen from ``path``."""
    if not path.exists():
        raise InputError(f"no folder {path}: give that of the records with --results")
    found: dict[str, list[Record]] = {}
    emulated = 0
    early: list[str] = []  # where the clock was wrong
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for file in results.record_files(path):
        members = found.setdefault(file.parent.relative_to(path).as_posix() if path.is_dir() else file.name, [])
        for number, line in results.lines(file):
            where = f"{file}, line {number}"
            record = results.parse(line, where)
            if problem := kinds.problem(record):
                raise InputError(f"{where}: {problem}")
            if record.emulated:
                emulated += 1
                continue
            members.append(record)
            if datetime.fromisoformat(record.started_at) > tomorrow:
                early.append(f"{where}, of {record.started_at[:10]}")
    if emulated:
        cli.say(f"{path}: {emulated} records of emulated processors are left out")
    if early:
        cli.warn(f"{len(early)} of the records were begun in the future, and no later one replaces them: {early[0]}")
    for line in _namesakes(record for members in found.values() for record in members):
        cli.warn(line)
    return found


def _namesakes(records: Iterable[Record]) -> Iterator[str]:
    """Machines of one name that are not one machine, as in the merged folders of several people."""
    machines: dict[str, list[Machine]] = {}
    for record in records:
        if record.kind in TIMED:
            machines.setdefault(Setting.of(record).machine, []).append(record.machine)
    for name, alike in machines.items():
        systems = sorted({machine.os.partition(" ")[0] for machine in alike})
        least, most = (of(machine.memory_bytes for machine in alike) / 2**30 for of in (min, max))
        what = [", ".join(systems)] if len(systems) > 1 else []
        what += [f"{least:.1f} and {most:.1f} GiB of memory"] if most > 1.1 * least else []
        if what:
            yield (
                f"{name}: timings of several machines of this name ({'; '.join(what)}) stand together, the newest of "
                "each network: give one folder to --results, and the other to --compare of bench.report"
            )


def make(
    records: list[Record], sets: Mapping[str, Sequence[Record]] | None = None, *, all_figures: bool = False
) -> dict[str, bytes]:
    """All files of the report by name, the same bytes for the same records.

    Args:
        records: in any order; of several of one measurement the newest counts.
        sets: the folders that they come from, for the page to compare; nothing where that does not matter.
        all_figures: draw those as well that are left out otherwise (``ReportFigure.main``).

    Raises:
        InputError: a record lacks what a record of its kind must hold (``bench.core.kinds``), or Plotly is missing.
    """
    for record in records:
        if problem := kinds.problem(record):
            raise InputError(problem)
    html.plotly_script()  # that it is missing is said before figures are drawn
    measured = Measured(records)
    shown = []
    files = {
        "records.csv": render.records_csv(measured).encode(),
        "models.md": models_page.page(measured).encode(),
    }
    for section in all_sections():
        table = section.table(measured)
        if table is not None:
            files[f"{table.key}.md"] = render.markdown(table, measured).encode()
            files[f"{table.key}.csv"] = render.csv(table, measured).encode()
            files[f"{table.key}.tex"] = render.latex(table, measured).encode()
        figures = []
        for picture in chosen_pictures(section, measured, all_figures=all_figures):
            png, svg = picture.draw()
            files |= {f"{picture.key}.png": png, f"{picture.key}.svg": svg}
            figures.append(picture.key)
        if table is not None or figures or section.without_pictures:
            shown.append(Shown(section, table, tuple(figures)))
    files[PAGE] = html.page(data.page_data(shown, measured, records, sets or {})).encode()
    return files


def chosen_pictures(section: Section, measured: Measured, *, all_figures: bool) -> list[ReportFigure]:
    """The figures of a section that are drawn: all, or those that somebody opens."""
    pictures = list(section.pictures(measured))
    return pictures if all_figures else [picture for picture in pictures if picture.main][:MOST_FIGURES]


def write(files: dict[str, bytes], folder: Path) -> None:
    """Write everything to the side, then move it into place: no file is ever half-written.

    What an earlier report wrote into the folder, as its manifest tells, and this one did not, is removed; nothing else.

    Raises:
        InputError: a file that would be replaced is no report's; nothing was written.
        OSError: the folder cannot be made or written, or the disk is full; what was there stays.
    """
    earlier = _earlier(folder)
    strange = sorted(name for name in files if name not in earlier and (folder / name).exists())
    if strange and not _holds_a_report(folder):
        raise InputError(
            f"{folder} holds {', '.join(strange[:3])}{' and others' if len(strange) > 3 else ''}, which no report "
            "wrote: give --out a folder of its own"
        )
    with side_folder(folder) as side:
        for file, content in files.items():
            with (side / file).open("wb") as stream:
                stream.write(content)
                os.fsync(stream.fileno())
        _write_manifest(folder, earlier | set(files))  # interrupted from here on, the next report knows of both
        # The page last: until then the one that is there fits what it links to best.
        for file in sorted(files, key=lambda file: (file == PAGE, file)):
            (side / file).replace(folder / file)
    for file in earlier.difference(files):
        (folder / file).unlink(missing_ok=True)
    _write_manifest(folder, set(files))


def _earlier(folder: Path) -> set[str]:
    """What the last report wrote into a folder; nothing where there is no manifest that says so."""
    try:
        names = json.loads((folder / MANIFEST).read_text())["files"]
        return {name for name in names if name == Path(name).name and (folder / name).is_file()}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return set()


def _write_manifest(folder: Path, names: set[str]) -> None:
    about = "The files that python -m bench.report wrote here; the next report removes those that it does not write."
    write_whole(folder / MANIFEST, (json.dumps({"about": about, "files": sorted(names)}, indent=1) + "\n").encode())


def _holds_a_report(folder: Path) -> bool:
    """Whether a report was written here, be it by a version that kept no manifest."""
    try:
        return (folder / MANIFEST).exists() or html.TITLE in (folder / PAGE).read_text(errors="replace")
    except OSError:
        return False
