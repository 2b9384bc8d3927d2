"""The report's sections: each file here lists its own in ``SECTIONS``. To add one, add a file."""

import importlib
import pkgutil

from bench.report.section import Section


def all_sections() -> list[Section]:
    """Every section, in the order of the page."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return sorted((section for module in modules for section in module.SECTIONS), key=lambda section: section.order)
