"""From heatmaps to the metrics of COCO and MPII."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.accuracy.coco import coco_results, score_coco
    from bench.accuracy.decoding import decode
    from bench.accuracy.flip import flip_average
    from bench.accuracy.mpii import score_mpii
    from bench.accuracy.oks import oks_nms

__all__ = ["coco_results", "decode", "flip_average", "oks_nms", "score_coco", "score_mpii"]

__getattr__, __dir__, _ = attach(
    __name__,
    {
        "coco_results": "bench.accuracy.coco",
        "decode": "bench.accuracy.decoding",
        "flip_average": "bench.accuracy.flip",
        "oks_nms": "bench.accuracy.oks",
        "score_coco": "bench.accuracy.coco",
        "score_mpii": "bench.accuracy.mpii",
    },
)
