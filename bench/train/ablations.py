"""Which trainings the tables of the paper need."""

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.train.recipe import LOSSES

if TYPE_CHECKING:
    from bench.train.training import Training

OURS = "lightweight_mobilenetv3"
ATTENTIONS = ("none", "se", "cbam", "parallel")
TABLES = ("4", "6", "models")


def has_attention(model: str) -> bool:
    """Whether the head is the lightweight one, with the attention blocks of Table VI."""
    return model.startswith(("lightweight_", "lightweight:timm/"))


def rows(table: str, run: "Training") -> "list[Training]":
    """The trainings of Table IV (losses) or VI (attention blocks) or of all networks, alike in all else.

    The row of Table IV with F(x) = x is the last row of Table VI and the paper's network among all: trained into the
    same folder, it is trained once.
    """
    if table == "4":
        return [
            replace(run, model=OURS, attention="parallel", recipe=replace(run.recipe, loss=loss)) for loss in LOSSES
        ]
    if table == "6":
        return [replace(run, model=OURS, attention=attention) for attention in ATTENTIONS]
    from zoo import list_models

    return [
        replace(run, model=model, attention=run.attention if has_attention(model) else None)
        for model in list_models("paper")
    ]
