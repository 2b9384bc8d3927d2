"""``python -m bench.kit``: bring the measurement to a device, and its records back."""

from bench import cli
from bench.kit.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.kit.command")
