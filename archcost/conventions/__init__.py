"""How other people count: one file a convention, and the one list of them."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from archcost.conventions.convention import Convention, Count, Reason
from archcost.ir import ArchcostError

__all__ = ["CONVENTIONS", "Convention", "Count", "Reason", "UnknownConventionError", "convention"]

CONVENTIONS: Final[tuple[str, ...]] = (
    "exact",
    "mult-adds",
    "netscope-2016",
    "netscope-2018",
    "fvcore",
    "ptflops",
    "ptflops-aten",
    "thop",
    "torchinfo",
    "torch",
    "keras",
    "weights",
    "lecun-1998",
    "caffe-first-blob",
)
"""Names of all conventions, in the order in which they are shown."""


class UnknownConventionError(ArchcostError, LookupError):
    """No convention has that name."""


def convention(name: str) -> Convention:
    """The convention of that name; its module is imported when it is first asked for.

    Raises:
        UnknownConventionError: there is none.
    """
    if name not in CONVENTIONS:
        raise UnknownConventionError(f"no convention {name!r}; there are {', '.join(CONVENTIONS)}")
    attribute = name.replace("-", "_")
    module = import_module(f"{__name__}.{attribute}")
    found: Convention = getattr(module, attribute.upper())
    return found
