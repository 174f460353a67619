"""``archcost validate``."""

from __future__ import annotations

import shlex
import sys
from contextlib import nullcontext
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from .networks import Networks, networks_options
from .options import (
    DTYPES,
    MOST_THREADS,
    PLACE,
    BatchesType,
    DeviceType,
    DtypesType,
    Integer,
    Number,
    output_options,
    together,
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
    from collections.abc import Iterable, Iterator

    from archcost.hardware.device import Device
    from archcost.sources.zoo import Entry
    from archcost.validation.journal import Journal
    from archcost.validation.plan import Planned
    from archcost.validation.result import Validation

FORMATS: Final = ("table", "markdown", "csv", "json", "html")
# As in archcost.validation.plan, which is not loaded for `--help`; a test compares.
LONGEST_PASS: Final = 5.0
REPEATS: Final = 24
BATCHES: Final = {"cpu": (1, 8), "gpu": (1, 8, 64)}
DTYPES_ON: Final = {"cpu": ("fp32",), "gpu": ("fp32", "bf16")}
EVERY: Final = 30.0
"""Seconds between two lines of progress where standard error is no terminal."""


class Measuring(NamedTuple):
    """How networks are measured: what the options of measuring say."""

    place: str | None
    batches: tuple[int, ...] | None
    dtypes: tuple[str, ...] | None
    threads: int | None
    longest: float
    repeats: int
    record: str | None


measuring_options = together(
    click.option(
        "--on",
        "place",
        metavar="PLACE",
        help="Where to measure: cpu, cuda or cuda:N.  [what the device is]",
    ),
    click.option(
        "--batch",
        "batches",
        type=BatchesType(),
        metavar="N,...",
        help="Batch sizes.  [1,8; on a GPU 1,8,64]",
    ),
    click.option(
        "--dtype",
        "dtypes",
        type=DtypesType(),
        metavar="DTYPE,...",
        help=f"Floating-point types: {', '.join(DTYPES)}.  [fp32; on a GPU fp32,bf16]",
    ),
    click.option(
        "--threads",
        type=Integer(min=1, max=MOST_THREADS),
        metavar="N",
        help="Threads.  [torch's choice]",
    ),
    click.option(
        "--longest",
        type=Number(min=0, min_open=True),
        default=LONGEST_PASS,
        metavar="SECONDS",
        help=f"Skip passes that are estimated to take longer.  [{LONGEST_PASS:g}]",
    ),
    click.option(
        "--repeats",
        type=Integer(min=0),
        default=REPEATS,
        metavar="N",
        help=f"Networks to measure again at the end, for the machine's noise.  [{REPEATS}]",
    ),
    click.option(
        "--record",
        type=click.Path(),
        metavar="FILE",
        help="Where measurements go; those that are there are not made again.  [-o's FILE with "
        ".jsonl, else validation-DEVICE.jsonl]",
    ),
)


@click.command(
    "validate",
    epilog="""\b
Examples:
  archcost validate --device cpu -o validation-cpu.md
  archcost calibrate --device-file here.yaml
  archcost validate --device here.yaml -o validation.md
  archcost validate --device here.yaml --measurements here.jsonl --format json
  archcost validate resnet50 'mobilenet*' --device here.yaml --batch 1,4,16

docs/validation.md says how it is measured, and what the report's numbers mean.
Exit status 1: the estimates do not keep to a bar.
""",
)
@networks_options
@click.option(
    "--device",
    "device_name",
    type=DeviceType(),
    required=True,
    metavar="NAME",
    help="The device of the estimates: a file of archcost calibrate's, or a name; cpu, cuda, "
    "cuda:N: this machine, which is calibrated first.",
)
@click.option(
    "--measurements",
    type=click.Path(),
    metavar="FILE",
    help="Measure nothing: make the report of the measurements in FILE.",
)
@measuring_options
@output_options(*FORMATS)
@click.pass_context
def command(
    ctx: click.Context,
    /,
    networks: Networks,
    device_name: str,
    measurements: str | None,
    format_: str | None,
    output: str | None,
    **options: Any,  # those of Measuring
) -> None:
    """Measure networks, and tell how far estimates are from it.

    All networks of the zoo, or those that are named or chosen: forward passes at
    several batches and in several dtypes, their time by layer, peak memory, and the
    bytes of parameters, activations and files, each beside what archcost says of the
    graph alone. What was measured is kept in a file of JSON Lines: where the command
    is interrupted, the same command goes on.
    """
    from archcost.validation.journal import read

    format_ = chosen_format(FORMATS, format_, output)
    refuse_a_closed_folder(output)
    measuring = Measuring(**options)
    record = Path(measurements or measuring.record or _record(device_name, output))
    device = _device(device_name, measuring, record, measurements is None)
    if measurements is None:
        _measure(_entries(networks), device, measuring, record)
    else:
        given = [name for name in ("place", "batches", "dtypes", "record") if options[name]]
        if given or networks != Networks():
            raise click.UsageError(
                "--measurements says what was measured: networks and options of measuring have no "
                "place beside it"
            )
    # Also what has just been measured: the report is what can be made of the file again.
    found = _assembled(read(record), device)
    _show(found, format_, output)
    if any(verdict.met is False for verdict in found.verdicts):
        ctx.exit(1)


def _record(device_name: str, output: str | None) -> str:
    if output in (None, "-"):
        return f"validation-{Path(device_name).stem.replace(':', '-')}.jsonl"
    return str(Path(str(output)).with_suffix(".jsonl"))


def _device(name: str, measuring: Measuring, record: Path, measure: bool) -> Device:
    """The device of the estimates. That of this machine is in a file beside ``record``; where
    there is none yet, and passes are to be measured, this machine is calibrated.

    Raises:
        DeviceError, MeasureError: there is no such device.
    """
    from archcost.hardware.files import dump, find
    from archcost.report import write_atomically

    if not PLACE.fullmatch(name):
        return find(name)
    path = record.with_suffix(".yaml")
    if not path.exists():
        if not measure:
            raise click.UsageError(f"{path} is not there: --device names the file of the device")
        dtypes = measuring.dtypes or DTYPES_ON["cpu" if name == "cpu" else "gpu"]
        write_atomically(path, dump(_calibrated(name, dtypes, measuring.threads)))
    return find(str(path))


def _calibrated(place: str, dtypes: tuple[str, ...], threads: int | None) -> Device:
    from archcost.measure.calibration import Plan, calibrated, merged

    plan = Plan(place, dtypes, threads=threads)
    machine = plan.machine()
    samples = merged(progress(plan.samples(), "Calibrating", len(plan), still=True))
    return calibrated(samples, machine).device


def _entries(networks: Networks) -> list[Entry]:
    """The networks that were asked for, the whole zoo if none was."""
    if networks == Networks():
        networks = Networks(whole_zoo=True)
    entries = []
    for one in networks.chosen():
        if one.entry is None:
            raise click.UsageError(
                f"{one.text!r:.60} is no network of the zoo, which is what is validated on "
                "(archcost measure measures any)"
            )
        entries.append(one.entry)
    return entries


def _measure(entries: list[Entry], device: Device, measuring: Measuring, record: Path) -> None:
    """Add to the file ``record`` what is missing there of ``entries``."""
    from archcost.validation.journal import begin
    from archcost.validation.measuring import run, session
    from archcost.validation.plan import Limits, free_memory, plan

    its = {"cpu": "cpu", "gpu": "cuda"}[device.kind]
    place = measuring.place or its
    if PLACE.fullmatch(place) and place.partition(":")[0] != its:
        raise click.UsageError(f"{device.title} is a {device.kind}: {place} is no such device")
    batches = measuring.batches or BATCHES[device.kind]
    dtypes = measuring.dtypes or DTYPES_ON[device.kind]
    here = session(
        place,
        device.name,
        command=_command(),
        threads=measuring.threads,
        longest=measuring.longest,
        repeats=measuring.repeats,
    )
    limits = Limits(measuring.longest, free_memory(place))
    planned = plan(
        progress((entry.graph() for entry in entries), "Planning", len(entries)),
        device,
        dtypes=dtypes,
        batches=batches,
        limits=limits,
        repeats=measuring.repeats,
    )
    known = {entry.name: entry for entry in entries}
    journal = begin(record, here)
    left = [one for one in planned if not journal.has(one.key)]
    if len(left) < len(planned):
        tell("note", f"{record} has {len(planned) - len(left)} of {len(planned)} passes already")
    try:
        for _ in _told(run(record, journal, left, lambda name: known[name].graph(), place), left):
            pass
    except KeyboardInterrupt:
        tell("note", f"interrupted; what was measured is in {record}, the same command goes on")
        raise


def _told(done: Iterable[Planned], planned: list[Planned]) -> Iterator[Planned]:
    """``done``, with a bar and the time that is left on standard error, or a line now and then
    where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    whole = sum(one.cost for one in planned)
    terminal = sys.stderr is not None and sys.stderr.isatty()
    bar = Progress(
        TextColumn("Measuring"),
        BarColumn(),
        TextColumn("{task.fields[number]} of {task.fields[count]} passes, left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[model]}"),
        console=Console(stderr=True),
        transient=True,
        auto_refresh=False,  # no thread of it runs beside what is timed
    )
    begin = said = monotonic()
    spent = 0.0
    with bar if terminal else nullcontext():
        task = bar.add_task("", total=whole, number=0, count=len(planned), model="")
        for number, one in enumerate(done, 1):
            spent += one.cost
            bar.update(task, completed=spent, number=number, model=one.key.model, refresh=terminal)
            now = monotonic()
            if not terminal and now - said > EVERY:
                said = now
                left = (now - begin) / max(spent, 1e-9) * (whole - spent) / 60
                tell("note", f"{number} of {len(planned)} passes, about {left:.0f} min left")
            yield one


def _command() -> str:
    """The command line; of a path that only this machine knows the name says enough."""
    words = click.get_current_context().meta.get(ARGUMENTS, ())
    return shlex.join(["archcost", *(Path(w).name if Path(w).is_absolute() else w for w in words)])


def _assembled(journal: Journal, device: Device) -> Validation:
    """What was measured beside the estimates."""
    from archcost.validation.assembling import assemble, validation

    number = len(journal.measured)
    found = list(progress(assemble(journal, device), "Comparing", number))
    result = validation(journal, device, found)
    if result.changed:
        tell(
            "warning",
            f"left out, since the zoo has another network of that name now: "
            f"{', '.join(result.changed)}",
        )
    return result


def _show(found: Validation, format_: str, output: str | None) -> None:
    from archcost.report import validation as report
    from archcost.report.json import dump

    if format_ == "json":
        write(dump(report.validation_data(found)), output)
    elif format_ == "csv":
        show(report.networks_table(found), format_, output)
    else:
        show(report.validation_document(found), format_, output)
