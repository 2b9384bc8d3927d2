"""How figures look, and how they become the same bytes each time."""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, FAINT = "#222222", "#666666"
DPI = 160
STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "svg.fonttype": "path",  # looks the same without the font
    "text.hinting": "none",
    "text.parse_math": False,  # names are not formulas
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
}


@contextlib.contextmanager
def style(key: str) -> Iterator[None]:
    """The report's own style while a figure is made and saved, whatever the user's is.

    Args:
        key: sets the names of elements of the SVG file apart from those of others in the same page.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": key})  # type: ignore[dict-item]
        yield


def draw(key: str, picture: Callable[[], Figure]) -> tuple[bytes, bytes]:
    """A figure as PNG and SVG, the same bytes for the same figure."""
    with style(key):
        figure = picture()
        return as_bytes(figure, "png"), as_bytes(figure, "svg")


def headed(width: float, height: float, title: str, lines: Sequence[str], below: Sequence[str] = ()) -> Figure:
    """A figure of so many inches with a title, what it is of, and remarks below."""
    drawn = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(drawn)
    drawn.text(0.15 / width, 1 - 0.1 / height, title, va="top", color=INK, fontsize=10.5, fontweight="bold")
    drawn.text(0.15 / width, 1 - 0.32 / height, "\n".join(lines), va="top", color=FAINT, linespacing=1.25)
    if below:
        text = "\n".join(below)
        drawn.text(0.15 / width, 0.08 / height, text, va="bottom", color=FAINT, fontsize=8, linespacing=1.25)
    return drawn


def as_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as PNG or SVG."""
    buffer = io.BytesIO()
    # Without these a file tells when and by what it was made, and no two are the same.
    nothing = {"Software": None} if kind == "png" else dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format=kind, dpi="figure", metadata=nothing)
    return buffer.getvalue()
