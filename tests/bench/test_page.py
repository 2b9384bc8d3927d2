"""The report's page in a real browser: what people do with it, and whether its numbers are those of the records."""

import csv
import io
import json
import math
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from pylatexenc.latexwalker import LatexWalker

from bench.core.record import Record
from bench.report import command as report
from bench.report import comparison
from bench.report.candidates import candidates
from bench.report.choosing import short
from bench.report.measured import Measured
from tests.bench.test_report import CPU, complexity, record, speed
from tests.commands import command

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
VIEWS = ("choose", "rank", "compare", "history", "tables", "records")
# What is copied goes here, too: a page of a file has no clipboard that a test may read.
LISTEN = "navigator.clipboard.writeText = async (text) => { window.copied = text; }"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the reference records; its figures in files are another test's."""
    sets = report.read_sets(REFERENCE)
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_bytes(page_of([record for members in sets.values() for record in members], sets))
    return path


def page_of(records: list[Record], sets: dict[str, list[Record]] | None = None) -> bytes:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "chosen_pictures", lambda *_, **__: [])
        return report.make(records, sets)["index.html"]


class Opened:
    """A page, and all that it should not have done."""

    def __init__(self, browser: Browser, path: Path, **options: Any) -> None:
        self.context = browser.new_context(viewport={"width": 1600, "height": 1000}, **options)
        self.context.add_init_script(LISTEN)
        self.page: Page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda told: self.fault(told.text, told.type in ("error", "warning")))
        self.page.on("request", lambda asked: self.fault(asked.url, asked.url.startswith(("http", "ws"))))
        self.address = path.as_uri()
        self.page.goto(self.address)
        self.page.wait_for_selector("html[data-ready]")

    def fault(self, text: str, is_one: bool) -> None:
        self.faults += [text] if is_one else []

    def show(self, state: str) -> None:
        """A view as a link that somebody sent has it."""
        self.page.evaluate(
            """state => new Promise((done) => {
                if (decodeURIComponent(location.hash.slice(1)) === state) done();
                addEventListener("hashchange", () => requestAnimationFrame(done), { once: true });
                location.hash = state;
            })""",
            state,
        )

    def rows(self, table: str) -> list[dict[str, str]]:
        """What a table shows, by the name of its columns; each row's key is there as well."""
        return self.page.evaluate(
            """id => [...document.querySelectorAll(`#table-${id} tbody tr[data-key]`)].map((row) => Object.fromEntries(
                [["key", row.dataset.key], ...[...row.querySelectorAll("[data-column]")].map((cell) => {
                    const shown = cell.cloneNode(true);
                    for (const extra of shown.querySelectorAll(".detail, .tag, sup, button")) extra.remove();
                    return [cell.dataset.column, shown.textContent.trim()];
                })]))""",
            table,
        )

    def option(self, select: str, value: str) -> None:
        self.page.select_option(f"#{select}", value)


@pytest.fixture(scope="module")
def shared(browser: Browser, made: Path) -> Iterator[Opened]:
    opened = Opened(browser, made)
    yield opened
    opened.context.close()


@pytest.fixture
def opened(shared: Opened) -> Iterator[Opened]:
    """The page as it is when it is opened; whatever a test does with it raises no error and asks no network."""
    shared.show("")
    yield shared
    assert not shared.faults


@pytest.fixture(scope="module")
def measured() -> Measured:
    return Measured(report.read(REFERENCE))


def faults_of_access(page: Page) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


CHOICES = (
    "",
    "ms=20&ap=64",
    "ms=20&ap=64&backend=openvino",
    "machine=Intel(R) Xeon(R) Processor, 2 cores&precision=all&ms=7.5&mib=12&memory=900",
    "machine=Intel(R) Xeon(R) Processor, 16 cores&device=cuda&ms=1.02&best=size",
    "machine=Intel(R) Xeon(R) Processor, 16 cores&device=cuda&precision=all&ap=66&best=memory",
    "dataset=synthetic&input=128x96&precision=all&ap=28.6",
    "precision=int8&ap=60",
    "ms=1",
)


@pytest.mark.parametrize("state", CHOICES)
def test_page_and_terminal_choose_the_same(opened: Opened, state: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that the page gives, run: the same networks in the same order, for the same reasons."""
    opened.show(state)
    words = shlex.split(opened.page.inner_text("#command"))
    assert words[:3] == ["python", "-m", "bench.choose"]
    status = command("choose")([*words[3:], "--results", str(REFERENCE), "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    rows = opened.rows("choose")
    assert [row["key"] for row in rows] == [f"{one['model']} {one['backend']} {one['precision']}" for one in told]
    assert [row["front"].replace("—", "") for row in rows] == [one["front"].replace("no", "") for one in told]
    if any(limit in state for limit in ("ms=", "ap=", "mib=", "memory=")):
        verdicts = {"yes": "fits", "maybe": "maybe", "no": "out"}
        assert [verdicts[row["fits"]] for row in rows] == [one["verdict"] for one in told]
        assert [row["why"] for row in rows] == ["; ".join(one["reasons"]) for one in told]
    for row, one in zip(rows, told, strict=True):
        assert row["ms"] == short(one["ms"])
        assert row["ap"] == ("—" if one["ap"] is None else f"{one['ap']:.1f}")
    assert status == int(all(one["verdict"] == "out" for one in told))
    assert ("Nothing keeps within" in opened.page.inner_text("#view-choose .answer")) == bool(status)


def test_numbers_are_those_of_the_records(opened: Opened, measured: Measured) -> None:
    """Each network's figures in the table, the plot and the details are its record's."""
    wanted = {
        f"{one.model} {one.backend} {one.precision}": one
        for one in candidates(measured)
        if one.setting.cpu == "AMD EPYC" and one.precision == "fp32" and one.setting.input == "256x192"
    }
    rows = opened.rows("choose")
    assert {row["key"] for row in rows} == set(wanted)
    for row in rows:
        one = wanted[row["key"]]
        assert row["fps"] == f"{one.fps:.1f}"
        assert row["params"] == f"{one.params / 1e6:.2f}"
        assert row["memory"] == f"{one.memory_bytes / 2**20:.0f}"
    points = opened.page.evaluate(
        "document.getElementById('plot-choose').data.flatMap((line) => (line.customdata || []).map((id, i) => "
        "[id, line.x[i], line.y[i], line.hovertext[i]]))"
    )
    by_record = {measured.id(one.record): one for one in wanted.values()}
    assert {point[0] for point in points} == set(by_record)
    for identifier, x, y, hover in points:
        one = by_record[identifier]
        assert (x, y) == (pytest.approx(one.ms), one.accuracies["coco_val2017"].value)
        told = re.sub(r"\s+", " ", hover.replace("<br>", " "))
        wanted_words = (f"{one.fps:.1f} a second", "python -m bench.speed", *one.record.warnings)
        assert all(words in told for words in wanted_words)
    busy = opened.page.locator("#table-choose tr", has_text="busy").first
    busy.locator("button.info").click()
    details = opened.page.inner_text("#details")
    record = by_record[opened.page.get_attribute("#details [data-record]", "data-record")].record
    assert record.command in re.sub(r"\s+", " ", details)
    assert record.warnings[0] in details
    assert f"{record.metrics['fps']:.1f} 1/s" in details
    opened.page.keyboard.press("Escape")


def test_every_choice_changes_what_is_shown(opened: Opened) -> None:
    page = opened.page
    before = opened.rows("choose")
    for field, value, check in (
        ("machine", "Intel(R) Xeon(R) Processor, 2 cores", "machine=Intel"),
        ("precision", "int8", "precision=int8"),
        ("backend", "openvino_int8", "backend=openvino_int8"),
        ("input", "128x96", "input=128x96"),
        ("machine", "Intel(R) Xeon(R) Processor, 16 cores", "16+cores"),
        ("precision", "fp16", "precision=fp16"),
    ):
        opened.option(f"choice-{field}", value)
        after = opened.rows("choose")
        assert after != before, (field, value)
        assert check in page.url
        before = after
        assert page.input_value(f"#choice-{field}") == value
    assert {row["backend"] for row in before} == {"eager fp16", "compile_cudagraphs fp16"}
    assert page.input_value("#choice-device") == "cuda"
    opened.show("")
    opened.option("choice-dataset", "mpii_val")
    assert "--joints 16" in page.inner_text("#view-choose .answer")
    opened.show("dataset=coco_test-dev2017")
    assert "AP 65.3" in " ".join(f"AP {row['ap']}" for row in opened.rows("choose"))
    opened.show("")
    page.fill("#limit-ms", "15")
    page.fill("#limit-ap", "65")
    assert "ms=15&ap=65" in page.url
    assert [row["key"] for row in opened.rows("choose") if row["fits"] == "yes"] == []
    assert page.input_value("#slider-ms") == "15"
    page.locator("#slider-memory").focus()
    page.keyboard.press("Home")
    assert "memory=0" in page.url
    assert not [row for row in opened.rows("choose") if row["fits"] != "no"]
    page.click("#no-limits")
    assert "ms=" not in page.url
    opened.option("best", "ap")
    assert opened.rows("choose")[0]["ap"] == "67.8"
    address = page.url
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.url == address
    assert opened.rows("choose")[0]["ap"] == "67.8"
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    opened.option("theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("#views")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")


def test_a_table_is_sorted_filtered_thinned_and_copied(opened: Opened) -> None:
    opened.show("view=tables&table=table1")
    page = opened.page
    names = [row["backbone"] for row in opened.rows("table")]
    heading = page.locator("#table-table thead button:text-is('AP')")
    column = heading.get_attribute("data-sort")
    heading.click()
    best = [row[column] for row in opened.rows("table")]
    known = [value for value in best if value != "—"]
    assert best == [*sorted(known, key=float, reverse=True), *["—"] * (len(best) - len(known))]
    assert page.get_attribute(f'#table-table th:has([data-sort="{column}"])', "aria-sort") == "descending"
    heading.press("Enter")  # the heading keeps the focus
    assert [row[column] for row in opened.rows("table")] == [*known[::-1], *best[len(known) :]]  # nothing is last
    heading.press("Enter")
    assert [row["backbone"] for row in opened.rows("table")] == names
    page.fill("#find-table", "lite 384x288")
    assert [row["backbone"] for row in opened.rows("table")] == ["Lite-HRNet-18", "Lite-HRNet-30"]
    page.click("#table-table .columns summary")
    page.uncheck(f'#table-table .menu input[value="{column}"]')
    assert column not in opened.rows("table")[0]
    assert all(words in page.url for words in ("find.table=lite", f"hide.table={column}"))
    page.keyboard.press("Escape")
    copied: Callable[[str], str] = lambda form: (  # noqa: E731
        page.click(f'#table-table [data-copy="{form}"]'), page.wait_for_function("window.copied"),
        page.evaluate("(() => { const text = window.copied; window.copied = null; return text; })()"),
    )[-1]  # fmt: skip
    lines = list(csv.reader(io.StringIO(copied("CSV"))))
    shown = page.locator("#table-table thead tr:last-child th").count()
    assert (len(lines), {len(line) for line in lines}) == (3, {shown})
    assert lines[1][:3] == ["Lite-HRNet", "Lite-HRNet-18", "384x288"]
    markdown = copied("Markdown").splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in markdown} == {shown + 1}
    assert "*75.0*" in markdown[2]
    latex = copied("LaTeX")
    nodes, _, _ = LatexWalker(latex, tolerant_parsing=False).get_latex_nodes()
    assert nodes
    assert {len(re.findall(r"(?<!\\)&", line)) for line in latex.splitlines() if line.endswith(r"\\")} == {shown - 1}
    assert r"\textit{75.0}" in latex


def test_a_table_of_another_machine_says_what_it_is_of(opened: Opened) -> None:
    opened.show("view=tables&table=batches&machine=AMD EPYC, 2 cores")
    left = opened.page.locator("p.quiet:has-text('it is shown whole')").inner_text()
    assert " All of it is of: cuda, NVIDIA H100 80GB HBM3, cudagraphs, fp16, input: 256x192, Intel(R) Xeon(R)" in left
    opened.show("view=tables&table=ranking&machine=AMD EPYC, 2 cores")
    assert not opened.page.locator("p.quiet:has-text('All of it is of')").count()


def test_comparisons_are_those_of_the_report(opened: Opened) -> None:
    """Ratios, intervals and verdicts on the page are those that ``bench.report --compare`` prints."""
    amd, intel = (
        [record for record in report.read(REFERENCE / name) if record.input == "256x192"]
        for name in ("amd-epyc-2cores", "intel-xeon-2cores")
    )
    lines = {
        (line.model, line.backend): line
        for line in (comparison.line_of(*pair) for pair in comparison.pairs(amd, intel))
        if line.backend in ("eager", "openvino")
    }
    opened.show("view=compare&backend=openvino&b.machine=Intel(R) Xeon(R) Processor, 2 cores")
    rows = opened.rows("compare")
    assert len(rows) == 8
    for row in rows:
        line = lines[row["model"], "openvino"]
        assert row["ratio"] == f"{line.ratio:.3f}"
        assert row["verdict"] == line.verdict
    found = opened.page.inner_text("#table-compare")
    assert all(f"{line.low:.3f} to {line.high:.3f}" in found for (_, name), line in lines.items() if name == "openvino")
    # The same folder as a set of records gives the same, and a set without such records says so.
    opened.option("b\\.set", "intel-xeon-2cores")
    assert opened.rows("compare") == rows
    opened.option("b\\.set", "nvidia-h200")
    assert "no timing in common" in opened.page.inner_text("#two-places")
    # int8 beside full precision, as two runtimes of one machine.
    opened.show("view=compare&backend=openvino&b.machine=AMD EPYC, 2 cores&b.precision=int8&b.backend=openvino_int8")
    assert {row["backend"] for row in opened.rows("compare")} == {"openvino → openvino_int8"}
    # Two networks: the interval is Welch's.
    opened.show("view=compare&backend=eager&x=small_hrnet_w16&y=lite_hrnet_30")
    one, other = (
        max((r for r in amd if (r.kind, r.model, r.backend) == ("speed", model, "eager")), key=lambda r: r.started_at)
        for model in ("lite_hrnet_30", "small_hrnet_w16")
    )
    ratio, low, high = comparison.ratio_interval(one.samples["latency_ms"], other.samples["latency_ms"])
    assert not math.isnan(low)
    (row,) = opened.rows("pairs")
    assert row["ratio"] == f"{ratio:.3f}"
    assert f"{low:.3f} to {high:.3f}" in opened.page.inner_text("#table-pairs")


def test_what_must_not_be_mixed_is_apart(browser: Browser, tmp_path: Path) -> None:
    """Batches and inputs that one side does not have, GPUs of one host, protocols; names as a shell takes them."""
    odd = CPU.model_copy(update={"cpu": "It's $HOME", "gpu": "NVIDIA One"})
    two, other = odd.model_copy(update={"gpu": "NVIDIA Two"}), CPU.model_copy(update={"cpu": "Other"})
    on_gpu = {"device": "cuda"}
    records = [
        speed("lite_hrnet_18", 10.0, machine=odd, **on_gpu), speed("lite_hrnet_18", 40.0, machine=two, **on_gpu),
        speed("small_hrnet_w16", 20.0, machine=odd, **on_gpu),
        *(speed("lite_hrnet_18", 5.0, machine=CPU, batch=batch, input=size)
          for batch, size in ((1, "256x192"), (8, "256x192"), (1, "384x288"))),
        speed("lite_hrnet_18", 8.0, machine=other), speed("own:net", 8.0, machine=other),
        *[speed("lite_hrnet_18", 6.0, "sustained", started_at="2026-01-03T00:00:00+00:00")] * 2,  # in two folders
        record("accuracy", "lite_hrnet_18", {"ap": 0.5}, dataset="my $set's"),
    ]  # fmt: skip
    path = tmp_path / "index.html"
    sets = [[10.0] * 3, [10.1] * 3, [9.9] * 3]
    path.write_bytes(page_of([one.model_copy(update={"samples": {"latency_ms": sets}}) for one in records]))
    opened = Opened(browser, path)
    here = f"machine={CPU.cpu}, 2 cores&b.machine=Other, 2 cores"
    for wanted in ("", "&batch=8", "&input=384x288"):
        opened.show(f"view=compare&{here}{wanted}")
        assert ("no timing in common" in opened.page.inner_text("#two-places")) == bool(wanted), wanted
        assert opened.page.is_visible("#table-compare") == (not wanted)
    opened.show(f"view=history&{here}")
    assert [row["verdict"] for row in opened.rows("history")] == ["the first"] * 2
    host = "machine=It's $HOME, 2 cores"
    for gpu, models in (("NVIDIA One", {"lite_hrnet_18", "small_hrnet_w16"}), ("NVIDIA Two", {"lite_hrnet_18"})):
        opened.show(f"{host}&gpu={gpu}")
        assert {row["key"].split()[0] for row in opened.rows("choose")} == models
        assert opened.page.is_visible("#choice-gpu")
    opened.show(f"{host}&dataset=my $set's")
    words = shlex.split(opened.page.inner_text("#command"))
    assert words[words.index("--machine") + 1] == "It's $HOME, 2 cores with NVIDIA One"
    assert words[words.index("--dataset") + 1] == "my $set's"
    opened.show(f"view=tables&table=table5&machine={CPU.cpu}, 2 cores")
    assert not opened.page.is_visible("#choice-gpu")
    assert "own:net" not in [row["model"] for row in opened.rows("table")]
    assert "Not measured here: own:net." in opened.page.inner_text("#view-tables")
    assert not opened.faults
    opened.context.close()


def test_speed_history_has_every_revision(opened: Opened) -> None:
    records = [
        r for r in report.read(REFERENCE / "amd-epyc-2cores")
        if (r.kind, r.backend, r.input) == ("speed", "eager", "256x192")
    ]  # fmt: skip
    opened.show("view=history&backend=eager")
    drawn = opened.page.evaluate(
        "document.getElementById('plot-history').data.map((line) => [line.x.length, ...line.x])"
    )
    assert sum(line[0] for line in drawn) == len(records) == len(opened.rows("history"))
    assert all(line[1:] == sorted(line[1:]) for line in drawn)
    assert {row["revision"] for row in opened.rows("history")} == {r.software.git_commit[:10] for r in records}


class Newcomer:
    """Somebody who opens the page with a question, and counts clicks; typing into a box is one."""

    def __init__(self, opened: Opened) -> None:
        opened.show("")
        self.opened, self.page, self.clicks = opened, opened.page, 0

    def view(self, title: str) -> None:
        self.clicks += 1
        self.page.click(f"#views a:text-is('{title}')")

    def choose(self, select: str, value: str) -> None:
        self.clicks += 1
        self.opened.option(select, value)

    def write(self, box: str, text: str) -> None:
        self.clicks += 1
        self.page.fill(f"#{box}", text)


def test_a_newcomer_has_five_answers_within_three_clicks_each(opened: Opened, measured: Measured) -> None:
    """Five questions, as many as docs/report.md has; the clicks are written out here."""
    guide = (ROOT / "docs" / "report.md").read_text()
    questions = re.findall(r"^\| ([A-Z][^|]+\?) \|", guide, re.M)
    assert len(questions) == 5
    here = [one for one in candidates(measured) if one.setting.cpu == "AMD EPYC" and one.setting.input == "256x192"]

    person = Newcomer(opened)  # Which is the fastest here?
    person.view("Rank")
    fastest = max((one for one in here if one.precision == "fp32"), key=lambda one: one.fps)
    answer = person.page.inner_text("#view-rank .answer")
    assert answer.startswith(f"Fastest here: {fastest.model} in {fastest.backend}, {fastest.fps:.1f} FPS")
    assert person.clicks <= 3

    person = Newcomer(opened)  # Which has the best AP under 20 ms?
    person.write("limit-ms", "20")
    within = [one for one in here if one.precision == "fp32" and one.ms_interval[1] <= 20]
    best = max(within, key=lambda one: (one.accuracies["coco_val2017"].value, -one.ms))
    answer = person.page.inner_text("#view-choose .answer")
    assert answer.startswith(f"The most accurate that fits: {best.model} in {best.backend}")
    assert person.clicks <= 3

    person = Newcomer(opened)  # Is X for sure faster than Y?
    person.view("Compare")
    person.choose("x", "small_hrnet_w16")
    person.choose("y", "lite_hrnet_30")
    assert person.page.inner_text("#two-networks").startswith("Yes, for sure")
    assert person.clicks <= 3

    person = Newcomer(opened)  # What does int8 cost?
    person.view("Tables")
    person.choose("table", "int8")
    headings = person.page.locator("#table-table thead button").all_inner_texts()
    assert {"full precision", "int8", "difference"} <= set(headings)
    rows = opened.rows("table")
    assert rows
    assert all(re.fullmatch(r"[+-]\d\.\d", row["accuracy_difference2"]) for row in rows)
    assert person.clicks <= 3

    person = Newcomer(opened)  # What did the paper claim?
    person.view("Tables")
    (row,) = [row for row in opened.rows("table") if row["model"] == "lite_hrnet_30"]
    assert (row["fps_gpu2"], row["fps_cpu4"]) == ("7.5", "6.2")
    printed = person.page.locator("#table-table td .p").first
    assert printed.evaluate("node => getComputedStyle(node).fontStyle") == "italic"
    assert person.clicks <= 3


def test_it_works_by_keyboard(opened: Opened) -> None:
    page = opened.page
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("(() => { const a = document.activeElement; return a.id || a.dataset.view || "
                                     "a.dataset.sort || a.className || a.tagName; })()"))  # fmt: skip
        if reached[-1] == "info":
            break
    assert {"theme", "choose", "compare", "choice-machine", "limit-ms", "slider-ap", "find-choose", "ms", "info"} <= {
        *reached
    }
    page.keyboard.press("Enter")
    assert page.is_visible("#details")
    page.keyboard.press("Escape")
    assert not page.is_visible("#details")
    assert page.evaluate("document.activeElement.className") == "info"


@pytest.mark.parametrize(("width", "scheme"), [(1600, "light"), (360, "dark")])
def test_every_view_fits_and_has_no_serious_fault_of_access(
    browser: Browser, made: Path, width: int, scheme: str
) -> None:
    opened = Opened(browser, made, color_scheme=scheme)
    opened.page.set_viewport_size({"width": width, "height": 800})
    for view in VIEWS:
        opened.show(f"view={view}&ms=20&backend=eager&table=table4&find.records=complexity")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, view
        plots = opened.page.locator(f"#view-{view} .plot:visible")
        assert all(plots.nth(n).locator("svg.main-svg").count() for n in range(plots.count())), view
        if width > 360 or view in ("choose", "tables"):  # colours of the dark are the same everywhere
            assert not faults_of_access(opened.page), view
    assert not opened.faults
    opened.context.close()


@pytest.mark.parametrize(
    "records",
    [
        lambda: [complexity("lite_hrnet_18", "256x192", 17)],
        lambda: [speed("</script><b>&odd", 4.0, "quick"), speed("__proto__", 5.0, threads=1)],
    ],
    ids=["nothing timed", "odd names, no intervals"],
)
def test_it_opens_whatever_the_records_are(browser: Browser, tmp_path: Path, records: Callable) -> None:
    path = tmp_path / "index.html"
    path.write_bytes(page_of(records()))
    opened = Opened(browser, path)
    for view in VIEWS:
        opened.show(f"view={view}")
    if any(one.kind == "speed" for one in records()):
        opened.show("threads=2&ms=300")
        assert [(row["model"], row["fits"]) for row in opened.rows("choose")] == [("</script><b>&odd", "maybe")]
    assert not opened.faults
    opened.context.close()
