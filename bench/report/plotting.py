"""How figures look, and how they become the same bytes each time."""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl
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


def as_bytes(figure: Figure, kind: str) -> bytes:
    """A figure as PNG or SVG."""
    buffer = io.BytesIO()
    # Without these a file tells when and by what it was made, and no two are the same.
    nothing = {"Software": None} if kind == "png" else dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format=kind, dpi="figure", metadata=nothing)
    return buffer.getvalue()
