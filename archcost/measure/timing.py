"""Repetition, synchronisation and statistics: those of torch.utils.benchmark."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from archcost.measure.environment import current
from archcost.measure.records import Timing

if TYPE_CHECKING:
    import torch
    from torch.utils.benchmark import Measurement

MIN_RUN_TIME: Final = 1.0
"""Seconds that a call is repeated for, unless told otherwise."""
SPENT: Final = "seconds of all calls"


def seconds(
    call: Callable[[], object],
    device: str | torch.device = "cpu",
    min_run_time: float = MIN_RUN_TIME,
) -> Timing:
    """The time of ``call``, repeated for ``min_run_time`` seconds, by torch's own timer.

    It is warmed up first, and timed in blocks so large that neither the clock nor waiting for the
    device counts. It runs in inference mode, on as many threads as torch has now.
    """
    return statistics(measured(call, device, min_run_time))


def measured(
    call: Callable[[], object], device: str | torch.device, min_run_time: float
) -> Measurement:
    """What :func:`seconds` sums up: torch's own measurement, with the time of every block.

    Its metadata has under :data:`SPENT` the seconds of all calls, those of the warm-up too.
    """
    import torch
    from torch.utils.benchmark import Timer
    from torch.utils.benchmark.utils.timer import timer

    place = torch.device(device)
    with current(place), torch.inference_mode():
        # On a CPU nothing has to be waited for, whatever else this machine has.
        clock = _Clock(timeit.default_timer if place.type == "cpu" else timer)
        found = Timer(
            "call()",
            timer=clock,
            globals={"call": call},
            num_threads=torch.get_num_threads(),
        ).blocked_autorange(min_run_time=min_run_time)
    found.metadata = {SPENT: clock.between()}
    return found


class _Clock:
    """Tells the time, and remembers what it told: at the beginning and at the end of each block."""

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self._told: list[float] = []

    def __call__(self) -> float:
        now = self._timer()
        self._told.append(now)
        return now

    def between(self) -> float:
        """Seconds of all blocks."""
        return sum(self._told[1::2]) - sum(self._told[::2])


def statistics(found: Measurement) -> Timing:
    """torch's statistics of its measurement."""
    times = found.times
    median = found.median  # works the quartiles out as well
    q1, q3 = found._p25, found._p75
    return Timing(median, q1, q3, min(times), max(times), len(times), found.number_per_run)


def of_times(times: Sequence[float]) -> Timing:
    """torch's statistics of single times in seconds."""
    from torch.utils.benchmark import Measurement
    from torch.utils.benchmark.utils.common import TaskSpec

    return statistics(Measurement(1, list(times), TaskSpec("call()", "pass")))
