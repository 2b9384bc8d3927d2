"""The options of ``python -m bench.train``."""

import argparse
from pathlib import Path

from bench import cli
from bench.core import machine
from bench.core.errors import InputError
from bench.train import ablations
from bench.train.ablations import ATTENTIONS
from bench.train.loss import WEIGHTS
from bench.train.recipe import RECIPES

DEFAULT_OUT = Path("results/local/train")


DEFAULT_INPUT = {"coco": "256x192", "mpii": "256x256", "synthetic": "256x192"}


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
    parser.add_argument("--dataset", choices=list(DEFAULT_INPUT), default="synthetic", help="synthetic needs no files")
    parser.add_argument(
        "--data-root", type=Path, metavar="DIR", help="folder of COCO, MPII or written synthetic people"
    )
    parser.add_argument("--input", metavar="HxW", help="height x width (default: 256x192; MPII 256x256)")
    parser.add_argument(
        "--recipe", choices=list(RECIPES), default="paper",
        help="printed in full at the start; light: little augmentation, for short trainings on drawn people",
    )  # fmt: skip
    parser.add_argument("--epochs", type=cli.count, default=210, help="the learning rate falls in proportion")
    parser.add_argument(
        "--samples", type=cli.count, metavar="N",
        help=f"of an epoch (default: everyone in --data-root; {SAMPLES} newly drawn people without one)",
    )  # fmt: skip
    parser.add_argument("--batch", type=cli.count, default=64, help="of a process")
    parser.add_argument("--lr", type=float, default=5e-4, help="learning rate, whatever the batch")
    parser.add_argument("--loss", choices=list(WEIGHTS), default="x", help="F of equation (8), as in Table IV")
    parser.add_argument("--attention", choices=ATTENTIONS, help="of a lightweight head (default: parallel)")
    parser.add_argument(
        "--init", metavar="scratch|imagenet|imagenet:FILE|FILE",
        help="weights to begin with (default: imagenet for COCO and MPII where torchvision has them, else scratch)",
    )  # fmt: skip
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="mixed, except for fp32")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_argument("--seeds", metavar="N[,N]", help="one training for each, instead of --seed")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, or auto: cuda where there is one")
    parser.add_argument("--threads", type=cli.count, help="CPU threads of a process (default: one a physical core)")
    parser.add_argument("--workers", type=int, help="processes that make samples (default: 1 to 8, by processors)")
    parser.add_argument("--sync-bn", action="store_true", help="batch statistics over all GPUs, not one by one")
    parser.add_argument("--validate-every", type=cli.count, default=10, metavar="EPOCHS")
    parser.add_argument("--checkpoint-every", type=cli.count, default=500, metavar="STEPS", help="and every epoch")
    parser.add_argument("--resume", action="store_true", help="go on from what --out holds; finished ones are kept")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="has a folder for each training")
    arguments = parser.parse_args(argv)
    if (arguments.model is None) == (arguments.table is None):
        raise InputError("give either --model, what to train, or --table 4, 6 or models, all that a table needs")
    if arguments.table in ("4", "6") and (arguments.attention or (arguments.table == "4" and arguments.loss != "x")):
        raise InputError(f"--table {arguments.table} says which loss and attention: leave out --loss and --attention")
    if arguments.dataset != "synthetic" and arguments.data_root is None:
        raise InputError(f"--dataset {arguments.dataset} needs --data-root: the folder of its annotations and pictures")
    arguments.input = arguments.input or DEFAULT_INPUT[arguments.dataset]
    if arguments.workers is None:
        arguments.workers = max(1, min(8, machine.usable_cores() - 1))
    if arguments.workers < 0:
        raise InputError("--workers cannot be below 0")
    return arguments
