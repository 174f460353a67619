"""Running what was planned, one network after the other, each written down when it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from statistics import fmean, median
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from archcost.ir import ArchcostError, Graph
from archcost.measure.environment import Clocks, check_device, check_dtype, environment
from archcost.measure.layers import one_pass
from archcost.measure.memory import MemoryOfPasses, allocated_peak, held_bytes, tensor_bytes
from archcost.measure.passes import (
    Settings,
    built_module,
    check_finite,
    explained,
    fitted,
    free,
    ready,
)
from archcost.measure.records import MeasureError, Timing
from archcost.measure.timing import measured, of_times, statistics
from archcost.measure.weights import settle
from archcost.validation.held import held
from archcost.validation.journal import Journal, Key, Row, Session, append
from archcost.validation.judging import alike, short_fingerprint
from archcost.validation.plan import LEAST_RUNS, MIN_RUN_TIME, Planned

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from archcost.targets.torch import GraphModule

LONG_PASS: Final = 0.05
"""Seconds of a pass on a CPU from which on each run is timed alone, not by torch's timer, which
would add one of its own, and from which on one pass is enough to time its layers."""
VERY_LONG_PASS: Final = 1.0
RUNS_OF_VERY_LONG: Final = 2
LAYER_PASSES: Final = 3
LAYER_PASSES_ON_GPU: Final = 7
SWITCHED: Final = "allow_tf32"
"""Ending of the names of settings that are another dtype's another value."""


def session(
    place: str, device: str, *, command: str = "", threads: int | None = None, **settings: Any
) -> Session:
    """How passes on ``place`` (``cpu``, ``cuda:0``) are measured from now on, for the device file
    of name ``device``; ``settings`` are kept for who reads it.

    Raises:
        MeasureError: there is no such device here.
    """
    where = check_device(place)
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    about = environment(where, Clocks(where).read())
    # Every pass has those of its dtype.
    fixed = {key: told for key, told in about.settings.items() if not key.endswith(SWITCHED)}
    return Session(replace(about, settings=fixed), device, command, _now(), settings)


def run(
    path: Path,
    journal: Journal,
    planned: Sequence[Planned],
    load: Callable[[str], Graph],
    place: str,
) -> Iterator[Planned]:
    """Measure what is ``planned`` and not in ``journal`` on ``place``, add each row to the file
    ``path`` and to the journal, and tell of each that it is done.

    What cannot be measured is written down with the reason, and the rest goes on.

    Raises:
        MeasureError: there is no such device here.
        JournalError: the file cannot be written.
    """
    device = check_device(place)
    weights = _Weights()
    for one in planned:
        if not journal.has(one.key):
            row = Row(one.key, skipped=one.skip)
            if one.skip is None:
                row = _measured(load(one.key.model), one.key, device, weights)
            if row != journal.rows.get(one.key):
                append(path, row)
            journal.rows[one.key] = row
        yield one


class _Weights:
    """The settled weights of one network in one dtype: at other batches they are the same."""

    def __init__(self) -> None:
        self._of: tuple[str, str] | None = None
        self._state: Mapping[str, Any] = {}

    def let_go(self, key: Key) -> None:
        """Hold nothing of other networks and dtypes than that of ``key``: it takes memory."""
        if self._of != (key.model, key.dtype):
            self._of, self._state = None, {}

    def give(
        self, key: Key, module: GraphModule, inputs: Sequence[Tensor], device: torch.device
    ) -> bool:
        """Let ``module`` have settled weights; whether it is the first of its network and dtype."""
        of = (key.model, key.dtype)
        known = self._of == of
        if known and device.type == "cpu":
            module.load_state_dict(self._state)
            return False
        settle(module, inputs)
        self._of = of
        if device.type == "cpu":  # elsewhere they would take the memory that is measured
            self._state = module.state_dict()
        return not known


def _measured(graph: Graph, key: Key, device: torch.device, weights: _Weights) -> Row:
    """The row of ``key``."""
    row, begin = Row(key, started=_now()), perf_counter()
    try:
        settings = Settings(str(device), key.dtype, key.batch)
        graph = fitted(graph, settings)
        check_dtype(graph.dtype, device)
        row = replace(row, fingerprint=short_fingerprint(graph))
        with ready(graph, settings, device):
            row = _passes(graph, settings, device, row, weights)
    except (ArchcostError, RuntimeError, MemoryError, IndexError, TypeError, ValueError) as error:
        # Only the text: the error itself would hold the frames, and these the network.
        why = str(error if isinstance(error, MeasureError) else explained(error))
        row = replace(row, timing=None, memory=None, layers=None, failure=why)
    if row.failure:
        free()
    return replace(row, took=perf_counter() - begin)


def _passes(
    graph: Graph, settings: Settings, device: torch.device, row: Row, weights: _Weights
) -> Row:
    """``row`` with what the passes show. The first one after settling warms up; on a CPU its
    allocations are followed by torch's profiler.

    Whether its outputs are finite is looked at before memory counts: that takes room of its own.
    """
    key, cpu = row.key, device.type == "cpu"
    weights.let_go(key)
    memory = MemoryOfPasses(device)
    module, inputs = built_module(graph, settings, device)
    first_of_its_kind = weights.give(key, module, inputs, device)
    bytes_ = held(module, inputs) if first_of_its_kind and not key.round else None

    made: list[Any] = []

    def first() -> None:
        made.append(module(*inputs))

    begin = perf_counter()
    allocated = None
    if cpu:
        allocated = allocated_peak(first) + held_bytes(module) + tensor_bytes(*inputs)
    else:
        first()
    once = perf_counter() - begin
    check_finite(made.pop(), graph)
    memory.restart()
    timing = _timed(lambda: module(*inputs), device, once)
    taken = memory.read(allocated)
    layers = None
    if not key.round:
        number = LAYER_PASSES if cpu else LAYER_PASSES_ON_GPU
        if cpu and once >= LONG_PASS:
            number = 1
        times = [one_pass(module, inputs, device) for _ in range(number)]
        seconds = list(map(median, zip(*times, strict=True)))
        layers = tuple(fmean(seconds[place] for place in group) for group in alike(graph))
    return replace(row, timing=timing, memory=taken, layers=layers, held=bytes_)


def _timed(call: Callable[[], object], device: torch.device, once: float) -> Timing:
    """The time of a warm pass, of which a cold one took ``once`` seconds."""
    if device.type != "cpu":  # where loading kernels can take longest of a cold pass
        timing = statistics(measured(call, device, MIN_RUN_TIME))
        if timing.runs >= LEAST_RUNS:
            return timing
        return statistics(measured(call, device, LEAST_RUNS * timing.median))
    times = []
    if once >= LONG_PASS:
        times.append(_once(call))
        once = times[0]
    if not times or once < LONG_PASS:
        return statistics(measured(call, device, max(MIN_RUN_TIME, LEAST_RUNS * once)))
    runs = max(LEAST_RUNS, ceil(MIN_RUN_TIME / once))
    if once >= VERY_LONG_PASS:
        runs = RUNS_OF_VERY_LONG
    return of_times(times + [_once(call) for _ in range(runs - 1)])


def _once(call: Callable[[], object]) -> float:
    """Seconds of one call; torch is in inference mode already."""
    begin = perf_counter()
    call()
    return perf_counter() - begin


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
