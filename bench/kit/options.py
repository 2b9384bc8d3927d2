"""The options of ``python -m bench.kit``."""

import argparse

from bench import cli


def parse(argv: list[str]) -> argparse.Namespace:
    commands = {
        "make": ("a folder and an archive that time networks on a device with numpy and a runtime", _make),
        "collect": ("check the records that come back, and add them to others", _collect),
        "check": ("the same, and add nothing", _check),
    }
    about = "Time networks on any device: make a folder for it, and collect what it finds."
    return cli.parse_subcommand("kit", about, commands, argv)


def _make() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "kit make", "Write a folder and an archive of it. On the device, python run.py in that folder times the "
        "networks; it needs Python 3.9 or later, numpy and the runtimes.", records=False,
    )  # fmt: skip
    cli.add_model_options(parser)
    parser.add_argument(
        "--backend", default="onnxruntime", metavar="NAME[,NAME]", type=cli.names,
        help=f"those that run from files on a CPU; {cli.program('speed')} --list-backends says what there is",
    )  # fmt: skip
    cli.add_threads_option(parser)
    parser.add_argument("--seed", type=cli.seed, default=0, help="of the random weights")
    cli.add_timeout_option(parser)
    parser.add_argument(
        "--out", type=cli.writable_folder, required=True, metavar="DIR", help="the folder; DIR.zip is its archive"
    )
    return parser


def _collect() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "kit collect", "Check records of devices as kit check does, and add the sound ones to a folder of records.",
        records=False,
    )  # fmt: skip
    _add_records(parser)
    parser.add_argument(
        "--results", type=cli.writable_folder, required=True, metavar="DIR", help="folder of the records"
    )
    return parser


def _check() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "kit check", "Say whether records of a device are sound: their form, that they are of the networks in the kit, "
        "and that every figure follows from its samples. Exit status 1 if one is not.", records=False,
    )  # fmt: skip
    _add_records(parser)
    return parser


def _add_records(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths", nargs="+", type=cli.file, metavar="DIR|FILE",
        help="folders that devices wrote (KIT/records), archives of them (.zip), or their files of records",
    )  # fmt: skip
    parser.add_argument(
        "--kit", type=cli.folder, metavar="DIR", help="the kit that was run (default: the manifest beside the records)"
    )
