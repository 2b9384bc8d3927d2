"""The interval covers what it says, at the number of sets that is the default."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.speed.command import summarised_warnings
from bench.speed.statistics import mean_interval, summarise
from bench.timing.intervals import student_quantile
from tests.bench.test_record import make


def test_figures_of_known_samples() -> None:
    sets = [[1.0, 2.0, 3.0], [5.0, 6.0, 7.0], [3.0, 4.0, 5.0]]
    metrics = summarise(sets)
    assert metrics["latency_ms_mean"] == 4
    assert metrics["latency_ms_median"] == 4
    assert metrics["latency_ms_p90"] == pytest.approx(6.2)
    assert metrics["latency_ms_std"] == pytest.approx(np.std([1, 2, 3, 5, 6, 7, 3, 4, 5], ddof=1))
    assert metrics["fps"] == 250
    assert metrics["fps_ci95_low"] == 1000 / metrics["latency_ms_mean_ci95_high"]
    assert "fps_ci95_low" not in summarise(sets[:2])  # two sets cannot tell how sets differ


@pytest.mark.parametrize("between", [0.0, 0.1])
def test_the_interval_covers_the_true_mean_95_times_in_100(between: float) -> None:
    """5 processes that differ by 10 % (as seen on a shared machine) or not at all, 50 rounds each that differ by 5 %.

    Drawing sets alone, without the widening, covers about 83 in 100 in the first case.
    """
    random = np.random.default_rng(1)
    hits = 0
    trials = 300
    for trial in range(trials):
        processes = 30 * np.exp(between * random.standard_normal((5, 1)))
        samples = processes * (1 + 0.05 * random.standard_normal((5, 50)))
        low, high = mean_interval(samples.tolist(), seed=trial)
        hits += low <= 30 * np.exp(between**2 / 2) <= high
    assert 0.91 <= hits / trials <= 1.0
    if between:
        assert hits / trials <= 0.985


@settings(max_examples=30, deadline=None)
@given(
    samples=st.lists(st.lists(st.floats(1, 1000), min_size=2, max_size=8), min_size=1, max_size=6),
    factor=st.floats(0.01, 100),
)
def test_the_interval_holds_the_mean_of_sets_and_scales_with_the_unit(
    samples: list[list[float]], factor: float
) -> None:
    low, high = mean_interval(samples)
    assert 0 < low <= high
    scaled = mean_interval([[value * factor for value in one] for one in samples])
    assert scaled == pytest.approx((low * factor, high * factor), rel=1e-9)
    if len(samples) > 2:
        centre = float(np.mean([np.mean(one) for one in samples]))
        assert low <= centre * (1 + 1e-9)
        assert high >= centre * (1 - 1e-9)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 9, 30])
def test_students_quantile_is_scipys(degrees: int) -> None:
    for probability in (0.6, 0.9, 0.975, 0.9995):
        assert student_quantile(probability, degrees) == pytest.approx(stats.t.ppf(probability, degrees), rel=1e-9)


def test_warnings_of_one_kind_are_one_line_with_the_worst() -> None:
    busy = "machine busy: other processes used {} cores"
    records = [make(model=f"net{n}", warnings=[busy.format(n / 10)]) for n in (3, 9, 12, 1)]
    records.append(make(model="net5", warnings=["clock fell to 900 MHz"]))
    assert summarised_warnings(records) == [
        "net5: clock fell to 900 MHz",
        "net12: machine busy: other processes used 1.2 cores (4 networks have such a warning; this is the worst)",
    ]
