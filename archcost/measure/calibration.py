"""The machine at hand as a device: its ceilings, measured, and its costs, fitted.

Ceilings are the best that simple benchmarks reach: the largest product of matrices, a copy of
memory, an operator on next to no data. Costs are fitted to :mod:`archcost.measure.stacks`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.hardware.costs import Costs, Rates
from archcost.hardware.device import Cache, Device, Source
from archcost.ir.types import NUMPY_NAMES
from archcost.measure.environment import Clocks, check_device, check_dtype, environment
from archcost.measure.fitting import Fit, fit
from archcost.measure.passes import explained, precision
from archcost.measure.records import Environment, MeasureError
from archcost.measure.samples import Sample, read, sample, short, together
from archcost.measure.stacks import CPU_LIMITS, GPU_LIMITS, stacks
from archcost.measure.timing import seconds

if TYPE_CHECKING:
    import torch

    from archcost.ir import Graph

SCHEMA: Final = "archcost.calibration/1"
STACKS: Final = 400
REPEATS: Final = 3
SIDES: Final = {"cpu": (512, 1024, 2048), "gpu": (2048, 4096, 8192)}
"""Of the square matrices whose product is the ceiling of arithmetic."""
CONVOLUTIONS: Final = {
    "cpu": ((8, 128, 28), (8, 256, 14)),
    "gpu": ((128, 256, 28), (128, 512, 14)),
}
"""Batch, channels and side of the images of convolutions with windows of 3 x 3, likewise."""
COPIED: Final = {"cpu": 256 * 2**20, "gpu": 2 * 2**30}
"""Bytes of the tensor whose copy is the ceiling of memory: more than any cache."""
RUN_TIME: Final = 0.3
LEVELS: Final = Path("/sys/devices/system/cpu/cpu0/cache")
TOPOLOGY: Final = LEVELS.with_name("topology")
"""What Linux says of the first core; elsewhere there are no such folders."""
LONGEST_NAME: Final = 60


class Calibration(NamedTuple):
    """A calibrated device, the samples it rests on, and how well each class was fitted."""

    device: Device
    samples: tuple[Sample, ...]
    fits: Mapping[str, Mapping[str, Fit]]


class Ceilings(NamedTuple):
    """FLOP/s by dtype, bytes/s, and seconds that an operator on next to no data takes."""

    peak: Mapping[str, float]
    bandwidth: float
    overhead: float


class Machine(NamedTuple):
    """What is known of a device before anything is fitted.

    ``date`` is when it was measured; empty: nobody knows.
    """

    environment: Environment
    ceilings: Ceilings
    units: int
    caches: tuple[Cache, ...]
    date: str = ""


class Plan:
    """A calibration that is to be made: :meth:`samples` measures, :func:`calibrated` fits.

    Args:
        place: ``cpu``, ``cuda`` or ``cuda:n``.
        dtypes: in which it is measured, those that the device does not compute left out.
        stacks: how many, in each dtype.
        repeats: times that all of them are run, one after the other.
        threads: on a CPU; torch's choice by default.

    Raises:
        MeasureError: there is no such device, or it computes none of ``dtypes``.
    """

    def __init__(
        self,
        place: str,
        dtypes: Sequence[str] = ("fp32",),
        *,
        stacks: int = STACKS,
        repeats: int = REPEATS,
        threads: int | None = None,
    ) -> None:
        self.place = check_device(place)
        self.dtypes = _usable(dtypes, self.place)
        self.stacks = stacks
        self.repeats = repeats
        self.threads = threads

    def __len__(self) -> int:
        """Runs of a stack in all."""
        return len(self.dtypes) * self.stacks * self.repeats

    def machine(self) -> Machine:
        """The device and its ceilings, measured.

        Raises:
            MeasureError: the system does not say how much memory it has, which a device file needs,
                or a benchmark does not fit into it.
        """
        with _threads(self.threads):
            about = environment(self.place, Clocks(self.place).read())
            if not about.memory_bytes:
                raise MeasureError("device", "this system does not say how much memory it has")
            try:
                found = ceilings(self.place, self.dtypes)
            except (RuntimeError, MemoryError) as error:
                raise explained(error) from None
            today = datetime.now(UTC).date().isoformat()
            return Machine(about, found, _units(self.place), _caches(self.place), today)

    def samples(self) -> Iterator[Sample | None]:
        """Runs every stack; None for one that the device cannot run. As many as :func:`len` says.

        The runs of one stack lie far apart; :func:`merged` puts them together.
        """
        limits = GPU_LIMITS if self.place.type == "cuda" else CPU_LIMITS
        for dtype in self.dtypes:
            with _threads(self.threads), precision(dtype):
                for _ in range(self.repeats):
                    for graph in stacks(limits, self.stacks):
                        yield sample(graph.with_dtype(dtype), self.place)


def merged(samples: Iterable[Sample | None]) -> tuple[Sample, ...]:
    """The samples of one stack in one dtype as one."""
    found: dict[tuple[str, str], list[Sample]] = defaultdict(list)
    for one in samples:
        if one is not None:
            found[one.graph.name, one.graph.dtype].append(one)
    return tuple(together(own) for own in found.values())


def _usable(dtypes: Sequence[str], place: torch.device) -> list[str]:
    """Those of ``dtypes`` that the device computes. Raises MeasureError where it is none."""
    usable = []
    refused = None
    for dtype in dtypes:
        try:
            check_dtype(dtype, place)
            usable.append(dtype)
        except MeasureError as error:
            refused = refused or error
    if refused is not None and not usable:
        raise refused
    return usable


def _median(call: Callable[[], object], place: torch.device) -> float:
    return seconds(call, place, RUN_TIME).median


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def ceilings(place: torch.device, dtypes: Sequence[str]) -> Ceilings:
    """The best that simple benchmarks reach on a device."""
    import torch

    kind = "gpu" if place.type == "cuda" else "cpu"
    peak = {}
    for dtype in dtypes:
        kept = getattr(torch, NUMPY_NAMES[dtype])
        with precision(dtype):
            rates = []
            for side in SIDES[kind]:
                a = torch.randn(side, side, device=place).to(kept)
                b = torch.randn(side, side, device=place).to(kept)
                rates.append(2 * side**3 / _median(partial(torch.matmul, a, b), place))
            # Libraries for convolutions may do better than those for products of matrices.
            for batch, channels, size in CONVOLUTIONS[kind]:
                x = torch.randn(batch, channels, size, size, device=place).to(kept)
                w = torch.randn(channels, channels, 3, 3, device=place).to(kept)
                flops = 2 * batch * channels**2 * 9 * size**2
                run = partial(torch.nn.functional.conv2d, x, w, padding=1)
                rates.append(flops / _median(run, place))
            peak[dtype] = max(rates)
    source = torch.ones(COPIED[kind] // 4, device=place)
    target = torch.empty_like(source)
    copied = _median(partial(target.copy_, source), place)
    overhead = _median(partial(torch.relu, torch.ones(8, device=place)), place)
    return Ceilings(peak, 2 * COPIED[kind] / copied, overhead)


def calibrated(samples: Sequence[Sample], machine: Machine, name: str | None = None) -> Calibration:
    """The device that its ceilings and samples make: fits, and measures nothing.

    Args:
        samples: as :func:`merged` gives them.
        machine: where they were measured.
        name: of the device; by default made of the processor's.

    Raises:
        MeasureError: the samples are too few for coefficients.
    """
    about, found, units, caches, date = machine
    sizes = [cache.bytes * (1 if cache.shared else units) for cache in caches]
    levels = sorted(set(sizes))[-2:]
    classes: dict[str, Mapping[str, Mapping[str, float]]] = {}
    fits: dict[str, Mapping[str, Fit]] = {}
    for dtype, peak in found.peak.items():
        own = [one for one in samples if one.graph.dtype == dtype]
        if own:
            rates = Rates(peak, found.bandwidth, found.overhead, float(units))
            classes[dtype], fits[dtype] = fit(own, rates, levels)
    costs = _costs(levels, classes)
    source = Source("archcost calibrate", note=f"measured with torch {about.torch}")
    figures = (
        "units",
        "bandwidth",
        "memory",
        "overhead",
        *(f"peak.{dtype}" for dtype in found.peak),
    )
    device = Device(
        name=name or _name(about.device),
        title=about.device,
        kind="gpu" if about.kind == "gpu" else "cpu",
        peak={dtype: short(peak) for dtype, peak in found.peak.items()},
        bandwidth=short(found.bandwidth),
        memory=about.memory_bytes or 0,
        overhead=short(found.overhead),
        units=units,
        caches=tuple(caches),
        sources={
            **dict.fromkeys(figures, source),
            **{f"caches.{cache.name}": Source("the operating system") for cache in caches},
        },
        costs=costs,
        calibrated={
            **({"date": date} if date else {}),
            "archcost": about.archcost,
            "torch": about.torch,
            "threads": about.threads,
            "cpu": about.cpu,
            **({"driver": about.driver} if about.driver else {}),
            "samples": sum(len(one.seconds) for one in samples),
        },
    )
    return Calibration(device, tuple(samples), fits)


def _costs(
    levels: Sequence[int], classes: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> Costs:
    try:
        return Costs.from_data(Costs(tuple(levels), classes).data())
    except ValueError as error:
        raise MeasureError("other", f"too few samples to fit: {error}") from None


def _name(device: str) -> str:
    """What a device is called on command lines: ``AMD EPYC`` becomes ``amd-epyc``."""
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")[:LONGEST_NAME] or "this-machine"


def _units(place: torch.device) -> int:
    """Streaming multiprocessors of a GPU, threads on a CPU."""
    import torch

    if place.type == "cuda":
        return int(torch.cuda.get_device_properties(place).multi_processor_count)
    return torch.get_num_threads()


def _caches(place: torch.device) -> tuple[Cache, ...]:
    """Levels of cache, by the driver or the operating system; none where they do not tell."""
    import torch

    if place.type == "cuda":
        # torch tells since 2.6.
        size = getattr(torch.cuda.get_device_properties(place), "L2_cache_size", None)
        return () if size is None else (Cache(size, name="L2", shared=True),)
    found = []
    # Several threads of one core share all of its caches.
    core = _said(TOPOLOGY / "core_cpus_list") or _said(TOPOLOGY / "thread_siblings_list")
    for index in sorted(LEVELS.glob("index*")):
        with suppress(ValueError):
            level, kind = _said(index / "level"), _said(index / "type")
            size, sharing = _said(index / "size"), _said(index / "shared_cpu_list")
            if level and kind != "Instruction" and level != "1":
                shared = not sharing.isdecimal() and sharing != core
                found.append(Cache(int(size.rstrip("K")) * 1024, name=f"L{level}", shared=shared))
    return tuple(found)


def _said(path: Path) -> str:
    """What the kernel says in a file of its own; nothing where it has none such."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def written(samples: Iterable[Sample], machine: Machine) -> str:
    """Everything that was measured, in JSON Lines, for :func:`read_samples`."""
    data = {
        "schema": SCHEMA,
        "date": machine.date,
        "environment": asdict(machine.environment),
        "ceilings": machine.ceilings._asdict(),
        "units": machine.units,
        "caches": [cache._asdict() for cache in machine.caches],
    }
    return "".join(f"{line}\n" for line in (json.dumps(data), *(one.line() for one in samples)))


def _machine(data: Mapping[str, Any]) -> Machine:
    found, about = Ceilings(**data["ceilings"]), Environment(**data["environment"])
    figures = (*found.peak.values(), found.bandwidth, found.overhead, about.memory_bytes or 0)
    if not all(isfinite(figure) and figure > 0 for figure in figures):
        raise ValueError("a ceiling is not above 0")
    caches = tuple(Cache(**cache) for cache in data["caches"])
    return Machine(about, found, int(data["units"]), caches, str(data.get("date", "")))


def read_samples(text: str, graph: Callable[[str], Graph]) -> tuple[tuple[Sample, ...], Machine]:
    """What :func:`written` wrote; ``graph`` makes a graph of its JSON.

    Raises:
        MeasureError: the text is none such; it says where.
    """
    first, *lines = text.splitlines() or [""]
    try:
        data = json.loads(first)
        if data["schema"] != SCHEMA:
            raise ValueError(f"its schema is {data['schema']!r:.60}, not {SCHEMA!r}")
        return tuple(read(lines, graph, first=2)), _machine(data)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise MeasureError("other", f"no samples of a calibration: {error}") from None
