"""``python -m bench.regress``: whether a change made networks slower, decided so that CI can rely on it."""

from bench import cli
from bench.regress.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.regress.command")
