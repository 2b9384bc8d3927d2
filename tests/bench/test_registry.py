"""A data set is one file: here one is added, as CONTRIBUTING says."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy.options import parse
from bench.core.errors import InputError
from bench.data import open_dataset, registry, sets

OWN = '''
import numpy as np

from bench.core.skeletons import Skeleton
from bench.data.registry import DatasetEntry

HANDS = Skeleton(("left_hand", "right_hand"), ((0, 1),), ((0, 1),), (0, 1))


class Hands:
    name, skeleton, fingerprint, annotated = "hands", HANDS, "0" * 64, True

    def __init__(self, source):
        self.entry, self.truth = ENTRY, np.zeros((source.images or 3, 2))

    def __len__(self):
        return len(self.truth)

    def score(self, predictions, *, evaluator="faster"):
        return self.entry.score(self.truth, predictions, evaluator)


def score(truth, predictions, evaluator):
    return {"hit": float(np.mean([abs(one["x"] - at).max() < 1 for one, at in zip(predictions, truth)]))}


ENTRY = DatasetEntry(
    name="hands", skeleton=HANDS, input="128x128", metrics={"hit": "hits"}, main="hit", factor=100, open=Hands,
    score=score, weights="coco", default_weights="random", needs_files=False,
)
'''  # fmt: skip


@pytest.fixture
def hands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "hands.py").write_text(OWN)
    with monkeypatch.context() as patch:
        patch.setattr(sets, "__path__", [*sets.__path__, str(tmp_path)])
        registry.entries.cache_clear()
        yield
    registry.entries.cache_clear()


def test_a_file_in_the_folder_is_a_data_set(hands: None) -> None:
    dataset = open_dataset("hands", images=2)
    assert (len(dataset), dataset.entry.input) == (2, "128x128")
    assert dataset.score([{"x": np.zeros(2)}, {"x": np.full(2, 5.0)}]) == {"hit": 0.5}
    arguments = parse(["--dataset", "hands"])  # and the options know it
    assert (arguments.dataset, arguments.weights) == ("hands", "random")
    assert registry.entry_with_joints(2).name == "hands"


def test_the_help_says_what_a_limit_counts_of_each_data_set(hands: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    told = " ".join(capsys.readouterr().out.split())
    told = told[told.index("--limit N a smaller set") : told.index("--skip-bad N leave")]
    for one in registry.entries().values():
        (listed,) = re.findall(rf"of (\S+(?:, \S+)*) the first N {one.unit}", told)
        assert one.name in listed.split(", ")
    assert registry.entry_of("mpii").unit == "people"
    assert re.search(r"hands\b.* the first N pictures", told)


def test_the_entries_say_what_the_published_sets_are() -> None:
    entries = registry.entries()
    assert list(entries) == [
        "coco", "coco_wholebody", "crowdpose", "halpe26", "mpii", "ochuman", "synthetic", "synthetic_feet",
        "synthetic_hands",
    ]  # fmt: skip
    assert {name: (len(one.skeleton.joints), one.input, one.weights, one.main) for name, one in entries.items()} == {
        "coco": (17, "256x192", "coco", "ap"), "mpii": (16, "256x256", "mpii", "pckh"),
        "synthetic": (17, "256x192", "coco", "ap"), "ochuman": (17, "256x192", "coco", "ap"),
        "coco_wholebody": (133, "256x192", "coco_wholebody", "ap"), "crowdpose": (14, "256x192", "crowdpose", "ap"),
        "halpe26": (26, "256x192", "halpe26", "ap"), "synthetic_feet": (23, "256x192", "synthetic_feet", "ap"),
        "synthetic_hands": (29, "256x192", "synthetic_hands", "ap"),
    }  # fmt: skip
    coco = entries["coco"]
    assert coco.sized_name("coco_val2017", 5000) == "coco_val2017"
    assert coco.sized_name("coco_val2017", 4999) == "coco_val2017 (4999 pictures)"
    for entry in entries.values():
        assert entry.main in entry.metrics
    with pytest.raises(InputError, match="no data set 'hands': there is coco, coco_wholebody, crowdpose"):
        open_dataset("hands")
