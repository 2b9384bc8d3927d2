"""Images and boxes, as top-down pose estimation takes them."""

from bench.data.crop import box_to_crop, crop, normalise, photograph
from bench.data.dataset import COCO, MPII, Dataset, ImageError, Person, Skeleton

__all__ = [
    "COCO",
    "MPII",
    "Dataset",
    "ImageError",
    "Person",
    "Skeleton",
    "box_to_crop",
    "crop",
    "normalise",
    "photograph",
]
