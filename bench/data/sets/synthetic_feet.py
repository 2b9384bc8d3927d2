"""The drawn people with 23 joints: COCO's, and big toe, small toe and heel of each foot."""

from dataclasses import replace
from functools import partial

from bench.core.skeletons import BODY_AND_FEET
from bench.data.sets import synthetic
from bench.data.sets.coco import score_keypoints

ENTRY = replace(
    synthetic.ENTRY,
    name="synthetic_feet",
    skeleton=BODY_AND_FEET,
    open=partial(synthetic.open_synthetic, variant="feet"),
    score=partial(score_keypoints, skeleton=BODY_AND_FEET),
    weights="synthetic_feet",
    default_weights="random",
)
