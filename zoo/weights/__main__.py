"""``python -m zoo.weights``: list the published weights, fetch one of them."""

import sys

from bench.core import interrupts

if __name__ == "__main__":
    interrupts.end_at_once()
    from zoo.weights.command import main

    interrupts.raise_in_python()
    sys.exit(main(sys.argv[1:]))
