"""``python -m bench.report``: the paper's tables and figure, made from records, and a page that shows them."""

from bench import cli
from bench.report.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.report.command")
