"""``archcost report``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from .options import (
    Choice,
    Integer,
    Loading,
    Number,
    model_argument,
    model_options,
    output_options,
)
from .output import chosen_format, show, spare_the_model
from .timing import Devices, device_options

if TYPE_CHECKING:
    from archcost.published.about import Published

FORMATS: Final = ("table", "markdown", "csv", "json", "latex", "html")
GROUPINGS: Final = ("layer", "block", "stage", "op")


@click.command(
    "report",
    epilog="""\b
Examples:
  archcost report simplenet
  archcost report resnet152 -o resnet152.html
  archcost report resnet50 --by op --sort flops
  archcost report alexnet --device rtx3090 --batch 64 --sort estimated_seconds
  archcost report vgg16 --input 3x64x64 --set classes=10 --batch 32
  archcost report alexnet --bits 5 --sparsity 0.89 --index-bits 4
  archcost report mobilenet-v1 --by layer --format csv -o layers.csv
  archcost report my_net.yaml:variant --format json
  archcost report model.onnx --batch 8
  archcost report deploy.prototxt --by layer
  archcost report torch.nn:Transformer --input 10x1x512 --input 20x1x512 \\
    --batch none
  archcost report model.py:Net --arg width=64 --input 3x224x224

docs/report.md says what each number means, docs/json.md what the JSON holds,
docs/page.md what the HTML page shows.
""",
)
@model_argument
@click.option(
    "--by",
    type=Choice(GROUPINGS),
    metavar="GROUP",
    help=f"One row a {', '.join(GROUPINGS)}.  [block where that fits on a screen, else stage]",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    help="Sort by a column: params, macs, flops, activations, traffic_bytes, name ...",
)
@click.option(
    "--top",
    type=Integer(min=1),
    metavar="N",
    help="Show the first N rows (by MACs unless sorted) and sum up the others.",
)
@model_options
@click.option("--inplace", is_flag=True, help="Forward memory: ReLU and its like in place.")
@click.option(
    "--fold-norm", is_flag=True, help="Forward memory: normalisations folded into convolutions."
)
@click.option(
    "--bits", type=Integer(1, 64), metavar="N", help="Also give the size stored at N bits."
)
@click.option(
    "--sparsity",
    type=Number(0, 1, max_open=True),
    metavar="X",
    help="With --bits: share of the parameters that is pruned, 0 to 1.",
)
@click.option(
    "--index-bits",
    type=Integer(0, 64),
    metavar="N",
    help="With --sparsity: bits for the place of each value that is left.",
)
@device_options("Also the time of a pass, estimated on this device")
@output_options(*FORMATS)
def command(
    model: str,
    by: str | None,
    sort: str | None,
    top: int | None,
    loading: Loading,
    inplace: bool,
    fold_norm: bool,
    bits: int | None,
    sparsity: float | None,
    index_bits: int | None,
    devices: Devices,
    format_: str | None,
    output: str | None,
) -> None:
    """Parameters, operations, activations and memory of MODEL.

    MODEL is a network of the zoo (archcost zoo list), the path of a spec
    (path.yaml:NAME for one of its variants), of an ONNX model, of a Caffe
    prototxt or of a graph's JSON, or names a PyTorch model or what makes one:
    package.module:factory, file.py:Net. Only that last kind runs code: it
    imports the module that you name, which can do whatever Python can, calls
    the factory, and traces the model without computing.
    """
    if sparsity is not None and bits is None:
        raise click.UsageError("--sparsity needs --bits")
    if index_bits is not None and sparsity is None:
        raise click.UsageError("--index-bits needs --sparsity")
    spare_the_model(model, output)
    format_ = chosen_format(FORMATS, format_, output)
    from archcost import __version__
    from archcost.analysis import analyze
    from archcost.report import Stored, model_report

    stored = None if bits is None else Stored(bits, sparsity or 0.0, index_bits or 0)
    estimate = devices.estimate(graph := loading.graph(model))
    report = model_report(
        analyze(graph),
        by=by or ("layer" if format_ == "html" else None),  # a page has room for all of them
        sort=sort,
        top=top,
        inplace=inplace,
        fold_norm=fold_norm,
        stored=stored,
        estimate=estimate,
    )
    if format_ == "html":
        show(report, format_, output, published=_published(model), changed=loading.given)
    else:
        show(report, format_, output, **({"version": __version__} if format_ == "json" else {}))


def _published(model: str) -> Published | None:
    """What is published about MODEL where it is a network of the zoo."""
    from archcost.published.about import published_about
    from archcost.sources import UnknownModelError

    try:
        return published_about(model)
    except UnknownModelError:
        return None
