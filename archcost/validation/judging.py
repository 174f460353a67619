"""A measured pass beside its estimate: times, memory, layers, and what the module held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.analysis import forward_memory, lifetimes, storage_bytes, weight_bytes
from archcost.hardware.estimate import estimate
from archcost.ir import BITS, Shape
from archcost.measure.records import Timing, fingerprint
from archcost.validation.errors import Pair, grouped
from archcost.validation.journal import Held, JournalError, Row

if TYPE_CHECKING:
    from archcost.hardware.device import Device
    from archcost.hardware.estimate import Estimate
    from archcost.ir import Graph

FINGERPRINT: Final = 16
"""Digits of a fingerprint that are kept."""
VIEWS: Final = "views"
"""Stands for all operators that only look at their input in another way."""


class Part(NamedTuple):
    """Layers of a network that do the same: one operator on inputs of the same types, or (of
    several shapes, ``output`` is then empty) one kind of operator.

    ``measured`` and ``estimated`` are the seconds of all ``layers`` together; ``name`` is that of
    the first.
    """

    name: str
    op: str
    output: Shape
    layers: int
    measured: float
    estimated: float

    @property
    def difference(self) -> float:
        """Seconds that the estimate has too many."""
        return self.estimated - self.measured


@dataclass(frozen=True)
class Judged:
    """A measured pass and what was computed of its graph.

    Attributes:
        estimated: seconds of the pass; peak: bytes at its highest, the estimate's.
        bound: what the estimate says holds up the pass for most of its time.
        live: weights and live tensors by liveness alone, in bytes.
        expected: what the analyses say of :attr:`Row.held`; ``file`` without any header.
        parts: measured and estimated seconds of the layers; empty where they were not timed.
        fitted: whether coefficients of the estimate were fitted on this network.
    """

    row: Row
    timing: Timing
    title: str
    family: str
    nodes: int
    macs: int
    estimated: float
    bound: str
    peak: int
    live: int
    expected: Held
    parts: tuple[Part, ...] = ()
    fitted: bool = False

    @property
    def model(self) -> str:
        return self.row.key.model

    @property
    def dtype(self) -> str:
        return self.row.key.dtype

    @property
    def batch(self) -> int:
        return self.row.key.batch

    @property
    def measured(self) -> float:
        """Seconds: the median."""
        return self.timing.median

    @property
    def latency(self) -> Pair:
        """Estimated and measured seconds."""
        return Pair(self.estimated, self.timing.median)

    @property
    def measured_peak(self) -> int | None:
        """Bytes that the allocator had given out at most."""
        return self.row.memory.allocator_bytes if self.row.memory else None

    @property
    def memory(self) -> Pair | None:
        """Estimated and measured peak memory."""
        return Pair(self.peak, self.measured_peak) if self.measured_peak else None

    @property
    def live_memory(self) -> Pair | None:
        """Peak memory by liveness alone, and as it was measured."""
        return Pair(self.live, self.measured_peak) if self.measured_peak else None

    @cached_property
    def kinds(self) -> dict[str, Part]:
        """The seconds of all layers of each kind."""
        return summed(self.parts)

    @property
    def between(self) -> float | None:
        """Seconds of the pass that no layer took: negative where timing layers took longer."""
        return self.measured - sum(p.measured for p in self.parts) if self.parts else None

    @property
    def culprit(self) -> Part | None:
        """The layers whose estimate has the largest part in the error of the whole."""
        return self._most_wrong(self.parts)

    @property
    def culprit_kind(self) -> Part | None:
        """The kind of operator whose estimates have the largest part in the error of the whole."""
        return self._most_wrong(self.kinds.values())

    def _most_wrong(self, parts: Iterable[Part]) -> Part | None:
        sign = 1 if self.estimated > self.measured else -1
        worst = max(parts, key=lambda part: sign * part.difference, default=None)
        return worst if worst is not None and sign * worst.difference > 0 else None

    def share(self, part: Part) -> float:
        """The share of the whole error that is this part's; above 1 where others make up for it."""
        return part.difference / (self.estimated - self.measured)


def summed(parts: Iterable[Part]) -> dict[str, Part]:
    """The parts of each kind of operator as one."""
    found: dict[str, Part] = {}
    for part in parts:
        before = found.get(part.op)
        found[part.op] = part._replace(
            output=(),
            name=before.name if before else part.name,
            layers=part.layers + (before.layers if before else 0),
            measured=part.measured + (before.measured if before else 0),
            estimated=part.estimated + (before.estimated if before else 0),
        )
    return found


def judge(
    row: Row, graph: Graph, device: Device, about: Mapping[str, Any], *, fitted: bool = False
) -> Judged:
    """``row`` beside what is computed of ``graph``, which is the one that was measured.

    Args:
        about: the network's ``title`` and ``family``.

    Raises:
        DeviceError: the device has no figure for the graph's dtype.
        JournalError: the row has no time, or those of another number of layers.
    """
    if row.timing is None:
        raise JournalError(f"{row.key.model} has no time")
    estimated = estimate(graph, device)
    memory = forward_memory(graph)
    return Judged(
        row,
        row.timing,
        about["title"],
        about["family"],
        len(graph),
        sum(node.application.macs for node in graph),
        estimated.seconds,
        estimated.bounds.longest,
        estimated.peak_memory,
        memory.peak,
        expected(graph),
        tuple(_parts(row, estimated)),
        fitted,
    )


def expected(graph: Graph) -> Held:
    """What the analyses say that the module holds, makes and stores."""
    return Held(
        weight_bytes(graph),
        sum(storage.nbytes for storage in lifetimes(graph) if storage.made >= 0),
        storage_bytes(graph, BITS[graph.dtype]),
    )


def short_fingerprint(graph: Graph) -> str:
    """The beginning of the graph's fingerprint: enough to see that another graph was measured."""
    return fingerprint(graph)[:FINGERPRINT]


def alike(graph: Graph) -> list[list[int]]:
    """The places of the nodes that do the same, one operator on inputs of the same types, in the
    order of the first of each."""
    found = grouped(enumerate(graph.nodes), lambda item: (item[1].op, item[1].application.inputs))
    return [[place for place, _ in group] for group in found.values()]


def _parts(row: Row, estimated: Estimate) -> Iterator[Part]:
    if row.layers is None:
        return
    groups = alike(estimated.graph)
    if len(row.layers) != len(groups):
        raise JournalError(
            f"{row.key.model} has {len(groups)} different layers, and times of {len(row.layers)}"
        )
    for group, measured in zip(groups, row.layers, strict=True):
        node = estimated.layers[group[0]].node
        yield Part(
            node.name,
            VIEWS if node.op.view else node.op.kind,
            node.outputs[0].shape if node.outputs else (),
            len(group),
            measured * len(group),
            sum(estimated.layers[place].seconds for place in group),
        )
