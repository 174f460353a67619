"""The networks of a printed table, all counted alike: what its comparison comes to."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Final, NamedTuple

from archcost.conventions import convention
from archcost.ir import Shape
from archcost.published.measure import Measure
from archcost.published.verdicts import Verdict

APPENDIX: Final = "simplenet/appendix"
UNDER: Final = "netscope-2016"
"""The convention that the appendix was counted under."""
NORMALISATIONS: Final = frozenset(
    {"batch_norm", "layer_norm", "group_norm", "instance_norm", "lrn"}
)


class Alike(NamedTuple):
    """A network of a table, counted by one convention as it stands, nothing left out.

    ``charged`` says whether the printed numbers have its normalisation in them (None: it has
    none), ``normalised`` how many elements pass through one. ``ungrouped``: the convention counts
    its grouped convolutions as if they were not (None: it has none). ``counted`` are the numbers
    of :data:`UNDER`, ``macs``, ``flops`` and ``params`` those of ``exact``. ``pixel_macs`` are the
    MACs for each pixel of its ``input`` (C, H, W).
    """

    row: str
    input: Shape
    normalised: int
    charged: bool | None
    ungrouped: bool | None
    counted: dict[str, int]
    macs: int
    flops: int
    params: int

    @property
    def pixel_macs(self) -> float:
        return self.macs / prod(self.input[1:])


def appendix_alike(verdicts: Iterable[Verdict]) -> list[Alike]:
    """The networks of the SimpleNet paper's appendix counted alike, and SimpleNet's for ImageNet.

    The paper's own row is the network for CIFAR-10; the last one here is what the authors trained
    at the input size of the others.
    """
    by_row: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.table.name == APPENDIX:
            by_row.setdefault(verdict.cell.row, []).append(verdict)
    found = [_alike(row, own[0].cell.measure, own) for row, own in by_row.items()]
    return [*found, _alike("SimpleNet for ImageNet", Measure("simplenet-imagenet", "params"), [])]


def _alike(row: str, measure: Measure, verdicts: list[Verdict]) -> Alike:
    measure = Measure(measure.model, "params", settings=measure.settings, input=measure.input)
    graph = measure.graph()
    numbers = convention("exact").count(graph).numbers
    normalisers = [node for node in graph if node.op.kind in NORMALISATIONS]
    left_out = any(
        NORMALISATIONS.intersection((verdict.cell.erratum or {}).get("kinds", ()))
        for verdict in verdicts
        if verdict.claim == "left out"
    )
    counted = convention(UNDER).count(graph)
    grouped = any(getattr(node.op, "groups", 1) > 1 for node in graph)
    without_groups = convention(UNDER).count(measure.changed({"grouped": False}).graph())
    return Alike(
        row,
        graph.inputs[0].shape[1:],
        sum(node.outputs[0].type.numel for node in normalisers),
        not left_out if normalisers else None,
        counted.main == without_groups.main if grouped else None,
        counted.numbers,
        numbers["macs"],
        numbers["flops"],
        numbers["params"],
    )
