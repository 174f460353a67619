"""Records of passes that nobody ran, for tests of what is done with such."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.ir import Graph
from archcost.measure.records import LayerSeconds, Measurement, Timing, fingerprint


def measurement(
    graph: Graph,
    seconds: float = 0.002,
    *,
    layers: Sequence[float] | None = None,
    device: str = "cpu",
    threads: int = 2,
    channels_last: bool = False,
    compiled: bool = False,
    failure: str | None = None,
) -> Measurement:
    """A pass of ``graph`` that took ``seconds``, and its nodes ``layers``."""
    applications = [node.application for node in graph.nodes]
    timing = Timing(seconds, 0.9 * seconds, 1.2 * seconds, 0.8 * seconds, 2 * seconds, 20, 5)
    return Measurement(
        model=graph.name,
        fingerprint=fingerprint(graph),
        inputs=tuple(value.shape for value in graph.inputs),
        input_dtypes=tuple(value.type.dtype for value in graph.inputs),
        params=sum(parameter.numel for parameter in graph.parameters if parameter.trainable),
        macs=sum(application.macs for application in applications),
        flops=sum(application.flops for application in applications),
        traffic_bytes=0,
        device=device,
        dtype=graph.dtype,
        batch=graph.batch,
        channels_last=channels_last,
        compiled=compiled,
        threads=threads,
        min_run_time=1.0,
        timing=None if failure else timing,
        layers=layers
        and tuple(
            LayerSeconds(node.name, node.op.kind, own, own, own)
            for node, own in zip(graph.nodes, layers, strict=True)
        ),
        failure=failure,
        failure_kind=failure and "other",
        time="2026-01-01T00:00:00Z",
    )
