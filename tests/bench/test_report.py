"""The report, from records written as the commands write them to the files that people read."""

import importlib.metadata
import io
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker

from bench.core import kinds
from bench.core.errors import InputError
from bench.core.record import Machine, Record, Software
from bench.core.results import append, read
from bench.report import command as report_command
from bench.report import plotting, sections
from bench.report.command import MANIFEST, make, write
from bench.report.measured import Measured
from bench.report.page.html import data_of
from bench.report.placement import Box, Circle, place
from bench.report.sections import fig5
from bench.report.sections.audit import audit
from bench.report.sections.fig5 import Bubble, BubbleChart

ROOT = Path(__file__).resolve().parents[2]
COUNTS = json.loads((ROOT / "tests/reference/complexity.json").read_text())
# mmcv for Lite-HRNet with its fusion computed once, as the zoo computes it.
ONCE = {
    ("lite_hrnet_18", "256x192"): 218968512, ("lite_hrnet_18", "384x288"): 492542352,
    ("lite_hrnet_18", "256x256"): 291753600, ("lite_hrnet_30", "256x192"): 341295240,
    ("lite_hrnet_30", "384x288"): 767687040, ("lite_hrnet_30", "256x256"): 454831784,
}  # fmt: skip
CPU = Machine(os="Linux 6.1", cpu="Test(R) CPU_1 @ 2.0GHz", cores=2, logical_cores=2, memory_bytes=2**33)
GPU = Machine(os="Linux 6.1", cpu="Big CPU", cores=16, logical_cores=32, memory_bytes=2**37, gpu="Test GPU 80",
              gpu_memory_bytes=2**36, gpu_driver="1.2")  # fmt: skip
SOFTWARE = Software(python="3.11.9", torch="2.6.0", runtime="torch 2.6.0", project="0.1.0", git_commit="c0ffee" * 6,
                    git_dirty=False, source_sha256="ab" * 32)  # fmt: skip
FPS = {"simplebaseline_mobilenetv2": 19.0, "simplebaseline_shufflenetv2": 20.0, "vipnas_mobilenetv3": 5.0,
       "lite_hrnet_18": 10.0, "lite_hrnet_30": 6.0, "lightweight_mobilenetv3": 18.0,
       "simplebaseline_mobilenetv3": 18.2, "small_hrnet_w16": 12.0, "my_model:tiny": 36.0}  # fmt: skip


def record(kind: str, model: str, metrics: dict[str, Any], **fields: Any) -> Record:
    made = {
        "machine": CPU, "software": SOFTWARE, "started_at": "2026-01-02T03:04:05.000+00:00", "input": "256x192",
        "num_joints": 17, "command": f"python -m bench.{kind} --results results/x", **fields,
    }  # fmt: skip
    return Record(kind=kind, model=model, metrics=metrics, **made)


def complexity(model: str, size: str, joints: int, **fields: Any) -> Record:
    counts = COUNTS[model][f"{size}_{joints}"]
    mmcv = ONCE.get((model, size), counts["mmcv"])
    metrics = {
        "params": counts["params"], "macs_mmcv": mmcv, "macs_torchstat": counts["torchstat"],
        "macs_fvcore": mmcv - 7, "macs_thop": mmcv - 5, "macs_torch": mmcv // 2,
    }  # fmt: skip
    return record("complexity", model, metrics, input=size, num_joints=joints, protocol={"name": "paper"}, **fields)


def speed(model: str, fps: float, protocol: str = "paper", **fields: Any) -> Record:
    sets, rounds = (2, 10) if protocol == "quick" else (5, 50)
    metrics = {"latency_ms_mean": 1000 / fps, "fps": fps}
    if sets > 2:
        metrics |= {"fps_ci95_low": fps * 0.95, "fps_ci95_high": fps * 1.04}
    made = {
        "backend": "eager", "device": "cpu", "precision": "fp32", "batch": 1, "threads": 2,
        "protocol": {"name": protocol, "rounds": rounds, "warmup": 5, "sets": sets}, "weights": "random", **fields,
    }  # fmt: skip
    return record("speed", model, metrics, **made)


def all_complexity() -> list[Record]:
    sizes = (("256x192", 17), ("384x288", 17), ("256x256", 16))
    return [complexity(model, *size) for model in COUNTS for size in sizes]


def full() -> list[Record]:
    """Two machines, eight networks and one of the user's own."""
    on_gpu = {"device": "cuda", "machine": GPU, "threads": 16}
    records = all_complexity()
    records += [speed(model, fps) for model, fps in FPS.items()]
    records += [speed(model, 15 * fps, **on_gpu) for model, fps in FPS.items() if model != "vipnas_mobilenetv3"]
    records += [speed("lite_hrnet_18", 50.0, batch=16, **on_gpu), speed("lite_hrnet_18", 11.0, "quick")]
    busy = "machine busy: other processes used 0.3 cores while it was timed"
    records.append(speed("lite_hrnet_30", 6.2, "quick", backend="onnxruntime", warnings=[busy]))
    return records


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.report", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **environment}
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    append(full(), folder / "results")
    done = run("--results", folder / "results", "--out", folder / "out", "--figures", "all", PYTHONHASHSEED="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(folder / "out/index.html")
    return folder / "out"


def table(report: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(report / f"{name}.csv", dtype=str, keep_default_na=False)


def page_section(files: dict[str, bytes], key: str) -> dict[str, Any]:
    """A section as the page has it."""
    return next(one for one in data_of(files["index.html"].decode())["sections"] if one["key"] == key)


def test_same_records_same_bytes_in_whatever_order(report: Path, tmp_path: Path) -> None:
    append(full()[::-1], tmp_path / "results/some/machine")
    options = ("--results", tmp_path / "results", "--out", tmp_path / "out", "--figures", "all")
    assert run(*options, PYTHONHASHSEED="2").returncode == 0
    assert contents(tmp_path / "out") == contents(report)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_tables_tell_paper_measured_and_missing_apart(report: Path) -> None:
    first = table(report, "table1").set_index(["model", "input"])
    ours = first.loc["lightweight_mobilenetv3", "256x192"]
    assert (ours.params_m_paper, ours.params_m_measured, ours.params, ours.params_m_status) == (
        "3.1", "3.08", "3077882", "paper and measured",
    )  # fmt: skip
    assert (ours.gflops_paper, ours.gflops_measured, ours.gflops_measured_as) == ("0.58", "0.580", "mmcv, 1 G = 1e9")
    assert (ours.ap_paper, ours.ap_measured, ours.ap_status) == ("65.8", "", "paper")
    # Rows taken over from the Lite-HRNet paper are in its units, and once more in the others'.
    lite = first.loc["lite_hrnet_18", "256x192"]
    assert (lite.gflops_measured, lite.gflops_measured_as) == ("0.200", "torchstat, 1 G = 2^30")
    assert lite.gflops_mmcv_1e9_measured == "0.219"
    assert first.loc["simplebaseline_mobilenetv3", "256x192"].ar_paper == "72+"
    assert "cut off" in first.loc["simplebaseline_mobilenetv3", "256x192"].notes
    extra = first.loc["vipnas_mobilenetv3", "384x288"]
    assert (extra.params_m_paper, extra.params_m_status, extra.ap_status) == ("", "measured", "missing")
    assert len(table(report, "table2")) == 11
    assert table(report, "table3").gflops_measured.tolist()[:3] == ["2.115", "1.827", "0.267"]


def test_speed_table_compares_machines_by_ratio(report: Path) -> None:
    speeds = table(report, "table5")
    eager = speeds[(speeds.device == "cpu") & (speeds.backend == "eager")].set_index("model")
    assert list(eager.index[:6]) == [
        "simplebaseline_mobilenetv2", "simplebaseline_shufflenetv2", "vipnas_mobilenetv3", "lite_hrnet_18",
        "lite_hrnet_30", "lightweight_mobilenetv3",
    ]  # fmt: skip
    assert list(eager.index[6:]) == ["simplebaseline_mobilenetv3", "small_hrnet_w16", "my_model:tiny"]
    vipnas = eager.loc["vipnas_mobilenetv3"]
    assert (vipnas.fps_cpu_paper, vipnas.ratio_cpu_paper, vipnas.fps_measured) == ("4.6", "0.25", "5.0")
    assert vipnas.ratio_measured == "0.28"
    # A quick run does not take the place of a proper one.
    assert (eager.loc["lite_hrnet_18"].fps_measured, eager.loc["lite_hrnet_18"].protocol) == ("10.0", "paper")
    own = eager.loc["my_model:tiny"]
    assert (own.ap_status, own.fps_cpu_status, own.fps_measured, own.ratio_measured) == (
        "missing",
        "missing",
        "36.0",
        "2.00",
    )
    assert float(own.fps_ci95_low) == pytest.approx(34.2)
    quick = speeds[(speeds.backend == "onnxruntime") & (speeds.model == "lite_hrnet_30")].iloc[0]
    assert (quick.tags, quick.fps_measured, quick.fps_ci95_low, quick.ratio_status) == (
        "quick busy",
        "6.2",
        "",
        "missing",
    )
    missing = speeds[(speeds.device == "cuda") & (speeds.model == "vipnas_mobilenetv3")].iloc[0]
    assert (missing.fps_measured, missing.fps_status, missing.fps_record) == ("", "missing", "")
    more = table(report, "table5_more").iloc[0]
    assert (more.batch, more.fps_measured) == ("16", "800.0")  # images a second


def test_every_measured_number_leads_to_a_record(report: Path) -> None:
    records = table(report, "records").set_index("record")
    assert (records.command != "").all()
    assert set(records.cpu) == {CPU.cpu, GPU.cpu}
    for path in sorted(report.glob("*.csv")):
        frame = table(report, path.stem)
        for column in (c for c in frame if c.endswith("_measured")):  # type: ignore[attr-defined]
            ids = frame.loc[frame[column] != "", f"{column.removesuffix('_measured')}_record"]  # type: ignore[attr-defined]
            assert (ids != "").all(), (path.name, column)
        for column in (c for c in frame if c.endswith("_record")):  # type: ignore[attr-defined]
            ids = {one for several in frame[column] for one in several.split()}  # of all records behind a number
            assert ids <= set(records.index), (path.name, column)


def test_audit_is_pinned(report: Path) -> None:
    rows = table(report, "audit")
    bad = rows[~(rows.params_verdict.str.startswith("reproduced") & rows.gflops_verdict.str.startswith("reproduced"))]
    assert (len(rows), len(bad)) == (30, 1)
    vipnas = bad.iloc[0]
    assert (vipnas.model, vipnas.params_verdict, vipnas.gflops_verdict) == (
        "vipnas_mobilenetv3", "not reproducible", "not reproducible",
    )  # fmt: skip
    assert (vipnas.params_m_measured, vipnas.gflops_mmcv_1e9_measured, vipnas.gflops_printed_by) == (
        "5.896",
        "0.762",
        "",
    )
    assert "belong to no released network" in vipnas.notes
    taken_over = rows.model.str.contains("hrnet")
    assert set(rows[taken_over].gflops_verdict) == {"reproduced in other units"}
    assert set(rows[~taken_over].gflops_verdict) == {"reproduced", "not reproducible"}
    assert rows[taken_over].gflops_printed_by.str.contains("torchstat 2^30", regex=False).all()
    assert rows[~taken_over & (rows.model != vipnas.model)].gflops_printed_by.str.contains("mmcv 1e9").all()
    once = rows[rows.model.str.startswith("lite_hrnet")]
    assert once.notes.str.contains("counted, once", regex=False).all()
    # The comparison that the tables invite is between unlike units.
    ours = rows[(rows.model == "lightweight_mobilenetv3") & (rows.input == "256x192")].iloc[0]
    assert (ours.gflops_paper, ours.gflops_torchstat_230_measured) == ("0.58", "0.540")
    assert (
        "29 of 30 rows reproduce to the printed digit, 13 of them in other units; 1 does not."
        in audit(Measured(all_complexity())).remarks
    )


def test_audit_tells_not_measured_and_changed_networks() -> None:
    changed = complexity("lightweight_mobilenetv3", "256x192", 17)
    changed = changed.model_copy(update={"metrics": {**changed.metrics, "params": 3_500_000}})
    audited = audit(Measured([changed]))
    words = {(row.names["table"], row.names["model"], row.names["input"]): row.cells[2] for row in audited.rows}
    ours = words["I", "lightweight_mobilenetv3", "256x192"]
    assert ours.values[0].text == "not reproducible"
    assert "another network" in ours.notes[0]
    assert b",3500000," in make([changed])["audit.csv"]  # whole, though other rows have none
    absent = words["III", "lite_hrnet_18", "256x256"]
    assert (absent.values[0].text, absent.values[0].origin) == ("not measured", "missing")
    assert "bench.complexity --input 256x256 --joints 16" in absent.notes[0]


def test_page_is_whole_and_tells_origins(report: Path) -> None:
    text = (report / "index.html").read_text()
    shell = re.sub(r'<script type="(?:application/json|text/plain)".*?</script>', "", text, flags=re.DOTALL)
    assert not re.search(r"<(?:link|script|img|iframe)[^>]* (?:src|href)=(?!\"data:,)|@import|url\(", shell)
    data = data_of(text)
    for section in data["sections"]:
        names = [f"{name}.{ending}" for name in section.get("figures", []) for ending in ("png", "svg")]
        names += [f"{section['key']}.{ending}" for ending in ("md", "csv", "tex") if "table" in section]
        assert all((report / name).is_file() for name in names), names
    table5 = next(section["table"] for section in data["sections"] if section["key"] == "table5")
    row = next(row for row in table5["rows"] if row["names"]["model"] == "vipnas_mobilenetv3")
    place = [(column.get("where", {}).get("device"), column["key"]) for column in table5["columns"]]
    assert row["cells"][0] == {"v": [["67.8", "p"]]}
    assert row["cells"][place.index(("cuda", "fps"))] == 0  # not measured there
    here = row["cells"][place.index(("cpu", "fps"))]
    assert (here["v"], here["d"]) == ([["5.0", "m"]], "4.8 to 5.2")
    assert data["records"][here["r"][0]]["metrics"]["fps"] == 5.0
    told = ("python -m bench.speed", "Test GPU 80", "c0ffee", "other processes used 0.3 cores", "sets 5, rounds 50")
    assert all(words in text for words in told)
    assert len(list(report.glob("fig5_*.png"))) == 3
    assert (report / "fig5_test-cpu-1-2-0ghz-2cores_cpu_eager.svg").is_file()
    for path in report.glob("fig5_*"):
        assert not re.search(rb"Matplotlib|<dc:date>|tIME", path.read_bytes()), path


def test_markdown_and_latex_are_well_formed(report: Path, tmp_path: Path) -> None:
    for path in report.glob("*.md"):
        text = path.read_text()
        assert "**Bold**: measured" in text
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1, path
    assert "| *67.8* |" in (report / "table5.md").read_text()
    assert re.search(r"\*\*6\.2\*\* \*quick\* \*busy\* <sup>[a-z],[a-z]</sup> \|", (report / "table5.md").read_text())
    for path in report.glob("*.tex"):
        text = path.read_text()
        assert text.isascii()
        assert text.count("\\toprule") == text.count("\\bottomrule") == text.count("\\end{table*}")
        for body in re.findall(r"\\toprule(.*?)\\bottomrule", text, re.DOTALL):
            cells = [
                len(re.findall(r"(?<!\\)&", line)) + sum(int(n) - 1 for n in re.findall(r"\\multicolumn{(\d+)}", line))
                for line in body.splitlines()
                if line.endswith("\\\\")
            ]
            assert len(set(cells)) == 1, path
        nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
        floats = [node for node in nodes if node.isNodeType(LatexEnvironmentNode)]
        assert {node.environmentname for node in floats} == {"table*"}, path
    assert "\\textit{67.8}" in (report / "table5.tex").read_text()
    assert "\\textbf{5.0}" in (report / "table5.tex").read_text()
    if shutil.which("pdflatex"):
        body = "".join(f"\\input{{{path}}}\n" for path in sorted(report.glob("*.tex")))
        head = "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\n"
        (tmp_path / "all.tex").write_text(f"{head}{body}\\end{{document}}\n")
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]


def test_a_quick_run_alone_is_marked_everywhere(tmp_path: Path) -> None:
    """What a first try leaves: few networks, no complexity, two sets, a name that every format must escape."""
    odd = "we|rd_<b>$x$&:né"
    append([speed("lightweight_mobilenetv3", 3.0, "quick"), speed(odd, 4.0, "quick")], tmp_path)
    files = make(read(tmp_path))
    assert "quick" in files["table5.md"].decode()
    assert "{\\footnotesize quick}" in files["table5.tex"].decode()
    rows = page_section(files, "table5")["table"]["rows"]
    assert any("quick" in cell.get("t", []) for row in rows for cell in row["cells"] if cell)
    assert odd in [row["names"]["model"] for row in rows]
    assert odd not in files["index.html"].decode()  # it is there as \u003c, which ends no element
    assert "Nothing to audit yet" in str(page_section(files, "audit"))
    assert "(sets 2, rounds 10)" in str(page_section(files, "table5"))
    chart = fig5.charts(Measured(read(tmp_path)))[0]
    assert "Caution, all measurements: quick." in chart.remarks
    assert f"Not shown: {odd} (no AP)." in chart.remarks
    assert chart.bubbles[0].params == 3.1e6  # the paper's, as there is no complexity record


def test_accuracy_counts_on_its_own_data_set_only() -> None:
    found = [speed("lite_hrnet_18", 10.0), speed("lightweight_mobilenetv3", 18.0)]
    found.append(record("accuracy", "lite_hrnet_18", {"ap": 0.6484, "ar": 0.7}, dataset="coco_val2017",
                        protocol={"name": "paper"}))  # fmt: skip
    found.append(record("accuracy", "lightweight_mobilenetv3", {"ap": 0.9}, dataset="synthetic"))
    files = make(found)
    first = files["table1.md"].decode()
    assert "**64.8** / *64.8*" in first
    assert "90.0" not in first
    bubbles = {bubble.model: bubble for bubble in fig5.charts(Measured(found))[0].bubbles}
    assert (bubbles["lite_hrnet_18"].ap_measured, bubbles["lightweight_mobilenetv3"].ap_measured) == (True, False)
    for metrics, says in (({"ap": 64.8}, "less than or equal to 1"), ({"ap": 0.6, "ar": 64.8}, "goes from 0 to 1")):
        with pytest.raises(InputError, match=says):
            make([record("accuracy", "lite_hrnet_18", metrics, dataset="coco_val2017")])


def test_int8_stands_beside_full_precision_whatever_threads_evaluated_it() -> None:
    runtimes = (("openvino", "fp32", 0.25, 100.0), ("openvino_int8", "int8", 0.20, 150.0))
    found = [
        record("accuracy", "lite_hrnet_18", {"ap": ap}, dataset="synthetic", weights="own", weights_sha256="a",
               protocol={"name": "paper"}, backend=backend, precision=precision, device="cpu", threads=1)
        for backend, precision, ap, _ in runtimes
    ]  # fmt: skip
    found += [
        speed("lite_hrnet_18", fps, backend=backend, precision=precision) for backend, precision, _, fps in runtimes
    ]

    def row(records: list[Record]) -> tuple[float, float, float]:
        (line,) = pd.read_csv(io.BytesIO(make(records)["int8.csv"])).to_dict("records")
        return line["accuracy_difference_measured"], line["fps_int8_measured"], line["fps_ratio_measured"]

    assert row(found) == (-5.0, 150.0, 1.5)
    # Timed with as many threads as it was evaluated with, that is what stands there.
    found += [speed("lite_hrnet_18", fps / 4, backend=backend, precision=precision, threads=1)
              for backend, precision, _, fps in runtimes]  # fmt: skip
    assert row(found) == (-5.0, 37.5, 1.5)


def test_energy_stands_beside_speed_where_a_machine_told_it() -> None:
    found = [speed("lite_hrnet_18", fps, backend=backend) for backend, fps in (("eager", 10.0), ("openvino", 20.0))]
    assert "joules" not in make(found)["runtimes.md"].decode().lower()
    told = found[1].model_copy(update={"metrics": found[1].metrics | {"energy_gpu_j_per_image": 0.10736}})
    files = make([found[0], told])
    energy = pd.read_csv(io.BytesIO(files["runtimes.csv"])).set_index("backend")["energy_gpu_j_per_image_measured"]
    assert energy["openvino"] == 0.11
    assert math.isnan(energy["eager"])
    assert "the whole board of the GPU" in files["runtimes.md"].decode()


def test_drawn_people_have_a_table_and_a_figure_of_their_own() -> None:
    found = [speed("lite_hrnet_18", 10.0), speed("lightweight_mobilenetv3", 18.0)]
    found += [record("accuracy", r.model, {"ap": 0.91 if r.model.startswith("light") else 0.88, "people": 500},
                     dataset="synthetic", weights="bundled", protocol={"name": "paper"}) for r in found]  # fmt: skip
    found.append(record("accuracy", "lite_hrnet_18", {"ap": 0.99}, dataset="synthetic", precision="int8"))
    files = make(found)
    table = pd.read_csv(io.BytesIO(files["synthetic.csv"]))
    assert dict(zip(table["model"], table["ap_measured"], strict=True)) == {
        "lite_hrnet_18": 88.0, "lightweight_mobilenetv3": 91.0,
    }  # fmt: skip
    own, coco = (next(chart for chart in fig5.charts(Measured(found)) if chart.key.startswith(key))
                 for key in ("fig5_synthetic", "fig5_test"))  # fmt: skip
    assert [bubble.ap for bubble in own.bubbles] == [88.0, 91.0]
    assert not any(bubble.ap_measured for bubble in coco.bubbles)
    assert not any("91.0" in files[f"table{number}.md"].decode() for number in (1, 2, 3, 5))


def test_other_options_and_threads_are_not_mixed() -> None:
    found = [
        speed("lightweight_mobilenetv3", 18.0),
        speed("lightweight_mobilenetv3", 12.0, threads=1),
        speed("lightweight_mobilenetv3", 17.0, options={"attention": "se"}),
    ]
    files = make(found, all_figures=True)
    both = {"fig5_test-cpu-1-2-0ghz-2cores_cpu_eager.svg", "fig5_test-cpu-1-2-0ghz-2cores_cpu_eager_1threads.svg"}
    assert {name for name in files if name.endswith("svg")} == both
    # With another number of threads nobody looks first.
    assert {name for name in make(found) if name.endswith("svg")} == {"fig5_test-cpu-1-2-0ghz-2cores_cpu_eager.svg"}
    text = files["table5.md"].decode()
    assert re.search(r"`lightweight_mobilenetv3` \|.*\*\*12\.0\*\*.*\*\*18\.0\*\*", text)
    assert re.search(r"`lightweight_mobilenetv3 \(attention=se\)` \|.*\*\*17\.0\*\*", text)


def test_a_container_with_a_limit_is_a_machine_of_its_own() -> None:
    """The same processor, and threads by default as many as the limit allows."""
    limited = CPU.model_copy(update={"cpu_quota": 1.5})
    found = [speed("lite_hrnet_18", 10.0), speed("lite_hrnet_18", 6.0, machine=limited, threads=1)]
    whole, part = Measured(found).settings
    assert (whole.machine, part.machine) == (
        "Test(R) CPU_1 @ 2.0GHz, 2 cores", "Test(R) CPU_1 @ 2.0GHz, 2 cores, of which 1.5 may be used",
    )  # fmt: skip
    assert whole.usual_threads
    assert part.usual_threads
    files = make(found)
    assert {name for name in files if name.endswith("svg")} == {
        f"fig5_test-cpu-1-2-0ghz-2cores{limit}_cpu_eager.svg" for limit in ("", "-1-5-allowed")
    }
    rows = pd.read_csv(io.BytesIO(files["table5.csv"])).query("fps_status == 'measured'")
    assert list(zip(rows.cpu_quota.fillna(0), rows.fps_measured, strict=True)) == [(0, 10.0), (1.5, 6.0)]
    assert "a container that may use 1.5 processors" in files["table5.md"].decode()


def test_processors_that_a_run_kept_to_are_a_machine_of_their_own() -> None:
    """A phone's big cores and its little ones: neither stands for the other, and neither for the whole."""
    phone = CPU.model_copy(update={"cpu": "Phone", "cores": 8, "logical_cores": 8})

    def kept(cores: str, fps: float, hour: int) -> Record:
        told = {"name": "paper", "rounds": 50, "warmup": 5, "sets": 5} | ({"cores": cores} if cores else {})
        started = f"2026-01-02T{hour:02}:00:00.000+00:00"
        made = speed("lite_hrnet_18", fps, machine=phone, threads=4, started_at=started)
        return made.model_copy(update={"protocol": told})

    found = [kept("4,5,6,7", 20.0, 1), kept("0,1,2,3", 5.0, 2), kept("", 18.0, 3)]
    machines = {setting.machine: setting.usual_threads for setting in Measured(found).settings}
    assert machines == {
        "Phone, 8 cores": False, "Phone, 8 cores, on processors 0,1,2,3 alone": True,
        "Phone, 8 cores, on processors 4,5,6,7 alone": True,
    }  # fmt: skip
    files = make(found, all_figures=True)
    assert len([name for name in files if name.startswith("fig5") and name.endswith(".svg")]) == 3
    rows = pd.read_csv(io.BytesIO(files["table5.csv"])).query("fps_status == 'measured'")
    assert sorted(zip(rows.kept_to.fillna(""), rows.fps_measured, strict=True)) == [
        ("", 18.0), ("0,1,2,3", 5.0), ("4,5,6,7", 20.0),
    ]  # fmt: skip
    wheres = [column.get("where", {}) for column in page_section(files, "table5")["table"]["columns"]]
    assert {where["machine"] for where in wheres if where} == set(machines)


def test_a_ratio_is_to_what_was_timed_by_the_same_protocol() -> None:
    """Ten minutes on a device that gets hot have no ratio to 50 rounds on it, nor a quick look."""
    hot = [speed("lightweight_mobilenetv3", 9.0, "sustained"), speed("lite_hrnet_18", 3.0, "sustained")]
    cold = [speed("lightweight_mobilenetv3", 18.0), speed("small_hrnet_w16", 36.0)]
    quick = [speed("lite_hrnet_30", 6.0, "quick"), speed("lite_hrnet_30", 60.0, "quick", backend="openvino")]
    other = [speed("small_hrnet_w16", 72.0, "sustained", backend="openvino")]
    in_batches = [speed("small_hrnet_w16", 4.5, batch=16), speed("lite_hrnet_18", 4.0, batch=16)]
    files = make([*hot, *cold, *quick, *other, *in_batches])
    rows = pd.read_csv(io.BytesIO(files["table5.csv"]), keep_default_na=False).query("backend == 'eager'")
    assert dict(zip(rows.model, rows.ratio_measured, strict=True)) == {
        **dict.fromkeys(rows.model, ""), "lightweight_mobilenetv3": "1.00", "small_hrnet_w16": "2.00",
        "lite_hrnet_18": "0.33",
    }  # fmt: skip
    runtimes = pd.read_csv(io.BytesIO(files["runtimes.csv"]), keep_default_na=False).query("backend == 'openvino'")
    assert dict(zip(runtimes.model, runtimes.ratio_measured, strict=True)) == {
        "lite_hrnet_30": "10.00", "small_hrnet_w16": "",
    }  # fmt: skip
    batches = pd.read_csv(io.BytesIO(files["batches.csv"]), keep_default_na=False)
    gains = {model: gain for model, gain in zip(batches.model, batches.gain_measured, strict=True) if gain != ""}
    assert gains == {"small_hrnet_w16": "2.0"}  # the other at batch 1 for minutes, at batch 16 for 50 rounds


def test_rounds_of_a_single_process_are_no_interval() -> None:
    """They say nothing of other processes: nothing is sure by them."""
    made = [
        speed(model, fps, "custom", backend=backend)
        for backend, speeds in (("eager", (10.0, 20.0)), ("openvino", (60.0, 40.0)))
        for model, fps in zip(("lite_hrnet_18", "small_hrnet_w16"), speeds, strict=True)
    ]
    assert all("fps_ci95_low" in one.metrics for one in made)
    files = make([one.model_copy(update={"protocol": one.protocol | {"sets": 1}}) for one in made])
    rows = pd.read_csv(io.BytesIO(files["table5.csv"]), keep_default_na=False).query("fps_status == 'measured'")
    assert len(rows) == 4
    assert "fps_ci95_low" not in rows
    ranking = files["ranking.md"].decode()
    assert "perhaps Small HRNet-W16" in ranking
    assert "passes" not in ranking.split("Passes:")[1].split("##")[1]
    assert not any(one.get("fps_interval") for one in data_of(files["index.html"].decode())["speeds"])


def test_rows_without_anything_are_left_out_of_a_panel_and_named() -> None:
    """Networks that were never timed on a machine; also where a panel repeats what another one has."""
    first, second = ("lite_hrnet_18", "small_hrnet_w16", "dite_hrnet_18"), ("lite_hrnet_18", "vitpose_s", "own:net")
    records = [complexity(model, "256x192", 17) for model in ("lite_hrnet_18", "small_hrnet_w16")]
    records += [
        speed(model, 10.0 + number, backend=backend, machine=machine)
        for machine, models in ((CPU, first), (CPU.model_copy(update={"cpu": "Other"}), second))
        for backend in ("eager", "openvino")
        for number, model in enumerate(models)
    ]
    measured = Measured(records)
    files = make(records)
    for section in sections.all_sections():
        table = section.table(measured)
        for panel in table.shown if table else ():
            shown = table.rows_in(panel)
            about = panel.about or panel.columns
            assert all(any(row.cells[index].says_something for index in about) for row in shown), panel.title
            assert {row.who for row in table.rows} - {""} == {row.who for row in shown if row.who} | set(
                table.absent_in(panel)
            )
    for key, absent in (
        ("ranking", ["small_hrnet_w16, dite_hrnet_18", "own:net, vitpose_s"]), ("speedup", None),
        ("beyond", None), ("explain", None),
    ):  # fmt: skip
        text = files.get(f"{key}.md", b"").decode().replace("\\", "")
        dashes = [line for line in text.splitlines() if re.fullmatch(r"\| [^|]+ \|( [^|*]+ \|)?( — \|)+", line)]
        assert not dashes, (key, dashes)
        said = re.findall(r"^Not measured here: (.*)\.$", text, re.M)
        if absent:
            assert [set(line.split(", ")) for line in said] == [set(line.split(", ")) for line in absent]
    speedup = files["speedup.md"].decode().replace("\\", "")
    other, own = speedup.split("## Other, 2 cores")[1].split("## "), speedup.split("## Test(R)")[1].split("## ")
    assert "small_hrnet_w16" not in other[0].split("Not measured here")[0]
    assert "vitpose_s" not in own[0].split("Not measured here")[0]
    beyond = files["beyond.md"].decode().split("## Other, 2 cores")[1].split("## ")[0]
    assert "Dite-HRNet" not in beyond.split("Not measured here")[0]
    assert "dite\\_hrnet\\_18" in beyond.split("Not measured here")[1]
    # The paper's rows stay where its figures stand, and LaTeX says the same.
    assert "| ViPNAS | *67.8*" in files["table5.md"].decode()
    assert "Not measured here: " in files["ranking.tex"].decode()
    # A network's card has a line for each size that was counted.
    models = files["models.md"].decode()
    assert "| 384x288 | 17 | — |" not in models
    assert "Not counted: 384x288 with 17 joints, 256x256 with 16 joints." in models


def test_records_of_a_clock_that_is_ahead_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They count as the newest for ever."""
    append([speed("lite_hrnet_18", 9.0), speed("lite_hrnet_30", 9.0, started_at="2099-01-01T00:00:00Z")], tmp_path)
    assert len(report_command.read(tmp_path)) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "1 of the records were begun in the future, and no later one replaces them" in said
    assert "speed.jsonl, line 2, of 2099-01-01" in said


def test_two_machines_of_one_name_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the merged folders of several people; the same machine with another kernel is one."""

    def warned(*others: Machine) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        append([speed("lite_hrnet_18", 9.0), *(speed("lite_hrnet_30", 9.0, machine=one) for one in others)], folder)
        report_command.read(folder)
        return " ".join(capsys.readouterr().err.split())

    def like(**changed: Any) -> Machine:
        return CPU.model_copy(update=changed)

    assert warned(like(os="Linux 7.0", memory_bytes=2**33 - 2**27), like(cpu="Other", memory_bytes=2**40)) == ""
    assert "2 cores: timings of several machines of this name (Linux, Windows) stand" in warned(like(os="Windows 11"))
    assert "(8.0 and 16.0 GiB of memory) stand together, the newest" in warned(like(memory_bytes=2**34))


def test_what_no_record_makes_any_more_does_not_stay_and_nothing_else_goes(tmp_path: Path) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    append([speed("lightweight_mobilenetv3", 18.0, batch=1), speed("lightweight_mobilenetv3", 30.0, batch=8)], results)
    assert run("--results", results, "--out", out, "--quiet").returncode == 0
    first = set(contents(out))
    assert {"table5_more.csv", "fig5_test-cpu-1-2-0ghz-2cores_cpu_eager.png"} <= first
    # Not in the manifest: the user's own, and what a version without a manifest may have left.
    own = {"mine.txt": b"mine", "explain.md": b"of another kind", "fig5_older_cpu_eager.png": b"old"}
    for name, content in own.items():
        (out / name).write_bytes(content)
    (results / "speed.jsonl").unlink()
    append([speed("lightweight_mobilenetv3", 18.0, backend="onnxruntime")], results)
    assert run("--results", results, "--out", out, "--quiet").returncode == 0
    second = contents(out)
    assert first - set(second) == {
        "table5_more.csv", "table5_more.md", "table5_more.tex", "fig5_test-cpu-1-2-0ghz-2cores_cpu_eager.png",
        "fig5_test-cpu-1-2-0ghz-2cores_cpu_eager.svg", "batches.csv", "batches.md", "batches.tex",
        "batches_test-cpu-1-2-0ghz-2cores_cpu_eager.png", "batches_test-cpu-1-2-0ghz-2cores_cpu_eager.svg",
    }  # fmt: skip
    assert set(second) - first == {
        *own, "fig5_test-cpu-1-2-0ghz-2cores_cpu_onnxruntime.png", "fig5_test-cpu-1-2-0ghz-2cores_cpu_onnxruntime.svg",
        "runtimes.csv", "runtimes.md", "runtimes.tex",  # of more than eager
    }  # fmt: skip
    assert {name: second[name] for name in own} == own
    assert json.loads(second[MANIFEST])["files"] == sorted(set(second) - set(own) - {MANIFEST})


@pytest.mark.parametrize(
    "manifest",
    ["", "[]", "5", '{"files": 5}', '{"files": [1, "gone"]}', '{"files": ["../kept", "..", "a/b", "\\u0000", "gone"]}'],
)
def test_a_manifest_reaches_no_further_than_its_folder(tmp_path: Path, manifest: str) -> None:
    (tmp_path / "kept").write_text("")
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(manifest)
    (out / "gone").write_text("")
    write(make([speed("lightweight_mobilenetv3", 18.0)]), out)
    assert (tmp_path / "kept").exists()
    assert (out / "gone").exists() == ("../kept" not in manifest)


def test_a_folder_with_pages_of_its_own_is_left_alone(tmp_path: Path) -> None:
    """``--out docs``: the pages there have the names of tables."""
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs", docs)
    (docs / "table5.md").write_text("mine")
    before = {path: path.read_bytes() for path in docs.rglob("*") if path.is_file()}
    done = run("--results", ROOT / "results/reference", "--out", docs, "--quiet")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "give --out a folder of its own" in done.stderr
    assert {path: path.read_bytes() for path in docs.rglob("*") if path.is_file()} == before


def test_a_report_of_a_version_without_a_manifest_is_replaced(tmp_path: Path) -> None:
    """An older report is known by its page; what this one does not write stays."""
    made = make([speed("lightweight_mobilenetv3", 18.0)])
    (tmp_path / "index.html").write_bytes(made["index.html"])
    for name in ("table5.md", "table5_more.md"):
        (tmp_path / name).write_text("old")
    write(made, tmp_path)
    assert (tmp_path / "table5.md").read_bytes() == made["table5.md"]
    assert (tmp_path / "table5_more.md").read_text() == "old"


WITHOUT = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is not to be had here")
sys.meta_path.insert(0, Refused())
from bench.report.options import parse
from bench.report.command import main
sys.exit(main(parse(sys.argv[1:])))
"""


def test_the_whole_report_is_made_without_torch(tmp_path: Path) -> None:
    """Nor anything else that measuring needs: OpenCV, pandas, SciPy."""
    script = WITHOUT.format(
        blocked=["torch", "torchvision", "timm", "cv2", "pandas", "scipy", "onnxruntime", "openvino"]
    )
    command = [
        sys.executable,
        "-c",
        script,
        "--results",
        str(ROOT / "results/reference"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made, committed = contents(tmp_path / "out"), contents(ROOT / "reports")
    assert sorted(made) == sorted(committed)
    assert all(made[name] == committed[name] for name in committed if name.endswith((".md", ".csv", ".tex")))


def test_without_plotly_one_line_says_so_before_anything_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    monkeypatch.setattr(report_command, "chosen_pictures", lambda *_, **__: pytest.fail("a figure is drawn"))
    with pytest.raises(InputError, match=r"^the report's page needs Plotly: pip install 'plotly>=6'$"):
        make([speed("lite_hrnet_18", 4.0)])


def test_a_section_is_added_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slowest.py").write_text(SECTION)
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "bench.report.sections.slowest", raising=False)
    files = make([speed("lite_hrnet_18", 10.0), speed("lightweight_mobilenetv3", 18.0)])
    assert "| `lite_hrnet_18` | **10.0** |" in files["slowest.md"].decode()
    assert page_section(files, "slowest")["figures"] == ["dot"]
    assert files["dot.png"] == b"png"
    assert "undrawn.png" not in files
    assert "undrawn.png" in make([speed("lite_hrnet_18", 10.0)], all_figures=True)
    order = [section["key"] for section in data_of(files["index.html"].decode())["sections"]]
    assert order.index("table5") < order.index("slowest") < order.index("table1")


SECTION = """
from bench.core.metrics import printed
from bench.report.section import ReportFigure, Section
from bench.report.table import Column, Row, Table, measured_cell


def slowest(measured):
    records = measured.of_kind("speed")
    if not records:
        return None
    slow = min(records, key=lambda record: record.metrics["fps"])
    row = Row({"model": slow.model}, (measured_cell(slow, printed(slow.metrics["fps"], 1, 1)),))
    return Table({"model": "Model"}, (Column("fps", "FPS", ("measured",)),), (row,))


def draw():
    return b"png", b"<svg></svg>"


drawn = [ReportFigure("dot", draw), ReportFigure("undrawn", draw, False)]
SECTIONS = [
    Section("slowest", "The slowest", 25, slowest, lambda _: drawn)
]
"""


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (lambda folder: None, "python -m bench.complexity and python -m bench.speed"),
        (lambda folder: (folder / "speed.jsonl").write_text('{"schema": 1}\n'), "speed.jsonl, line 1 is not a record"),
        (lambda folder: append([record("complexity", "lite_hrnet_18", {"params": 3})], folder), "no metric 'macs_"),
        (lambda folder: (append([speed("x", 1.0)], folder), (folder / "out").write_text("")), "is a file"),
    ],
    ids=["no records", "garbage", "a metric is missing", "out is a file"],
)
def test_bad_input_is_one_line(tmp_path: Path, prepare: Any, says: str) -> None:
    prepare(tmp_path)
    done = run("--results", tmp_path, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert not (tmp_path / "out").is_dir()


def examples() -> dict[str, dict[str, Any]]:
    """A committed record of every kind that the report draws from, as JSON, without its long lists."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((ROOT / "results/reference").rglob("*.jsonl")):
        for line in file.read_text().splitlines():
            data = json.loads(line)
            kind = f"{data['kind']} {data.get('device', '')}" if data["kind"] in ("speed", "explain") else data["kind"]
            if kind not in found and (data["kind"] != "speed" or "product_ms" in data["samples"] or "cuda" in kind):
                data["samples"] = {
                    key: [one[:2] for one in sets[:2]] if data["kind"] == "speed" else sets
                    for key, sets in data["samples"].items()
                }
                data["conditions"] = []
                found[kind] = data
    assert set(found) >= {"speed cpu", "speed cuda", "explain cpu", "explain cuda", "train", "accuracy", "complexity",
                          "regress"}  # fmt: skip
    return found


def mutated(draw: st.DrawFn, data: Any) -> Any:
    """JSON with one of its values changed, or taken out."""
    strange = st.sampled_from([
        None, True, 0, -1, 1, 1e300, -1e300, 1e-300, 10**30, 2**63, "", "x", "0", "../x", "a\nb", "y" * 400, "\u202e",
        [], {}, [[]], [[0.0]], ["clear"], {"x": 1}, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    ])  # fmt: skip
    if isinstance(data, dict) and data and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(data)))
        if draw(st.integers(0, 4)) == 0:
            return {name: value for name, value in data.items() if name != key}
        return data | {key: mutated(draw, data[key])}
    if isinstance(data, list) and data and draw(st.booleans()):
        at = draw(st.integers(0, min(len(data), 3) - 1))
        return [*data[:at], mutated(draw, data[at]), *data[at + 1 :]]
    return draw(strange)


EXAMPLES = examples()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(sorted(EXAMPLES)), times=st.integers(1, 3), data=st.data())
def test_whatever_a_record_holds_only_input_errors_come_out(
    tmp_path_factory: pytest.TempPathFactory, kind: str, times: int, data: st.DataObject
) -> None:
    changed = EXAMPLES[kind]
    for _ in range(times):
        changed = mutated(data.draw, changed)
    folder = tmp_path_factory.mktemp("mutated")
    whole = [EXAMPLES[kind], EXAMPLES["speed cpu"]]
    text = "".join(json.dumps(one) + "\n" for one in (*whole, changed))
    (folder / "speed.jsonl").write_text(text)
    said = None
    try:
        write(make(report_command.read(folder)), folder / "out")
    except InputError as error:
        said = str(error)
    assert said is None or re.fullmatch(r".*speed\.jsonl, line 3.*|the .* record of .*", said)


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("speed cpu", {"metrics": {"fps": 0}}, "metrics.fps"),
        ("speed cpu", {"metrics": {"fps": -3.5}}, "metrics.fps"),
        ("speed cpu", {"metrics": {"fps": 1e300}}, "metrics.fps"),
        ("speed cpu", {"metrics": {"fps": 5.0, "fps_ci95_low": 4.0}}, "fps_ci95_low and fps_ci95_high go together"),
        ("speed cpu", {"started_at": "0001-01-01T00:00:00+00:00"}, "started_at"),
        ("explain cpu", {"metrics": {"macs": None}}, "no metric 'macs'"),
        ("explain cpu", {"notes": {"layers": [{"name": 5}]}}, "notes.layers.0.name"),
        ("train", {"notes": {"history": "none"}}, "notes.history"),
        ("regress", {"samples": {"seconds": None}}, "samples.seconds"),
        ("regress", {"notes": {"verdicts": None}}, "notes.verdicts"),
        ("regress", {"options": {"slower_by": "much"}}, "options.slower_by"),
    ],
)
def test_what_a_kind_of_record_needs_is_named_with_file_and_line(
    tmp_path: Path, kind: str, change: dict[str, Any], says: str
) -> None:
    broken = dict(EXAMPLES[kind])
    for field, value in change.items():
        if isinstance(value, dict):
            merged = value if says.endswith("together") else broken[field] | value
            broken[field] = {key: entry for key, entry in merged.items() if entry is not None}
        else:
            broken[field] = value
    file = tmp_path / f"{broken['kind']}.jsonl"
    file.write_text(json.dumps(EXAMPLES[kind]) + "\n\n" + json.dumps(broken) + "\n")
    done = run("--results", file, "--out", tmp_path / "out")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert f"{file}, line 3" in done.stderr
    assert says in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_pipelines_and_runtimes_need_is_named_too() -> None:
    told = {"scenario": "single stream", "source": "scenes", "batching": "batched", "flip": False, "boxes": "given",
            "detect_every": 1, "smooth": "none", "people": 2, "size": "640x480"}  # fmt: skip
    timed = dict.fromkeys(("frames_per_s", "frame_ms_mean", "people_per_s"), 5.0)
    metrics = timed | {f"stage_{stage}_ms": 1.0 for stage in ("read", "detect", "crop", "network", "joints")}
    whole = record("pipeline", "lite_hrnet_18", metrics, backend="eager", device="cpu", protocol=told)
    assert kinds.problem(whole) is None
    assert "table" in page_section(make([whole]), "pipeline")
    for key in told:
        broken = whole.model_copy(update={"protocol": {name: told[name] for name in told if name != key}})
        assert key in str(kinds.problem(broken))
    for scenario, needs in (("paced", "rate is missing"), ("streams", "streams is missing")):
        broken = whole.model_copy(update={"protocol": told | {"scenario": scenario}})
        assert needs in str(kinds.problem(broken))
    runtime = Record.model_validate(EXAMPLES["explain cpu"]).model_copy(update={"backend": "onnxruntime"})
    assert "joined_operators and metrics.layout_operators are missing" in str(kinds.problem(runtime))


NAMES = ("MobileNetV2", "MobileNetV3", "ShuffleNetV2", "ViPNAS", "Small HRNet-W16", "Lite-HRNet18", "Lite-HRNet30",
         "Ours (the paper's)")  # fmt: skip
CLUSTERS = {
    "same place": [(20.0, 65.0)] * 8,
    "nearly": [(20 + 0.05 * i, 65 + 0.05 * (i % 3)) for i in range(8)],
    "column": [(20.0, 65 + 0.01 * i) for i in range(8)],
    "diagonal": [(20 + 0.5 * i, 65 + 0.3 * i) for i in range(8)],
    "and one far away": [(20.0, 65.0)] * 7 + [(200.0, 80.0)],
    "slow": [(0.01 * (i + 1), 65.0 + i) for i in range(8)],
}


@pytest.mark.parametrize("points", CLUSTERS.values(), ids=CLUSTERS)
@pytest.mark.parametrize("interval", [0.0, 0.1])
def test_names_never_touch_anything(points: list[tuple[float, float]], interval: float) -> None:
    millions = (9.57, 8.67, 7.55, 5.9, 1.28, 1.13, 1.76, 3.08)
    bubbles = tuple(
        Bubble(name, name, "ViPNAS", fps, (fps * (1 - interval), fps * (1 + interval)) if interval else None, ap, False,
               size * 1e6)
        for name, (fps, ap), size in zip(NAMES, points, millions, strict=True)
    )  # fmt: skip
    with matplotlib.rc_context(plotting.STYLE):
        sizes = (
            fig5._figure(BubbleChart("fig5", "Title", "below", "COCO val2017", bubbles, ()), 1.2**growth)
            for growth in range(8)
        )
        drawn, texts = next((drawn, texts) for drawn, texts in sizes if texts is not None)
        assert [text.get_text() for text in texts] == list(NAMES)
        drawn.draw_without_rendering()
        assert fig5.collisions(drawn, texts) == []
        # The check itself sees a name on another one, and one outside.
        texts[0].set_position(texts[1].get_position())
        texts[2].set_position((0.97, 0.5))
        found = " ".join(fig5.collisions(drawn, texts))
        assert f"{NAMES[1]} over {NAMES[0]}" in found
        assert f"{NAMES[2]} outside the frame" in found


def test_of_many_networks_the_papers_and_the_fastest_are_named() -> None:
    bubbles = tuple(
        Bubble(f"own:{n}", f"own:{n}", fig5.OWN if n else "ViPNAS", 10.0 + 9 * n, None, 50.0 + n % 5 * 5, False, 1e6)
        for n in range(20)
    )
    chart = fig5._with_names(BubbleChart("fig5", "Title", "below", "COCO val2017", bubbles, ("Remark.",)), 16)
    assert [bubble.model for bubble in chart.bubbles if not bubble.label] == ["own:1", "own:2", "own:3", "own:4"]
    assert chart.remarks == ("Remark.", "For want of room without a name: 4 circles.")
    fewer = fig5._with_names(chart, 1)
    assert [bubble.label for bubble in fewer.bubbles if bubble.label] == ["own:0"]
    assert fewer.remarks == ("Remark.", "For want of room without a name: 19 circles.")
    png, svg = fig5.draw(BubbleChart("fig5", "Title", "below", "COCO val2017", bubbles, ()))
    assert png.startswith(b"\x89PNG")
    assert svg.count(b"<!-- own:") == 16


def test_places_are_beside_their_circles_and_apart() -> None:
    circles = [Circle(500 + 3 * i, 400 - 2 * i, 20 + i) for i in range(8)]
    bar = Box(440, 395, 560, 405)
    frame = Box(0, 0, 1000, 800)
    found = place([(120, 18)] * 8, circles, [bar], frame)
    assert found is not None
    for index, one in enumerate(found):
        assert one.box.inside(frame)
        assert not one.box.overlaps(bar)
        for circle in circles:
            x, y = one.box.nearest(circle.x, circle.y)
            assert math.hypot(x - circle.x, y - circle.y) >= circle.radius
        assert not any(one.box.overlaps(other.box) for other in found[:index])
    assert place([(120, 18)] * 8, circles, [], Box(450, 350, 560, 450)) is None


def test_committed_reports_come_from_the_committed_records() -> None:
    """``python -m bench.report --results results/reference --out reports`` made what is committed."""
    results, reports = ROOT / "results/reference", ROOT / "reports"
    assert results.is_dir(), "results/reference is missing: the reference records belong to the project"
    sets = report_command.read_sets(results)
    made = make([record for members in sets.values() for record in members], sets)
    committed = {path.name: path.read_bytes() for path in reports.iterdir() if path.is_file()}
    assert sorted(committed) == sorted([*made, MANIFEST])
    locked = re.search(r"^matplotlib==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert locked is not None
    drawings = matplotlib.__version__ == locked[1]
    for name, content in made.items():
        if not drawings and name.endswith((".png", ".svg")):
            continue
        old, new = committed[name], content
        if name == "index.html":  # Plotly's script in it may be of another version
            old, new = (re.sub(rb'id="plotly">.*?</script>', b"", page, flags=re.DOTALL) for page in (old, new))
        assert old == new, f"{name} differs: run python -m bench.report --results results/reference --out reports"


def test_a_figure_that_nobody_would_open_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.report import command
    from bench.report.section import ReportFigure

    class Many:
        @staticmethod
        def pictures(_measured: object) -> list[ReportFigure]:
            return [ReportFigure(f"machine{number}", lambda: (b"", b""), main=number % 2 == 0) for number in range(40)]

    few = command.chosen_pictures(Many, None, all_figures=False)
    assert [picture.key for picture in few] == [f"machine{number}" for number in range(0, 16, 2)]
    assert len(command.chosen_pictures(Many, None, all_figures=True)) == 40
