"""Annotation files, files of boxes and options, damaged in every way that hypothesis finds: only one-line errors.

    python benchmarks/fuzz_inputs.py --examples 2000

Each example is a sound input with some of it replaced, removed, or cut: numbers without bounds, NaN, texts where
numbers are meant, names that lead elsewhere, nesting, bytes that are no text. It must be read, or refused with an
``InputError`` of one line; nothing may be written, opened outside the folder, or waited for. Of options, whatever is
not refused must have become a value within the limits that the help promises. ``tests/bench/test_fuzz_inputs.py`` runs
the same with fewer examples.
"""

import argparse
import copy
import functools
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import bench.accuracy.options
import bench.data.options
import bench.predict.options
import bench.train.options
from bench.accuracy import score_coco
from bench.accuracy.coco import METRICS
from bench.core.errors import InputError
from bench.core.skeletons import COCO
from bench.data import open_dataset
from bench.predict.pictures import find

LONGEST = 1000  # characters of a message
JOINTS = ["a left", "a right", "LHand", "RHand", *map("joint {}".format, range(13))]

# ------------------------------------------------------------------------------ inputs

HOSTILE = [
    "", "\0", "\ud800", "/dev/zero", "../a.png", "a/../../b.png", "C:\\a.png", "\\\\server\\a.png", "a" * 5000, "a\nb",
    "NaN", "person", "1.png", "walk/1.png", -1, 0, 1, 2, 3.5, -0.0, 1e300, 1e400, -1e400, float("nan"), 2**31, 2**63,
    2**64, -(2**63), 10**400, True, False, None, [], {}, [[]], [None], [1, 2], [1, 2, 3, 4], [1, 2, 3, -4], [0] * 51,
    [1e308] * 51, ["a"] * 51, [[1, 2], [3]], {"id": 1}, [0, 0, 0, 0], [1e8, 1, 1, 1], ["nose"] * 17, "iVBORw0KGgo=",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(HOSTILE),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
)
# What is done to a sound input: where (numbers that choose a way down), and what is put there; or it is removed.
CHANGES = st.lists(
    st.tuples(st.lists(st.integers(0, 60), min_size=1, max_size=5), st.none() | st.tuples(VALUES)), max_size=4
)
# What is done to its bytes: nothing, a cut, or other bytes put in.
DAMAGE = st.integers(0, 4).flatmap(
    lambda number: st.none() if number else st.tuples(st.floats(0, 1), st.binary(max_size=12), st.booleans())
)
BEFORE = st.sampled_from([b""] * 20 + [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"\xef\xbb\xbf", b"\xff\xfe"])


def annotations() -> dict[str, Any]:
    """A sound annotation file of two pictures with a person each."""
    person = {
        "category_id": 1, "bbox": [10.0, 8.0, 40.0, 45.0], "area": 900.0, "iscrowd": 0, "num_keypoints": 17,
        "keypoints": [value for joint in range(17) for value in (12 + joint, 10 + joint, 1 + joint % 2)],
    }  # fmt: skip
    return {
        "info": {"description": "made up"},
        "images": [{"id": n, "file_name": f"{n}.png", "width": 80, "height": 60} for n in (1, 2)],
        "annotations": [{"id": n, "image_id": n, **copy.deepcopy(person)} for n in (1, 2)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints)}],
    }


def detections() -> list[dict[str, Any]]:
    return [{"image_id": n, "category_id": 1, "bbox": [1.0, 2.0, 30.0, 40.0], "score": 0.5} for n in (1, 2)]


def names_with_boxes() -> dict[str, Any]:
    return {"1.png": [[1, 2, 30, 40]], "walk/2.png": [[1, 2, 30, 40], [3, 4, 5, 6]]}


def changed(content: Any, changes: list[tuple[list[int], tuple[Any] | None]]) -> Any:
    """The content with what is found by going down as the numbers say replaced, or removed."""
    for way, new in changes:
        place, last = content, None
        for number in way:
            if not isinstance(place, (dict, list)) or not place:
                break
            last = place, (list(place) if isinstance(place, dict) else range(len(place)))[number % len(place)]
            place = place[last[1]]
        if last is None:
            content = copy.deepcopy(new[0]) if new else None
        elif new:
            last[0][last[1]] = copy.deepcopy(new[0])
        else:
            del last[0][last[1]]
    return content


def encoded(content: Any, damage: tuple[float, bytes, bool] | None, before: bytes) -> bytes:
    try:
        data = before + json.dumps(content).encode()
    except ValueError:  # a number too long to be written
        data = before
    if damage is not None:
        share, put_in, cut = damage
        at = int(share * len(data))
        data = data[:at] + put_in + (b"" if cut else data[at:])
    return data


# ------------------------------------------------------------------------------ what must hold


def refused_or_done(work: Callable[[], object]) -> bool:
    """Whether it was done; else it must have been refused with one line of sensible length."""
    refusal: str | None = None
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            work()
        except InputError as error:
            refusal = str(error)
    for text in [*(str(one.message) for one in said), *([] if refusal is None else [refusal])]:
        assert 0 < len(text.strip()) <= len(text) < LONGEST, text[:LONGEST]
        assert "\n" not in text, text
    return refusal is None


def fuzz_annotations(folder: Path, examples: int) -> None:
    """Looked at, scored, and taken boxes of: by one set of rules."""
    for name in ("1.png", "2.png"):
        Image.new("RGB", (80, 60)).save(folder / name)
    file = folder / "annotations.json"

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(CHANGES, DAMAGE, BEFORE)
    def check(changes: Any, damage: Any, before: bytes) -> None:
        file.write_bytes(encoded(changed(annotations(), changes), damage, before))
        found: list[Any] = []
        if refused_or_done(lambda: found.append(open_dataset("coco", annotations=file))):
            (dataset,) = found
            for index in range(len(dataset)):
                refused_or_done(functools.partial(dataset.load, index))
            # What was accepted before the work is accepted after it.
            scores = dataset.score([])
            assert set(scores.values()) <= {0, -1}
            with warnings.catch_warnings(action="ignore"):
                assert tuple(score_coco(file, [])) == METRICS
        refused_or_done(lambda: find([folder], file))

    check()


def fuzz_boxes(folder: Path, examples: int) -> None:
    """Detections for evaluation, and all kinds of boxes for prediction."""
    (folder / "walk").mkdir()
    for name in ("1.png", "walk/2.png"):
        Image.new("RGB", (80, 60)).save(folder / name)
    boxes, listing = folder / "boxes.json", folder / "annotations.json"
    listing.write_text(json.dumps(annotations()))

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from([detections, names_with_boxes]), CHANGES, DAMAGE, BEFORE, st.booleans())
    def check(kind: Callable[[], Any], changes: Any, damage: Any, before: bytes, subset: bool) -> None:
        boxes.write_bytes(encoded(changed(kind(), changes), damage, before))
        refused_or_done(lambda: open_dataset("coco", annotations=listing, detections=boxes, subset=subset))
        refused_or_done(lambda: find([folder], boxes))

    check()


def skeleton() -> dict[str, Any]:
    """A sound file of ``--skeleton`` for ``annotations``, whose joints have names of their own."""
    return {
        "joints": JOINTS, "flip_pairs": [["a left", "a right"], [2, 3]], "sigmas": [0.05] * 17, "limbs": [[0, 1]],
        "upper_body": [0, "a right"], "head": [0, 4],
    }  # fmt: skip


def fuzz_skeletons(folder: Path, examples: int) -> None:
    """Files of ``--skeleton``, and categories that name other joints than COCO's."""
    for name in ("1.png", "2.png"):
        Image.new("RGB", (80, 60)).save(folder / name)
    file, listing = folder / "skeleton.json", folder / "annotations.json"

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(CHANGES, CHANGES, DAMAGE, BEFORE)
    def check(changes: Any, others: Any, damage: Any, before: bytes) -> None:
        file.write_bytes(encoded(changed(skeleton(), changes), damage, before))
        content = annotations()
        content["categories"] = changed([{"id": 1, "name": "person", "keypoints": list(JOINTS)}], others)
        listing.write_bytes(encoded(content, None, b""))
        found: list[Any] = []
        if refused_or_done(lambda: found.append(open_dataset("coco", annotations=listing, skeleton=file))):
            joints = len(found[0].skeleton.joints)
            flat = [joint for pair in found[0].skeleton.flip_pairs for joint in pair]
            assert len(set(flat)) == len(flat)
            assert {*flat, *found[0].skeleton.upper_body} <= set(range(joints))
            assert len(found[0].skeleton.sigmas) == joints
            assert set(found[0].score([]).values()) <= {0, -1}

    check()


COMMANDS = {
    bench.accuracy.options.parse: (
        ["--limit", "--skip-bad", "--images", "--seed", "--batch", "--workers", "--threads", "--input", "--dataset",
         "--decode", "--data-root", "--detections", "--annotations", "--category", "--weights", "--models"], [],
    ),
    bench.predict.options.parse: (
        ["--boxes", "--joints", "--threshold", "--batch", "--skip-bad", "--category", "--model", "--input", "--device"],
        ["a.png", "--out", "o"],
    ),
    bench.train.options.parse: (
        ["--epochs", "--samples", "--batch", "--lr", "--seed", "--seeds", "--threads", "--workers", "--input", "--loss",
         "--validate-every", "--checkpoint-every", "--attention", "--init", "--out"], ["--model", "lite_hrnet_18"],
    ),
    bench.data.options.parse: (["--images", "--seed", "--kind", "--out"], ["synthetic", "--out", "o"]),
}  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        [*map(str, HOSTILE), "9" * 5000, "1e400", "0x1", "1_0", " 3 ", "³", "--help=1", "all,", ",", "1,1"]
    ),
)
MOST = {
    "epochs": 100_000, "batch": 4096, "threads": 1024, "workers": 256, "joints": 1024, "limit": 10_000_000,
    "seed": 2**63 - 1, "samples": 1_000_000, "skip_bad": 10_000_000, "threshold": 1, "lr": 10,
}  # fmt: skip


def fuzz_options(examples: int) -> None:
    """Whatever is not refused is within its limits."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(list(COMMANDS)), st.data())
    def check(parse: Callable[[list[str]], argparse.Namespace], data: st.DataObject) -> None:
        options, needed = COMMANDS[parse]  # type: ignore[index]
        argv = list(needed)
        for option in data.draw(st.lists(st.sampled_from(options), max_size=3)):
            argv.append(f"{option}={data.draw(TEXTS)}")
        found: list[argparse.Namespace] = []
        if refused_or_done(lambda: found.append(parse(argv))):
            for name, most in MOST.items():
                value = getattr(found[0], name, None)
                assert value is None or 0 <= value <= most, (argv, name, value)

    check()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000, help="of each of the four kinds")
    arguments = parser.parse_args()
    for fuzz in (fuzz_annotations, fuzz_boxes, fuzz_skeletons):
        with tempfile.TemporaryDirectory() as folder:
            fuzz(Path(folder), arguments.examples)
        print(f"{fuzz.__name__}: {arguments.examples} examples, nothing but one-line errors")
    fuzz_options(arguments.examples)
    print(f"fuzz_options: {arguments.examples} examples, nothing but one-line errors and values within their limits")


if __name__ == "__main__":
    main()
