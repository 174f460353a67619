"""What an estimate on a device rests on, and how far such estimates were from measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from archcost.report.format import LONGEST_VALUE, exact, listed, share, shortened

if TYPE_CHECKING:
    from archcost.hardware.accuracy import Accuracy
    from archcost.hardware.device import Device
    from archcost.hardware.estimate import Estimate

MOST_ERRORS: Final = 3
"""Comparisons with measurements that are told in words."""


def coefficients(device: Device) -> tuple[str, ...]:
    """Where the coefficients of its estimates are from."""
    if device.costs is None:
        return (f"those of its class ({device.kind.upper()}): it was not calibrated",)
    how = (f"{key} {value}" for key, value in device.calibrated.items())
    return ("calibrated on this device", *how)


def errors(
    device: Device, dtype: str, batch: int | None, accuracies: Sequence[Accuracy]
) -> tuple[str, ...]:
    """How far estimates for it in ``dtype`` at ``batch`` were from measurements.

    Where they were compared in another dtype only, or at other batches, that is said first.
    """
    own = [one for one in accuracies if one.of(device)]
    if own:
        said = [_measured(one) for one in own[:MOST_ERRORS]]
        if not any(_of(one, dtype, batch) for one in own):
            at = "" if batch is None else f" at batch {exact(batch)}"
            said[0] = f"not known{at} in {dtype}; {said[0]}"
        return tuple(said)
    if not accuracies:
        return ("not known: no such estimate was compared with a measurement",)
    devices = list(dict.fromkeys(one.device for one in accuracies))
    if device.costs is not None:
        return (
            "not known for this calibration (archcost validate finds it out)",
            f"the median error for others was {_between(accuracies)} ({listed(devices)})",
        )
    return (
        "not known for this device",
        f"the median error for others of its kind was {_between(accuracies)} ({listed(devices)})",
    )


def in_short(estimate: Estimate) -> str:
    """Both in one sentence, for what is shown beside other things."""
    device, dtype, known = estimate.device, estimate.dtype, estimate.accuracies
    own = [one for one in known if one.of(device)]
    if own:
        dtypes = list(dict.fromkeys(one.dtype for one in own))
        elsewhere = "" if dtypes == [dtype] else f" in {listed(dtypes)}"
        off = f"the median error of such estimates{elsewhere} was {_between(own)}"
    elif known:
        off = f"the median error of such estimates for others of its kind was {_between(known)}"
    else:
        off = "how far off such estimates are is not known"
    its = "measured on it" if device.costs else f"of its class ({device.kind.upper()})"
    return f"{shortened(device.name, LONGEST_VALUE)}: coefficients {its}; {off}."


def _of(one: Accuracy, dtype: str, batch: int | None) -> bool:
    """Whether the dtype was compared, at batches among which ``batch`` lies."""
    return one.dtype == dtype and (batch is None or one.batches[0] <= batch <= one.batches[-1])


def _between(accuracies: Sequence[Accuracy]) -> str:
    medians = [one.median_absolute_error for one in accuracies]
    least, most = share(min(medians)), share(max(medians))
    return least if least == most else f"between {least} and {most}"


def _measured(one: Accuracy) -> str:
    batches = listed([exact(batch) for batch in one.batches])
    networks = "1 network" if one.networks == 1 else f"{exact(one.networks)} networks"
    return (
        f"on {networks} measured by {shortened(one.measured_by, LONGEST_VALUE)} ({one.dtype}, "
        f"batch {batches}) the median error was {share(one.median_absolute_error)}, the mean "
        f"{share(one.mean_absolute_error)}"
    )
