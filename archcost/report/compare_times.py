"""Columns of a comparison with latencies: estimated on devices, and measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from archcost.analysis.comparison import Quantity
from archcost.report.compare import Extra
from archcost.report.format import LONGEST_VALUE, both_bytes, listed, shortened
from archcost.report.model import UNKNOWN
from archcost.report.reliability import in_short
from archcost.report.table import Column

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.hardware.device import Device
    from archcost.hardware.estimate import Estimate
    from archcost.measure.matching import Setup
    from archcost.measure.records import Measurement

SHORT: Final = {"estimated": "est", "measured": "meas"}


def estimated(estimates: Sequence[tuple[Device, Mapping[str, Estimate]]]) -> list[Extra]:
    """Latency and throughput on each device; its estimates by the network's name.

    Where there is one device the columns are ``estimated_seconds`` and
    ``estimated_samples_per_second``, where there are several they end in its name. A network with
    an operator whose work is not known has no number.
    """
    several = len(estimates) > 1
    extras = []
    for device, found in estimates:
        known = {name: one for name, one in found.items() if not one.unknown}
        extras += _pair(
            "estimated",
            device.name if several else "",
            {name: one.seconds for name, one in known.items()},
            {name: one.throughput for name, one in known.items()},
            {"device": device.name},
        )
    return extras


def measured(
    found: Mapping[str, Mapping[Setup, Measurement]], setups: Mapping[Setup, str]
) -> list[Extra]:
    """Latency and throughput by each way of running; ``found`` by the network's name, ``setups``
    with what tells them apart.

    Keys are as those of :func:`estimated`, with ``measured``; the quartiles are details.
    """
    extras = []
    for setup, told in setups.items():
        own = {name: records[setup] for name, records in found.items() if setup in records}
        latency, throughput = _pair(
            "measured",
            told,
            {name: record.seconds for name, record in own.items()},
            {name: record.throughput for name, record in own.items()},
            setup._asdict(),
        )
        details = {name: _spread(record) for name, record in own.items()}
        extras += [latency._replace(details=details), throughput]
    return extras


def _spread(record: Measurement) -> dict[str, Any]:
    timing = record.timing
    assert timing is not None
    return {
        "q1_seconds": timing.q1,
        "q3_seconds": timing.q3,
        "runs": timing.runs,
        "time": record.time,
    }


def _pair(
    how: str,
    apart: str,
    seconds: Mapping[str, float | None],
    rates: Mapping[str, float | None],
    about: Mapping[str, Any],
) -> list[Extra]:
    """The columns of latency and throughput; ``apart`` tells them from others of their kind."""
    ending = re.sub("[^a-z0-9]+", "_", f" {apart}".lower()).rstrip("_")
    behind = f", {shortened(apart, LONGEST_VALUE)}" if apart else ""
    short = SHORT[how]
    missing = UNKNOWN if how == "estimated" else ""
    label = f"{short.capitalize()}. {{}}{behind}"
    latency = Column(f"{how}_seconds{ending}", label.format("latency"), "seconds", missing=missing)
    throughput = Column(
        f"{how}_samples_per_second{ending}", label.format("throughput"), "rate", 2, missing=missing
    )
    return [
        Extra(
            quantity,
            column,
            {name: value for name, value in values.items() if value is not None},
            tuple(f"{word}_{what}{ending}" for word in (how, short)),
            about,
        )
        for quantity, column, values, what in (
            (Quantity(latency.key, "less", True), latency, seconds, "latency"),
            (Quantity(throughput.key, "more", True), throughput, rates, "throughput"),
        )
    ]


def estimate_remarks(
    estimates: Sequence[tuple[Device, Mapping[str, Estimate]]],
    analyses: Mapping[str, Analysis],
    *,
    fused: bool,
) -> list[str]:
    """How the estimates were made, and which networks are too large for a device."""
    how = (
        "normalisations and element-wise operators as part of what they follow"
        if fused
        else "each operator by itself"
    )
    on = ", ".join(device.name for device, _ in estimates)
    lines = [f"Est.: one forward pass on {on}, estimated from the graph alone, {how}."]
    for device, found in estimates:
        lines += dict.fromkeys(in_short(one) for one in found.values())
        large = [name for name in found if analyses[name].memory.peak > device.memory]
        if large:
            lines.append(
                f"Does not fit the {both_bytes(device.memory)} of {device.name}, and has times "
                f"as if it did: {listed(large)}."
            )
    return lines


def measure_remarks(setups: Sequence[str]) -> list[str]:
    """How it was measured; a ``setup`` in words each."""
    return [f"Meas.: median of forward passes that were run on {'; '.join(setups)}."]
