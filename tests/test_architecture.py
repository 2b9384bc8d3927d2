"""What imports what: the layers of docs/architecture.md, read from the sources without importing them."""

import ast
import functools
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What the lower layers may import beside themselves.
BELOW: dict[str, set[str]] = {
    "bench.core": set(),
    "bench.timing": {"bench.core"},
    "zoo": {"bench.core"},
    "bench.codecs": {"bench.core", "bench.data"},
    "bench.backends": {"bench.core", "bench.timing", "bench.data", "bench.codecs"},  # the latter: for calibration
    "bench.data": {"bench.cli", "bench.core", "bench.drawing"},
}


@functools.cache
def imports() -> Mapping[str, set[str]]:
    """Of every module of zoo and bench, the others that it imports anywhere, inside functions too; not for types."""
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for top in ("zoo", "bench")
        for path in (ROOT / top).rglob("*.py")
    }
    return {
        name: {module for module in _imported(ast.parse(path.read_text()), files) if module != name}
        for name, path in files.items()
    }


def _imported(node: ast.AST, files: Mapping[str, Path]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in files)
        elif isinstance(child, ast.ImportFrom):
            assert not child.level, "imports are absolute"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                yield from (name for name in (inner if inner in files else child.module,) if name in files)
        yield from _imported(child, files)


def room(module: str) -> str:
    """A package of bench, with the entries of data sets as one of their own: they tie data to its metrics."""
    if module.startswith("bench.data.sets."):
        return "bench.data.sets"
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "bench" else "zoo"


@functools.cache
def rooms() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for module, others in imports().items():
        found.setdefault(room(module), set()).update(room(other) for other in others if room(other) != room(module))
    return found


@pytest.mark.parametrize("graph", [imports, rooms], ids=["modules", "packages"])
def test_nothing_imports_in_a_circle(graph: Callable[[], Mapping[str, set[str]]]) -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_a_layer_imports_only_those_below_it() -> None:
    others = {layer: rooms()[layer] - below for layer, below in BELOW.items()}
    assert not any(others.values()), others
