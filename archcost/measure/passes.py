"""A forward pass: prepared, run, timed and recorded."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from archcost.analysis import analyze
from archcost.analysis.memory import forward_memory
from archcost.ir import ArchcostError, Graph
from archcost.measure.environment import Clocks, check_device, check_dtype, current, environment
from archcost.measure.inputs import random_inputs
from archcost.measure.layers import layer_seconds
from archcost.measure.memory import (
    MemoryOfPasses,
    allocated_peak,
    available_bytes,
    held_bytes,
    tensor_bytes,
)
from archcost.measure.records import Ceilings, MeasureError, Measurement, fingerprint
from archcost.measure.timing import MIN_RUN_TIME, SPENT, measured, seconds, statistics
from archcost.measure.weights import settle
from archcost.targets import need_torch, to_torch

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from torch.utils.benchmark import Measurement as Measured

    from archcost.targets.torch import GraphModule

__all__ = [
    "Settings",
    "failed",
    "fitted",
    "measure",
    "prepared",
    "random_inputs",
    "seconds",
]

LEAST_RUNS: Final = 5
"""Timed passes, however long one takes: of fewer there are no quartiles."""
LONGEST_MESSAGE: Final = 300
OUT_OF_MEMORY: Final = (
    *("allocate memory", "not enough memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED"),
)
"""What torch's messages of missing memory have in them where they are no OutOfMemoryError."""


@dataclass(frozen=True)
class Settings:
    """How a network is run.

    ``device`` is ``cpu``, ``cuda`` or ``cuda:n``; ``dtype`` and ``batch`` are the graph's own where
    they are None, ``threads`` torch's. ``layers`` asks for the time of each layer besides.
    """

    device: str = "cpu"
    dtype: str | None = None
    batch: int | None = None
    channels_last: bool = False
    compile: bool = False
    threads: int | None = None
    min_run_time: float = MIN_RUN_TIME
    layers: bool = False


def fitted(graph: Graph, settings: Settings) -> Graph:
    """``graph`` in the batch and dtype that ``settings`` ask for.

    Raises:
        ShapeError, GraphError: it cannot have that batch, or the dtype is no floating-point one.
    """
    if settings.batch is not None and settings.batch != graph.batch:
        graph = graph.with_batch(settings.batch)
    if settings.dtype is not None and settings.dtype != graph.dtype:
        graph = graph.with_dtype(settings.dtype)
    return graph


def measure(
    graph: Graph,
    settings: Settings,
    *,
    ceilings: Ceilings | None = None,
    command: str = "",
    model: str = "",
) -> Measurement:
    """Build ``graph``, run it as ``settings`` say and tell what that took.

    The passes: one whose outputs are looked at (and which is compiled, where that is asked for),
    after compiling and on CUDA another one, torch's warm-up, the timed ones, and on a CPU one whose
    allocations are followed. That in which the weights settle is part of building.

    Args:
        ceilings: what the device can do at most, for the record.
        command: the command line, for the record.
        model: what the record calls the network; the graph's own name where it is empty.

    Raises:
        MeasureError: it cannot be run so, with the reason: see :data:`FAILURES`.
        MissingFrameworkError: torch is not installed.
    """
    _load_tools()
    begin = perf_counter()
    try:
        graph = fitted(graph, settings)
        device = check_device(settings.device)
        check_dtype(graph.dtype, device)
        with ready(graph, settings, device):
            record = described(graph, settings, ceilings=ceilings, command=command, model=model)
            return _measured(graph, settings, device, record, begin)
    except MeasureError:
        raise
    except (ArchcostError, RuntimeError, MemoryError, IndexError, TypeError, ValueError) as error:
        failure = explained(error)
    # Only out here have the error's frames let go of the network.
    free()
    raise failure


def prepared(graph: Graph, settings: Settings) -> tuple[Callable[..., Any], list[Tensor]]:
    """The module that :func:`measure` runs, and its inputs: in evaluation mode on the device, its
    weights random and settled (:mod:`archcost.measure.weights`), compiled where that is asked for.

    Raises:
        MeasureError: there is no such device, or it cannot compute in that dtype.
        TargetError: torch cannot execute a node.
    """
    graph = fitted(graph, settings)
    device = check_device(settings.device)
    check_dtype(graph.dtype, device)
    with ready(graph, settings, device):
        module, inputs = built_module(graph, settings, device)
        settle(module, inputs)
        return _compiled(module) if settings.compile else module, inputs


def described(
    graph: Graph,
    settings: Settings,
    *,
    ceilings: Ceilings | None = None,
    command: str = "",
    model: str = "",
) -> Measurement:
    """A record without what is measured: of which network, and how it is run. ``graph`` is
    :func:`fitted`."""
    totals = analyze(graph).totals
    identity = ""
    with suppress(ArchcostError):  # a graph with operators of others has no JSON
        identity = fingerprint(graph)
    return Measurement(
        model=model or graph.name,
        fingerprint=identity,
        inputs=tuple(value.shape for value in graph.inputs),
        input_dtypes=tuple(value.type.dtype for value in graph.inputs),
        params=totals.params,
        macs=totals.macs,
        flops=totals.flops,
        traffic_bytes=totals.traffic_bytes,
        device=settings.device,
        dtype=graph.dtype,
        batch=graph.batch,
        channels_last=settings.channels_last,
        compiled=settings.compile,
        threads=_thread_count(settings),
        min_run_time=settings.min_run_time,
        ceilings=ceilings,
        command=command,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def failed(
    graph: Graph,
    settings: Settings,
    error: MeasureError,
    *,
    command: str = "",
    model: str = "",
) -> Measurement:
    """The record of a pass that could not be measured, with the reason."""
    with suppress(ArchcostError):
        graph = fitted(graph, settings)
    record = described(graph, settings, command=command, model=model)
    record = replace(
        record,
        dtype=settings.dtype or record.dtype,
        batch=settings.batch or record.batch,
        failure=str(error),
        failure_kind=error.kind,
    )
    with suppress(MeasureError):
        return replace(record, environment=environment(check_device(settings.device), {}))
    return record


def _measured(
    graph: Graph, settings: Settings, device: torch.device, record: Measurement, begin: float
) -> Measurement:
    """``record`` with what was measured; the work on it began at ``begin``."""
    _check_room(graph, device)
    memory = MemoryOfPasses(device)
    module, inputs = built_module(graph, settings, device)
    clocks = Clocks(device)
    settle(module, inputs)
    _wait(device)
    built = perf_counter()
    passed = _compiled(module) if settings.compile else module

    def run() -> Any:
        return passed(*inputs)

    first = once = warming = _seconds_of(lambda: check_finite(run(), graph), device)
    if settings.compile or device.type == "cuda":  # compiling, or loading kernels, was most of that
        once = _seconds_of(run, device)
        warming += once
    memory.restart()
    found = _often_enough(run, device, max(settings.min_run_time, LEAST_RUNS * once))
    taken = memory.read()
    if device.type == "cpu":  # whose profiler takes memory of its own
        allocated = allocated_peak(run) + held_bytes(module) + tensor_bytes(*inputs)
        taken = taken._replace(allocator_bytes=allocated)
    ended = perf_counter()
    layers = None
    if settings.layers:
        layers = layer_seconds(graph, module, inputs, device, settings.min_run_time)
    return replace(
        record,
        environment=environment(device, clocks.read()),
        timing=statistics(found),
        memory=taken,
        layers=layers,
        build_seconds=built - begin,
        compile_seconds=first if settings.compile else None,
        measuring_seconds=ended - built,
        passes_seconds=_seconds_in_passes(found, warming, device),
    )


def _often_enough(run: Callable[[], object], device: torch.device, run_time: float) -> Measured:
    """``run`` timed for ``run_time`` seconds; once more where that was too short for quartiles."""
    found = measured(run, device, run_time)
    if len(found.raw_times) >= LEAST_RUNS:
        return found
    again = measured(run, device, LEAST_RUNS * max(found.raw_times))
    assert found.metadata is not None
    assert again.metadata is not None
    again.metadata[SPENT] += found.metadata[SPENT]
    return again


def _seconds_in_passes(found: Measured, warming: float, device: torch.device) -> float:
    """Seconds of all passes: those that were timed and torch's warm-up before them, the ``warming``
    ones and, on a CPU, that whose allocations are followed, which is taken for a usual one."""
    assert found.metadata is not None
    spent: float = found.metadata[SPENT] + warming
    return spent + found.median if device.type == "cpu" else spent


@cache
def _load_tools() -> None:
    """Let torch's timer and profiler start, which take a second when they are first used."""
    need_torch()
    import torch.utils.benchmark  # noqa: F401 - it is loaded here, not while something is timed

    allocated_peak(lambda: None)


def built_module(
    graph: Graph, settings: Settings, device: torch.device
) -> tuple[GraphModule, list[Tensor]]:
    """The module on ``device`` with the same random weights every time, and its inputs."""
    import torch

    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), device:
        torch.manual_seed(0)
        module = to_torch(graph).eval().requires_grad_(False)
    inputs = random_inputs(graph, device)
    if settings.channels_last:
        _channels_last(module)
        inputs = [_last(tensor) for tensor in inputs]
    return module, inputs


def _channels_last(module: GraphModule) -> None:
    """Lay out the weights of convolutions, in two and three dimensions, with channels last."""
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.modules.conv._ConvNd):
            part.weight.data = _last(part.weight.data)


def _last(tensor: Tensor) -> Tensor:
    import torch

    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    layout = formats.get(tensor.dim())
    return tensor if layout is None else tensor.contiguous(memory_format=layout)


def _compiled(module: GraphModule) -> Callable[..., Any]:
    import torch

    # All networks run the same few lines of Python, of which torch compiles a few versions only
    # and then gives up.
    torch._dynamo.reset()
    compiled: Callable[..., Any] = torch.compile(module, dynamic=False)
    return compiled


def _check_room(graph: Graph, device: torch.device) -> None:
    """Raises MeasureError where a CPU's memory cannot hold the pass: the system would end us."""
    room = available_bytes() if device.type == "cpu" else None
    needed = forward_memory(graph).peak
    if room is not None and needed > room:
        raise MeasureError(
            "out of memory",
            f"out of memory: a pass needs {needed / 1e9:,.2f} GB of {room / 1e9:,.2f} GB",
        )


def check_finite(outputs: Any, graph: Graph) -> None:
    """Raises MeasureError where an output holds what is no finite number. Waits for the device."""
    import torch

    for value, tensor in zip(
        graph.outputs, outputs if isinstance(outputs, tuple) else (outputs,), strict=True
    ):
        if not tensor.is_floating_point() and not tensor.is_complex():
            continue
        wrong = int((~torch.isfinite(tensor)).sum())
        if wrong:
            raise MeasureError(
                "not finite",
                f"{wrong:,} of {tensor.numel():,} numbers of output {value.name!r:.60} are not "
                f"finite in {graph.dtype}",
            )


@contextmanager
def ready(graph: Graph, settings: Settings, device: torch.device) -> Iterator[None]:
    """torch as it is to be while passes run: threads, precision, the current device, and nothing
    kept for a backward pass."""
    import torch

    with ExitStack() as stack:
        if settings.threads is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(settings.threads)
        if device.type == "cuda":
            stack.enter_context(precision(graph.dtype))
        stack.enter_context(current(device))
        stack.enter_context(torch.inference_mode())
        yield


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """fp32 is computed in fp32 and tf32 in TF32: torch's own choice is one of each, for matrix
    products and for convolutions."""
    import torch

    places: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.allow_tf32 for place in places]
    for place in places:
        place.allow_tf32 = dtype == "tf32"
    try:
        yield
    finally:
        for place, was in zip(places, before, strict=True):
            place.allow_tf32 = was


def _thread_count(settings: Settings) -> int:
    if settings.threads is not None:
        return settings.threads
    import torch

    return torch.get_num_threads()


def _seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, waiting for the device."""
    begin = perf_counter()
    call()
    _wait(device)
    return perf_counter() - begin


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)


def explained(error: Exception) -> MeasureError:
    """What went wrong, in one line."""
    import torch

    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = lines[0][:LONGEST_MESSAGE]
    memory = (MemoryError, torch.cuda.OutOfMemoryError)
    if isinstance(error, memory) or any(sign in text for sign in OUT_OF_MEMORY):
        said = text if "out of memory" in text else f"out of memory: {text}"
        return MeasureError("out of memory", said)
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return MeasureError("compile", f"torch.compile: {' '.join(lines[:2])[:LONGEST_MESSAGE]}")
    if isinstance(error, ArchcostError):
        return MeasureError("operator", str(error))
    if "not implemented for" in text or isinstance(error, NotImplementedError):
        return MeasureError("dtype", f"torch has no kernel: {text}")
    return MeasureError("other", f"torch: {text}")


def free() -> None:
    """Give the memory of a failed pass back."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        with suppress(RuntimeError):  # of a device that has failed nothing comes back
            torch.cuda.empty_cache()
