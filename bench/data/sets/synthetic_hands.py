"""The drawn people with 29 joints: body and feet, and the tips of thumb, forefinger and little finger of each hand."""

from dataclasses import replace
from functools import partial

from bench.core.skeletons import BODY_FEET_HANDS
from bench.data.sets import synthetic
from bench.data.sets.coco import score_keypoints

ENTRY = replace(
    synthetic.ENTRY,
    name="synthetic_hands",
    skeleton=BODY_FEET_HANDS,
    open=partial(synthetic.open_synthetic, variant="hands"),
    score=partial(score_keypoints, skeleton=BODY_FEET_HANDS),
    weights="synthetic_hands",
    default_weights="random",
)
