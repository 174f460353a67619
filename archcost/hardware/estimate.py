"""What a forward pass would take on a device: time, memory and energy, from the graph alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.analysis import forward_memory, lifetimes, weight_bytes
from archcost.hardware.accuracy import Accuracy, accuracies
from archcost.hardware.allocator import CachingAllocator
from archcost.hardware.costs import LayerTime, layer_times

if TYPE_CHECKING:
    from archcost.hardware.costs import Bound
    from archcost.hardware.device import Device
    from archcost.ir import Graph

SATURATED: Final = 0.9
"""Share of the highest throughput at which a device counts as saturated."""
LARGEST_BATCH: Final = 2**16
"""Samples at once up to which a curve goes, and the largest batch is looked for."""
GUESSES: Final = 3
LEAST_GAIN: Final = 0.01
"""Throughput that a doubling of the batch has to bring, as a share, for a curve to go on."""

CUBLAS_KINDS: Final = frozenset({"linear", "matmul", "grouped_matmul"})
"""Operators that torch gives to cuBLAS."""
CUBLAS_WORKSPACE: Final = 4096 * 1024 * 2 + 16 * 1024 * 8
CUBLAS_WORKSPACE_SINCE_HOPPER: Final = 4096 * 1024 * 8
"""Bytes that torch allocates for cuBLAS at the first product and keeps: the defaults of
``aten/src/ATen/cuda/CublasHandlePool.cpp``."""
SINCE_HOPPER: Final = ("Hopper", "Blackwell")


class PassMemory(NamedTuple):
    """Bytes of a forward pass at their highest.

    ``weights`` and ``activations`` are exact, as :func:`archcost.analysis.forward_memory` has them;
    ``workspace`` is what torch keeps for cuBLAS, ``rounding`` what an allocator of blocks gives out
    besides. ``reserved`` is what that allocator takes from the device for all of it.
    """

    weights: int
    activations: int
    workspace: int
    rounding: int
    reserved: int

    @property
    def peak(self) -> int:
        """Bytes that are allocated at the highest point."""
        return self.weights + self.activations + self.workspace + self.rounding


class Bounds(NamedTuple):
    """The seconds of those layers that are bound by arithmetic, by memory, by being launched.

    Being called is all that a view takes: that is among ``launch``.
    """

    compute: float
    memory: float
    launch: float

    @classmethod
    def of(cls, layers: Iterable[LayerTime]) -> Bounds:
        """Those of ``layers``."""
        found = dict.fromkeys(cls._fields, 0.0)
        for layer in layers:
            found["launch" if layer.bound == "nothing" else layer.bound] += layer.seconds
        return cls(**found)

    @property
    def longest(self) -> Bound:
        """The bound with the most seconds; ``nothing`` where none has any."""
        most = max(self)
        names: tuple[Bound, ...] = ("compute", "memory", "launch")
        return names[self.index(most)] if most else "nothing"

    def shares(self) -> dict[str, float]:
        """Their shares of the time, the largest first."""
        whole = sum(self)
        parts = sorted(self._asdict().items(), key=lambda part: -part[1])
        return {name: seconds / whole if whole else 0.0 for name, seconds in parts}


class Estimate:
    """One forward pass of ``graph``, at its batch and in its dtype, on ``device``; read-only.

    ``layers`` has the time of every node, in the graph's order. ``fused``: element-wise operations
    and normalisations are part of what they follow.
    """

    def __init__(
        self, graph: Graph, device: Device, fused: bool, layers: tuple[LayerTime, ...]
    ) -> None:
        self.graph = graph
        self.device = device
        self.fused = fused
        self.layers = layers

    def __repr__(self) -> str:
        return f"<estimate of {self.graph.name} on {self.device.name}: {self.seconds:.3g} s>"

    @property
    def batch(self) -> int:
        return self.graph.batch

    @cached_property
    def dtype(self) -> str:
        return self.graph.dtype

    @cached_property
    def seconds(self) -> float:
        """Of the whole pass: its layers run one after the other."""
        return sum([layer.seconds for layer in self.layers])

    @property
    def throughput(self) -> float | None:
        """Samples/s; None where nothing takes time."""
        return self.batch / self.seconds if self.seconds else None

    @cached_property
    def bounds(self) -> Bounds:
        """Seconds by what the layers are bound by."""
        return Bounds.of(self.layers)

    @cached_property
    def flops(self) -> int:
        return sum([layer.node.application.flops for layer in self.layers])

    @property
    def flops_per_second(self) -> float | None:
        return self.flops / self.seconds if self.seconds else None

    @property
    def peak_share(self) -> float | None:
        """FLOP/s as a share of what the device has for the dtype; None where it has no figure."""
        peak, rate = self.device.peak.get(self.dtype), self.flops_per_second
        return rate / peak if peak and rate is not None else None

    @cached_property
    def memory(self) -> PassMemory:
        return pass_memory(self.graph, self.device, fused=self.fused)

    @property
    def peak_memory(self) -> int:
        """Bytes."""
        return self.memory.peak

    @property
    def accuracies(self) -> tuple[Accuracy, ...]:
        """What is known of the errors of such estimates, see :func:`accuracies`."""
        return accuracies(self.device, self.dtype)

    @property
    def fits(self) -> bool:
        """Whether the device has that much memory."""
        return self.peak_memory <= self.device.memory

    @property
    def energy_joules(self) -> float | None:
        """Of the pass if the device drew its ``power`` throughout; None where that is not known."""
        return None if self.device.power is None else self.device.power * self.seconds

    @property
    def calibrated(self) -> bool:
        """Whether the device's own coefficients were measured; else they are its class's."""
        return self.device.costs is not None

    @cached_property
    def unknown(self) -> dict[str, int]:
        """The operators whose work archcost does not know, and how many layers have each."""
        ops = (layer.node.op for layer in self.layers)
        return dict(Counter([op.kind for op in ops if not op.known]))


class Curve(NamedTuple):
    """Estimates at several batches, and the largest batch that fits the device's memory.

    ``largest`` is None where :data:`LARGEST_BATCH` fits too.
    """

    points: tuple[Estimate, ...]
    largest: int | None

    @property
    def best(self) -> Estimate | None:
        """The point with the highest throughput."""
        return max(self.points, key=lambda point: point.throughput or 0.0, default=None)

    @property
    def saturation(self) -> Estimate | None:
        """The smallest batch with :data:`SATURATED` of the highest throughput.

        None where that is the largest: throughput may go on rising behind it.
        """
        points = sorted(self.points, key=lambda point: point.batch)
        enough = SATURATED * max([point.throughput or 0.0 for point in points], default=0.0)
        found = next((p for p in points if (p.throughput or 0.0) >= enough), None)
        return None if not points or found is points[-1] else found


def estimate(graph: Graph, device: Device, *, fused: bool = False) -> Estimate:
    """One forward pass of ``graph``, at its own batch and dtype.

    Raises:
        DeviceError: the device has no units for the dtype.
    """
    return Estimate(graph, device, fused, layer_times(graph, device, fused=fused))


def pass_memory(graph: Graph, device: Device, *, fused: bool = False) -> PassMemory:
    """The memory of a forward pass, as torch has it on such a device.

    Liveness is :func:`archcost.analysis.forward_memory`'s; ``fused``: operators that can write
    over their input do, and a normalisation that can be folded stores nothing, though its weights
    stay. On a GPU the weights, the inputs and every tensor are requested of torch's caching
    allocator, in the order in which a module is moved to the device and then run. Workspaces of
    convolutions, which the library chooses as it runs, are not counted, nor is what the driver
    takes for itself.
    """
    weights = weight_bytes(graph)
    activations = forward_memory(graph, inplace=fused, fold_norm=fused).activations
    if device.kind != "gpu":
        return PassMemory(weights, activations, 0, 0, weights + activations)
    workspace = _workspace(graph, device)
    allocator = _allocated(graph, workspace, fused=fused)
    rounding = allocator.peak_allocated - weights - activations - workspace
    return PassMemory(weights, activations, workspace, rounding, allocator.reserved)


def _workspace(graph: Graph, device: Device) -> int:
    if not any(node.op.kind in CUBLAS_KINDS for node in graph.nodes):
        return 0
    if any(name in device.chip for name in SINCE_HOPPER):
        return CUBLAS_WORKSPACE_SINCE_HOPPER
    return CUBLAS_WORKSPACE


def _allocated(graph: Graph, workspace: int, *, fused: bool) -> CachingAllocator:
    """The allocator after one pass. The workspace, which is there from the first product of the
    first pass on, comes before the inputs, as in every later pass."""
    allocator = CachingAllocator()
    for parameter in graph.parameters:
        allocator.allocate(parameter.nbytes)
    allocator.allocate(workspace)
    storages = lifetimes(graph, inplace=fused, fold_norm=fused)
    blocks = {}
    freed: dict[int, list[int]] = {}
    for number, storage in enumerate(storages):
        freed.setdefault(storage.last, []).append(number)
    number = 0
    for index in range(-1, len(graph.nodes)):
        while number < len(storages) and storages[number].made == index:
            blocks[number] = allocator.allocate(storages[number].nbytes)
            number += 1
        for gone in freed.get(index, ()):
            allocator.free(blocks.pop(gone))
    return allocator


def batch_curve(
    graph: Graph,
    device: Device,
    batches: Sequence[int] | None = None,
    *,
    fused: bool = False,
) -> tuple[Estimate, ...]:
    """The estimate at each of ``batches``.

    By default the batch doubles from 1 on for as long as it fits and brings throughput: until two
    doublings in a row bring less than :data:`LEAST_GAIN`, or :data:`LARGEST_BATCH` is reached.

    Raises:
        DeviceError: the device has no units for the dtype.
        ArchcostError: the network cannot take such a batch.
    """
    if batches is not None:
        return tuple(estimate(graph.with_batch(batch), device, fused=fused) for batch in batches)
    curve: list[Estimate] = []
    batch, best, idle = 1, 0.0, 0
    while batch <= LARGEST_BATCH and idle < 2:
        point = estimate(graph.with_batch(batch), device, fused=fused)
        if curve and not point.fits:
            break
        curve.append(point)
        rate = point.throughput or 0.0
        idle = 0 if rate > best * (1 + LEAST_GAIN) else idle + 1
        best = max(best, rate)
        batch *= 2
    return tuple(curve)


def largest_batch(graph: Graph, device: Device, *, fused: bool = False) -> int | None:
    """The largest batch that fits the device's memory; 0: not even one sample does.

    None where :data:`LARGEST_BATCH` does.

    Raises:
        ArchcostError: the network takes no other batch than its own.
    """

    def needed(batch: int) -> int:
        return pass_memory(graph.with_batch(batch), device, fused=fused).peak

    if needed(1) > device.memory:
        return 0
    if needed(LARGEST_BATCH) <= device.memory:
        return None
    # Beside the weights memory is nearly proportional to the batch: the largest is looked for
    # around a guess, in growing steps.
    weights, guess, step = weight_bytes(graph), 1, 1
    for _ in range(GUESSES):
        guess = guess * (device.memory - weights) // max(1, needed(guess) - weights)
        guess = min(max(guess, 1), LARGEST_BATCH)
    fits, too_large = 1, LARGEST_BATCH
    while too_large - fits > 1:
        if not fits < guess < too_large:
            guess = (fits + too_large) // 2
        if needed(guess) <= device.memory:
            fits, guess = guess, guess + step
        else:
            too_large, guess = guess, guess - step
        step *= 2
    return fits
