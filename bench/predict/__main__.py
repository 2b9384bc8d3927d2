"""``python -m bench.predict``: skeletons drawn on pictures, and the joints as JSON."""

from bench import cli
from bench.predict.options import parse

if __name__ == "__main__":
    cli.run(parse, "bench.predict.command")
