"""Which joints a network finds, as its weights, its file and ``--skeleton`` say."""

import argparse
from pathlib import Path

from bench.core.errors import InputError
from bench.core.skeletons import Skeleton
from bench.data.registry import DatasetEntry, entry_of, entry_with, entry_with_joints, joint_counts
from bench.data.skeleton_files import SkeletonFile, make_skeleton, of_metadata, read_skeleton
from bench.model_files.endings import is_file
from bench.models import Model

# The data set that published and bundled weights learnt from, by their joints, which their files do not name.
LEARNT_FROM = {16: "mpii", 17: "coco"}
KEYWORDS = ("published", "bundled", "own", "random")  # of --weights, which are no files


def count_joints(arguments: argparse.Namespace, name: str) -> int | None:
    """How many joints a model was said to have: by the option or, of a network, by its weights or its skeleton.

    Args:
        arguments: ``joints``, ``skeleton`` and, where a command has it, ``weights`` of them.
        name: of the model.

    Raises:
        InputError: one of these files cannot be used.
    """
    if arguments.joints is not None or is_file(name):
        return arguments.joints  # type: ignore[no-any-return]
    given, said = _given(arguments), _said_by_weights(_weights(arguments))
    names = (said and said.joints) or (given and given.joints)
    return len(names) if names else None


def entry_of_joints(arguments: argparse.Namespace, model: Model) -> DatasetEntry:
    """The data set whose people have the joints that a model finds; or COCO's with these joints.

    Raises:
        InputError: nothing names them; or see ``skeleton_of``.
    """
    skeleton = skeleton_of(arguments, model)
    if skeleton is None and model.num_joints not in joint_counts():
        raise InputError(
            f"nothing names the {model.num_joints} joints of {model.name}: --skeleton FILE does (docs/data.md)"
        )
    return entry_with(skeleton) if skeleton else entry_with_joints(model.num_joints)


def skeleton_of(arguments: argparse.Namespace, model: Model) -> Skeleton | None:
    """The joints that a model finds; none where nothing names them.

    Args:
        arguments: ``skeleton`` and, where a command has it, ``weights`` of them.
        model: what they go with.

    Raises:
        InputError: they contradict each other, or are of another number than the model's.
    """
    given = _given(arguments)
    weights = _weights(arguments)
    said = model.file.skeleton_file if model.file else _said_by_weights(weights)
    if given and not model.file and weights in ("published", "bundled") and model.num_joints in LEARNT_FROM:
        said = learnt_joints(model.name, weights, LEARNT_FROM[model.num_joints])
    if given is None and said is None:
        return None
    names = said.joints if said else None
    file = given or said
    if given and said:
        file = SkeletonFile(given.name, {**said.told, **given.told})
    where = said.name if said else given.name if given else ""
    skeleton = make_skeleton(names, None, file, where=where, scored=False)
    if len(skeleton.joints) != model.num_joints:
        raise InputError(f"{model.name} finds {model.num_joints} joints, and {where} names {len(skeleton.joints)}")
    return skeleton


def learnt_joints(name: str, weights: str, dataset: str) -> SkeletonFile:
    """The joints that published or bundled weights find: those of the data set that they learnt from.

    Args:
        name: of the network, for messages.
        weights: published or bundled.
        dataset: coco or mpii.
    """
    return SkeletonFile(f"{name} ({weights} weights)", {"joints": list(entry_of(dataset).skeleton.joints)})


def _given(arguments: argparse.Namespace) -> SkeletonFile | None:
    return read_skeleton(arguments.skeleton) if arguments.skeleton else None


def _weights(arguments: argparse.Namespace) -> str | None:
    return getattr(arguments, "weights", None)


def _said_by_weights(weights: str | None) -> SkeletonFile | None:
    """What a checkpoint says; what is wrong with it otherwise is said when it is loaded."""
    from zoo.weights import files

    if weights is None or weights in KEYWORDS or not Path(weights).is_file():
        return None
    return of_metadata(files.read(Path(weights))[1], Path(weights).name)
