"""Recipes as data: the paper's (section IV-A) and the newer networks', and the learning rates that they give."""

import math
from dataclasses import asdict, dataclass, fields, replace

from bench.core.errors import InputError
from bench.core.output_kinds import OutputKind

# F of equation (8): the rows of Table IV. ``bench.codecs.losses`` computes them.
LOSSES = ("mse", "x", "2x", "x^2", "e^x")
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. The defaults are the paper's for COCO at 256x192.

    Where text and released configuration differ, the configuration counts: its figures made the tables.
    """

    name: str = "paper"
    loss: str = "x"  # F(x) = x, the best row of Table IV
    optimizer: str = "adam"
    epochs: int = 210
    batch: int = 64  # images a step and process
    lr: float = 5e-4
    lr_decay: float = 0.1
    lr_decay_epoch_1: int = 170
    lr_decay_epoch_2: int = 200
    warmup_iterations: int = 500  # linear; never more than a tenth of all, which matters to short trainings only
    warmup_ratio: float = 0.001
    initial: str = "he"  # bench.train.initial; not of a user's own network
    boxes: str = "annotated"
    padding: float = 1.25
    sigma: float = 2.0  # of the targets, in pixels of a heatmap
    flip_prob: float = 0.5
    half_body_prob: float = 0.3
    num_joints_half_body: int = 8  # only people with more labelled joints than this
    half_body_upper_prob: float = 0.6915  # released code: a standard normal number is below 0.5
    half_body_padding: float = 1.5
    scale_factor: float = 0.5  # crop's size times N(1, 0.5), cut to 0.5 ... 1.5
    rot_factor: float = 40.0  # degrees: N(0, 40), cut to -80 ... 80: the text's "[-80, 80]" is the cut
    rot_prob: float = 0.6
    # What the paper's recipe has not.
    schedule: str = "steps"  # or "cosine": constant for half of the epochs, then down to ``final_ratio``
    final_ratio: float = 0.05
    weight_decay: float = 0.0  # with adamw; not of biases, norms and position embeddings
    layer_decay: float = 1.0  # of the learning rate, from each layer of a transformer to the one before it
    clip_norm: float = 0.0  # of the gradient; 0: not clipped
    average_momentum: float = 0.0  # of the moving average of weights and statistics that is validated and kept; 0: none
    sigma_x: float = 0.0  # of the targets along x where it is another one than along y
    draw: str = "clipped"  # factors of scale and rotation: normal, cut; or "truncated": drawn anew beyond the range
    shift_factor: float = 0.0  # of the box's size
    shift_prob: float = 0.0
    colour_jitter: float = 0.0  # 1: hue by up to 5 of 180, saturation and value by up to 30 of 255
    blur_prob: float = 0.0
    median_blur_prob: float = 0.0
    blank_prob: float = 0.0  # of one rectangle of 0.2 to 0.4 of each side
    last_epochs: int = 0  # so many at the end have no shift, and the three factors below
    last_scale_factor: float = 0.0
    last_rot_factor: float = 0.0
    last_blank_prob: float = 0.0

    @property
    def sigmas(self) -> tuple[float, float]:
        """Of the targets along x and y."""
        return self.sigma_x or self.sigma, self.sigma

    @property
    def at_the_end(self) -> "Recipe":
        """As it is in the last epochs."""
        return replace(
            self, shift_prob=0.0, scale_factor=self.last_scale_factor, rot_factor=self.last_rot_factor,
            blank_prob=self.last_blank_prob,
        )  # fmt: skip

    def flat(self) -> dict[str, Scalar]:
        """Every choice by name, as records and checkpoints hold it; what the paper's has not, only where it is used."""
        usual = {field.name: field.default for field in fields(self)}
        beyond = list(usual)[list(usual).index("schedule") :]
        return {key: value for key, value in asdict(self).items() if key not in beyond or value != usual[key]}

    def learning_rate(self, iteration: int, iterations_an_epoch: int) -> float:
        """Of a step, counted from 0: linear warm-up, then by the schedule."""
        epoch = iteration // iterations_an_epoch
        if self.schedule == "cosine":
            share = min(max(2 * iteration / (self.epochs * iterations_an_epoch) - 1, 0), 1)
            lr = self.lr * (self.final_ratio + (1 - self.final_ratio) * (1 + math.cos(math.pi * share)) / 2)
        else:
            decays = (epoch >= self.lr_decay_epoch_1) + (epoch >= self.lr_decay_epoch_2)
            lr = self.lr * self.lr_decay**decays
        warmup = min(self.warmup_iterations, self.epochs * iterations_an_epoch // 10)
        if iteration >= warmup:
            return lr
        return lr * (self.warmup_ratio + (1 - self.warmup_ratio) * iteration / warmup)


def light(recipe: Recipe) -> Recipe:
    """For short trainings on drawn people: whole, upright and hardly scaled, as validation shows them.

    Augmentation stands for pictures that nobody has. It pays in a long training; in a short one it is most of what
    there is to learn, and of drawn people there are always more.
    """
    return replace(recipe, name="light", half_body_prob=0.0, scale_factor=0.25, rot_prob=0.0)


@dataclass(frozen=True)
class Published:
    """A recipe that was published with networks: the paper's, or that of newer ones.

    What the networks' publishers do not say, or what depends on their number of GPUs, is a choice of this project, and
    named in docs/training.md.
    """

    methods: tuple[str, ...]  # of the networks' cards
    recipe: Recipe
    without_average: tuple[str, ...] = ()  # sizes, as the networks' names have them
    without_weight_decay: tuple[str, ...] = ()

    def of(self, model: str, *, half_body: bool, epochs: int | None) -> Recipe:
        """For a network, a data set and a budget; what changes at an epoch does so in proportion."""
        made, total = self.recipe, epochs or self.recipe.epochs
        share = total / made.epochs
        sizes = model.split("_")
        return replace(
            made, epochs=total,
            lr_decay_epoch_1=round(made.lr_decay_epoch_1 * share),
            lr_decay_epoch_2=round(made.lr_decay_epoch_2 * share),
            last_epochs=round(made.last_epochs * share),
            half_body_prob=made.half_body_prob if half_body else 0.0,
            average_momentum=0.0 if any(size in sizes for size in self.without_average) else made.average_momentum,
            weight_decay=0.0 if any(size in sizes for size in self.without_weight_decay) else made.weight_decay,
        )  # fmt: skip


_PAPER = Published((), Recipe())


def sigmas(loss: str, input_size: tuple[int, int]) -> tuple[float, float]:
    """Of the targets along x and y, in pixels of a heatmap or in bins.

    Heatmaps: 2 at a height of 256, 3 at 384, in proportion elsewhere. RTMPose: the square root of an eighth of the
    side, which gives its 4.9 and 5.66 at 256x192 and 6.0 and 6.93 at 384x288. SimCC: 6 at 256x192, in proportion to the
    height elsewhere. Sizes that were not published are a choice of this project.
    """
    height, width = input_size
    if loss == "kl_sharp":
        return round(math.sqrt(width / 8), 2), round(math.sqrt(height / 8), 2)
    sigma = 6 * height / 256 if loss == "kl" else height / 128
    return sigma, sigma


def make_recipe(
    name: str, model: str, method: str, kind: OutputKind, input_size: tuple[int, int], *, half_body: bool = True,
    epochs: int | None = None, batch: int | None = None, lr: float | None = None, loss: str | None = None,
) -> Recipe:  # fmt: skip
    """A recipe for a network, a data set and a budget; what is not given is the recipe's own.

    Args:
        name: paper, light or one of ``PUBLISHED``.
        model: the network's name.
        method: of its card, or empty.
        kind: of its output.
        input_size: height, width.
        half_body: whether the data set's people are trained on by halves too.
        epochs: how many; what changes at an epoch does so in proportion.
        batch: images a step and process; the learning rate does not follow it.
        lr: after warm-up.
        loss: one of the kind's losses. With the recipes paper and light, networks of heatmaps learn by the paper's loss
            and others by the one that they were published with.

    Raises:
        InputError: the loss is not one of the kind's, or the learning rate is not above 0.
    """
    published = PUBLISHED.get(name)
    own = next((one.recipe for one in PUBLISHED.values() if method in one.methods), None)
    if published is not None:
        usual = published.recipe.loss
    else:
        usual = own.loss if own is not None and kind.name != "heatmap" else kind.losses[0]
    chosen = loss or usual
    if chosen not in kind.losses:
        told = f"--loss {loss}" if loss else f"recipe {name} with its loss {chosen}"
        raise InputError(f"{model} gives {kind.what}, and {told} is for others: give --loss {' or '.join(kind.losses)}")
    made = (published or _PAPER).of(model, half_body=half_body, epochs=epochs)
    if published is None and own is not None:
        made = replace(made, initial="own")
    if name == "light":
        made = light(made)
    sigma_x, sigma = sigmas(chosen, input_size)
    return replace(
        made, batch=batch or made.batch, lr=_checked_rate(made.lr if lr is None else lr), loss=chosen, sigma=sigma,
        sigma_x=sigma_x if sigma_x != sigma else 0.0,
    )  # fmt: skip


def recipe_epochs(name: str) -> int:
    """How many epochs a recipe has of its own."""
    return (PUBLISHED[name].recipe if name in PUBLISHED else Recipe()).epochs


def _checked_rate(lr: float) -> float:
    if not 0 < lr < float("inf"):
        raise InputError(f"learning rate {lr:g} is impossible: give a number above 0, such as 5e-4")
    return lr


# What MMPose 1.x does by default: factors from a truncated normal distribution, and 30 % of the boxes shifted.
_TRUNCATED = Recipe(
    initial="own", draw="truncated", scale_factor=0.5, rot_factor=80.0, shift_factor=0.16, shift_prob=0.3,
)  # fmt: skip
_RTMPOSE = replace(
    _TRUNCATED, name="rtmpose", loss="kl_sharp", optimizer="adamw", epochs=420, batch=256, lr=4e-3, schedule="cosine",
    lr_decay_epoch_1=0, lr_decay_epoch_2=0, warmup_iterations=1000, warmup_ratio=1e-5, weight_decay=0.05,
    average_momentum=2e-4, scale_factor=0.4, colour_jitter=1.0, blur_prob=0.1, median_blur_prob=0.1, blank_prob=1.0,
    last_epochs=30, last_scale_factor=0.25, last_rot_factor=60.0, last_blank_prob=0.5,
)  # fmt: skip
PUBLISHED = {
    "rtmpose": Published(("RTMPose",), _RTMPOSE, without_average=("t",), without_weight_decay=("t", "s")),
    "simcc": Published(("SimCC",), replace(_TRUNCATED, name="simcc", loss="kl")),
    "vitpose": Published(
        ("ViTPose",),
        replace(
            _TRUNCATED, name="vitpose", loss="keypoint_mse", optimizer="adamw", weight_decay=0.1, layer_decay=0.8,
            clip_norm=1.0,
        ),
    ),
    "cspnext_udp": Published(
        ("CSPNeXt-UDP",), replace(_RTMPOSE, name="cspnext_udp", loss="keypoint_mse", epochs=210), without_average=("t",)
    ),
    "dite_hrnet": Published(
        ("Dite-HRNet",),
        Recipe(
            name="dite_hrnet", loss="mse", epochs=270, batch=32, lr=2e-3, initial="own", scale_factor=0.25,
            rot_factor=30.0,
        ),
    ),
}  # fmt: skip
RECIPES = ("paper", "light", *PUBLISHED)
