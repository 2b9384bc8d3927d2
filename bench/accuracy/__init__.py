"""From what networks give to the metrics of COCO and MPII."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.accuracy.coco import coco_results, score_coco
    from bench.accuracy.decoding import decode, decode_simcc
    from bench.accuracy.flip import flip_average, flip_average_simcc
    from bench.accuracy.mpii import score_mpii
    from bench.accuracy.oks import oks_nms

__all__ = [
    "coco_results",
    "decode",
    "decode_simcc",
    "flip_average",
    "flip_average_simcc",
    "oks_nms",
    "score_coco",
    "score_mpii",
]

__getattr__, __dir__, _ = attach(
    __name__,
    {
        "coco_results": "bench.accuracy.coco",
        **dict.fromkeys(("decode", "decode_simcc"), "bench.accuracy.decoding"),
        **dict.fromkeys(("flip_average", "flip_average_simcc"), "bench.accuracy.flip"),
        "oks_nms": "bench.accuracy.oks",
        "score_coco": "bench.accuracy.coco",
        "score_mpii": "bench.accuracy.mpii",
    },
)
