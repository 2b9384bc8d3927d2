"""Where the time goes: pure arithmetic on what was counted and timed.

For operator i with m_i seconds measured, the work that it cannot do without takes

    w_i = max(multiply-adds / peak, bytes / bandwidth)

and the call itself o, the time of an empty one (0 on a GPU, where m_i is of the kernels alone). m_i is dealt out in
this order, each part taking no more than what is left:

    dispatch  o
    compute or memory  w_i, whichever of its two terms is the larger
    set-up    what m_i would be on a picture of no pixels, by the line through two sizes, less o and less w_i there
    above     the rest: the operator is slower than the machine allows, and gets slower with more pixels

So the parts of an operator add up to m_i, and with what passes between operators (dispatch too: Python, module calls)
to the time of the whole. An operator that a runtime adds, to change a layout, must not be: all of its time is layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.explain.operators import Operator
from bench.explain.peaks import Peaks


@dataclass(frozen=True)
class Cost:
    """An operator, or several together: what was measured, what it must take, and the parts, in seconds."""

    operators: int
    macs: int
    bytes: int
    seconds: float
    must: float  # w + o
    compute: float = 0.0
    memory: float = 0.0
    dispatch: float = 0.0
    setup: float = 0.0
    above: float = 0.0
    layout: float = 0.0
    faster: float = 0.0  # by how much it beat its bound: its data were in a cache

    @property
    def intensity(self) -> float:
        """Multiply-adds a byte."""
        return self.macs / self.bytes if self.bytes else 0.0

    @property
    def starting(self) -> float:
        return self.dispatch + self.setup

    @property
    def bound(self) -> str:
        """Which of what it must do takes longest."""
        parts = {"compute": self.compute, "memory": self.memory, "dispatch": self.dispatch, "layout": self.layout}
        return max(parts, key=lambda part: parts[part])

    @property
    def small(self) -> bool:
        """Whether it takes longer to start than its work needs."""
        return self.starting > self.compute + self.memory + self.layout


def work(operator: Operator, peaks: Peaks) -> float:
    """Seconds that the operator's work must take."""
    return max(operator.macs / peaks.macs_per_s, operator.bytes / peaks.bytes_per_s)


def at_no_pixels(large: float, small: float, pixels: tuple[int, int]) -> float:
    """Where the line through the values at two sizes meets zero, or zero where that is below."""
    slope = (large - small) / (pixels[0] - pixels[1])
    return max(0.0, small - slope * pixels[1])


def split(operator: Operator, seconds: float, peaks: Peaks, *, call: float, fixed: float = 0.0) -> Cost:
    """One operator's time, dealt out.

    Args:
        operator: with its multiply-adds and bytes.
        seconds: measured.
        peaks: the machine's.
        call: seconds of an empty call that are within ``seconds``.
        fixed: seconds, beyond its bound, that it would take on a picture of no pixels; the call is in them.
    """
    if operator.added:
        return Cost(operators=1, macs=0, bytes=operator.bytes, seconds=seconds, must=0.0, layout=seconds)
    bound = work(operator, peaks)
    compute_bound = operator.macs / peaks.macs_per_s >= operator.bytes / peaks.bytes_per_s
    dispatch = min(seconds, call)
    doing = min(seconds - dispatch, bound)
    rest = seconds - dispatch - doing
    setup = min(rest, max(0.0, fixed - call))
    return Cost(
        operators=1,
        macs=operator.macs,
        bytes=operator.bytes,
        seconds=seconds,
        must=bound + call,
        compute=doing if compute_bound else 0.0,
        memory=0.0 if compute_bound else doing,
        dispatch=dispatch,
        setup=setup,
        above=rest - setup,
        faster=bound - doing,
    )


def together(costs: Sequence[Cost]) -> Cost:
    """The sum."""
    zero = Cost(0, 0, 0, 0.0, 0.0)
    names = tuple(zero.__dataclass_fields__)
    return replace(zero, **{name: sum(getattr(cost, name) for cost in costs) for name in names})


@dataclass(frozen=True)
class Group:
    """Operators that belong together, such as those of a layer."""

    name: str
    kinds: tuple[str, ...]  # of its operators but for views
    cost: Cost
    joined: tuple[str, ...] = ()  # further layers that its operators compute


def grouped(keys: Sequence[str], operators: Sequence[Operator], costs: Sequence[Cost]) -> list[Group]:
    """The network by the key of each operator, the costliest group first; together they are all operators."""
    members: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        members.setdefault(key, []).append(index)
    found = [
        Group(
            name,
            tuple(dict.fromkeys(operators[i].kind for i in indices if not operators[i].is_view)),
            together([costs[i] for i in indices]),
            tuple(dict.fromkeys(layer for i in indices for layer in operators[i].joined if layer != name)),
        )
        for name, indices in members.items()
    ]
    return sorted(found, key=lambda group: -group.cost.seconds)
