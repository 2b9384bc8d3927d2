"""Every metric that records hold: its unit, how it is printed, what it is called, and whether more of it is better.

Terminal tables, the report and ``docs/record.schema.json`` read this one table, so that they cannot differ.
"""

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal

Better = Literal["more", "less", "neither"]
Number = int | float

# Multiply-adds of the matrix product whose times are in the samples ``product_ms``.
PRODUCT_MACS = 1536**3

_EXACT = Context(prec=400)  # any float in any unit, so that nothing is rounded twice


def printed(value: Number, unit: int, decimals: int) -> str:
    """A number in units of ``unit``, rounded half up as on paper."""
    step = Decimal(1).scaleb(-decimals)
    return str(_EXACT.divide(Decimal(value), Decimal(unit)).quantize(step, ROUND_HALF_UP, _EXACT))
