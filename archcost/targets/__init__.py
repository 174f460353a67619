"""Graph -> what others run or read. Each target loads its framework when it is first used."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archcost.ir import ArchcostError, Graph, Node

if TYPE_CHECKING:
    import os

    from onnx import ModelProto

    from archcost.targets.torch import GraphModule

__all__ = [
    "ExportError",
    "MissingFrameworkError",
    "TargetError",
    "to_json",
    "to_onnx",
    "to_torch",
    "torch_source",
    "write_onnx",
]


class MissingFrameworkError(ArchcostError, ImportError):
    """The target framework is not installed."""


class ExportError(ArchcostError, ValueError):
    """A graph cannot be written in the way that was asked for."""


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
    need_torch()
    from archcost.targets.torch import GraphModule

    return GraphModule(graph)


def torch_source(graph: Graph) -> str:
    """``graph`` as a Python file that a person could have written: an nn.Module, its blocks as
    classes, which needs nothing but torch.

    Its network executes what that of :func:`to_torch` does. Modules are named as nodes are, but
    for those that stand in a row.

    Raises:
        TargetError: torch cannot execute a node, or what executes it cannot be written down.
        MissingFrameworkError: torch is not installed.
    """
    need_torch()
    from archcost.targets.torch_code.file import source

    return source(graph)


def need_torch() -> None:
    """Raises MissingFrameworkError where torch is not installed."""
    if not find_spec("torch"):
        raise MissingFrameworkError("PyTorch is not installed: pip install 'archcost[torch]'")


def to_onnx(
    graph: Graph,
    module: GraphModule | None = None,
    *,
    weights: Literal["random", "none"] = "random",
    seed: int = 0,
    opset: int | None = None,
) -> ModelProto:
    """``graph`` as an ONNX model, as it computes at inference.

    Its stored tensors are the graph's parameters under their names, everything else is constants.
    Those of ``module``, which :func:`to_torch` made of this graph, or fresh ones, the same for the
    same ``seed``. ``weights="none"`` leaves their data out: a small model, complete but for its
    weights, which ONNX's checker accepts and no runtime can run.

    Args:
        opset: version of ONNX's operator set, 18 to 23; default 20, and 22 for networks in bf16.

    Raises:
        TargetError: ONNX cannot say what a node does.
        ExportError: there is no such ``opset``, ``module`` is another graph's, or the weights take
            more than the 2 GiB that one file holds.
        MissingFrameworkError: onnx is not installed.
    """
    _need_onnx()
    from archcost.targets.onnx import model

    return model(graph, module, weights, seed, opset)


def write_onnx(
    graph: Graph,
    path: str | os.PathLike[str],
    module: GraphModule | None = None,
    *,
    weights: Literal["random", "none"] = "random",
    seed: int = 0,
    opset: int | None = None,
    external: bool | None = None,
) -> None:
    """Write the model of :func:`to_onnx` to the file ``path``.

    Args:
        external: whether the weights are written into a file of their own, which is called as
            the model's with ``.data`` behind and has to stay beside it; only one of them is in
            memory at a time. Default: where they do not fit the 2 GiB of one file.

    Raises:
        TargetError, ExportError, MissingFrameworkError: as of :func:`to_onnx`.
        OSError: the file cannot be written.
    """
    _need_onnx()
    from archcost.targets.onnx import write

    write(graph, Path(path), module, weights, seed, opset, external)


def _need_onnx() -> None:
    if not find_spec("onnx"):
        raise MissingFrameworkError("ONNX is not installed: pip install 'archcost[onnx]'")


def to_json(graph: Graph) -> str:
    """``graph`` as JSON, which :func:`archcost.load` makes the same graph of
    (``docs/graph-json.md``).

    Raises:
        TargetError: an operator is none of archcost's own.
    """
    from archcost.targets.graph_json import graph_text

    return graph_text(graph)
