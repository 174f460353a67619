"""What ``archcost conventions --verify --all`` shows: where archcost and the programs agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.verify import Check, Verified

STYLES: Final = {"equal": "green", "differs": "red", "failed": "yellow"}
SUMMARY_COLUMNS: Final = (
    Column("convention", "Convention", "text"),
    Column("quantity", "Number", "text"),
    Column("program", "Compared with", "text"),
    Column("networks", "Networks", "integer"),
    Column("equal", "Equal", "integer"),
    Column("differs", "Different", "integer"),
    Column("failed", "Failed", "integer"),
)
BESIDE: Final = {
    ("exact", "params"): "the module's parameters",
    ("exact", "buffers"): "the module's buffers",
    ("exact", "output shapes"): "the executed layers' outputs",
    ("mult-adds", "macs"): "FlopCounterMode / 2",
    ("mult-adds", "params"): "the module's parameters",
}
"""What of the program stands beside a number, where that is not the program's own number of it."""


ABOUT: Final = (
    "Each convention is compared with its own program's numbers. Those of exact are compared with "
    "the module: the elements of its parameters and buffers (without the number of batches that "
    "torch's normalisations have seen), and the number of layers' outputs that have the shape "
    "which archcost says when the module is executed. Those of mult-adds are compared with half "
    "of what PyTorch's FlopCounterMode counts, less the products with the zeros that torch needs "
    "for a convolution with a table of connections. docs/conventions.md tells how each convention "
    "counts."
)


def outcome(check: Check) -> str:
    """What came of a check: a word of :data:`STYLES`."""
    if check.counted is None:
        return "failed"
    return "equal" if check.agrees else "differs"


def summary_table(networks: Sequence[Verified], versions: Mapping[str, str]) -> Table:
    """For each number of each convention: the networks in which program and archcost agree.

    ``versions``: convention -> the program that counts so, with its version.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for network in networks:
        for check in network.checks:
            found.setdefault((check.convention, check.quantity), []).append(outcome(check))
    rows = tuple(
        (
            convention,
            quantity,
            _program(convention, quantity, versions),
            *_tally(outcomes),
        )
        for (convention, quantity), outcomes in found.items()
    )
    sums = _tally([word for outcomes in found.values() for word in outcomes])
    total: tuple[Any, ...] = ("all", "", "", *sums)
    return Table("Numbers", SUMMARY_COLUMNS, rows, total)


def _tally(outcomes: Sequence[str]) -> list[int]:
    return [len(outcomes), *(outcomes.count(word) for word in STYLES)]


def _program(convention: str, quantity: str, versions: Mapping[str, str]) -> str:
    beside = BESIDE.get((convention, quantity))
    program = versions[convention]
    return f"{beside} ({program})" if beside else program


def networks_table(networks: Sequence[Verified]) -> Table:
    """One row a network: what came of each convention's numbers, and all that is not equal."""
    conventions = dict.fromkeys(c.convention for n in networks for c in n.checks)
    columns = (
        Column("network", "Network", "text"),
        Column("layers", "Layers", "integer"),
        Column("numbers", "Numbers", "integer"),
        *(Column(name, name, "text", 1, STYLES) for name in conventions),
        Column("why", "What is not equal", "sentences"),
    )
    rows = tuple(
        (
            network.name,
            network.layers,
            len(network.checks),
            *(_worst([c for c in network.checks if c.convention == name]) for name in conventions),
            tuple(dict.fromkeys(_said(check) for check in network.checks if not check.agrees)),
        )
        for network in networks
    )
    return Table("Networks", columns, rows)


def _worst(checks: Sequence[Check]) -> str:
    outcomes = set(map(outcome, checks))
    return next((word for word in reversed(STYLES) if word in outcomes), "")


def _said(check: Check) -> str:
    if check.counted is None:
        return f"{check.convention} failed: {check.error or 'it gives no ' + check.quantity}"
    return f"{check.convention}, {check.quantity}: {check.computed} here, {check.counted} counted"


def cross_check_document(networks: Sequence[Verified], versions: Mapping[str, str]) -> Document:
    """A sentence on all, the numbers, and every network."""
    return Document(
        "Cross-check",
        (
            Section("What this is", _introduction(networks)),
            summary_table(networks, versions),
            networks_table(networks),
        ),
    )


def _introduction(networks: Sequence[Verified]) -> tuple[str, ...]:
    outcomes = [outcome(check) for network in networks for check in network.checks]
    agreeing = sum(network.agrees for network in networks)
    summary = (
        f"{len(networks)} networks, each built as a PyTorch module by archcost.to_torch and run by "
        f"every program that counts: {len(outcomes)} numbers, of which {outcomes.count('equal')} "
        f"are equal to the digit, {outcomes.count('differs')} differ and "
        f"{outcomes.count('failed')} could not be had because a program failed. "
        f"{agreeing} networks agree in all."
    )
    return summary, ABOUT


def cross_check_data(networks: Sequence[Verified], versions: Mapping[str, str]) -> dict[str, Any]:
    """All checks as plain data."""
    return {
        "programs": dict(versions),
        "networks": [
            {
                "name": network.name,
                "layers": network.layers,
                "agrees": network.agrees,
                "checks": [{**c._asdict(), "agrees": c.agrees} for c in network.checks],
            }
            for network in networks
        ],
    }
