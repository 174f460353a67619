"""What a validation will measure, in which order, what it leaves out, and how long it will take."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.hardware.device import DeviceError
from archcost.hardware.estimate import estimate
from archcost.ir import ArchcostError
from archcost.measure.memory import available_bytes
from archcost.measure.passes import Settings, fitted
from archcost.validation.journal import Key

if TYPE_CHECKING:
    from archcost.hardware.device import Device
    from archcost.ir import Graph

LONGEST_PASS: Final = 5.0
"""Seconds that a pass may be predicted to take, unless told otherwise."""
MIN_RUN_TIME: Final = 0.3
"""Seconds that a pass is repeated for."""
LEAST_RUNS: Final = 3
OTHER_PASSES: Final = 3
"""Passes besides the timed ones: warming up, layers, and at the first batch settling weights."""
BUILDING: Final = 5e-9
"""Seconds that it takes to make one random parameter: what the bar of progress assumes."""
MARGIN: Final = 1.5
"""How many times the estimated peak memory has to be free: libraries' workspaces are not in it."""
LONGEST_REPEATED: Final = 1.0
"""Seconds of a predicted pass up to which it is worth measuring again for the noise."""
REPEATS: Final = 24
"""Networks that are measured again when all others have been, unless told otherwise."""


class Limits(NamedTuple):
    """What a pass may take: seconds as predicted, and bytes of ``memory`` that are free."""

    longest: float = LONGEST_PASS
    memory: int | None = None


@dataclass(frozen=True)
class Planned:
    """One pass to measure. ``seconds`` and ``peak`` are predicted; ``skip`` says why it is not run.

    ``cost`` is the number of seconds that measuring it takes, roughly: what progress goes by.
    """

    key: Key
    seconds: float
    peak: int
    weights: int
    skip: str | None = None

    @property
    def cost(self) -> float:
        timed = max(MIN_RUN_TIME, LEAST_RUNS * self.seconds)
        return 0.0 if self.skip else timed + OTHER_PASSES * self.seconds + BUILDING * self.weights


def plan(
    graphs: Iterable[Graph],
    device: Device,
    *,
    dtypes: Sequence[str] = ("fp32",),
    batches: Sequence[int] = (1, 8),
    limits: Limits = Limits(),  # noqa: B008 (immutable)
    repeats: int = REPEATS,
    seed: int = 0,
) -> list[Planned]:
    """What is measured of ``graphs``, in the order in which it is.

    Networks are in random order, the same for the same ``seed``: what else the machine does, and
    how warm it is, has nothing to do with their kind. Behind them come ``repeats`` of them a second
    time, of all durations, in an order of their own: what changed in between is the machine's
    noise.

    Raises:
        DeviceError: the device has no figure for any of ``dtypes``.
    """
    groups = [
        [_planned(graph, device, dtype, batch, limits) for dtype in dtypes for batch in batches]
        for graph in graphs
    ]
    order = random.Random(seed)
    order.shuffle(groups)
    again = [
        Planned(one.key._replace(round=1), one.seconds, one.peak, one.weights)
        for group in _spread(groups, repeats)
        for one in group
    ]
    return [*(one for group in groups for one in group), *again]


def _planned(graph: Graph, device: Device, dtype: str, batch: int, limits: Limits) -> Planned:
    key = Key(graph.name, dtype, batch)
    try:
        expected = estimate(fitted(graph, Settings(dtype=dtype, batch=batch)), device)
    except DeviceError:
        raise
    except ArchcostError as error:  # it takes no other batch, or dtype, than its own
        return Planned(key, 0.0, 0, 0, str(error))
    return Planned(
        key,
        expected.seconds,
        expected.peak_memory,
        expected.memory.weights,
        _too_much(expected.seconds, expected.peak_memory, limits),
    )


def _too_much(seconds: float, peak: int, limits: Limits) -> str | None:
    if limits.memory is not None and MARGIN * peak > limits.memory:
        return (
            f"memory: {peak / 1e9:.2f} GB estimated, {MARGIN:g} times which has to be free, and "
            f"{limits.memory / 1e9:.2f} GB are"
        )
    if seconds > limits.longest:
        return f"time: {seconds:.1f} s a pass estimated, more than {limits.longest:g} s"
    return None


def _spread(groups: Sequence[Sequence[Planned]], number: int) -> Iterator[list[Planned]]:
    """So many of the ``groups``, evenly spread over the durations of their passes, in descending
    and ascending steps: neither in the order in which they were measured nor by duration."""
    worthwhile = [
        chosen
        for group in groups
        if (chosen := [p for p in group if not p.skip and p.seconds <= LONGEST_REPEATED])
    ]
    worthwhile.sort(key=lambda group: sum(one.seconds for one in group))
    if number >= len(worthwhile):
        picked = worthwhile
    else:
        step = (len(worthwhile) - 1) / max(number - 1, 1)
        picked = [worthwhile[round(index * step)] for index in range(number)]
    yield from picked[::-2]
    yield from picked[len(picked) % 2 :: 2]


def free_memory(device: str) -> int | None:
    """Bytes that are free on ``device`` (``cpu``, ``cuda:0``); None where nobody says."""
    if not device.startswith("cuda"):
        return available_bytes()
    import torch

    free, _total = torch.cuda.mem_get_info(device)
    return int(free)
