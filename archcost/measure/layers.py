"""The time of each layer within a pass."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Final

from archcost.measure.records import LayerSeconds
from archcost.measure.timing import of_times

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from archcost.ir import Graph
    from archcost.targets.torch import GraphModule

LEAST_PASSES: Final = 5


def layer_seconds(
    graph: Graph,
    module: GraphModule,
    inputs: Sequence[Tensor],
    device: torch.device,
    min_run_time: float,
) -> tuple[LayerSeconds, ...]:
    """The time of each node of ``graph``, in its order, over passes for ``min_run_time`` seconds.

    On CUDA by events between the kernels, so that nothing waits; a node then takes from the end of
    the one before to its own end, and a processor that is late with starting kernels shows. The
    sum is that of a pass, and a little more: each layer is looked at.
    """
    import torch

    passes: list[list[float]] = []
    with torch.inference_mode():
        one_pass(module, inputs, device)  # warm-up
        begin = perf_counter()
        while len(passes) < LEAST_PASSES or perf_counter() - begin < min_run_time:
            passes.append(one_pass(module, inputs, device))
    return tuple(
        LayerSeconds(node.name, node.op.kind, *of_times(times)[:3])
        for node, times in zip(graph, zip(*passes, strict=True), strict=True)
    )


def one_pass(module: GraphModule, inputs: Sequence[Tensor], device: torch.device) -> list[float]:
    """Seconds of each node in a single pass, in inference mode, as in :func:`layer_seconds`."""
    return (_cuda_pass if device.type == "cuda" else host_pass)(module, inputs)


def host_pass(module: GraphModule, inputs: Sequence[Tensor]) -> list[float]:
    """Seconds of each step of one pass by the host's clock: on CUDA what starting it takes."""
    ends = [perf_counter()]
    module.watched(lambda step, made: ends.append(perf_counter()), *inputs)
    return [after - before for before, after in pairwise(ends)]


def _cuda_pass(module: GraphModule, inputs: Sequence[Tensor]) -> list[float]:
    """Seconds of each step of one pass on the current device."""
    import torch

    count = len(module.steps) + 1
    events = [torch.cuda.Event(enable_timing=True) for _ in range(count)]  # type: ignore[no-untyped-call]
    waiting = iter(events)
    next(waiting).record()
    module.watched(lambda step, made: next(waiting).record(), *inputs)
    torch.cuda.synchronize()
    return [before.elapsed_time(after) / 1e3 for before, after in pairwise(events)]
