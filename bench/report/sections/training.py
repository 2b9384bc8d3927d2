"""Tables IV and VI and the networks trained here, with their learning curves."""

import functools

from bench.report import curves
from bench.report.section import Section
from bench.report.training import ABLATIONS, ablation, networks

SECTIONS = (
    *(
        Section(
            key=(key := f"table{which.number}"),
            title=f"Table {which.roman}. {which.title}",
            order=100 + which.number,
            make_table=functools.partial(ablation, which),
            pictures=functools.partial(curves.pictures, key),
        )
        for which in ABLATIONS
    ),
    Section(
        "training", "Networks trained with this project", 130, networks, functools.partial(curves.pictures, "training")
    ),
)
