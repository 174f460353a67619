"""Other programs' numbers beside ours: each installed counter, run on the module of a graph.

One file a counter, named as its convention: ``count(module, graph)`` gives the program's own
numbers, under the names of the convention's quantities.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from archcost.conventions import convention
from archcost.ir import ArchcostError, Graph
from archcost.targets import TargetError, to_torch

if TYPE_CHECKING:
    import torch

__all__ = ["COUNTERS", "Check", "NoCounterError", "counters", "verify"]


class _Counter(NamedTuple):
    package: str
    device: str


COUNTERS: Final[dict[str, _Counter]] = {
    "fvcore": _Counter("fvcore", "cpu"),
    "ptflops": _Counter("ptflops", "cpu"),
    "ptflops-aten": _Counter("ptflops", "meta"),
    "thop": _Counter("thop", "meta"),
    "torchinfo": _Counter("torchinfo", "meta"),
    "torch": _Counter("torch", "meta"),
}
"""Convention -> the package that counts so, and the device on which its count is right.

On the meta device nothing is computed.
"""


class NoCounterError(ArchcostError, LookupError):
    """No program counts by that convention."""


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


def counters() -> tuple[str, ...]:
    """The conventions whose program is installed, in the order in which they are shown."""
    return tuple(
        name
        for name, counter in COUNTERS.items()
        if all(find_spec(package) for package in ("torch", counter.package))
    )


def verify(graph: Graph, names: Sequence[str] | None = None) -> Iterator[Check]:
    """What the programs of these conventions, by default all that are installed, say of ``graph``.

    A program is run when its checks are asked for.

    A program that fails, or is not installed, is an error in its checks.

    Raises:
        NoCounterError: no program counts by a convention of that name.
        TargetError: torch cannot execute the network.
    """
    chosen = counters() if names is None else names
    for name in chosen:
        if name not in COUNTERS:
            raise NoCounterError(
                f"no program counts by {name!r}; there are programs for {', '.join(COUNTERS)}"
            )
    built: dict[str, torch.nn.Module] = {}
    return (check for name in chosen for check in _checks(graph, name, built))


def _checks(graph: Graph, name: str, built: dict[str, torch.nn.Module]) -> list[Check]:
    computed = convention(name).count(graph).numbers
    counted: dict[str, int] = {}
    error = None
    try:
        counted = _count(graph, name, built)
    except TargetError:
        raise
    except Exception as failure:  # the program's, of any kind: it is what is to be shown
        error = f"{type(failure).__name__}: {failure}"
    return [
        Check(name, quantity, number, counted.get(quantity), error)
        for quantity, number in computed.items()
    ]


def _count(graph: Graph, name: str, built: dict[str, torch.nn.Module]) -> dict[str, int]:
    import torch

    device = COUNTERS[name].device
    if device not in built:
        with torch.device(device):
            built[device] = to_torch(graph)
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    numbers: dict[str, int] = module.count(built[device], graph)
    return numbers
