"""The learning curve as a picture."""

import io
import itertools

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.train.engine import Row

LOSS, SCORE, RATE = "#4477aa", "#cc6677", "#999999"


def draw(history: list[Row], title: str) -> bytes:
    """A PNG file: the loss of every epoch and, below it, what validation and training scored."""
    figure = Figure(figsize=(7, 5.5), dpi=120, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    figure.suptitle(title, fontsize=10)
    epochs = [row["epoch"] for row in history]

    above.plot(epochs, [row["loss"] for row in history], color=LOSS, marker=_marker(history))
    above.set(ylabel="training loss", yscale="log")
    drops = [
        after["epoch"] for before, after in itertools.pairwise(history)
        if after["learning_rate"] < 0.5 * before["learning_rate"]
    ]  # fmt: skip
    for axes in (above, below):
        for epoch in drops:
            axes.axvline(epoch - 0.5, color=RATE, linestyle=":", linewidth=1)
        axes.grid(alpha=0.3)
    if drops:
        above.plot([], [], color=RATE, linestyle=":", label="learning rate / 10")
        above.legend(fontsize=8)

    below.plot(
        epochs, [100 * row["accuracy"] for row in history], color=LOSS, marker=_marker(history),
        label="training: peaks near the target's (%)",
    )  # fmt: skip
    metric = score_name(history)
    if metric:
        scored = [row for row in history if metric in row]
        factor = 1 if metric == "pckh" else 100
        label = {"ap": "validation: AP (%)", "pckh": "validation: PCKh (%)"}[metric]
        below.plot(
            [row["epoch"] for row in scored], [factor * row[metric] for row in scored], color=SCORE,
            marker=_marker(scored), label=label,
        )  # fmt: skip
    below.set(xlabel="epoch", xlim=(0.5, max(epochs) + 0.5), ylim=(0, 100))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.legend(fontsize=8, loc="lower right")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def score_name(rows: list[Row]) -> str | None:
    """The metric that says how good a network is, where it was validated."""
    return next((name for name in ("pckh", "ap") if any(name in row for row in rows)), None)


def _marker(rows: list[Row]) -> str | None:
    return "." if len(rows) <= 40 else None
