"""``archcost plot``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import click

from .compare import AccuracyType
from .networks import Networks, analyses, networks_options
from .options import (
    AboutType,
    Choice,
    DeviceType,
    Group,
    Loading,
    ModelType,
    Number,
    ParamType,
    model_argument,
    model_options,
    output_options,
    together,
)
from .output import spare_the_model, tell, write
from .timing import Devices, device_options, layers_of

if TYPE_CHECKING:
    from archcost.analysis import Analysis
    from archcost.plot.figure import Figure

DRAWN: Final = ("svg", "png", "pdf")
FORMATS: Final = (*DRAWN, "html", "json")
THEMES: Final = ("light", "dark")
# The keys of archcost.plot.networks.QUANTITIES and of archcost.plot.scatter.AXES, which are not
# loaded for `--help`; a test compares them.
QUANTITIES: Final = ("params", "macs", "flops", "activations", "traffic")
AXES: Final = (*QUANTITIES, "memory")

_RATE: Final = re.compile(r"(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*([kMGTPE]?)(?:FLOP/?S|B/s)?\Z", re.I)
_PREFIXES: Final = {"": 0, "k": 3, "m": 6, "g": 9, "t": 12, "p": 15, "e": 18}


class RateType(ParamType):
    """``10T``, ``1.5e12``, ``100GB/s``: a number for each second, with an SI prefix."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        match = _RATE.match(value.strip())
        number = float(match[1]) * 10.0 ** _PREFIXES[match[2].lower()] if match else 0.0
        if not 0 < number < float("inf"):
            self.fail(f"{value!r:.60} is no rate; expected one like 10T or 100G", param, ctx)
        return number


class Drawing(NamedTuple):
    """How a figure is to be drawn, and where it goes: what :data:`drawing_options` say."""

    theme: Literal["light", "dark"] | None
    width: float | None
    height: float | None
    title: str | None
    format_: str | None
    output: str | None

    def chosen_format(self) -> str:
        """What was asked for, else what FILE's ending says, else SVG.

        Raises:
            click.UsageError: no such ending; a format that an option is not for; a terminal.
        """
        format_ = self.format_ or self._by_ending()
        if format_ not in DRAWN:
            for name in ("theme", "width", "height"):
                if getattr(self, name) is not None:
                    raise click.UsageError(f"--{name} is for {', '.join(DRAWN)}, not for {format_}")
        shown = self.output in (None, "-") and sys.stdout is not None and sys.stdout.isatty()
        if shown and format_ != "json":
            raise click.UsageError(
                "a figure is no text for a terminal: -o FILE writes it, by FILE's ending as "
                f"{', '.join(FORMATS)}"
            )
        return format_

    def _by_ending(self) -> str:
        ending = Path(self.output or "").suffix.lower().removeprefix(".")
        if self.output in (None, "-"):
            return FORMATS[0]
        if ending not in FORMATS:
            raise click.UsageError(
                f"{self.output!r:.300} says no format: a figure is {', '.join(FORMATS)} "
                "(--format NAME writes one of these whatever FILE's ending)"
            )
        return ending

    def write(self, figure: Figure) -> None:
        """Draw a figure and write it to where it goes."""
        format_ = self.chosen_format()
        if self.title is not None:
            figure = replace(figure, title=self.title)
        write(self._drawn(figure, format_), self.output)

    def _drawn(self, figure: Figure, format_: str) -> str | bytes:
        if format_ == "json":
            from archcost.plot.figure import document
            from archcost.report.json import dump

            return dump(document(figure))
        if format_ == "html":
            from archcost.plot.plotly_backend import html

            return html(figure)
        from archcost.plot.matplotlib_backend import draw

        return draw(
            figure,
            format_,  # type: ignore[arg-type]  # one of DRAWN
            theme=self.theme or "light",
            width=self.width,
            height=self.height,
        )


def _in_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function``, which takes the options of drawing as one :class:`Drawing`."""

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        drawing = Drawing(**{name: kwargs.pop(name) for name in Drawing._fields})
        drawing.chosen_format()  # before anything is counted
        return function(*args, drawing=drawing, **kwargs)

    return command


drawing_options = together(
    click.option("--theme", type=Choice(THEMES), metavar="THEME", help="light or dark.  [light]"),
    click.option(
        "--width",
        type=Number(2.5, 100),
        metavar="INCHES",
        help="3.4 for a column of a paper, 7 for two.  [7]",
    ),
    click.option(
        "--height", type=Number(2.5, 100), metavar="INCHES", help="[as high as it needs to be]"
    ),
    click.option("--title", metavar="TEXT", help="Another title."),
    output_options(*FORMATS),
    _in_one,
)
"""What makes a :class:`Drawing`, which the command takes as ``drawing``."""

quantity_options = together(
    click.option(
        "--quantity",
        "quantities",
        type=Choice(QUANTITIES),
        multiple=True,
        metavar="NAME",
        help=f"{', '.join(QUANTITIES)}; repeatable.  [params, macs and activations]",
    ),
    click.option(
        "--log/--linear",
        "log",
        default=None,
        help="Scale of the costs.  [logarithmic where networks differ by orders of magnitude]",
    ),
)


@click.group(
    "plot",
    cls=Group,
    invoke_without_command=True,
    epilog="""\b
Examples:
  archcost plot accuracy --dataset ImageNet -o accuracy.svg
  archcost plot depth simplenet vgg16 -o depth.pdf --width 3.4
  archcost plot kinds 'resnet*' -o kinds.png --theme dark
  archcost plot memory densenet121 -o memory.html
  archcost plot latency resnet50 mobilenet-v1 --device rtx3090 -o latency.svg
  archcost plot time mobilenet-v1 --device rtx3090 --batch 64 -o time.svg

docs/plot.md shows the figures.
""",
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Figures of what networks cost, as SVG, PNG, PDF or interactive HTML.

    They are drawn by matplotlib: pip install 'archcost[plot]'; HTML by plotly:
    pip install 'archcost[html]'. json is a figure's data.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def _chosen(
    ctx: click.Context, networks: Networks, loading: Loading, drawing: Drawing
) -> list[Analysis]:
    """The networks' analyses; where there are none the command ends with status 1."""
    found, _ = analyses(networks.chosen(), loading, drawing.output)
    if not found:
        _none_fits(ctx)
    return list(found.values())


def _none_fits(ctx: click.Context) -> None:
    tell("warning", "no network fits what was asked for")
    ctx.exit(1)


@command.command("accuracy")
@click.argument("models", type=ModelType(), nargs=-1, metavar="[MODEL]...")
@click.option(
    "--dataset",
    type=AccuracyType(),
    required=True,
    metavar="DATASET",
    help="ImageNet, CIFAR-10 ...; of ImageNet top-1, or ImageNet:top5.",
)
@click.option(
    "--family",
    "families",
    type=AboutType("family"),
    multiple=True,
    metavar="NAME",
    help="Only networks of this family; repeatable.",
)
@click.option(
    "--x", type=Choice(AXES), default="macs", metavar="COST", help=f"{', '.join(AXES)}.  [macs]"
)
@click.option(
    "--size",
    type=Choice(AXES),
    default="params",
    metavar="COST",
    help="What the bubbles' areas are.  [params]",
)
@drawing_options
@click.pass_context
def accuracy_(
    ctx: click.Context,
    models: tuple[str, ...],
    dataset: tuple[str, int],
    families: tuple[str, ...],
    x: str,
    size: str,
    drawing: Drawing,
) -> None:
    """Published accuracy against cost, with the Pareto front.

    A bubble for each network of the zoo that has an accuracy on DATASET, or
    for those of them that MODEL (a name, or a glob in quotes) and --family say.
    """
    from archcost.analysis import analyze
    from archcost.plot.scatter import Rated, accuracy_figure
    from archcost.published.rated import rated_networks
    from archcost.sources.selection import choose
    from archcost.sources.zoo import find

    chosen = choose(models, families=families)
    # Where a model is none of the zoo's, finding it says so.
    only = {(one.entry or find(one.text)).name for one in chosen} or None
    rated = [
        Rated(analyze(graph), accuracies)
        for graph, accuracies in rated_networks(dataset[0], top=dataset[1], only=only)
    ]
    if not rated:
        tell("warning", f"of none of these networks an accuracy on {dataset[0]} is published")
        ctx.exit(1)
    name = rated[0].accuracies[0].dataset
    drawing.write(accuracy_figure(rated, name, x=x, size=size, top=5 if dataset[1] == 5 else 1))


@command.command("costs")
@networks_options
@click.option(
    "--x", type=Choice(AXES), default="macs", metavar="COST", help=f"{', '.join(AXES)}.  [macs]"
)
@click.option("--y", type=Choice(AXES), default="params", metavar="COST", help="[params]")
@click.option(
    "--size", type=Choice(AXES), metavar="COST", help="What the points' areas are.  [all alike]"
)
@model_options
@drawing_options
@click.pass_context
def costs_(
    ctx: click.Context,
    networks: Networks,
    x: str,
    y: str,
    size: str | None,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """One cost against another, a point a network."""
    from archcost.plot.scatter import costs_figure

    found = _chosen(ctx, networks, loading, drawing)
    drawing.write(costs_figure(found, x=x, y=y, size=size))


@command.command("depth")
@networks_options
@quantity_options
@model_options
@drawing_options
@click.pass_context
def depth_(
    ctx: click.Context,
    networks: Networks,
    quantities: tuple[str, ...],
    log: bool | None,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """Parameters, MACs and activations by depth: where costs lie."""
    from archcost.plot.layers import SHOWN, depth_figure

    found = _chosen(ctx, networks, loading, drawing)
    drawing.write(depth_figure(found, quantities=quantities or SHOWN, log=log))


@command.command("cumulative")
@networks_options
@quantity_options
@model_options
@drawing_options
@click.pass_context
def cumulative_(
    ctx: click.Context,
    networks: Networks,
    quantities: tuple[str, ...],
    log: bool | None,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """Costs summed up from the input onwards."""
    from archcost.plot.layers import SHOWN, cumulative_figure

    found = _chosen(ctx, networks, loading, drawing)
    drawing.write(cumulative_figure(found, quantities=quantities or SHOWN, log=log))


@command.command("kinds")
@networks_options
@model_options
@drawing_options
@click.pass_context
def kinds_(ctx: click.Context, networks: Networks, loading: Loading, drawing: Drawing) -> None:
    """The share of each kind of layer, as stacked bars."""
    from archcost.plot.kinds import kinds_figure

    drawing.write(kinds_figure(_chosen(ctx, networks, loading, drawing)))


@command.command("totals")
@networks_options
@model_options
@drawing_options
@click.pass_context
def totals_(ctx: click.Context, networks: Networks, loading: Loading, drawing: Drawing) -> None:
    """Parameters, MACs, activations and peak memory side by side."""
    from archcost.plot.kinds import totals_figure

    drawing.write(totals_figure(_chosen(ctx, networks, loading, drawing)))


@command.command("intensity")
@networks_options
@click.option(
    "--peak-flops",
    type=RateType(),
    metavar="RATE",
    help="FLOP/s that the device computes, like 10T; a MAC is 2 FLOPs. Needs --bandwidth.",
)
@click.option(
    "--bandwidth",
    type=RateType(),
    metavar="RATE",
    help="Bytes/s that the device's memory moves, like 100G. Needs --peak-flops.",
)
@click.option(
    "--device",
    type=DeviceType(),
    metavar="NAME",
    help="Both as this device has them in the networks' dtype (archcost devices list).",
)
@model_options
@drawing_options
@click.pass_context
def intensity_(
    ctx: click.Context,
    networks: Networks,
    peak_flops: float | None,
    bandwidth: float | None,
    device: str | None,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """Arithmetic intensity of the layers, on a device's roofline.

    Without --device, or --peak-flops and --bandwidth, there is no roof.
    """
    from archcost.plot.roofline import device_roof, intensity_figure

    if device is not None:
        for option, given in {"--peak-flops": peak_flops, "--bandwidth": bandwidth}.items():
            if given is not None:
                raise click.UsageError(f"{option} does not go with --device, which says it itself")
        from archcost.hardware.files import find

        on = find(device)
        found = _chosen(ctx, networks, loading, drawing)
        roof = device_roof(found, on)
        drawing.write(intensity_figure(found, **roof._asdict(), device=on.name))
        return
    if (peak_flops is None) != (bandwidth is None):
        raise click.UsageError("a roof needs both --peak-flops and --bandwidth")
    found = _chosen(ctx, networks, loading, drawing)
    drawing.write(intensity_figure(found, peak_flops=peak_flops, bandwidth=bandwidth))


@command.command("latency")
@networks_options
@device_options("The device they run on", several=True, required=True)
@model_options
@drawing_options
@click.pass_context
def latency_(
    ctx: click.Context,
    networks: Networks,
    devices: Devices,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """Estimated throughput and latency against the batch, up to where memory ends.

    A curve for each network on each device.
    """
    from archcost.plot.latency import latency_figure

    if loading.batch is not None:
        raise click.UsageError("--batch does not go with a figure of all batches")
    on = devices.found()
    found = _chosen(ctx, networks, loading, drawing)
    drawing.write(latency_figure(found, on, fused=devices.fused))


@command.command("time")
@model_argument
@device_options("The device it runs on", required=True)
@click.option(
    "--measured",
    "measured_path",
    type=click.Path(),
    metavar="FILE",
    help="Beside it the times of layers that archcost measure --layers --record FILE wrote.",
)
@model_options
@drawing_options
def time_(
    model: str,
    devices: Devices,
    measured_path: str | None,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """Where the estimated time goes: by kind of layer, and the layers that take longest."""
    from archcost.plot.time import time_figure

    spare_the_model(model, drawing.output)
    graph = loading.graph(model)
    estimate = devices.estimate(graph)
    assert estimate is not None  # --device is needed
    measured = None if measured_path is None else layers_of(graph, measured_path)
    drawing.write(time_figure(estimate, measured))


@command.command("memory")
@networks_options
@click.option("--inplace", is_flag=True, help="ReLU and its like in place.")
@click.option("--fold-norm", is_flag=True, help="Normalisations folded into convolutions.")
@model_options
@drawing_options
@click.pass_context
def memory_(
    ctx: click.Context,
    networks: Networks,
    inplace: bool,
    fold_norm: bool,
    loading: Loading,
    drawing: Drawing,
) -> None:
    """Memory while each layer of a forward pass runs."""
    from archcost.plot.memory import memory_figure

    found = _chosen(ctx, networks, loading, drawing)
    drawing.write(memory_figure(found, inplace=inplace, fold_norm=fold_norm))
