"""Every metric that records hold: its unit, what it is called, how it is printed, and whether more of it is better.

Terminal tables, the report and ``docs/record.schema.json`` read this one table, so that they cannot differ in the
last digit. ``text`` prints a metric, ``printed`` any number.
"""

import functools
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal

Better = Literal["more", "less", "neither"]

_EXACT = Context(prec=700)  # any float in any unit: nothing is rounded twice


def printed(value: float, unit: int, decimals: int) -> str:
    """A number in units of ``unit``, rounded half up as on paper."""
    step = Decimal(1).scaleb(-decimals)
    return str(_EXACT.divide(Decimal(value), Decimal(unit)).quantize(step, ROUND_HALF_UP, _EXACT))


@dataclass(frozen=True)
class Metric:
    """A number of a record; braces in the name stand for what varies; ``{variant}``: such as 50 or _m."""

    name: str
    unit: str  # of the number in the record; empty where it has none
    label: str
    better: Better
    decimals: int = 1  # printed
    shown: str = ""  # the unit that it is printed in, where that is another one
    per: int = 1  # so much of the record's unit makes one of that unit
    times: int = 1  # or so many of that unit make one of the record's


_MI, _M, _G = 2**20, 10**6, 10**9


def _percent(name: str, label: str, better: Better, decimals: int = 1) -> Metric:
    return Metric(name, "", label, better, decimals, "%", times=100)


METRICS = (
    # bench.complexity
    Metric("params", "", "parameters", "less", 3, "M", _M),
    Metric("macs_{counter}", "", "multiply-adds by a counter", "less", 3, "G", _G),
    # bench.speed
    Metric("fps", "1/s", "batches a second, 1 / mean latency", "more"),
    Metric("fps_ci95_{end}", "1/s", "end of its 95 % interval", "more"),
    Metric("latency_ms_mean", "ms", "mean latency of a batch", "less"),
    Metric("latency_ms_mean_ci95_{end}", "ms", "end of its 95 % interval", "less"),
    Metric("latency_ms_median", "ms", "median latency of a batch", "less"),
    Metric("latency_ms_p{rank}", "ms", "percentile of the latency of a batch", "less"),
    Metric("latency_ms_std", "ms", "standard deviation of the latency of a batch", "less"),
    Metric("latency_ms_{what}_event", "ms", "the same by the GPU's own events", "less"),
    _percent("median_ci95_relative", "half of the median's 95 % interval over the median", "less"),
    _percent("median_spread_relative", "largest less smallest median of a process over the median", "less"),
    Metric("parity_max_relative", "", "largest difference from eager over the largest output", "less", 6),
    Metric("prepare_s", "s", "preparing the network for its backend", "less"),
    Metric("prepare_cached_s", "s", "preparing it with what was kept of the first time", "less"),
    Metric("first_inference_ms", "ms", "first inference", "less", 0),
    Metric("model_file_bytes", "byte", "what has to be shipped to run it", "less", 1, "MiB", _MI),
    Metric("peak_rss_bytes", "byte", "largest memory of the process", "less", 0, "MiB", _MI),
    Metric("peak_cuda_bytes", "byte", "largest memory on the GPU", "less", 0, "MiB", _MI),
    Metric("rss_before_bytes", "byte", "memory of the process before runtime and network", "neither", 0, "MiB", _MI),
    Metric("product_macs_per_s", "1/s", "multiply-adds a second of a matrix product beside", "neither", 0, "G", _G),
    Metric("energy_{what}_j_per_image", "J", "energy an image", "less", 4),
    # bench.accuracy: COCO's, a fraction, and MPII's, in percent
    _percent("ap{variant}", "average precision", "more"),
    _percent("ar{variant}", "average recall", "more"),
    *(
        Metric(name, "%", f"PCKh of {name}", "more")
        for name in ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ),
    Metric("pckh{variant}", "%", "mean PCKh", "more"),
    Metric("people", "", "people scored", "neither", 0),
    Metric("people_left_out", "", "people whose picture could not be used", "less", 0),
    Metric("bad_pictures", "", "pictures that could not be used", "less", 0),
    Metric("people_per_s", "1/s", "people a second", "more"),
    *(
        Metric(f"{phase}_ms", "ms", f"time a person: {what}", "less", 2)
        for phase, what in {
            "read": "reading pictures", "crop": "cropping", "wait": "waiting for crops", "network": "the network",
            "decode": "decoding",
        }.items()
    ),
    _percent("network_share", "share of the time that the network had", "more", 0),
    # bench.train
    Metric("epochs", "", "epochs", "neither", 0),
    Metric("steps", "", "steps", "neither", 0),
    Metric("samples", "", "samples seen", "neither", 0),
    Metric("seconds", "s", "time it took", "less", 0),
    Metric("samples_per_s", "1/s", "samples a second", "more"),
    _percent("data_wait_share", "share of the time spent waiting for data", "less", 0),
    Metric("train_loss", "", "loss of the last epoch", "less", 5),
    _percent("train_accuracy", "joints found in training samples", "more"),
    _percent("best_ap", "best average precision on the validation set", "more"),
    Metric("best_pckh", "%", "best mean PCKh on the validation set", "more"),
    Metric("best_epoch", "", "epoch of the best", "neither", 0),
    # bench.explain
    Metric("operators", "", "operators that do work", "less", 0),
    Metric("views", "", "operators that only look at data in another way", "less", 0),
    Metric("kernels", "", "kernels launched on the GPU", "less", 0),
    Metric("macs", "", "multiply-adds of all operators", "less", 0, "M", _M),
    Metric("bytes", "byte", "bytes read and written by all operators", "less", 0, "MiB", _MI),
    Metric("macs_per_byte", "", "multiply-adds a byte", "more"),
    Metric("latency_ms_measured", "ms", "latency", "less"),
    Metric("latency_ms_instrumented", "ms", "latency with every operator timed", "less"),
    Metric("latency_ms_smallest", "ms", "latency of the smallest picture", "less"),
    Metric("compute_bound_ms", "ms", "multiply-adds at the machine's peak", "less"),
    Metric("memory_bound_ms", "ms", "moving data at the machine's bandwidth", "less"),
    Metric("above_bound_ms", "ms", "above the bound", "less"),
    Metric("setup_ms", "ms", "set-up of operators", "less"),
    Metric("layout_ms", "ms", "changes of layout and number type that a runtime adds", "less"),
    Metric("layout_operators", "", "operators that a runtime adds for them", "less", 0),
    Metric("joined_operators", "", "operators that a runtime made of several", "neither", 0),
    Metric("dispatch_ms", "ms", "calls and Python", "less"),
    Metric("dispatch_between_ms", "ms", "Python between the calls", "less"),
    Metric("must_take_ms", "ms", "what all operators must take", "less"),
    Metric("faster_than_bound_ms", "ms", "operators faster than main memory allows, by how much", "neither"),
    Metric("graph_ms", "ms", "a replay of all kernels as a graph", "less", 2),
    Metric("launch_overhead_ms", "ms", "latency less that of the graph", "less", 2),
    Metric("small_operators", "", "operators that take longer to start than their work must take", "less", 0),
    Metric("small_operators_ms", "ms", "time in these", "less"),
    _percent("discrepancy_relative", "parts less the whole over the whole", "less"),
    Metric("peak_macs_per_s", "1/s", "multiply-adds a second of a large matrix product", "neither", 0, "G", _G),
    Metric("peak_bytes_per_s", "byte/s", "bytes a second of a large copy", "neither", 1, "GB/s", _G),
    Metric("operator_overhead_us", "us", "an operator without work", "less"),
    Metric("profiler_overhead_us", "us", "timing an operator", "neither"),
    # bench.regress
    Metric("ratio", "", "latency of the new code over that of the old", "less", 3),
    Metric("ratio_{end}", "", "end of its interval", "less", 3),
    _percent("precision_relative", "half of the interval of the ratio", "less"),
    Metric("base_ms", "ms", "median latency of the old code", "less", 2),
    Metric("head_ms", "ms", "median latency of the new code", "less", 2),
    Metric("processes", "", "processes that measured", "neither", 0),
    Metric("comparisons", "", "comparisons of a self-test", "neither", 0),
    Metric("regression", "", "comparisons that said slower", "neither", 0),
    Metric("clear", "", "comparisons that said clear", "neither", 0),
    Metric("undecided", "", "comparisons that could not tell", "less", 0),
    _percent("{verdict}_rate_{end}", "end of the exact 95 % interval of a rate", "neither"),
    Metric("seconds_{what}", "s", "time to an answer", "less", 0),
    Metric("pairs_median", "", "pairs to an answer", "less", 0),
    Metric("pair_log_ratio_mean", "", "mean logarithm of a pair's ratio", "neither", 4),
    _percent("pair_log_ratio_std", "standard deviation of the logarithm of a pair's ratio", "less"),
    # bench.pipeline
    Metric("frames_per_s", "1/s", "frames a second", "more"),
    Metric("frames_per_s_ci95_{end}", "1/s", "end of its 95 % interval", "more"),
    Metric("frame_ms_mean", "ms", "mean time of a frame, the whole way", "less"),
    Metric("frame_ms_mean_ci95_{end}", "ms", "end of its 95 % interval", "less"),
    Metric("frame_ms_median", "ms", "median time of a frame", "less"),
    Metric("frame_ms_p{rank}", "ms", "percentile of the time of a frame, where there are frames enough", "less"),
    Metric("frame_ms_std", "ms", "standard deviation of the time of a frame", "less"),
    Metric("frame_ms_{when}", "ms", "median time of a frame at the beginning and at the end of minutes", "less"),
    Metric("slower_after_s", "s", "time after which frames take 5 % longer than at the beginning", "more", 0),
    *(
        Metric(f"stage_{stage}_ms", "ms", f"time a frame: {what}", "less", 2)
        for stage, what in {
            "read": "reading and decoding", "detect": "finding people, or boxes from the joints before",
            "crop": "cropping and normalising", "network": "the network", "joints": "from its output to joints",
            "draw": "drawing",
        }.items()
    ),
    Metric("people_a_frame", "", "people a frame", "neither"),
    Metric("detections", "", "frames in which the detector ran", "neither", 0),
    Metric("frames", "", "frames looked at", "neither", 0),
    _percent("dropped_share", "frames that were overtaken by the next one", "less"),
    Metric("age_ms_{what}", "ms", "age of an answer when it comes", "less"),
    _percent("missed_share", "people who were not found", "less"),
    Metric("error_px", "px", "mean distance of joints from the truth", "less", 2),
    _percent("error_relative", "the same over the person's size", "less", 2),
    Metric("jitter_px", "px", "jitter of joints of the still, root of the mean square", "less", 2),
    _percent("jitter_relative", "the same over the person's size", "less", 2),
    Metric("lag_frames", "", "frames that joints of the moving are behind", "less", 2),
    Metric("lag_px", "px", "the way that they make in this time", "less", 2),
    _percent("lag_relative", "the same over the person's size", "less", 2),
)  # fmt: skip


@functools.cache
def find(name: str) -> Metric | None:
    """What is known of a metric; the exact name comes before a pattern, and a longer pattern before a shorter one."""
    exact = next((metric for metric in METRICS if metric.name == name), None)
    patterns = sorted((metric for metric in METRICS if "{" in metric.name), key=lambda metric: -len(metric.name))
    return exact or next((metric for metric in patterns if re.fullmatch(_pattern(metric.name), name)), None)


def _pattern(name: str) -> str:
    """A name with braces as a regular expression."""
    parts = re.split(r"(\{\w+\})", name)
    patterns = {"{variant}": r"(?:\d+|[_@][a-z0-9.]+)?"}
    return "".join(patterns.get(part, "[a-z0-9]+") if part.startswith("{") else re.escape(part) for part in parts)


def text(name: str, value: float, decimals: int | None = None) -> str:
    """A metric as it is printed everywhere, without its unit.

    Args:
        name: of the metric; one that is not in the table is printed with three decimals.
        value: as the record holds it.
        decimals: where a table has room for more or fewer than usual.
    """
    metric = find(name) or Metric(name, "", name, "neither", 3)
    places = metric.decimals if decimals is None else decimals
    if metric.times != 1:
        return printed(value * metric.times, 1, places)
    return printed(value, metric.per, places)


def heading(name: str) -> str:
    """The unit that ``text`` prints in, such as ``ms`` or ``MiB``; empty where there is none."""
    metric = find(name)
    return (metric.shown or metric.unit) if metric else ""


def description() -> str:
    """All metrics in a sentence each, for the JSON Schema of records."""
    told = (f"{m.name}: {m.label}{f' ({m.unit})' if m.unit else ''}" for m in METRICS)
    return f"numbers, with their units in the name. {'; '.join(told)}"
