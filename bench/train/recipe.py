"""The paper's recipe as data (section IV-A), and the learning rate that it gives."""

from dataclasses import asdict, dataclass, replace

from bench.core.errors import InputError

# F of equation (8): the rows of Table IV. ``bench.train.loss`` computes them.
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

    def flat(self) -> dict[str, Scalar]:
        """Every choice by name, as records and checkpoints hold it."""
        return asdict(self)

    def learning_rate(self, iteration: int, iterations_an_epoch: int) -> float:
        """Of a step, counted from 0: linear warm-up, then a tenth from each of the two epochs on."""
        epoch = iteration // iterations_an_epoch
        decays = (epoch >= self.lr_decay_epoch_1) + (epoch >= self.lr_decay_epoch_2)
        lr = self.lr * self.lr_decay**decays
        warmup = min(self.warmup_iterations, self.epochs * iterations_an_epoch // 10)
        if iteration >= warmup:
            return lr
        return lr * (self.warmup_ratio + (1 - self.warmup_ratio) * iteration / warmup)


def paper(
    input_size: tuple[int, int], *, mpii: bool = False, epochs: int = 210, batch: int = 64, lr: float = 5e-4,
    loss: str = "x",
) -> Recipe:  # fmt: skip
    """The paper's recipe for an input size, a data set and a budget.

    Args:
        input_size: height, width. Sigma is 2 at a height of 256 and 3 at 384 as released, and in proportion elsewhere.
        mpii: without half-body augmentation, which is for COCO (and for synthetic people, labelled like COCO's).
        epochs: the learning rate falls at 170/210 and 200/210 of them.
        batch: images a step and process; the learning rate does not follow it.
        lr: after warm-up.
        loss: F of equation (8).

    Raises:
        InputError: unknown loss, or a learning rate that is not above 0.
    """
    if loss not in LOSSES:
        raise InputError(f"unknown loss {loss!r}: use {', '.join(LOSSES)}")
    if not 0 < lr < float("inf"):
        raise InputError(f"learning rate {lr:g} is impossible: give a number above 0, such as 5e-4")
    return Recipe(
        loss=loss,
        epochs=epochs,
        batch=batch,
        lr=lr,
        lr_decay_epoch_1=round(epochs * 170 / 210),
        lr_decay_epoch_2=round(epochs * 200 / 210),
        sigma=input_size[0] / 128,
        half_body_prob=0.0 if mpii else 0.3,
    )


def light(recipe: Recipe) -> Recipe:
    """For short trainings on drawn people: whole, upright and hardly scaled, as validation shows them.

    Augmentation stands for pictures that nobody has. It pays in a long training; in a short one it is most of what
    there is to learn, and of drawn people there are always more.
    """
    return replace(recipe, name="light", half_body_prob=0.0, scale_factor=0.25, rot_prob=0.0)


RECIPES = {"paper": lambda recipe: recipe, "light": light}
