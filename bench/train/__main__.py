"""``python -m bench.train``: train networks by the paper's recipe, or all that a table of the paper needs."""

from bench import cli
from bench.train.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.train.command")
