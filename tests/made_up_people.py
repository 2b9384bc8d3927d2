"""People and poses made up from a seed, for scores that were computed once with the published evaluators.

    PYTHONPATH=. python tests/made_up_people.py

in an environment of its own, with xtcocotools 1.14.3 and numpy below 1.24, writes ``tests/reference/skeletons.json``.
"""

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.skeletons import CROWDPOSE, WHOLEBODY

PARTS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
SEED = 2
PICTURES, PEOPLE, WRONG = 8, 4, 2


def made_up(joints: int, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations, and predictions as ``bench.accuracy`` scores them; nobody is near anybody else.

    Parts of some people are not labelled, one is a crowd, and some poses are of nobody.
    """
    random = np.random.RandomState(seed)
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    predictions: list[dict[str, Any]] = []
    ends = np.cumsum([*PARTS.values()]) if joints == sum(PARTS.values()) else [joints]
    for picture in range(1, PICTURES + 1):
        crowding = round(float(random.rand()), 3)
        content["images"].append({"id": picture, "file_name": f"{picture}.jpg", "width": 4000, "height": 480,
                                  "crowdIndex": crowding})  # fmt: skip
        for number in range(PEOPLE + WRONG):
            corner = np.array((600.0 * number + 20, 40.0))
            places = (corner + random.rand(joints, 2) * (120, 200)).round(2)
            flags = random.choice([0, 1, 2], joints, p=[0.3, 0.2, 0.5])
            for start, end in zip([0, *ends], ends, strict=False):
                if len(ends) > 1 and random.rand() < 0.3:
                    flags[start:end] = 0
            crowd = int(random.rand() < 0.1)
            if crowd:
                flags[:] = 0
            width, height = (random.rand(2) * 60 + (100, 180)).round(1).tolist()
            spread = random.choice([0.5, 2, 6, 15])
            found = (places + random.randn(joints, 2) * spread).round(2)
            confidence = random.rand(joints).round(3)
            predictions.append({
                "image_id": picture, "bbox_score": round(float(random.rand()), 4), "size_px": [150.0, 250.0],
                "keypoints": np.column_stack((found, confidence)).tolist(),
            })  # fmt: skip
            if number >= PEOPLE:
                continue
            places[flags == 0] = 0
            flat = np.column_stack((places, flags))
            content["annotations"].append({
                "id": len(content["annotations"]) + 1, "image_id": picture, "category_id": 1, "iscrowd": crowd,
                "bbox": [*corner.tolist(), width, height], "area": round(width * height * 0.6, 2),
                "num_keypoints": int((flags > 0).sum()), **fields(flat.tolist()),
            })  # fmt: skip
    return content, predictions


def fields(joints: list[list[float]]) -> dict[str, list[float]]:
    """Joints as annotation files have them: in one field, or COCO-WholeBody's in five."""
    if len(joints) != sum(PARTS.values()):
        return {"keypoints": [value for joint in joints for value in joint]}
    found, start = {}, 0
    for name, count in PARTS.items():
        found[name] = [value for joint in joints[start : start + count] for value in joint]
        start += count
    return found


# ------------------------------------------------------------------------------ the published evaluators


def results(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In COCO's result format, scored as top-down networks are: by the box and the joints above 0.2."""
    found = []
    for prediction in predictions:
        joints = np.array(prediction["keypoints"])
        sure = joints[:, 2][joints[:, 2] > 0.2]
        score = prediction["bbox_score"] * (sure.mean() if len(sure) else 0.0)
        found.append({"image_id": prediction["image_id"], "category_id": 1, "score": float(score),
                      **fields(joints.tolist())})  # fmt: skip
    return found


def published(content: dict[str, Any], predictions: list[dict[str, Any]], kind: str, sigmas: Any) -> list[float]:
    """What xtcocotools says."""
    coco, cocoeval = (importlib.import_module(f"xtcocotools.{name}") for name in ("coco", "cocoeval"))
    with tempfile.TemporaryDirectory() as folder:
        truth, listed = Path(folder) / "truth.json", Path(folder) / "results.json"
        truth.write_text(json.dumps(content))
        listed.write_text(json.dumps(results(predictions)))
        index = coco.COCO(str(truth))
        found, use_area = index.loadRes(str(listed)), kind != "keypoints_crowd"
        evaluation = cocoeval.COCOeval(index, found, kind, np.array(sigmas), use_area=use_area)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats]


def main() -> None:
    """Write the reference."""
    told: dict[str, Any] = {"about": f"xtcocotools 1.14.3 on what tests/made_up_people.py makes of seed {SEED}"}
    told["crowdpose"] = published(*made_up(14, SEED), "keypoints_crowd", CROWDPOSE.sigmas)
    whole, start = made_up(133, SEED), 0
    for part, count in zip(("body", "foot", "face", "lefthand", "righthand"), PARTS.values(), strict=True):
        sigmas = WHOLEBODY.part(slice(start, start + count)).sigmas
        told[part] = published(*whole, f"keypoints_{part}", sigmas)
        start += count
    told["whole"] = published(*whole, "keypoints_wholebody", WHOLEBODY.sigmas)
    (Path(__file__).parent / "reference" / "skeletons.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()
