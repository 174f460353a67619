"""``archcost speeds``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from .options import Choice, DeviceType, ParamType, completions, output_options
from .output import chosen_format, progress, show, write

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from archcost.published.speeds import PublishedSpeed, SpeedSource

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
# Those of archcost.report.speeds, which is not loaded for `--help`, and the passes themselves; a
# test compares.
PASS: Final = "pass"
GROUPINGS: Final = ("run", "device", "source", "dtype", "network", "family", "bound", PASS)


class SpeedSourceType(ParamType):
    """The name of a source of published times."""

    name = "source"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from archcost.published.speeds import source_names

        return completions(source_names(), incomplete)


@click.command(
    "speeds",
    epilog="""\b
Examples:
  archcost speeds
  archcost speeds timm --device rtx3090
  archcost speeds --by network
  archcost speeds tflite --by pass
  archcost speeds -o published-speeds.md
  archcost speeds --format json

docs/speeds.md says where the times are from, and what the columns mean.
""",
)
@click.argument("sources", type=SpeedSourceType(), nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--device",
    "devices",
    type=DeviceType(),
    multiple=True,
    metavar="NAME",
    help="Only passes on this device; repeatable.",
)
@click.option(
    "--by",
    type=Choice(GROUPINGS),
    metavar="GROUP",
    help=f"One row a {', '.join(GROUPINGS)}.  [run; in Markdown and HTML a whole report]",
)
@output_options(*FORMATS)
def command(
    sources: tuple[str, ...],
    devices: tuple[str, ...],
    by: str | None,
    format_: str | None,
    output: str | None,
) -> None:
    """Speeds that others measured and published, beside archcost's estimates.

    SOURCE is timm, cnn-benchmarks, nvidia-resnet50 ...; all if none is named. Each
    printed time of a forward pass is compared with the estimate for that network,
    device, dtype and batch. Nothing is run, and no estimate was fitted on a network.
    """
    from archcost.published.speeds import speed_source, speed_sources
    from archcost.report import speeds as report
    from archcost.report.json import dump
    from archcost.validation.published import PublishedValidation, judged_speeds

    format_ = chosen_format(FORMATS, format_, output)
    chosen = tuple(map(speed_source, dict.fromkeys(sources))) or speed_sources()
    wanted = _on(chosen, devices)
    judged = progress(judged_speeds(wanted), "Estimating", len(wanted))
    found = PublishedValidation(tuple(judged))
    if format_ == "json":
        from archcost import __version__

        write(dump(report.speeds_data(found, chosen, version=__version__)), output)
    elif by == PASS or (by is None and format_ == "csv"):
        show(report.passes_table(found), format_, output)
    elif by is None and format_ in ("markdown", "html"):
        show(report.speeds_document(found, chosen), format_, output)
    else:
        show(report.groups_table(found, by or "run"), format_, output)


def _on(sources: tuple[SpeedSource, ...], devices: tuple[str, ...]) -> list[PublishedSpeed]:
    """The passes of ``sources``, those on ``devices`` if any are named.

    Raises:
        DeviceError: there is no such device.
        click.UsageError: nothing was published of it there.
    """
    speeds = [speed for source in sources for speed in source.speeds]
    if not devices:
        return speeds
    from archcost.hardware.files import find

    names = {find(device).name for device in devices}
    found = [speed for speed in speeds if speed.run.device in names]
    if not found:
        known = ", ".join(sorted({speed.run.device for speed in speeds}))
        raise click.UsageError(
            f"no published times on {', '.join(sorted(names))}; there are {known}"
        )
    return found
