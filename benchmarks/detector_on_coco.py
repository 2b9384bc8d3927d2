"""How many people does a detector's file find, of those that COCO's annotations have?

A person counts as found if a box of their own overlaps theirs by half (intersection over union); each box is given to
one person at most, so that as many as possible are found. Crowds are left out. Whoever covers less than 32 x 32 pixels
is small, as COCO has it. See docs/pipeline.md for what came out.

    python benchmarks/detector_on_coco.py yolox_nano.onnx --annotations person_keypoints_val2017.json --pictures val2017
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from bench.pipeline.detectors import CONFIDENCE, open_detector
from bench.pipeline.tracking import overlaps

ENOUGH = 0.5
SMALL = 32**2  # pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", type=Path, help="an .onnx or .xml file, with its JSON file beside it")
    parser.add_argument("--annotations", type=Path, required=True, help="COCO's JSON file")
    parser.add_argument("--pictures", type=Path, required=True, help="their folder")
    parser.add_argument("--confidence", type=float, default=CONFIDENCE)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    told = json.loads(options.annotations.read_bytes())
    detector = open_detector(options.detector, options.threads, options.confidence)
    print(f"{options.detector.name}: form {detector.form.name}, {detector.sidecar}")
    boxes = people = 0
    found, small, shared = [], [], []
    for picture in told["images"]:
        true = [one for one in told["annotations"] if one["image_id"] == picture["id"] and not one["iscrowd"]]
        frame = cv2.imread(str(options.pictures / picture["file_name"]))
        given = detector(0, np.asarray(frame, np.uint8))
        boxes, people = boxes + len(given), people + len(true)
        if true:
            common = overlaps(np.array([one["bbox"] for one in true], np.float64), given)
            rows, columns = linear_sum_assignment(common >= ENOUGH, maximize=True)
            enough = common[rows, columns] >= ENOUGH
            matched = set(rows[enough].tolist())
            shared += common[rows, columns][enough].tolist()
            found += [number in matched for number in range(len(true))]
            small += [one["area"] < SMALL for one in true]
    hit, tiny = np.array(found, bool), np.array(small, bool)
    print(
        f"{len(told['images'])} pictures, {people} people, {boxes} boxes of a score of {options.confidence:g} or more"
    )
    middle = np.median(shared) if shared else 0.0
    print(f"found: {hit.sum()} of {len(hit)}, of those that are not small {hit[~tiny].sum()} of {(~tiny).sum()}")
    print(f"overlap with who was found: {middle:.2f} in the median")


if __name__ == "__main__":
    main()
