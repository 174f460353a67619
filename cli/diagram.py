"""``archcost diagram``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from .options import Choice, Loading, model_argument, model_options, output_options
from .output import refuse_a_terminal, spare_the_model, write
from .timing import Devices, device_options

if TYPE_CHECKING:
    from archcost.analysis import Analysis

ENDINGS: Final = {
    "dot": (".dot", ".gv"),
    "svg": (".svg",),
    "png": (".png",),
    "pdf": (".pdf",),
    "mermaid": (".mmd", ".mermaid"),
}
BINARY: Final = ("png", "pdf")
PICTURES: Final = ("svg", "png", "pdf")
STYLES: Final = ("graph", "volumes")
LEVELS: Final = ("stage", "block", "layer")
COLORS: Final = ("op", "macs", "params", "activations", "memory", "time")
DIRECTIONS: Final = ("down", "right")
THEMES: Final = ("light", "dark")
ALL: Final = "all"


@click.command(
    "diagram",
    epilog="""\b
Examples:
  archcost diagram resnet50 -o resnet50.svg
  archcost diagram googlenet --level layer -o googlenet.pdf
  archcost diagram vgg16 --color-by params --theme dark -o vgg16.png
  archcost diagram mobilenet-v1 --color-by time --device rtx3090 -o time.svg
  archcost diagram resnet152 --level block --unfold conv4_x -o resnet152.svg
  archcost diagram squeezenet --direction right --format mermaid
  archcost diagram simplenet --style volumes -o simplenet.svg
  archcost diagram resnet50 | dot -Tsvg > resnet50.svg
  archcost diagram torch.nn:Transformer --input 10x1x512 --input 20x1x512 \\
    --batch none -o transformer.svg

docs/diagram.md says how to read them.
""",
)
@model_argument
@click.option(
    "--style",
    type=Choice(STYLES),
    metavar="STYLE",
    default="graph",
    help="graph: boxes and arrows; volumes: feature maps as boxes in space, of a network that is "
    "a chain.  [graph]",
)
@click.option(
    "--level",
    type=Choice(LEVELS),
    metavar="LEVEL",
    help=f"A box for each {', '.join(LEVELS)}.  [the finest that fits on a page]",
)
@click.option(
    "--color-by",
    type=Choice(COLORS),
    metavar="WHAT",
    default="op",
    help="op: by kind of layer; macs, params, activations, memory: the more, the darker (lighter "
    "on dark ground); time: estimated on --device.  [op]",
)
@device_options("With --color-by time: the device")
@click.option(
    "--unfold",
    multiple=True,
    metavar="NAME",
    help="Draw each of the repeated blocks in or around the scope NAME, which are drawn once with "
    f'"x N" otherwise; {ALL}: everywhere. Repeatable.',
)
@click.option(
    "--every-layer",
    is_flag=True,
    help="Level layer, with boxes also for normalisations, activations, dropout and views, which "
    "stand in the box of the layer that they follow otherwise.",
)
@click.option(
    "--dense",
    is_flag=True,
    help="Edges to what reads a concatenation from all that it joins, as in DenseNet's figure.",
)
@click.option(
    "--direction",
    type=Choice(DIRECTIONS),
    metavar="WHERE",
    help="Where the network runs to: down, right.  [down]",
)
@click.option(
    "--theme",
    type=Choice(THEMES),
    metavar="THEME",
    default="light",
    help="light, dark.  [light]",
)
@click.option("--no-legend", is_flag=True, help="Without legend and notes.")
@model_options
@output_options(*ENDINGS)
def command(
    model: str,
    style: str,
    color_by: str,
    devices: Devices,
    theme: str,
    loading: Loading,
    format_: str | None,
    output: str | None,
    **options: Any,
) -> None:
    """MODEL as a picture: boxes for its layers, blocks or stages.

    Each box says what it does, what shape comes out, and what it costs;
    edges are wider where they carry more bytes. Alike blocks in a row are
    drawn once. DOT and Mermaid are texts that other programs draw; SVG, PNG
    and PDF are laid out here, by Graphviz.
    """
    given = {name: value for name, value in options.items() if value}
    format_ = _format(format_, output, style)
    if format_ in BINARY:
        refuse_a_terminal(f"a {format_.upper()}", output)
    if style == "volumes" and given:
        name = next(iter(given)).replace("_", "-")
        raise click.UsageError(f"--{name} is for --style graph")
    if (color_by == "time") != bool(devices.names):
        raise click.UsageError("--color-by time and --device go together")
    if color_by == "time" and style == "volumes":
        raise click.UsageError("--color-by time is for --style graph")
    if given.get("every_layer") and given.get("level", "layer") != "layer":
        raise click.UsageError("--every-layer is for --level layer")
    spare_the_model(model, output)
    from archcost.analysis import analyze

    analysis = analyze(loading.graph(model))
    look: dict[str, Any] = {"color_by": color_by, "theme": theme}
    estimate = devices.estimate(analysis.graph)
    if estimate is not None:
        look["times"] = {layer.node: layer.seconds for layer in estimate.layers}
        look["where"] = f"estimated on {estimate.device.name} in {estimate.dtype}"
    draw = _volumes if style == "volumes" else _graph
    write(draw(analysis, format_, look, given), output)


def _format(format_: str | None, output: str | None, style: str) -> str:
    """What was asked for, else what FILE's ending says, else the first that the style has."""
    formats = PICTURES if style == "volumes" else tuple(ENDINGS)
    if format_ is None and output not in (None, "-"):
        ending = Path(output or "").suffix.lower()
        format_ = next((name for name, its in ENDINGS.items() if ending in its), None)
        if format_ is None:
            endings = ", ".join(f"{name} ({ENDINGS[name][0]})" for name in formats)
            raise click.UsageError(
                f"what is {output!r:.300} to be? FILE's ending says it, or --format: {endings}"
            )
    if format_ is not None and format_ not in formats:
        raise click.UsageError(f"--style {style} is drawn as {', '.join(formats)}, not {format_}")
    return format_ or formats[0]


def _graph(
    analysis: Analysis, format_: str, look: dict[str, Any], options: dict[str, Any]
) -> str | bytes:
    from archcost.diagram import diagram, dot_source, mermaid_source

    arguments = {name: options[name] for name in ("level", "direction", "dense") if name in options}
    names = options.get("unfold", ())
    drawing = diagram(
        analysis,
        unfold=True if ALL in names else names,
        merge="every_layer" not in options,
        legend="no_legend" not in options,
        **look,
        **arguments,
    )
    if format_ == "mermaid":
        return mermaid_source(drawing)
    source = dot_source(drawing)
    if format_ == "dot":
        return source
    from archcost.diagram.render import render

    return render(source, format_, title=drawing.title, alt=drawing.alt)  # type: ignore[arg-type]


def _volumes(
    analysis: Analysis, format_: str, look: dict[str, Any], options: dict[str, Any]
) -> bytes:
    from archcost.diagram.volumes import volumes
    from archcost.diagram.volumes_drawing import draw

    drawing = volumes(analysis, color_by=look["color_by"])
    return draw(drawing, format_, theme=look["theme"])  # type: ignore[arg-type]
