"""The stages by name, and what the frames of a record were, in a few words. Imports nothing heavy, for the report."""

from bench.core.record import Record
from bench.core.skeletons import COCO

# In order. detect: the detector, or boxes from the joints of the frame before; joints: smoothing too.
STAGES = ("read", "detect", "crop", "network", "joints", "draw")


def what(record: Record, *, size: bool = True) -> str:
    """The frames of a record of the pipeline, and how they came; with the size of drawn ones, unless it is known."""
    told = record.protocol
    drawn = told["source"] in ("scenes", "motion")
    if told["scenario"] == "offline":
        parts = [f"batch {record.batch}"]
    elif drawn:
        parts = [f"{told['people']} {'person' if told['people'] == 1 else 'people'}"]
    else:
        parts = [str(told["source"])]
    if drawn and size:
        parts.append(str(told["size"]))
    if told["source"] == "motion":
        parts.append("motion")
    if told["scenario"] == "paced":
        parts.append(f"{told['rate']:g}/s")
    if told["scenario"] == "streams":
        parts.append(f"{told['streams']} streams")
    if told["boxes"] not in ("given", "whole"):
        parts.append(f"boxes of a {told['boxes']}")
    if told["detect_every"] != 1:
        parts.append(f"every {told['detect_every']}")
    if record.num_joints != len(COCO.joints) or "joints_sha256" in told:
        parts.append(f"{record.num_joints} joints")
    if told["smooth"] != "none":
        parts.append(str(told["smooth"]))
    if told.get("draw"):
        parts.append("drawn on")
    if told["scenario"] == "single stream" and told.get("for_s"):
        parts.append(f"for {told['for_s']:g} s")
    return ", ".join(parts)
