"""How figures look, and how they become the same bytes each time."""

import io
from collections.abc import Callable
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


def draw(key: str, picture: Callable[[], Figure]) -> tuple[bytes, bytes]:
    """A figure as PNG and SVG, the same bytes for the same figure.

    Args:
        key: sets the names of elements of the SVG file apart from those of others in the same page.
        picture: makes the figure; called with the report's own style set.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": key})  # type: ignore[dict-item]
        figure = picture()
        return _as_bytes(figure, "png"), _as_bytes(figure, "svg")


def _as_bytes(figure: Figure, kind: str) -> bytes:
    buffer = io.BytesIO()
    # Without these a file tells when and by what it was made, and no two are the same.
    nothing = {"Software": None} if kind == "png" else dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format=kind, dpi="figure", metadata=nothing)
    return buffer.getvalue()
