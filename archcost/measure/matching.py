"""Which measurements of a file are of a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from archcost.ir import ArchcostError, Graph
from archcost.measure.records import Measurement


class Setup(NamedTuple):
    """How a pass was run, but for its network, batch and dtype."""

    device: str
    threads: int
    channels_last: bool
    compiled: bool


def setup(record: Measurement) -> Setup:
    """How ``record`` was measured; ``device`` is what the system calls it, if that is known."""
    device = record.environment.device if record.environment else record.device
    # How many threads prepare a GPU's work is no other way to run it.
    threads = record.threads if record.device == "cpu" else 0
    return Setup(device, threads, record.channels_last, record.compiled)


def measurements_of(
    graph: Graph, records: Iterable[Measurement], *, layers: bool = False
) -> dict[Setup, Measurement]:
    """The measured passes of exactly this graph, at its batch and in its dtype, by how they were
    run: of those that were run alike the last. ``layers``: only those with times of layers.

    The graph is compared by its fingerprint; what it is called does not matter.
    """
    batch, dtype = graph.batch, graph.dtype
    candidates = [
        record
        for record in records
        if record.timing is not None
        and (record.layers or not layers)
        and (record.batch, record.dtype) == (batch, dtype)
    ]
    if not candidates:
        return {}
    from archcost.measure.records import fingerprint

    # Working out a fingerprint takes longer than everything else, so it is for what is alike.
    macs = sum(node.application.macs for node in graph.nodes)
    candidates = [record for record in candidates if record.macs == macs]
    try:
        own = fingerprint(graph) if candidates else ""
    except ArchcostError:  # an operator of somebody else's: no such graph was ever measured
        return {}
    return {setup(record): record for record in candidates if record.fingerprint == own}


def setups_of(found: Iterable[Mapping[Setup, Measurement]]) -> dict[Setup, str]:
    """All ways that passes were run, and in words what tells each from the others; "" where there
    is only one."""
    setups = list(dict.fromkeys(setup for records in found for setup in records))
    differ = [len({one[place] for one in setups}) > 1 for place in range(len(Setup._fields))]
    return {
        one: ", ".join(
            text for text, differs in zip(_words(one), differ, strict=True) if text and differs
        )
        for one in setups
    }


def in_words(one: Setup) -> str:
    """``Intel Xeon, 2 threads, channels last``."""
    return ", ".join(filter(None, (one.device, *_words(one)[1:])))


def _words(one: Setup) -> tuple[str, str, str, str]:
    threads = f"{one.threads} thread{'' if one.threads == 1 else 's'}" if one.threads else ""
    return (
        one.device,
        threads,
        "channels last" if one.channels_last else "",
        "compiled" if one.compiled else "",
    )
