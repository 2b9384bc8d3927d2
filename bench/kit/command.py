"""``python -m bench.kit``: makes kits, checks and collects their records."""

import argparse


def main(arguments: argparse.Namespace) -> int:
    if arguments.command == "make":
        from bench.kit import making

        return making.main(arguments)
    from bench.kit import collecting

    return collecting.main(arguments)
