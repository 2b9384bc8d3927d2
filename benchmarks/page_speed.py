"""How soon the report's page is there with 4,000 made-up speed records: first paint, tables, plots; and its bytes.

    python benchmarks/page_speed.py [--times 5]

Opens the page of benchmarks/report_speed.py's records in Chromium, afresh each time, and prints the median of each.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.core.record import Record
from bench.report import command
from benchmarks.report_speed import records

# Times since the page was asked for, in ms: something is painted; tables are there; the plot is drawn.
TIMES = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  tables: performance.getEntriesByName("tables")[0].startTime,
  plots: performance.getEntriesByName("plots")[0].startTime,
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    made = [Record.model_validate(record) for record in records()]
    command.chosen_pictures = lambda *_, **__: []  # type: ignore[assignment]  # figures in files take minutes
    content = command.make(made)[command.PAGE]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / command.PAGE
        path.write_bytes(content)
        print(f"{len(made)} records, page of {len(content) / 1e6:.1f} MB")
        found = []
        for _ in range(arguments.times):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready]")
            found.append(page.evaluate(TIMES))
            browser.close()
        for what in found[0]:
            values = [one[what] for one in found]
            print(
                f"{what}: {statistics.median(values):.0f} ms (of {len(values)}: {min(values):.0f} to {max(values):.0f})"
            )


if __name__ == "__main__":
    main()
