"""``archcost calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from .options import MOST_THREADS, DtypesType, Integer, output_options
from .output import chosen_format, progress, refuse_a_closed_folder, show, tell, write

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
# As in archcost.measure.calibration, which is not loaded for `--help`; a test compares.
STACKS: Final = 400
REPEATS: Final = 3
MOST_BYTES: Final = 200_000_000


@click.command(
    "calibrate",
    epilog="""\b
Examples:
  archcost calibrate
  archcost calibrate --threads 1 --device-file one-core.yaml
  archcost calibrate --device cuda --dtype fp32,bf16
  archcost estimate resnet50 --device this-machine.yaml --batch 8
  archcost calibrate --from samples.jsonl --device-file again.yaml

docs/calibrate.md says what is measured, and by which formula it is fitted.
""",
)
@click.option(
    "--device",
    "place",
    default="cpu",
    metavar="PLACE",
    help="What to measure: cpu, cuda or cuda:N.  [cpu]",
)
@click.option(
    "--dtype",
    "dtypes",
    type=DtypesType(),
    metavar="DTYPE,...",
    help="Floating-point types.  [fp32; on a GPU fp32,tf32,fp16,bf16]",
)
@click.option(
    "--threads",
    type=Integer(min=1, max=MOST_THREADS),
    metavar="N",
    help="Threads.  [torch's choice]",
)
@click.option(
    "--stacks",
    type=Integer(min=20),
    default=STACKS,
    metavar="N",
    help=f"Random stacks of operators to measure; fewer are quicker and worse.  [{STACKS}]",
)
@click.option(
    "--repeats",
    type=Integer(min=1),
    default=REPEATS,
    metavar="N",
    help=f"Times that all of them are measured; the shortest counts.  [{REPEATS}]",
)
@click.option("--name", metavar="NAME", help="What the device is called.  [after the processor]")
@click.option(
    "--device-file",
    type=click.Path(),
    metavar="FILE",
    help="Where the device goes, for --device of other commands.  [NAME.yaml]",
)
@click.option(
    "--samples",
    "samples_file",
    type=click.Path(),
    metavar="FILE",
    help="Also write all that was measured to FILE, in JSON Lines.",
)
@click.option(
    "--from",
    "origin",
    type=click.Path(),
    metavar="FILE",
    help="Measure nothing: fit what --samples wrote.",
)
@output_options(*FORMATS)
def command(
    place: str,
    dtypes: tuple[str, ...] | None,
    threads: int | None,
    stacks: int,
    repeats: int,
    name: str | None,
    device_file: str | None,
    samples_file: str | None,
    origin: str | None,
    format_: str | None,
    output: str | None,
) -> None:
    """Measure the machine at hand and write it as a device.

    Its ceilings are measured (products of matrices, a copy of memory, how long an operator takes to
    start), then random stacks of operators, on which efficiencies are fitted by operator class.
    It takes some minutes; nothing else should run meanwhile.
    """
    format_ = chosen_format(FORMATS, format_, output)
    refuse_a_closed_folder(device_file or "NAME.yaml", samples_file, output)
    from archcost.hardware import files
    from archcost.hardware.reading import NAME
    from archcost.measure.calibration import (
        Plan,
        calibrated,
        merged,
        read_samples,
        written,
    )
    from archcost.report.calibration import (
        calibration_data,
        calibration_document,
        calibration_table,
    )

    if name is not None and not NAME.match(name):
        raise click.UsageError(
            f"{name!r:.60} is no name for a device: letters, digits, dots, hyphens and underscores"
        )
    if origin is None:
        default = ("fp32", "tf32", "fp16", "bf16") if place != "cpu" else ("fp32",)
        plan = Plan(place, dtypes or default, stacks=stacks, repeats=repeats, threads=threads)
        machine = plan.machine()
        bar = progress(plan.samples(), "Calibrating", len(plan), still=True)
        samples = merged(bar)
    else:
        from archcost.sources.files import read_text
        from archcost.sources.graph_json import from_json

        text = read_text(Path(origin), MOST_BYTES, "a file of samples")
        samples, machine = read_samples(text, from_json)
    if samples_file:
        write(written(samples, machine), samples_file)
    found = calibrated(samples, machine, name)
    file = device_file or f"{found.device.name}.yaml"
    write(files.dump(found.device), file)
    tell("note", f"wrote {file}: archcost estimate MODEL --device {file}")
    if format_ == "json":
        from archcost import __version__
        from archcost.report import json

        write(json.dump(calibration_data(found, version=__version__)), output)
    elif format_ in ("csv", "latex"):
        show(calibration_table(found), format_, output)
    else:
        show(calibration_document(found), format_, output)
