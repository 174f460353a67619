"""The exceptions that archcost raises for its users' mistakes.

Every one derives from :class:`ArchcostError`, so that ``except ArchcostError`` catches what a
user can mend and nothing that is a fault of archcost itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archcost.ir.types import TensorType


class ArchcostError(Exception):
    """Base of all errors that a user can mend; its text is one complete message."""


class ArgumentError(ArchcostError, ValueError):
    """An operator was given an argument that it cannot have.

    ``argument`` is the argument's name, so that a reader of some format can point at it.
    """

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(f"{argument}: {message}")
        self.argument = argument
        self.message = message


class ShapeError(ArchcostError, ValueError):
    """An operator cannot be applied to the shapes it was given.

    Raised bare by :meth:`archcost.ir.Op.infer`, which knows what it needed; the graph builder
    raises it again with the node's name, its inputs' shapes and the place it was read from.
    """

    def __init__(
        self,
        needs: str,
        *,
        node: str | None = None,
        inputs: tuple[TensorType, ...] = (),
        source: str | None = None,
    ) -> None:
        self.needs = needs
        self.node = node
        self.inputs = inputs
        self.source = source
        where = f"{source}: " if source else ""
        subject = f"node {node!r}: " if node else ""
        given = f" (inputs: {', '.join(map(str, inputs))})" if inputs else ""
        super().__init__(f"{where}{subject}{needs}{given}")


class GraphError(ArchcostError, ValueError):
    """A graph was put together wrongly: a name taken twice, a value of another graph."""
