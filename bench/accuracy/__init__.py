"""From heatmaps to the metrics of COCO and MPII."""

from bench.accuracy.coco import coco_results, score_coco
from bench.accuracy.decode import decode
from bench.accuracy.flip import flip_average
from bench.accuracy.mpii import score_mpii
from bench.accuracy.oks import oks_nms

__all__ = ["coco_results", "decode", "flip_average", "oks_nms", "score_coco", "score_mpii"]
