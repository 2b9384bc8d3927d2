"""``python -m bench.train.bundle FOLDER``: put a finished training's weights into the package, with its record."""

import argparse
from pathlib import Path

from bench import cli
from bench.core.errors import InputError
from bench.core.files import write_whole

LARGEST_BYTES = 7_000_000


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "train.bundle", "Put a finished training's last weights into the package, as float16, with its record.",
        records=False,
    )  # fmt: skip
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the training, as bench.train left it")
    return parser.parse_args(argv)


def main(arguments: argparse.Namespace) -> int:
    from bench.weights import BUNDLED

    print(bundle(arguments.folder, BUNDLED))
    return 0


def bundle(folder: Path, target: Path) -> Path:
    """Write ``MODEL.safetensors`` and ``MODEL.json`` to a folder.

    Raises:
        InputError: the training is not finished, or its weights are damaged, too large to ship, or no float16.
    """
    import torch

    from bench.train.training import read_finished
    from zoo.weights import files, loading

    record, weights = read_finished(folder), folder / "last.safetensors"
    state, metadata = files.read(weights)
    half = {
        name: value.half() if value.is_floating_point() else value
        for name, value in state.items()
        if isinstance(value, torch.Tensor)
    }
    large = [name for name, value in half.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if large:
        raise InputError(f"{weights}: {large[0]} holds numbers that float16 cannot: it ends at 65,504")
    content = loading.encoded(half, metadata)
    if len(content) > LARGEST_BYTES:
        raise InputError(f"{record.model} takes {len(content):,} bytes, and {LARGEST_BYTES:,} are allowed")
    path = target / f"{record.model}.safetensors"
    write_whole(path, content)
    write_whole(path.with_suffix(".json"), record.to_json().encode() + b"\n")
    return path


if __name__ == "__main__":
    cli.run(parse, "bench.train.bundle")
