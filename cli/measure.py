"""``archcost measure``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from .networks import Networks, analyses, networks_options
from .options import (
    MOST_THREADS,
    PLACE,
    BatchesType,
    DeviceType,
    DtypesType,
    Integer,
    Loading,
    Number,
    ParamType,
    output_options,
    shape_options,
)
from .output import (
    ARGUMENTS,
    chosen_format,
    progress,
    refuse_a_closed_folder,
    show,
    tell,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archcost.hardware.device import Device
    from archcost.ir import Graph
    from archcost.measure.passes import Settings
    from archcost.measure.records import Ceilings, MeasureError, Measurement

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
# As in archcost.measure.timing, which is not loaded for `--help`; a test compares.
MIN_RUN_TIME: Final = 1.0
INTERRUPTED: Final = 130
EVERYWHERE: Final = ("device", "dtype")
"""Kinds of failures that are the device's, not a network's: said once."""


class PlacesType(ParamType):
    """``cpu``, ``cuda`` or ``cuda:1``, several with commas between."""

    name = "devices"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        words = tuple(dict.fromkeys(filter(None, (word.strip() for word in value.split(",")))))
        for word in words or ("",):
            if not PLACE.fullmatch(word):
                self.fail(f"no device {word!r:.60}; there are cpu, cuda and cuda:0 on", param, ctx)
        return words


class Planned(NamedTuple):
    """One pass to measure."""

    name: str
    graph: Graph
    settings: Settings


@click.command(
    "measure",
    epilog="""\b
Examples:
  archcost measure simplenet
  archcost measure resnet50 vgg16 --batch 1,8 --dtype fp32,bf16
  archcost measure mobilenet-v1 --layers
  archcost measure 'resnet*' --device cuda --batch 1,64 --record v100.jsonl
  archcost measure alexnet --ceilings my-machine.yaml --channels-last
  archcost measure my_net.yaml --compile --threads 1

docs/measure.md says what is measured, and how. Exit status 1: some could not be
measured.
""",
)
@networks_options
@click.option(
    "--device",
    "places",
    type=PlacesType(),
    default="cpu",
    metavar="DEVICE,...",
    help="Where: cpu, cuda or cuda:N.  [cpu]",
)
@click.option(
    "--dtype",
    "dtypes",
    type=DtypesType(),
    metavar="DTYPE,...",
    help="Floating-point types: fp32, tf32, fp16, bf16, fp64.  [the network's own]",
)
@click.option(
    "--batch",
    "batches",
    type=BatchesType(),
    metavar="N,...",
    help="Batch sizes.  [the network's own, 1]",
)
@click.option("--channels-last", is_flag=True, help="Lay tensors out with the channels last.")
@click.option("--compile", "compiled", is_flag=True, help="Compile networks by torch.compile.")
@click.option(
    "--threads",
    type=Integer(min=1, max=MOST_THREADS),
    metavar="N",
    help="CPU threads.  [torch's choice]",
)
@click.option("--layers", is_flag=True, help="Also the time of each layer.")
@click.option(
    "--min-run-time",
    type=Number(min=0, min_open=True),
    default=MIN_RUN_TIME,
    metavar="SECONDS",
    help=f"Repeat each pass for so long, and five times at least.  [{MIN_RUN_TIME:g}]",
)
@click.option(
    "--ceilings",
    "ceilings_of",
    type=DeviceType(),
    metavar="DEVICE",
    help="Also the share of what this device can do at most: a file of archcost calibrate, or a "
    "name (archcost devices list).",
)
@click.option(
    "--record",
    type=click.Path(),
    metavar="FILE",
    help="Also append every measurement, when it is made, to FILE, in JSON Lines.",
)
@shape_options
@output_options(*FORMATS)
@click.pass_context
def command(
    ctx: click.Context,
    networks: Networks,
    places: tuple[str, ...],
    dtypes: tuple[str, ...] | None,
    batches: tuple[int, ...] | None,
    channels_last: bool,
    compiled: bool,
    threads: int | None,
    layers: bool,
    min_run_time: float,
    ceilings_of: str | None,
    record: str | None,
    loading: Loading,
    format_: str | None,
    output: str | None,
) -> None:
    """Run networks, and measure time and memory of a forward pass.

    MODEL is what archcost report takes, or a glob over the names of the zoo, in
    quotes: 'resnet*'. Each is built in PyTorch with random weights. What cannot be
    measured is said, and the rest goes on; Ctrl-C shows what there is so far.
    """
    format_ = chosen_format(FORMATS, format_, output)
    if layers and compiled:
        raise click.UsageError("--layers does not go with --compile: compiled layers are fused")
    refuse_a_closed_folder(output)
    if record is not None:
        _check_record(record)
    device = _device(ceilings_of, places)
    found, _ = analyses(networks.chosen(), loading, output)
    from archcost.measure.passes import Settings

    plan = [
        Planned(
            name,
            analysis.graph,
            Settings(place, dtype, batch, channels_last, compiled, threads, min_run_time, layers),
        )
        for place in places
        for name, analysis in found.items()
        for dtype in dtypes or (None,)
        for batch in batches or (None,)
    ]
    done, interrupted = _measured(
        plan, device, shlex.join(["archcost", *ctx.meta[ARGUMENTS]]), record
    )
    if done:
        _show(done, layers, format_, output)
    if interrupted:
        told = f"{len(done)} of {len(plan)} measured"
        tell("warning", f"interrupted: {told}{f', all in {record}' if record and done else ''}")
        ctx.exit(INTERRUPTED)
    if any(one.failure for one in done):
        ctx.exit(1)


def _check_record(path: str) -> None:
    """Refuse to write into a file that holds something else, or that cannot be written to.

    Raises:
        RecordError: it is such.
    """
    from archcost.measure.records import RecordError, read

    try:
        Path(path).open("ab").close()
    except OSError as error:
        raise RecordError(f"cannot write to {path!r:.300}: {error.strerror}") from None
    read(path)


def _device(name: str | None, places: Sequence[str]) -> Device | None:
    """The device of that name.

    Raises:
        DeviceError: there is none.
        click.UsageError: it is of another kind than all ``places``.
    """
    if name is None:
        return None
    from archcost.hardware.files import find

    device = find(name)
    if not any(_alike(device, place) for place in places):
        raise click.UsageError(
            f"--ceilings {name!r:.300} is a {device.kind}, which --device {','.join(places)} is not"
        )
    return device


def _alike(device: Device, place: str) -> bool:
    return (device.kind == "cpu") == (place == "cpu")


def _measured(
    plan: Sequence[Planned], device: Device | None, words: str, record: str | None
) -> tuple[list[Measurement], bool]:
    """What was measured of ``plan``, and whether somebody interrupted it."""
    done: list[Measurement] = []
    try:
        for one in progress(_each(plan, device, words), "Measuring", len(plan), still=True):
            done.append(one)
            if record is not None:
                from archcost.measure.records import append

                append(record, one)
    except KeyboardInterrupt:
        return done, True
    return done, False


def _each(plan: Sequence[Planned], device: Device | None, words: str) -> Iterator[Measurement]:
    """Each measurement of ``plan``; of those that fail, why."""
    from archcost.measure.passes import failed, measure
    from archcost.measure.records import MeasureError

    told: set[str] = set()
    for name, graph, settings in plan:
        about = {"command": words, "model": name}
        try:
            ceilings = _ceilings(device, settings.dtype or graph.dtype, settings.device)
            yield measure(graph, settings, ceilings=ceilings, **about)
        except MeasureError as error:
            message = _message(name, settings, error)
            if message not in told:
                tell("warning", message)
            told.add(message)
            yield failed(graph, settings, error, **about)


def _message(name: str, settings: Settings, error: MeasureError) -> str:
    if error.kind in EVERYWHERE:
        return f"{settings.device}: {error}"
    way = [f"in {settings.dtype}"] if settings.dtype else []
    way += [f"at batch {settings.batch}"] if settings.batch else []
    return f"{' '.join([name, *way])}: {error}"


def _ceilings(device: Device | None, dtype: str, place: str) -> Ceilings | None:
    """What ``device`` can do at most, where it is of the kind that is measured on."""
    from archcost.measure.records import Ceilings

    if device is None or not _alike(device, place):
        return None
    peak = device.peak.get(dtype)
    return Ceilings(device.title, peak, device.bandwidth, bool(device.calibrated))


def _show(done: Sequence[Measurement], layers: bool, format_: str, output: str | None) -> None:
    from archcost.report.measure import layers_table, measure_document, measure_table

    if format_ == "json":
        from archcost.measure.records import as_dict
        from archcost.report.json import dump

        write(dump([as_dict(one) for one in done]), output)
    elif layers and format_ in ("csv", "latex"):
        show(layers_table(done), format_, output)
    elif layers:
        show(measure_document(done), format_, output)
    else:
        show(measure_table(done), format_, output)
