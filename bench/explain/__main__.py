"""``python -m bench.explain``: why networks take the time they take."""

from bench import cli
from bench.explain.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.explain.command")
