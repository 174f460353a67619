"""A ``torch.nn.Module`` -> :class:`~archcost.ir.Graph`, without computing and without weights.

:func:`read` traces a module that is there; :func:`~.factory.build` makes one of a path like
``package.module:factory``. Nothing here imports torch before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archcost.sources.inputs import Inputs

if TYPE_CHECKING:
    from torch import nn

    from archcost.ir import Graph

__all__ = ["read"]


def read(
    module: nn.Module,
    *,
    inputs: Inputs | None = None,
    batch: int | str | None = None,
    name: str | None = None,
    assumed: Sequence[str] = (),
) -> Graph:
    """The graph of ``module``; see :func:`archcost.sources.torch.reading.read`."""
    from archcost.sources.torch.reading import read as read_

    return read_(module, inputs=inputs, batch=batch, name=name, assumed=assumed)
