"""The sections of a report: each module measures its part and shows it.

A module has `ORDER`, its place in the report; `measure`, which returns its part of report.json from
the answers, and `section`, which shows it. Either may be missing. Modules are found by themselves:
a new measure is a module here and its test.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def section_modules() -> list[ModuleType]:
    """Return the modules of this package in the order of the report."""
    names = [f"{__name__}.{found.name}" for found in pkgutil.iter_modules(__path__)]
    return sorted(map(import_module, names), key=lambda module: (module.ORDER, module.__name__))
