"""``python -m bench.record``: check records, print their JSON Schema."""

from bench import cli
from bench.record.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.record.command")
