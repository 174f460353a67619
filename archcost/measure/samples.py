"""Times of operators in random stacks: what efficiencies are fitted on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from archcost.hardware.kernels import Kernel, kernels
from archcost.ir import ArchcostError, Graph
from archcost.measure.environment import current
from archcost.measure.layers import host_pass, one_pass

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from archcost.targets.torch import GraphModule

Result = TypeVar("Result")

ROUNDS: Final = (5, 30)
"""Fewest and most passes of a stack at a time, after one that warms up."""
SPENT: Final = 0.06
"""Seconds that a stack is repeated for, within :data:`ROUNDS`."""
QUEUED: Final = 50_000_000
"""Cycles that a GPU waits while kernels are put into its queue: some 30 ms."""


class Sample(NamedTuple):
    """The times of one stack of operators.

    Attributes:
        graph: the stack.
        seconds: the time of each node on the device, in the graph's order.
        issue: the time that the host took to start each, where the device works beside it.
    """

    graph: Graph
    seconds: tuple[float, ...]
    issue: tuple[float, ...] | None = None

    def kernels(self, caches: Sequence[int]) -> tuple[Kernel, ...]:
        """What was executed, where memory has these levels."""
        return kernels(self.graph, caches, pages=self.issue is None)

    def line(self) -> str:
        """One line of JSON."""
        from archcost.targets import to_json

        data: dict[str, Any] = {"seconds": [short(x) for x in self.seconds]}
        if self.issue is not None:
            data["issue_seconds"] = [short(x) for x in self.issue]
        data["graph"] = json.loads(to_json(self.graph))
        return json.dumps(data, separators=(",", ":"))


def short(number: float) -> float:
    """A measured number with as many digits as it deserves."""
    return float(f"{number:.4g}")


def read(
    lines: Iterable[str], graph: Callable[[str], Graph], *, first: int = 1
) -> Iterator[Sample]:
    """Samples of lines as :meth:`Sample.line` writes them; ``graph`` makes one of its JSON.

    Args:
        lines: of a file.
        graph: reads a graph.
        first: the number of the first of the lines, for messages.

    Raises:
        ValueError: a line is none; it says which.
    """
    for number, line in enumerate(lines, first):
        if line.strip():
            try:
                yield _sample(json.loads(line), graph)
            except (ArchcostError, AttributeError, LookupError, TypeError, ValueError) as error:
                raise ValueError(f"line {number} is no sample: {error}") from None


def _sample(data: Mapping[str, Any], graph: Callable[[str], Graph]) -> Sample:
    made = graph(json.dumps(data["graph"]))
    issue = data.get("issue_seconds")
    return Sample(
        made, _times(data["seconds"], made), None if issue is None else _times(issue, made)
    )


def _times(found: Sequence[object], graph: Graph) -> tuple[float, ...]:
    times = tuple(float(one) for one in found)  # type: ignore[arg-type]
    if len(times) != len(graph.nodes):
        raise ValueError(f"{len(times)} times of {len(graph.nodes)} operators")
    if not all(isfinite(one) and one >= 0 for one in times):
        raise ValueError("a time is negative, or none")
    return times


def sample(graph: Graph, device: torch.device) -> Sample | None:
    """Time every operator of a stack; None where torch cannot run it here."""
    import torch

    from archcost.measure.inputs import random_inputs
    from archcost.measure.weights import settle
    from archcost.targets import to_torch

    try:
        with torch.device(device):
            module = to_torch(graph).eval()
        inputs = random_inputs(graph, device)
        with current(device), torch.inference_mode():
            for x in inputs:
                if x.is_floating_point():
                    # As layers mostly get them: of zeros comparisons are foreseen better.
                    x.relu_()
            settle(module, inputs)
            rounds = _on_gpu if device.type == "cuda" else _on_cpu
            seconds, issue = rounds(module, inputs)
    except RuntimeError:  # no kernel for a dtype, or no memory
        return None
    return Sample(graph, seconds, issue)


Times = tuple[tuple[float, ...], tuple[float, ...] | None]


def _on_cpu(module: GraphModule, inputs: Sequence[Tensor]) -> Times:
    passes = _passes(lambda: host_pass(module, inputs))
    return tuple(map(median, zip(*passes, strict=True))), None


def _passes(run: Callable[[], Result]) -> list[Result]:
    """What passes gave, as many as are wanted, without the first, which warms up."""
    run()
    begin = perf_counter()
    found: list[Result] = []
    while len(found) < ROUNDS[0] or (len(found) < ROUNDS[1] and perf_counter() - begin < SPENT):
        found.append(run())
    return found


def _on_gpu(module: GraphModule, inputs: Sequence[Tensor]) -> Times:
    """As on the CPU, by events on the device; the host's time is that of passes of its own.

    The device is kept waiting while a pass is put into its queue, so that the time between two
    events is that of the kernels between them, whatever the host does meanwhile.
    """
    import torch

    device = torch.device("cuda")

    def one() -> tuple[list[float], list[float]]:
        torch.cuda._sleep(QUEUED)  # type: ignore[no-untyped-call]
        seconds = one_pass(module, inputs, device)
        issued = host_pass(module, inputs)
        torch.cuda.synchronize()
        return seconds, issued

    passes = _passes(one)
    seconds = tuple(map(median, zip(*(times for times, _ in passes), strict=True)))
    return seconds, tuple(map(median, zip(*(issued for _, issued in passes), strict=True)))


def together(repeats: Sequence[Sample]) -> Sample:
    """The shortest of several runs of one stack, node by node.

    They lie minutes apart, and each is a median: what disturbs a machine for a while only adds.
    Times have as many digits as :meth:`Sample.line` writes, so that a file of samples gives the
    same coefficients again.
    """
    issues = [sample.issue for sample in repeats if sample.issue is not None]
    return Sample(
        repeats[0].graph,
        _shortest([sample.seconds for sample in repeats]),
        _shortest(issues) if issues else None,
    )


def _shortest(repeats: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    return tuple(short(min(times)) for times in zip(*repeats, strict=True))
