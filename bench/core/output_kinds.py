"""The kinds of output that networks have, in one table: their arrays, and the decodings and losses that go with them.

A network declares its kind (``zoo.registry.ModelCard``, or ``output_kind`` of a module of your own); an exported file
and an artifact carry it as ``output_kind``. ``bench.codecs.codec`` has the functions of each kind. Imports nothing
heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.core.errors import InputError


@dataclass(frozen=True)
class OutputKind:
    """What a network gives for images ``[N, 3, H, W]``, and what can be done with it.

    Attributes:
        name: as networks, files and artifacts declare it.
        what: the output of one image, in words.
        arrays: names of the arrays, as exported files have them.
        dimensions: of every array; the first two are the images and their joints.
        decodings: ways from the output to joints; the first is the usual one.
        udp_decoding: the one way where the network sees UDP crops; empty where there are none.
        losses: what it can be trained with; the first is the usual one.
    """

    name: str
    what: str
    arrays: tuple[str, ...]
    dimensions: int
    decodings: tuple[str, ...]
    losses: tuple[str, ...]
    udp_decoding: str = ""

    def decodings_of(self, *, udp: bool) -> tuple[str, ...]:
        """The decodings of a network with UDP crops or without."""
        return (self.udp_decoding,) if udp and self.udp_decoding else self.decodings

    def check_decoding(self, decoding: str, *, udp: bool, who: str) -> None:
        """Raise ``InputError`` unless a network can be decoded so."""
        fitting = self.decodings_of(udp=udp)
        if decoding not in fitting:
            crops = ", from UDP crops" if udp else ""
            raise InputError(
                f"{who} gives {self.what}{crops}, which {decoding} does not decode: use {' or '.join(fitting)}"
            )


KINDS = {
    kind.name: kind
    for kind in (
        # F of the paper's equation (8) comes first: x to e^x weight the pixels of a heatmap, mse does not.
        OutputKind(
            "heatmap", "heatmaps [1, J, h, w]", ("heatmaps",), 4, ("quarter_offset", "argmax", "dark"),
            ("x", "mse", "2x", "x^2", "e^x", "keypoint_mse"), udp_decoding="dark_udp",
        ),
        OutputKind(
            "simcc", "two arrays [1, J, bins]", ("simcc_x", "simcc_y"), 3, ("argmax",), ("kl", "kl_sharp"),
        ),
        OutputKind("coordinates", "coordinates [1, J, 2 or 3]", ("coordinates",), 3, ("as_given",), ("l1",)),
    )
}  # fmt: skip
DECODINGS = tuple(
    dict.fromkeys(one for kind in KINDS.values() for one in (*kind.decodings, kind.udp_decoding) if one)
)  # fmt: skip
LOSSES = tuple(dict.fromkeys(loss for kind in KINDS.values() for loss in kind.losses))


def output_kind(name: str, who: str) -> OutputKind:
    """The kind that ``who``, a network or a file, declares.

    Raises:
        InputError: there is no such kind.
    """
    if name not in KINDS:
        raise InputError(f"{who} declares output_kind {name!r}: give {', '.join(KINDS)}")
    return KINDS[name]
