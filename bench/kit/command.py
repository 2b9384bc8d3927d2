"""``python -m bench.kit``: makes kits, checks and collects their records."""

import argparse


def main(arguments: argparse.Namespace) -> int:
    if arguments.command == "make":
        from bench.kit.making import main as make

        return make(arguments)
    from bench.kit.collecting import main as check_or_collect

    return check_or_collect(arguments)
