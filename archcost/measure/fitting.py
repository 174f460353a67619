"""Coefficients of a device's costs, fitted to samples of single operators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import log
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.hardware.costs import ANY, Rates, coefficient_names, parts
from archcost.hardware.kernels import PRODUCTS, VIEW, Kernel, Sizes, Traffic

if TYPE_CHECKING:
    from torch import Tensor

    from archcost.measure.samples import Sample

FEWEST: Final = 6
"""Samples of a class below which its family speaks for it."""
TOLERANCE: Final = 0.2
"""Relative error from which on samples count by their distance, not its square."""
PULL: Final = 2e-4
"""Weight of a coefficient's distance from where it began: what no sample tells stays there."""
DIGITS: Final = 4
"""Of a coefficient."""
REACH: Final = log(10_000)
"""Of the logarithm of a coefficient: how far it gets from 0."""

# Where the search begins, and what a coefficient that no sample depends on stays at.
BEGIN: Final[dict[str, float]] = {
    "overhead": 1.0,
    "issue": 1.0,
    "per_op": 1.0,
    "write": 1.0,
    "fresh": 1.0,
    "overlap": 0.1,
    "efficiency": 0.8,
    "half_m": 8.0,
    "half_n": 8.0,
    "half_k": 8.0,
    "half_p": 8.0,
    "lanes_n": 0.5,
    "lanes_k": 0.5,
    "padding": 0.3,
    "odd": 0.2,
    "odd_overhead": 0.5,
    "strided": 0.2,
}
# Bounds that a coefficient stays below.
MOST: Final = {"overlap": 1.0, "padding": 1.0, "lanes_n": 2.0, "lanes_k": 2.0}


class Fit(NamedTuple):
    """How well a class was fitted: its samples, mean absolute and median relative error."""

    samples: int
    mean: float
    median: float


def fit(
    samples: Sequence[Sample], rates: Rates, caches: Sequence[int]
) -> tuple[dict[str, dict[str, float]], dict[str, Fit]]:
    """The coefficients of each class, from samples of one dtype on one device.

    Args:
        samples: stacks of operators and their times.
        rates: what the coefficients are relative to.
        caches: bytes of the levels of cache that they tell apart.

    Returns:
        class -> coefficients, and class -> how well they fit.
    """
    executed = [one for sample in samples for one in sample.kernels(caches)]
    measured = [seconds for sample in samples for seconds in sample.seconds]
    issues = [issue for sample in samples for issue in sample.issue or ()]
    classes, fits = fit_kernels(executed, measured, [rates] * len(executed), len(caches) + 1)
    if issues:
        _issue(classes, executed, issues, rates.overhead)
    return classes, fits


def fit_kernels(
    kernels: Sequence[Kernel], seconds: Sequence[float], rates: Sequence[Rates], levels: int
) -> tuple[dict[str, dict[str, float]], dict[str, Fit]]:
    """As :func:`fit`, of kernels each with its device's rates.

    The mean of Huber's loss of log(estimated / measured) is least (Huber 1964, "Robust Estimation
    of a Location Parameter"): a relative error counts alike for short and long times, and a few
    disturbed samples do not pull. A time of 0 says nothing.
    """
    members: dict[str, list[tuple[Kernel, float, Rates]]] = defaultdict(list)
    for one, taken, own in zip(kernels, seconds, rates, strict=True):
        if not taken:  # too short for the clock of a GPU
            continue
        members[one.sizes.group].append((one, taken, own))
        if one.sizes.group not in (*PRODUCTS, VIEW):
            members[one.sizes.family].append((one, taken, own))
            members[ANY].append((one, taken, own))
    classes, fits = {}, {}
    for name, chosen in members.items():
        if len(chosen) >= FEWEST:
            classes[name], fits[name] = _class(name, chosen, levels)
    return classes, fits


def _issue(
    classes: dict[str, dict[str, float]],
    kernels: Sequence[Kernel],
    issues: Sequence[float],
    overhead: float,
) -> None:
    """Set what the host takes to start a kernel of each class: the median of its samples."""
    found: dict[str, list[float]] = defaultdict(list)
    for one, seconds in zip(kernels, issues, strict=True):
        for name in (one.sizes.group, one.sizes.family, ANY):
            found[name].append(seconds / (overhead * one.sizes.launches))
    for name, coefficients in classes.items():
        coefficients["issue"] = float(f"{median(found[name]):.{DIGITS}g}")


def _class(
    name: str, samples: Sequence[tuple[Kernel, float, Rates]], levels: int
) -> tuple[dict[str, float], Fit]:
    """The coefficients of one class, and how well they fit."""
    import torch

    kernels, seconds, rates = zip(*samples, strict=True)

    names = coefficient_names(name, levels)
    begin = torch.tensor([log(_begin(n)) for n in names], dtype=torch.float64)
    measured = torch.tensor(seconds, dtype=torch.float64)
    sizes, moved = _columns(name, kernels)
    columns = zip(*rates, strict=True)
    relative = Rates(*(torch.tensor(own, dtype=torch.float64) for own in columns))
    logs = begin.clone().requires_grad_()

    def ratio() -> Tensor:
        values = dict(zip(names, _bounded(logs, names), strict=True))
        return torch.log(parts(values, sizes, moved, relative).seconds / measured)  # type: ignore[arg-type]

    optimizer = torch.optim.LBFGS(
        [logs], max_iter=500, line_search_fn="strong_wolfe", tolerance_grad=1e-8
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        error = ratio()
        loss = torch.nn.functional.huber_loss(error, torch.zeros_like(error), delta=TOLERANCE)
        loss = loss + PULL * ((logs - begin) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        error = (torch.exp(ratio()) - 1).abs()
        values = _bounded(logs, names)
    rounded = {n: float(f"{float(v):.{DIGITS}g}") for n, v in zip(names, values, strict=True)}
    return rounded, Fit(len(kernels), float(error.mean()), float(error.median()))


def _begin(name: str) -> float:
    return BEGIN.get(name, 1.0)


def _bounded(logs: Tensor, names: Sequence[str]) -> list[Tensor]:
    """The coefficients of what is searched for: positive, those with a bound below it."""
    import torch

    # Within a factor of 10,000 of 1, towards which steps grow ever smaller.
    values = torch.exp(REACH * torch.tanh(logs / REACH))
    return [
        value if n not in MOST else MOST[n] * value / (MOST[n] + value)
        for n, value in zip(names, values, strict=True)
    ]


def _columns(name: str, kernels: Sequence[Kernel]) -> tuple[Sizes, Traffic]:
    """The kernels' sizes and traffic as columns: of each number a tensor with one entry each."""
    import torch

    def column(values: Sequence[float]) -> Any:
        return torch.tensor(values, dtype=torch.float64)

    numbers = [column(values) for values in zip(*(k.sizes[2:] for k in kernels), strict=True)]
    reads, weights, writes = (
        tuple(column(level) for level in zip(*(k.traffic[kind] for k in kernels), strict=True))
        for kind in range(3)
    )
    fresh = column([k.traffic.fresh for k in kernels])
    return Sizes(name, name, *numbers), Traffic(reads, weights, writes, fresh)
