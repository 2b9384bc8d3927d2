"""``python -m bench.accuracy``: the paper's metrics of networks on COCO, MPII or drawn people."""

from bench import cli
from bench.accuracy.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.accuracy.command")
