"""``python -m bench.report``: the paper's tables and figure, made from records, and a page that shows them."""

import argparse
import os
import re
import tempfile
from pathlib import Path

from bench import cli
from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import read
from bench.report import cards, curves, explain, figure, quantised, ranking, regress, render, speedup, tables, training
from bench.report.audit import audit
from bench.report.measured import Measured

# What an earlier report may have made and this one not: a figure without a record must not stay.
OPTIONAL = re.compile(
    r"(fig5(_synthetic)?_.+_(cpu|cuda)_|(explain|ranking|regress)_.+_(cpu|cuda)|(table[46]|training)_curves_).*\.(png|svg)"
    r"|(table5_more|explain|int8|ranking|regress|speedup|synthetic|training)\.(md|csv|tex)"
)


def main(arguments: argparse.Namespace) -> int:
    records = read(arguments.results)
    if not records:
        raise InputError(
            f"no records in {arguments.results}: run python -m bench.complexity and python -m bench.speed first, "
            "or ./run_all.sh"
        )
    write(make(records), arguments.out)
    index = arguments.out / "index.html"
    if arguments.json:
        for record in Measured(records).records:
            print(record.to_json())
    elif not arguments.quiet:
        cli.say(f"{len(records)} records in {arguments.results}")
    if not arguments.json:
        print(index)
    return 0


def make(records: list[Record]) -> dict[str, bytes]:
    """All files of the report by name, the same bytes for the same records."""
    measured = Measured(records)
    more, drawn, trained = tables.more_speed(measured), tables.drawn(measured), training.networks(measured)
    explained, ranked, checked = explain.table(measured), ranking.table(measured), regress.table(measured)
    sped_up, int8 = speedup.table(measured), quantised.table(measured)
    shown = [
        tables.speed(measured),
        *([ranked] if ranked else []),
        *([sped_up] if sped_up else []),
        *([int8] if int8 else []),
        *([more] if more else []),
        *([explained] if explained else []),
        *(tables.comparison(benchmark, measured) for benchmark in tables.BENCHMARKS),
        *(training.ablation(which, measured) for which in training.ABLATIONS),
        *([drawn] if drawn else []),
        *([trained] if trained else []),
        *([checked] if checked else []),
        audit(measured),
    ]
    files = {
        "records.csv": render.records_csv(measured).encode(),
        "models.md": cards.page(measured).encode(),
    }
    for table in shown:
        files[f"{table.key}.md"] = render.markdown(table, measured).encode()
        files[f"{table.key}.csv"] = render.csv(table, measured).encode()
        files[f"{table.key}.tex"] = render.latex(table, measured).encode()
    figures = [("fig5", chart.key, figure.draw(chart)) for chart in figure.charts(measured)]
    figures += [("explain", bars.key, explain.draw(bars)) for bars in explain.charts(measured)]
    figures += [("ranking", place.key, ranking.draw(place)) for place in ranking.places(measured)]
    figures += [("regress", key, regress.draw(key, test, found)) for key, test, found in regress.charts(measured)]
    figures += [(chart.table, chart.key, curves.draw(chart)) for chart in curves.charts(measured)]
    pictures: dict[str, list[render.Picture]] = {}
    for section, key, (png, svg) in figures:
        files |= {f"{key}.png": png, f"{key}.svg": svg}
        pictures.setdefault(section, []).append(render.Picture(key, svg.decode()))
    files["index.html"] = render.html(shown, pictures, measured).encode()
    return files


def write(files: dict[str, bytes], folder: Path) -> None:
    """Write everything to the side, then move it into place: no file is ever half-written.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full; what was there stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as name:
        for file, content in files.items():
            with (Path(name) / file).open("wb") as stream:
                stream.write(content)
                os.fsync(stream.fileno())
        # The page last: until then the one that is there fits what it links to best.
        for file in sorted(files, key=lambda file: (file == "index.html", file)):
            (Path(name) / file).replace(folder / file)
    for path in folder.iterdir():
        if OPTIONAL.fullmatch(path.name) and path.name not in files:
            path.unlink()
