"""``python -m bench.pipeline``: from a frame to everybody's joints, stage by stage."""

from bench import cli
from bench.pipeline.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.pipeline.command")
