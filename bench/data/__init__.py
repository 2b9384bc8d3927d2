"""Images and boxes, as top-down pose estimation takes them."""

from bench.data.crop import box_to_crop, crop, normalise, photograph

__all__ = ["box_to_crop", "crop", "normalise", "photograph"]
