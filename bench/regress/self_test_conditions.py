"""What the comparisons of a self-test were of, in words; the report needs them without what compares."""

from bench.core.record import Record


def describe(planted: float, neighbours: int) -> str:
    """A condition in words."""
    code = f"{planted:.0%} slower" if planted else "the same code"
    beside = {0: "", 1: ", a busy process beside it"}.get(neighbours, f", {neighbours} busy processes beside it")
    return code + beside


def busy_neighbours(record: Record) -> int:
    """Of a self-test, how many busy processes there were; older records only say whether there was one."""
    options = record.options
    return int(options.get("busy_neighbours", options.get("busy_neighbour", 0)))


def condition(record: Record) -> str:
    """What a self-test's comparisons were of."""
    return describe(float(record.options["slower_by"]), busy_neighbours(record))
