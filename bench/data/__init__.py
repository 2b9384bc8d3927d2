"""Images, boxes and joints, as top-down pose estimation takes them."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.core.skeletons import COCO, MPII, Skeleton
    from bench.data.cropping import box_to_crop, crop, normalise, photograph
    from bench.data.dataset import Dataset, ImageError, Person
    from bench.data.registry import open_dataset
    from bench.data.target import make_simcc_target, make_target, make_udp_target

__all__ = [
    "COCO",
    "MPII",
    "Dataset",
    "ImageError",
    "Person",
    "Skeleton",
    "box_to_crop",
    "crop",
    "make_simcc_target",
    "make_target",
    "make_udp_target",
    "normalise",
    "open_dataset",
    "photograph",
]

__getattr__, __dir__, _ = attach(
    __name__,
    {
        **dict.fromkeys(("COCO", "MPII", "Skeleton"), "bench.core.skeletons"),
        **dict.fromkeys(("Dataset", "ImageError", "Person"), "bench.data.dataset"),
        **dict.fromkeys(("box_to_crop", "crop", "normalise", "photograph"), "bench.data.cropping"),
        **dict.fromkeys(("make_simcc_target", "make_target", "make_udp_target"), "bench.data.target"),
        "open_dataset": "bench.data.registry",
    },
)
