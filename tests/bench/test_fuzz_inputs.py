"""``benchmarks/fuzz_inputs.py`` with fewer examples."""

from pathlib import Path

from benchmarks.fuzz_inputs import fuzz_annotations, fuzz_boxes, fuzz_options, fuzz_skeletons


def test_annotation_files_are_read_or_refused_with_one_line(tmp_path: Path) -> None:
    fuzz_annotations(tmp_path, 150)


def test_files_of_boxes_are_read_or_refused_with_one_line(tmp_path: Path) -> None:
    fuzz_boxes(tmp_path, 150)


def test_files_of_skeletons_are_read_or_refused_with_one_line(tmp_path: Path) -> None:
    fuzz_skeletons(tmp_path, 60)


def test_options_are_within_their_limits_or_refused_with_one_line() -> None:
    fuzz_options(150)
