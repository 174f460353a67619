"""A device: what it can do at most, where each figure comes from, and what calibration found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from archcost.ir import ArchcostError

if TYPE_CHECKING:
    from archcost.hardware.costs import Costs

DeviceKind = Literal["gpu", "cpu"]
KINDS: Final[tuple[DeviceKind, ...]] = ("gpu", "cpu")
PEAKS: Final = ("fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "int8")
"""The dtypes that a device can have a peak for; of ``int8`` it is operations on integers."""


class DeviceError(ArchcostError, ValueError):
    """A device is not known, its file is wrong, or it cannot do what it is asked for."""


class Cache(NamedTuple):
    """One level of cache: bytes of one such cache, and bytes/s from all of them.

    ``shared``: there is one, for all SMs or cores; else each of them has its own.
    """

    bytes: int
    bandwidth: float | None = None
    name: str = ""
    shared: bool = True


class Source(NamedTuple):
    """Where a figure comes from.

    Attributes:
        title: what document says it.
        url: its address.
        note: what is to be known of the figure: which clock it holds at, what others say.
        place: where in the document it stands.
        formula: how the figure is computed from what the document says (see
            :mod:`archcost.hardware.quantity`); empty where it is printed as it is.
        printed: what the maker prints where the figure is computed, with its unit; may be empty.
    """

    title: str
    url: str = ""
    note: str = ""
    place: str = ""
    formula: str = ""
    printed: str = ""


@dataclass(frozen=True)
class Device:
    """What a device can do at most.

    Attributes:
        name: what ``--device`` takes.
        kind: ``gpu`` or ``cpu``.
        peak: FLOP/s by dtype (an addition and a multiplication each count; dense, no sparsity;
            products of fp16, bf16 and fp8 summed in fp32, as torch sums them; of int8 operations/s,
            summed in int32); a dtype that it has no units for is not there.
        bandwidth: bytes/s between the processor and its memory.
        memory: bytes of memory.
        overhead: seconds that it takes to start one kernel (of a CPU: one operator).
        units: streaming multiprocessors of a GPU, cores of a CPU.
        caches: from the smallest to the largest.
        power: watts that it draws at most (board power of a GPU, TDP of a CPU); None: no figure.
        sources: name of a figure -> where it is from; the names are ``units``, ``clock``,
            ``peak.fp32``, ``bandwidth``, ``memory``, ``caches.L2``, ``caches.L2.bandwidth``,
            ``overhead`` and ``power``.
        costs: what calibration on this very device found; None: it was never calibrated, and
            estimates rest on the classes of :mod:`archcost.hardware.costs` for its kind.
        calibrated: how that was measured: torch's version, date, threads ...; empty if never.
        chip: the processor and its architecture, for people.
        clock: cycles/s of the processor that the peaks hold at; None: no single figure.
        notes: what is to be known of the device as a whole.
    """

    name: str
    title: str
    kind: DeviceKind
    peak: Mapping[str, float]
    bandwidth: float
    memory: int
    overhead: float
    units: int
    caches: tuple[Cache, ...] = ()
    power: float | None = None
    year: int | None = None
    aliases: tuple[str, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    costs: Costs | None = None
    calibrated: Mapping[str, str | int | float] = field(default_factory=dict)
    chip: str = ""
    clock: float | None = None
    notes: tuple[str, ...] = ()

    def ridge(self, dtype: str) -> float | None:
        """FLOP for each byte of memory from which on arithmetic is the bound, not the memory.

        None where there is no peak for ``dtype``. (Williams et al., "Roofline", CACM 52(4), 2009)
        """
        peak = self.peak.get(dtype)
        return None if peak is None else peak / self.bandwidth
