"""``python -m bench.data``: write the synthetic data set, or look at it."""

from bench import cli
from bench.data.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.data.command")
