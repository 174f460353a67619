"""From a file of measurements to what they say of the estimates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from archcost.ir import ArchcostError
from archcost.measure.passes import Settings, fitted
from archcost.sources.zoo import Entry, select
from archcost.validation.errors import grouped
from archcost.validation.journal import Journal, JournalError, Row
from archcost.validation.judging import judge, short_fingerprint
from archcost.validation.result import Validation

if TYPE_CHECKING:
    from archcost.hardware.device import Device
    from archcost.validation.judging import Judged

FITTED_KEY = "networks"
"""Where a device file says, under ``calibrated``, which networks its coefficients were fitted on:
their names, with blanks between. archcost's own calibration knows no networks."""


def assemble(
    journal: Journal, device: Device, entries: Iterable[Entry] | None = None
) -> Iterator[Judged | str]:
    """Each measured pass beside its estimate for ``device``; the name of a network instead whose
    graph is no longer the one that was measured.

    Args:
        entries: the networks that may occur, by default the whole zoo.

    Raises:
        JournalError: the passes were measured on a device of another kind.
    """
    for session in journal.sessions:
        about = session.environment
        if about.kind != device.kind:
            raise JournalError(
                f"{device.title} is a {device.kind}: what was measured was measured on a "
                f"{about.kind}, {about.device}"
            )
    known = {entry.name: entry for entry in (select() if entries is None else entries)}
    on = set(str(device.calibrated.get(FITTED_KEY, "")).split())
    for model, rows in grouped(_ordered(journal.measured), lambda row: row.key.model).items():
        entry = known.get(model)
        if entry is None:
            yield model
            continue
        named = {**entry.about, "title": entry.title}
        graph = entry.graph()
        for row in rows:
            settings = Settings(dtype=row.key.dtype, batch=row.key.batch)
            measured = fitted(graph, settings)
            if short_fingerprint(measured) != row.fingerprint:
                yield model
                break
            yield judge(row, measured, device, named, fitted=model in on)


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.key)


def validation(journal: Journal, device: Device, found: Sequence[Judged | str]) -> Validation:
    """What was measured and what :func:`assemble` made of it, as one result.

    Raises:
        ArchcostError: nothing was measured.
    """
    judged = [one for one in found if not isinstance(one, str)]
    changed = [one for one in found if isinstance(one, str)]
    if not judged:
        raise ArchcostError("nothing was measured: there is nothing to compare estimates with")
    return Validation(
        device,
        tuple(journal.sessions),
        tuple(judged),
        tuple(_ordered(journal.missing)),
        tuple(journal.repeated),
        tuple(changed),
    )
