"""``python -m bench.choose``: which networks keep within limits, the best first, and why the others do not."""

from bench import cli
from bench.choose.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.choose.command")
