"""``python -m bench.export``: a network as a file that runs without this project."""

from bench import cli
from bench.export.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.export.command")
