"""``python -m bench.speed``: latency and FPS of networks, by the paper's protocol."""

from bench import cli
from bench.speed.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.speed.command")
