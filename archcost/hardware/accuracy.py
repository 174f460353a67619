"""How far estimates of passes were from measurements: what reports found, as data for estimates.

``accuracy.json`` beside this file holds it. ``python -m archcost.hardware.accuracy reports/*.json``
writes it from reports; none of its numbers is typed in. A report that says something is a JSON
object whose ``accuracy`` is a list of objects with the fields of :class:`Accuracy` but ``report``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archcost.ir import ArchcostError

if TYPE_CHECKING:
    from archcost.hardware.device import Device

SCHEMA: Final = "archcost.accuracy/1"
PATH: Final = Path(__file__).with_name("accuracy.json")


class AccuracyError(ArchcostError, ValueError):
    """A report does not say how accurate estimates were, or not in the form that is known."""


class Accuracy(NamedTuple):
    """The errors of the latencies that were estimated of some networks on one device.

    Attributes:
        device: the name of the device that they were estimated for.
        kind: ``gpu`` or ``cpu``.
        calibrated: whether coefficients were that device's own, else its class's.
        dtype: of the passes.
        batches: samples at once, ascending.
        networks: number of networks; measurements: of passes, the networks at each batch.
        median_absolute_error: the median of \\|estimated - measured\\| / measured, 0.1 is 10 %.
        mean_absolute_error: their mean.
        rank_correlation: Spearman's, of estimated and measured times; None: too few for one.
        measured_by: who measured: ``archcost``, or the publication.
        report: the report's file.
        calibration: what the calibrated device's file says of its calibration; None for a device
            that is not calibrated.
    """

    device: str
    kind: str
    calibrated: bool
    dtype: str
    batches: tuple[int, ...]
    networks: int
    measurements: int
    median_absolute_error: float
    mean_absolute_error: float
    rank_correlation: float | None
    measured_by: str
    report: str = ""
    calibration: Mapping[str, Any] | None = None

    def of(self, device: Device) -> bool:
        """Whether it speaks of ``device`` with the coefficients that it has.

        A name is not enough: two machines, or two calibrations of one, may have the same.
        """
        if (self.device, self.kind) != (device.name, device.kind):
            return False
        if device.costs is None:
            return not self.calibrated
        return self.calibrated and self.calibration == dict(device.calibrated)


def found(report: Mapping[str, Any], name: str) -> tuple[Accuracy, ...]:
    """What the report called ``name`` says.

    Raises:
        AccuracyError: it says nothing, or not in these words.
    """
    entries = report.get("accuracy")
    if not isinstance(entries, list):
        raise AccuracyError(f"{name} does not say how accurate estimates were (key 'accuracy')")
    result = []
    for entry in entries:
        try:
            fields = {**entry, "batches": tuple(entry["batches"]), "report": name}
            if entry["calibrated"]:
                fields["calibration"] = report.get("calibrated")
            result.append(Accuracy(**fields))
        except (KeyError, TypeError) as error:
            raise AccuracyError(f"{name}: an entry of 'accuracy' is wrong: {error}") from None
    return tuple(result)


@cache
def known() -> tuple[Accuracy, ...]:
    """All that is known; nothing where no report was made."""
    if not PATH.is_file():
        return ()
    import json  # not before there is something to read: an estimate needs none else

    document = json.loads(PATH.read_text(encoding="utf-8"))
    return tuple(Accuracy(**{**e, "batches": tuple(e["batches"])}) for e in document["accuracy"])


def accuracies(
    device: Device, dtype: str, among: Sequence[Accuracy] | None = None
) -> tuple[Accuracy, ...]:
    """Those of :func:`known` that say most about estimates for ``device`` in ``dtype``.

    They are those of this very device, as it was calibrated, in this dtype if there are any; else
    those of devices of its kind whose coefficients are from where its own are, in this dtype if
    there are any. None of another kind: a GPU says nothing about a phone.
    """
    everything = known() if among is None else among
    calibrated = device.costs is not None
    of_kind = [one for one in everything if one.kind == device.kind]
    alike = [one for one in of_kind if one.calibrated == calibrated]
    alike = [one for one in alike if one.of(device)] or alike
    return tuple([one for one in alike if one.dtype == dtype] or alike)


def document(accuracies: Iterable[Accuracy]) -> str:
    """``accuracies`` as the text of ``accuracy.json``."""
    import json

    entries = [one._asdict() for one in accuracies]
    return json.dumps({"schema": SCHEMA, "accuracy": entries}, indent=1) + "\n"


def collected(paths: Iterable[Path]) -> tuple[Accuracy, ...]:
    """What those of the reports say that say anything, by the reports' names.

    Raises:
        AccuracyError: not in the words that are known.
    """
    import json

    everything: list[Accuracy] = []
    for path in sorted(paths, key=lambda path: path.name):
        report = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(report, dict) and "accuracy" in report:
            everything += found(report, path.name)
    return tuple(everything)


if __name__ == "__main__":
    PATH.write_text(document(collected(map(Path, sys.argv[1:]))), encoding="utf-8")
