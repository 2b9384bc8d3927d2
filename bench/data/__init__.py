"""Images, boxes and joints, as top-down pose estimation takes them."""

from bench.data.crop import box_to_crop, crop, normalise, photograph
from bench.data.dataset import COCO, MPII, Dataset, ImageError, Person, Skeleton
from bench.data.opening import open_dataset
from bench.data.target import make_target

__all__ = [
    "COCO",
    "MPII",
    "Dataset",
    "ImageError",
    "Person",
    "Skeleton",
    "box_to_crop",
    "crop",
    "make_target",
    "normalise",
    "open_dataset",
    "photograph",
]
