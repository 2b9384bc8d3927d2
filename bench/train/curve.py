"""The learning curve as a picture."""

import io
import itertools

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.data.registry import DatasetEntry
from bench.train.engine import Row

LOSS, SCORE, RATE = "#4477aa", "#cc6677", "#999999"


def draw(history: list[Row], title: str, entry: DatasetEntry) -> bytes:
    """A PNG file: the loss of every epoch and, below it, what validation and training scored.

    Args:
        history: a row an epoch.
        title: of the picture.
        entry: of the data set, which says what its score is called.
    """
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
    scored = [row for row in history if entry.main in row]
    if scored:
        below.plot(
            [row["epoch"] for row in scored], [entry.factor * row[entry.main] for row in scored], color=SCORE,
            marker=_marker(scored), label=f"validation: {entry.metrics[entry.main]} (%)",
        )  # fmt: skip
    below.set(xlabel="epoch", xlim=(0.5, max(epochs) + 0.5), ylim=(0, 100))
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    below.legend(fontsize=8, loc="lower right")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _marker(rows: list[Row]) -> str | None:
    return "." if len(rows) <= 40 else None
