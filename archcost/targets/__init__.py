"""Graph -> what others run or read. Each target loads its framework when it is first used."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from archcost.ir import ArchcostError, Graph, Node

if TYPE_CHECKING:
    from archcost.targets.torch import GraphModule

__all__ = ["MissingFrameworkError", "TargetError", "to_torch"]


class MissingFrameworkError(ArchcostError, ImportError):
    """The target framework is not installed."""


class TargetError(ArchcostError, ValueError):
    """A node is something that the target framework does not have."""

    def __init__(self, node: Node, lacks: str) -> None:
        where = f"{node.source}: " if node.source is not None else ""
        super().__init__(f"{where}node {node.name!r}: {lacks}")
        self.node = node


def to_torch(graph: Graph) -> GraphModule:
    """The runnable PyTorch module of ``graph``, with fresh weights, in training mode as torch's
    own modules are.

    Under ``torch.device("meta")`` it takes no memory and computes shapes alone.

    >>> net = archcost.to_torch(archcost.load("simplenet")).eval()
    >>> net(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])

    Raises:
        TargetError: torch cannot execute a node.
        MissingFrameworkError: torch is not installed.
    """
    if not find_spec("torch"):
        raise MissingFrameworkError("PyTorch is not installed: pip install 'archcost[torch]'")
    from archcost.targets.torch import GraphModule

    return GraphModule(graph)
