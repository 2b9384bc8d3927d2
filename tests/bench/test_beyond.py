"""The newer networks' table, figure and audit, with records and without; the paper's own stay as they are."""

import json
from pathlib import Path
from typing import Any

from bench.report import newer
from bench.report.benchmarks import BENCHMARKS
from bench.report.candidates import candidates
from bench.report.measured import Measured
from bench.report.sections import beyond, fig5
from bench.report.sections.table1_to_3 import comparison
from bench.report.sections.table5 import speed as table5
from bench.report.table import Table
from tests.bench.test_report import full, record, speed

COUNTS = json.loads((Path(__file__).parents[1] / "reference" / "newer" / "complexity.json").read_text())


def complexity(model: str, size: str, joints: int) -> Any:
    counts = COUNTS[model][f"{size}_{joints}"]
    named = {"mmcv": "mmcv", "torchstat": "torchstat", "fvcore": "fvcore", "torch": "torch_half"}
    metrics = {"params": counts["params"]} | {f"macs_{ours}": counts.get(theirs) for ours, theirs in named.items()}
    known = {key: value for key, value in metrics.items() if value is not None}
    return record(
        "complexity", model, known, input=size, num_joints=joints, protocol={"name": "paper"}
    )  # fmt: skip


def cells(table: Table, model: str, size: str = "256x192") -> dict[str, str]:
    row = next(row for row in table.rows if (row.names["model"], row.names["input"]) == (model, size))
    return {
        f"{column.group} {column.title}".strip(): " ".join(value.text for value in cell.values)
        for column, cell in zip(table.columns, row.cells, strict=True)
    }


def measured() -> Measured:
    records = full()
    for model in newer.names():
        records += [complexity(model, size, int(joints)) for size, joints in (key.split("_") for key in COUNTS[model])]
    records += [speed("rtmpose_t", 25.0), speed("vitpose_s", 4.0)]
    drawn = {"dataset": "synthetic", "weights": "w.safetensors", "protocol": {"name": "paper", "flip": True}}
    records.append(record("accuracy", "rtmpose_t", {"ap": 0.123, "people": 500}, **drawn))
    ours = {"dataset": "coco_val2017", "weights": "rtmpose-t_simcc-aic-coco.pth"}
    for flip, ap in ((True, 0.685), (False, 0.672)):
        protocol = {"name": "paper" if flip else "custom", "flip": flip}
        records.append(record("accuracy", "rtmpose_t", {"ap": ap, "people": 9}, protocol=protocol, **ours))
    return Measured(records)


def test_published_figures_stand_there_without_a_record() -> None:
    table = beyond.table(Measured([]))
    assert {row.names["model"] for row in table.rows} == set(newer.names())
    assert not table.records()
    rtmpose, dite = cells(table, "rtmpose_s"), cells(table, "dite_hrnet_30", "384x288")
    assert rtmpose["#Params (M) published"] == "5.47"
    assert rtmpose["AP, COCO val2017 published"] == "71.6"
    assert rtmpose["AP, COCO val2017 boxes and training data"] == "detections, person AP 56.4, by its page only; COCO"
    assert dite["Multiply-adds (G) published"] == "741.7 M of 2^20"
    assert cells(beyond.table(Measured([])), "rtmpose_m", "384x288")["AP, COCO val2017 published"] == "77.0"
    assert {row.cells[2].values[0].text for row in beyond.audit(Measured([])).rows} == {"not measured"}


def test_records_come_beside_them_and_the_audit_says_which_digits_appear() -> None:
    all_of_it = measured()
    table = beyond.table(all_of_it)
    rtmpose = cells(table, "rtmpose_t")
    assert (rtmpose["#Params (M) measured"], rtmpose["Multiply-adds (G) mmcv"]) == ("3.34", "0.359")
    assert (rtmpose["Multiply-adds (G) torchstat"], rtmpose["AP on drawn people"]) == ("", "12.3")
    assert rtmpose["CPU, 2 threads, eager FPS"] == "25.0"
    assert rtmpose["CPU, 2 threads, eager ratio"] == "1.39"
    assert cells(table, "cspnext_t_udp")["CPU, 2 threads, eager FPS"] == ""
    audit = {
        (row.names["model"], row.names["input"], row.names["condition"]): row.cells
        for row in beyond.audit(all_of_it).rows
    }
    verdicts = {key: found[2].values[0].text for key, found in audit.items()}
    assert [verdicts[f"rtmpose_{one}", "256x192", "17 joints"] for one in "tsm"] == ["reproduced"] * 3
    for depth, size, joints in ((18, "256x192", 17), (18, "384x288", 17), (30, "384x288", 17), (30, "256x256", 16)):
        found = audit[f"dite_hrnet_{depth}", size, f"{joints} joints"]
        assert found[2].values[0].text.startswith("reproduced, parameters cut, in other units")
    # 741.77 and 471.86 would be rounded up; the README cuts them.
    assert audit["dite_hrnet_30", "384x288", "17 joints"][2].notes == (beyond.CUT,)
    assert audit["dite_hrnet_18", "256x192", "17 joints"][2].notes == (beyond.ROUNDED,)
    assert verdicts["rtmpose_t", "256x192", "AIC+COCO, with the flip test"] == "reproduced"
    assert verdicts["rtmpose_t", "256x192", "AIC+COCO, without the flip test"] == "off by +0.1"
    told = audit["rtmpose_t", "256x192", "detections, person AP 56.4, by its page only; trained on COCO"][2].notes
    assert told == (beyond.PAGE_ONLY,)
    assert (
        beyond.NO_WEIGHTS in audit["dite_hrnet_18", "256x192", "detections, person AP 56.4; trained on COCO"][2].notes
    )


def test_the_paper_s_own_tables_and_figure_stay_as_they_are() -> None:
    with_newer, without = measured(), Measured(full())
    for make in (lambda m: comparison(BENCHMARKS[0], m), table5):
        first, second = make(with_newer), make(without)
        assert [row.names["model"] for row in first.rows] == [row.names["model"] for row in second.rows]
        assert [column.title for column in first.columns] == [column.title for column in second.columns]
    plain = {chart.key: {bubble.model for bubble in chart.bubbles} for chart in fig5.charts(with_newer)}
    assert plain == {chart.key: {bubble.model for bubble in chart.bubbles} for chart in fig5.charts(without)}
    assert fig5.charts(without, beyond=True) == []
    chart, *_ = fig5.charts(with_newer, beyond=True)
    assert chart.key.startswith("beyond_")
    both = {bubble.model: bubble for bubble in chart.bubbles}
    assert {"rtmpose_t", "vitpose_s", "lightweight_mobilenetv3"} <= set(both)
    assert {model for model, bubble in both.items() if bubble.newer} == {"rtmpose_t", "vitpose_s"}
    assert (both["vitpose_s"].ap, both["vitpose_s"].label, both["vitpose_s"].ap_measured) == (73.9, "ViTPose-S", False)
    assert (both["rtmpose_t"].ap, both["rtmpose_t"].ap_measured) == (68.5, True)
    assert any("Hollow" in remark for remark in chart.remarks)
    png, svg = fig5.draw(chart)
    assert png.startswith(b"\x89PNG")
    assert b"RTMPose-t" in svg


def test_a_choice_goes_by_the_figures_of_the_table() -> None:
    """The measured AP, else that which is published of the checkpoint in the table, at every input."""
    rows = [(row.names["model"], row.names["input"]) for row in beyond.table(Measured([])).rows]
    ours = {"dataset": "coco_val2017", "weights": "w.pth", "protocol": {"name": "paper", "flip": True}}
    records = [speed(model, 9.0, input=size) for model, size in rows]
    all_of_it = Measured([*records, record("accuracy", "rtmpose_t", {"ap": 0.685, "people": 9}, **ours)])
    table = beyond.table(all_of_it)
    chosen = {(one.model, one.setting.input): one.accuracies.get("coco_val2017") for one in candidates(all_of_it)}
    assert set(chosen) == set(rows)
    for model, size in rows:
        shown, found = cells(table, model, size), chosen[model, size]
        told = shown["AP, COCO val2017 measured"] or shown["AP, COCO val2017 published"]
        assert (f"{found.value:.1f}" if found else "") == told, (model, size)
    assert (chosen["rtmpose_m", "384x288"].value, chosen["rtmpose_t", "256x192"].origin) == (77.0, "measured")
