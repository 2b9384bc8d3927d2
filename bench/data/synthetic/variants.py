"""Which joints of drawn people are labelled. Imports nothing heavy."""

from typing import Literal, get_args

from bench.core.skeletons import BODY_AND_FEET, BODY_FEET_HANDS, COCO, Skeleton

# body: COCO's joints; feet: those of the feet too, in the same pictures; hands: of feet and hands, which have fingers.
Variant = Literal["body", "feet", "hands"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
SKELETONS: dict[Variant, Skeleton] = {"body": COCO, "feet": BODY_AND_FEET, "hands": BODY_FEET_HANDS}


def dataset_name(variant: Variant) -> str:
    """Of the data set's entry."""
    return "synthetic" if variant == "body" else f"synthetic_{variant}"


def variant_of(skeleton: Skeleton) -> Variant:
    """Whose people have these joints; COCO's where nobody has."""
    return next((variant for variant, joints in SKELETONS.items() if joints == skeleton), "body")
