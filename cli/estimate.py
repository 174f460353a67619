"""``archcost estimate``."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import click

from .options import (
    BatchesType,
    Choice,
    Integer,
    Loading,
    model_argument,
    model_options,
    output_options,
)
from .output import chosen_format, show, spare_the_model, tell, to_terminal, write
from .timing import Devices, device_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcost.analysis import Analysis
    from archcost.hardware.device import Device
    from archcost.hardware.estimate import Curve
    from archcost.report.estimate import EstimateReport

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
GROUPINGS: Final = ("layer", "block", "stage", "op")
MOST_FILES: Final = 100
"""Files of a folder that are looked at for a device."""
MOST_CHARACTERS: Final = 1_000_000


@click.command(
    "estimate",
    epilog="""\b
Examples:
  archcost estimate mobilenet-v1 --device rtx3090 --batch 64
  archcost estimate resnet50 --device h100 --dtype bf16 --by op --sort seconds
  archcost estimate vgg16 --device gtx980 --curve
  archcost estimate simplenet --device v100 --batches 1,8,64 --format csv
  archcost estimate resnet50 --device rtx3090 --device v100 --device a100
  archcost estimate my_net.yaml --device my-machine.yaml --fused

docs/estimate.md says what is assumed, and how far such estimates were from
measurements.
""",
)
@model_argument
@device_options("The device: a name, or a file of archcost calibrate's", several=True)
@click.option(
    "--batches",
    type=BatchesType(),
    metavar="N,...",
    help="Also throughput at these batch sizes, with commas between.",
)
@click.option(
    "--curve",
    "whole_curve",
    is_flag=True,
    help="Also throughput against batch: doubled from 1 on while it brings something and fits.",
)
@click.option(
    "--by",
    type=Choice(GROUPINGS),
    metavar="GROUP",
    help=f"One row a {', '.join(GROUPINGS)}.  [block where that fits on a screen, else stage]",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by a column: seconds, bound, flops_per_second, traffic_bytes, name ...",
)
@click.option(
    "--top",
    type=Integer(min=1),
    metavar="N",
    help="Show the first N rows (that take longest unless sorted) and sum up the others.",
)
@model_options
@output_options(*FORMATS)
def command(
    model: str,
    devices: Devices,
    batches: tuple[int, ...] | None,
    whole_curve: bool,
    by: str | None,
    sort: str | None,
    top: int | None,
    loading: Loading,
    format_: str | None,
    output: str | None,
) -> None:
    """What a forward pass of MODEL would take on a device: time, memory, energy.

    Estimated from the network's graph and the device's figures; nothing is run.
    Several devices give a row each. MODEL is what archcost report takes.
    """
    if batches and whole_curve:
        raise click.UsageError("--batches and --curve exclude each other")
    if not devices.names:
        raise click.UsageError(_no_device())
    spare_the_model(model, output)
    format_ = chosen_format(FORMATS, format_, output)
    found = devices.found()
    if len(found) > 1 and (by or sort or top):
        given = "--by" if by else "--sort" if sort else "--top"
        raise click.UsageError(f"{given} is for one device: several have a row each")
    from archcost.analysis import analyze

    analysis = analyze(loading.graph(model))
    reports, failures = _reports(
        analysis,
        found,
        fused=devices.fused,
        batches=batches,
        whole_curve=whole_curve,
        arrangement={
            "by": by or ("layer" if format_ == "html" else None),
            "sort": sort,
            "top": top,
        },
    )
    _show(reports, failures, len(found) > 1, format_, output)


def _reports(
    analysis: Analysis,
    devices: Sequence[Device],
    *,
    fused: bool,
    batches: tuple[int, ...] | None,
    whole_curve: bool,
    arrangement: dict[str, Any],
) -> tuple[list[EstimateReport], dict[str, str]]:
    """A report for each device, and why there is none for the others, by their names.

    Raises:
        DeviceError: there is none for any.
    """
    from archcost.hardware.accuracy import accuracies
    from archcost.hardware.device import DeviceError
    from archcost.hardware.estimate import estimate
    from archcost.report.estimate import estimate_report

    reports: list[EstimateReport] = []
    failures: dict[str, DeviceError] = {}
    for device in devices:
        try:
            found = estimate(analysis.graph, device, fused=fused)
        except DeviceError as error:
            failures[device.name] = error
            continue
        curve = _curve(analysis, device, fused, batches) if batches or whole_curve else None
        reports.append(
            estimate_report(
                analysis,
                found,
                accuracies=accuracies(device, found.dtype),
                curve=curve,
                **arrangement,
            )
        )
    if not reports:
        raise next(iter(failures.values()))
    for name, failure in failures.items():
        tell("warning", f"no estimate on {name}: {failure}")
    return reports, {name: str(failure) for name, failure in failures.items()}


def _curve(
    analysis: Analysis, device: Device, fused: bool, batches: tuple[int, ...] | None
) -> Curve:
    from archcost.hardware.estimate import Curve, batch_curve, largest_batch

    graph = analysis.graph
    points = batch_curve(graph, device, batches, fused=fused)
    return Curve(points, largest_batch(graph, device, fused=fused))


def _show(
    reports: Sequence[EstimateReport],
    failures: dict[str, str],
    several: bool,
    format_: str,
    output: str | None,
) -> None:
    from archcost.report import estimate as shown

    first = reports[0]
    if format_ == "json":
        from archcost import __version__
        from archcost.report.json import dump

        write(dump(shown.estimate_data(reports, failures, version=__version__)), output)
    elif several or (first.curve is not None and format_ in ("csv", "latex")):
        points = [
            point
            for report in reports
            for point in (report.curve.points if report.curve else (report.estimate,))
        ]
        show(shown.estimates_table(first.model, points, failures), format_, output)
    elif format_ in ("csv", "latex"):
        show(first.table, format_, output)
    elif format_ == "table":
        from archcost.report.terminal import plain

        view = shown.estimate_view(first)
        if output in (None, "-"):
            to_terminal(view)
        else:
            write(plain(view), output)
    else:
        show(shown.estimate_document(first), format_, output)


def _no_device() -> str:
    """What to say where no device is named; a file that calibration wrote may be at hand."""
    from pathlib import Path

    text = "name the device: --device NAME (archcost devices list shows all)"
    with suppress(OSError):
        for path in sorted(Path().glob("*.yaml"))[:MOST_FILES]:
            with path.open(encoding="utf-8", errors="replace") as file:
                if "\ncalibrated:" in file.read(MOST_CHARACTERS):
                    return f"{text}, or the one that was calibrated: --device {path.name}"
    return f"{text}, or --device FILE.yaml, which archcost calibrate writes"
