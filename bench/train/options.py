"""The options of ``python -m bench.train``."""

import argparse
from pathlib import Path

from bench import cli
from bench.core.errors import InputError
from bench.core.output_kinds import LOSSES
from bench.data import registry
from bench.train import ablations
from bench.train.ablations import ATTENTIONS
from bench.train.recipe import RECIPES, recipe_epochs

DEFAULT_OUT = Path("results/local/train")

# Of the synthetic set, which is drawn on and on: a number of samples takes the place of a pass through the data.
SAMPLES = 10_000


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("train", "Train networks by the paper's recipe; --resume goes on where it stopped.")
    parser.add_argument(
        "--model", "--models", metavar="NAME[,NAME]",
        help="all, names of the zoo, simplebaseline:timm/NAME, lightweight:timm/NAME, or a factory of your own as "
        "path/to/file.py:function or package.module:function",
    )  # fmt: skip
    parser.add_argument(
        "--table", choices=ablations.TABLES, help="all rows of Table IV or VI, or all networks, one after the other"
    )
    parser.add_argument(
        "--dataset", choices=list(registry.entries()),
        help="default: synthetic, which needs no files; coco with --annotations",
    )  # fmt: skip
    parser.add_argument(
        "--data-root", type=cli.folder, metavar="DIR", help="folder of COCO, MPII or written synthetic people"
    )
    parser.add_argument(
        "--annotations", type=cli.file, metavar="FILE",
        help="in place of --data-root: any annotation file in COCO's format, as it was exported",
    )  # fmt: skip
    parser.add_argument("--images", type=cli.folder, metavar="DIR", help="its pictures (default: beside it)")
    parser.add_argument(
        "--val-annotations", type=cli.file, metavar="FILE", help="with --annotations: whom to validate on"
    )
    parser.add_argument("--val-images", type=cli.folder, metavar="DIR", help="their pictures (default: as --images)")
    parser.add_argument("--category", metavar="NAME", help="of the people in the annotations (default: person)")
    cli.add_skeleton_option(parser, "of the people in the annotations")
    parser.add_argument("--input", metavar="HxW", help="height x width (default: 256x192; MPII 256x256)")
    parser.add_argument(
        "--recipe", choices=list(RECIPES), default="paper",
        help="printed in full at the start; light: little augmentation, for short trainings on drawn people; the "
        "others: what the newer networks were published with",
    )  # fmt: skip
    parser.add_argument(
        "--epochs", type=cli.epochs, help="the learning rate falls in proportion (default: the recipe's, paper: 210)"
    )
    parser.add_argument(
        "--samples", type=cli.count, metavar="N",
        help=f"of an epoch (default: everyone in --data-root; {SAMPLES} newly drawn people without one)",
    )  # fmt: skip
    parser.add_argument("--batch", type=cli.batch, help="of a process (default: the recipe's, paper: 64)")
    parser.add_argument(
        "--lr", type=cli.learning_rate, help="learning rate, whatever the batch (default: the recipe's, paper: 5e-4)"
    )
    parser.add_argument(
        "--loss", choices=LOSSES,
        help="of heatmaps: F of equation (8), as in Table IV (default: x); others: what the network was published with",
    )  # fmt: skip
    parser.add_argument("--attention", choices=ATTENTIONS, help="of a lightweight head (default: parallel)")
    parser.add_argument(
        "--init", metavar="scratch|imagenet|imagenet:FILE|FILE",
        help="weights to begin with (default: imagenet for COCO and MPII where torchvision has them, else scratch)",
    )  # fmt: skip
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="mixed, except for fp32")
    parser.add_argument("--seed", type=cli.seed, help="of weights, order and augmentation (default: 0)")
    parser.add_argument("--seeds", type=seeds, metavar="N[,N]", help="one training for each, instead of --seed")
    cli.add_device_option(parser)
    cli.add_threads_option(parser, why="one a physical core, shared by the processes of this machine")
    parser.add_argument(
        "--workers", type=cli.processes, help="processes that make samples (default: 1 to 8, by processors)"
    )
    parser.add_argument("--sync-bn", action="store_true", help="batch statistics over all GPUs, not one by one")
    parser.add_argument("--validate-every", type=cli.epochs, default=10, metavar="EPOCHS")
    parser.add_argument("--checkpoint-every", type=cli.count, default=500, metavar="STEPS", help="and every epoch")
    parser.add_argument("--resume", action="store_true", help="go on from what --out holds; finished ones are kept")
    parser.add_argument(
        "--out", type=cli.writable_folder, default=DEFAULT_OUT, metavar="DIR", help="has a folder for each training"
    )
    cli.add_timeout_option(parser)
    arguments = parser.parse_args(argv)
    if (arguments.model is None) == (arguments.table is None):
        raise InputError("give either --model, what to train, or --table 4, 6 or models, all that a table needs")
    if arguments.table in ("4", "6") and (
        arguments.attention or (arguments.table == "4" and arguments.loss not in (None, "x"))
    ):
        raise InputError(f"--table {arguments.table} says which loss and attention: leave out --loss and --attention")
    if arguments.seed is not None and arguments.seeds is not None:
        raise InputError("--seeds takes the place of --seed: give one of them")
    arguments.seed = arguments.seed or 0
    _check_files(arguments)
    arguments.dataset = arguments.dataset or ("synthetic" if arguments.annotations is None else "coco")
    entry = registry.entry_of(arguments.dataset)
    if entry.needs_files and arguments.data_root is None and arguments.annotations is None:
        raise InputError(f"--dataset {arguments.dataset} needs --data-root: the folder of its annotations and pictures")
    arguments.input = arguments.input or entry.input
    arguments.epochs = arguments.epochs or recipe_epochs(arguments.recipe)
    return arguments


def _check_files(arguments: argparse.Namespace) -> None:
    """Raises ``InputError`` for options of annotation files that do not go together."""
    if arguments.annotations is None:
        for name in ("images", "val_annotations", "val_images", "skeleton"):
            if getattr(arguments, name) is not None:
                raise InputError(f"--{name.replace('_', '-')} goes with --annotations FILE: whom to train on")
    elif arguments.data_root is not None:
        raise InputError("--annotations takes the place of --data-root: give one of them")
    elif arguments.val_annotations is None:
        raise InputError("--annotations needs --val-annotations FILE: people to validate on that no training sees")


def seeds(text: str) -> list[int]:
    """``0,1`` as whole numbers, each once."""
    return list(dict.fromkeys(cli.seed(part) for part in cli.listed(cli.names(text))))
