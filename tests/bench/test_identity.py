"""One identity of a measurement: whatever can change the answer changes it, and nothing else does."""

import argparse
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.accuracy.command import make_evaluation, open_data
from bench.accuracy.options import parse
from bench.backends import catalogue
from bench.cli import parse_inputs
from bench.core import machine
from bench.core.record import OUTCOMES, Measurement
from bench.models import Model
from tests.bench.test_record import make

PLAIN = ["--models", "small_hrnet_w16", "--weights", "random", "--input", "64x64", "--device", "cpu", "--threads", "1",
         "--images", "2"]  # fmt: skip
CHANGES = {
    "--models": ["lite_hrnet_18"], "--input": ["96x64"], "--images": ["3"], "--seed": ["5"], "--limit": ["1"],
    "--no-flip": [], "--decode": ["dark"], "--backend": ["fused"], "--precision": ["bf16"], "--threads": ["2"],
    "--batch": ["2"],
}  # fmt: skip
SAME = {
    "--results": ["elsewhere"], "--workers": ["2"], "--evaluator": ["pycocotools"], "--skip-bad": ["3"], "--json": [],
    "--quiet": [], "--debug": [], "--missing": [], "--gt-boxes": [], "--timeout": ["60"],
}  # fmt: skip
# Of data sets on disk, whose fingerprint is what changes: tests/bench/test_datasets.py.
OF_FILES = {
    "--dataset", "--data-root", "--annotations", "--category", "--subset", "--detections", "--weights", "--device",
    "--test-dev", "--server-result", "--model-info", "--skeleton",
}  # fmt: skip


@pytest.fixture(scope="module")
def identity() -> Callable[..., str]:
    known: dict[tuple[str, ...], str] = {}

    def of(*more: str) -> str:
        if more not in known:
            options = parse([*PLAIN, *more])
            data = open_data(options)
            machine_threads = machine.checked_threads(options.threads)
            import torch

            before = torch.get_num_threads()
            torch.set_num_threads(machine_threads)
            try:
                model = Model(options.models, parse_inputs(options.input)[0], 17)
                one = make_evaluation(model, data, "cpu", options)
                known[more] = one.identity()
            finally:
                torch.set_num_threads(before)
        return known[more]

    return of


@pytest.mark.parametrize("option", [*CHANGES, *SAME])
def test_any_option_of_an_evaluation_that_can_change_its_answer(
    option: str, identity: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 64)
    changed = identity(option, *CHANGES.get(option, SAME.get(option, [])))
    assert (changed != identity()) == (option in CHANGES)


def test_no_option_of_an_evaluation_is_forgotten_here(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    real = argparse._ActionsContainer.add_argument

    def note(self: argparse._ActionsContainer, *names: str, **options: object) -> argparse.Action:
        seen.update(name for name in names if name.startswith("--"))
        return real(self, *names, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(argparse._ActionsContainer, "add_argument", note)
    parse(PLAIN)
    assert seen - {"--help", "--version"} == {*CHANGES, *SAME} | OF_FILES


def test_another_version_of_the_backend_is_another_measurement(
    identity: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = identity()
    monkeypatch.setattr(catalogue, "version", lambda name: "torch 99")
    assert identity("--workers", "1") != before


VALUES = {
    "model": "another", "options": {"attention": "se"}, "input": "96x64", "num_joints": 16, "network_sha256": "ab",
    "backend": "fused", "device": "cuda", "precision": "bf16", "batch": 2, "threads": 3, "dataset": "mpii_val",
    "dataset_fingerprint": "cd", "weights_sha256": "ef", "seed": 9, "kind": "complexity",
}  # fmt: skip


@given(
    fields=st.sets(st.sampled_from(sorted(VALUES))),
    protocol=st.dictionaries(st.sampled_from(["rounds", "warmup", "sets", "budget_s", "flip", "boxes"]), st.integers()),
    outcomes=st.dictionaries(st.sampled_from(sorted(OUTCOMES)), st.text(max_size=3) | st.integers()),
)
def test_every_field_of_a_measurement_counts_and_outcomes_do_not(
    fields: set[str], protocol: dict[str, int], outcomes: dict[str, str | int]
) -> None:
    plain = Measurement(kind="speed", model="net", input="64x64", protocol={"name": "paper"}, weights="random")
    changed = plain.model_copy(
        update={name: VALUES[name] for name in fields} | {"protocol": plain.protocol | protocol | outcomes}
    )
    assert (changed.identity("x 1") != plain.identity("x 1")) == bool(fields or protocol)
    assert changed.identity("x 1") != changed.identity("x 2")
    assert set(VALUES) | {"protocol", "weights"} == set(Measurement.model_fields)


def test_a_record_has_the_identity_of_its_measurement_and_older_records_have_one() -> None:
    record = make()
    measurement = Measurement.model_validate(record.model_dump(include=set(Measurement.model_fields)))
    assert record.key[0] == measurement.identity(record.software.runtime)
    older = json.loads(record.to_json()) | {"schema": 1}
    assert type(record).model_validate(older).key == record.key
    # The same weights by another name; a training is named by what goes in.
    named = [make(weights=name, weights_sha256="ab").key for name in ("first.pth", "second.pth")]
    assert named[0] == named[1]
    trained = [make(kind="train", weights=name, weights_sha256=name).key for name in ("first", "second")]
    assert trained[0] == trained[1]
