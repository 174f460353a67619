"""What ``archcost calibrate`` found: ceilings, and how well each class of operators was fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from archcost.report.devices import device_document
from archcost.report.format import per_second, seconds
from archcost.report.json import rows
from archcost.report.table import Column, Document, Section, Table

if TYPE_CHECKING:
    from archcost.measure.calibration import Calibration

COLUMNS: Final = (
    Column("dtype", "Dtype", "text"),
    Column("class", "Operators", "text"),
    Column("samples", "Samples", "integer"),
    Column("median_error", "Median error", "share"),
    Column("mean_error", "Mean error", "share"),
)
SCHEMA: Final = "archcost.calibration-report/1"
NOTE: Final = (
    "Error: of the estimated time of single operators, against their measured times, in the stacks "
    "that the coefficients were fitted to. Networks add many operators up: archcost validate says "
    "how far off those are."
)


def calibration_document(found: Calibration) -> Document:
    """The device's ceilings, and one row a class of operators and dtype."""
    device = found.device
    ceilings = (
        *(f"{dtype} {per_second(peak, 'FLOP')}" for dtype, peak in device.peak.items()),
        f"memory {per_second(device.bandwidth, 'B')}",
        f"an operator on next to no data {seconds(device.overhead)}",
    )
    measured = ", ".join(f"{key} {value}" for key, value in device.calibrated.items())
    paragraphs = (f"{', '.join(ceilings)}.", f"Measured: {measured}.")
    return Document(
        f"Calibration of {device.title}",
        (Section("Ceilings", paragraphs), calibration_table(found)),
    )


def calibration_table(found: Calibration) -> Table:
    """One row a class of operators and dtype: how well it was fitted."""
    lines = sorted(
        (
            (dtype, name, one.samples, one.median, one.mean)
            for dtype, classes in found.fits.items()
            for name, one in classes.items()
        ),
        key=lambda row: (list(found.fits).index(row[0]), -row[2]),
    )
    return Table("Classes of operators", COLUMNS, tuple(lines), notes=(NOTE,))


def calibration_data(found: Calibration, *, version: str | None = None) -> dict[str, Any]:
    """The same as plain data, with all that the device's file has; errors are shares."""
    return {
        "schema": SCHEMA,
        **({} if version is None else {"archcost": version}),
        "device": device_document(found.device),
        "classes": rows(calibration_table(found)),
    }
