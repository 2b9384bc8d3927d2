"""The page as one file: a skeleton, our style and script, the data, and Plotly's script as its package ships it."""

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from bench.core.errors import InputError

TITLE = "Lightweight pose networks, measured"
FOLDER = Path(__file__).parent
PLOTLY = "plotly/package_data/plotly.min.js"


def page(data: Mapping[str, Any]) -> str:
    """The page with its data; it needs no other file and asks the network for nothing.

    Raises:
        InputError: Plotly is not installed.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER), autoescape=False, undefined=jinja2.StrictUndefined
    )
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return environment.get_template("page.html.jinja").render(
        title=TITLE,
        style=(FOLDER / "page.css").read_text(encoding="utf-8"),
        script=(FOLDER / "page.js").read_text(encoding="utf-8"),
        data=text.replace("<", "\\u003c"),  # in JSON only within texts: no text ends the element that holds it
        plotly=plotly_script(),
    )


def plotly_script() -> str:
    """Plotly's script. Its Python package is not imported: that takes longer than the report."""
    try:
        file = importlib.metadata.distribution("plotly").locate_file(PLOTLY)
        script = Path(str(file)).read_text(encoding="utf-8")
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
        raise InputError("the report's page needs Plotly: pip install 'plotly>=6'") from None
    return script.replace("</script", "<\\/script")


def data_of(text: str) -> dict[str, Any]:
    """The data within a page."""
    found: dict[str, Any] = json.loads(text.partition(' id="data">')[2].partition("</script>")[0])
    return found
