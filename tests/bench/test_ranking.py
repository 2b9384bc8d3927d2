"""Ranking by runtime: who overtakes whom, from made-up records to table and figure."""

import io
import itertools

import matplotlib
import pandas as pd
import pytest

from bench.core.record import Record
from bench.report import plotting
from bench.report.command import make
from bench.report.measured import Measured
from bench.report.page.html import data_of
from bench.report.sections import ranking
from tests.bench.test_explain import made_up
from tests.bench.test_report import FPS, GPU, record, speed

ODD = "my_model:tiny"


def fast_and_slow() -> list[Record]:
    """In eager, A 10 and B 20 FPS; ORT turns them round for sure, OpenVINO perhaps, int8 for sure."""
    speeds = {
        "eager": (10.0, 20.0), "onnxruntime": (60.0, 40.0), "openvino": (51.0, 50.0), "openvino_int8": (90.0, 70.0),
    }  # fmt: skip
    return [
        speed(model, fps, backend=backend, precision="int8" if "int8" in backend else "fp32")
        for backend, pair in speeds.items()
        for model, fps in zip(("lite_hrnet_18", "small_hrnet_w16"), pair, strict=True)
    ]


def test_overtaking_needs_intervals_that_are_apart() -> None:
    (place,) = ranking.places(Measured(fast_and_slow()))
    assert [runtime.title for runtime in place.runtimes] == ["eager", "onnxruntime", "openvino", "openvino_int8"]
    eager = place.runtimes[0]
    found = {r.title: ranking.overtaken(r, eager, "lite_hrnet_18") for r in place.runtimes}
    assert found == {
        "eager": ([], []), "onnxruntime": (["small_hrnet_w16"], []), "openvino": ([], ["small_hrnet_w16"]),
        "openvino_int8": (["small_hrnet_w16"], []),
    }  # fmt: skip
    assert all(ranking.overtaken(r, eager, "small_hrnet_w16") == ([], []) for r in place.runtimes)
    assert [runtime.rank("lite_hrnet_18") for runtime in place.runtimes] == [2, 1, 1, 1]


def test_the_table_says_it_and_marks_int8() -> None:
    files = make(fast_and_slow())
    text = files["ranking.md"].decode()
    (line,) = [line for line in text.splitlines() if line.startswith("| `lite_hrnet_18`")]
    assert line == (
        "| `lite_hrnet_18` | Lite-HRNet18 | **2** (10.0 FPS) | **1** (60.0 FPS; passes Small HRNet-W16) | "
        "**1** (51.0 FPS; perhaps Small HRNet-W16) | **1** (90.0 FPS; passes Small HRNet-W16) |"
    )
    assert r"openvino\_int8 (int8)" in text
    assert "ranking" in [section["key"] for section in data_of(files["index.html"].decode())["sections"]]
    assert b"passes" in files["ranking.csv"].splitlines()[0]
    # In full precision and in int8 a network is not the same: no figure gives one the other's accuracy.
    assert not [name for name in files if name.startswith("fig5") and "int8" in name]
    assert "openvino_int8" not in files["table5.md"].decode()
    assert "| int8 |" in files["table5_more.md"].decode()


def test_ratios_to_eager_their_mean_and_the_share_of_the_peak() -> None:
    here = fast_and_slow()
    same = {"machine": here[0].machine, "threads": here[0].threads}
    explained = [
        made_up((1, 1, 1, 1, 1), peak_macs_per_s=peak, macs=macs).model_copy(update={"model": model, **same})
        for model, macs, peak in (("lite_hrnet_18", 2e8, 5e10), ("small_hrnet_w16", 6e8, 6e10))
    ]
    text = make([*here, *explained])["speedup.md"].decode()
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in text.splitlines()}
    best = "**{}** ({}) | **{}**".format
    assert rows["Lite-HRNet18"] == ["**6.00**", "**5.10**", "**9.00**", *best("6.00", "onnxruntime", 20).split(" | ")]
    assert rows["Small HRNet-W16"] == ["**2.00**", "**2.50**", "**3.50**", *best("2.50", "openvino", 50).split(" | ")]
    # A product of the same process comes before explain's best, which may be of a faster hour: a thousandth of this
    # one in one inference that takes a sixtieth as long, in most of the processes.
    sets = [([60.0, 60.0, 90.0], [1.0, 1.0, 2.0]), ([30.0], [0.5]), ([90.0], [1.0])]
    samples = {key: [one[place] for one in sets] for place, key in enumerate(("product_ms", "latency_ms"))}
    macs = 1536**3 // 1000
    beside = [r.model_copy(update={"samples": samples}) for r in here]
    counted = explained[0].model_copy(update={"metrics": explained[0].metrics | {"macs": macs}})
    text = make([*beside, counted])["speedup.md"].decode()
    assert next(line for line in text.splitlines() if line.startswith("| Lite-HRNet18")).endswith("| **6** |")
    # sqrt(6 x 2), and so on; the best of each, sqrt(6 x 2.5).
    assert rows["Geometric mean"][:4] == [f"**{mean}** (of 2)" for mean in ("3.46", "3.57", "5.61", "3.87")]
    # Networks of nobody's table have a mean of their own: they ran in one runtime and not in the other.
    mine = [
        r.model_copy(update={"model": "mine"})
        for r in here
        if r.model == "lite_hrnet_18" and r.backend in ("eager", "onnxruntime")
    ]
    text = make([*here, *mine])["speedup.md"].decode()
    rows = {line.split(" | ")[0].strip("| "): line.strip("| ").split(" | ")[1:] for line in text.splitlines()}
    assert rows["Geometric mean"][:2] == ["**3.46** (of 2)", "**3.57** (of 2)"]
    assert rows["Geometric mean of the others"][:2] == ["**6.00** (of 1)", "—"]
    # A figure by another protocol, or of another machine, is not set against eager's.
    quick = [r.model_copy(update={"protocol": {"name": "quick"}}) if r.backend == "openvino" else r for r in here]
    rows = {line.split(" | ")[0].strip("| "): line for line in make(quick)["speedup.md"].decode().splitlines()}
    assert rows["Lite-HRNet18"] == "| Lite-HRNet18 | **6.00** | — | **9.00** | **6.00** (onnxruntime) | — |"
    assert "speedup.md" not in make([r for r in here if r.backend != "eager"])


def test_on_a_gpu_precisions_are_apart_and_times_stand_against_their_bounds() -> None:
    on = {"device": "cuda", "machine": GPU}
    speeds = {("eager", "fp16"): 90.0, ("eager", "fp32"): 100.0, ("cudagraphs", "fp16"): 500.0,
              ("cudagraphs", "fp32"): 400.0, ("compile", "fp32"): 200.0}  # fmt: skip
    here = [
        speed(model, fps / slower, backend=backend, precision=precision, **on)
        for (backend, precision), fps in speeds.items()
        for model, slower in (("lite_hrnet_18", 1), ("small_hrnet_w16", 2))
    ]
    bounds = [
        made_up((5, 5, 60, 20, 10), must_take_ms=must, graph_ms=3.0, kernels=900).model_copy(
            update={"model": "lite_hrnet_18", "precision": precision, **on}
        )
        for precision, must in (("fp32", 0.5), ("fp16", 0.25))
    ]
    files = make([*here, *bounds])
    lines = [line.strip("| ").split(" | ") for line in files["speedup.md"].decode().splitlines()]
    (heading,) = [line for line in lines if line[0] == "Network"]
    assert heading[1:] == ["compile", "cudagraphs", "eager fp16", "cudagraphs fp16", "best exact",
                           "times its bound, fp32", "best fp16", "times its bound, fp16"]  # fmt: skip
    (row,) = [line for line in lines if line[0] == "Lite-HRNet18"]
    assert row[1:] == ["**2.00**", "**4.00**", "**0.90**", "**5.00**", "**4.00** (cudagraphs)", "**5.0**",
                       "**5.00** (cudagraphs)", "**8.0**"]  # fmt: skip
    (mean,) = [line for line in lines if line[0] == "Geometric mean"]
    assert mean[5:] == ["**4.00** (of 2)", "—", "**5.00** (of 2)", "—"]
    # A network has its bound, and its time over it, where eager was not timed.
    alone = [
        speed("vipnas_mobilenetv3", fps, backend="cudagraphs", precision=precision, **on)
        for precision, fps in (("fp32", 400.0), ("fp16", 500.0))
    ]
    named = [record.model_copy(update={"model": "vipnas_mobilenetv3"}) for record in bounds]
    text = make([*here, *alone, *named])["speedup.md"].decode()
    (only,) = [line for line in text.splitlines() if line.startswith("| ViPNAS ")]
    assert only == "| ViPNAS | — | — | — | — | — (cudagraphs) | **5.0** | — (cudagraphs) | **8.0** |"
    # Lower precision passes nobody in eager fp32 but by its own figures, and stands after it.
    assert "eager fp16" in files["ranking.md"].decode()
    explained = files["explain.md"].decode()
    said = "It spends 60 % of its time launching 1,870 operators (900 kernels), and 20 % on what these take before they"
    assert said in explained
    assert "## Test GPU 80, input 256x192" in explained
    assert "## Test GPU 80, fp16, input 256x192" in explained
    assert "as a graph ms" in explained
    assert "**3.00** | **0.500**" in explained


def test_int8_stands_beside_its_own_full_precision() -> None:
    def accuracy(ap: float, backend: str = "openvino", **changed: object) -> Record:
        base: dict[str, object] = {
            "precision": "int8" if "int8" in backend else "fp32", "dataset": "synthetic", "weights": "bundled",
            "weights_sha256": "ab", "device": "cpu", "threads": 2, "backend": backend, "protocol": {"name": "paper"},
        }  # fmt: skip
        return record("accuracy", "lite_hrnet_18", {"ap": ap}, **base | changed)

    found = [
        *fast_and_slow(), accuracy(0.5, "openvino_int8"), accuracy(0.6, "eager"), accuracy(0.55, threads=1),
        accuracy(0.9, weights_sha256="cd"), accuracy(0.9, dataset="coco_val2017"), accuracy(0.4, "onnxruntime_int8"),
        accuracy(0.1, "onnxruntime_int8", weights_sha256="ef"),  # nothing to compare it with
    ]  # fmt: skip
    lines = [line for line in make(found)["int8.md"].decode().splitlines() if line.startswith("| `lite_hrnet_18`")]
    shared = "| `lite_hrnet_18` | 256x192 | {} | synthetic | bundled | Test(R) CPU\\_1 @ 2.0GHz, 2 cores | "
    assert lines == [
        shared.format("onnxruntime") + "**60.0** | **40.0** | **-20.0** | **60.0** | — | — |",
        shared.format("openvino") + "**55.0** | **50.0** | **-5.0** | **51.0** | **90.0** | **1.76** |",
    ]
    assert "int8.md" not in make([r for r in found if r.precision != "int8"])


def test_each_runtime_has_its_accuracy_beside_its_speed() -> None:
    def accuracy(ap: float, backend: str, precision: str) -> Record:
        return record("accuracy", "lite_hrnet_18", {"ap": ap}, dataset="synthetic", backend=backend, device="cpu",
                      precision=precision, threads=2, protocol={"name": "paper"})  # fmt: skip

    found = [*fast_and_slow(), speed("lite_hrnet_18", 70.0, backend="mnn_int8_weights", precision="int8"),
             speed("lite_hrnet_18", 5.0, input="128x96"), accuracy(0.6, "eager", "fp32"),
             accuracy(0.5, "openvino_int8", "int8"), accuracy(0.58, "mnn_int8_weights", "int8")]  # fmt: skip
    found[2] = found[2].model_copy(update={"metrics": {**found[2].metrics, "model_file_bytes": 3 * 2**20}})
    files = make(found)
    rows = pd.read_csv(io.BytesIO(files["runtimes.csv"])).set_index(["model", "input", "backend"])
    mine = rows.loc["lite_hrnet_18", "256x192"]
    assert mine["ratio_measured"].to_dict() == {
        "eager": 1.0, "onnxruntime": 6.0, "openvino": 5.1, "openvino_int8": 9.0, "mnn_int8_weights": 7.0,
    }  # fmt: skip
    assert mine["accuracy_synthetic_measured"].to_dict() == {
        "eager": 60.0, "onnxruntime": 60.0, "openvino": 60.0, "openvino_int8": 50.0, "mnn_int8_weights": 58.0,
    }  # fmt: skip
    assert mine["model_file_bytes_measured"].dropna().to_dict() == {"onnxruntime": 3.0}
    assert rows.loc[("lite_hrnet_18", "128x96", "eager"), "fps_measured"] == 5.0
    assert rows["accuracy_synthetic_measured"].count() == 5  # the other network and the other input have none
    (weights,) = [line for line in files["int8.md"].decode().splitlines() if "| mnn\\_int8\\_weights |" in line]
    assert weights.endswith("**60.0** | **58.0** | **-2.0** | — | **70.0** | — |")
    assert "runtimes.md" not in make([one for one in found if one.backend == "eager"])


def test_machines_are_not_mixed_and_one_runtime_ranks_nothing() -> None:
    here = fast_and_slow()
    there = [speed(m, f, machine=GPU, device="cuda", threads=None) for m, f in FPS.items()]
    (place,) = ranking.places(Measured([*here, *there]))
    assert place.title.startswith("Test(R) CPU_1")
    assert ranking.table(Measured(there)) is None
    assert "ranking.md" not in make(there)
    both = [*there, *(r.model_copy(update={"backend": "cudagraphs"}) for r in there)]
    first, second = ranking.places(Measured([*here, *both]))
    assert {first.title, second.title} == {"Test GPU 80", place.title}
    assert first.key != second.key


@pytest.mark.parametrize("count", [2, 8])
def test_nothing_in_the_figure_touches(count: int) -> None:
    """Every place of every network once, one network not run at both ends, names in full."""
    runtimes = ("eager", "fused", "compile", "compile_max", "onnxruntime", "openvino", "onnxruntime_int8",
                "openvino_int8")[:count]  # fmt: skip
    orders = itertools.cycle(itertools.permutations(FPS))
    found = []
    for index, backend in enumerate(runtimes):
        order = next(itertools.islice(orders, 7919, None))
        for place, model in enumerate(order):
            if model != ODD or 0 < index < len(runtimes) - 1:
                precision = "int8" if "int8" in backend else "fp32"
                found.append(speed(model, 123.4 - 7 * place, backend=backend, precision=precision))
    (place,) = ranking.places(Measured(found))
    with matplotlib.rc_context(plotting.STYLE):
        drawn = ranking.picture(place)
        drawn.canvas.draw()
        texts = [*drawn.texts, *drawn.axes[0].texts]
        boxes = [text.get_window_extent() for text in texts]
        page = drawn.bbox
        for text, box in zip(texts, boxes, strict=True):
            assert page.x0 <= box.x0 < box.x1 <= page.x1, text.get_text()
            assert page.y0 <= box.y0 < box.y1 <= page.y1, text.get_text()
        for (one, a), (other, b) in itertools.combinations(zip(texts, boxes, strict=True), 2):
            assert not a.overlaps(b), f"{one.get_text()} over {other.get_text()}"
        words = [text.get_text() for text in texts]
        assert words.count("Ours (the paper's)") == 2
        assert words.count(ODD) == (1 if count == 8 else 0)
        assert sum(word.replace(".", "").isdecimal() for word in words) == len(found)
    once, again = (next(iter(ranking.SECTIONS[0].pictures(Measured(found)))).draw() for _ in range(2))
    assert once == again


def test_a_newer_network_that_ran_in_one_runtime_alone_moves_no_place_of_the_figure() -> None:
    """Places among other networks do not compare; the table has it all the same."""
    here = fast_and_slow()
    extra = [r.model_copy(update={"model": "rtmpose_t"}) for r in here if r.model == "lite_hrnet_18"]
    (whole,) = ranking.places(Measured([*here, *extra]))
    assert set(ranking._alike(whole).models) == set(whole.models)
    (partly,) = ranking.places(Measured([*here, *(r for r in extra if r.backend == "eager")]))
    (without,) = ranking.places(Measured(here))
    assert ranking._alike(partly) == without
    assert "rtmpose_t" in partly.models


def test_a_backends_name_that_says_its_precision_says_it_once() -> None:
    (place,) = ranking.places(
        Measured([
            speed(model, fps, backend=backend, precision=precision)
            for backend, precision in (("eager", "fp32"), ("ncnn_fp16", "fp16"), ("openvino", "fp16"))
            for model, fps in (("lite_hrnet_18", 10.0), ("small_hrnet_w16", 20.0))
        ])
    )  # fmt: skip
    assert [runtime.title for runtime in place.runtimes] == ["eager", "openvino fp16", "ncnn_fp16"]
