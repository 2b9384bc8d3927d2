"""What a record of each kind must hold for the report to be made from it: one checked model a kind.

``bench.core.record`` has the form that all kinds share. Older records are read as they are: nothing is asked for here
that a version of this project did not write.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bench.core.record import LARGEST, Kind, Record

Positive = Annotated[float, Field(ge=1e-15, le=1e15)]
Amount = Annotated[float, Field(ge=0, le=LARGEST)]
Count = Annotated[float, Field(ge=0, le=1e15)]
Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    """Further entries are allowed everywhere; whole numbers stand for decimal ones, texts do not."""

    model_config = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)


class Complexity(_Part):
    class Metrics(_Part):
        params: Count
        macs_mmcv: Count
        macs_torchstat: Count | None = None  # of networks that it refuses, and of files: none
        macs_fvcore: Count | None = None
        macs_thop: Count | None = None
        macs_torch: Count | None = None
        macs_onnx: Count | None = None  # of files alone

    metrics: Metrics


class Speed(_Part):
    class Metrics(_Part):
        fps: Positive
        fps_ci95_low: Positive | None = None
        fps_ci95_high: Positive | None = None

        @model_validator(mode="after")
        def _interval(self) -> "Speed.Metrics":
            if (self.fps_ci95_low is None) != (self.fps_ci95_high is None):
                raise ValueError("fps_ci95_low and fps_ci95_high go together")
            if (self.fps_ci95_low or 0) > (self.fps_ci95_high or 0):
                raise ValueError("fps_ci95_low is above fps_ci95_high")
            return self

    class Samples(_Part):
        latency_ms: list[Annotated[list[Positive], Field(min_length=1)]] = []
        product_ms: list[list[Positive]] | None = None

        @model_validator(mode="after")
        def _pairs(self) -> "Speed.Samples":
            if self.product_ms is not None and (
                list(map(bool, self.product_ms)) != [True] * len(self.latency_ms) or not self.latency_ms
            ):
                raise ValueError("product_ms and latency_ms must have the same sets, with times above 0 in each")
            return self

    metrics: Metrics
    samples: Samples


class Accuracy(_Part):
    class Metrics(_Part):
        ap: Annotated[float, Field(ge=-1, le=1)] | None = None  # -1: nothing to find
        pckh: Annotated[float, Field(ge=-1, le=100)] | None = None

    metrics: Metrics


class Train(_Part):
    class Protocol(_Part):
        validation: str = ""
        validation_fingerprint: str = ""
        epochs: Annotated[int, Field(ge=0, le=10**9)] = 0
        samples_an_epoch: Annotated[int, Field(ge=0, le=10**12)] = 0
        processes: Annotated[int, Field(ge=1, le=10**6)] = 1

    class Row(_Part):
        epoch: Count
        accuracy: Share

    class Notes(_Part):
        history: Annotated[list["Train.Row"], Field(min_length=1)]

    protocol: Protocol
    notes: Notes


class Explain(_Part):
    class Metrics(_Part):
        latency_ms_measured: Positive
        must_take_ms: Positive
        peak_macs_per_s: Positive
        macs: Count
        operators: Count
        small_operators: Count
        small_operators_ms: Amount
        faster_than_bound_ms: Amount
        dispatch_between_ms: Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
        kernels: Count | None = None
        graph_ms: Positive | None = None
        latency_ms_smallest: Amount | None = None
        joined_operators: Count | None = None
        layout_operators: Count | None = None

    class Group(_Part):
        name: str
        share: float

    class Layer(Group):
        times_bound: Annotated[float, Field(le=LARGEST)] | None = None

    class Notes(_Part):
        kinds: list["Explain.Group"] = []
        layers: list["Explain.Layer"] = []
        smallest: str | None = None

    backend: str | None
    device: str | None
    metrics: Metrics
    notes: Notes

    @model_validator(mode="after")
    def _whole(self) -> "Explain":
        counts = (self.metrics.joined_operators, self.metrics.layout_operators)
        if self.backend not in (None, "eager") and None in counts:
            raise ValueError("metrics.joined_operators and metrics.layout_operators are missing: runtimes have them")
        if self.device == "cuda" and (self.metrics.kernels is None or self.metrics.graph_ms is None):
            raise ValueError("metrics.kernels and metrics.graph_ms are missing: every network on a GPU has them")
        if self.metrics.latency_ms_smallest is not None and self.notes.smallest is None:
            raise ValueError("notes.smallest is missing: metrics.latency_ms_smallest is of a picture of that size")
        return self


class Regress(_Part):
    """A comparison of two revisions; the report shows self-tests alone."""


class SelfTest(_Part):
    class Protocol(_Part):
        threshold: Annotated[float, Field(ge=0, le=100)]
        budget_s: Positive

    class Options(_Part):
        slower_by: Annotated[float, Field(ge=0, le=100)]
        busy_neighbours: Annotated[int, Field(ge=0, le=10**6)] = 0
        busy_neighbour: bool = False  # of older records

    class Metrics(_Part):
        comparisons: Annotated[float, Field(ge=1, le=1e9)]
        regression: Count
        regression_rate_low: Share
        regression_rate_high: Share
        seconds_max: Positive

    class Samples(_Part):
        seconds: Annotated[list[list[Amount]], Field(min_length=1, max_length=1)]

    class Notes(_Part):
        verdicts: Annotated[list[Literal["regression", "faster", "clear", "undecided"]], Field(min_length=1)]

    protocol: Protocol
    options: Options
    metrics: Metrics
    samples: Samples
    notes: Notes

    @model_validator(mode="after")
    def _one_each(self) -> "SelfTest":
        if len(self.samples.seconds[0]) != len(self.notes.verdicts):
            raise ValueError("samples.seconds and notes.verdicts differ in length")
        return self


class Pipeline(_Part):
    class Protocol(_Part):
        scenario: Literal["single stream", "paced", "streams", "offline"]
        source: Literal["scenes", "motion", "pictures", "video"]
        batching: Literal["one by one", "batched"]
        flip: bool
        boxes: Literal["given", "whole", "file", "detector"]
        detect_every: Annotated[int, Field(ge=1, le=10**6)]
        smooth: Annotated[str, Field(max_length=40)]
        people: Annotated[int, Field(ge=0, le=10**6)] | None = None
        size: Annotated[str, Field(pattern=r"^[0-9]{1,6}x[0-9]{1,6}$")] | None = None
        rate: Positive | None = None
        for_s: Positive | None = None
        streams: Annotated[int, Field(ge=1, le=10**6)] | None = None

        @model_validator(mode="after")
        def _whole(self) -> "Pipeline.Protocol":
            if self.source in ("scenes", "motion") and (self.people is None or self.size is None):
                raise ValueError("people and size are missing: drawn frames have them")
            for scenario, name in (("paced", "rate"), ("streams", "streams")):
                if self.scenario == scenario and getattr(self, name) is None:
                    raise ValueError(f"{name} is missing: the scenario is {scenario}")
            return self

    class Metrics(_Part):
        frames_per_s: Positive
        frame_ms_mean: Positive
        frame_ms_mean_ci95_low: Positive | None = None
        frame_ms_mean_ci95_high: Positive | None = None
        people_per_s: Amount
        stage_read_ms: Amount
        stage_detect_ms: Amount
        stage_crop_ms: Amount
        stage_network_ms: Amount
        stage_joints_ms: Amount
        stage_draw_ms: Amount | None = None
        dropped_share: Share | None = None
        age_ms_median: Amount | None = None

    protocol: Protocol
    metrics: Metrics

    @model_validator(mode="after")
    def _whole(self) -> "Pipeline":
        if self.protocol.scenario == "paced" and (
            self.metrics.dropped_share is None or self.metrics.age_ms_median is None
        ):
            raise ValueError("dropped_share and age_ms_median are missing: they are the result at a camera's rate")
        return self


MODELS: dict[Kind, type[_Part]] = {
    "complexity": Complexity, "speed": Speed, "accuracy": Accuracy, "train": Train, "explain": Explain,
    "regress": Regress, "pipeline": Pipeline,
}  # fmt: skip
SHOWN = ("model", "backend", "device", "dataset", "weights")  # texts that tables and figures show in a line
LONGEST = 300  # of these


def problem(record: Record) -> str | None:
    """What a record lacks of what its kind must hold, in a line; nothing where it fits."""
    texts: dict[str, Any] = {name: getattr(record, name) for name in SHOWN}
    for name, text in (texts | {"cpu": record.machine.cpu, "gpu": record.machine.gpu}).items():
        if text is not None and (len(text) > LONGEST or not text.isprintable()):
            return f"{name} is longer than {LONGEST} characters, or has characters that cannot be printed"
    model = MODELS[record.kind]
    if record.kind == "regress" and record.protocol.get("name") == "self-test":
        model = SelfTest
    try:
        model.model_validate({name: getattr(record, name) for name in model.model_fields})
    except ValidationError as error:
        return _in_a_line(record, error)
    return None


def _in_a_line(record: Record, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] == "missing":
        what = f"no metric {where[-1]!r}" if where[0] == "metrics" else f"no {'.'.join(where)}"
        return f"the {record.kind} record of {record.model} has {what}: measure it again"
    said = first["msg"].removeprefix("Value error, ")
    return f"the {record.kind} record of {record.model} does not fit: {'.'.join(where)}{': ' if where else ''}{said}"
