"""The analysis of a graph: one row a layer, and the totals."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Protocol

from archcost.analysis.memory import (
    ForwardMemory,
    Optimizer,
    TrainingMemory,
    forward_memory,
    training_memory,
)
from archcost.analysis.receptive import ReceptiveField, receptive_fields
from archcost.analysis.storage import STORAGE_DTYPES, packed_bytes, storage_bytes
from archcost.analysis.structure import depth
from archcost.ir import WORK_KINDS, Application, Graph, Node, Shape, Value, Work
from archcost.ir.collector import collector_paused


class LayerCost:
    """What one node costs. Counts are for the whole batch; bytes at the graph's dtypes.

    A parameter that several nodes share is counted where it is first used, so that the layers'
    params add up to the network's.
    """

    __slots__ = ("_application", "buffers", "node", "params", "receptive_field")

    def __init__(
        self, node: Node, params: int, buffers: int, receptive_field: ReceptiveField | None
    ) -> None:
        self.node = node
        self.params = params
        self.buffers = buffers
        self.receptive_field = receptive_field
        self._application: Application = node.application

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def op(self) -> str:
        """The operator's kind."""
        return self._application.op.kind

    @property
    def scope(self) -> str:
        return self.node.scope

    @property
    def inputs(self) -> tuple[Shape, ...]:
        return tuple(type_.shape for type_ in self._application.inputs)

    @property
    def outputs(self) -> tuple[Shape, ...]:
        return tuple(type_.shape for type_ in self._application.outputs)

    @property
    def work(self) -> Work:
        return self._application.work

    @property
    def macs(self) -> int:
        return self._application.macs

    @property
    def flops(self) -> int:
        return self._application.flops

    @property
    def activations(self) -> int:
        """Elements of the tensors that the node materialises; 0 for a view."""
        return self._application.activations

    @property
    def known(self) -> bool:
        """Whether its work is known: of an operator that archcost does not know it counts as 0."""
        return self._application.op.known

    @property
    def traffic_bytes(self) -> int:
        """Bytes read (inputs, parameters) and written (outputs), each once; 0 for a view."""
        return self.node.read_bytes + self._application.written_bytes

    @property
    def arithmetic_intensity(self) -> float:
        """FLOPs for each byte of traffic; 0 where there is no traffic."""
        traffic = self.traffic_bytes
        return self.flops / traffic if traffic else 0.0

    def __repr__(self) -> str:
        return f"<{self.op} {self.name}: {self.params} params, {self.macs} macs>"


class Unread(NamedTuple):
    """What is stored with a network and read by no layer: its scalars, and the tensors' names."""

    params: int
    buffers: int
    tensors: tuple[str, ...]


class Totals(NamedTuple):
    """The whole network's cost. Counts are for the whole batch; bytes are named as such.

    ``params``, ``buffers`` and ``storage_bytes`` hold for all that is stored: the layers' and
    ``unread``. ``unknown`` names the operators whose work is in no number, with how many layers
    have each, in order of first use.
    """

    params: int
    buffers: int
    macs: int
    flops: int
    work: Work
    activations: int
    largest_activation: int
    traffic_bytes: int
    peak_memory_bytes: int
    storage_bytes: dict[str, int]
    receptive_field: tuple[int, ...]
    depth: int
    unknown: dict[str, int]
    unread: Unread

    @property
    def arithmetic_intensity(self) -> float:
        """FLOPs for each byte of memory traffic, every operator on its own."""
        return self.flops / self.traffic_bytes if self.traffic_bytes else 0.0


class Viewer(Protocol):
    """What shows an analysis to people."""

    def rich(self, analysis: Analysis) -> Any:
        """A renderable of rich."""

    def html(self, analysis: Analysis) -> str:
        """HTML for a notebook's cell."""


class Analysis:
    """What a network costs: ``totals`` and one :class:`LayerCost` a node in ``layers``.

    It knows no formats: ``viewer`` shows it, which ``import archcost`` provides.
    """

    viewer: ClassVar[Viewer | None] = None

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def batched(self) -> bool:
        """Whether shapes can be written without the batch: where every one has it, lest 1x64 could
        mean two things. What is made from nothing has none; its shape is always written whole."""
        batch = self.graph.batch
        return all(n.outputs[0].shape[:1] == (batch,) for n in self.graph.nodes if n.inputs)

    @cached_property
    @collector_paused()
    def layers(self) -> tuple[LayerCost, ...]:
        """One row a node, in the graph's order."""
        fields = self.receptive_fields
        shared = self.graph.shares
        seen: set[object] = set()
        rows = []
        for node in self.graph.nodes:
            application = node.application
            params, buffers = application.params, application.buffers
            if shared and node.parameters:
                own = [p for p in dict.fromkeys(node.parameters) if p not in seen]
                seen.update(own)
                params = sum(p.numel for p in own if p.trainable)
                buffers = sum(p.numel for p in own if not p.trainable)
            rows.append(LayerCost(node, params, buffers, fields.get(node.outputs[0])))
        return tuple(rows)

    @cached_property
    @collector_paused()
    def totals(self) -> Totals:
        graph = self.graph
        counts = Counter([node.application for node in graph.nodes])
        work = Work(
            **{
                kind: sum([getattr(a.work, kind) * count for a, count in counts.items()])
                for kind in WORK_KINDS
            }
        )
        unread = _unread(graph)
        params = sum([row.params for row in self.layers]) + unread.params
        buffers = sum([row.buffers for row in self.layers]) + unread.buffers
        activations = largest = traffic = 0
        unknown: dict[str, int] = {}
        for application, count in counts.items():
            activations += application.activations * count
            traffic += (application.read_bytes + application.written_bytes) * count
            if application.activations:
                largest = max(largest, *[type_.numel for type_ in application.outputs])
            if not application.op.known:
                kind = application.op.kind
                unknown[kind] = unknown.get(kind, 0) + count
        if graph.shares:  # parameters may have dtypes that their operators do not know
            traffic = sum([row.traffic_bytes for row in self.layers])
        field = self.receptive_fields.get(graph.outputs[0])
        return Totals(
            params=params,
            buffers=buffers,
            macs=work.mac,
            flops=work.flops,
            work=work,
            activations=activations,
            largest_activation=largest,
            traffic_bytes=traffic,
            peak_memory_bytes=self.memory.peak,
            storage_bytes={
                dtype: packed_bytes(params, buffers, bits) for dtype, bits in STORAGE_DTYPES.items()
            },
            receptive_field=field.size if field else (),
            depth=depth(graph),
            unknown=unknown,
            unread=unread,
        )

    @cached_property
    def receptive_fields(self) -> dict[Value, ReceptiveField]:
        """The receptive field of every tensor that depends on the first input."""
        return receptive_fields(self.graph)

    @cached_property
    def memory(self) -> ForwardMemory:
        """Memory of a forward pass, nothing in place, nothing folded."""
        return forward_memory(self.graph)

    def forward_memory(self, *, inplace: bool = False, fold_norm: bool = False) -> ForwardMemory:
        """Memory of a forward pass; see :func:`archcost.analysis.memory.forward_memory`."""
        return forward_memory(self.graph, inplace=inplace, fold_norm=fold_norm)

    def training_memory(self, optimizer: Optimizer = "sgd") -> TrainingMemory:
        """Memory of a training step; see :func:`archcost.analysis.memory.training_memory`."""
        return training_memory(self.graph, optimizer=optimizer)

    def storage_bytes(self, bits: int, *, sparsity: float = 0.0, index_bits: int = 0) -> int:
        """Stored size; see :func:`archcost.analysis.storage.storage_bytes`."""
        return storage_bytes(self.graph, bits, sparsity=sparsity, index_bits=index_bits)

    def __rich__(self) -> Any:
        return repr(self) if self.viewer is None else self.viewer.rich(self)

    def _repr_html_(self) -> str | None:
        return None if self.viewer is None else self.viewer.html(self)

    def __repr__(self) -> str:
        totals = self.totals
        return f"<analysis of {self.graph.name}: {totals.params} params, {totals.macs} macs>"


def _unread(graph: Graph) -> Unread:
    params = sum(parameter.numel for parameter in graph.unread if parameter.trainable)
    numel = sum(parameter.numel for parameter in graph.unread)
    names = tuple(parameter.name for parameter in graph.unread)
    return Unread(params, numel - params, names)


def analyze(graph: Graph) -> Analysis:
    """Analyse a graph. Everything is worked out when it is first asked for, exactly once."""
    return Analysis(graph)
