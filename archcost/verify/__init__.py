"""Other programs' numbers beside ours: each installed counter, run on the module of a graph.

One file a counter, named as its convention: ``count(module, graph)`` gives the program's own
numbers, under the names of the convention's quantities. Those of ``exact`` and ``mult-adds`` are
what the executed module shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.conventions import convention
from archcost.ir import FLOATS, ArchcostError, Graph
from archcost.targets import TargetError, to_torch

if TYPE_CHECKING:
    import torch

__all__ = [
    "COUNTERS",
    "Check",
    "NoCounterError",
    "Verified",
    "counters",
    "cross_check",
    "quantities",
    "verify",
    "versions",
]


class _Counter(NamedTuple):
    package: str
    device: str
    quantities: tuple[str, ...] | None = None


COUNTERS: Final[dict[str, _Counter]] = {
    "exact": _Counter("torch", "meta", ("params", "buffers", "output shapes")),
    "mult-adds": _Counter("torch", "meta"),
    "fvcore": _Counter("fvcore", "cpu"),
    "ptflops": _Counter("ptflops", "cpu"),
    "ptflops-aten": _Counter("ptflops", "meta"),
    "thop": _Counter("thop", "meta"),
    "torchinfo": _Counter("torchinfo", "meta"),
    "torch": _Counter("torch", "meta"),
}
"""Convention -> the package that counts so, the device on which its count is right, and what it
counts if not just the convention's quantities.

On the meta device nothing is computed.
"""


class NoCounterError(ArchcostError, LookupError):
    """No program counts by that convention, or a network of that dtype."""


class Check(NamedTuple):
    """One quantity of a graph under a convention, as computed and as its program counted it.

    ``counted`` is None where the program failed; ``error`` then says why.
    """

    convention: str
    quantity: str
    computed: int
    counted: int | None
    error: str | None

    @property
    def agrees(self) -> bool:
        return self.computed == self.counted


class Verified(NamedTuple):
    """A network and its checks; ``layers`` are its nodes."""

    name: str
    layers: int
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        return all(check.agrees for check in self.checks)


def counters() -> tuple[str, ...]:
    """The conventions whose program is installed, in the order in which they are shown."""
    return tuple(
        name
        for name, counter in COUNTERS.items()
        if all(find_spec(package) for package in ("torch", counter.package))
    )


def versions(names: Iterable[str]) -> dict[str, str]:
    """Convention -> the program that counts so, with its version: ``fvcore 0.1.5``."""
    packages = {name: COUNTERS[name].package for name in names}
    return {name: f"{package} {version(package)}" for name, package in packages.items()}


def quantities(name: str) -> tuple[str, ...]:
    """What the program of a convention counts."""
    return COUNTERS[name].quantities or convention(name).quantities


def verify(graph: Graph, names: Sequence[str] | None = None) -> Iterator[Check]:
    """What the programs of these conventions, by default all that are installed, say of ``graph``.

    A program is run when its checks are asked for.

    A program that fails, or is not installed, is an error in its checks.

    Raises:
        NoCounterError: no program counts by a convention of that name, or in the graph's dtype.
        TargetError: torch cannot execute the network.
    """
    chosen = _chosen(names)
    _refuse_dtypes(graph)
    built: dict[str, torch.nn.Module] = {}
    return (check for name in chosen for check in _checks(graph, name, built))


def cross_check(graphs: Iterable[Graph], names: Sequence[str] | None = None) -> Iterator[Verified]:
    """:func:`verify` for each of ``graphs``; what torch cannot execute is an error in all checks.

    Raises:
        NoCounterError: no program counts by a convention of that name, or in a graph's dtype.
    """
    chosen = _chosen(names)
    for graph in graphs:
        try:
            checks = tuple(verify(graph, chosen))
        except TargetError as error:
            checks = tuple(
                check
                for name in chosen
                for check in _compared(name, _computed(graph, name), {}, str(error))
            )
        yield Verified(graph.name, len(graph), checks)


def _chosen(names: Sequence[str] | None) -> Sequence[str]:
    chosen = counters() if names is None else names
    for name in chosen:
        if name not in COUNTERS:
            raise NoCounterError(
                f"no program counts by {name!r}; there are programs for {', '.join(COUNTERS)}"
            )
    return chosen


def _refuse_dtypes(graph: Graph) -> None:
    if not find_spec("torch"):
        return  # which is an error in the checks
    from archcost.targets.torch_operators import DTYPES

    used = {value.type.dtype for value in graph.values()} | {p.dtype for p in graph.parameters}
    for dtype in sorted(used & FLOATS - DTYPES.keys()):
        raise NoCounterError(
            f"{graph.name} is in {dtype}, in which torch does not compute: no program can count "
            f"it ({', '.join(DTYPES)} can be counted)"
        )


def _checks(graph: Graph, name: str, built: dict[str, torch.nn.Module]) -> list[Check]:
    computed = _computed(graph, name)
    try:
        return _compared(name, computed, _count(graph, name, built))
    except TargetError:
        raise
    except Exception as failure:  # the program's, of any kind: it is what is to be shown
        return _compared(name, computed, {}, f"{type(failure).__name__}: {failure}")


def _compared(
    name: str, computed: Mapping[str, int], counted: Mapping[str, int], error: str | None = None
) -> list[Check]:
    return [
        Check(name, quantity, number, counted.get(quantity), error)
        for quantity, number in computed.items()
    ]


def _computed(graph: Graph, name: str) -> dict[str, int]:
    """archcost's own numbers, of what the convention's program counts."""
    own = getattr(_module(name), "computed", None)
    numbers: dict[str, int] = own(graph) if own else convention(name).count(graph).numbers
    return numbers


def _module(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name.replace('-', '_')}")


def _count(graph: Graph, name: str, built: dict[str, torch.nn.Module]) -> dict[str, int]:
    import torch

    device = COUNTERS[name].device
    if device not in built:
        with torch.device(device):
            built[device] = to_torch(graph)
    numbers: dict[str, int] = _module(name).count(built[device], graph)
    return numbers
