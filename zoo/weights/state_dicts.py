"""Finding a network's weights in what a checkpoint holds, and taking them over.

Training scripts wrap them (``{"model": …, "optimizer": …}``), keep averaged copies beside them,
and put a prefix before every name (``module.`` of data parallelism, ``_orig_mod.`` of
torch.compile, ``model.`` of a wrapper of one's own).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from zoo.errors import ZooError

# Where a checkpoint keeps its weights, the likeliest first; averaged copies after everything else.
_USUAL = ("state_dict", "model_state_dict", "model", "module", "net", "network")
_AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)", re.IGNORECASE)
_NO_WEIGHTS = re.compile(r"optim|sched|scaler|param_groups", re.IGNORECASE)
# Entries beside the network's own: MMPose 1.x keeps the input's mean and deviation, MMCV's EMAHook
# a second copy of every parameter as a buffer, averaged models (MMEngine's, PyTorch's) a counter.
_BESIDE = re.compile(r"data_preprocessor\.|ema_|steps$|(.*\.)?n_averaged$")
# What libraries and scripts put before all names.
_PREFIXES = {"module", "model", "net", "network"}
# What PyTorch's wrappers put before the names of all that they wrap, which may be a part: of torch.compile, of sharded
# data parallelism, of activations that are computed again.
_WRAPPED = re.compile(r"(^|\.)((_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.)+")
# Of what this project's own training goes on from, where its recipe averages: the average is what it trains for.
_OF_A_TRAINING = {"format", "run", "model", "average"}
# Dictionaries that are looked into, and how deep; a hostile file may hold any number, or one that contains itself.
_WRAPPERS, _DEPTH = 10_000, 20
# How likely a set of tensors is the network's own, by the names that it stands under.
_LIKELY, _OTHER, _COPY = range(3)


@dataclass(frozen=True)
class _Set:
    """Named tensors, and the names that they stand under in a checkpoint."""

    tensors: dict[str, Tensor]
    path: tuple[str, ...] = ()
    rank: int = _LIKELY

    def gives_the_same(self, other: "_Set", known: Collection[str]) -> bool:
        """Whether the tensors of these names are those of another set."""
        pairs = [(self.tensors[name], other.tensors[name]) for name in known]
        return all(one is two or _equal(one, two) for one, two in pairs)


def find_weights(checkpoint: Mapping[str, object], names: Collection[str], where: str) -> dict[str, Tensor]:
    """The tensors of a network, without wrappers and prefixes.

    Of several sets of tensors, the first is taken that has any of ``names``, in the order that
    ``load_weights`` describes, if that order tells; of a set's prefixes, what all names share is
    stripped as far as it makes the most names known.

    Args:
        checkpoint: what a checkpoint file holds.
        names: every name that an entry of the network may have.
        where: for messages, `` in FILE``.

    Raises:
        ZooError: there are no tensors at all, or what stands under ``state_dict`` is something else; or there are
            several sets that nothing ranks, such as a student's and a teacher's.
    """
    if set(checkpoint) >= _OF_A_TRAINING:
        checkpoint = {"model": checkpoint["average"]}
    found = [replace(one, tensors=_stripped(one.tensors, names)) for one in _sets(_Set({}), checkpoint, set(), _DEPTH)]
    if not found:
        for wrapper in _USUAL[:2]:
            if wrapper in checkpoint and not isinstance(checkpoint[wrapper], Mapping):
                what = type(checkpoint[wrapper]).__name__
                raise ZooError(f"the checkpoint{where} holds {what} under {wrapper!r}, not names and tensors")
        inner = next((value for key in _USUAL if isinstance(value := checkpoint.get(key), Mapping)), checkpoint)
        listed = [str(key) for key in inner]
        more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
        some = ", ".join(listed[:3]) or "nothing"
        if any(str(key).endswith((".weight", ".bias")) for key in inner):  # there are weights, of another kind
            raise ZooError(
                f"the checkpoint{where} holds {some}{more} as something else than tensors, such as NumPy arrays or "
                "lists: make them tensors with torch.from_numpy or torch.tensor, and save them again"
            )
        raise ZooError(f"the checkpoint{where} holds no weights, only {some}{more}")
    chosen = next((one for one in found if any(name in one.tensors for name in names)), found[0])
    known = {name for name in names if name in chosen.tensors}
    for other in found:
        rivals = other.rank == chosen.rank != _LIKELY and known == {name for name in names if name in other.tensors}
        if rivals and not other.gives_the_same(chosen, known):
            first, second = (".".join(one.path) for one in (chosen, other))
            raise ZooError(
                f"the checkpoint{where} holds several sets of weights of one network, {first} and {second}: save the "
                "one that is meant alone, or load it with zoo.load_weights"
            )
    return chosen.tensors


def unwrapped(name: str) -> str:
    """The name of a tensor without those of PyTorch's wrappers."""
    return _WRAPPED.sub(r"\1", name)


def fits(theirs: Tensor, ours: Tensor) -> bool:
    """Whether a file's tensor can become a network's: of its shape, and numbers as plain tensors hold them."""
    # Counters may come as floating-point numbers, weights not as integers or in compressed form.
    number = theirs.is_floating_point() or not (ours.is_floating_point() or theirs.is_complex())
    plain = theirs.layout == torch.strided and not theirs.is_quantized and not theirs.is_meta
    return theirs.shape == ours.shape and number and plain


def as_own(saved: Tensor, own: Tensor, name: str, where: str) -> Tensor:
    """A tensor of a file in the type that a network has it in.

    Args:
        saved: the file's; ``fits`` holds.
        own: the network's.
        name: of the file's.
        where: for messages, such as `` in FILE``.

    Raises:
        ZooError: it holds numbers that are not finite, there or here.
    """
    value = saved.to(own.dtype)
    # Looked at before too: a counter that is NaN becomes some whole number.
    if not (torch.isfinite(value).all() and torch.isfinite(saved.float()).all()):
        what = "NaN" if saved.float().isnan().any() else "infinite numbers"
        raise ZooError(f"the weights{where} cannot be used: {name} holds {what}; take an earlier checkpoint")
    return value


def _equal(one: Tensor, two: Tensor) -> bool:
    plain = all(tensor.layout == torch.strided and not tensor.is_meta for tensor in (one, two))
    return plain and one.dtype == two.dtype and torch.equal(one, two)


def _sets(place: _Set, checkpoint: Mapping[Any, object], seen: set[int], depth: int) -> Iterator[_Set]:
    """Every set of named tensors, the likeliest first: wrapped ones, bare ones, averaged ones, parts put together.

    Args:
        place: where the checkpoint, or this part of it, stands.
        checkpoint: names and tensors, or more such.
        seen: what was looked into.
        depth: how deep to go on.
    """

    def at(name: str, tensors: dict[str, Tensor] | None = None, usual: Collection[str] = _USUAL) -> _Set:
        rank = _COPY if _AVERAGED.search(name) else _LIKELY if name in usual else _OTHER
        return _Set(tensors or {}, (*place.path, name), max(rank, place.rank))

    if id(checkpoint) in seen or len(seen) > _WRAPPERS or not depth:
        return
    seen.add(id(checkpoint))
    inner = {key: value for key, value in checkpoint.items() if isinstance(key, str) and isinstance(value, Mapping)}
    usual = [key for key in _USUAL if key in inner]
    averaged = [key for key in inner if _AVERAGED.search(key)]
    others = [key for key in inner if key not in usual and key not in averaged and not _NO_WEIGHTS.search(key)]
    for key in usual:
        yield from _sets(at(key), inner[key], seen, depth - 1)
    tensors = _tensors(checkpoint)
    if tensors:
        yield replace(place, tensors=tensors)
    for key in others + averaged:
        yield from _sets(at(key), inner[key], seen, depth - 1)
    parts = {f"{key}.{name}": tensor for key in others for name, tensor in _tensors(inner[key]).items()}
    if parts:
        yield replace(place, tensors=parts)
    # The network beside something else with tensors, such as a loss or an averaged copy, each under a prefix.
    prefixes = dict.fromkeys(name.partition(".")[0] for name in tensors)
    if len(prefixes) > 1:
        for prefix in sorted(prefixes, key=lambda prefix: (bool(_AVERAGED.search(prefix)), prefix not in _PREFIXES)):
            if group := {name: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}:
                yield at(prefix, group, _PREFIXES)


def _tensors(checkpoint: Mapping[Any, object]) -> dict[str, Tensor]:
    return {key: value for key, value in checkpoint.items() if isinstance(key, str) and isinstance(value, Tensor)}


def _stripped(tensors: dict[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    """Without what stands beside the weights, and without the prefixes that hide the most names."""
    tensors = {unwrapped(name): tensor for name, tensor in tensors.items()}
    best = tensors = _without_beside(tensors, names)
    while all("." in name for name in tensors) and len({name.partition(".")[0] for name in tensors}) == 1:
        usual = next(iter(tensors)).partition(".")[0] in _PREFIXES
        tensors = {name.partition(".")[2]: tensor for name, tensor in tensors.items()}
        tensors = _without_beside(tensors, names)
        gained = _known(tensors, names) - _known(best, names)
        if gained > 0 or (gained == 0 and usual):
            best = tensors
    return best


def _without_beside(tensors: dict[str, Tensor], names: Collection[str]) -> dict[str, Tensor]:
    return {k: tensor for k, tensor in tensors.items() if k in names or not _BESIDE.match(k)} or tensors


def _known(tensors: Mapping[str, Tensor], names: Collection[str]) -> int:
    return sum(name in tensors for name in names)
