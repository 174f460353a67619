"""The graphs, branches and function bodies of a file, while they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archcost.ir import Value
from archcost.sources.errors import ModelFileError
from archcost.sources.onnx.file import inner_graphs
from archcost.sources.onnx.tensors import Entry, shown

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto, ValueInfoProto


class Frame:
    """One graph or function body in the work: its names, and the graph around it.

    ``origin`` says where it stands in the file: one that is written out several times stores its
    tensors once.
    """

    def __init__(
        self,
        versions: Mapping[str, int],
        prefix: str = "",
        parent: Frame | None = None,
        attributes: Mapping[str, AttributeProto] | None = None,
        origin: tuple[Any, ...] = (),
    ) -> None:
        self.versions = versions
        self.prefix = prefix
        self.origin = origin
        self.parent = parent
        self.attributes = attributes
        self.level: int = 0 if parent is None else parent.level + 1
        self.entries: dict[str, Entry | None] = {}
        self.infos: dict[str, ValueInfoProto] = {}
        self.nodes: Sequence[NodeProto] = ()
        self.plan: list[str] = []
        self.readers: dict[str, int] = {}
        self.done: dict[int, Value] = {}

    def find(self, name: str) -> tuple[bool, Entry | None]:
        """Whether there is anything of that name, here or around, and what."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.entries:
                return True, frame.entries[name]
            frame = frame.parent
        return False, None

    def define(self, name: str, entry: Entry | None) -> None:
        if name in self.entries:
            raise ModelFileError(f"two tensors of one graph are named {shown(name)}")
        self.entries[name] = entry


def domain_of(domain: str) -> str:
    """A domain by its shorter name."""
    return "" if domain == "ai.onnx" else domain


def versions_of(imports: Iterable[Any]) -> dict[str, int]:
    """The version of each domain's operators."""
    return {domain_of(entry.domain): entry.version for entry in imports}


def names_read(nodes: Iterable[NodeProto]) -> Iterator[str]:
    """Every name that the nodes read; twice what is read from inside one, by a branch."""
    for node in nodes:
        yield from node.input
        for graph in inner_graphs([node]):
            for inner in graph.node:
                yield from inner.input
                yield from inner.input
            for info in graph.output:
                yield from (info.name, info.name)
