"""``python -m bench.complexity``: parameters and multiply-adds of networks."""

from bench import cli
from bench.complexity.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.complexity.command")
