"""Times of forward passes that commands show: estimated on devices, and measured ones of a file."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .options import DeviceType, together
from .output import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archcost.analysis import Analysis
    from archcost.hardware.device import Device
    from archcost.hardware.estimate import Estimate
    from archcost.ir import Graph
    from archcost.measure.matching import Setup
    from archcost.measure.records import Measurement


class Devices(NamedTuple):
    """The devices of estimates: what :data:`devices_options` say."""

    names: tuple[str, ...] = ()
    fused: bool = False

    def found(self) -> list[Device]:
        """Each device once.

        Raises:
            click.UsageError: ``--fused`` without a device.
            DeviceError: there is no such device, or its file is wrong.
        """
        if not self.names:
            if self.fused:
                raise click.UsageError("--fused is for estimates: it needs --device")
            return []
        from archcost.hardware.files import find

        return list({device.name: device for device in map(find, self.names)}.values())

    def estimate(self, graph: Graph) -> Estimate | None:
        """The estimate on the one device; None where none was asked for.

        Raises:
            DeviceError: there is no such device, or it has no units for the dtype.
        """
        found = self.found()
        if not found:
            return None
        from archcost.hardware.estimate import estimate

        return estimate(graph, found[0], fused=self.fused)


def _in_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which takes the options of estimates as one :class:`Devices`."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        names = kwargs.pop("device_names")
        names = names if isinstance(names, tuple) else (names,) if names else ()
        return function(*args, devices=Devices(names, kwargs.pop("fused")), **kwargs)

    return command


def device_options(
    help_: str, *, several: bool = False, required: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--device``, which ``help_`` says what it does, and ``--fused``: what makes a
    :class:`Devices`, which the command takes as ``devices``."""
    return together(
        click.option(
            "--device",
            "device_names",
            type=DeviceType(),
            multiple=several,
            required=required,
            metavar="NAME",
            help=f"{help_} (archcost devices list){'; repeatable' if several else ''}.",
        ),
        click.option(
            "--fused",
            is_flag=True,
            help="Estimates with normalisations and element-wise operators as part of what they "
            "follow.",
        ),
        _in_one,
    )


def estimates(
    analyses: Mapping[str, Analysis], devices: Devices
) -> list[tuple[Device, dict[str, Estimate]]]:
    """The estimate of each network on each device; of those that a device cannot run a warning.

    Raises:
        DeviceError: no device can run any of them.
    """
    from archcost.hardware.device import DeviceError
    from archcost.hardware.estimate import estimate
    from archcost.report.format import listed

    result: list[tuple[Device, dict[str, Estimate]]] = []
    refused: list[tuple[Device, list[str], DeviceError]] = []
    for device in devices.found():
        found: dict[str, Estimate] = {}
        failed: list[str] = []
        first: DeviceError | None = None
        for name, analysis in analyses.items():
            try:
                found[name] = estimate(analysis.graph, device, fused=devices.fused)
            except DeviceError as error:
                failed.append(name)
                first = first or error
        result.append((device, found))
        if first is not None:
            refused.append((device, failed, first))
    if refused and not any(found for _, found in result):
        raise refused[0][2]
    for device, failed, why in refused:
        tell("warning", f"no estimate on {device.name} of {listed(failed)}: {why}")
    return result


def layers_of(graph: Graph, path: str) -> Measurement | None:
    """The last measurement of a file that has times of this network's layers; without one a
    warning.

    Raises:
        RecordError: the file is none of measurements.
    """
    from archcost.measure.matching import measurements_of
    from archcost.measure.records import read

    found = list(measurements_of(graph, read(path), layers=True).values())
    if not found:
        way = f"at batch {graph.batch} in {graph.dtype}"
        tell("warning", f"{path} has no measured layers {way} of {graph.name}")
    return found[-1] if found else None


def measurements(
    analyses: Mapping[str, Analysis], path: str
) -> dict[str, dict[Setup, Measurement]]:
    """The measurements of a file that are of each network; of those without one a warning.

    Raises:
        RecordError: the file is none of measurements.
    """
    from archcost.measure.matching import measurements_of
    from archcost.measure.records import read
    from archcost.report.format import listed

    records = read(path)
    found = {name: measurements_of(one.graph, records) for name, one in analyses.items()}
    without = [name for name, its in found.items() if not its]
    if without:
        graphs = (analyses[name].graph for name in without)
        ways = sorted({f"at batch {graph.batch} in {graph.dtype}" for graph in graphs})
        way = ways[0] if len(ways) == 1 else "at the same batch and in the same dtype"
        tell("warning", f"{path} has no measurement {way} of {listed(without)}")
    return found
